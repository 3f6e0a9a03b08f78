//! What a handler can do: answer, fail, panic, stop, take too long, drop the request.

use std::panic;

use fifowire::codec::{Codec, CodecError};
use fifowire::{Client, EndOfWriters, ErrorKind, Fate, Pair, Phase, Server};

use crate::support::frame::Frame;
use crate::support::time::{Aside, aside, asleep, until};
use crate::support::{Scene, ms, raw, scene};

fn ends(scene: &Scene) -> (Pair, Server<String, String>, Client<String, String>) {
    let pair = Pair::create(scene.directory(), "agent").unwrap();
    let server = Server::options().end_of_writers(EndOfWriters::End).open(&pair).unwrap();
    let client = Client::options().timeout(ms(9000)).open(&pair).unwrap();
    (pair, server, client)
}

/// A server that does what the request says.
fn obedient(mut server: Server<String, String>) -> Aside<fifowire::Result<()>> {
    aside(move || {
        server.serve(|order, context| match order.as_str() {
            "fail" => Err("I would rather not".to_owned()),
            "fail at length" => Err("é".repeat(5000)),
            "panic" => panic!("I was told to"),
            "panic with words" => panic!("told by {order}"),
            "panic without" => panic::panic_any(7),
            "stop" => {
                context.stop();
                Ok("stopping".to_owned())
            }
            "time" => Ok(format!("{:?}", context.remaining().unwrap())),
            other => Ok(other.to_uppercase()),
        })
    })
}

#[test]
fn an_error_and_a_panic_reach_the_caller_in_their_words_and_the_server_lives_on() {
    scene(&[], |scene| {
        let (_pair, server, client) = ends(scene);
        let serving = obedient(server);
        let cases = [
            ("fail", "I would rather not"),
            ("panic", "the handler panicked: I was told to"),
            ("panic with words", "the handler panicked: told by panic with words"),
            ("panic without", "the handler panicked: "),
        ];
        for _ in 0..50 {
            for (order, words) in cases {
                let error = client.call(&order.into()).unwrap_err();
                assert_eq!((error.kind(), error.phase()), (ErrorKind::Remote, Phase::Reply));
                assert_eq!(error.fate(), Some(Fate::Delivered));
                assert_eq!(error.detail(), Some(words));
                assert_eq!(client.call(&"next".into()).unwrap(), "NEXT");
            }
        }
        let error = client.call(&"fail at length".into()).unwrap_err();
        assert_eq!(error.detail(), Some(&*"é".repeat(1024)), "cut to 2 KiB");
        drop(client);
        serving.join().unwrap();
    });
}

#[test]
fn serve_ends_with_the_clients_or_with_stop() {
    scene(&[], |scene| {
        let (pair, server, client) = ends(scene);
        let serving = obedient(server);
        assert_eq!(client.call(&"stop".into()).unwrap(), "stopping");
        serving.join().unwrap();
        drop((pair, client));

        let (_pair, server, client) = ends(scene);
        let serving = obedient(server);
        client.ping(ms(5000)).unwrap();
        drop(client);
        serving.join().unwrap();
    });
}

#[test]
fn a_handler_knows_how_long_its_caller_waits() {
    scene(&[], |scene| {
        let (_pair, server, client) = ends(scene);
        let serving = obedient(server);
        let reply = client.request(&"time".into()).timeout(ms(7000)).call().unwrap();
        assert!(reply.starts_with("6.") || reply == "7s", "{reply} of 7 s");
        drop(client);
        serving.join().unwrap();
    });
}

#[test]
fn a_request_that_is_dropped_says_so_to_its_caller() {
    scene(&[], |scene| {
        let (_pair, mut server, mut client) = ends(scene);
        for _ in 0..20 {
            let call = aside({
                let request = "drop me".to_owned();
                move || (client.call(&request), client)
            });
            drop(server.recv_timeout(ms(5000)).unwrap());
            let called;
            (called, client) = call.join();
            let error = called.unwrap_err();
            assert_eq!((error.kind(), error.fate()), (ErrorKind::Remote, Some(Fate::Delivered)));
            assert!(error.detail().unwrap().contains("dropped"), "{error}");
            assert!(error.elapsed().unwrap() < ms(2000), "it waited for its deadline: {error}");
        }
    });
}

