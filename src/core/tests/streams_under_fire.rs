//! Streams where something goes wrong: peers that do not keep to what was agreed, items that are
//! lost, and waiters that must be woken all the same.

use super::session::*;
use super::*;
use crate::core::errand::{Answer, Errand, NextPart, Replying, SendPart, SendReply};
use crate::core::event::{Event, Verb};
use crate::core::hands::Caller;
use crate::core::link::Directions;
use crate::core::script::{Call, Client};
use crate::core::session::Session as _;
use crate::core::streams::item_of;
use crate::core::wire::{self, Flags, Header, Kind, Options};
use crate::error::{ErrorKind, Fate, Result};

const UPLOAD: Options = Options { quiet: false, key: None, window: None, upload: true };

fn replies(window: u32) -> Options {
    Options { window: Some(window), ..Options::default() }
}

fn begin(session: &mut Session, options: Options) -> (Call, Caller) {
    let call = session.call_with(options, b"stream", ms(10_000)).unwrap();
    let mut asked = Vec::new();
    session.settle(|_, it| asked.push(it));
    (call, asked[0].caller)
}

/// Takes one part, if it is here.
fn take(session: &mut Session, caller: Caller, window: usize) -> Option<Result<Option<Vec<u8>>>> {
    let mut part = NextPart::new(caller, window, Deadline::NEVER);
    part.begin(session.server()).unwrap();
    session.settle(|_, _| ());
    let now = session.clock.now;
    let looked = part.look(session.server(), now);
    part.leave(session.server());
    session.settle(|_, _| ());
    looked
}

fn next(session: &mut Session, call: Call) -> Option<Result<Option<Vec<u8>>>> {
    let now = session.clock.now;
    session.client().next_item(call.id, now, call.deadline)
}

fn woken(session: &mut Session) -> Vec<u64> {
    std::mem::take(session.server().wakeups())
}

/// Uploads so many parts of 16 KiB to a server of short messages; answers how many bytes came
/// before the end.
fn upload_to_a_server_of_short_messages(parts: usize) -> usize {
    let mut session = Session::new(65_536, 1000, ms(1000));
    let (call, caller) = begin(&mut session, UPLOAD);
    assert!(take(&mut session, caller, 32_768).is_none());
    let (mut got, mut ended) = (0, false);
    for part in std::iter::repeat_n(Some(item_of(&noise(16_384))), parts).chain([None]) {
        let mut sending = SendPart::new(call.id, part, call.deadline);
        Errand::<Client>::begin(&mut sending, session.client()).unwrap();
        session.settle(|_, _| ());
        while let Some(part) = take(&mut session, caller, 32_768) {
            match part.unwrap() {
                Some(part) => got += part.len(),
                None => ended = true,
            }
            if ended {
                break;
            }
        }
        let now = session.clock.now;
        let looked = sending.look(session.client(), now);
        assert!(looked.is_some(), "all that was written was taken, and it stands still");
        assert!(looked.unwrap().unwrap(), "it is written");
        sending.leave(session.client());
    }
    assert!(ended);
    got
}

#[test]
fn a_payload_comes_whole_at_a_server_of_short_messages() {
    assert_eq!(upload_to_a_server_of_short_messages(1), 16_384, "and then the end");
}

#[test]
fn a_payload_does_not_stand_still_at_a_server_of_short_messages() {
    assert_eq!(upload_to_a_server_of_short_messages(3), 3 * 16_384, "and then the end");
}

#[test]
fn a_short_item_holds_no_long_memory() {
    let mut session = session();
    let (call, caller) = begin(&mut session, UPLOAD);
    assert!(take(&mut session, caller, 10_000).is_none());
    let epoch = session.client_link().unwrap().lives().ours;
    for number in 0..20_u8 {
        // For a call that nobody knows: it is dropped as late, and its memory kept.
        let late = Event::to(0, Verb::Item, 999_999, noise(1_000_000));
        session.client().link_mut().outbox().push(late);
        session.settle(|_, _| ());
        let mut unit = Vec::new();
        for (offset, bytes) in [(0_u32, &[number, 0, 0][..]), (3, &[0, 7])] {
            let flags = Flags { part: true, masked: false };
            let header = Header { kind: Kind::Item, flags, epoch, to: 0, id: call.id };
            let start = wire::begin(&mut unit, header);
            unit.extend(offset.to_le_bytes());
            unit.extend(5_u32.to_le_bytes());
            unit.extend_from_slice(bytes);
            wire::seal(&mut unit, start);
        }
        session.requests.pipe().put(&unit);
        session.settle(|_, _| ());
    }
    let (mut items, mut memory) = (0, 0);
    while let Some(Ok(Some(part))) = take(&mut session, caller, 10_000) {
        (items, memory) = (items + 1, memory + part.capacity());
    }
    assert!(memory < 100_000, "{items} items of a byte held {memory} bytes");
}

