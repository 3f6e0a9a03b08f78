//! Limits: what is beyond them is refused at once, and control is behind none of them.

use super::session::*;
use super::*;
use crate::core::calls::Asks;
use crate::core::client::{Caller, ClientLimits, Manners};
use crate::core::inbox::Limits;
use crate::core::link::{Directions, Link};
use crate::core::reconnect::Reconnect;
use crate::core::script::Call;
use crate::core::session::Session as _;
use crate::core::wire::{Flags, Head, Header, Kind, Load, Options, begin, seal};
use crate::error::{ErrorKind, Fate};
use crate::probe::Probe;

/// A server that has room for so many requests, and so many bytes.
fn crowded(requests: usize, bytes: usize) -> Session {
    let mut session = Session::new(1 << 20, bytes, ms(1000));
    session.limit_server(Limits { bytes, requests, parks: false });
    session
}

fn probe(session: &mut Session) -> Probe {
    let now = session.clock.now;
    session.client().probe(now)
}

/// Both sides move what there is to move; the server takes no request.
fn move_bytes(session: &mut Session) {
    let now = session.clock.now;
    for _ in 0..10 {
        session.client().step(now, Directions::BOTH).unwrap();
        session.server().step(now, Directions::BOTH).unwrap();
    }
    session.client().step(now, Directions::BOTH).unwrap();
}

fn refused(session: &mut Session, call: Call) -> bool {
    session.outcome(call).is_some_and(|outcome| {
        let error = outcome.unwrap_err();
        assert_eq!((error.kind(), error.fate()), (ErrorKind::Overloaded, Some(Fate::NotSent)));
        true
    })
}

#[test]
fn requests_beyond_the_queue_are_refused_at_once_and_pings_are_answered() {
    let mut session = crowded(3, 1 << 20);
    let calls: Vec<_> = (0..60_u16)
        .map(|number| session.call(&number.to_le_bytes(), ms(10_000)).unwrap())
        .collect();
    let ping = session.ping(ms(100)).unwrap();
    move_bytes(&mut session);
    for call in &calls[3..] {
        assert!(refused(&mut session, *call));
    }
    let pong = session.outcome(ping).unwrap().unwrap();
    assert_eq!(Load::from_bytes(&pong), Some(Load { waiting: 3, ..Load::default() }));
    session.settle(echo);
    for (number, call) in calls[..3].iter().enumerate() {
        let message = (number as u16).to_le_bytes();
        assert_eq!(session.outcome(*call).unwrap().unwrap(), reply_to(&message));
    }
    assert_eq!(session.server_link().unwrap().stats().overloaded, 57);
}

#[test]
fn a_long_request_is_refused_by_its_first_part_and_its_rest_passes() {
    let mut session = crowded(1000, 100_000);
    let waits = session.call(&noise(60_000), ms(10_000)).unwrap();
    let too_much = session.call(&noise(60_000), ms(10_000)).unwrap();
    let fits = session.call(&noise(20_000), ms(10_000)).unwrap();
    move_bytes(&mut session);
    assert!(refused(&mut session, too_much));
    session.settle(echo);
    assert_eq!(session.outcome(waits).unwrap().unwrap(), reply_to(&noise(60_000)));
    assert_eq!(session.outcome(fits).unwrap().unwrap(), reply_to(&noise(20_000)));
    assert_eq!(session.server_link().unwrap().stats().torn, 0);
    // What is alone fits, however much it is.
    let largest = session.call(&noise(100_000), ms(10_000)).unwrap();
    session.settle(|server, asked| server.reply_with(&asked, b"ok"));
    assert_eq!(session.outcome(largest).unwrap().unwrap(), b"ok");
}

#[test]
fn a_short_request_in_the_memory_of_a_long_one_takes_no_place_of_others() {
    let mut session = crowded(1000, 200_000);
    let long = session.call(&noise(190_000), ms(10_000)).unwrap();
    session.settle(|server, asked| {
        server.reply_with(&asked, b"ok");
        server.link_mut().recycle(asked.into_body());
    });
    session.outcome(long).unwrap().unwrap();
    let calls = [(); 3].map(|()| session.call(&noise(20_000), ms(10_000)).unwrap());
    move_bytes(&mut session);
    session.settle(echo);
    for call in calls {
        assert_eq!(session.outcome(call).unwrap().unwrap(), reply_to(&noise(20_000)));
    }
}

#[test]
fn a_request_that_comes_too_late_takes_no_place_in_the_queue() {
    let mut session = crowded(2, 1 << 20);
    let late = [(); 2].map(|()| session.call(b"late", ms(100)).unwrap());
    session.client().abandon_silently();
    session.step_client();
    session.clock.advance(ms(100));
    for call in late {
        assert!(session.outcome(call).unwrap().is_err());
    }
    // Nobody takes a request; those that nobody waits for make room all the same.
    move_bytes(&mut session);
    let calls = [(); 2].map(|()| session.call(b"in time", ms(1000)).unwrap());
    move_bytes(&mut session);
    session.settle(echo);
    for call in calls {
        assert_eq!(session.outcome(call).unwrap().unwrap(), reply_to(b"in time"));
    }
    assert_eq!(session.server_link().unwrap().stats().expired, 2);
}

