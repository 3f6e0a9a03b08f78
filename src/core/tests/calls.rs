//! Calls over one session: each ends by itself and harms no other.

use super::session::*;
use super::*;
use crate::core::link::Directions;
use crate::core::wire::{FailureCode, Flags, Header, Kind, Load, Scan, Scanner, begin, seal};
use crate::error::{ErrorKind, Fate, Phase};

#[test]
fn every_reply_finds_its_call_in_any_order() {
    let mut session = session();
    let calls: Vec<_> = (0..10_u8).map(|at| session.call(&[at], ms(1000)).unwrap()).collect();
    let mut asked = Vec::new();
    session.settle(|_, request| asked.push(request));
    for request in asked.into_iter().rev() {
        echo(session.server(), request);
    }
    session.settle(echo);
    for (at, call) in calls.into_iter().enumerate() {
        assert_eq!(session.outcome(call).unwrap().unwrap(), reply_to(&[at as u8]));
    }
    assert_eq!(session.client().in_flight(), 0);
}

#[test]
fn a_mebibyte_both_ways_passes_a_4_kib_pipe_at_once() {
    let mut session = Session::new(4096, 1 << 21, ms(1000));
    let message = noise(1 << 20);
    // The second request is written while the first reply is: neither side may wait for one way.
    let calls = [0, 1, 2].map(|_| session.call(&message, ms(30_000)).unwrap());
    session.settle(echo);
    for call in calls {
        assert_eq!(session.outcome(call).unwrap().unwrap(), reply_to(&message));
    }
    assert!(session.requests.pipe().written().iter().all(|size| *size <= 4096));
}

#[test]
fn any_size_passes_a_pipe_of_a_few_bytes() {
    let mut session = Session::new(7, 1 << 20, ms(1000));
    for size in [0, 1, 100, 10_000] {
        let call = session.call(&noise(size), ms(30_000)).unwrap();
        session.settle(echo);
        assert_eq!(session.outcome(call).unwrap().unwrap(), reply_to(&noise(size)));
    }
}

#[test]
fn a_call_that_times_out_midway_through_its_request_harms_no_other() {
    let long = noise(200_000);
    // Up to here, frame by frame: within the first part, behind it, within the last.
    for accepted in [&[1000, 0][..], &[65_536, 0], &[65_536, 65_536, 65_536, 9, 0]] {
        let mut session = Session::new(1 << 20, 1 << 20, ms(60_000));
        let before = session.call(b"before", ms(10_000)).unwrap();
        let given_up = session.call(&long, ms(100)).unwrap();
        let after = session.call(b"after", ms(10_000)).unwrap();
        let mut handed_out = Vec::new();
        let pipe = session.requests.pipe();
        pipe.script_writes([100].iter().chain(accepted).copied());
        session.step_client();
        session.clock.advance(ms(100));
        let error = session.outcome(given_up).unwrap().unwrap_err();
        assert_eq!((error.kind(), error.fate()), (ErrorKind::WriteStalled, Some(Fate::NotSent)));
        session.settle(|server, asked| {
            handed_out.push(asked.message().to_vec());
            echo(server, asked);
        });
        assert_eq!(session.outcome(before).unwrap().unwrap(), reply_to(b"before"));
        assert_eq!(session.outcome(after).unwrap().unwrap(), reply_to(b"after"));
        assert_eq!(handed_out, [b"before".to_vec(), b"after".to_vec()]);
        assert!(!session.server().link().is_assembling(), "its parts are freed by a cancel");
    }
}

#[test]
fn a_reply_for_a_call_that_ended_is_late_and_dropped() {
    let mut session = session();
    session.client().abandon_silently();
    let expired = session.call(b"expired", ms(100)).unwrap();
    let waiting = session.call(b"waiting", ms(10_000)).unwrap();
    let mut asked = Vec::new();
    session.settle(|_, request| asked.push(request));
    session.clock.advance(ms(100));
    let error = session.outcome(expired).unwrap().unwrap_err();
    assert_eq!((error.kind(), error.phase()), (ErrorKind::NoWriter, Phase::Reply));
    assert_eq!(error.fate(), Some(Fate::MaybeDelivered));
    asked.into_iter().for_each(|request| echo(session.server(), request));
    session.settle(echo);
    assert_eq!(session.outcome(waiting).unwrap().unwrap(), reply_to(b"waiting"));
    assert_eq!(session.client().link().stats().late, 1);
    assert!(session.outcome(expired).is_some(), "it has ended; nothing of it is left");
}

