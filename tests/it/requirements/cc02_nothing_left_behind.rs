//! CC2: no blocking `open` and no helper thread; after any number of timeouts the process is as
//! before, and it exits at once.

use std::time::{Duration, Instant};

use fifowire::{Client, Deadline, ErrorKind, Fifo, Pair, Receiver, Sender, Server};

use crate::support::ledger::{descriptors, threads};
use crate::support::time::{asleep, let_pass};
use crate::support::{Line, ms, raw, scene};

/// Shorter than the first attempts to open take together, longer than one of them.
const TIMEOUT: Duration = Duration::from_micros(500);

#[test]
fn cc2_a_thousand_open_timeouts_leave_no_descriptor_and_no_thread() {
    scene(&[("impatient", a_thousand_timeouts)], |scene| {
        let mut impatient = scene.start("impatient", &[]);
        impatient.expect("done");
        let began = Instant::now();
        impatient.finish();
        assert!(began.elapsed() <= ms(200), "it took {:?} to exit", began.elapsed());
    });
}

/// Lets every way of opening time out, one after the other.
fn a_thousand_timeouts(line: &mut Line) {
    let pair = Pair::create(line.directory(), "agent").unwrap();
    let client = Client::<String, String>::open(&pair).unwrap();
    let mut sender = {
        let _reader = raw::reader(pair.input());
        Sender::<String>::open(pair.input()).unwrap()
    };
    let nowhere = line.path("nowhere.fifo");
    let request = "never sent".to_owned();
    let before = (descriptors(), threads());
    for _ in 0..200 {
        let open = Sender::<String>::options().open_timeout(TIMEOUT).open(pair.input());
        assert_eq!(open.unwrap_err().kind(), ErrorKind::NoReader);
        let open = Receiver::<String>::options().open_timeout(TIMEOUT).open(&nowhere);
        assert_eq!(open.unwrap_err().kind(), ErrorKind::NotFound);
        let open = Client::<String, String>::options().open_timeout(TIMEOUT).open(&pair);
        assert_eq!(open.unwrap_err().kind(), ErrorKind::Busy);
        let call = client.request(&request).timeout(TIMEOUT).call();
        assert_eq!(call.unwrap_err().kind(), ErrorKind::NoReader);
        let sent = sender.send_timeout(&request, TIMEOUT);
        assert_eq!(sent.unwrap_err().kind(), ErrorKind::NoReader);
    }
    drop(client);
    drop(sender);
    let opened: Vec<_> = descriptors();
    assert!(opened.iter().all(|fd| before.0.contains(fd)), "{opened:?} and before {before:?}");
    assert_eq!(threads(), before.1);
    drop(pair);
    line.say("done");
}

#[test]
fn cc2_no_wait_starts_a_thread() {
    scene(&[], |scene| {
        let pair = Pair::create(scene.directory(), "agent").unwrap();
        let fifo = Fifo::create(scene.path("a.fifo")).unwrap();
        let before = threads();
        let path = fifo.path().to_owned();
        let mut receiver = Receiver::<String>::open(pair.input()).unwrap();
        let client = Client::<String, String>::open(&pair).unwrap();
        let calls = [
            asleep(move || Sender::<String>::options().open_timeout(ms(300)).open(path).err()),
            asleep(move || receiver.recv_timeout(ms(300)).err()),
            asleep(move || client.request(&"x".into()).timeout(ms(300)).call().err()),
        ];
        let_pass(ms(100));
        assert_eq!(threads(), before + calls.len(), "only the threads that call");
        for call in calls {
            assert!(call.join().is_some());
        }
    });
}

#[test]
fn cc2_timeouts_of_writes_calls_and_replies_leave_no_descriptor() {
    scene(&[], |scene| {
        let pair = Pair::create(scene.directory(), "agent").unwrap();
        let mut server = Server::<String, String>::open(&pair).unwrap();
        let client = Client::<String, String>::open(&pair).unwrap();
        let request = "x".to_owned();
        // The first call opens the request FIFO, and the server the one for replies; they stay
        // open.
        client.request(&request).timeout(TIMEOUT).call().unwrap_err();
        server.recv_timeout(TIMEOUT).map(|request| request.value).unwrap_err();
        let before = descriptors();
        for _ in 0..200 {
            client.request(&request).timeout(TIMEOUT).call().unwrap_err();
            server.recv_timeout(TIMEOUT).map(|request| request.value).unwrap_err();
            client.request(&request).deadline(Deadline::at(Instant::now())).call().unwrap_err();
        }
        assert_eq!(descriptors(), before);
        assert_eq!(client.in_flight(), 0);
    });
}