#[test]
fn whoever_reads_a_payload_is_woken_when_its_request_is_answered_and_sees_no_end() {
    let mut session = session();
    let (_, caller) = begin(&mut session, UPLOAD);
    let mut part = NextPart::new(caller, 10_000, Deadline::NEVER);
    let key = part.begin(session.server()).unwrap();
    let now = session.clock.now;
    assert!(part.look(session.server(), now).is_none());
    session.settle(|_, _| ());
    woken(&mut session);
    let mut replying = Replying::new(caller, Answer::Reply(b"done".to_vec()), Deadline::NEVER);
    replying.begin(session.server()).unwrap();
    session.settle(|_, _| ());
    replying.look(session.server(), now).unwrap().unwrap();
    replying.leave(session.server());
    session.settle(|_, _| ());
    let woken = woken(&mut session).contains(&key);
    let looked = part.look(session.server(), now).unwrap();
    assert!(woken && looked.is_err(), "woken: {woken}; no part had come, and: {looked:?}");
}

#[test]
fn a_cancelled_payload_never_reads_as_whole() {
    let mut session = session();
    let (call, caller) = begin(&mut session, UPLOAD);
    assert!(take(&mut session, caller, 10_000).is_none());
    session.client().give_up(call.id);
    session.settle(|_, _| ());
    // Its handler is dropped, and another task still reads.
    session.server().refuse(caller, wire::FailureCode::Dropped, String::new());
    let looked = take(&mut session, caller, 10_000).unwrap();
    assert!(looked.is_err(), "the client has not said that this was all: {looked:?}");
}

#[test]
fn an_item_that_waits_for_room_when_the_end_is_said_was_not_sent() {
    let mut session = session();
    let (_, caller) = begin(&mut session, replies(1));
    let now = session.clock.now;
    let mut first = SendReply::new(caller, item_of(&noise(10)), Deadline::NEVER);
    first.begin(session.server()).unwrap();
    session.settle(|_, _| ());
    first.look(session.server(), now).unwrap().unwrap();
    first.leave(session.server());
    let mut second = SendReply::new(caller, item_of(&noise(10)), Deadline::NEVER);
    let key = second.begin(session.server()).unwrap();
    session.settle(|_, _| ());
    assert!(second.look(session.server(), now).is_none());
    let mut end = Replying::new(caller, Answer::End, Deadline::NEVER);
    end.begin(session.server()).unwrap();
    session.settle(|_, _| ());
    end.look(session.server(), now).unwrap().unwrap();
    end.leave(session.server());
    session.settle(|_, _| ());
    let woken = woken(&mut session).contains(&key);
    let looked = second.look(session.server(), now);
    assert!(woken && matches!(looked, Some(Err(_))), "woken: {woken}; {looked:?}");
}

#[test]
fn a_notification_brings_nothing_but_its_message() {
    let mut session = session();
    let call = Options { quiet: true, ..UPLOAD };
    session.call_with(call, b"psst", ms(10_000)).unwrap();
    let mut asked = Vec::new();
    session.settle(|_, it| asked.push(it));
    // Whoever took it would wait for a client that may leave, and is not asked to.
    assert!(!asked[0].asker().options.upload);
    let looked = take(&mut session, asked[0].caller, 10_000);
    assert!(looked.is_some_and(|looked| looked.is_err()));
}

#[test]
fn a_notification_is_answered_by_no_items() {
    let mut session = session();
    let (_, caller) = begin(&mut session, Options { quiet: true, ..replies(1000) });
    let sent = session.server().send_item(caller, item_of(&noise(10)));
    session.settle(|_, _| ());
    let late = session.client_link().unwrap().stats().late;
    assert!(sent.is_ok() && late == 0, "{sent:?}, {late} late at its client");
}

/// A part of which the pipe has taken some, and no more.
fn stuck_part() -> (Session, Call, SendPart) {
    let mut session = Session::new(4096, 1 << 20, ms(1000));
    let (call, caller) = begin(&mut session, UPLOAD);
    assert!(take(&mut session, caller, 32_768).is_none());
    let mut sending = SendPart::new(call.id, Some(item_of(&noise(16_000))), Deadline::NEVER);
    Errand::<Client>::begin(&mut sending, session.client()).unwrap();
    session.step_client();
    session.client().wakeups().clear();
    session.clock.now += ms(1000);
    session.step_client();
    (session, call, sending)
}

