//! The unit that is being written: events framed into it, accepted by the pipe, and cut out again.

use super::{Entry, Framed, Outbox, Ticket};
use crate::core::dialect::Dialect;
use crate::core::event::Lives;
use crate::core::wire::{self, UNIT};

impl Outbox {
    /// Frames the next events into the empty unit, one at least where there is any; control first.
    pub(super) fn frame_next(&mut self, lives: Lives) {
        loop {
            let lane = if self.control.is_empty() { &mut self.data } else { &mut self.control };
            let Some(entry) = lane.front_mut() else { break };
            let start = self.unit.len();
            let fits = start + Dialect::frame_len(&entry.event, entry.from);
            if start > 0 && fits > UNIT {
                break;
            }
            let next = Dialect::encode(&entry.event, lives, entry.from, &mut self.unit);
            let (ticket, end) = (entry.ticket, self.unit.len());
            if lives.peer == 0 {
                self.said_to_anybody = self.said_to_anybody.max(ticket);
            }
            let entry = match next {
                Some(from) => {
                    entry.from = from;
                    None
                }
                None => lane.pop_front(),
            };
            self.framed.push_back(Framed { ticket, start, end, entry });
        }
    }

    pub(super) fn accepted(&mut self, count: usize) {
        self.written += count;
        while let Some(frame) = self.framed.front_mut().filter(|frame| frame.start < self.written) {
            let ticket = frame.ticket;
            let whole = frame.end <= self.written;
            match &mut frame.entry {
                Some(entry) => entry.begun = true,
                None => self.mark_begun(ticket),
            }
            if !whole {
                return;
            }
            let entry = self.framed.pop_front().and_then(|frame| frame.entry);
            if let Some(entry) = entry {
                self.finished(entry);
            }
        }
        if self.written == self.unit.len() {
            self.unit.clear();
            self.written = 0;
        }
    }

    pub(super) fn finished(&mut self, entry: Entry) {
        self.finished.push(entry.ticket);
        self.sent.count(&entry.event);
        self.left(&entry);
        self.recycle(entry.event.body);
    }

    /// A frame of an entry that has more to come was accepted.
    pub(super) fn mark_begun(&mut self, ticket: Ticket) {
        let lanes = [&mut self.control, &mut self.data];
        for entry in lanes.into_iter().filter_map(|lane| lane.front_mut()) {
            entry.begun |= entry.ticket == ticket;
        }
    }

    /// Takes the frames of an event out of the unit: whole where nothing of them was written,
    /// voided where they were cut.
    pub(super) fn cut_frames(&mut self, ticket: Ticket) {
        let mut removed = 0;
        let (unit, written) = (&mut self.unit, self.written);
        self.framed.retain_mut(|frame| {
            frame.start -= removed;
            frame.end -= removed;
            if frame.ticket != ticket {
                return true;
            }
            if frame.start < written {
                wire::void(&mut unit[frame.start..frame.end]);
                return true;
            }
            unit.drain(frame.start..frame.end);
            removed += frame.end - frame.start;
            false
        });
        if self.written == self.unit.len() {
            self.unit.clear();
            self.written = 0;
        }
    }
}
