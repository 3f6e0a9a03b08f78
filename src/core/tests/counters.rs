//! What endpoints count: each counter moves by what it names, and by nothing else.

use super::session::*;
use super::*;
use crate::core::errand::{Answer, Errand, Replying};
use crate::core::link::Directions;
use crate::core::script::{Call, Server};
use crate::core::server::Asked;
use crate::core::session::Session as _;
use crate::core::wire::{FailureCode, Head, Options};
use crate::pipe::Refusal;
use crate::stats::LinkStats;

/// What both sides have counted: the client, and the server.
fn stats(session: &mut Session) -> (LinkStats, LinkStats) {
    (session.client().stats(), session.server().stats())
}

/// Answers a request as the front ends do, now.
fn answer(session: &mut Session, asked: &Asked, answer: Answer) {
    let now = session.clock.now;
    let mut replying = Replying::new(asked.caller, answer, Deadline::NEVER);
    replying.begin(session.server()).unwrap();
    session.server().step(now, Directions::BOTH).unwrap();
    replying.look(session.server(), now).expect("there is room").unwrap();
    Errand::<Server>::leave(&mut replying, session.server());
}

/// A call that its server has in hand.
fn taken(session: &mut Session, message: &[u8]) -> (Call, Asked) {
    let call = session.call(message, ms(10_000)).unwrap();
    session.step_client();
    let mut asked = session.step_server();
    assert_eq!(asked.len(), 1);
    (call, asked.remove(0))
}

#[test]
fn messages_and_their_bytes_are_counted_on_both_sides_and_control_is_none() {
    let mut session = session();
    let calls = [3, 200_000].map(|size| session.call(&noise(size), ms(1000)).unwrap());
    let ping = session.ping(ms(1000)).unwrap();
    session.settle(echo);
    for call in calls {
        session.outcome(call).unwrap().unwrap();
    }
    session.outcome(ping).unwrap().unwrap();
    let (client, server) = stats(&mut session);
    let (asked, replied) = (200_003, 200_003 + 2 * b"re: ".len() as u64);
    assert_eq!((client.sent, client.sent_bytes), (2, asked));
    assert_eq!((server.received, server.received_bytes), (2, asked));
    assert_eq!((server.sent, server.sent_bytes), (2, replied));
    assert_eq!((client.received, client.received_bytes), (2, replied));
    assert_eq!((client.events, server.events), (3, 3), "with the ping and its pong");
}

#[test]
fn a_request_that_was_cut_is_not_sent_and_one_that_was_written_is() {
    let mut session = Session::new(1 << 20, 1 << 20, ms(60_000));
    let cut = session.call(&noise(200_000), ms(100)).unwrap();
    session.requests.pipe().script_writes([1000, 0]);
    session.step_client();
    session.clock.advance(ms(100));
    session.outcome(cut).unwrap().unwrap_err();
    session.settle(echo);
    let (client, server) = stats(&mut session);
    assert_eq!((client.sent, client.sent_bytes, server.received), (0, 0, 0));
    let whole = session.call(b"whole", ms(100)).unwrap();
    session.settle(echo);
    session.outcome(whole).unwrap().unwrap();
    let (client, server) = stats(&mut session);
    assert_eq!((client.sent, client.sent_bytes, server.received), (1, 5, 1));
}

#[test]
fn what_is_queued_waits_or_is_in_hand_is_so_by_now() {
    let mut session = session();
    let call = session.call(b"abc", ms(1000)).unwrap();
    let queued = session.client().stats();
    assert_eq!((queued.queued, queued.queued_bytes), (1, Head::LEN + 3));
    assert_eq!((queued.in_flight, queued.sent), (1, 0));
    session.step_client();
    let written = session.client().stats();
    assert_eq!((written.queued, written.queued_bytes), (0, 0));
    assert_eq!((written.in_flight, written.sent), (1, 1));

    let now = session.clock.now;
    session.server().step(now, Directions::BOTH).unwrap();
    let waits = session.server().stats();
    assert_eq!((waits.waiting, waits.taken, waits.in_flight), (1, 0, 0));
    let ns = session.clock.ns();
    let asked = session.server().next_request(now, ns).unwrap().unwrap();
    let in_hand = session.server().stats();
    assert_eq!((in_hand.waiting, in_hand.taken, in_hand.in_flight), (0, 1, 1));
    answer(&mut session, &asked, Answer::Reply(noise(7)));
    session.settle(echo);
    session.outcome(call).unwrap().unwrap();
    let (client, server) = stats(&mut session);
    assert_eq!((client.in_flight, server.in_flight, server.taken), (0, 0, 1));
}

