//! Cancels: exact for the one call, acknowledged, and bounded.

use super::session::*;
use super::*;
use crate::core::errand::{Cancelling, Errand};
use crate::core::link::Directions;
use crate::core::script::Call;
use crate::core::wire::{FailureCode, Kind};
use crate::error::{ErrorKind, Fate, Phase};

/// Begins to cancel a call, with this much time for the acknowledgement.
fn cancel(session: &mut Session, call: Call, within: Duration) -> Cancelling {
    let deadline = Deadline::after(session.clock.now, within);
    let mut cancelling = Cancelling::new(call.id, deadline);
    cancelling.begin(session.client()).unwrap();
    cancelling
}

/// How a cancel has ended, if it has; whoever waits for it looks after each step.
fn ended(session: &mut Session, cancelling: &mut Cancelling) -> Option<Result<()>> {
    let now = session.clock.now;
    cancelling.look(session.client(), now)
}

/// How a call has ended: why, and what became of its request.
fn end(session: &mut Session, call: Call) -> (ErrorKind, Option<Fate>) {
    let error = session.outcome(call).expect("it has ended").unwrap_err();
    (error.kind(), error.fate())
}

/// A session in which each knows the other.
fn acquainted(capacity: usize) -> Session {
    let mut session = Session::new(capacity, 1 << 20, ms(1000));
    let call = session.call(b"first", ms(1000)).unwrap();
    session.settle(echo);
    session.outcome(call).unwrap().unwrap();
    session
}

#[test]
fn a_call_of_which_nothing_is_written_is_cancelled_without_a_word() {
    let mut session = acquainted(65_536);
    let call = session.call(b"never", ms(1000)).unwrap();
    let mut cancelling = cancel(&mut session, call, ms(500));
    ended(&mut session, &mut cancelling).unwrap().unwrap();
    assert_eq!(end(&mut session, call), (ErrorKind::Cancelled, Some(Fate::NotSent)));
    session.step_client();
    assert_eq!(session.requests.pipe().len(), 0);
}

#[test]
fn a_call_that_is_cut_anywhere_is_never_handed_out_and_the_next_one_is() {
    for accepted in [1, 36, 5000, 8192, 8193, 30_000] {
        let mut session = acquainted(1 << 20);
        let call = session.call(&noise(40_000), ms(1000)).unwrap();
        session.requests.pipe().script_writes([accepted, 0]);
        session.step_client();
        let mut cancelling = cancel(&mut session, call, ms(500));
        ended(&mut session, &mut cancelling).unwrap().unwrap();
        assert_eq!(end(&mut session, call), (ErrorKind::Cancelled, Some(Fate::NotSent)));
        let next = session.call(b"next", ms(1000)).unwrap();
        let mut handed_out = Vec::new();
        session.settle(|server, asked| {
            handed_out.push(asked.message().to_vec());
            echo(server, asked);
        });
        assert_eq!(handed_out, [b"next"], "{accepted}");
        assert_eq!(session.outcome(next).unwrap().unwrap(), reply_to(b"next"));
        assert!(!session.server_link().unwrap().is_assembling());
    }
}

#[test]
fn a_request_that_waits_is_dropped_and_its_caller_told_that_nobody_saw_it() {
    let mut session = acquainted(65_536);
    let calls = [b"a", b"b", b"c"].map(|message| session.call(message, ms(1000)).unwrap());
    session.step_client();
    let now = session.clock.now;
    session.server().step(now, Directions::BOTH).unwrap();
    let mut cancelling = cancel(&mut session, calls[1], ms(500));
    session.step_client();
    session.server().step(now, Directions::BOTH).unwrap();
    let mut handed_out = Vec::new();
    session.settle(|server, asked| {
        handed_out.push(asked.message().to_vec());
        echo(server, asked);
    });
    ended(&mut session, &mut cancelling).unwrap().unwrap();
    assert_eq!(handed_out, [b"a", b"c"]);
    assert_eq!(end(&mut session, calls[1]), (ErrorKind::Cancelled, Some(Fate::NotSent)));
    assert!(session.outcome(calls[0]).unwrap().is_ok());
    assert!(session.outcome(calls[2]).unwrap().is_ok());
}

