//! What a client does once its server has left.

use super::session::*;
use super::*;
use crate::core::reconnect::Reconnect;
use crate::error::{ErrorKind, Fate};

/// A session with a client that reconnects like this, in which each knows the other.
fn acquainted(reconnect: Reconnect) -> Session {
    let mut session = session();
    session.reconnect(reconnect);
    let first = session.call(b"first", ms(1000)).unwrap();
    session.settle(echo);
    session.outcome(first).unwrap().unwrap();
    session
}

#[test]
fn a_client_that_never_reconnects_refuses_calls_from_then_on_and_lets_go_of_its_fifos() {
    let mut session = acquainted(Reconnect::Never);
    let written = session.call(b"written", ms(10_000)).unwrap();
    session.step_client();
    session.requests.pipe().script_writes([0]);
    let unsent = session.call(b"unsent", ms(10_000)).unwrap();
    session.kill_server();
    session.settle(echo);
    for (call, fate) in [(written, Fate::MaybeDelivered), (unsent, Fate::NotSent)] {
        let error = session.outcome(call).expect("it ends at once").unwrap_err();
        assert_eq!((error.kind(), error.fate()), (ErrorKind::PeerClosed, Some(fate)));
    }
    session.start_server();
    let refused = session.call(b"next", ms(1000)).unwrap_err();
    assert_eq!((refused.kind(), refused.fate()), (ErrorKind::PeerClosed, Some(Fate::NotSent)));
    let link = session.client_link().unwrap();
    assert!(link.reader().is_none() && link.writer().is_none());
}

#[test]
fn what_is_left_when_a_client_ends_with_its_server_is_not_written_to_the_next() {
    let mut session = acquainted(Reconnect::Never);
    session.start_server();
    let unsent = session.call(b"unsent", ms(10_000)).unwrap();
    session.step_client();
    let error = session.outcome(unsent).expect("it ends with its server").unwrap_err();
    assert_eq!((error.kind(), error.fate()), (ErrorKind::PeerClosed, Some(Fate::NotSent)));
    assert!(session.step_server().is_empty(), "it was not sent");
}

#[test]
fn a_client_that_reconnects_with_the_next_call_opens_nothing_before() {
    let mut session = acquainted(Reconnect::OnNextCall);
    session.kill_server();
    session.run(ms(500), echo);
    session.start_server();
    let attempts = session.requests.attempts();
    session.run(ms(500), echo);
    assert_eq!(session.requests.attempts(), attempts);
    let next = session.call(b"next", ms(1000)).unwrap();
    session.run(ms(100), echo);
    assert_eq!(session.outcome(next).unwrap().unwrap(), reply_to(b"next"));
}

#[test]
fn a_client_that_reconnects_in_the_background_is_there_before_the_next_call() {
    let background = Reconnect::InBackground { first: ms(10), most: ms(80) };
    let mut session = acquainted(background);
    session.kill_server();
    session.run(ms(1), echo);
    let before = session.requests.attempts();
    session.run(ms(1000), echo);
    // At 10, 30, 70 and 150 ms, then each 80 ms.
    let attempts = session.requests.attempts() - before;
    assert!((13..=17).contains(&attempts), "{attempts} attempts in a second");
    session.start_server();
    session.run(ms(81), echo);
    assert!(session.client_link().unwrap().writer().is_some());
    let next = session.call(b"next", ms(1000)).unwrap();
    session.settle(echo);
    assert_eq!(session.outcome(next).unwrap().unwrap(), reply_to(b"next"));
}
