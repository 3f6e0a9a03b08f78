//! Streams within a call: many replies, and parts of a request, each no faster than it is taken.

use std::collections::VecDeque;

use super::session::*;
use super::*;
use crate::core::errand::{Answer, Errand, NextPart, Replying, SendPart, SendReply};
use crate::core::event::Verb;
use crate::core::hands::Caller;
use crate::core::script::{Call, Client};
use crate::core::server::Asked;
use crate::core::streams::item_of;
use crate::core::wire::{FailureCode, Options};
use crate::error::{ErrorKind, Fate, Result};

/// Many replies are welcome, with a window of this many bytes.
fn replies(window: u32) -> Options {
    Options { window: Some(window), ..Options::default() }
}

/// More than the message is to come.
const UPLOAD: Options = Options { quiet: false, key: None, window: None, upload: true };

/// A server that answers with these items, and then in some way, as fast as it may.
struct Source {
    caller: Caller,
    items: VecDeque<Vec<u8>>,
    sending: Option<SendReply>,
    sent: usize,
    end: Option<Answer>,
    error: Option<ErrorKind>,
}

impl Source {
    fn new(asked: &Asked, items: impl IntoIterator<Item = Vec<u8>>, end: Answer) -> Self {
        let (items, end) = (items.into_iter().collect(), Some(end));
        Self { caller: asked.caller, items, sending: None, sent: 0, end, error: None }
    }

    /// Goes on as far as there is room; answers whether it did anything.
    fn go_on(&mut self, session: &mut Session) -> bool {
        let (before, now) = ((self.sent, self.end.is_some()), session.clock.now);
        while self.error.is_none() {
            let server = session.server();
            if let Some(mut sending) = self.sending.take() {
                match sending.look(server, now) {
                    None => {
                        self.sending = Some(sending);
                        break;
                    }
                    Some(outcome) => {
                        sending.leave(server);
                        match outcome {
                            Ok(()) => self.sent += 1,
                            Err(error) => self.error = Some(error.kind()),
                        }
                    }
                }
            } else if let Some(item) = self.items.pop_front() {
                let item = item_of(&item);
                let mut sending = SendReply::new(self.caller, item, Deadline::NEVER);
                match sending.begin(server) {
                    Ok(_) => self.sending = Some(sending),
                    Err(error) => self.error = Some(error.kind()),
                }
            } else {
                let Some(end) = self.end.take() else { break };
                let mut replying = Replying::new(self.caller, end, Deadline::NEVER);
                if replying.begin(server).is_ok() {
                    session.settle(|_, _| ());
                    assert!(replying.look(session.server(), now).is_some(), "the end is written");
                    replying.leave(session.server());
                }
            }
            session.settle(|_, _| ());
        }
        before != (self.sent, self.end.is_some())
    }
}

/// A stream of these items that a server has taken up.
fn source(
    session: &mut Session,
    window: u32,
    items: impl IntoIterator<Item = Vec<u8>>,
    end: Answer,
) -> (Call, Source) {
    let call = session.call_with(replies(window), b"many", ms(10_000)).unwrap();
    let mut taken = Vec::new();
    session.settle(|_, asked| taken.push(asked));
    (call, Source::new(&taken[0], items, end))
}

/// The next item, if it is here.
fn next(session: &mut Session, call: Call) -> Option<Result<Option<Vec<u8>>>> {
    let now = session.clock.now;
    session.client().next_item(call.id, now, call.deadline)
}

/// Takes items until the end of the stream.
fn drain(session: &mut Session, call: Call, source: &mut Source) -> Vec<Vec<u8>> {
    let mut taken = Vec::new();
    loop {
        let moved = source.go_on(session);
        match next(session, call) {
            Some(Ok(Some(item))) => taken.push(item),
            Some(Ok(None)) => return taken,
            Some(Err(error)) => panic!("the stream fails: {error:?}"),
            None => assert!(moved, "the stream stands still"),
        }
        session.settle(|_, _| ());
    }
}

#[test]
fn every_item_comes_in_order_whatever_its_size_and_the_window() {
    for window in [1, 100, 5000, 1 << 20] {
        let mut session = session();
        let items: Vec<_> = [0, 1, 100, 9000, 70_000, 0, 300_000, 5].map(noise).to_vec();
        let (call, mut source) = source(&mut session, window, items.clone(), Answer::End);
        assert_eq!(drain(&mut session, call, &mut source), items);
        assert!(session.client().is_idle() && session.server().is_idle());
        let again = session.call(b"plain", ms(1000)).unwrap();
        session.settle(echo);
        assert_eq!(session.outcome(again).unwrap().unwrap(), reply_to(b"plain"));
    }
}

