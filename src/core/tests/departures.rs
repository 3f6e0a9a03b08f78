//! A peer leaves, comes back as another life, or is still spoken to as the old one.

use super::session::*;
use super::*;
use crate::core::link::Directions;
use crate::core::retry::STANDING_CHECK;
use crate::error::{ErrorKind, Fate};

/// A session of which both sides know each other's life.
fn acquainted() -> Session {
    let mut session = session();
    let call = session.call(b"hello", ms(1000)).unwrap();
    session.settle(echo);
    session.outcome(call).unwrap().unwrap();
    session
}

/// The reply to a call that is made now.
fn call_anew(session: &mut Session) -> Vec<u8> {
    let call = session.call(b"anew", ms(1000)).unwrap();
    session.run(ms(900), echo);
    session.outcome(call).expect("the call gets no answer").unwrap()
}

#[test]
fn a_departure_ends_written_calls_as_maybe_delivered_and_keeps_unsent_ones() {
    let mut session = acquainted();
    let written = session.call(b"written", ms(10_000)).unwrap();
    session.step_client();
    session.kill_server();
    session.step_client();
    let error = session.outcome(written).unwrap().unwrap_err();
    assert_eq!((error.kind(), error.fate()), (ErrorKind::PeerClosed, Some(Fate::MaybeDelivered)));
    let unsent = session.call(b"unsent", ms(10_000)).unwrap();
    session.run(ms(100), echo);
    assert!(session.outcome(unsent).is_none());
    session.start_server();
    session.run(ms(100), echo);
    assert_eq!(session.outcome(unsent).unwrap().unwrap(), reply_to(b"unsent"));
}

#[test]
fn a_departure_within_a_request_is_not_sent_and_those_behind_it_go_on() {
    let mut session = acquainted();
    session.requests.pipe().script_writes([1000, 0]);
    let cut = session.call(&noise(50_000), ms(10_000)).unwrap();
    let behind = session.call(b"behind", ms(10_000)).unwrap();
    session.step_client();
    session.kill_server();
    session.step_client();
    let error = session.outcome(cut).unwrap().unwrap_err();
    assert_eq!((error.kind(), error.fate()), (ErrorKind::PeerClosed, Some(Fate::NotSent)));
    session.start_server();
    session.run(ms(100), echo);
    assert_eq!(session.outcome(behind).unwrap().unwrap(), reply_to(b"behind"));
}

#[test]
fn a_reply_that_was_written_before_the_server_left_is_believed() {
    let mut session = acquainted();
    let call = session.call(b"last words", ms(10_000)).unwrap();
    session.step_client();
    for asked in session.step_server() {
        echo(session.server(), asked);
    }
    session.step_server();
    session.kill_server();
    session.settle(echo);
    assert_eq!(session.outcome(call).unwrap().unwrap(), reply_to(b"last words"));
}

#[test]
fn replies_that_were_written_before_the_server_left_are_believed_one_by_one() {
    // Below a frame, so that each reply fills what may be held of them.
    let mut session = Session::new(65_536, 1000, ms(1000));
    let calls = [(); 5].map(|()| session.call(b"last words", ms(10_000)).unwrap());
    session.step_client();
    for _ in 0..2 * calls.len() {
        for asked in session.step_server() {
            echo(session.server(), asked);
        }
    }
    session.kill_server();
    // This one meets a pipe without a reader while most replies are still to be heard.
    let unsent = session.call(b"unsent", ms(10_000)).unwrap();
    session.settle(echo);
    for call in calls {
        assert_eq!(session.outcome(call).unwrap().unwrap(), reply_to(b"last words"));
    }
    assert!(session.outcome(unsent).is_none(), "it is for the next server");
}

#[test]
fn a_call_without_a_server_names_what_it_waits_for() {
    let mut session = acquainted();
    session.kill_server();
    session.settle(echo);
    let call = session.call(b"nobody", ms(100)).unwrap();
    session.run(ms(100), echo);
    let error = session.outcome(call).unwrap().unwrap_err();
    assert_eq!((error.kind(), error.fate()), (ErrorKind::NoReader, Some(Fate::NotSent)));
}