#[test]
fn whoever_sends_a_part_is_woken_when_it_stalls() {
    let (mut session, call, mut sending) = stuck_part();
    let now = session.clock.now;
    assert!(sending.look(session.client(), now).is_some(), "it would find that");
    let (mut session, _, _) = stuck_part();
    assert!(session.client().wakeups().contains(&call.id), "and nobody wakes it");
}

#[test]
fn a_part_that_stalls_says_so() {
    let (mut session, _, mut sending) = stuck_part();
    let now = session.clock.now;
    let error = sending.look(session.client(), now).unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::WriteStalled);
}

#[test]
fn failures_that_are_said_again_and_again_cost_no_memory() {
    let mut session = Session::new(4096, 1 << 20, ms(60_000));
    let (_, caller) = begin(&mut session, replies(1000));
    for _ in 0..5000 {
        let failure = Event::to(caller.life(), Verb::Failure, caller.id(), vec![1, 0]);
        session.server().link_mut().outbox().push(failure);
        let now = session.clock.now;
        session.server().link_mut().step(now, Directions { read: false, write: true }).unwrap();
        session.step_client();
    }
    let queued = session.client().link_mut().outbox().queued();
    assert!(queued < 200, "{queued} cancels of one call wait to be written");
}

#[test]
fn a_server_that_reads_nothing_is_offered_no_more_and_more_room() {
    let mut session = Session::new(4096, 1 << 20, ms(1000));
    let (call, caller) = begin(&mut session, replies(1));
    for number in 0..5000_u32 {
        let number = number.to_le_bytes().to_vec();
        let item = Event::to(caller.life(), Verb::Item, caller.id(), number);
        session.server().link_mut().outbox().push(item);
        let now = session.clock.now;
        session.server().link_mut().step(now, Directions { read: false, write: true }).unwrap();
        session.step_client();
        let Some(Ok(Some(_))) = next(&mut session, call) else { break };
        session.step_client();
    }
    let queued = session.client().link_mut().outbox().queued();
    assert!(queued < 200, "{queued} credits for one stream wait to be written");
}

#[test]
fn an_upload_that_is_given_up_while_it_waits_for_room_leaves_nothing() {
    let mut session = session();
    for _ in 0..10 {
        let (call, caller) = begin(&mut session, UPLOAD);
        let mut sending = SendPart::new(call.id, Some(item_of(&noise(10))), call.deadline);
        Errand::<Client>::begin(&mut sending, session.client()).unwrap();
        session.settle(|_, _| ());
        session.client().give_up(call.id);
        sending.leave(session.client());
        session.settle(|_, _| ());
        session.server().refuse(caller, wire::FailureCode::Dropped, String::new());
        session.settle(|_, _| ());
    }
    assert!(session.client().is_idle() && session.server().is_idle());
    assert_eq!(session.client().writing(), 0, "waits for something to be written");
}

#[test]
fn a_notification_that_a_closing_server_has_not_taken_is_answered_by_nothing() {
    let mut session = session();
    let first = session.call(b"first", ms(10_000)).unwrap();
    session.settle(echo);
    session.outcome(first).unwrap().unwrap();
    let quiet = Options { quiet: true, ..Options::default() };
    session.call_with(quiet, b"psst", ms(1000)).unwrap();
    session.step_client();
    session.server().begin_close();
    for _ in 0..4 {
        let now = session.clock.now;
        session.server().step(now, Directions::BOTH).unwrap();
        session.step_client();
    }
    assert_eq!(session.client_link().unwrap().stats().late, 0, "answers that nobody waits for");
}

#[test]
fn an_item_that_is_lost_on_the_way_does_not_go_unnoticed() {
    let mut session = session();
    let (call, caller) = begin(&mut session, replies(100_000));
    for item in [1, 2, 3] {
        session.server().send_item(caller, item_of(&[item; 100])).unwrap();
    }
    let ticket = session.server().end(caller).unwrap();
    session.step_server();
    session.server().forget(ticket, caller);
    // Somebody's echo, in the middle of the second.
    session.replies.pipe().flip(200, 1);
    session.settle(|_, _| ());
    let mut got = Vec::new();
    let end = loop {
        match next(&mut session, call).unwrap() {
            Ok(Some(item)) => got.push(item[0]),
            Ok(None) => break Ok(()),
            Err(error) => break Err(error),
        }
    };
    assert!(end.is_err(), "{got:?} is all there was, as it seems");
}

