//! CC5: what timed out is never delivered later: not a byte of it to a reader that comes
//! afterwards, not a message of it to an endpoint that was there all along.

use std::io::Read;

use fifowire::codec::Bytes;
use fifowire::{Client, Fate, Fifo, Pair, Receiver, Sender, Server};

use crate::support::time::{aside, asleep};
use crate::support::{ms, raw, scene};

#[test]
fn cc5_a_reader_that_comes_after_a_timeout_gets_no_byte() {
    scene(&[], |scene| {
        let pair = Pair::create(scene.directory(), "agent").unwrap();
        let mut sender = {
            let _reader = raw::reader(pair.input());
            Sender::<String>::open(pair.input()).unwrap()
        };
        sender.send_timeout(&"late".into(), ms(20)).unwrap_err();
        let _ = sender.feed(&"fed".into());
        sender.send_timeout(&"later".into(), ms(20)).unwrap_err();
        let client = Client::<String, String>::open(&pair).unwrap();
        client.request(&"latest".into()).timeout(ms(20)).call().unwrap_err();

        // All three are alive, and one of them even steps again.
        let mut reader = raw::reader(pair.input());
        let stepping = asleep(move || client.ping(ms(50)).map(|_| client));
        stepping.join().unwrap_err();
        drop(sender);
        let seen = raw::drain(&mut reader);
        let text = String::from_utf8_lossy(&seen);
        assert!(!text.contains("late") && !text.contains("fed"), "{text:?}");
    });
}

#[test]
fn cc5_a_dropped_sender_writes_nothing_on_its_way_out() {
    scene(&[], |scene| {
        let fifo = Fifo::create(scene.path("a.fifo")).unwrap();
        let opened = Sender::<String>::options().open_timeout(ms(20)).open(fifo.path());
        opened.unwrap_err();
        let mut reader = raw::reader(fifo.path());
        let mut sender = Sender::<String>::open(fifo.path()).unwrap();
        sender.feed(&"fed and never flushed".into()).unwrap();
        drop(sender);
        assert_eq!(reader.read(&mut [0; 64]).unwrap(), 0, "end of file, and nothing before it");
    });
}

#[test]
fn cc5_a_message_that_was_cut_is_never_delivered() {
    scene(&[], |scene| {
        for exclusive in [false, true] {
            let fifo = Fifo::create(scene.path("a.fifo")).unwrap();
            let options = Receiver::<Vec<u8>>::options().codec(Bytes);
            let mut receiver = options.open(fifo.path()).unwrap();
            let options = Sender::<Vec<u8>>::options().codec(Bytes).exclusive(exclusive);
            let mut sender = options.open(fifo.path()).unwrap();
            sender.send_timeout(&vec![1; 200_001], ms(30)).unwrap_err();
            assert!(receiver.try_recv().unwrap().is_none(), "it was cut: {:?}", receiver.stats());
            sender.send(&vec![2; 10]).unwrap();
            assert_eq!(receiver.recv_timeout(ms(5000)).unwrap(), [2; 10]);
            assert_eq!(receiver.stats().messages, 1);
        }
    });
}

#[test]
fn cc5_a_request_that_expired_before_it_was_read_is_not_handed_out() {
    scene(&[], |scene| {
        let pair = Pair::create(scene.directory(), "agent").unwrap();
        let mut server = Server::<String, String>::open(&pair).unwrap();
        let options = Client::<String, String>::options().cancel_abandoned(false);
        let client = options.open(&pair).unwrap();
        for _ in 0..5 {
            let call = client.request(&"too late".into()).timeout(ms(20)).call();
            assert_eq!(call.unwrap_err().fate(), Some(Fate::MaybeDelivered));
        }
        let call = aside(move || client.request(&"in time".into()).timeout(ms(5000)).call());
        let request = server.recv_timeout(ms(5000)).unwrap();
        assert_eq!(request.value, "in time");
        request.responder.send(&"yes".into()).unwrap();
        assert_eq!(call.join().unwrap(), "yes");
        assert_eq!(server.stats().expired, 5);
    });
}

#[test]
fn cc5_a_reply_that_comes_too_late_is_counted_and_never_taken_for_another() {
    scene(&[], |scene| {
        let pair = Pair::create(scene.directory(), "agent").unwrap();
        let mut server = Server::<u32, u32>::open(&pair).unwrap();
        let client = std::sync::Arc::new(Client::<u32, u32>::open(&pair).unwrap());
        for round in 0..20 {
            let (caller, late) = (client.clone(), 2 * round);
            let call = aside(move || caller.request(&late).timeout(ms(30)).call());
            let request = server.recv_timeout(ms(5000)).unwrap();
            call.join().unwrap_err();
            // Whether it is written or not, nobody waits for it.
            let _ = request.responder.send(&request.value);

            let caller = client.clone();
            let call = aside(move || caller.request(&(late + 1)).timeout(ms(5000)).call());
            let request = server.recv_timeout(ms(5000)).unwrap();
            request.responder.send(&request.value).unwrap();
            assert_eq!(call.join().unwrap(), late + 1);
        }
        assert_eq!(client.stats().late, 20);
    });
}
