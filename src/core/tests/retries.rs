//! Calls that are put again: to whom, how often, and what their callers are told.

use super::session::*;
use super::*;
use crate::core::repeats::Promise;
use crate::core::script::Call;
use crate::core::server::Asked;
use crate::core::session::Session as _;
use crate::error::{Error, ErrorKind, Fate};

/// A session of which both sides know each other's life.
fn acquainted() -> Session {
    let mut session = session();
    meet(&mut session);
    session
}

fn meet(session: &mut Session) {
    let call = session.call(b"hello", ms(1000)).unwrap();
    session.run(ms(200), echo);
    session.outcome(call).unwrap().unwrap();
}

/// Begins a call that its server has in hand.
fn in_hand(session: &mut Session, promise: Promise) -> (Call, Asked) {
    let call = session.call_repeatedly(promise, b"pay", ms(10_000)).unwrap();
    let mut asked = Vec::new();
    session.settle(|_, request| asked.push(request));
    (call, asked.pop().expect("it was handed out"))
}

fn restart_server(session: &mut Session) {
    session.kill_server();
    session.settle(echo);
    session.start_server();
}

/// Goes on for a second, and answers how often there was something to serve.
fn serve(session: &mut Session) -> usize {
    let mut runs = 0;
    session.run(ms(1000), |server, asked| {
        runs += 1;
        echo(server, asked);
    });
    session.client().check();
    runs
}

fn reply_of(session: &mut Session, call: Call) -> Vec<u8> {
    session.outcome(call).expect("the call has no answer").unwrap()
}

fn error_of(session: &mut Session, call: Call) -> Error {
    session.outcome(call).expect("the call has no answer").unwrap_err()
}

fn retried(session: &Session) -> u64 {
    session.client_link().unwrap().stats().retried
}

#[test]
fn an_idempotent_call_goes_on_with_the_next_server() {
    let mut session = acquainted();
    let (call, _) = in_hand(&mut session, Promise::AnyLife);
    let plain = session.call(b"plain", ms(10_000)).unwrap();
    session.settle(|_, _| {});
    restart_server(&mut session);
    assert_eq!(serve(&mut session), 1);
    assert_eq!(reply_of(&mut session, call), reply_to(b"pay"));
    assert_eq!(error_of(&mut session, plain).kind(), ErrorKind::PeerClosed);
    assert_eq!(retried(&session), 1);
    assert!(session.client().is_idle());
}

#[test]
fn it_is_put_again_at_once_where_the_next_server_is_there_already() {
    let mut session = acquainted();
    let (call, _) = in_hand(&mut session, Promise::AnyLife);
    session.kill_server();
    session.start_server();
    // No time passes.
    session.settle(echo);
    assert_eq!(reply_of(&mut session, call), reply_to(b"pay"));
}

#[test]
fn it_goes_on_where_it_was_cut_inside_its_request() {
    let mut session = acquainted();
    session.requests.pipe().script_writes([1000, 0]);
    let long = noise(50_000);
    let call = session.call_repeatedly(Promise::Untaken, &long, ms(10_000)).unwrap();
    session.step_client();
    restart_server(&mut session);
    assert_eq!(serve(&mut session), 1);
    assert_eq!(reply_of(&mut session, call), reply_to(&long));
}

#[test]
fn it_is_put_again_so_often_and_then_ends_as_a_call_that_is_not() {
    let mut session = session();
    session.retry(2);
    meet(&mut session);
    let (call, _) = in_hand(&mut session, Promise::AnyLife);
    for attempt in 1..=3 {
        session.kill_server();
        session.settle(echo);
        assert_eq!(session.outcome(call).is_none(), attempt <= 2);
        if attempt <= 2 {
            session.start_server();
            let mut runs = 0;
            session.run(ms(200), |_, _| runs += 1);
            assert_eq!((runs, retried(&session)), (1, attempt));
        }
    }
    assert!(session.client().is_idle());
}

#[test]
fn what_was_maybe_delivered_once_is_never_not_sent() {
    let mut session = acquainted();
    let (timed_out, _) = in_hand(&mut session, Promise::AnyLife);
    let (cancelled, _) = in_hand(&mut session, Promise::AnyLife);
    let (aborted, _) = in_hand(&mut session, Promise::AnyLife);
    let unsent = session.call(b"unsent", ms(10_000)).unwrap();
    session.kill_server();
    session.run(ms(100), echo);
    assert_eq!(retried(&session), 3, "all are to be written, and nobody reads");
    session.client().cancel(cancelled.id);
    let error = error_of(&mut session, cancelled);
    assert_eq!((error.kind(), error.fate()), (ErrorKind::Cancelled, Some(Fate::MaybeDelivered)));
    let error = session.client().expire(timed_out.id);
    assert_eq!((error.kind(), error.fate()), (ErrorKind::NoReader, Some(Fate::MaybeDelivered)));
    session.client().abort();
    let error = error_of(&mut session, aborted);
    assert_eq!((error.kind(), error.fate()), (ErrorKind::Closed, Some(Fate::MaybeDelivered)));
    assert!(session.outcome(unsent).unwrap().is_err());
}