#[test]
fn room_that_is_made_for_nobody_delivers_nothing() {
    let mut session = session();
    let call = session.call_with(UPLOAD, b"stream", ms(10_000)).unwrap();
    session.step_client();
    let credit = Event::to(0, Verb::Credit, call.id, vec![1, 0, 0, 0]);
    session.server().link_mut().outbox().push(credit);
    let now = session.clock.now;
    session.server().link_mut().greet(now);
    session.server().link_mut().step(now, Directions { read: false, write: true }).unwrap();
    session.step_client();
    session.kill_server();
    session.settle(|_, _| ());
    let error = session.outcome(call).unwrap().unwrap_err();
    assert_ne!(error.fate(), Some(Fate::Delivered));
}

#[test]
fn room_for_items_is_behind_no_request_that_waits_in_the_pipe() {
    let mut session = session();
    let parks = crate::core::inbox::Limits { bytes: 1 << 20, requests: 1, parks: true };
    session.limit_server(parks);
    session.start_client();
    let (call, caller) = begin(&mut session, replies(1));
    let now = session.clock.now;
    session.server().send_item(caller, item_of(&noise(10))).unwrap();
    session.settle(|_, _| ());
    let waits = session.server().send_item(caller, item_of(&noise(10))).unwrap();
    // The one thread that serves is in its handler, and takes neither of these.
    for _ in 0..2 {
        session.call(b"next", ms(1000)).unwrap();
    }
    session.step_client();
    for _ in 0..5 {
        session.server().step(now, Directions::BOTH).unwrap();
    }
    assert!(next(&mut session, call).unwrap().unwrap().is_some());
    for _ in 0..5 {
        session.step_client();
        session.server().step(now, Directions::BOTH).unwrap();
    }
    assert!(session.server().item_known(caller, waits).is_some(), "its handler waits for room");
}

#[test]
fn a_payload_holds_no_more_than_its_window_and_one_part_of_a_payload() {
    let mut session = session();
    let (call, caller) = begin(&mut session, UPLOAD);
    assert!(take(&mut session, caller, 32_768).is_none());
    session.client().link_mut().outbox().push(Event::to(
        0,
        Verb::Item,
        call.id,
        item_of(&noise(1_000_000)),
    ));
    session.settle(|_, _| ());
    let part = take(&mut session, caller, 32_768).unwrap();
    let held = part.map(|part| part.map_or(0, |part| part.len())).unwrap_or_default();
    assert!(held <= 48 * 1024, "{held} bytes wait for a reader of a payload");
}

#[test]
fn requests_with_the_same_key_are_one_request() {
    let mut session = session();
    let keyed = Options { key: Some([7; 16]), ..Options::default() };
    let mut taken = 0;
    for _ in 0..2 {
        let call = session.call_with(keyed, b"pay", ms(1000)).unwrap();
        session.settle(|server, asked| {
            taken += 1;
            echo(server, asked);
        });
        let _ = session.outcome(call).unwrap();
    }
    assert_eq!(taken, 1, "times it was handed out; a server that knows no keys declines them");
}

#[test]
fn one_reader_of_a_payload_that_leaves_leaves_the_other_its_place() {
    let mut session = session();
    let (call, caller) = begin(&mut session, UPLOAD);
    let now = session.clock.now;
    let mut readers = [(); 2].map(|()| NextPart::new(caller, 10_000, Deadline::NEVER));
    let [key, _] = readers.each_mut().map(|reader| reader.begin(session.server()).unwrap());
    for reader in &mut readers {
        assert!(reader.look(session.server(), now).is_none());
    }
    readers[1].leave(session.server());
    session.settle(|_, _| ());
    woken(&mut session);
    let mut sending = SendPart::new(call.id, Some(item_of(&noise(10))), call.deadline);
    Errand::<Client>::begin(&mut sending, session.client()).unwrap();
    session.settle(|_, _| ());
    assert!(woken(&mut session).contains(&key), "a part is here, and its reader sleeps on");
}

#[test]
fn an_item_behind_the_end_fails_for_what_it_is() {
    let mut session = session();
    let (_, caller) = begin(&mut session, replies(1000));
    let ticket = session.server().end(caller).unwrap();
    session.server().forget(ticket, caller);
    session.settle(|_, _| ());
    let error = session.server().send_item(caller, item_of(&noise(10))).unwrap_err();
    assert_ne!(error.kind(), ErrorKind::Unsupported, "{error:?}");
}

#[test]
fn a_failure_that_is_to_nobody_ends_no_stream() {
    let mut session = session();
    let (call, caller) = begin(&mut session, replies(1000));
    let failure = Event::to(0, Verb::Failure, caller.id(), vec![1, 0]);
    session.server().link_mut().outbox().push(failure);
    session.settle(|_, _| ());
    assert!(next(&mut session, call).is_none(), "it goes on");
}