#[test]
fn late_replies_that_fill_the_memory_make_room_for_the_one_awaited() {
    // Two replies in one write, and a limit that holds one of them.
    let mut session = Session::new(65_536, 1000, ms(1000));
    let late = session.call(&noise(900), ms(100)).unwrap();
    let waiting = session.call(&noise(900), ms(10_000)).unwrap();
    let mut asked = Vec::new();
    session.settle(|_, request| asked.push(request));
    session.clock.advance(ms(100));
    session.outcome(late).unwrap().unwrap_err();
    session.settle(|_, request| asked.push(request));
    asked.into_iter().for_each(|request| echo(session.server(), request));
    session.settle(echo);
    assert_eq!(session.outcome(waiting).unwrap().unwrap(), reply_to(&noise(900)));
}

#[test]
fn a_request_that_expired_on_the_way_is_not_handed_out() {
    let mut session = session();
    session.client().abandon_silently();
    let expired = session.call(b"expired", ms(100)).unwrap();
    session.step_client();
    session.clock.advance(ms(100));
    assert!(session.outcome(expired).unwrap().is_err());
    session.settle(|_, asked| panic!("nobody waits for {asked:?}"));
    assert_eq!(session.server().link().stats().expired, 1);
}

#[test]
fn expired_requests_that_fill_the_memory_make_room_for_the_one_awaited() {
    let mut session = Session::new(65_536, 1000, ms(1000));
    for _ in 0..3 {
        session.call(&noise(900), ms(100)).unwrap();
    }
    let waiting = session.call(&noise(900), ms(10_000)).unwrap();
    session.step_client();
    session.clock.advance(ms(100));
    session.settle(echo);
    assert_eq!(session.outcome(waiting).unwrap().unwrap(), reply_to(&noise(900)));
    assert_eq!(session.server().link().stats().expired, 3);
}

#[test]
fn a_server_that_takes_its_time_with_the_first_request_is_known_to_be_there() {
    let mut session = session();
    let call = session.call(b"slow", ms(100)).unwrap();
    session.settle(|_, _| {});
    session.clock.advance(ms(100));
    session.step_client();
    let error = session.outcome(call).unwrap().unwrap_err();
    assert_eq!((error.kind(), error.phase()), (ErrorKind::TimedOut, Phase::Reply));
}

#[test]
fn what_is_left_of_a_calls_time_travels_with_it() {
    let mut session = session();
    session.call(b"message", ms(1000)).unwrap();
    session.step_client();
    session.clock.advance(ms(400));
    let expected = Deadline::after(session.clock.now, ms(600));
    let mut deadlines = Vec::new();
    session.settle(|_, asked| deadlines.push(asked.deadline));
    assert_eq!(deadlines, [expected]);
}

#[test]
fn a_request_over_the_servers_limit_fails_for_that_call_only() {
    let mut session = Session::new(65_536, 100_000, ms(1000));
    for size in [100_001, 200_000] {
        let large = session.call(&noise(size), ms(10_000)).unwrap();
        let fits = session.call(&noise(100_000), ms(10_000)).unwrap();
        session.settle(|server, asked| server.reply_with(&asked, b"ok"));
        let error = session.outcome(large).unwrap().unwrap_err();
        assert_eq!((error.kind(), error.phase()), (ErrorKind::TooLarge, Phase::Reply));
        assert_eq!(session.outcome(fits).unwrap().unwrap(), b"ok");
    }
    assert_eq!(session.server().link().stats().too_large, 2);
}

