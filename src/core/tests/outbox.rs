//! Events on their way out: in two lanes, and taken back at every cut.

use super::*;
use crate::core::dialect::{Dialect, Heard};
use crate::core::event::{Event, Lives, Verb};
use crate::core::outbox::{Outbox, TakenBack, Ticket, Wrote};
use crate::core::script::{Pipe, ReadEnd, WriteEnd};
use crate::core::wire::SkipReason;

const LIVES: Lives = Lives { ours: 7, peer: 9 };

/// An outbox and the pipe it writes to.
struct Writing {
    outbox: Outbox,
    pipe: Pipe,
    sink: WriteEnd,
    /// These tests read the pipe by themselves.
    _reader: ReadEnd,
}

impl Writing {
    fn new() -> Self {
        let place = Place::with_pipe(1 << 22);
        let pipe = place.pipe();
        let _reader = pipe.reader(&place);
        Self { outbox: Outbox::default(), sink: pipe.writer(&place), pipe, _reader }
    }

    fn push(&mut self, verb: Verb, id: u64, body: &[u8]) -> Ticket {
        self.outbox.push(Event::to(0, verb, id, body.to_vec()))
    }

    /// Writes exactly this much, or less where there is less.
    fn write(&mut self, count: usize) {
        let before = self.pipe.len();
        while self.pipe.len() < before + count {
            self.pipe.script_writes([before + count - self.pipe.len(), 0]);
            if self.outbox.step(&mut self.sink, LIVES).unwrap() == Wrote::All {
                break;
            }
        }
        self.pipe.forget_script();
    }

    fn write_all(&mut self) {
        while self.outbox.step(&mut self.sink, LIVES).unwrap() != Wrote::All {}
    }

    /// What a peer hears of all that was written: ids and bodies, and how many frames were torn.
    fn heard(&self) -> (Vec<(u64, Vec<u8>)>, usize) {
        let mut bytes = self.pipe.take(usize::MAX);
        let (mut dialect, mut events, mut torn) = (Dialect::default(), Vec::new(), 0);
        let (mut at, mut parts) = (0, Vec::new());
        while at < bytes.len() {
            let unread = &mut bytes[at..];
            at += match dialect.decode(unread) {
                Heard::More => panic!("the stream ends inside a frame"),
                Heard::Skip { used, reason: SkipReason::Torn } => {
                    torn += 1;
                    used
                }
                // The rest of a voided frame; a whole frame follows, or the end.
                Heard::Skip { used, .. } => used,
                Heard::Whole { id, body, used, to, .. } => {
                    assert_eq!(to, 9);
                    events.push((id, unread[body].to_vec()));
                    used
                }
                Heard::Part { key, offset, total, body, used, .. } => {
                    if offset == 0 {
                        parts.clear();
                    }
                    assert_eq!(offset, parts.len());
                    parts.extend_from_slice(&unread[body]);
                    if parts.len() == total {
                        events.push((key.1, std::mem::take(&mut parts)));
                    }
                    used
                }
            };
        }
        (events, torn)
    }
}

/// The length of everything that these events take on the wire.
fn wire_len(events: &[(u64, &[u8])]) -> usize {
    let mut writing = Writing::new();
    for (id, body) in events {
        writing.push(Verb::Request, *id, body);
    }
    writing.write_all();
    writing.pipe.len()
}

#[test]
fn an_event_taken_back_at_any_cut_is_never_delivered_and_the_stream_stays_in_step() {
    let events: [(u64, &[u8]); 3] = [(1, b"first"), (2, b"second"), (3, b"third")];
    let (total, one) = (wire_len(&events), wire_len(&events[..1]));
    let two = wire_len(&events[..2]);
    for given_up in 1..=3_u64 {
        for cut in 0..=total {
            let mut writing = Writing::new();
            let tickets = events.map(|(id, body)| writing.push(Verb::Request, id, body));
            writing.write(cut);
            let taken = writing.outbox.take_back(tickets[given_up as usize - 1]);
            writing.write_all();
            let (heard, torn) = writing.heard();
            let (start, end) = [(0, one), (one, two), (two, total)][given_up as usize - 1];
            let expected = match cut {
                cut if cut <= start => TakenBack::NotSent { begun: false },
                cut if cut < end => TakenBack::NotSent { begun: true },
                _ => TakenBack::Written,
            };
            assert_eq!(taken, expected, "{given_up} given up after {cut} bytes");
            let survives = |id: u64| id != given_up || taken == TakenBack::Written;
            let ids: Vec<_> = (1..=3).filter(|id| survives(*id)).collect();
            assert_eq!(heard.iter().map(|(id, _)| *id).collect::<Vec<_>>(), ids);
            assert!(heard.iter().all(|(id, body)| *body == events[*id as usize - 1].1));
            assert_eq!(torn > 0, taken == TakenBack::NotSent { begun: true }, "after {cut} bytes");
        }
    }
}

