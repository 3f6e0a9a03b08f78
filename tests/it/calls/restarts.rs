//! One side is started again; the other goes on, and believes nothing of an earlier life.

use std::io::Write;

use fifowire::{Client, ErrorKind, Fate, Pair, Server};

use crate::support::frame::Frame;
use crate::support::time::{aside, asleep};
use crate::support::{Line, Scene, ms, raw, scene, until};

fn pair(scene: &Scene) -> Pair {
    Pair::create(scene.directory(), "agent").unwrap()
}

/// Answers one request.
fn answer(server: &mut Server<u32, u32>) {
    let request = server.recv_timeout(ms(5000)).unwrap();
    request.responder.send(&(request.value + 1)).unwrap();
}

#[test]
fn a_client_goes_on_with_the_next_server_process() {
    scene(&[("server", serves)], |scene| {
        let pair = pair(scene);
        let client = Client::<u32, u32>::options().timeout(ms(5000)).open(&pair).unwrap();
        for life in 0..10 {
            let mut server = scene.start("server", &[]);
            server.expect("open");
            let mut lost = 0;
            for call in 0..20 {
                let request = life * 100 + call;
                match client.call(&request) {
                    Ok(reply) => assert_eq!(reply, request + 1),
                    // The first call may meet the end of the server before; no other may.
                    Err(error) => {
                        assert_eq!((error.kind(), call), (ErrorKind::PeerClosed, 0), "{error}");
                        lost += 1;
                    }
                }
            }
            assert!(lost <= 1);
            server.kill();
        }
    });
}

fn serves(line: &mut Line) {
    let mut server =
        Server::<u32, u32>::open(&Pair::at(line.directory(), "agent").unwrap()).unwrap();
    line.say("open");
    server.serve(|request, _| Ok::<_, String>(request + 1)).unwrap();
}

/// The server is gone and the next one there before the client looks again.
#[test]
fn an_idle_client_goes_on_with_a_server_that_was_restarted_meanwhile() {
    scene(&[], |scene| {
        let pair = pair(scene);
        let client = Client::<u32, u32>::options().timeout(ms(2000)).open(&pair).unwrap();
        let mut server = Server::<u32, u32>::open(&pair).unwrap();
        for life in 0..5 {
            let serving = aside(move || {
                answer(&mut server);
                server
            });
            let first = client.call(&life);
            // It may learn of the restart by this call; then it must say so at once.
            if let Err(error) = &first {
                assert_eq!(error.kind(), ErrorKind::PeerClosed, "{error}");
                assert_eq!(client.call(&life).unwrap(), life + 1);
            }
            drop(serving.join());
            server = Server::<u32, u32>::open(&pair).unwrap();
        }
    });
}

#[test]
fn a_server_goes_on_with_the_next_client() {
    scene(&[], |scene| {
        let pair = pair(scene);
        let mut server = Server::<u32, u32>::open(&pair).unwrap();
        for life in 0..20 {
            let client = Client::<u32, u32>::options().timeout(ms(5000)).open(&pair).unwrap();
            let call = aside(move || client.call(&life));
            answer(&mut server);
            assert_eq!(call.join().unwrap(), life + 1);
        }
    });
}

#[test]
fn calls_in_flight_learn_at_once_that_the_server_died() {
    scene(&[("server", takes_requests_and_is_silent)], |scene| {
        let pair = pair(scene);
        let client = std::sync::Arc::new(Client::<u32, u32>::open(&pair).unwrap());
        let mut server = scene.start("server", &[]);
        server.expect("open");
        let calls: Vec<_> = (0..4)
            .map(|request| {
                let client = client.clone();
                asleep(move || client.request(&request).timeout(ms(20_000)).call())
            })
            .collect();
        server.expect("4 taken");
        server.kill();
        for call in calls {
            let error = call.join().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::PeerClosed, "{error}");
            assert_eq!(error.fate(), Some(Fate::MaybeDelivered));
        }
    });
}

fn takes_requests_and_is_silent(line: &mut Line) {
    let mut server =
        Server::<u32, u32>::open(&Pair::at(line.directory(), "agent").unwrap()).unwrap();
    line.say("open");
    let _taken: Vec<_> = (0..4).map(|_| server.recv_timeout(ms(9000)).unwrap()).collect();
    line.say("4 taken");
    line.hear();
}

#[test]
fn a_reply_to_the_client_before_is_not_believed_by_the_client_after() {
    scene(&[], |scene| {
        let pair = pair(scene);
        let mut server = Server::<u32, u32>::open(&pair).unwrap();
        // Both lives count their calls from one: only the epoch tells them apart.
        let first = Client::<u32, u32>::open(&pair).unwrap();
        let call = aside(move || first.request(&1).timeout(ms(50)).call());
        let stale = server.recv_timeout(ms(5000)).unwrap();
        call.join().unwrap_err();

        let second = Client::<u32, u32>::open(&pair).unwrap();
        let call = asleep(move || (second.request(&10).timeout(ms(5000)).call(), second));
        let request = server.recv_timeout(ms(5000)).unwrap();
        let _ = stale.responder.send(&666);
        request.responder.send(&11).unwrap();
        let (reply, second) = call.join();
        assert_eq!(reply.unwrap(), 11);
        assert_eq!(second.stats().late, 1);
    });
}

#[test]
fn what_an_earlier_client_left_in_the_pipe_is_not_answered_to_the_next() {
    scene(&[], |scene| {
        let pair = pair(scene);
        let keeper = raw::reader(pair.input());
        let options = Client::<u32, u32>::options().cancel_abandoned(false);
        let first = options.open(&pair).unwrap();
        first.request(&1).timeout(ms(20)).call().unwrap_err();
        drop(first);
        // It lies in the pipe, which is kept; its time is over.
        let mut server = Server::<u32, u32>::open(&pair).unwrap();
        drop(keeper);
        let second = Client::<u32, u32>::open(&pair).unwrap();
        let call = aside(move || second.request(&10).timeout(ms(5000)).call());
        answer(&mut server);
        assert_eq!(call.join().unwrap(), 11);
        assert_eq!(server.stats().expired, 1);
    });
}

#[test]
fn a_reply_that_a_dead_server_left_in_the_pipe_is_not_believed() {
    scene(&[], |scene| {
        let pair = pair(scene);
        let keeper = raw::reader(pair.output());
        // A reply as a server wrote it for a client that has gone; same id as the next client's.
        let stale = Frame { to: 0xABCD, ..Frame::new(3, 7, 1, b"666") };
        raw::writer(pair.output()).write_all(&stale.bytes()).unwrap();
        let client = Client::<u32, u32>::open(&pair).unwrap();
        drop(keeper);
        let mut server = Server::<u32, u32>::open(&pair).unwrap();
        let call = aside(move || (client.request(&1).timeout(ms(5000)).call(), client));
        answer(&mut server);
        let (reply, client) = call.join();
        assert_eq!(reply.unwrap(), 2);
        assert_eq!(client.stats().late, 1);
        until("the call is over", || client.in_flight() == 0);
    });
}