#[test]
fn bytes_that_wait_to_be_written_are_limited_and_the_next_call_goes_on_when_they_are_gone() {
    let place = Place::with_pipe(4096);
    let replies = Place::with_pipe(4096);
    let _reader = place.pipe().reader(&place);
    let link = Link::new(
        replies.reader(),
        place.writer(),
        Limits::of(1 << 20),
        crate::core::wire::epoch_from(3),
    );
    let limits = ClientLimits { calls: 100, queued_bytes: 10_000, stall: ms(1000) };
    let reconnect = Reconnect::OnNextCall;
    let manners = Manners { cancel_abandoned: true, reconnect, max_retries: 0 };
    let (mut client, clock) = (Caller::new(link, limits, manners), Clock::new());
    let begin = |client: &mut Caller<_, _>, bytes: usize| {
        let mut body = client.request_body(&Options::default());
        body.extend(noise(bytes));
        Head::new(None, clock.ns(), Options::default()).write(&mut body);
        client.call(body, Asks::of(&Options::default()), None)
    };
    begin(&mut client, 9000).unwrap();
    begin(&mut client, 9000).unwrap();
    assert_eq!(begin(&mut client, 1).unwrap_err().kind(), ErrorKind::Overloaded);
    let waits = client.reserve();
    assert!(!client.holds_place(waits));
    client.call(Vec::new(), Asks::for_a_pong(), None).unwrap();
    for _ in 0..5 {
        client.step(clock.now, Directions::BOTH).unwrap();
        place.pipe().take(usize::MAX);
    }
    assert!(client.holds_place(waits), "there is room for it");
    assert!(client.wakeups().contains(&waits));
    begin(&mut client, 1).unwrap();
}

#[test]
fn what_a_probe_says_is_known_without_the_other_side() {
    let mut session = Session::new(4096, 1 << 20, ms(60_000));
    let idle = probe(&mut session);
    assert_eq!((idle.queued, idle.stalled_for, idle.in_flight), (0, None, 0));
    session.call(&noise(10_000), ms(60_000)).unwrap();
    session.call(&noise(1000), ms(60_000)).unwrap();
    session.step_client();
    session.clock.advance(ms(700));
    let stuck = probe(&mut session);
    assert!(stuck.connected);
    assert_eq!((stuck.queued, stuck.in_flight), (2, 2));
    assert_eq!(stuck.stalled_for, Some(ms(700)));
    assert_eq!(stuck.queued_bytes, 11_000 + 2 * Head::LEN);
    session.settle(echo);
    let idle = probe(&mut session);
    assert_eq!((idle.queued, idle.queued_bytes, idle.stalled_for), (0, 0, None));
}

#[test]
fn the_memory_of_an_answer_that_nobody_wants_is_not_kept_beyond_the_limit() {
    let mut session = Session::new(65_536, 3000, ms(1000));
    session.call(b"gone", ms(1000)).unwrap();
    session.step_client();
    let asked = session.step_server();
    session.kill_client();
    session.step_server();
    session.server().reply(asked[0].caller, vec![0; 200_000]).unwrap_err();
    let (inbox, _) = session.server_link().unwrap().held();
    assert!(inbox < 80_000, "{inbox}");
}

#[test]
fn what_a_dead_client_has_begun_takes_no_room_from_the_next() {
    let mut session = crowded(100, 200_000);
    session.call(&noise(200_000), ms(1000)).unwrap();
    session.requests.pipe().script_writes([9000, 0]);
    session.step_client();
    session.step_server();
    session.kill_client();
    session.requests.pipe().forget_script();
    session.run(ms(500), echo);
    session.start_client();
    for _ in 0..3 {
        let calls = [(); 5].map(|()| session.call(b"short", ms(1000)).unwrap());
        session.settle(echo);
        for call in calls {
            assert_eq!(session.outcome(call).unwrap().unwrap(), reply_to(b"short"));
        }
    }
}

#[test]
fn refusals_reach_a_peer_that_writes_no_more_and_reads() {
    let mut session = crowded(1, 200_000);
    session.kill_client();
    let pipe = session.requests.pipe();
    let writer = pipe.writer(&session.requests);
    let _reader = session.replies.pipe().reader(&session.replies);
    let body = [&[0xFF; 8][..], &[0; 10], b"hi"].concat();
    for id in 1..=300 {
        let header = Header { kind: Kind::Request, flags: Flags::default(), epoch: 77, to: 0, id };
        let mut unit = Vec::new();
        let start = begin(&mut unit, header);
        unit.extend_from_slice(&body);
        seal(&mut unit, start);
        pipe.put(&unit);
    }
    drop(writer);
    session.run(ms(500), echo);
    assert_eq!(kinds_in(&session.replies.pipe().take(usize::MAX)).len(), 300);
}