#[test]
fn a_reply_over_the_clients_limit_fails_its_call_only() {
    let mut session = Session::new(65_536, 100_000, ms(1000));
    let large = session.call(b"large", ms(10_000)).unwrap();
    let fits = session.call(b"fits", ms(10_000)).unwrap();
    session.settle(|server, asked| {
        let size = if asked.message() == b"large" { 100_001 } else { 100_000 };
        server.reply_with(&asked, &noise(size));
    });
    assert_eq!(session.outcome(large).unwrap().unwrap_err().kind(), ErrorKind::TooLarge);
    assert_eq!(session.outcome(fits).unwrap().unwrap(), noise(100_000));
}

#[test]
fn a_ping_is_answered_while_requests_wait() {
    let mut session = session();
    for _ in 0..20 {
        session.call(&noise(1000), ms(10_000)).unwrap();
    }
    let ping = session.ping(ms(100)).unwrap();
    // Nobody takes the requests.
    session.settle(|_, _| {});
    let pong = session.outcome(ping).unwrap().unwrap();
    let load = Load { waiting: 20, ..Load::default() };
    assert_eq!(Load::from_bytes(&pong), Some(load));
}

#[test]
fn an_idle_server_answers_a_ping_at_once() {
    let mut session = session();
    let ping = session.ping(ms(100)).unwrap();
    // Without the clock moving.
    session.settle(echo);
    let pong = session.outcome(ping).unwrap().unwrap();
    assert_eq!(Load::from_bytes(&pong), Some(Load::default()));
}

#[test]
fn memory_that_is_kept_for_long_messages_gives_way_to_requests_that_wait() {
    let mut session = Session::new(65_536, 1 << 20, ms(1000));
    let long = session.call(&noise(1_000_000), ms(10_000)).unwrap();
    session.settle(|server, asked| {
        server.reply_with(&asked, b"ok");
        server.link_mut().recycle(asked.into_body());
    });
    session.outcome(long).unwrap().unwrap();
    session.call(b"waits for the handler", ms(10_000)).unwrap();
    let ping = session.ping(ms(100)).unwrap();
    session.step_client();
    // The handler is busy: the server moves bytes and takes nothing.
    let now = session.clock.now;
    for _ in 0..2 {
        session.server().step(now, Directions::BOTH).unwrap();
    }
    session.step_client();
    assert!(session.outcome(ping).unwrap().is_ok());
}

#[test]
fn a_cancelled_request_that_nobody_took_is_dropped_and_the_cancel_acknowledged() {
    let mut session = Session::new(65_536, 1 << 20, ms(1000));
    let pipe = session.requests.pipe();
    let _writer = pipe.writer(&session.requests);
    let mut unit = Vec::new();
    for (kind, id) in [(Kind::Request, 1), (Kind::Request, 2), (Kind::Cancel, 1)] {
        let header = Header { kind, flags: Flags::default(), epoch: 55, to: 0, id };
        let start = begin(&mut unit, header);
        if kind == Kind::Request {
            unit.extend([0xFF; 8]);
            unit.extend([0; 10]);
        }
        seal(&mut unit, start);
    }
    pipe.put(&unit);
    session.kill_client();
    let (place, mut asked) = (session.replies.clone(), Vec::new());
    let _reader = place.pipe().reader(&place);
    session.settle(|_, request| asked.push(request));
    assert_eq!(asked.len(), 1, "the second one only");
    assert_eq!(kinds_in(&place.pipe().take(1000)), [Kind::Cancelled]);
}

#[test]
fn a_cancel_says_of_a_request_in_hand_that_it_is_however_often_it_comes() {
    let mut session = Session::new(65_536, 1 << 20, ms(1000));
    let pipe = session.requests.pipe();
    let _writer = pipe.writer(&session.requests);
    session.kill_client();
    let place = session.replies.clone();
    let _reader = place.pipe().reader(&place);
    let frame = |kind, epoch, body: &[u8]| {
        let mut unit = Vec::new();
        let start = begin(&mut unit, Header { kind, flags: Flags::default(), epoch, to: 0, id: 1 });
        unit.extend_from_slice(body);
        seal(&mut unit, start);
        unit
    };
    pipe.put(&frame(Kind::Request, 0, &[0xFF; 18]));
    pipe.put(&frame(Kind::Request, 55, &[&[0xFF; 8][..], &[0; 10]].concat()));
    let mut asked = Vec::new();
    session.settle(|_, request| asked.push(request));
    assert_eq!(asked.len(), 1, "nobody is epoch zero");
    assert_eq!(session.server().link().stats().unknown, 1);
    for _ in 0..2 {
        pipe.put(&frame(Kind::Cancel, 55, b""));
        session.settle(|_, _| panic!("nothing is asked"));
        let mut said = place.pipe().take(1000);
        let Scan::Frame { header, payload, .. } = Scanner::default().scan(&mut said) else {
            panic!("{said:?}")
        };
        assert_eq!((header.kind, &said[payload]), (Kind::Cancelled, &[2][..]));
    }
}

