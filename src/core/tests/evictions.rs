//! A client that does not read is given up, and nothing else is harmed.

use super::session::*;
use super::*;
use crate::core::inbox::Limits;
use crate::core::link::Directions;
use crate::core::script::Call;
use crate::core::server::Asked;
use crate::error::{ErrorKind, Fate};

/// A client that has asked for much and does not read, and what its server has in hand.
fn stuck(requests: usize) -> (Session, Vec<Asked>) {
    let mut session = Session::new(4096, 1 << 20, ms(1000));
    let first = session.call(b"first", ms(1000)).unwrap();
    session.settle(echo);
    session.outcome(first).unwrap().unwrap();
    for _ in 0..requests {
        session.call(b"much", ms(60_000)).unwrap();
    }
    session.step_client();
    let asked = session.step_server();
    assert_eq!(asked.len(), requests);
    (session, asked)
}

/// A client that was given up before it had heard a word of its server, and its call.
fn given_up_unheard() -> (Session, Call) {
    let mut session = Session::new(4096, 1 << 20, ms(1000));
    let call = session.call(b"much", ms(60_000)).unwrap();
    session.step_client();
    for asked in session.step_server() {
        let ticket = session.server().reply(asked.caller, noise(10_000)).unwrap();
        session.server().forget(ticket, asked.caller);
    }
    serve_alone(&mut session, ms(1050));
    assert_eq!(session.server_link().unwrap().stats().evicted, 1);
    (session, call)
}

/// The call of a client that was given up has ended, and the next one is served.
fn assert_back_after(session: &mut Session, call: Call) {
    let ended = session.outcome(call).expect("it has ended").unwrap_err();
    assert_eq!((ended.kind(), ended.fate()), (ErrorKind::PeerClosed, Some(Fate::MaybeDelivered)));
    let call = session.call(b"anew", ms(1000)).unwrap();
    session.run(ms(200), echo);
    assert_eq!(session.outcome(call).unwrap().unwrap(), reply_to(b"anew"));
}

/// The server alone goes on for so long.
fn serve_alone(session: &mut Session, time: Duration) {
    let end = session.clock.now + time;
    while session.clock.now < end {
        session.step_server();
        session.clock.advance(ms(10));
    }
    session.step_server();
}

#[test]
fn a_client_that_does_not_read_for_too_long_is_given_up_with_all_its_replies() {
    let (mut session, asked) = stuck(20);
    let server = session.server();
    let tickets: Vec<_> =
        asked[..19].iter().map(|one| server.reply(one.caller, noise(4000)).unwrap()).collect();
    let in_hand = asked[19].caller;
    serve_alone(&mut session, ms(980));
    assert_eq!(session.server_link().unwrap().stats().evicted, 0);
    serve_alone(&mut session, ms(40));
    let now = session.clock.now;
    for ticket in &tickets[1..] {
        let outcome = session.server().outcome(*ticket, now, Deadline::NEVER);
        let error = outcome.expect("it is told at once").unwrap_err();
        assert_eq!((error.kind(), error.fate()), (ErrorKind::WriteStalled, Some(Fate::NotSent)));
    }
    // Whoever still works learns of it, and has its answer refused at once.
    assert!(session.server().is_settled(in_hand));
    let refused = session.server().reply(in_hand, noise(10)).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::WriteStalled);
    let link = session.server_link().unwrap();
    assert_eq!((link.stats().evicted, link.held().1 < 20_000), (1, true));
    assert!(link.writer().is_none(), "its end is closed, which is how the client learns of it");
}

#[test]
fn an_evicted_client_that_wakes_up_has_its_calls_ended_and_is_served_as_another_life() {
    let (mut session, asked) = stuck(3);
    for one in &asked {
        let ticket = session.server().reply(one.caller, noise(4000)).unwrap();
        session.server().forget(ticket, one.caller);
    }
    let ask_more = session.call(b"of the life before", ms(60_000)).unwrap();
    serve_alone(&mut session, ms(1050));
    assert_eq!(session.server_link().unwrap().stats().evicted, 1);
    session.run(ms(200), echo);
    let ended = session.outcome(ask_more).expect("it has ended").unwrap_err();
    assert_eq!(ended.kind(), ErrorKind::PeerClosed);
    let call = session.call(b"anew", ms(1000)).unwrap();
    session.run(ms(200), echo);
    assert_eq!(session.outcome(call).unwrap().unwrap(), reply_to(b"anew"));
}

