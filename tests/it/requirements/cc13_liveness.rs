//! CC13: a sign of life is a round trip; that a path exists proves nothing.

use fifowire::{Client, ErrorKind, Pair, Server};

use crate::support::time::{aside, asleep};
use crate::support::{ms, on_time, raw, scene};

#[test]
fn cc13_a_ping_is_answered_by_a_server_and_by_nothing_else() {
    scene(&[], |scene| {
        let pair = Pair::create(scene.directory(), "agent").unwrap();
        let client = Client::<String, String>::open(&pair).unwrap();
        let ping = || on_time(ms(100), || client.ping(ms(100))).unwrap_err().kind();
        assert_eq!(ping(), ErrorKind::NoReader, "both paths exist");
        let reader = raw::reader(pair.input());
        assert_eq!(ping(), ErrorKind::NoWriter, "somebody reads it");
        let writer = raw::writer(pair.output());
        assert_eq!(ping(), ErrorKind::TimedOut, "somebody even holds the reply FIFO");
        drop((reader, writer));

        let mut server = Server::<String, String>::open(&pair).unwrap();
        let serving = asleep(move || server.recv_timeout(ms(300)).map(|request| request.value));
        let round_trip = client.ping(ms(5000)).unwrap().round_trip;
        assert!(!round_trip.is_zero() && round_trip < ms(5000));
        assert!(serving.join().is_err(), "a ping is no request");
    });
}

#[test]
fn cc13_a_ping_is_not_behind_the_handler_of_a_request() {
    scene(&[], |scene| {
        let pair = Pair::create(scene.directory(), "agent").unwrap();
        let mut server = Server::<String, String>::open(&pair).unwrap();
        let client = std::sync::Arc::new(Client::<String, String>::open(&pair).unwrap());
        let caller = client.clone();
        let call = aside(move || caller.request(&"long".into()).timeout(ms(9000)).call());
        // The request is taken and not answered; another thread waits for the next one.
        let request = server.recv_timeout(ms(5000)).unwrap();
        let serving = asleep(move || server.recv_timeout(ms(9000)).unwrap());
        client.ping(ms(5000)).unwrap();
        request.responder.send(&"done".into()).unwrap();
        assert_eq!(call.join().unwrap(), "done");
        let caller = client.clone();
        let call = aside(move || caller.request(&"last".into()).timeout(ms(9000)).call());
        serving.join().responder.send(&"last".into()).unwrap();
        call.join().unwrap();
    });
}