#[test]
fn calls_beyond_the_limit_are_refused_at_once() {
    let mut session = session();
    let calls: Vec<_> = (0..64).map(|_| session.call(b"", ms(1000)).unwrap()).collect();
    let error = session.call(b"", ms(1000)).unwrap_err();
    assert_eq!((error.kind(), error.fate()), (ErrorKind::Overloaded, Some(Fate::NotSent)));
    session.settle(echo);
    session.outcome(calls[0]).unwrap().unwrap();
    assert!(session.call(b"", ms(1000)).is_ok());
}

#[test]
fn a_server_that_does_not_read_stalls_the_calls_that_are_not_written() {
    let mut session = Session::new(4096, 1 << 20, ms(200));
    let written = session.call(b"written", ms(60_000)).unwrap();
    session.step_client();
    let stuck = session.call(&noise(10_000), ms(60_000)).unwrap();
    let queued = session.call(b"queued", ms(60_000)).unwrap();
    session.step_client();
    session.clock.advance(ms(199));
    session.step_client();
    assert!([written, stuck, queued].iter().all(|call| session.outcome(*call).is_none()));
    session.clock.advance(ms(1));
    session.step_client();
    let error = session.outcome(stuck).unwrap().unwrap_err();
    assert_eq!((error.kind(), error.fate()), (ErrorKind::WriteStalled, Some(Fate::NotSent)));
    assert_eq!(session.outcome(queued).unwrap().unwrap_err().kind(), ErrorKind::WriteStalled);
    assert!(session.outcome(written).is_none(), "it waits for its reply, not for room");
    session.settle(echo);
    assert_eq!(session.outcome(written).unwrap().unwrap(), reply_to(b"written"));
}

#[test]
fn a_client_wakes_when_a_stall_has_lasted_too_long() {
    let mut session = Session::new(4096, 1 << 20, ms(200));
    session.kill_server();
    let _reader = session.requests.pipe().reader(&session.requests);
    let stuck = session.call(&noise(10_000), ms(60_000)).unwrap();
    session.run(ms(200), echo);
    assert_eq!(session.outcome(stuck).unwrap().unwrap_err().kind(), ErrorKind::WriteStalled);
}

#[test]
fn a_stall_is_not_counted_while_nobody_waits() {
    let mut session = Session::new(4096, 1 << 20, ms(1000));
    session.call(&noise(4000), ms(100_000)).unwrap();
    session.step_client();
    let given_up = session.call(&noise(3000), ms(100)).unwrap();
    session.step_client();
    session.clock.advance(ms(100));
    let error = session.outcome(given_up).unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::WriteStalled);
    session.clock.advance(ms(5000));
    let anew = session.call(&noise(3000), ms(60_000)).unwrap();
    session.step_client();
    assert!(session.outcome(anew).is_none(), "it has waited for no time at all");
    session.clock.advance(ms(1000));
    session.step_client();
    let error = session.outcome(anew).unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::WriteStalled);
}

#[test]
fn a_failures_words_are_not_held_to_the_message_limit() {
    let mut session = Session::new(65_536, 16, ms(1000));
    let call = session.call(b"short", ms(1000)).unwrap();
    session.settle(|server, asked| {
        let words = "words that are longer than any message may be".to_owned();
        let ticket = server.fail(asked.caller, FailureCode::Handler, words).unwrap();
        server.forget(ticket, asked.caller);
    });
    let error = session.outcome(call).unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Remote);
    assert_eq!(error.detail(), Some("words that are longer than any message may be"));
}