#[test]
fn a_long_event_taken_back_at_many_cuts_is_never_delivered() {
    let long = noise(150_000);
    let events: [(u64, &[u8]); 3] = [(1, b"first"), (2, &long), (3, b"third")];
    let (start, total) = (wire_len(&events[..1]), wire_len(&events));
    let third = total - wire_len(&events[2..]);
    for cut in (0..total).step_by(4999).chain([start, start + 1, third - 1, third]) {
        let mut writing = Writing::new();
        let tickets = events.map(|(id, body)| writing.push(Verb::Request, id, body));
        writing.write(cut);
        let taken = writing.outbox.take_back(tickets[1]);
        writing.write_all();
        let ids: Vec<_> = writing.heard().0.into_iter().map(|(id, _)| id).collect();
        match taken {
            TakenBack::Written => assert_eq!(ids, [1, 2, 3], "after {cut} bytes"),
            TakenBack::NotSent { begun } => {
                assert_eq!(ids, [1, 3], "after {cut} bytes");
                assert_eq!(begun, cut > start);
            }
        }
        assert_eq!(taken == TakenBack::Written, cut >= third);
    }
}

#[test]
fn all_events_taken_back_leave_nothing_but_the_rest_of_the_one_that_was_begun() {
    for cut in [0, 1, 30, 60] {
        let mut writing = Writing::new();
        let tickets = [1, 2, 3].map(|id| writing.push(Verb::Request, id, b"body"));
        writing.write(cut);
        for ticket in tickets {
            writing.outbox.take_back(ticket);
        }
        writing.write_all();
        let delivered = usize::from(cut >= wire_len(&[(1, b"body")]));
        assert_eq!(writing.heard().0.len(), delivered);
        assert!(writing.outbox.is_empty());
    }
}

#[test]
fn an_event_pushed_after_one_was_voided_follows_it_whole() {
    for cut in 0..44 {
        let mut writing = Writing::new();
        let ticket = writing.push(Verb::Request, 1, b"body");
        writing.write(cut);
        writing.outbox.take_back(ticket);
        writing.push(Verb::Request, 2, b"next");
        writing.write_all();
        assert_eq!(writing.heard().0, [(2, b"next".to_vec())], "after {cut} bytes");
    }
}

#[test]
fn control_goes_ahead_of_data_at_the_next_frame_boundary() {
    let mut writing = Writing::new();
    let long = noise(300_000);
    writing.push(Verb::Request, 1, &long);
    writing.push(Verb::Request, 2, b"queued");
    writing.write(10);
    writing.push(Verb::Ping, 3, b"");
    writing.write_all();
    let heard = writing.heard().0;
    assert_eq!(heard.iter().map(|(id, _)| *id).collect::<Vec<_>>(), [3, 1, 2]);
    assert_eq!(heard[1].1, long);
}

#[test]
fn what_is_written_is_reported_once_and_in_order() {
    let mut writing = Writing::new();
    let tickets = [1, 2, 3].map(|id| writing.push(Verb::Reply, id, b"body"));
    writing.write(wire_len(&[(1, b"body")]));
    let mut written = Vec::new();
    writing.outbox.drain_written(&mut written);
    assert_eq!(written, tickets[..1]);
    assert!(!writing.outbox.holds(tickets[0]) && writing.outbox.holds(tickets[1]));
    writing.write_all();
    written.clear();
    writing.outbox.drain_written(&mut written);
    assert_eq!(written, tickets[1..]);
}

#[test]
fn after_a_departure_what_was_unbegun_goes_whole_to_the_next_peer_at_every_cut() {
    let long = noise(100_000);
    let events: [(u64, &[u8]); 4] = [(1, b"first"), (2, b"second"), (3, &long), (4, b"fourth")];
    let ends: Vec<_> = (0..=4).map(|count| wire_len(&events[..count])).collect();
    let cuts = (0..200).chain((200..ends[4]).step_by(997));
    for cut in cuts.chain(ends.clone()) {
        let mut writing = Writing::new();
        let tickets = events.map(|(id, body)| writing.push(Verb::Request, id, body));
        writing.write(cut);
        writing.pipe.take(usize::MAX);
        let lost = writing.outbox.rewind();
        let cut_off: Vec<_> = (0..4)
            .filter(|at| ends[*at] < cut && cut < ends[at + 1])
            .map(|at| tickets[at])
            .collect();
        assert_eq!(lost, cut_off, "cut after {cut} bytes");
        writing.write_all();
        let expected: Vec<_> = (0..4)
            .filter(|at| ends[*at] >= cut)
            .map(|at| (events[at].0, events[at].1.to_vec()))
            .collect();
        assert_eq!(writing.heard().0, expected, "cut after {cut} bytes");
    }
}