#[test]
fn what_nobody_takes_is_held_back_and_delays_no_other_call() {
    let mut session = session();
    let (call, mut source) = source(&mut session, 10_000, vec![noise(900); 1000], Answer::End);
    source.go_on(&mut session);
    assert_eq!(source.sent, 11, "10,000 bytes of room, and one item beyond");
    for _ in 0..5 {
        let other = session.call(b"other", ms(1000)).unwrap();
        session.settle(echo);
        assert_eq!(session.outcome(other).unwrap().unwrap(), reply_to(b"other"));
    }
    assert!(!source.go_on(&mut session));
    assert_eq!(drain(&mut session, call, &mut source).len(), 1000);
}

#[test]
fn a_stream_ends_by_its_error_behind_its_items() {
    let mut session = session();
    let words = "no more paper".to_owned();
    let end = Answer::Failure(FailureCode::Handler, words);
    let (call, mut source) = source(&mut session, 10_000, [noise(10), noise(20)], end);
    source.go_on(&mut session);
    assert_eq!(next(&mut session, call).unwrap().unwrap(), Some(noise(10)));
    assert_eq!(next(&mut session, call).unwrap().unwrap(), Some(noise(20)));
    let error = next(&mut session, call).unwrap().unwrap_err();
    assert_eq!((error.kind(), error.detail()), (ErrorKind::Remote, Some("no more paper")));
    session.settle(|_, _| ());
    assert!(session.client().is_idle() && session.server().is_idle());
}

#[test]
fn one_reply_is_a_stream_of_one_item() {
    let mut session = session();
    let call = session.call_with(replies(100), b"one", ms(1000)).unwrap();
    session.settle(echo);
    assert_eq!(next(&mut session, call).unwrap().unwrap(), Some(reply_to(b"one")));
    assert_eq!(next(&mut session, call).unwrap().unwrap(), None);
    assert!(session.client().is_idle() && session.server().is_idle());
}

#[test]
fn a_caller_that_wants_one_reply_is_sent_no_items() {
    let mut session = session();
    let call = session.call(b"one", ms(1000)).unwrap();
    let mut taken = Vec::new();
    session.settle(|_, asked| taken.push(asked));
    let error = session.server().send_item(taken[0].caller, item_of(&noise(10))).unwrap_err();
    assert_eq!((error.kind(), error.fate()), (ErrorKind::Unsupported, Some(Fate::NotSent)));
    echo(session.server(), taken.remove(0));
    session.settle(|_, _| ());
    assert!(session.outcome(call).unwrap().is_ok());
}

#[test]
fn a_stream_that_is_given_up_is_stopped_at_its_server() {
    for pending in [false, true] {
        let mut session = session();
        session.client().abandon_silently();
        let window = if pending { 1 } else { 1 << 20 };
        let (call, mut source) = source(&mut session, window, vec![noise(900); 50], Answer::End);
        source.items.extend(vec![noise(50); if pending { 50 } else { 0 }]);
        if pending {
            source.go_on(&mut session);
            assert!(source.sending.is_some(), "an item waits for room");
        }
        session.client().give_up(call.id);
        session.settle(|_, _| ());
        assert!(session.server().is_settled(source.caller), "nobody wants any more of it");
        source.go_on(&mut session);
        assert_eq!(source.error, Some(ErrorKind::Cancelled));
        session.server().refuse(source.caller, FailureCode::Dropped, String::new());
        session.settle(|_, _| ());
        assert!(session.client().is_idle() && session.server().is_idle());
    }
}

#[test]
fn a_server_that_leaves_ends_the_stream_behind_what_has_come() {
    let mut session = session();
    let (call, mut source) = source(&mut session, 1 << 20, vec![noise(900); 3], Answer::End);
    source.end = None;
    source.go_on(&mut session);
    session.kill_server();
    session.settle(|_, _| ());
    for _ in 0..3 {
        assert_eq!(next(&mut session, call).unwrap().unwrap(), Some(noise(900)));
    }
    let error = next(&mut session, call).unwrap().unwrap_err();
    assert_eq!((error.kind(), error.fate()), (ErrorKind::PeerClosed, Some(Fate::Delivered)));
    assert!(session.client().is_idle());
}

#[test]
fn a_client_that_leaves_frees_whoever_waits_for_room() {
    let mut session = session();
    let (_, mut source) = source(&mut session, 1, vec![noise(900); 3], Answer::End);
    source.go_on(&mut session);
    assert!(source.sending.is_some());
    session.kill_client();
    session.settle(|_, _| ());
    source.go_on(&mut session);
    assert_eq!(source.error, Some(ErrorKind::PeerClosed));
}

