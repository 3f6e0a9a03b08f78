//! The daemon: one process, a server for each client.

use std::fs;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use fifowire::{Error, ErrorKind, Fate, Pair};
use tracing::level_filters::LevelFilter;

use super::{
    ASKED, GIVEN_UP_BY, HEALTHY, PROBED_WITHIN, SECRET, SLOW, STALL, STOPS, UNDECIDED, probed,
};
use crate::fronts::Front;
use crate::support::log::{Log, listen_to};
use crate::support::{Line, OVERSHOOT, ms};

/// The slow client's replies: more than a pipe holds and what it drinks in small sips.
pub(super) const SLOW_REPLIES: u64 = 30;

/// By how much the memory of the daemon may grow from where it has all requests of the stalled
/// client: less than its replies are, all of which it would otherwise have to keep.
const GROWTH: usize = ASKED * 4096 / 4 * 3;

/// How long the next request is waited for, where there are none or there must be one.
const BREATH: Duration = ms(20);
const PATIENCE: Duration = ms(9000);

/// A reply of 4 KiB.
pub(super) fn reply() -> Vec<u8> {
    SECRET.repeat(4096 / SECRET.len()).into_bytes()
}

pub(super) fn serves_all<F: Front>(line: &mut Line) {
    // The others shall not wait for one that has failed.
    let told = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        told(panic);
        std::process::exit(101);
    }));
    // Spans are not for this: they would be kept, and the memory of the daemon is looked at.
    let log = listen_to(LevelFilter::WARN);
    let (line, answering) = (&*line, AtomicBool::new(false));
    let pair = |name| Pair::at(line.directory(), name).unwrap();
    let [one, two, stops, slow] = [HEALTHY[0], HEALTHY[1], STOPS, SLOW].map(pair);
    thread::scope(|scope| {
        scope.spawn(|| {
            assert_eq!(line.hear().as_deref(), Some("answer"));
            answering.store(true, Relaxed);
        });
        F::block_on(async {
            let server = async |pair| F::strict_server(pair, STALL).await.unwrap();
            let (one, two) = (server(&one).await, server(&two).await);
            let (stalled, slow) = (server(&stops).await, server(&slow).await);
            line.say("open");
            let answering = &answering;
            let healthy = async move || {
                F::both(|| serves_one_that_behaves::<F>(one), || serves_one_that_behaves::<F>(two))
                    .await;
            };
            let others = async move || {
                F::both(healthy, || serves_one_that_is_slow::<F>(slow)).await;
            };
            let stalls = || serves_one_that_stalls::<F>(stalled, line, answering);
            let (grown, ()) = F::both(stalls, others).await;
            the_eviction_was_told_once(log, &stops);
            line.say(&format!("its memory has grown by {} KiB", grown / 1024));
        });
    });
}

/// Until it is told to stop.
async fn serves_one_that_behaves<F: Front>(mut server: F::Server) {
    let (lingers, _nobody_asks) = mpsc::channel();
    F::linger(&mut server, lingers).await.unwrap();
    assert_eq!(F::server_stats(&server).evicted, 0);
}

/// Each reply is sent, however long that takes, and none is given up.
async fn serves_one_that_is_slow<F: Front>(mut server: F::Server) {
    let mut slowest = Duration::ZERO;
    for _ in 0..SLOW_REPLIES {
        let (_, responder) = F::next(&mut server, PATIENCE).await.unwrap();
        let began = Instant::now();
        F::answer(responder, &reply()).await.unwrap();
        slowest = slowest.max(began.elapsed());
    }
    assert!(slowest >= STALL / 2, "it was not slow at all: {slowest:?}");
    assert_eq!(F::server_stats(&server).evicted, 0);
}

/// Hears all requests, answers most of them in four lanes, and the rest after the client was given
/// up; then serves the same client again. Answers by how much the memory of this process has grown.
async fn serves_one_that_stalls<F: Front>(
    mut server: F::Server,
    line: &Line,
    answering: &AtomicBool,
) -> usize {
    let mut responders = Vec::new();
    while responders.len() < ASKED {
        responders.push(F::next(&mut server, PATIENCE).await.unwrap().1);
    }
    line.say("asked");
    while !answering.load(Relaxed) {
        hears_nothing::<F>(&mut server).await;
    }
    let memory = resident("VmRSS");
    let handlers_that_still_run = responders.split_off(ASKED - UNDECIDED);
    let mut lanes = [const { Vec::new() }; 4];
    for (at, responder) in responders.into_iter().enumerate() {
        lanes[at % 4].push(responder);
    }
    let (since, lanes) = F::both(
        async || sees_the_stall::<F>(&mut server, line).await,
        || answers_in_lanes::<F>(lanes),
    )
    .await;
    let written: usize = lanes.iter().map(|lane| lane.written).sum();
    assert!(written > 0);
    let given_up = lanes.map(|lane| lane.given_up_after);
    let longest = given_up.into_iter().max().unwrap();
    assert!((STALL..=GIVEN_UP_BY).contains(&longest), "given up after {given_up:?}");

    // Whoever still works for that client learns at once that nobody wants it.
    for responder in handlers_that_still_run {
        let error = F::answer(responder, &reply()).await.unwrap_err();
        assert!(waited(&error) <= OVERSHOOT, "a reply to one that is given up: {error:?}");
    }
    let probe = F::probe_server(&server);
    assert_eq!((probe.stalled_for, probe.queued, probe.in_flight), (None, 0, 0));
    let grown = resident("VmHWM").saturating_sub(memory);
    assert!(grown <= GROWTH, "the memory has grown by {grown} bytes");
    line.say(&format!("given up after {} ms; {since}", longest.as_millis()));

    let (lingers, _nobody_asks) = mpsc::channel();
    F::linger(&mut server, lingers).await.unwrap();
    let stats = F::server_stats(&server);
    assert_eq!(stats.evicted, 1);
    assert_eq!(stats.unanswered, (ASKED - written) as u64);
    grown
}