#[test]
fn a_round_trip_lasts_from_the_queueing_to_the_reply_and_service_from_hand_to_hand() {
    let mut session = session();
    let call = session.call(b"timed", ms(1000)).unwrap();
    session.clock.advance(ms(1));
    session.step_client();
    session.clock.advance(ms(2));
    let asked = session.step_server().remove(0);
    session.clock.advance(ms(4));
    answer(&mut session, &asked, Answer::Reply(noise(7)));
    session.clock.advance(ms(8));
    session.step_client();
    // How late its caller looks is not the connection's doing.
    session.clock.advance(ms(16));
    session.outcome(call).unwrap().unwrap();
    let (client, server) = stats(&mut session);
    assert_eq!((client.times.count(), client.times.last()), (1, Some(ms(15))));
    assert_eq!((server.times.count(), server.times.last()), (1, Some(ms(4))));
}

#[test]
fn a_call_that_failed_at_the_server_is_timed_and_a_ping_or_a_call_without_an_answer_is_not() {
    let mut session = session();
    let ping = session.ping(ms(1000)).unwrap();
    let (expires, asked) = taken(&mut session, b"expires");
    session.settle(echo);
    session.outcome(ping).unwrap().unwrap();
    session.clock.advance(ms(10_000));
    session.outcome(expires).unwrap().unwrap_err();
    session.settle(echo);
    let words = "nobody waits for it".to_owned();
    session.server().fail(asked.caller, FailureCode::Handler, words).unwrap_err();
    let (client, server) = stats(&mut session);
    assert_eq!((client.times.count(), server.times.count()), (0, 0));

    let (fails, asked) = taken(&mut session, b"fails");
    let failure = Answer::Failure(FailureCode::Handler, "no".to_owned());
    answer(&mut session, &asked, failure);
    session.settle(echo);
    session.outcome(fails).unwrap().unwrap_err();
    let (client, server) = stats(&mut session);
    assert_eq!((client.times.count(), server.times.count()), (1, 1));
}

#[test]
fn notifications_and_items_are_messages_and_are_not_timed() {
    let mut session = session();
    let quiet = Options { quiet: true, ..Options::default() };
    let told = session.call_with(quiet, b"told", ms(1000)).unwrap();
    let many = Options { window: Some(1000), ..Options::default() };
    let asks = session.call_with(many, b"many", ms(1000)).unwrap();
    session.step_client();
    for asked in session.step_server() {
        let server = session.server();
        if asked.message() == b"many" {
            let item = server.send_item(asked.caller, noise(10)).unwrap();
            server.leave_item(asked.caller, item);
            let item = server.send_item(asked.caller, noise(10)).unwrap();
            session.settle(echo);
            session.server().leave_item(asked.caller, item);
        }
        echo(session.server(), asked);
    }
    session.settle(echo);
    session.outcome(told).unwrap().unwrap();
    session.outcome(asks).unwrap().unwrap();
    let (client, server) = stats(&mut session);
    assert_eq!((client.sent, client.sent_bytes, server.taken), (2, 8, 2));
    let replied = 10 + reply_to(b"many").len() as u64;
    assert_eq!((client.received, client.received_bytes), (2, replied), "an item and a reply");
    assert_eq!((server.sent, server.sent_bytes), (2, replied), "one item was taken back");
    assert_eq!((client.times.count(), server.times.count()), (0, 0));
}

#[test]
fn calls_without_an_answer_in_time_are_expired_at_the_client_and_late_when_it_comes() {
    let mut session = session();
    session.client().abandon_silently();
    let call = session.call(b"slow", ms(100)).unwrap();
    session.step_client();
    let asked = session.step_server();
    session.clock.advance(ms(100));
    session.outcome(call).unwrap().unwrap_err();
    assert_eq!(session.client().stats().expired, 1);
    asked.into_iter().for_each(|request| echo(session.server(), request));
    session.settle(echo);
    let (client, server) = stats(&mut session);
    assert_eq!((client.expired, client.late, client.received), (1, 1, 1));
    assert_eq!((server.expired, server.sent), (0, 1));
}

#[test]
fn an_answer_that_nobody_wants_is_unanswered_and_its_client_lost() {
    let mut session = session();
    let (_, asked) = taken(&mut session, b"who asks");
    session.kill_client();
    session.settle(echo);
    session.server().reply(asked.caller, noise(10)).unwrap_err();
    let server = session.server().stats();
    assert_eq!((server.unanswered, server.peers_lost, server.sent), (1, 1, 0));
}