#[test]
fn the_deadline_of_the_call_is_the_deadline_of_its_items() {
    let mut session = session();
    let (call, mut source) = source(&mut session, 10_000, vec![noise(900)], Answer::End);
    source.end = None;
    source.go_on(&mut session);
    session.clock.now += ms(10_000);
    assert_eq!(next(&mut session, call).unwrap().unwrap(), Some(noise(900)));
    let error = next(&mut session, call).unwrap().unwrap_err();
    assert_eq!((error.kind(), error.fate()), (ErrorKind::TimedOut, Some(Fate::Delivered)));
    session.settle(|_, _| ());
    assert!(session.server().is_settled(source.caller));
}

#[test]
fn an_item_over_the_clients_limit_fails_the_stream_and_no_other_call() {
    let mut session = session();
    let (call, mut source) =
        source(&mut session, 1 << 24, [noise(10), noise(3 << 20), noise(10)], Answer::End);
    let other = session.call(b"other", ms(10_000)).unwrap();
    session.settle(echo);
    source.go_on(&mut session);
    assert_eq!(next(&mut session, call).unwrap().unwrap(), Some(noise(10)));
    let error = next(&mut session, call).unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TooLarge);
    assert!(session.outcome(other).unwrap().is_ok());
    assert_eq!(source.error, Some(ErrorKind::Cancelled), "its server is told");
}

#[test]
fn a_server_that_sends_more_than_there_is_room_for_is_not_believed() {
    let mut session = session();
    let call = session.call_with(replies(100), b"many", ms(1000)).unwrap();
    let mut taken = Vec::new();
    session.settle(|_, asked| taken.push(asked));
    let caller = taken[0].caller;
    for _ in 0..3 {
        let event = crate::core::event::Event::to(
            caller.life(),
            Verb::Item,
            caller.id(),
            item_of(&noise(90)),
        );
        session.server().link_mut().outbox().push(event);
    }
    session.settle(|_, _| ());
    assert_eq!(next(&mut session, call).unwrap().unwrap(), Some(noise(90)));
    assert_eq!(next(&mut session, call).unwrap().unwrap_err().kind(), ErrorKind::Torn);
    assert!(session.server().is_settled(caller));
}

/// Sends all of these parts and the end of them, as fast as the server takes them; answers how many
/// were wanted.
fn upload(session: &mut Session, call: Call, parts: &[Vec<u8>], take: &mut Sink) -> usize {
    let mut wanted = 0;
    for part in parts.iter().map(|part| Some(item_of(part))).chain([None]) {
        let mut sending = SendPart::new(call.id, part, call.deadline);
        Errand::<Client>::begin(&mut sending, session.client()).unwrap();
        let outcome = loop {
            session.settle(|_, _| ());
            let now = session.clock.now;
            if let Some(outcome) = sending.look(session.client(), now) {
                break outcome;
            }
            assert!(take.go_on(session), "the upload stands still");
        };
        sending.leave(session.client());
        wanted += usize::from(outcome.unwrap());
    }
    wanted
}

/// A server that takes what an upload brings.
struct Sink {
    caller: Caller,
    taken: Vec<Vec<u8>>,
    ended: Option<Result<()>>,
}

impl Sink {
    fn new(session: &mut Session) -> (Call, Self) {
        let call = session.call_with(UPLOAD, b"here it comes", ms(10_000)).unwrap();
        let mut asked = Vec::new();
        session.settle(|_, it| asked.push(it));
        (call, Self { caller: asked[0].caller, taken: Vec::new(), ended: None })
    }

    /// Takes one part, if it is here; answers whether anything has moved.
    fn go_on(&mut self, session: &mut Session) -> bool {
        let mut part = NextPart::new(self.caller, 10_000, Deadline::NEVER);
        part.begin(session.server()).unwrap();
        session.settle(|_, _| ());
        let now = session.clock.now;
        let looked = part.look(session.server(), now);
        part.leave(session.server());
        session.settle(|_, _| ());
        match looked {
            None => return false,
            Some(Ok(Some(part))) => self.taken.push(part),
            Some(Ok(None)) => self.ended = Some(Ok(())),
            Some(Err(error)) => self.ended = Some(Err(error)),
        }
        true
    }
}

#[test]
fn every_part_of_an_upload_comes_in_order_and_no_faster_than_it_is_taken() {
    let mut session = session();
    let (call, mut sink) = Sink::new(&mut session);
    let parts: Vec<_> = [0, 1, 100, 9000, 16_000, 9000, 16_384, 5].map(noise).to_vec();
    assert_eq!(upload(&mut session, call, &parts, &mut sink), parts.len() + 1);
    while sink.ended.is_none() {
        assert!(sink.go_on(&mut session));
    }
    assert!(sink.ended.is_some_and(|end| end.is_ok()));
    assert_eq!(sink.taken, parts);
    let ticket = session.server().reply(sink.caller, b"thank you".to_vec()).unwrap();
    session.server().forget(ticket, sink.caller);
    session.settle(|_, _| ());
    assert_eq!(session.outcome(call).unwrap().unwrap(), b"thank you");
    assert!(session.client().is_idle() && session.server().is_idle());
}