/// Looks at the server that is stuck: it knows at once, since when and for how much (PI4). Answers
/// what is to be said of it once its client is given up.
async fn sees_the_stall<F: Front>(server: &mut F::Server, line: &Line) -> String {
    let (mut took, mut last, mut since) = (Vec::new(), None, None);
    loop {
        let probed = probed(|| F::probe_server(server));
        took.push(probed.took);
        let Some(stalled_for) = probed.answer.stalled_for else {
            if last.is_some() {
                break;
            }
            hears_nothing::<F>(server).await;
            continue;
        };
        if last.is_none() {
            line.say("stalled");
        }
        let began = probed.at - stalled_for;
        let first = *since.get_or_insert(began);
        let apart = began.max(first) - began.min(first);
        assert!(apart <= PROBED_WITHIN, "the stall began {apart:?} apart");
        last = Some(probed.answer);
        hears_nothing::<F>(server).await;
    }
    let last = last.unwrap();
    assert!(last.connected && last.stalled_for.unwrap() >= STALL / 2, "{last:?}");
    assert_eq!((last.queued, last.queued_bytes), (4, 4 * 4096), "a reply of each lane");
    assert!(last.in_flight >= UNDECIDED + 4, "{last:?}");
    let slowest = took.iter().max().unwrap();
    assert!(*slowest <= PROBED_WITHIN, "probes took {slowest:?}");
    format!("{} probes took {slowest:.1?} at most", took.len())
}

/// Listens for a moment; the one client has asked before.
async fn hears_nothing<F: Front>(server: &mut F::Server) {
    let heard = F::next(server, BREATH).await;
    assert_eq!(heard.map(drop).unwrap_err().kind(), ErrorKind::TimedOut);
}

/// What became of replies that were sent one after the other.
#[derive(Debug)]
struct Lane {
    written: usize,
    /// How long the first that was given up had waited.
    given_up_after: Duration,
}

async fn answers_in_lanes<F: Front>(lanes: [Vec<F::Responder>; 4]) -> [Lane; 4] {
    let [one, two, three, four] = lanes;
    let odd = || F::both(|| answers::<F>(one), || answers::<F>(three));
    let even = || F::both(|| answers::<F>(two), || answers::<F>(four));
    let ((one, three), (two, four)) = F::both(odd, even).await;
    [one, two, three, four]
}

/// Sends replies until there is no room; from the one on that is given up, all fail, and at once
/// (PI8).
async fn answers<F: Front>(responders: Vec<F::Responder>) -> Lane {
    let (mut written, mut given_up_after) = (0, None);
    for responder in responders {
        match (F::answer(responder, &reply()).await, given_up_after) {
            (Ok(()), None) => written += 1,
            (Ok(()), Some(_)) => panic!("a reply was sent to one that is given up"),
            (Err(error), None) => given_up_after = Some(waited(&error)),
            (Err(error), Some(_)) => {
                assert!(waited(&error) <= OVERSHOOT, "a reply after the first: {error:?}");
            }
        }
    }
    Lane { written, given_up_after: given_up_after.expect("a reply for which there is no room") }
}

/// How long a reply had waited that failed because its client was given up.
fn waited(error: &Error) -> Duration {
    assert_eq!((error.kind(), error.fate()), (ErrorKind::WriteStalled, Some(Fate::NotSent)));
    error.elapsed().unwrap()
}

/// PI9: the eviction is told once, in numbers, and never with what was in the replies.
fn the_eviction_was_told_once(log: &Log, stops: &Pair) {
    let told = log.events("evicted", stops.output());
    let [evicted] = &told.iter().filter(|told| told.number("peers") > 0).collect::<Vec<_>>()[..]
    else {
        panic!("{told:?}")
    };
    let [queued, queued_bytes, stalled_ms] =
        ["queued", "queued_bytes", "stalled_ms"].map(|field| evicted.number(field));
    assert_eq!((evicted.number("peers"), queued, queued_bytes), (1, 4, 4 * 4096));
    let stalled = ms(stalled_ms);
    assert!((STALL..=GIVEN_UP_BY).contains(&stalled), "told: {stalled:?}");
    let peer = u64::from_str_radix(evicted.fields["peer"].trim_matches('"'), 16);
    assert_ne!(peer.unwrap(), 0);
    for name in [HEALTHY[0], HEALTHY[1], SLOW] {
        let other = Pair::at(stops.output().parent().unwrap(), name).unwrap();
        assert!(log.events("evicted", other.output()).is_empty(), "{name}");
    }
    log.holds_none_of(&[SECRET, "4 KiB"]);
}

/// Memory of this process, in bytes: what it has now (`VmRSS`), or the most that it has had
/// (`VmHWM`).
fn resident(what: &str) -> usize {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(what)?.strip_prefix(':')).unwrap();
    line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() * 1024
}