#[test]
fn ends_that_are_opened_again_are_counted_and_so_are_attempts_that_are_refused() {
    let mut session = session();
    let call = session.call(b"first", ms(1000)).unwrap();
    session.settle(echo);
    session.outcome(call).unwrap().unwrap();
    let (client, server) = stats(&mut session);
    assert_eq!((client.reopened, client.open_refusals), (0, 0));
    assert_eq!((server.reopened, server.open_refusals), (0, 0));

    session.kill_server();
    session.settle(echo);
    session.start_server();
    session.requests.refuse([Refusal::NoReader, Refusal::Busy]);
    let call = session.call(b"anew", ms(1000)).unwrap();
    session.run(ms(100), echo);
    session.outcome(call).unwrap().unwrap();
    let (client, server) = stats(&mut session);
    assert_eq!((client.open_refusals, server.open_refusals), (2, 0));
    // The requests opened once more; the replies renewed when their writer had left.
    assert_eq!((client.reopened, client.replaced, server.reopened), (2, 0, 0));
}

#[test]
fn an_end_whose_path_names_another_fifo_is_replaced_and_opened_again() {
    let mut session = session();
    let call = session.call(b"first", ms(1000)).unwrap();
    session.settle(echo);
    session.outcome(call).unwrap().unwrap();
    session.requests.make(65_536);
    session.run(ms(200), echo);
    let (client, server) = stats(&mut session);
    assert_eq!((client.replaced, server.replaced), (1, 1));
    assert_eq!(server.reopened, 1);
}

#[test]
fn garbage_torn_frames_and_strangers_are_told_apart() {
    let mut session = session();
    let mut frame = framed(Native::default(), epoch(), ALONE, &[b"one way"]);
    let pipe = session.requests.pipe();
    // What holds and is no request; the beginning of another; what is no frame at all.
    pipe.put(&frame);
    frame.truncate(20);
    pipe.put(&frame);
    pipe.put(b"no frame");
    let call = session.call(b"request", ms(1000)).unwrap();
    session.settle(echo);
    session.outcome(call).unwrap().unwrap();
    let server = session.server().stats();
    assert_eq!((server.unknown, server.torn, server.received), (1, 1, 1));
    assert!(server.skipped_bytes >= 28, "{server:?}");
}

#[test]
fn a_sender_says_what_it_has_not_written_and_how_it_came_to_its_end() {
    let place = Place::with_pipe(4096);
    let mut sending = Sending::new(place.clone(), Native::default(), ALONE, ms(1000));
    let receiving = Receiving::new(place.clone(), Native::default(), 100, EndOfWriters::Wait);
    place.refuse([Refusal::NotFound, Refusal::Busy]);
    let deadline = sending.deadline(ms(1000));
    for _ in 0..2 {
        assert!(matches!(sending.send(b"first", deadline), Ok(Step::Wait(_))));
        let waits = sending.outgoing.stats();
        assert!(waits.queued_bytes > 5 && waits.messages == 1, "{waits:?}");
    }
    assert!(matches!(sending.send(b"first", deadline), Ok(Step::Done(()))));
    let stats = sending.outgoing.stats();
    assert_eq!((stats.queued_bytes, stats.reopened, stats.open_refusals), (0, 0, 2));
    assert_eq!((stats.messages, stats.bytes), (1, 5));

    drop(receiving);
    assert!(matches!(sending.send(b"again", deadline), Ok(Step::Wait(_))));
    let _next = Receiving::new(place, Native::default(), 100, EndOfWriters::Wait);
    assert!(matches!(sending.send(b"again", deadline), Ok(Step::Done(()))));
    let stats = sending.outgoing.stats();
    assert_eq!((stats.reopened, stats.reconnects, stats.open_refusals), (1, 1, 3));
}

#[test]
fn a_receiver_counts_how_often_its_end_is_opened_again_and_refused() {
    let mut receiving = Receiving::native();
    for (round, frame) in [b"one", b"two"].into_iter().enumerate() {
        let writer = receiving.place.pipe().writer(&receiving.place);
        let bytes = framed(Native::default(), epoch(), ALONE, &[frame]);
        receiving.place.pipe().put(&bytes);
        drop(writer);
        assert_eq!(receiving.all(), [frame]);
        let stats = receiving.incoming.stats();
        assert_eq!((stats.renewals, stats.reopened), (round as u64 + 1, round as u64 + 1));
    }
    receiving.place.make(4096);
    receiving.place.refuse([Refusal::Busy]);
    for _ in 0..2 {
        receiving.clock.advance(ms(100));
        assert!(receiving.all().is_empty());
    }
    let stats = receiving.incoming.stats();
    assert_eq!((stats.renewals, stats.replaced, stats.reopened), (2, 1, 3));
    assert_eq!(stats.open_refusals, 1);
    assert_eq!((stats.messages, stats.bytes), (2, 6));
}
