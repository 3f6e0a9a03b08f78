//! Closing on purpose: drained, with a goodbye, or cut off.

use super::session::*;
use super::*;
use crate::core::errand::{Answer, Cancelling, Ending, Errand, Replying};
use crate::core::link::Directions;
use crate::core::script::{Client, Server};
use crate::error::{ErrorKind, Fate};

/// Begins to close the client, with this much time.
fn close_client(session: &mut Session, within: Duration) -> Ending {
    let mut ending = Ending::new(Deadline::after(session.clock.now, within));
    Errand::<Client>::begin(&mut ending, session.client()).unwrap();
    ending
}

fn close_server(session: &mut Session, within: Duration) -> Ending {
    let mut ending = Ending::new(Deadline::after(session.clock.now, within));
    Errand::<Server>::begin(&mut ending, session.server()).unwrap();
    ending
}

/// Whether the client is closed, and if it is, whether all was drained.
fn client_ended(session: &mut Session, ending: &mut Ending) -> Option<bool> {
    let now = session.clock.now;
    ending.look(session.client(), now).map(Result::unwrap)
}

fn server_ended(session: &mut Session, ending: &mut Ending) -> Option<bool> {
    let now = session.clock.now;
    ending.look(session.server(), now).map(Result::unwrap)
}

fn acquainted() -> Session {
    let mut session = session();
    let first = session.call(b"first", ms(1000)).unwrap();
    session.settle(echo);
    session.outcome(first).unwrap().unwrap();
    session
}

#[test]
fn a_client_that_closes_has_its_answers_first_and_tells_the_server_goodbye() {
    let mut session = acquainted();
    let call = session.call(&noise(50_000), ms(10_000)).unwrap();
    let mut ending = close_client(&mut session, ms(2000));
    let refused = session.call(b"too late", ms(1000)).unwrap_err();
    assert_eq!((refused.kind(), refused.fate()), (ErrorKind::Closed, Some(Fate::NotSent)));
    assert_eq!(client_ended(&mut session, &mut ending), None);
    session.settle(echo);
    assert_eq!(session.outcome(call).unwrap().unwrap(), reply_to(&noise(50_000)));
    session.settle(echo);
    assert_eq!(client_ended(&mut session, &mut ending), Some(true));
    let link = session.client_link().unwrap();
    assert!(link.reader().is_none() && link.writer().is_none());
    assert_eq!(session.server_link().unwrap().stats().farewells, 1);
    // The next client is served by the same server.
    session.start_client();
    let call = session.call(b"next", ms(1000)).unwrap();
    session.run(ms(300), echo);
    assert_eq!(session.outcome(call).unwrap().unwrap(), reply_to(b"next"));
}

#[test]
fn a_client_that_was_never_heard_closes_at_once() {
    let mut session = session();
    let mut ending = close_client(&mut session, ms(2000));
    assert_eq!(client_ended(&mut session, &mut ending), Some(true));
}

#[test]
fn a_close_that_cannot_drain_is_cut_off_at_its_deadline_and_says_so() {
    let mut session = acquainted();
    let taken = session.call(b"never answered", ms(60_000)).unwrap();
    let mut asked = Vec::new();
    session.settle(|_, request| asked.push(request));
    let stuck = session.call(&noise(500_000), ms(60_000)).unwrap();
    session.step_client();
    let mut ending = close_client(&mut session, ms(300));
    session.step_client();
    session.clock.advance(ms(299));
    assert_eq!(client_ended(&mut session, &mut ending), None);
    session.clock.advance(ms(1));
    assert_eq!(client_ended(&mut session, &mut ending), Some(false));
    for (call, fate) in [(taken, Fate::MaybeDelivered), (stuck, Fate::NotSent)] {
        let error = session.outcome(call).expect("it has ended").unwrap_err();
        assert_eq!((error.kind(), error.fate()), (ErrorKind::Closed, Some(fate)));
    }
    session.step_client();
    assert!(session.client_link().unwrap().writer().is_none(), "and nothing is opened again");
}

#[test]
fn a_server_that_closes_answers_what_it_has_and_declines_the_rest() {
    let mut session = acquainted();
    let taken = session.call(b"taken", ms(10_000)).unwrap();
    session.step_client();
    let asked = session.step_server();
    let declined = session.call(b"declined", ms(10_000)).unwrap();
    session.step_client();
    let now = session.clock.now;
    session.server().step(now, Directions::BOTH).unwrap();
    let mut ending = close_server(&mut session, ms(2000));
    let unread = session.call(b"not read any more", ms(10_000)).unwrap();
    for _ in 0..3 {
        session.server().step(now, Directions::BOTH).unwrap();
    }
    assert_eq!(server_ended(&mut session, &mut ending), None);
    session.server().reply_with(&asked[0], b"answered");
    for _ in 0..3 {
        session.server().step(now, Directions::BOTH).unwrap();
    }
    assert_eq!(server_ended(&mut session, &mut ending), Some(true));
    let only_write = Directions { read: false, write: true };
    session.client().step(now, only_write).unwrap();
    session.kill_server();
    session.settle(echo);
    assert_eq!(session.outcome(taken).unwrap().unwrap(), b"answered");
    let error = session.outcome(declined).expect("declined").unwrap_err();
    assert_eq!((error.kind(), error.fate()), (ErrorKind::PeerClosed, Some(Fate::NotSent)));
    // What nobody read waits for the next server, or is known not to have been taken.
    match session.outcome(unread) {
        None => {
            session.start_server();
            session.run(ms(300), echo);
            let reply = session.outcome(unread).expect("it is answered").unwrap();
            assert_eq!(reply, reply_to(b"not read any more"));
        }
        Some(outcome) => assert_eq!(outcome.unwrap_err().fate(), Some(Fate::NotSent)),
    }
}

