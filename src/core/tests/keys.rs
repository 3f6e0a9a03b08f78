//! Requests with a key at their server: run once in its life, and answered whenever they come
//! again.

use super::session::*;
use super::*;
use crate::core::event::Verb;
use crate::core::hands::Caller;
use crate::core::keys::{KeyLimits, Keys, Said, Standing};
use crate::core::link::Directions;
use crate::core::script::Call;
use crate::core::server::Asked;
use crate::core::session::Session as _;
use crate::core::wire::{FailureCode, Options};
use crate::error::{Error, ErrorKind, Fate};

/// Asks under a key.
fn ask(session: &mut Session, key: u8, message: &[u8]) -> Call {
    let options = Options { key: Some([key; 16]), ..Options::default() };
    session.call_with(options, message, ms(10_000)).unwrap()
}

/// Serves, and answers how often there was something to serve.
fn serve(session: &mut Session) -> usize {
    let mut runs = 0;
    session.settle(|server, asked| {
        runs += 1;
        echo(server, asked);
    });
    session.server().check();
    runs
}

/// Takes what has come, and answers none of it.
fn take(session: &mut Session) -> Vec<Asked> {
    let mut asked = Vec::new();
    session.settle(|_, request| asked.push(request));
    session.server().check();
    asked
}

fn reply_of(session: &mut Session, call: Call) -> Vec<u8> {
    session.outcome(call).expect("the call has no answer").unwrap()
}

fn error_of(session: &mut Session, call: Call) -> Error {
    session.outcome(call).expect("the call has no answer").unwrap_err()
}

fn keeping(limits: KeyLimits) -> Session {
    let mut session = session();
    session.server().limit_keys(limits);
    session
}

#[test]
fn a_key_that_was_answered_is_answered_again_and_not_run_again() {
    let mut session = session();
    let first = ask(&mut session, 1, b"pay");
    assert_eq!(serve(&mut session), 1);
    assert_eq!(reply_of(&mut session, first), reply_to(b"pay"));
    for _ in 0..3 {
        let again = ask(&mut session, 1, b"pay");
        assert_eq!(serve(&mut session), 0);
        assert_eq!(reply_of(&mut session, again), reply_to(b"pay"));
    }
    let other = ask(&mut session, 2, b"pay");
    assert_eq!(serve(&mut session), 1, "another key is another request");
    assert_eq!(reply_of(&mut session, other), reply_to(b"pay"));
    assert!(session.client().is_idle() && session.server().is_idle());
}

#[test]
fn the_next_life_of_a_client_has_the_answer_to_what_the_one_before_has_asked() {
    for answered_before in [true, false] {
        let mut session = session();
        ask(&mut session, 1, b"pay");
        let mut asked = take(&mut session);
        session.kill_client();
        session.settle(echo);
        let hand = asked.pop().unwrap();
        assert!(!session.server().is_settled(hand.caller), "its client may come back for it");
        if answered_before {
            session.server().reply(hand.caller, b"paid".to_vec()).unwrap();
            session.server().check();
        }
        session.start_client();
        let again = ask(&mut session, 1, b"pay");
        assert!(take(&mut session).is_empty());
        if !answered_before {
            assert!(session.outcome(again).is_none());
            let ticket = session.server().reply(hand.caller, b"paid".to_vec()).unwrap();
            session.server().forget(ticket, hand.caller);
        }
        session.settle(echo);
        assert_eq!(reply_of(&mut session, again), b"paid");
    }
}

#[test]
fn a_request_that_waits_while_its_client_leaves_is_run_all_the_same() {
    let mut session = session();
    ask(&mut session, 9, b"hello");
    assert_eq!(serve(&mut session), 1);
    ask(&mut session, 1, b"pay");
    session.step_client();
    session.kill_client();
    // The server hears that, and nobody takes a request meanwhile.
    for _ in 0..3 {
        let now = session.clock.now;
        session.server().step(now, Directions::BOTH).unwrap();
    }
    assert_eq!(session.server_link().unwrap().stats().peers_lost, 1);
    assert_eq!(serve(&mut session), 1);
    session.start_client();
    let again = ask(&mut session, 1, b"pay");
    assert_eq!(serve(&mut session), 0);
    assert_eq!(reply_of(&mut session, again), reply_to(b"pay"));
}

