//! A step in one direction leaves the other alone: to another thread, which sleeps on it.

use super::session::*;
use super::*;
use crate::core::link::Directions;

const READ: Directions = Directions { read: true, write: false };
const WRITE: Directions = Directions { read: false, write: true };

#[test]
fn a_step_that_only_reads_writes_nothing() {
    let mut session = session();
    session.call(b"message", ms(1000)).unwrap();
    let now = session.clock.now;
    let wait = session.client().step(now, READ).unwrap();
    assert!(wait.readable && !wait.writable);
    assert_eq!(session.requests.pipe().len(), 0);
}

#[test]
fn a_step_that_only_writes_reads_nothing() {
    let mut session = session();
    let call = session.call(b"message", ms(1000)).unwrap();
    session.step_client();
    for asked in session.step_server() {
        echo(session.server(), asked);
    }
    session.step_server();
    let (now, before) = (session.clock.now, session.replies.pipe().len());
    assert!(before > 0);
    let wait = session.client().step(now, WRITE).unwrap();
    assert!(!wait.readable);
    assert_eq!(session.replies.pipe().len(), before);
    assert!(session.outcome(call).is_none());
}

#[test]
fn directions_stepped_apart_carry_a_mebibyte_both_ways_through_4_kib() {
    let mut session = Session::new(4096, 1 << 21, ms(60_000));
    let message = noise(1 << 20);
    let calls = [0, 1].map(|_| session.call(&message, ms(30_000)).unwrap());
    let mut replies = Vec::new();
    for round in 0..20_000 {
        let now = session.clock.now;
        let directions = if round % 2 == 0 { READ } else { WRITE };
        session.client().step(now, directions).unwrap();
        for asked in session.step_server() {
            echo(session.server(), asked);
        }
        replies.extend(calls.iter().filter_map(|call| session.outcome(*call)));
        if replies.len() == 2 {
            break;
        }
    }
    assert_eq!(replies.len(), 2);
    assert!(replies.into_iter().all(|reply| reply.unwrap() == reply_to(&message)));
}