#[test]
fn requests_of_an_evicted_life_are_not_handed_out() {
    let (mut session, asked) = stuck(2);
    let ticket = session.server().reply(asked[0].caller, noise(10_000)).unwrap();
    session.server().forget(ticket, asked[0].caller);
    serve_alone(&mut session, ms(1050));
    session.call(b"not heard", ms(60_000)).unwrap();
    let only_write = crate::core::link::Directions { read: false, write: true };
    let now = session.clock.now;
    session.client().step(now, only_write).unwrap();
    assert!(session.step_server().is_empty());
    assert!(session.server_link().unwrap().stats().late > 0);
}

#[test]
fn a_client_that_reads_slowly_is_not_given_up() {
    let (mut session, asked) = stuck(20);
    for one in &asked {
        let ticket = session.server().reply(one.caller, noise(4000)).unwrap();
        session.server().forget(ticket, one.caller);
    }
    for _ in 0..20 {
        serve_alone(&mut session, ms(800));
        session.replies.pipe().take(4096);
    }
    assert_eq!(session.server_link().unwrap().stats().evicted, 0);
}

#[test]
fn a_request_for_an_earlier_life_of_the_server_is_declined_by_the_next() {
    let mut session = Session::new(65_536, 1 << 20, ms(1000));
    let first = session.call(b"first", ms(1000)).unwrap();
    session.settle(echo);
    session.outcome(first).unwrap().unwrap();
    // Written to the server that is known, and not read before the next one has come.
    let (short, long) = (b"short".to_vec(), noise(30_000));
    let calls = [short, long].map(|message| session.call(&message, ms(60_000)).unwrap());
    let only_write = crate::core::link::Directions { read: false, write: true };
    let now = session.clock.now;
    session.client().step(now, only_write).unwrap();
    // Its replies are held open by another, as by a process that inherited them.
    let held = session.replies.pipe().writer(&session.replies);
    session.start_server();
    session.settle(|_, asked| panic!("{asked:?} is for the one before"));
    drop(held);
    for call in calls {
        let error = session.outcome(call).expect("it is told at once").unwrap_err();
        assert_eq!((error.kind(), error.fate()), (ErrorKind::PeerClosed, Some(Fate::NotSent)));
    }
}

#[test]
fn what_came_behind_requests_of_an_evicted_life_is_heard_at_once() {
    let mut session = Session::new(4096, 1 << 20, ms(1000));
    session.limit_server(Limits { bytes: 1 << 20, requests: 1, parks: true });
    session.call(b"much", ms(60_000)).unwrap();
    session.step_client();
    let asked = session.step_server();
    let ticket = session.server().reply(asked[0].caller, noise(10_000)).unwrap();
    session.server().forget(ticket, asked[0].caller);
    for _ in 0..3 {
        session.call(b"parked", ms(60_000)).unwrap();
    }
    session.step_client();
    let now = session.clock.now;
    session.server().step(now, Directions::BOTH).unwrap();
    // One of them waits to be taken and the others for their place: nothing is read meanwhile.
    for after in [0, 1000] {
        session.clock.advance(ms(after));
        let now = session.clock.now;
        let wait = session.server().step(now, Directions::BOTH).unwrap();
        assert_eq!((wait.readable, wait.until.passed(now)), (false, after > 0));
    }
    assert_eq!(session.server_link().unwrap().stats().evicted, 1);
    assert!(session.step_server().is_empty());
    assert_eq!(session.server_link().unwrap().stats().late, 2);
}

#[test]
fn a_client_that_was_given_up_before_it_had_heard_of_its_server_notices_all_the_same() {
    let (mut session, call) = given_up_unheard();
    session.run(ms(200), echo);
    assert_back_after(&mut session, call);
}

#[test]
fn requests_of_an_earlier_life_do_not_hide_an_eviction() {
    let mut session = Session::new(4096, 1 << 20, ms(1000));
    session.call(b"taken", ms(60_000)).unwrap();
    session.step_client();
    session.step_server();
    session.call(b"of the life before", ms(60_000)).unwrap();
    session.step_client();
    session.client().poison();
    session.ping(ms(60_000)).unwrap();
    session.step_client();
    session.replies.pipe().put(&[0; 4096]);
    for after in [0, 0, 1000] {
        session.clock.advance(ms(after));
        let now = session.clock.now;
        session.server().step(now, Directions::BOTH).unwrap();
    }
    assert_eq!(session.server_link().unwrap().stats().evicted, 1);
    assert!(session.step_server().is_empty(), "nobody waits for these");
    assert!(session.server_link().unwrap().writer().is_none());
}

#[test]
fn a_client_whose_replies_are_replaced_leaves_the_life_that_was_given_up_in_them() {
    let (mut session, call) = given_up_unheard();
    session.replies.make(4096);
    session.run(ms(200), echo);
    assert_back_after(&mut session, call);
}
