//! Requests that want no answer: written, worked on, and never answered.

use super::session::*;
use super::*;
use crate::core::inbox::Limits;
use crate::core::link::Directions;
use crate::core::session::Session as _;
use crate::core::wire::{FailureCode, Options};
use crate::error::{ErrorKind, Fate};

const QUIET: Options = Options { quiet: true, key: None, window: None, upload: false };

#[test]
fn a_notification_ends_once_it_is_written_and_is_answered_by_nothing() {
    let mut session = session();
    for size in [0, 100, 100_000] {
        let notification = session.call_with(QUIET, &noise(size), ms(1000)).unwrap();
        let call = session.call(b"call", ms(1000)).unwrap();
        let mut heard = Vec::new();
        session.settle(|server, asked| {
            heard.push((asked.asker().options.quiet, asked.message().len()));
            echo(server, asked);
        });
        assert_eq!(heard, [(true, size), (false, 4)]);
        assert!(session.outcome(notification).unwrap().is_ok());
        assert_eq!(session.outcome(call).unwrap().unwrap(), reply_to(b"call"));
        let replies = session.client().take_heard();
        assert_eq!(replies.iter().map(|(id, _)| *id).collect::<Vec<_>>(), [call.id]);
        assert!(session.client().is_idle() && session.server().is_idle());
    }
}

#[test]
fn nobody_is_told_what_becomes_of_a_notification() {
    let mut session = session();
    for how in 0..4 {
        let notification = session.call_with(QUIET, b"news", ms(1000)).unwrap();
        session.settle(|server, asked| match how {
            0 => server.refuse(asked.caller, FailureCode::Dropped, "dropped".to_owned()),
            1 => {
                let words = "the handler failed".to_owned();
                let ticket = server.fail(asked.caller, FailureCode::Handler, words).unwrap();
                assert!(
                    server.known_outcome(ticket).unwrap().is_ok(),
                    "of nothing, all is written"
                );
                server.give_up(ticket, asked.caller);
            }
            2 => {
                let ticket = server.reply(asked.caller, Vec::new()).unwrap();
                server.abandon_reply(ticket, asked.caller);
            }
            _ => echo(server, asked),
        });
        assert!(session.outcome(notification).unwrap().is_ok());
        assert_eq!(session.client().take_heard(), []);
        assert!(session.server().is_idle());
    }
}

#[test]
fn a_notification_that_there_is_no_room_for_is_dropped_without_a_word() {
    let mut session = session();
    session.limit_server(Limits { bytes: 1 << 20, requests: 1, parks: false });
    for _ in 0..3 {
        session.call_with(QUIET, b"news", ms(1000)).unwrap();
    }
    // All three are heard before the first is taken.
    session.step_client();
    let mut taken = 0;
    session.settle(|_, _| taken += 1);
    assert_eq!((taken, session.server().link().stats().overloaded), (1, 2));
    assert_eq!(session.client().take_heard(), []);
}

#[test]
fn a_notification_that_nobody_reads_is_not_sent() {
    let mut session = session();
    session.kill_server();
    let notification = session.call_with(QUIET, b"news", ms(100)).unwrap();
    session.settle(echo);
    session.clock.now += ms(100);
    let error = session.outcome(notification).unwrap().unwrap_err();
    assert_eq!((error.kind(), error.fate()), (ErrorKind::NoReader, Some(Fate::NotSent)));
    session.start_server();
    let mut taken = 0;
    session.settle(|_, _| taken += 1);
    assert_eq!(taken, 0, "what timed out is never delivered");
}

#[test]
fn a_notification_outlives_its_client_and_holds_up_a_close_until_it_is_done() {
    let mut session = session();
    session.call_with(QUIET, b"news", ms(1000)).unwrap();
    let mut hands = Vec::new();
    session.settle(|_, asked| hands.push(asked));
    session.kill_client();
    session.settle(echo);
    let news = hands.pop().unwrap();
    assert!(!session.server().is_settled(news.caller), "there is work to do");
    session.server().begin_close();
    step(&mut session);
    assert!(!session.server().has_drained());
    echo(session.server(), news);
    step(&mut session);
    assert!(session.server().has_drained());
}

/// Some steps of a server that takes no more requests.
fn step(session: &mut Session) {
    for _ in 0..3 {
        let now = session.clock.now;
        session.server().step(now, Directions::BOTH).unwrap();
    }
}