#[test]
fn nothing_of_an_upload_is_written_before_somebody_wants_it() {
    let mut session = session();
    let (call, mut sink) = Sink::new(&mut session);
    let mut sending = SendPart::new(call.id, Some(item_of(&noise(10))), call.deadline);
    Errand::<Client>::begin(&mut sending, session.client()).unwrap();
    session.settle(|_, _| ());
    let now = session.clock.now;
    assert!(sending.look(session.client(), now).is_none());
    assert!(!sink.go_on(&mut session) || sink.taken.len() == 1);
    session.settle(|_, _| ());
    assert!(sending.look(session.client(), now).unwrap().unwrap());
    sending.leave(session.client());
}

#[test]
fn an_answer_before_the_end_of_an_upload_ends_it() {
    let mut session = session();
    let (call, mut sink) = Sink::new(&mut session);
    let ticket = session.server().reply(sink.caller, b"enough".to_vec()).unwrap();
    session.server().forget(ticket, sink.caller);
    session.settle(|_, _| ());
    assert_eq!(upload(&mut session, call, &[noise(10), noise(10)], &mut sink), 0);
    assert_eq!(session.outcome(call).unwrap().unwrap(), b"enough");
}

#[test]
fn parts_for_which_there_is_no_room_break_the_upload_and_cost_no_memory() {
    let mut session = session();
    let (call, mut sink) = Sink::new(&mut session);
    for _ in 0..50 {
        let event = crate::core::event::Event::to(0, Verb::Item, call.id, item_of(&noise(9000)));
        session.client().link_mut().outbox().push(event);
    }
    session.settle(|_, _| ());
    let (held, _) = session.server_link().unwrap().held();
    assert!(held < 100_000, "{held} bytes");
    while sink.ended.is_none() {
        assert!(sink.go_on(&mut session));
    }
    let error = sink.ended.unwrap().unwrap_err();
    assert_eq!((error.kind(), sink.taken.len()), (ErrorKind::Torn, 0));
}

#[test]
fn a_client_that_gives_an_upload_up_ends_it_for_whoever_takes_it() {
    for departs in [false, true] {
        let mut session = session();
        let (call, mut sink) = Sink::new(&mut session);
        assert!(!sink.go_on(&mut session));
        match departs {
            true => session.kill_client(),
            false => drop(session.client().give_up(call.id)),
        }
        session.settle(|_, _| ());
        assert!(sink.go_on(&mut session));
        let why = if departs { ErrorKind::PeerClosed } else { ErrorKind::Cancelled };
        assert_eq!(sink.ended.unwrap().unwrap_err().kind(), why);
    }
}

#[test]
fn parts_for_a_server_that_has_left_are_for_no_other() {
    let mut session = Session::new(4096, 1 << 20, ms(60_000));
    let (call, mut sink) = Sink::new(&mut session);
    assert!(!sink.go_on(&mut session));
    // The pipe is full before the part is written, and no byte of it is.
    let stuck = session.call(&noise(20_000), ms(60_000)).unwrap();
    session.step_client();
    let mut sending = SendPart::new(call.id, Some(item_of(&noise(10))), call.deadline);
    Errand::<Client>::begin(&mut sending, session.client()).unwrap();
    session.kill_server();
    session.start_server();
    let mut taken = Vec::new();
    session.settle(|_, asked| taken.push(asked.message().len()));
    let now = session.clock.now;
    assert!(!sending.look(session.client(), now).unwrap().unwrap());
    sending.leave(session.client());
    assert_eq!(session.outcome(call).unwrap().unwrap_err().kind(), ErrorKind::PeerClosed);
    assert!(session.outcome(stuck).is_some());
    assert_eq!(session.server_link().unwrap().stats().late, 0);
}

#[test]
fn the_end_of_an_upload_that_brings_nothing_does_not_come_before_its_request_is_taken() {
    let mut session = session();
    let call = session.call_with(UPLOAD, b"empty", ms(10_000)).unwrap();
    let mut ending = SendPart::new(call.id, None, call.deadline);
    Errand::<Client>::begin(&mut ending, session.client()).unwrap();
    let mut asked = Vec::new();
    session.settle(|_, it| asked.push(it));
    let mut sink = Sink { caller: asked[0].caller, taken: Vec::new(), ended: None };
    while sink.ended.is_none() {
        sink.go_on(&mut session);
    }
    assert!(sink.ended.is_some_and(|end| end.is_ok()));
    let now = session.clock.now;
    assert!(ending.look(session.client(), now).unwrap().unwrap());
    ending.leave(session.client());
}
