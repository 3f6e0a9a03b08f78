//! Threads that take turns, under the checker ([`crate::sync::checked`]).

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::{Turn, Visit};
use crate::core::errand::{Calling, Cancelling, Reserving};
use crate::core::event::Event;
use crate::core::script::{Client, Server};
use crate::deadline::Deadline;
use crate::error::{ErrorKind, Phase, Result};
use crate::front::Term;
use crate::sync::checked::peer::{
    Count, MUTE, calling, echo, next_request, serve, serve_one_by_one,
};
use crate::sync::checked::thread::{self, Spawned};
use crate::sync::checked::{
    below, chance, check, common, endpoints, moment, now, patient, strike, until_dusk,
};
use crate::trace::Span;

type Shared = Arc<Turn<Client>>;

impl<S: super::Shared> Turn<S> {
    /// Whether nobody leads, parks or is called.
    pub(crate) fn is_at_rest(&self) -> bool {
        let mut state = self.lock();
        let nobody = state.leaders.is_empty() && state.parked.is_empty();
        nobody && state.session.wakeups().is_empty() && !self.bell.rings()
    }
}

#[test]
fn every_reply_reaches_its_caller_and_whoever_leaves_is_replaced() {
    check(|| {
        let callers = 2 + below(3);
        let (client, server) = endpoints(capacity(), callers);
        let turn = shared(client);
        let answered = Arc::new(Count::default());
        let counts = Arc::clone(&answered);
        let service = thread::spawn(move || serve_one_by_one(server, callers, &counts));
        let call_one = |caller| {
            let (turn, answered) = (Arc::clone(&turn), Arc::clone(&answered));
            thread::spawn(move || {
                let message = [caller as u8; 30];
                // A call that was begun is one more that nobody looks after until its thread does.
                let reply = if chance(3) {
                    begin(&turn, &message, patient()).finish()
                } else {
                    call(&turn, &message, patient())
                };
                assert_eq!(reply.unwrap().body, message);
                answered.add();
            })
        };
        let calls = (0..callers).map(call_one).collect();
        finish(turn, calls, service);
    });
}

#[test]
fn calls_that_time_out_are_cancelled_or_dropped_leave_the_others_theirs() {
    check(|| {
        let (client, server) = endpoints(capacity(), 1 + below(3));
        let turn = shared(client);
        let service = thread::spawn(move || serve(server));
        let mut threads = vec![thread::spawn(strike)];
        threads.extend((0..2 + below(2)).map(|thread| {
            let turn = Arc::clone(&turn);
            thread::spawn(move || (0..1 + below(2)).for_each(|_| do_anything(&turn, thread as u8)))
        }));
        finish(turn, threads, service);
    });
}

#[test]
fn whoever_leaves_at_its_deadline_is_replaced() {
    check(|| {
        let (client, server) = endpoints(capacity(), 3);
        let turn = shared(client);
        let service = thread::spawn(move || serve(server));
        let gone = Arc::new(Count::default());
        let late = {
            let (turn, gone) = (Arc::clone(&turn), Arc::clone(&gone));
            thread::spawn(move || {
                assert_late(call(&turn, MUTE, until_dusk()));
                gone.add();
            })
        };
        let stays = {
            let turn = Arc::clone(&turn);
            thread::spawn(move || {
                let unanswered = begin(&turn, MUTE, patient());
                let id = unanswered.key();
                // Answered only after the other has left.
                let canceller = {
                    let turn = Arc::clone(&turn);
                    thread::spawn(move || {
                        gone.wait_for(1);
                        cancel(&turn, id);
                    })
                };
                assert_eq!(kind(unanswered.finish()), ErrorKind::Cancelled);
                canceller.join().unwrap();
            })
        };
        finish(turn, vec![late, stays, thread::spawn(strike)], service);
    });
}

#[test]
fn a_place_that_becomes_free_goes_to_whoever_waits_for_it_even_if_it_leads() {
    check(|| {
        let (client, server) = endpoints(capacity(), 1);
        let turn = shared(client);
        let service = thread::spawn(move || serve(server));
        let taken = Arc::new(Count::default());
        let mut threads: Vec<_> = (0..1 + below(2))
            .map(|caller| {
                let (turn, taken) = (Arc::clone(&turn), Arc::clone(&taken));
                thread::spawn(move || {
                    taken.wait_for(1);
                    placed_call(&turn, &[caller as u8; 20]);
                })
            })
            .collect();
        let holder = Arc::clone(&turn);
        threads.push(thread::spawn(move || {
            let unanswered = begin(&holder, MUTE, patient());
            taken.add();
            drop(unanswered);
        }));
        finish(turn, threads, service);
    });
}