#[test]
fn a_server_that_restarts_while_nobody_looks_is_found() {
    let mut session = acquainted();
    // Between two steps of the client the old server goes and the new one comes: no write of the
    // client ever meets a pipe without a reader.
    session.kill_server();
    session.start_server();
    assert_eq!(call_anew(&mut session), reply_to(b"anew"));
}

#[test]
fn a_server_that_restarts_with_calls_in_flight_ends_them_soon() {
    let mut session = acquainted();
    let call = session.call(b"in flight", ms(10_000)).unwrap();
    session.step_client();
    session.step_server();
    session.kill_server();
    session.start_server();
    session.run(ms(1000), echo);
    let error = session.outcome(call).expect("its server is gone").unwrap_err();
    assert_eq!((error.kind(), error.fate()), (ErrorKind::PeerClosed, Some(Fate::MaybeDelivered)));
    assert_eq!(call_anew(&mut session), reply_to(b"anew"));
}

#[test]
fn a_request_that_was_cut_when_the_server_restarted_is_not_finished_for_the_new_one() {
    let long = noise(150_000);
    for cut in [1_usize, 10, 40, 1000, 65_535, 65_536, 65_537, 150_000] {
        let mut session = Session::new(1 << 20, 1 << 20, ms(1000));
        let call = session.call(b"hello", ms(1000)).unwrap();
        session.settle(echo);
        session.outcome(call).unwrap().unwrap();
        session.requests.pipe().script_writes([cut.min(65_536), cut.saturating_sub(65_536), 0]);
        let cut_off = session.call(&long, ms(10_000)).unwrap();
        let behind = session.call(b"behind", ms(10_000)).unwrap();
        session.step_client();
        session.kill_server();
        session.start_server();
        session.run(ms(100), |server, asked| {
            assert_eq!(asked.message(), b"behind", "cut after {cut} bytes");
            echo(server, asked);
        });
        let error = session.outcome(cut_off).unwrap().unwrap_err();
        assert_eq!((error.kind(), error.fate()), (ErrorKind::PeerClosed, Some(Fate::NotSent)));
        assert_eq!(session.outcome(behind).unwrap().unwrap(), reply_to(b"behind"));
    }
}

#[test]
fn a_request_to_an_earlier_life_of_the_server_is_dropped() {
    let mut session = acquainted();
    // The client writes to the life it knows; a new one reads it.
    let call = session.call(b"for the old one", ms(1000)).unwrap();
    session.step_client();
    let writer = session.requests.pipe().writer(&session.requests);
    let reader = session.requests.pipe().reader(&session.requests);
    session.kill_server();
    session.start_server();
    let asked = session.step_server();
    assert!(asked.is_empty(), "{asked:?}");
    assert_eq!(session.server().link().stats().late, 1);
    drop((reader, writer));
    session.run(ms(1000), echo);
    assert!(session.outcome(call).unwrap().is_err());
}

#[test]
fn a_reply_to_an_earlier_life_of_the_client_is_dropped() {
    let mut session = acquainted();
    session.call(b"from the old one", ms(10_000)).unwrap();
    let mut asked = Vec::new();
    session.settle(|_, request| asked.push(request));
    let reader = session.replies.pipe().reader(&session.replies);
    session.kill_client();
    session.start_client();
    // The new life numbers its calls as the old one did.
    let first = session.call(b"first", ms(10_000)).unwrap();
    let second = session.call(b"second", ms(10_000)).unwrap();
    asked.into_iter().for_each(|request| echo(session.server(), request));
    drop(reader);
    session.run(ms(1000), echo);
    assert_eq!(session.outcome(first).unwrap().unwrap(), reply_to(b"first"));
    assert_eq!(session.outcome(second).unwrap().unwrap(), reply_to(b"second"));
    assert_eq!(session.client().link().stats().late, 1);
}

#[test]
fn a_client_that_comes_back_as_another_life_is_answered() {
    let mut session = acquainted();
    for _ in 0..3 {
        session.kill_client();
        session.start_client();
        assert_eq!(call_anew(&mut session), reply_to(b"anew"));
    }
}

