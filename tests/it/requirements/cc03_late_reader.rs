//! CC3: a late reader is noticed, also one that is blocked in its own `open`; waiting costs at
//! most 2 % of a core.
//!
//! How fast it is noticed is measured by `benches/ratios.rs`; here it must be noticed at all, long
//! before the deadline.

use std::fs;
use std::io::Read;
use std::path::Path;
use std::time::{Duration, Instant};

use fifowire::{Client, Fifo, Pair, Receiver, Sender, Server};

use crate::support::time::{Aside, asleep, let_pass, thread_cpu};
use crate::support::{ms, raw, scene};

/// So long that only a reader which is noticed ends the wait.
const LONG: Duration = Duration::from_secs(20);

/// A late reader is found within a handful of attempts, which are 5 ms apart at most.
const SOON: Duration = Duration::from_secs(2);

#[test]
fn cc3_a_late_reader_is_noticed_whichever_way_it_opens() {
    scene(&[], |scene| {
        let fifo = Fifo::create(scene.path("a.fifo")).unwrap();
        for _ in 0..10 {
            let (sending, began) = (send_hello(fifo.path()), Instant::now());
            let mut reader = raw::reader(fifo.path());
            sending.join();
            assert!(began.elapsed() < SOON, "a reader that does not block");
            assert!(!raw::drain(&mut reader).is_empty());
            drop(reader);

            let (sending, began) = (send_hello(fifo.path()), Instant::now());
            let mut bytes = Vec::new();
            raw::patient_reader(fifo.path()).read_to_end(&mut bytes).unwrap();
            sending.join();
            assert!(began.elapsed() < SOON, "a reader that blocks in open");
            assert!(!bytes.is_empty());
        }
    });
}

fn send_hello(path: &Path) -> Aside<()> {
    let path = path.to_owned();
    asleep(move || {
        let mut sender = Sender::<String>::options().open_timeout(LONG).open(path).unwrap();
        sender.send(&"hello".into()).unwrap();
    })
}

#[test]
fn cc3_a_fifo_that_is_created_late_is_noticed() {
    scene(&[], |scene| {
        let path = scene.path("a.fifo");
        let sending = send_hello(&path);
        let began = Instant::now();
        let fifo = Fifo::create(&path).unwrap();
        let mut receiver = Receiver::<String>::open(fifo.path()).unwrap();
        assert_eq!(receiver.recv_timeout(LONG).unwrap(), "hello");
        sending.join();
        assert!(began.elapsed() < SOON);
    });
}

#[test]
fn cc3_a_late_server_is_noticed_by_a_call_and_a_late_client_by_a_server() {
    scene(&[], |scene| {
        let pair = Pair::create(scene.directory(), "agent").unwrap();
        let client = Client::<String, usize>::options().timeout(LONG).open(&pair).unwrap();
        let call = asleep(move || client.call(&"four".to_owned()).unwrap());
        let began = Instant::now();
        let mut server = Server::<String, usize>::open(&pair).unwrap();
        let request = server.recv_timeout(LONG).unwrap();
        request.responder.send(&request.value.len()).unwrap();
        assert_eq!(call.join(), 4);

        let serving = asleep(move || {
            let request = server.recv_timeout(LONG).unwrap();
            request.responder.send(&request.value.len()).unwrap();
        });
        let client = Client::<String, usize>::options().timeout(LONG).open(&pair).unwrap();
        assert_eq!(client.call(&"three".to_owned()).unwrap(), 5);
        serving.join();
        assert!(began.elapsed() < SOON);
    });
}

#[test]
fn cc3_waiting_takes_two_percent_of_a_core_at_most() {
    scene(&[], |scene| {
        let pair = Pair::create(scene.directory(), "agent").unwrap();
        let other = Pair::create(scene.directory(), "other").unwrap();
        let lonely = Fifo::create(scene.path("lonely.fifo")).unwrap();
        let left = Fifo::create(scene.path("left.fifo")).unwrap();
        let gone = Fifo::create(scene.path("gone.fifo")).unwrap();
        let full = Fifo::create(scene.path("full.fifo")).unwrap();
        let nowhere = scene.path("nowhere.fifo");

        let lonely = lonely.path().to_owned();
        let mut abandoned = Receiver::<String>::open(left.path()).unwrap();
        drop(raw::writer(left.path()));
        // Its path is gone and its writers have left: the descriptor reports that for ever.
        let mut unlinked = Receiver::<String>::open(gone.path()).unwrap();
        drop(raw::writer(gone.path()));
        fs::remove_file(gone.path()).unwrap();
        let _reader = raw::reader(full.path());
        let mut stuck = Sender::<String>::open(full.path()).unwrap();
        let client = Client::<String, String>::open(&pair).unwrap();
        let mut server = Server::<String, String>::open(&pair).unwrap();
        let _reads_nothing = raw::reader(other.input());
        let other = Client::<String, String>::open(&other).unwrap();

        let waits: Vec<(&str, Aside<Duration>)> = vec![
            (
                "open, no reader",
                cost(move |t| {
                    Sender::<String>::options().open_timeout(t).open(lonely).unwrap_err();
                }),
            ),
            (
                "open, no FIFO",
                cost(move |t| {
                    Receiver::<String>::options().open_timeout(t).open(nowhere).unwrap_err();
                }),
            ),
            (
                "recv, writer gone",
                cost(move |t| {
                    abandoned.recv_timeout(t).unwrap_err();
                }),
            ),
            (
                "recv, path and writer gone",
                cost(move |t| {
                    unlinked.recv_timeout(t).unwrap_err();
                }),
            ),
            (
                "send, full",
                cost(move |t| {
                    stuck.send_timeout(&"x".repeat(200_000), t).unwrap_err();
                }),
            ),
            (
                "call, no reply",
                cost(move |t| {
                    client.request(&"x".into()).timeout(t).call().unwrap_err();
                }),
            ),
            (
                "call, full",
                cost(move |t| {
                    other.request(&"x".repeat(200_000)).timeout(t).call().unwrap_err();
                }),
            ),
            (
                "server, silent",
                cost(move |t| {
                    // The one request that is there is taken and held.
                    let held = server.recv_timeout(t).unwrap();
                    server.recv_timeout(t).map(|request| request.value).unwrap_err();
                    drop(held);
                }),
            ),
        ];
        for (what, wait) in waits {
            let used = wait.join();
            assert!(used <= WAIT.mul_f64(0.02), "{what}: {used:?} of {WAIT:?}");
        }
    });
}

const WAIT: Duration = ms(1000);

/// The processor time of a wait of one second.
fn cost(wait: impl FnOnce(Duration) + Send + 'static) -> Aside<Duration> {
    asleep(move || {
        let before = thread_cpu();
        wait(WAIT);
        thread_cpu() - before
    })
}

#[test]
fn cc3_a_writer_that_stays_away_after_another_left_costs_no_processor_time() {
    scene(&[], |scene| {
        let fifo = Fifo::create(scene.path("a.fifo")).unwrap();
        let mut receiver = Receiver::<String>::open(fifo.path()).unwrap();
        // An end-of-file, then a writer that is there and silent: what burns a core on tokio.
        drop(raw::writer(fifo.path()));
        receiver.recv_timeout(ms(10)).unwrap_err();
        let idle = raw::writer(fifo.path());
        let used = cost(move |t| {
            receiver.recv_timeout(t).unwrap_err();
        });
        let_pass(ms(100));
        assert!(used.join() <= WAIT.mul_f64(0.02));
        drop(idle);
    });
}
