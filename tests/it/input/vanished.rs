//! A FIFO that vanishes from under its ends.

use std::fs;

use fifowire::{Client, ErrorKind, Fifo, Pair, Receiver, Sender, Server};

use crate::support::time::asleep;
use crate::support::{ms, raw, scene};

#[test]
fn a_receiver_says_that_its_path_is_gone_and_goes_on_when_it_is_back() {
    scene(&[], |scene| {
        let path = scene.path("a.fifo");
        raw::make_fifo(&path);
        let mut receiver = Receiver::<u32>::open(&path).unwrap();
        let mut sender = Sender::<u32>::open(&path).unwrap();
        fs::remove_file(&path).unwrap();
        // Both ends are open: they need no path to speak to each other.
        sender.send(&1).unwrap();
        assert_eq!(receiver.recv_timeout(ms(5000)).unwrap(), 1);
        drop(sender);
        // Whether the deadline falls on one of its looks at the path or between two of them.
        for timeout in [ms(10), ms(60), ms(200), ms(220)] {
            let error = receiver.recv_timeout(timeout).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
        }

        let receiving = asleep(move || receiver.recv_timeout(ms(9000)));
        let fifo = Fifo::create(&path).unwrap();
        let mut sender = Sender::<u32>::open(fifo.path()).unwrap();
        sender.send(&2).unwrap();
        assert_eq!(receiving.join().unwrap(), 2);
    });
}

#[test]
fn a_sender_says_that_its_path_is_gone_and_goes_on_when_it_is_back() {
    scene(&[], |scene| {
        let path = scene.path("a.fifo");
        raw::make_fifo(&path);
        let reader = raw::reader(&path);
        let mut sender = Sender::<u32>::open(&path).unwrap();
        fs::remove_file(&path).unwrap();
        drop(reader);
        let error = sender.send_timeout(&1, ms(50)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
        let sending = asleep(move || sender.send_timeout(&2, ms(9000)));
        let fifo = Fifo::create(&path).unwrap();
        let mut receiver = Receiver::<u32>::open(fifo.path()).unwrap();
        assert_eq!(receiver.recv_timeout(ms(5000)).unwrap(), 2);
        sending.join().unwrap();
    });
}

#[test]
fn a_call_says_that_the_pair_is_gone_and_goes_on_with_the_next_server() {
    scene(&[], |scene| {
        let pair = Pair::create(scene.directory(), "agent").unwrap();
        let mut server = Server::<u32, u32>::open(&pair).unwrap();
        let client = Client::<u32, u32>::open(&Pair::at(scene.directory(), "agent").unwrap());
        let client = client.unwrap();
        let call = asleep(move || (client.request(&1).timeout(ms(5000)).call(), client));
        server.recv_timeout(ms(5000)).unwrap().responder.send(&1).unwrap();
        let (reply, client) = call.join();
        assert_eq!(reply.unwrap(), 1);
        // A server that shuts down takes its pair with it.
        drop((server, pair));
        let error = client.request(&2).timeout(ms(200)).call().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");

        let pair = Pair::create(scene.directory(), "agent").unwrap();
        let mut server = Server::<u32, u32>::open(&pair).unwrap();
        let serving = asleep(move || {
            let request = server.recv_timeout(ms(5000)).unwrap();
            request.responder.send(&(request.value + 1)).unwrap();
        });
        assert_eq!(client.request(&3).timeout(ms(5000)).call().unwrap(), 4);
        serving.join();
    });
}