#[test]
fn what_comes_behind_one_that_is_asked_for_again_is_handed_out_at_once() {
    let mut session = session();
    ask(&mut session, 1, b"pay");
    assert_eq!(take(&mut session).len(), 1);
    session.kill_client();
    session.settle(echo);
    session.start_client();
    let (_, behind) = (ask(&mut session, 1, b"pay"), session.call(b"behind", ms(1000)).unwrap());
    assert_eq!(serve(&mut session), 1);
    assert_eq!(reply_of(&mut session, behind), reply_to(b"behind"));
}

#[test]
fn whoever_asked_last_has_the_answer_and_the_one_before_is_told_so() {
    let mut session = session();
    let first = ask(&mut session, 1, b"pay");
    let asked = take(&mut session).pop().unwrap();
    let second = ask(&mut session, 1, b"pay");
    assert!(take(&mut session).is_empty());
    let error = error_of(&mut session, first);
    assert_eq!((error.kind(), error.fate()), (ErrorKind::Repeated, Some(Fate::Delivered)));
    echo(session.server(), asked);
    session.settle(echo);
    assert_eq!(reply_of(&mut session, second), reply_to(b"pay"));
    assert!(session.client().is_idle() && session.server().is_idle());
}

#[test]
fn a_failure_is_an_answer_like_any_other() {
    let mut session = session();
    for (key, code) in [(1, FailureCode::Handler), (2, FailureCode::Codec)] {
        let first = ask(&mut session, key, b"pay");
        let asked = take(&mut session).pop().unwrap();
        match code {
            FailureCode::Codec => session.server().refuse(asked.caller, code, "no".to_owned()),
            _ => {
                let ticket = session.server().fail(asked.caller, code, "no".to_owned()).unwrap();
                session.server().forget(ticket, asked.caller);
            }
        }
        session.settle(echo);
        let again = ask(&mut session, key, b"pay");
        assert_eq!(serve(&mut session), 0);
        for call in [first, again] {
            let error = error_of(&mut session, call);
            assert_eq!((error.detail(), error.fate()), (Some("no"), Some(Fate::Delivered)));
        }
    }
}

#[test]
fn a_cancelled_request_stays_cancelled_whoever_asks_and_whatever_its_handler_says() {
    for attached in [false, true] {
        let mut session = session();
        let mut call = ask(&mut session, 1, b"pay");
        let asked = take(&mut session).pop().unwrap();
        if attached {
            session.kill_client();
            session.settle(echo);
            session.start_client();
            call = ask(&mut session, 1, b"pay");
            assert!(take(&mut session).is_empty());
        }
        session.client().cancel(call.id);
        session.settle(echo);
        assert_eq!(error_of(&mut session, call).kind(), ErrorKind::Cancelled);
        assert!(session.server().is_settled(asked.caller), "its handler is told");
        let again = ask(&mut session, 1, b"pay");
        assert_eq!(serve(&mut session), 0);
        let refused = session.server().reply(asked.caller, b"done".to_vec()).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Cancelled);
        let last = ask(&mut session, 1, b"pay");
        assert_eq!(serve(&mut session), 0);
        for call in [again, last] {
            let error = error_of(&mut session, call);
            assert_eq!((error.kind(), error.fate()), (ErrorKind::Cancelled, Some(Fate::Delivered)));
        }
        assert!(session.server().is_idle());
    }
}

#[test]
fn a_cancel_of_the_one_that_another_has_taken_the_place_of_stops_nothing() {
    let mut session = session();
    let first = ask(&mut session, 1, b"pay");
    let asked = take(&mut session).pop().unwrap();
    let second = ask(&mut session, 1, b"pay");
    // The server has heard the second, and the client not what becomes of the first.
    session.step_client();
    assert!(session.step_server().is_empty());
    session.client().cancel(first.id);
    session.settle(echo);
    assert!(!session.server().is_settled(asked.caller));
    echo(session.server(), asked);
    session.settle(echo);
    assert_eq!(reply_of(&mut session, second), reply_to(b"pay"));
}

