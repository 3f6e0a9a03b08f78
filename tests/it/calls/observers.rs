//! What a host may do while it is told that a call waits: anything.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, OnceLock, Weak};

use fifowire::{Client, ErrorKind, Pair, Server};

use crate::support::time::aside;
use crate::support::{ms, scene};

#[test]
fn an_observer_may_ask_the_client_that_waits() {
    scene(&[], |scene| {
        let pair = Pair::create(scene.directory(), "agent").unwrap();
        let known = Arc::new(OnceLock::<Weak<Client<u32, u32>>>::new());
        let asking = Arc::clone(&known);
        let options = Client::<u32, u32>::options().on_waiting(move |_| {
            let client = asking.get().and_then(Weak::upgrade);
            assert_eq!(client.map(|client| client.in_flight()), Some(1));
        });
        let client = Arc::new(options.open(&pair).unwrap());
        known.set(Arc::downgrade(&client)).unwrap();
        let error = client.request(&1).timeout(ms(1200)).call().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NoReader);
    });
}

#[test]
fn an_observer_that_panics_ends_its_own_call_and_no_other() {
    scene(&[], |scene| {
        let pair = Pair::create(scene.directory(), "agent").unwrap();
        let mut server = Server::<u32, u32>::open(&pair).unwrap();
        let options = Client::<u32, u32>::options().on_waiting(|_| panic!("told"));
        let client = options.open(&pair).unwrap();
        // Nobody serves yet, so the first call waits until its observer is told.
        let call = catch_unwind(AssertUnwindSafe(|| client.request(&1).timeout(ms(5000)).call()));
        assert!(call.is_err());
        assert_eq!(client.in_flight(), 0);
        let serving = aside(move || {
            server.serve(|number, context| {
                if number == 2 {
                    context.stop();
                }
                Ok::<_, String>(number)
            })
        });
        assert_eq!(client.request(&2).timeout(ms(900)).call().unwrap(), 2);
        serving.join().unwrap();
    });
}