#[test]
fn whoever_has_the_request_learns_that_it_is_cancelled_and_its_reply_is_not_sent() {
    let mut session = acquainted(65_536);
    let call = session.call(b"long work", ms(1000)).unwrap();
    let mut asked = Vec::new();
    session.settle(|_, request| asked.push(request));
    let caller = asked[0].caller;
    let key = session.server().watch(caller);
    assert!(!session.server().is_settled(caller));
    let mut cancelling = cancel(&mut session, call, ms(500));
    session.step_client();
    session.step_server();
    assert!(session.server().is_settled(caller));
    assert!(session.server().wakeups().contains(&key));
    let error = session.server().reply(caller, noise(10)).unwrap_err();
    assert_eq!((error.kind(), error.fate()), (ErrorKind::Cancelled, Some(Fate::NotSent)));
    session.settle(echo);
    ended(&mut session, &mut cancelling).unwrap().unwrap();
    assert_eq!(end(&mut session, call), (ErrorKind::Cancelled, Some(Fate::Delivered)));
    assert_eq!(session.client_link().unwrap().stats().late, 0);
    assert_eq!(session.server_link().unwrap().stats().cancelled, 1);
}

#[test]
fn a_reply_on_its_way_is_taken_back_at_every_cut_and_nothing_of_it_follows() {
    for accepted in [0, 1, 39, 4000, 8192, 9000, 49_000] {
        let mut session = acquainted(1 << 20);
        let call = session.call(b"much", ms(1000)).unwrap();
        let mut asked = Vec::new();
        session.settle(|_, request| asked.push(request));
        session.replies.pipe().script_writes([accepted, 0]);
        let ticket = session.server().reply(asked[0].caller, noise(50_000)).unwrap();
        session.step_server();
        let mut cancelling = cancel(&mut session, call, ms(500));
        session.step_client();
        // Hears the cancel; the pipe takes nothing more yet.
        session.replies.pipe().script_writes([0]);
        session.step_server();
        let now = session.clock.now;
        let outcome = session.server().outcome(ticket, now, Deadline::NEVER).unwrap();
        assert_eq!(outcome.unwrap_err().kind(), ErrorKind::Cancelled, "{accepted}");
        session.replies.pipe().forget_script();
        session.settle(echo);
        ended(&mut session, &mut cancelling).unwrap().unwrap();
        assert_eq!(end(&mut session, call), (ErrorKind::Cancelled, Some(Fate::Delivered)));
        let next = session.call(b"next", ms(1000)).unwrap();
        session.settle(echo);
        assert_eq!(session.outcome(next).unwrap().unwrap(), reply_to(b"next"), "{accepted}");
        assert_eq!(session.client_link().unwrap().stats().late, 0);
        assert!(!session.client_link().unwrap().is_assembling(), "{accepted}");
    }
}

#[test]
fn a_reply_that_was_written_before_the_cancel_came_is_the_calls() {
    let mut session = acquainted(65_536);
    let call = session.call(b"quick", ms(1000)).unwrap();
    session.step_client();
    for asked in session.step_server() {
        echo(session.server(), asked);
    }
    session.step_server();
    let mut cancelling = cancel(&mut session, call, ms(500));
    session.settle(echo);
    ended(&mut session, &mut cancelling).unwrap().unwrap();
    assert_eq!(session.outcome(call).unwrap().unwrap(), reply_to(b"quick"));
}

#[test]
fn a_cancel_goes_ahead_of_what_is_queued_at_the_next_boundary() {
    let mut session = acquainted(1 << 20);
    let call = session.call(b"first", ms(1000)).unwrap();
    session.step_client();
    session.requests.pipe().take(usize::MAX);
    session.call(&noise(200_000), ms(1000)).unwrap();
    session.requests.pipe().script_writes([100, 0]);
    session.step_client();
    cancel(&mut session, call, ms(500));
    session.requests.pipe().forget_script();
    session.step_client();
    let kinds = kinds_in(&session.requests.pipe().take(usize::MAX));
    assert_eq!(kinds[..3], [Kind::Request, Kind::Cancel, Kind::Request]);
}

