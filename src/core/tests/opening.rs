//! Opening: attempts on a schedule, the last of them at the deadline itself.

use super::*;
use crate::core::open::Opening;
use crate::core::retry::Schedule;
use crate::error::{ErrorKind, Phase};
use crate::pipe::Refusal;

/// Opens a writing end, with nobody but the clock to wait for; answers when it ended.
fn open(place: &Place, deadline: Duration) -> (Result<()>, Duration) {
    let start = Clock::new();
    let (mut clock, mut opening) = (start, Opening::new());
    let until = Deadline::after(start.now, deadline);
    loop {
        match opening.step(&mut place.writer(), clock.now, until) {
            Ok(Step::Done(_)) => return (Ok(()), clock.now - start.now),
            Err(error) => return (Err(error), clock.now - start.now),
            Ok(Step::Wait(wait)) => {
                assert!(!wait.readable && !wait.writable, "there is no descriptor to wait on");
                let next = wait.until.instant().unwrap();
                assert!(next > clock.now, "an attempt follows a delay, or this is a spin");
                clock.now = next;
            }
        }
    }
}

#[test]
fn a_path_without_a_reader_is_no_reader_at_the_deadline_and_not_before() {
    let (opened, took) = open(&Place::with_pipe(4096), ms(100));
    let error = opened.unwrap_err();
    assert_eq!((error.kind(), error.phase()), (ErrorKind::NoReader, Phase::Open));
    assert_eq!(error.fate(), None, "there was no message");
    assert_eq!(took, ms(100));
}

#[test]
fn a_path_that_names_nothing_is_not_found_at_the_deadline() {
    let (opened, took) = open(&Place::empty(), ms(100));
    assert_eq!(opened.unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(took, ms(100));
}

#[test]
fn an_end_that_another_holds_is_busy_at_the_deadline() {
    let place = Place::with_pipe(4096);
    place.refuse([Refusal::Busy; 1000]);
    let (opened, _) = open(&place, ms(20));
    assert_eq!(opened.unwrap_err().kind(), ErrorKind::Busy);
}

#[test]
fn the_error_names_the_last_refusal() {
    let place = Place::with_pipe(4096);
    place.refuse([Refusal::NotFound, Refusal::Busy]);
    assert_eq!(open(&place, ms(20)).0.unwrap_err().kind(), ErrorKind::NoReader);
}

#[test]
fn the_last_attempt_is_made_at_the_deadline_itself() {
    // The delays before it are 0.1 and 0.2 ms; the third would end behind the deadline.
    let place = Place::with_pipe(4096);
    let _reader = place.pipe().reader(&place);
    place.refuse([Refusal::NoReader; 3]);
    let (opened, took) = open(&place, Duration::from_micros(500));
    assert!(opened.is_ok(), "a reader that came a moment before is not missed");
    assert_eq!(took, Duration::from_micros(500));
}

#[test]
fn a_deadline_that_has_passed_still_allows_one_attempt() {
    let place = Place::with_pipe(4096);
    assert_eq!(open(&place, Duration::ZERO).0.unwrap_err().kind(), ErrorKind::NoReader);
    let _reader = place.pipe().reader(&place);
    assert!(open(&place, Duration::ZERO).0.is_ok());
    assert_eq!(place.attempts(), 2);
}

#[test]
fn a_late_reader_is_noticed_within_the_cap_of_the_schedule() {
    let place = Place::with_pipe(4096);
    let (mut clock, mut opening) = (Clock::new(), Opening::new());
    let late = clock.now + ms(777);
    let mut reader = None;
    let noticed = loop {
        if clock.now >= late {
            reader.get_or_insert_with(|| place.pipe().reader(&place));
        }
        match opening.step(&mut place.writer(), clock.now, Deadline::NEVER).unwrap() {
            Step::Done(_) => break clock.now,
            Step::Wait(wait) => clock.now = wait.until.instant().unwrap(),
        }
    };
    assert!(noticed - late <= Schedule::CAP);
    // 3 us an attempt: half a percent of a core is 1,300 attempts in this time.
    assert!(place.attempts() < 200, "{} attempts", place.attempts());
}

#[test]
fn what_waiting_does_not_mend_fails_at_the_first_attempt() {
    let place = Place::with_pipe(4096);
    place.fail(ErrorKind::NotAFifo);
    let (opened, took) = open(&place, ms(100));
    assert_eq!(opened.unwrap_err().kind(), ErrorKind::NotAFifo);
    assert_eq!((took, place.attempts()), (Duration::ZERO, 1));
}

#[test]
fn the_refusal_that_a_wait_would_end_with_is_known_before_it_ends() {
    let place = Place::empty();
    let (clock, mut opening) = (Clock::new(), Opening::new());
    assert!(opening.refusal().is_none());
    let step = opening.step(&mut place.reader(), clock.now, Deadline::NEVER);
    assert!(matches!(step, Ok(Step::Wait(_))));
    assert_eq!(opening.refusal().unwrap().kind(), ErrorKind::NotFound);
}