#[test]
fn only_the_first_answer_to_a_key_counts() {
    let (mut keys, now) = (Keys::new(KeyLimits::default()), Clock::new().now);
    let caller = Caller { epoch: 1, id: 1 };
    assert_eq!(keys.meet([1; 16], Deadline::NEVER), Standing::New);
    keys.begin([1; 16], caller, Deadline::NEVER);
    assert_eq!(keys.meet([1; 16], Deadline::NEVER), Standing::Running(caller));
    for answer in [b"first", b"other"] {
        keys.end([1; 16], Verb::Reply, answer);
        keys.forget(now);
        keys.check();
    }
    let first = Said::Answer(Verb::Reply, b"first".to_vec());
    assert_eq!(keys.meet([1; 16], Deadline::NEVER), Standing::Done(&first));
    // Whoever asks without end may be gone: that keeps nothing for ever.
    keys.forget(now + KeyLimits::default().retention);
    assert_eq!(keys.meet([1; 16], Deadline::NEVER), Standing::New);
}

#[test]
fn a_key_is_known_until_its_deadline_and_its_retention_are_over() {
    let limits = KeyLimits { retention: ms(5000), ..KeyLimits::default() };
    for (timeout, known_for) in [(ms(1000), 5000), (ms(8000), 8000)] {
        let mut session = keeping(limits);
        let options = Options { key: Some([1; 16]), ..Options::default() };
        session.call_with(options, b"pay", timeout).unwrap();
        assert_eq!(serve(&mut session), 1);
        session.clock.advance(ms(known_for - 10));
        let again = session.call_with(options, b"pay", ms(5)).unwrap();
        assert_eq!(serve(&mut session), 0);
        assert_eq!(reply_of(&mut session, again), reply_to(b"pay"));
        session.clock.advance(ms(20));
        let late = session.call_with(options, b"pay", timeout).unwrap();
        assert_eq!(serve(&mut session), 1, "it is forgotten");
        assert_eq!(reply_of(&mut session, late), reply_to(b"pay"));
    }
}

#[test]
fn who_asks_again_and_waits_longer_has_the_key_known_for_longer() {
    let mut session = keeping(KeyLimits { retention: ms(100), ..KeyLimits::default() });
    let options = Options { key: Some([1; 16]), ..Options::default() };
    session.call_with(options, b"pay", ms(1000)).unwrap();
    assert_eq!(serve(&mut session), 1);
    session.call_with(options, b"pay", ms(8000)).unwrap();
    assert_eq!(serve(&mut session), 0);
    session.clock.advance(ms(7900));
    session.call_with(options, b"pay", ms(50)).unwrap();
    assert_eq!(serve(&mut session), 0);
}

#[test]
fn where_there_is_no_room_for_a_key_the_new_request_is_refused_and_no_old_one_forgotten() {
    let limits = KeyLimits { keys: 2, retention: ms(5000), ..KeyLimits::default() };
    let mut session = keeping(limits);
    for key in [1, 2] {
        ask(&mut session, key, b"pay");
    }
    assert_eq!(serve(&mut session), 2);
    let third = ask(&mut session, 3, b"pay");
    assert_eq!(serve(&mut session), 0);
    let error = error_of(&mut session, third);
    assert_eq!((error.kind(), error.fate()), (ErrorKind::Overloaded, Some(Fate::NotSent)));
    assert_eq!(session.server().link().stats().overloaded, 1);
    let (plain, again) = (session.call(b"plain", ms(1000)).unwrap(), ask(&mut session, 1, b"pay"));
    assert_eq!(serve(&mut session), 1, "what has no key needs no room");
    assert_eq!(reply_of(&mut session, plain), reply_to(b"plain"));
    assert_eq!(reply_of(&mut session, again), reply_to(b"pay"));
    session.clock.advance(ms(10_001));
    ask(&mut session, 3, b"pay");
    assert_eq!(serve(&mut session), 1, "there is room again");
}