#[test]
fn two_that_cancel_the_same_call_are_both_told_and_only_one_cancel_is_sent() {
    let mut session = acquainted(65_536);
    let call = session.call(b"a", ms(1000)).unwrap();
    session.step_client();
    session.requests.pipe().take(usize::MAX);
    let mut both = [(); 2].map(|()| cancel(&mut session, call, ms(500)));
    session.step_client();
    assert_eq!(session.requests.pipe().len(), 40);
    session.settle(echo);
    for cancelling in &mut both {
        ended(&mut session, cancelling).unwrap().unwrap();
    }
}

#[test]
fn a_server_that_never_acknowledges_ends_this_life_and_the_next_one_works() {
    let mut session = acquainted(65_536);
    let cancelled = session.call(b"cancelled", ms(10_000)).unwrap();
    let other = session.call(b"other", ms(10_000)).unwrap();
    session.step_client();
    let mut asked = session.step_server();
    let unsent = session.call(b"unsent", ms(10_000)).unwrap();
    let mut cancelling = cancel(&mut session, cancelled, ms(500));
    // The cancel is written, and the server is not asked any more.
    session.requests.pipe().script_writes([40, 0]);
    session.step_client();
    session.clock.advance(ms(499));
    assert!(ended(&mut session, &mut cancelling).is_none());
    session.clock.advance(ms(1));
    assert!(ended(&mut session, &mut cancelling).is_none(), "looked for once more");
    session.requests.pipe().script_writes([0]);
    session.step_client();
    let error = ended(&mut session, &mut cancelling).unwrap().unwrap_err();
    assert_eq!((error.kind(), error.phase()), (ErrorKind::TimedOut, Phase::Cancel));
    for call in [cancelled, other] {
        assert_eq!(end(&mut session, call), (ErrorKind::Poisoned, Some(Fate::MaybeDelivered)));
    }
    // What the server still says to the life before is late.
    for request in asked.drain(..) {
        echo(session.server(), request);
    }
    session.requests.pipe().forget_script();
    session.settle(echo);
    assert_eq!(session.outcome(unsent).unwrap().unwrap(), reply_to(b"unsent"));
    let next = session.call(b"next", ms(1000)).unwrap();
    session.settle(echo);
    assert_eq!(session.outcome(next).unwrap().unwrap(), reply_to(b"next"));
    assert_eq!(session.client_link().unwrap().stats().poisoned, 1);
}

#[test]
fn an_acknowledgement_that_lay_in_the_pipe_at_the_deadline_counts() {
    let mut session = acquainted(65_536);
    let call = session.call(b"a", ms(10_000)).unwrap();
    session.step_client();
    session.step_server();
    let mut cancelling = cancel(&mut session, call, ms(500));
    session.step_client();
    session.step_server();
    session.step_server();
    session.clock.advance(ms(5000));
    assert!(ended(&mut session, &mut cancelling).is_none());
    session.step_client();
    ended(&mut session, &mut cancelling).unwrap().unwrap();
    assert_eq!(session.client_link().unwrap().stats().poisoned, 0);
}

#[test]
fn a_server_that_leaves_ends_the_wait_for_its_acknowledgement() {
    let mut session = acquainted(65_536);
    let call = session.call(b"a", ms(10_000)).unwrap();
    session.step_client();
    session.step_server();
    let mut cancelling = cancel(&mut session, call, ms(500));
    session.kill_server();
    session.settle(echo);
    ended(&mut session, &mut cancelling).unwrap().unwrap();
    assert_eq!(end(&mut session, call), (ErrorKind::PeerClosed, Some(Fate::MaybeDelivered)));
}

#[test]
fn a_call_that_is_given_up_is_cancelled_unless_that_is_not_wanted() {
    for silently in [false, true] {
        let mut session = acquainted(65_536);
        if silently {
            session.client().abandon_silently();
        }
        let call = session.call(b"a", ms(100)).unwrap();
        session.step_client();
        let asked = session.step_server().remove(0);
        session.clock.advance(ms(100));
        assert_eq!(end(&mut session, call), (ErrorKind::TimedOut, Some(Fate::MaybeDelivered)));
        session.settle(echo);
        assert_eq!(session.server().is_settled(asked.caller), !silently);
        // Nobody waits for the acknowledgement, and it is not late.
        assert_eq!(session.client_link().unwrap().stats().late, 0);
        assert_eq!(session.in_flight(), 0);
    }
}

