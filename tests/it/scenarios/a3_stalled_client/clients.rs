//! The clients of the daemon: some that behave, one that stops, one that reads slowly.

use std::fmt;
use std::io::Write;
use std::time::{Duration, Instant};

use fifowire::{ErrorKind, Fate, Pair};
use nix::sys::signal::{Signal, raise};

use super::daemon::{SLOW_REPLIES, reply};
use super::{ASKED, GIVEN_UP_BY, P99, REQUEST, STALL, STOPS, TRIPS};
use crate::fronts::Front;
use crate::support::frame::{Frame, REPLY};
use crate::support::time::let_pass;
use crate::support::{Line, ms, raw, until};

/// The largest reply that a healthy client takes.
const MOST: usize = 65_536;

/// How a slow client reads: so much, so often, and for several stall times.
const SIP: usize = 4096;
const EVERY: Duration = ms(800);
const SIPS: usize = 5;

/// The life of the slow one, which writes its frames by hand.
const EPOCH: u64 = 7;

/// How often it is asked for a sign of life while it is in a handler.
const PINGS: usize = 300;

/// How long the calls here may take: far longer than they do.
const PATIENCE: Duration = ms(9000);

/// How long round trips took.
pub(super) struct Trips {
    pub(super) p99: Duration,
    most: Duration,
    count: usize,
    /// What 99 of a hundred pings took at most while a handler lingered.
    pinged: Duration,
}

impl fmt::Debug for Trips {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { p99, most, count, pinged } = self;
        write!(f, "p99 {p99:.1?} of {count}, {most:.1?} at most, pings {pinged:.1?}")
    }
}

/// A client that behaves: all that it may want of its server, and round trips for longer than any
/// other is waited for.
pub(super) async fn lives_on<F: Front>(pair: &Pair) -> Trips {
    let came = Instant::now();
    let client = F::modest_client(pair, MOST).await.unwrap();
    a_reply_that_is_too_large_fails_its_call_alone::<F>(&client).await;
    let pinged = a_handler_that_lingers_holds_no_ping_up::<F>(&client).await;
    let (message, mut took) = (vec![b'4'; 4096], Vec::new());
    while took.len() < TRIPS || came.elapsed() < GIVEN_UP_BY {
        let began = Instant::now();
        assert_eq!(F::call(&client, &message, PATIENCE).await.unwrap(), message);
        took.push(began.elapsed());
    }
    let (p99, count, most) = (p99(&mut took), took.len(), took[took.len() - 1]);
    Trips { p99, most, count, pinged }
}

/// Sorts what was measured, and answers what 99 of a hundred took at most.
fn p99(took: &mut [Duration]) -> Duration {
    took.sort_unstable();
    took[took.len() * 99 / 100 - 1]
}

async fn a_reply_that_is_too_large_fails_its_call_alone<F: Front>(client: &F::Client) {
    let call = |length: usize| async move {
        F::call(client, format!("as long as {length}").as_bytes(), PATIENCE).await
    };
    let (over, fits) = F::both(|| call(MOST + 1), || call(MOST)).await;
    let error = over.unwrap_err();
    assert_eq!((error.kind(), error.fate()), (ErrorKind::TooLarge, Some(Fate::MaybeDelivered)));
    assert_eq!(fits.unwrap().len(), MOST);
    assert_eq!(call(MOST).await.unwrap().len(), MOST);
}

/// Answers how long pings took: not the slowest, which on a machine that is busy with other things
/// says how long those had the core.
async fn a_handler_that_lingers_holds_no_ping_up<F: Front>(client: &F::Client) -> Duration {
    let mut took = Vec::with_capacity(PINGS);
    let in_its_handler = async || {
        let ping = async || F::ping(client, PATIENCE).await.unwrap();
        while ping().await.server.unwrap().in_hand == 0 {}
        for _ in 0..PINGS {
            let pong = ping().await;
            assert_eq!(pong.server.unwrap().in_hand, 1);
            took.push(pong.round_trip);
        }
    };
    let error = F::begin_and_cancel(client, b"wait", in_its_handler).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Cancelled);
    let p99 = p99(&mut took);
    assert!(p99 <= P99, "pings took {p99:?}, and {:?} at most", took[PINGS - 1]);
    p99
}

/// Ends the server of a pair.
pub(super) async fn says_stop<F: Front>(pair: &Pair) {
    let client = F::modest_client(pair, MOST).await.unwrap();
    assert_eq!(F::call(&client, b"stop", PATIENCE).await.unwrap(), b"stop");
}

/// A client that asks, never reads, and stops as a process does under a debugger. When it goes on,
/// its calls have ended, and it is served again.
pub(super) fn asks_and_stops<F: Front>(line: &mut Line) {
    let pair = Pair::at(line.directory(), STOPS).unwrap();
    F::block_on(async {
        let client = F::modest_client(&pair, MOST).await.unwrap();
        let stop = || {
            until("all is written", || F::probe_client(&client).queued == 0);
            raise(Signal::SIGSTOP).unwrap();
        };
        let ends = F::begin_all(&client, REQUEST, ASKED, stop).await;
        let (mut replies, mut lost) = (0, 0);
        for end in ends {
            match end {
                Ok(whole) => {
                    assert_eq!(whole, reply());
                    replies += 1;
                }
                Err(error) => {
                    let ended = (error.kind(), error.fate());
                    assert_eq!(ended, (ErrorKind::PeerClosed, Some(Fate::MaybeDelivered)));
                    lost += 1;
                }
            }
        }
        assert!(replies > 0 && lost > 0, "{replies} replies, {lost} lost");
        assert_eq!(F::call(&client, b"again", PATIENCE).await.unwrap(), b"again");
        assert_eq!(F::call(&client, b"stop", PATIENCE).await.unwrap(), b"stop");
        line.say(&format!("{replies} were answered and {lost} lost"));
    });
}

/// A client that reads 4 KiB every 0.8 s, and after some of these all that is left.
pub(super) fn reads_slowly(pair: &Pair) {
    const { assert!(EVERY.as_millis() * SIPS as u128 >= 3 * STALL.as_millis()) };
    let mut replies = raw::reader(pair.output());
    let mut requests = raw::writer(pair.input());
    for id in 1..=SLOW_REPLIES {
        requests.write_all(&Frame::request(EPOCH, id, REQUEST).bytes()).unwrap();
    }
    let mut bytes = Vec::new();
    for _ in 0..SIPS {
        let_pass(EVERY);
        bytes.append(&mut raw::take(&mut replies, SIP));
    }
    let (mut id, mut from) = (0, 0);
    until("all replies have come", || {
        bytes.append(&mut raw::drain(&mut replies));
        while let Some((frame, len)) = Frame::parse(&bytes[from..]) {
            id += 1;
            assert!(frame.bytes() == bytes[from..from + len], "the checksum of reply {id}");
            assert_eq!((frame.kind, frame.to, frame.id), (REPLY, EPOCH, id));
            assert!(frame.unmasked().payload == reply(), "reply {id}");
            from += len;
        }
        id == SLOW_REPLIES
    });
    assert_eq!(bytes.len(), from, "what comes after them");
}