#[test]
fn a_goodbye_tells_an_end_from_a_death() {
    for polite in [true, false] {
        let mut session = acquainted();
        if polite {
            let mut ending = close_server(&mut session, ms(2000));
            let now = session.clock.now;
            for _ in 0..3 {
                session.server().step(now, Directions::BOTH).unwrap();
            }
            assert_eq!(server_ended(&mut session, &mut ending), Some(true));
        }
        // A request that the server, on its way out, does not read.
        let call = session.call(b"a", ms(10_000)).unwrap();
        let now = session.clock.now;
        let keeper = session.requests.pipe().reader(&session.requests);
        let only_write = Directions { read: false, write: true };
        session.client().step(now, only_write).unwrap();
        session.kill_server();
        session.settle(echo);
        drop(keeper);
        let error = session.outcome(call).expect("it has ended").unwrap_err();
        let fate = if polite { Fate::NotSent } else { Fate::MaybeDelivered };
        assert_eq!((error.kind(), error.fate()), (ErrorKind::PeerClosed, Some(fate)));
    }
}

#[test]
fn a_goodbye_is_answered_although_work_that_nobody_wants_goes_on() {
    for another in [true, false] {
        let mut session = acquainted();
        let slow = session.call(b"slow", ms(60_000)).unwrap();
        let mut asked = Vec::new();
        session.settle(|_, one| asked.push(one));
        if another {
            session.kill_client();
            session.settle(echo);
            session.start_client();
        } else {
            let mut cancelling = Cancelling::new(slow.id, Deadline::NEVER);
            cancelling.begin(session.client()).unwrap();
            session.settle(echo);
            session.outcome(slow).unwrap().unwrap_err();
        }
        let call = session.call(b"mine", ms(1000)).unwrap();
        session.run(ms(200), echo);
        session.outcome(call).unwrap().unwrap();
        let mut ending = close_client(&mut session, ms(3000));
        session.run(ms(200), echo);
        assert_eq!(client_ended(&mut session, &mut ending), Some(true), "{another}");
    }
}

#[test]
fn a_reply_that_was_given_up_is_no_request_that_nobody_took() {
    let mut session = acquainted();
    let call = session.call(b"a", ms(60_000)).unwrap();
    let mut asked = Vec::new();
    session.settle(|_, one| asked.push(one));
    session.replies.pipe().script_writes([0; 8]);
    let by = Deadline::after(session.clock.now, ms(100));
    let mut replying = Replying::new(asked[0].caller, Answer::Reply(noise(10)), by);
    replying.begin(session.server()).unwrap();
    session.step_server();
    session.clock.advance(ms(100));
    let now = session.clock.now;
    let error = replying.look(session.server(), now).unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::WriteStalled);
    Errand::<Server>::leave(&mut replying, session.server());
    session.replies.pipe().forget_script();
    session.settle(echo);
    let error = session.outcome(call).expect("it is told").unwrap_err();
    assert_eq!((error.kind(), error.fate()), (ErrorKind::Remote, Some(Fate::Delivered)));
}

#[test]
fn a_call_that_the_next_server_may_take_is_not_called_unsent_after_a_goodbye() {
    let mut session = session();
    let first = session.call(b"first", ms(10_000)).unwrap();
    session.step_client();
    for asked in session.step_server() {
        echo(session.server(), asked);
    }
    close_server(&mut session, ms(2000));
    let now = session.clock.now;
    for _ in 0..3 {
        session.server().step(now, Directions::BOTH).unwrap();
    }
    // The client has not heard of its server yet, and speaks to whoever reads.
    let second = session.call(b"second", ms(10_000)).unwrap();
    session.client().step(now, Directions { read: false, write: true }).unwrap();
    session.start_server();
    (0..3).for_each(|_| session.step_client());
    assert_eq!(session.outcome(first).unwrap().unwrap(), reply_to(b"first"));
    let error = session.outcome(second).unwrap().unwrap_err();
    assert_eq!((error.kind(), error.fate()), (ErrorKind::PeerClosed, Some(Fate::MaybeDelivered)));
    assert_eq!(session.step_server().len(), 1, "the next server takes it");
}

#[test]
fn a_goodbye_behind_a_torn_answer_says_nothing_of_its_request() {
    for torn in [false, true] {
        let mut session = acquainted();
        let call = session.call(b"taken", ms(10_000)).unwrap();
        session.step_client();
        let asked = session.step_server();
        session.server().reply_with(&asked[0], &noise(100));
        close_server(&mut session, ms(2000));
        for _ in 0..4 {
            let now = session.clock.now;
            session.server().step(now, Directions::BOTH).unwrap();
        }
        if torn {
            session.replies.pipe().flip(60, 1);
        }
        session.kill_server();
        session.settle(echo);
        match session.outcome(call).expect("its server has left") {
            Ok(reply) => assert!(!torn && reply == noise(100)),
            Err(error) => {
                assert!(torn, "{error}");
                let fate = Some(Fate::MaybeDelivered);
                assert_eq!((error.kind(), error.fate()), (ErrorKind::PeerClosed, fate));
            }
        }
    }
}