#[test]
fn at_most_once_is_not_put_to_another_life() {
    let mut session = acquainted();
    let (call, _) = in_hand(&mut session, Promise::SameLife);
    // The next server is there before the client looks.
    session.kill_server();
    session.start_server();
    assert_eq!(serve(&mut session), 0);
    let error = error_of(&mut session, call);
    assert_eq!((error.kind(), error.fate()), (ErrorKind::PeerClosed, Some(Fate::MaybeDelivered)));
    assert_eq!(retried(&session), 1);
    assert!(session.client().is_idle());
}

#[test]
fn at_most_once_ends_once_nobody_reads() {
    let mut session = acquainted();
    let (call, _) = in_hand(&mut session, Promise::SameLife);
    session.kill_server();
    session.run(ms(100), echo);
    let error = error_of(&mut session, call);
    assert_eq!((error.kind(), error.fate()), (ErrorKind::PeerClosed, Some(Fate::MaybeDelivered)));
    session.start_server();
    assert_eq!(serve(&mut session), 0);
    assert!(session.client().is_idle());
}

#[test]
fn at_most_once_is_for_the_next_server_while_none_may_have_it() {
    // To a life that has ended before it was written; cut; and read by the next life in place of
    // the one it was addressed to, which declines it.
    for case in 0..3 {
        let mut session = acquainted();
        let long = noise(50_000);
        if case == 1 {
            session.requests.pipe().script_writes([1000, 0]);
        }
        let call = session.call_repeatedly(Promise::SameLife, &long, ms(10_000)).unwrap();
        let ends = match case {
            0 => None,
            1 => {
                session.step_client();
                None
            }
            _ => {
                let pipe = session.requests.pipe();
                let ends = (pipe.writer(&session.requests), pipe.reader(&session.requests));
                session.step_client();
                Some(ends)
            }
        };
        session.kill_server();
        session.start_server();
        if ends.is_some() {
            // It has declined the request before the client looks.
            (0..2).for_each(|_| assert!(session.step_server().is_empty()));
        }
        drop(ends);
        assert_eq!(serve(&mut session), 1, "case {case}");
        assert_eq!(reply_of(&mut session, call), reply_to(&long));
        assert!(session.client().is_idle());
    }
}

#[test]
fn at_most_once_to_a_life_that_is_not_known_is_not_put_again() {
    let mut session = session();
    let (call, _) = in_hand(&mut session, Promise::SameLife);
    restart_server(&mut session);
    assert_eq!(serve(&mut session), 0);
    let error = error_of(&mut session, call);
    assert_eq!((error.kind(), error.fate()), (ErrorKind::PeerClosed, Some(Fate::MaybeDelivered)));
    assert_eq!(retried(&session), 0);
}

/// The server goes on, and this life of the client is over.
#[test]
fn after_a_poisoning_both_kinds_have_the_answer_of_the_one_run() {
    for promise in [Promise::AnyLife, Promise::SameLife] {
        let mut session = acquainted();
        let (call, asked) = in_hand(&mut session, promise);
        let (cancelled, _) = in_hand(&mut session, promise);
        session.client().cancel(cancelled.id);
        session.client().poison();
        let error = error_of(&mut session, cancelled);
        assert_eq!(error.kind(), ErrorKind::Poisoned, "what was cancelled is not put again");
        assert_eq!(serve(&mut session), 0);
        echo(session.server(), asked);
        session.settle(echo);
        assert_eq!(reply_of(&mut session, call), reply_to(b"pay"));
        assert_eq!(retried(&session), 1);
    }
}

#[test]
fn after_an_eviction_both_kinds_have_the_answer_of_the_one_run() {
    for promise in [Promise::AnyLife, Promise::SameLife] {
        let mut session = Session::new(4096, 1 << 20, ms(1000));
        meet(&mut session);
        let (call, asked) = in_hand(&mut session, promise);
        let long = noise(20_000);
        session.server().reply_with(&asked, &long);
        // The client does not read for longer than the server is patient.
        for _ in 0..120 {
            session.step_server();
            session.clock.advance(ms(10));
        }
        assert_eq!(session.server_link().unwrap().stats().evicted, 1);
        assert_eq!(serve(&mut session), 0);
        assert_eq!(reply_of(&mut session, call), long);
        assert_eq!(retried(&session), 1);
    }
}