#[test]
fn a_life_that_ends_calls_every_leader() {
    check(|| {
        let (client, server) = endpoints(200, 4);
        let turn = shared(client);
        let (begun, over) = (Arc::new(Count::default()), Arc::new(Count::default()));
        let service = {
            let over = Arc::clone(&over);
            thread::spawn(move || {
                // Until then it reads nothing, so that no event of a pipe wakes anybody.
                over.wait_for(1);
                serve(server);
            })
        };
        // One waits for its reply, the other for room.
        let first = Arc::new(AtomicU64::new(u64::MAX));
        let call_one = |(at, size)| {
            let (turn, begun, first) = (Arc::clone(&turn), Arc::clone(&begun), Arc::clone(&first));
            thread::spawn(move || {
                begun.wait_for(at);
                let call = begin(&turn, &vec![0; size], patient());
                first.fetch_min(call.key(), Ordering::SeqCst);
                begun.add();
                assert_eq!(kind(call.finish()), ErrorKind::Poisoned);
            })
        };
        let mut threads = vec![call_one((0, 20)), call_one((1, 400))];
        let canceller = Arc::clone(&turn);
        threads.push(thread::spawn(move || {
            begun.wait_for(2);
            // The first call's: nobody acknowledges that it is cancelled.
            let term = until_dusk();
            let cancelling = Cancelling::new(first.load(Ordering::SeqCst), term.deadline);
            let cancelled = canceller.run(cancelling, now(), term, Phase::Cancel);
            assert_eq!(kind(cancelled), ErrorKind::TimedOut);
        }));
        threads.push(thread::spawn(strike));
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        over.add();
        finish(turn, Vec::new(), service);
    });
}

#[test]
fn replies_that_other_threads_send_are_written_whoever_waits_for_requests() {
    check(|| {
        let callers = 2 + below(2);
        let (client, server) = endpoints(capacity(), callers);
        let turn = shared(client);
        let service = thread::spawn(move || serve_from_threads(server));
        let call_one = |caller| {
            let turn = Arc::clone(&turn);
            thread::spawn(move || {
                let message = [caller as u8; 60];
                assert_eq!(call(&turn, &message, patient()).unwrap().body, message);
            })
        };
        let calls = (0..callers).map(call_one).collect();
        finish(turn, calls, service);
    });
}

#[test]
fn a_step_that_panics_leaves_nobody_asleep() {
    check(|| {
        let (client, server) = endpoints(capacity(), 4);
        let turn = shared(client);
        let service = thread::spawn(move || serve(server));
        let replies = turn.with(|client| client.link().reader().unwrap().pipe().clone());
        replies.panic_in(1 + below(6));
        let call_one = |caller| {
            let turn = Arc::clone(&turn);
            thread::spawn(move || {
                let message = [caller as u8; 30];
                let answer = || call(&turn, &message, patient()).unwrap().body;
                // A panic in this very thread ends its call; the next one is answered.
                let body = catch_unwind(AssertUnwindSafe(answer)).unwrap_or_else(|_| answer());
                assert_eq!(body, message);
            })
        };
        let calls: Vec<_> = (0..2 + below(2)).map(call_one).collect();
        calls.into_iter().for_each(|call| call.join().unwrap());
        replies.panic_in(0);
        finish(turn, Vec::new(), service);
    });
}

/// Answers each request from a thread of its own.
fn serve_from_threads(server: Server) {
    let turn = Arc::new(Turn::new(server, &common()).unwrap());
    let mut replies = Vec::new();
    while let Some(asked) = next_request(&turn) {
        let turn = Arc::clone(&turn);
        replies.push(thread::spawn(move || echo(&turn, &asked).unwrap()));
    }
    replies.into_iter().for_each(|reply| reply.join().unwrap());
    assert!(turn.is_at_rest());
}

