//! How events leave without being written: given up one by one, or with the peer they were for.

use std::collections::VecDeque;

use super::{Cause, Entry, Outbox, TakenBack, Ticket};

impl Outbox {
    /// Takes the answers to control back: nobody reads them.
    pub(crate) fn forget_answers(&mut self) {
        let answers = self.entries().filter(|entry| entry.cause == Cause::Control);
        let tickets: Vec<_> = answers.map(|entry| entry.ticket).collect();
        for ticket in tickets {
            self.take_back(ticket);
        }
    }

    /// Takes back the news that this call failed; answers whether there was any.
    pub(crate) fn take_back_refusal(&mut self, to: u64, id: u64) -> bool {
        if self.refusals == 0 {
            return false;
        }
        let is_it = |entry: &&Entry| {
            entry.cause == Cause::Refusal && (entry.event.to, entry.event.id) == (to, id)
        };
        let ticket = self.entries().find(is_it).map(|entry| entry.ticket);
        ticket.map(|ticket| self.take_back(ticket)).is_some()
    }

    /// Gives an event up.
    pub(crate) fn take_back(&mut self, ticket: Ticket) -> TakenBack {
        if self.is_empty() {
            return TakenBack::Written;
        }
        let (queued, framed) = (self.lane_position(ticket), self.framed_position(ticket));
        let entry = match (queued, framed) {
            (Some((true, at)), _) => self.control.remove(at),
            (Some((false, at)), _) => self.data.remove(at),
            (None, Some(at)) => self.framed[at].entry.take(),
            (None, None) => None,
        };
        let Some(entry) = entry else { return TakenBack::Written };
        self.cut_frames(ticket);
        self.left(&entry);
        self.recycle(entry.event.body);
        TakenBack::NotSent { begun: entry.begun }
    }

    /// The peer is gone: what is waited for, and what it has seen nothing of, goes back to the
    /// front of its lane, to be framed anew for the next. Answers the tickets of those that were
    /// cut. What nobody waits for was for the one that has left. A frame that was cut is not
    /// finished, even where another life reads on from the same pipe: the next frame begins with
    /// the magic, and that is where a reader finds its place again.
    pub(crate) fn rewind(&mut self) -> Vec<Ticket> {
        self.unit.clear();
        self.written = 0;
        let mut lost = Vec::new();
        while let Some(frame) = self.framed.pop_back() {
            let Some(entry) = frame.entry else { continue };
            self.lane_of(&entry).push_front(Entry { from: 0, ..entry });
        }
        for lane in [&mut self.control, &mut self.data] {
            let stays = |entry: &Entry| !entry.begun && entry.cause == Cause::Caller;
            let (kept, gone) = std::mem::take(lane).into_iter().partition(stays);
            *lane = kept;
            lost.extend::<VecDeque<_>>(gone);
            // An entry whose first part was framed and not written starts over.
            lane.iter_mut().for_each(|entry| entry.from = 0);
        }
        lost.iter().for_each(|entry| self.left(entry));
        let awaited = lost.iter().filter(|entry| entry.cause == Cause::Caller);
        awaited.map(|entry| entry.ticket).collect()
    }

    /// Drops everything: whoever it was for is given up.
    pub(crate) fn clear(&mut self) {
        self.rewind();
        for entry in std::mem::take(&mut self.data) {
            self.left(&entry);
        }
        for entry in std::mem::take(&mut self.control) {
            self.left(&entry);
        }
    }
}
