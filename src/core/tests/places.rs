//! Places among the calls in flight: held for one, given to the next, first come first served.

use std::time::Instant;

use crate::core::calls::{Asks, Calls};
use crate::core::event::{Event, Verb};
use crate::core::wire::Options;

/// Two places, both taken by calls.
fn full() -> Calls {
    let mut calls = Calls::new(2);
    calls.begin(1, 1, Asks::of(&Options::default()));
    calls.begin(2, 2, Asks::of(&Options::default()));
    calls
}

fn reply(id: u64) -> Event {
    Event { verb: Verb::Reply, from: 1, to: 1, id, body: Vec::new() }
}

#[test]
fn a_free_place_is_held_at_once_and_counts() {
    let mut calls = Calls::new(1);
    calls.reserve(1);
    assert!(calls.holds(1) && calls.is_full());
    assert!(calls.take_place(1));
    assert!(!calls.take_place(1), "for one call and no other");
    assert!(!calls.is_full());
}

#[test]
fn whoever_asked_first_is_woken_with_the_place_of_a_call_that_has_ended() {
    let mut calls = full();
    calls.reserve(3);
    calls.reserve(4);
    assert!(!calls.holds(3) && !calls.holds(4));
    assert!(calls.answer(reply(2), Instant::now()).is_none());
    calls.wakeups().clear();
    assert!(calls.take(2).is_some());
    assert_eq!(std::mem::take(calls.wakeups()), [3]);
    assert!(calls.holds(3) && !calls.holds(4) && calls.is_full());
    calls.give_up(1);
    assert_eq!(std::mem::take(calls.wakeups()), [4]);
}

#[test]
fn a_place_that_is_given_back_goes_to_the_next_whether_it_was_held_or_waited_for() {
    let mut calls = full();
    for key in [3, 4, 5] {
        calls.reserve(key);
    }
    calls.give_place_back(4);
    assert!(calls.wakeups().is_empty());
    calls.give_up(1);
    calls.give_place_back(3);
    assert_eq!(std::mem::take(calls.wakeups()), [3, 5]);
    assert!(calls.holds(5));
    calls.give_place_back(5);
    calls.give_place_back(5);
    assert!(!calls.is_full() && calls.len() == 1);
}