/// What a caller may do, by chance.
fn do_anything(turn: &Turn<Client>, thread: u8) {
    let message = [thread; 25];
    match below(7) {
        0 | 1 => placed_call(turn, &message),
        2 => match ping(turn) {
            Ok(_) => {}
            Err(error) => assert_eq!(error.kind(), ErrorKind::Overloaded),
        },
        3 => {
            let Ok(reply) = placed(turn, MUTE, until_dusk(), Visit::finish) else {
                return;
            };
            assert_late(reply);
        }
        4 => {
            let term = if chance(2) { patient() } else { until_dusk() };
            let _ = placed(turn, if chance(2) { MUTE } else { &message }, term, drop);
        }
        5 => {
            let cancelled = |visit: Visit<'_, Client, Calling>| {
                cancel(turn, visit.key());
                visit.finish()
            };
            let _ = placed(turn, MUTE, patient(), cancelled)
                .map(|answer| assert_eq!(kind(answer), ErrorKind::Cancelled));
        }
        _ => {
            let cancelled = |visit: Visit<'_, Client, Calling>| {
                cancel(turn, visit.key());
                visit.finish()
            };
            match placed(turn, &message, patient(), cancelled) {
                Ok(Ok(reply)) => assert_eq!(reply.body, message),
                Ok(Err(error)) => assert_eq!(error.kind(), ErrorKind::Cancelled),
                Err(error) => panic!("no place: {error:?}"),
            }
        }
    }
}

fn shared(client: Client) -> Shared {
    Arc::new(Turn::new(client, &common()).unwrap())
}

/// Pipes that hold less than a frame, a few, or all.
fn capacity() -> usize {
    [48, 200, 65_536][below(3)]
}

fn call(turn: &Turn<Client>, message: &[u8], term: Term) -> Result<Event> {
    let calling = turn.with(|client| calling(client, message, term));
    turn.run(calling, moment(), term, Phase::Reply)
}

fn begin<'t>(turn: &'t Turn<Client>, message: &[u8], term: Term) -> Visit<'t, Client, Calling> {
    let calling = turn.with(|client| calling(client, message, term));
    turn.begin_in(&Span::none(), calling, moment(), term, Phase::Reply).unwrap()
}

/// A call at a place that is waited for.
fn placed<'t, T>(
    turn: &'t Turn<Client>,
    message: &[u8],
    term: Term,
    then: impl FnOnce(Visit<'t, Client, Calling>) -> T,
) -> Result<T> {
    let place = match turn.with(|client| client.try_reserve()) {
        Some(place) => place,
        None => turn.run(Reserving::new(term.deadline), moment(), term, Phase::Write)?,
    };
    let calling = turn.with(|client| calling(client, message, term)).at(Some(place));
    let visit = turn.begin_in(&Span::none(), calling, moment(), term, Phase::Reply)?;
    Ok(then(visit))
}

fn placed_call(turn: &Turn<Client>, message: &[u8]) {
    let reply = placed(turn, message, patient(), Visit::finish);
    assert_eq!(reply.unwrap().unwrap().body, message);
}

fn ping(turn: &Turn<Client>) -> Result<Event> {
    turn.run(Calling::ping(Deadline::NEVER), moment(), patient(), Phase::Reply)
}

fn cancel(turn: &Turn<Client>, id: u64) {
    turn.run(Cancelling::new(id, Deadline::NEVER), now(), patient(), Phase::Cancel).unwrap();
}

fn kind<T: std::fmt::Debug>(answer: Result<T>) -> ErrorKind {
    answer.unwrap_err().kind()
}

/// Given up at its deadline, wherever it was by then.
fn assert_late<T: std::fmt::Debug>(answer: Result<T>) {
    let late = [ErrorKind::TimedOut, ErrorKind::NoWriter, ErrorKind::WriteStalled];
    assert!(late.contains(&kind(answer)));
}

/// Everybody comes to an end, and nothing is left behind.
fn finish(turn: Shared, threads: Vec<Spawned>, service: Spawned) {
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    // Whatever became of them, the next call is answered; and the server has seen a client.
    ping(&turn).unwrap();
    assert!(turn.is_at_rest());
    assert_eq!(turn.with(|client| client.in_flight()), 0);
    drop(turn);
    service.join().unwrap();
}