#[test]
fn both_sides_may_restart_any_number_of_times() {
    let mut session = acquainted();
    for round in 0..12 {
        if round % 2 == 0 {
            session.kill_server();
        }
        if round % 3 == 0 {
            session.kill_client();
            session.start_client();
        }
        if !session.has_server() {
            session.start_server();
        }
        assert_eq!(call_anew(&mut session), reply_to(b"anew"), "round {round}");
    }
}

#[test]
fn a_pair_that_was_replaced_is_left_for_the_new_one() {
    let mut session = acquainted();
    session.requests.make(4096);
    session.replies.make(4096);
    session.clock.advance(STANDING_CHECK);
    session.settle(echo);
    assert_eq!(call_anew(&mut session), reply_to(b"anew"));
}

#[test]
fn a_server_that_restarts_while_its_replies_are_replaced_is_found() {
    let mut session = acquainted();
    // Its departure shows on a FIFO that the client has left by then.
    session.replies.make(4096);
    session.clock.advance(STANDING_CHECK);
    session.step_client();
    session.kill_server();
    session.start_server();
    assert_eq!(call_anew(&mut session), reply_to(b"anew"));
}

#[test]
fn a_reply_whose_client_left_is_lost_and_the_next_client_is_served() {
    let mut session = acquainted();
    session.call(b"who leaves", ms(10_000)).unwrap();
    let mut asked = Vec::new();
    session.settle(|_, request| asked.push(request));
    let caller = asked[0].caller;
    let ticket = session.server().reply(caller, noise(1000)).unwrap();
    session.replies.pipe().script_writes([10, 0]);
    session.step_server();
    session.kill_client();
    session.settle(|_, _| {});
    let now = session.clock.now;
    let outcome = session.server().outcome(ticket, now, Deadline::NEVER);
    let error = outcome.unwrap().unwrap_err();
    assert_eq!((error.kind(), error.fate()), (ErrorKind::PeerClosed, Some(Fate::NotSent)));
    session.start_client();
    assert_eq!(call_anew(&mut session), reply_to(b"anew"));
}

#[test]
fn the_last_words_of_a_server_are_read_before_its_departure_ends_calls() {
    let mut session = session();
    let answered = session.call(b"a", ms(10_000)).unwrap();
    session.step_client();
    for asked in session.step_server() {
        echo(session.server(), asked);
    }
    session.step_server();
    session.kill_server();
    // Another thread's request meets the departure first; it only writes.
    let unsent = session.call(b"b", ms(10_000)).unwrap();
    let now = session.clock.now;
    session.client().step(now, Directions { read: false, write: true }).unwrap();
    assert!(session.outcome(unsent).is_none());
    session.step_client();
    assert_eq!(session.outcome(answered).unwrap().unwrap(), reply_to(b"a"));
    session.start_server();
    session.run(ms(100), echo);
    assert_eq!(session.outcome(unsent).unwrap().unwrap(), reply_to(b"b"));
    assert_eq!(session.client_link().unwrap().stats().late, 0);
}

#[test]
fn a_departure_is_told_even_if_the_step_that_saw_it_fails() {
    let mut session = acquainted();
    let written = session.call(b"two", ms(10_000)).unwrap();
    session.settle(|_, _| {});
    session.kill_server();
    session.call(b"three", ms(10_000)).unwrap();
    session.requests.fail(ErrorKind::Untrusted);
    for _ in 0..3 {
        let now = session.clock.now;
        let _ = session.client().step(now, Directions::BOTH);
    }
    assert_eq!(session.outcome(written).unwrap().unwrap_err().kind(), ErrorKind::PeerClosed);
}