#[test]
fn an_answer_that_is_too_large_to_be_kept_is_missed_and_its_request_not_run_again() {
    let mut session = keeping(KeyLimits { bytes: 10, ..KeyLimits::default() });
    let first = ask(&mut session, 1, b"a long message");
    assert_eq!(serve(&mut session), 1);
    assert_eq!(reply_of(&mut session, first), reply_to(b"a long message"));
    let again = ask(&mut session, 1, b"a long message");
    assert_eq!(serve(&mut session), 0);
    let error = error_of(&mut session, again);
    assert_eq!((error.kind(), error.fate()), (ErrorKind::Repeated, Some(Fate::Delivered)));
    let fits = ask(&mut session, 2, b"123456");
    assert_eq!(serve(&mut session), 1);
    assert_eq!(reply_of(&mut session, fits), reply_to(b"123456"));
    let full = ask(&mut session, 3, b"");
    assert_eq!(serve(&mut session), 0);
    assert_eq!(error_of(&mut session, full).kind(), ErrorKind::Overloaded);
}

#[test]
fn answers_that_nobody_waits_for_are_few_and_the_request_waits_for_its_place() {
    let mut session = Session::new(4096, 1 << 20, ms(60_000));
    let first = ask(&mut session, 1, &noise(50_000));
    assert_eq!(serve(&mut session), 1);
    reply_of(&mut session, first);
    let again: Vec<_> = (0..40).map(|_| ask(&mut session, 1, b"again")).collect();
    let ping = session.ping(ms(10_000)).unwrap();
    // The client writes and does not read.
    for _ in 0..100 {
        let (now, only_write) = (session.clock.now, Directions { read: false, write: true });
        session.client().step(now, only_write).unwrap();
        assert!(session.step_server().is_empty());
    }
    session.server().check();
    let queued = session.server().link_mut().outbox().queued_bytes();
    assert!(queued > 0 && queued < 120_000, "{queued} bytes wait");
    assert!(session.server_link().unwrap().has_events(), "some wait for their places");
    // Nothing of that is lost, and no step is asked for without end.
    session.settle(echo);
    session.outcome(ping).unwrap().unwrap();
    for call in again {
        assert_eq!(reply_of(&mut session, call), reply_to(&noise(50_000)));
    }
    assert!(session.client().is_idle() && session.server().is_idle());
}

#[test]
fn the_key_of_a_notification_means_nothing_and_streams_have_none() {
    let mut session = session();
    let quiet = Options { quiet: true, key: Some([1; 16]), ..Options::default() };
    for _ in 0..2 {
        session.call_with(quiet, b"news", ms(1000)).unwrap();
    }
    assert_eq!(serve(&mut session), 2);
    for (window, upload) in [(Some(1000), false), (None, true)] {
        let options = Options { quiet: false, key: Some([2; 16]), window, upload };
        let call = session.call_with(options, b"stream", ms(1000)).unwrap();
        assert_eq!(serve(&mut session), 0);
        let error = error_of(&mut session, call);
        assert_eq!((error.kind(), error.fate()), (ErrorKind::Unsupported, Some(Fate::NotSent)));
    }
}

#[test]
fn a_close_waits_for_what_somebody_may_ask_for_again_and_a_goodbye_does_not() {
    let mut session = session();
    ask(&mut session, 1, b"pay");
    let asked = take(&mut session).pop().unwrap();
    session.kill_client();
    session.settle(echo);
    session.start_client();
    let call = session.call(b"hello", ms(1000)).unwrap();
    session.settle(echo);
    session.outcome(call).unwrap().unwrap();
    session.client().begin_close();
    session.settle(echo);
    assert!(session.client().has_drained(), "nothing is owed to this client");
    session.kill_client();
    session.server().begin_close();
    session.settle(echo);
    assert!(!session.server().has_drained());
    session.server().reply(asked.caller, b"paid".to_vec()).unwrap();
    session.settle(echo);
    assert!(session.server().has_drained());
}