#[test]
fn a_reply_that_cannot_be_sent_is_an_error_on_both_sides() {
    scene(&[], |scene| {
        let pair = Pair::create(scene.directory(), "agent").unwrap();
        let options = Server::<String, String>::options().max_message(1000);
        let mut server = options.open(&pair).unwrap();
        let client = Client::<String, String>::open(&pair).unwrap();
        let call = asleep(move || (client.request(&"x".into()).timeout(ms(5000)).call(), client));
        let request = server.recv_timeout(ms(5000)).unwrap();
        let error = request.responder.send(&"y".repeat(1000)).unwrap_err();
        assert_eq!((error.kind(), error.phase()), (ErrorKind::TooLarge, Phase::Encode));
        let (called, client) = call.join();
        assert_eq!(called.unwrap_err().kind(), ErrorKind::TooLarge);

        // The limit is on the encoded reply: two quotes, and 998 letters fit.
        let call = asleep(move || client.request(&"x".into()).timeout(ms(5000)).call());
        server.recv_timeout(ms(5000)).unwrap().responder.send(&"y".repeat(998)).unwrap();
        assert_eq!(call.join().unwrap().len(), 998);
    });
}

#[test]
fn a_client_that_dies_before_its_reply_does_not_end_the_server() {
    scene(&[("client", asks_and_waits)], |scene| {
        let pair = Pair::create(scene.directory(), "agent").unwrap();
        let mut server = Server::<String, String>::open(&pair).unwrap();
        for _ in 0..5 {
            let client = scene.start("client", &[]);
            let request = server.recv_timeout(ms(5000)).unwrap();
            client.kill();
            let error = request.responder.send(&"too late".into()).unwrap_err();
            assert!(matches!(error.kind(), ErrorKind::NoReader | ErrorKind::PeerClosed), "{error}");
            assert!(error.elapsed().unwrap() < ms(9500), "{error}");
        }
    });
}

fn asks_and_waits(line: &mut crate::support::Line) {
    let pair = Pair::at(line.directory(), "agent").unwrap();
    let options = Client::<String, String>::options().timeout(ms(300));
    let _ = options.open(&pair).unwrap().call(&"question".into());
    line.hear();
}

/// Panics wherever it is asked to be something: as an error's words, as bytes, from bytes.
struct Touchy(u32);

impl std::fmt::Display for Touchy {
    fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        panic!("no words for {}", self.0)
    }
}

#[derive(Clone, Debug)]
struct Careless;

impl Codec<u32> for Careless {
    fn encode(&self, value: &u32, out: &mut Vec<u8>) -> Result<(), CodecError> {
        out.extend_from_slice(&value.to_le_bytes());
        Ok(())
    }

    fn decode(&self, message: &[u8]) -> Result<u32, CodecError> {
        Ok(u32::from_le_bytes(message.try_into().unwrap()))
    }
}

impl Codec<Touchy> for Careless {
    fn encode(&self, value: &Touchy, out: &mut Vec<u8>) -> Result<(), CodecError> {
        assert_ne!(value.0, 1, "no bytes for one");
        self.encode(&value.0, out)
    }

    fn decode(&self, message: &[u8]) -> Result<Touchy, CodecError> {
        self.decode(message).map(Touchy)
    }
}

#[test]
fn a_server_outlives_an_error_without_words_and_a_codec_that_panics() {
    scene(&[], |scene| {
        let pair = Pair::create(scene.directory(), "agent").unwrap();
        let options = Server::<u32, Touchy>::options().codec(Careless);
        let mut server = options.end_of_writers(EndOfWriters::End).open(&pair).unwrap();
        let serving = aside(move || {
            server.serve(|number, _| if number == 0 { Err(Touchy(0)) } else { Ok(Touchy(number)) })
        });
        let client = Client::<u32, Touchy>::options().codec(Careless).open(&pair).unwrap();
        let error = client.call(&0).map(drop).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Remote);
        assert_eq!(error.detail(), Some("the handler panicked: no words for 0"));
        assert_eq!(client.call(&1).map(drop).unwrap_err().kind(), ErrorKind::Remote);
        let mut requests = raw::writer(pair.input());
        drop(client);
        // Three bytes, where its codec expects four.
        let short = Frame::request(7, 1, b"abc").bytes();
        let mut replies = raw::reader(pair.output());
        std::io::Write::write_all(&mut requests, &short).unwrap();
        let mut heard = Vec::new();
        until("the refusal comes", || {
            heard.extend(raw::drain(&mut replies));
            Frame::parse(&heard).is_some()
        });
        assert!(heard.windows(18).any(|words| words == b"the codec panicked"));
        drop(requests);
        serving.join().unwrap();
    });
}