#[test]
fn what_a_server_that_leaves_has_declined_waits_for_the_next() {
    for promise in [Promise::AnyLife, Promise::SameLife, Promise::Untaken] {
        let mut session = acquainted();
        let (held, asked) = in_hand(&mut session, Promise::AnyLife);
        session.server().begin_close();
        let call = session.call_repeatedly(promise, b"late", ms(10_000)).unwrap();
        let given_up = session.call_repeatedly(promise, b"late", ms(10_000)).unwrap();
        let cancelled = session.call_repeatedly(promise, b"late", ms(10_000)).unwrap();
        session.run(ms(100), echo);
        assert_eq!((session.outcome(call).is_none(), retried(&session)), (true, 0));
        let error = session.client().expire(given_up.id);
        assert_eq!((error.kind(), error.fate()), (ErrorKind::TimedOut, Some(Fate::NotSent)));
        session.client().cancel(cancelled.id);
        let error = error_of(&mut session, cancelled);
        assert_eq!((error.kind(), error.fate()), (ErrorKind::Cancelled, Some(Fate::NotSent)));
        echo(session.server(), asked);
        session.settle(echo);
        assert_eq!(reply_of(&mut session, held), reply_to(b"pay"));
        assert!(session.server().has_drained());
        restart_server(&mut session);
        assert_eq!(serve(&mut session), 1);
        assert_eq!(reply_of(&mut session, call), reply_to(b"late"));
        assert!(session.client().is_idle());
    }
}

#[test]
fn at_most_once_is_not_put_to_another_when_the_server_that_may_have_it_leaves() {
    let mut session = acquainted();
    let (call, _) = in_hand(&mut session, Promise::SameLife);
    let (other, _) = in_hand(&mut session, Promise::AnyLife);
    session.client().poison();
    // The server declines what comes now, and has both in hand.
    session.server().begin_close();
    session.settle(|_, _| {});
    let error = error_of(&mut session, call);
    assert_eq!((error.kind(), error.fate()), (ErrorKind::PeerClosed, Some(Fate::MaybeDelivered)));
    restart_server(&mut session);
    assert_eq!(serve(&mut session), 1);
    assert_eq!(reply_of(&mut session, other), reply_to(b"pay"));
    assert!(session.client().is_idle());
}

#[test]
fn a_client_that_does_not_reconnect_puts_nothing_again() {
    let mut session = session();
    session.reconnect(crate::core::reconnect::Reconnect::Never);
    meet(&mut session);
    let (call, _) = in_hand(&mut session, Promise::AnyLife);
    restart_server(&mut session);
    assert_eq!(serve(&mut session), 0);
    let error = error_of(&mut session, call);
    assert_eq!((error.kind(), error.fate()), (ErrorKind::PeerClosed, Some(Fate::MaybeDelivered)));
}

#[test]
fn what_is_late_is_not_put_again() {
    let mut session = acquainted();
    let (call, _) = in_hand(&mut session, Promise::AnyLife);
    session.clock.advance(ms(10_000));
    let error = error_of(&mut session, call);
    assert_eq!((error.kind(), error.fate()), (ErrorKind::TimedOut, Some(Fate::MaybeDelivered)));
    restart_server(&mut session);
    assert_eq!((serve(&mut session), retried(&session)), (0, 0));
    assert!(session.client().is_idle());
}

#[test]
fn a_request_that_is_put_again_late_has_as_much_time_as_is_left() {
    let mut session = acquainted();
    let (call, asked) = in_hand(&mut session, Promise::AnyLife);
    session.clock.advance(ms(4000));
    restart_server(&mut session);
    let mut deadlines = Vec::new();
    session.run(ms(100), |_, again| deadlines.push(again.deadline));
    assert_eq!(deadlines, [asked.deadline]);
    assert_eq!(deadlines, [call.deadline]);
}

#[test]
fn bytes_that_are_kept_to_be_put_again_count_until_their_call_ends() {
    let mut session = acquainted();
    session.client().limit_queue(1000);
    let (call, asked) = in_hand(&mut session, Promise::AnyLife);
    let plain = session.call(&noise(500), ms(1000)).unwrap();
    session.settle(|_, _| {});
    let long = session.call_repeatedly(Promise::AnyLife, &noise(2000), ms(10_000)).unwrap();
    session.settle(|_, _| {});
    let error = session.call(b"one more", ms(1000)).unwrap_err();
    assert_eq!((error.kind(), error.fate()), (ErrorKind::Overloaded, Some(Fate::NotSent)));
    session.client().give_up(long.id);
    session.call(b"one more", ms(1000)).unwrap();
    echo(session.server(), asked);
    session.settle(|_, _| {});
    assert_eq!(reply_of(&mut session, call), reply_to(b"pay"));
    assert!(session.outcome(plain).is_none());
    session.client().check();
}
