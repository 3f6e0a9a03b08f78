//! One client and one server at a time hold a pair.

use fifowire::{Client, ErrorKind, Pair, Receiver, Result, Sender, Server};

use crate::support::time::asleep;
use crate::support::{Line, Scene, ms, scene};

fn busy<T: std::fmt::Debug>(opened: Result<T>) {
    assert_eq!(opened.unwrap_err().kind(), ErrorKind::Busy);
}

type Opened = (Result<Client<u32, u32>>, Result<Server<u32, u32>>);

/// A client and a server that do not wait long for the pair.
fn open_again(pair: &Pair) -> Opened {
    let client = Client::options().open_timeout(ms(30)).open(pair);
    (client, Server::options().open_timeout(ms(30)).open(pair))
}

#[test]
fn a_second_client_and_a_second_server_are_busy_also_from_another_process() {
    scene(&[("second", is_refused)], |scene| {
        let pair = Pair::create(scene.directory(), "agent").unwrap();
        let mut server = Server::<u32, u32>::open(&pair).unwrap();
        let client = Client::<u32, u32>::open(&pair).unwrap();
        let (second_client, second_server) = open_again(&pair);
        busy(second_client);
        busy(second_server);
        scene.start("second", &[]).finish();

        // The refused ones have stolen nothing.
        let call = asleep(move || (client.request(&1).timeout(ms(5000)).call(), client));
        server.recv_timeout(ms(5000)).unwrap().responder.send(&2).unwrap();
        let (reply, client) = call.join();
        assert_eq!(reply.unwrap(), 2);
        // Also after an end of file, when the server has exchanged its descriptor.
        drop(client);
        server.recv_timeout(ms(30)).map(|request| request.value).unwrap_err();
        busy(open_again(&pair).1);
        drop(server);
        let (client, server) = open_again(&pair);
        client.unwrap();
        server.unwrap();
    });
}

fn is_refused(line: &mut Line) {
    let (client, server) = open_again(&Pair::at(line.directory(), "agent").unwrap());
    busy(client);
    busy(server);
}

#[test]
fn the_lock_of_a_process_that_was_killed_is_free() {
    scene(&[("holder", holds_the_pair)], |scene| {
        let pair = Pair::create(scene.directory(), "agent").unwrap();
        for _ in 0..5 {
            let mut holder = scene.start("holder", &[]);
            holder.expect("held");
            let (client, server) = open_again(&pair);
            busy(client);
            busy(server);
            let waiting = waiting_for(scene);
            holder.kill();
            assert!(waiting.join().is_ok(), "whoever waited has it now");
            let (client, server) = open_again(&pair);
            client.unwrap();
            server.unwrap();
        }
    });
}

fn waiting_for(scene: &Scene) -> crate::support::time::Aside<Result<()>> {
    let pair = Pair::at(scene.directory(), "agent").unwrap();
    asleep(move || {
        Client::<u32, u32>::options().open_timeout(ms(5000)).open(&pair)?;
        Server::<u32, u32>::options().open_timeout(ms(5000)).open(&pair)?;
        Ok(())
    })
}

fn holds_the_pair(line: &mut Line) {
    let pair = Pair::at(line.directory(), "agent").unwrap();
    let _client = Client::<u32, u32>::open(&pair).unwrap();
    let _server = Server::<u32, u32>::open(&pair).unwrap();
    line.say("held");
    line.hear();
}

#[test]
fn a_receiver_is_alone_and_shared_senders_are_not() {
    scene(&[], |scene| {
        let fifo = fifowire::Fifo::create(scene.path("a.fifo")).unwrap();
        let receive = || Receiver::<u32>::options().open_timeout(ms(30)).open(fifo.path());
        let send = |alone| {
            Sender::<u32>::options().exclusive(alone).open_timeout(ms(30)).open(fifo.path())
        };
        let mut receiver = receive().unwrap();
        busy(receive());
        let mut shared: Vec<_> = (0..20).map(|_| send(false).unwrap()).collect();
        busy(send(true));
        shared.iter_mut().for_each(|sender| sender.send(&1).unwrap());
        shared.clear();
        let alone = send(true).unwrap();
        busy(send(true));
        busy(send(false));
        drop(alone);
        send(false).unwrap();
        for _ in 0..20 {
            assert_eq!(receiver.recv_timeout(ms(5000)).unwrap(), 1);
        }
        // A receiver that has exchanged its descriptor is still alone.
        assert_eq!(receiver.try_recv().unwrap(), None);
        assert!(receiver.stats().renewals > 0);
        busy(receive());
    });
}