#[test]
fn nothing_of_a_cancelled_request_reaches_the_next_in_a_thousand_cycles() {
    let mut session = acquainted(4096);
    for cycle in 0..1000_usize {
        let (size, steps) = (cycle * 7 % 10_000, cycle % 5);
        let call = session.call(&noise(size), ms(60_000)).unwrap();
        for _ in 0..steps {
            session.step_client();
            for asked in session.step_server() {
                let reply = noise(size / 2);
                session.server().reply_with(&asked, &reply);
            }
        }
        let mut cancelling = cancel(&mut session, call, ms(5000));
        session.settle(|server, asked| server.reply_with(&asked, b"of the cancelled one"));
        ended(&mut session, &mut cancelling).unwrap().unwrap();
        let message = format!("{cycle}");
        let next = session.call(message.as_bytes(), ms(60_000)).unwrap();
        session.settle(echo);
        assert_eq!(session.outcome(next).unwrap().unwrap(), reply_to(message.as_bytes()));
        drop(session.outcome(call).expect("it has ended"));
        assert_eq!(session.in_flight(), 0);
    }
    let stats = session.client_link().unwrap().stats();
    assert_eq!((stats.poisoned, stats.torn), (0, 0));
}

#[test]
fn a_call_whose_canceller_waits_no_longer_ends_all_the_same() {
    let mut session = acquainted(65_536);
    let call = session.call(b"a", ms(30_000)).unwrap();
    session.step_client();
    session.step_server();
    let mut cancelling = cancel(&mut session, call, ms(5000));
    session.step_client();
    cancelling.leave(session.client());
    session.settle(echo);
    assert_eq!(end(&mut session, call), (ErrorKind::Cancelled, Some(Fate::Delivered)));
}

#[test]
fn the_news_that_a_call_failed_does_not_follow_the_acknowledgement_of_its_cancel() {
    let mut session = acquainted(65_536);
    let calls = [b"a", b"b"].map(|message| session.call(message, ms(30_000)).unwrap());
    session.step_client();
    let asked = session.step_server();
    session.replies.pipe().script_writes([100, 0, 0, 0]);
    let ticket = session.server().reply(asked[1].caller, noise(20_000)).unwrap();
    session.server().forget(ticket, asked[1].caller);
    session.step_server();
    session.server().refuse(asked[0].caller, FailureCode::Dropped, "dropped".into());
    session.step_server();
    cancel(&mut session, calls[0], ms(5000));
    let (now, only_write) = (session.clock.now, Directions { read: false, write: true });
    session.client().step(now, only_write).unwrap();
    session.step_server();
    session.replies.pipe().forget_script();
    (0..5).for_each(|_| drop(session.step_server()));
    let kinds = kinds_in(&session.replies.pipe().take(usize::MAX));
    assert!(kinds.contains(&Kind::Cancelled) && !kinds.contains(&Kind::Failure), "{kinds:?}");
}

#[test]
fn a_cancel_that_nobody_waits_for_any_more_ends_its_call_all_the_same() {
    let mut session = acquainted(65_536);
    let call = session.call(b"given up", ms(60_000)).unwrap();
    session.settle(|_, _| {});
    let mut dropped = cancel(&mut session, call, ms(500));
    session.step_client();
    dropped.leave(session.client());
    // Another one waits for the same acknowledgement.
    let mut next = cancel(&mut session, call, ms(500));
    session.step_client();
    assert_eq!(session.requests.pipe().len(), 40, "one cancel");
    next.leave(session.client());
    session.settle(echo);
    assert_eq!(end(&mut session, call), (ErrorKind::Cancelled, Some(Fate::Delivered)));
}

#[test]
fn a_call_that_was_cancelled_and_is_given_up_leaves_nothing_behind() {
    let mut session = acquainted(65_536);
    for call_first in [false, true] {
        let call = session.call(b"given up", ms(60_000)).unwrap();
        session.settle(|_, _| {});
        let mut dropped = cancel(&mut session, call, ms(500));
        if call_first {
            session.client().give_up(call.id);
            dropped.leave(session.client());
        } else {
            dropped.leave(session.client());
            session.client().give_up(call.id);
        }
        assert!(!session.client().is_cancelling(call.id));
        session.step_client();
        assert_eq!(session.requests.pipe().len(), 40, "one cancel");
        session.settle(echo);
    }
}