#[test]
fn a_reply_that_was_cut_is_lost_even_if_the_step_that_saw_it_fails() {
    let mut session = session();
    session.call(b"one", ms(10_000)).unwrap();
    session.call(b"two", ms(10_000)).unwrap();
    let mut asked = Vec::new();
    session.settle(|_, request| asked.push(request));
    let cut = session.server().reply(asked[0].caller, noise(20_000)).unwrap();
    session.server().reply(asked[1].caller, noise(1000)).unwrap();
    session.replies.pipe().script_writes([10, 0]);
    session.step_server();
    session.kill_client();
    session.replies.fail(ErrorKind::NotAFifo);
    let now = session.clock.now;
    for _ in 0..3 {
        let _ = session.server().step(now, Directions::BOTH);
    }
    let error = session.server().outcome(cut, now, Deadline::NEVER).unwrap().unwrap_err();
    assert_eq!((error.kind(), error.fate()), (ErrorKind::PeerClosed, Some(Fate::NotSent)));
}

#[test]
fn a_server_that_is_heard_ends_the_calls_of_the_one_before() {
    let mut session = acquainted();
    let only_write = Directions { read: false, write: true };
    let held = session.call(b"held", ms(60_000)).unwrap();
    session.step_client();
    assert_eq!(session.step_server().len(), 1);
    let answered = session.call(b"answered", ms(1000)).unwrap();
    let now = session.clock.now;
    session.client().step(now, only_write).unwrap();
    for asked in session.step_server() {
        echo(session.server(), asked);
    }
    session.step_server();
    let late = session.call(b"for the one before", ms(60_000)).unwrap();
    session.client().step(now, only_write).unwrap();
    session.kill_server();
    session.start_server();
    // To decline what is not for it, the next server opens the replies, where the last words of the
    // one before still lie: the client never sees a FIFO that nobody writes to.
    session.run(ms(100), echo);
    assert!(session.outcome(answered).unwrap().is_ok());
    for (call, fate) in [(held, Fate::MaybeDelivered), (late, Fate::NotSent)] {
        let error = session.outcome(call).expect("it has ended").unwrap_err();
        assert_eq!((error.kind(), error.fate()), (ErrorKind::PeerClosed, Some(fate)));
    }
    assert_eq!(call_anew(&mut session), reply_to(b"anew"));
}

#[test]
fn a_client_that_missed_a_change_of_servers_finds_the_next_after_one_deadline() {
    let mut session = session();
    let answered = session.call(b"answered", ms(10_000)).unwrap();
    session.step_client();
    for asked in session.step_server() {
        echo(session.server(), asked);
    }
    session.step_server();
    // The client has not heard of the server yet, so this is for whoever reads: the next one.
    session.call(b"held", ms(60_000)).unwrap();
    let now = session.clock.now;
    let only_write = Directions { read: false, write: true };
    session.client().step(now, only_write).unwrap();
    session.kill_server();
    session.start_server();
    // With the request the next server opens the replies, where the last words of the one before
    // still lie: the client learns of a server that is gone, and never sees a FIFO without one.
    assert_eq!(session.step_server().len(), 1);
    let pings = [(); 2].map(|()| {
        let ping = session.ping(ms(500)).unwrap();
        session.run(ms(600), echo);
        session.outcome(ping).unwrap().is_ok()
    });
    assert!(session.outcome(answered).unwrap().is_ok());
    assert_eq!(pings, [false, true]);
    assert_eq!(call_anew(&mut session), reply_to(b"anew"));
}

#[test]
fn a_client_that_comes_at_once_is_not_taken_for_the_one_that_has_left() {
    let mut session = acquainted();
    session.call(b"of the one before", ms(60_000)).unwrap();
    session.step_client();
    let asked = session.step_server();
    session.call(b"its last words", ms(60_000)).unwrap();
    session.step_client();
    session.kill_client();
    // The server finds nobody who reads, and before it has read all of the last words there is
    // somebody.
    echo(session.server(), asked.into_iter().next().unwrap());
    session.step_server();
    session.start_client();
    let call = session.call(b"of the next", ms(60_000)).unwrap();
    session.ping(ms(60_000)).unwrap();
    session.step_client();
    let mut asked = Vec::new();
    session.settle(|_, request| asked.push(request));
    assert_eq!((asked.len(), session.in_flight()), (1, 2));
    assert!(!session.server().is_settled(asked[0].caller));
    echo(session.server(), asked.pop().unwrap());
    session.settle(echo);
    assert_eq!(session.outcome(call).unwrap().unwrap(), reply_to(b"of the next"));
}
