//! A Rust server and Python clients: called, pinged, and left in the middle of a frame.

use fifowire::codec::Bytes;
use fifowire::{LinkStats, Server};

use super::Instance;
use crate::support::{Case, Peer, act, ms};

type Upper = Server<Vec<u8>, Vec<u8>, Bytes>;

fn open(instance: &Instance<'_>) -> Upper {
    Server::options().codec(Bytes).open(&instance.pair).unwrap()
}

/// Answers in upper case until a client says stop.
fn serve(mut server: Upper) -> LinkStats {
    server
        .serve(|request: Vec<u8>, context| match request.as_slice() {
            b"fail" => Err("no such agent"),
            b"panic" => std::panic::panic_any("out of tea"),
            b"stop" => {
                context.stop();
                Ok(request)
            }
            _ => Ok(request.to_ascii_uppercase()),
        })
        .unwrap();
    server.stats()
}

#[test]
fn a_python_client_calls_a_rust_server() {
    act(|directory| {
        let instance = Instance::create(directory);
        let server = open(&instance);
        let mut client = instance.peer("native_asks.py", &["calls"]);
        let case = Case::begin("native: Python client, 200 KB both ways, masked too");
        let stats = serve(server);
        case.ends(ms(0), ms(2000));
        client.expect("failed 1 no such agent");
        client.expect("failed 2 the handler panicked: out of tea");
        client.finish();
        assert_eq!((stats.events, stats.skipped_bytes, stats.late), (7, 0, 0), "{stats:?}");
    });
}

#[test]
fn a_python_client_pings_a_rust_server() {
    act(|directory| {
        let instance = Instance::create(directory);
        let server = open(&instance);
        let mut client = instance.peer("native_asks.py", &["ping"]);
        serve(server);
        client.expect("pong");
        client.finish();
    });
}

#[test]
fn a_client_killed_inside_a_request_does_not_disturb_the_next() {
    act(|directory| {
        let instance = Instance::create(directory);
        let server = open(&instance);
        // The server has its end open already; what was cut off lies in the pipe.
        instance.peer("native_asks.py", &["dies"]).dies();
        let client = instance.peer("native_asks.py", &["stop"]);
        let stats = serve(server);
        client.finish();
        assert_eq!((stats.torn, stats.events), (1, 1), "{stats:?}");
    });
}

#[test]
fn a_request_to_an_earlier_life_is_not_handled() {
    act(|directory| {
        let instance = Instance::create(directory);
        let server = open(&instance);
        let client = instance.peer("native_asks.py", &["stale"]);
        let stats = serve(server);
        client.finish();
        assert_eq!((stats.late, stats.events), (1, 2), "{stats:?}");
    });
}

#[test]
fn what_a_passing_shell_writes_is_skipped() {
    act(|directory| {
        let instance = Instance::create(directory);
        let server = open(&instance);
        let mut passer_by = Peer::start("garbage.sh", [instance.pair.input()]);
        passer_by.expect("written");
        passer_by.finish();
        let client = instance.peer("native_asks.py", &["stop"]);
        let stats = serve(server);
        client.finish();
        let words = "hello, is anybody there?\n".len() as u64;
        assert_eq!((stats.skipped_bytes, stats.events), (words, 1), "{stats:?}");
    });
}
