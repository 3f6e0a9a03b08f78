//! Streams of items within one call: what has come of one and was not taken, and what may be sent of
//! another.
//!
//! Whoever receives says how many bytes there is room for, and whoever sends waits for that. An item
//! may begin while anything is left of it, however long it is: so a stream never waits for more room
//! than there will be, and holds at most its window and one item beyond.

use std::collections::VecDeque;

use super::errand::Key;
use super::event::Event;
use super::outbox::Ticket;
use super::wire::Options;

/// What an item costs beside its bytes, as `docs/PROTOCOL.md` has it: about what is kept for it, so
/// that empty items are not free.
pub(crate) const ITEM_COST: usize = 64;

/// The bytes of a payload that travel as one item: a sixteenth of the largest window that a pipe of
/// the usual size has room for, and few calls for much.
pub(crate) const MAX_CHUNK: usize = 16 * 1024;

/// The room for items unless told otherwise. With the one item beyond, a payload that nobody reads
/// for a while still fits into a pipe of the usual 64 KiB, and holds up no other call.
pub(crate) const WINDOW: usize = 32 * 1024;

/// Both directions of one call, as one side of it knows them.
#[derive(Debug, Default)]
pub(crate) struct Streams {
    pub(crate) inflow: Option<Inflow>,
    pub(crate) outflow: Option<Outflow>,
    /// Whether the peer has said anything of them: then it has the request.
    pub(crate) acknowledged: bool,
}

/// Items that come.
#[derive(Debug)]
pub(crate) struct Inflow {
    items: VecDeque<Vec<u8>>,
    window: usize,
    /// What the peer may still send; below zero for an item that was longer than what was left.
    room: i64,
    /// What was taken, and not given back to the peer as room.
    taken: usize,
    state: State,
    /// Who waits for the next.
    pub(crate) waiter: Option<Key>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Open,
    Ended,
    /// The peer has sent more than there was room for.
    Overrun,
}

/// What there is to be taken.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Taken {
    Item(Vec<u8>),
    /// There are no more.
    End,
    Overrun,
    /// None has come yet.
    Nothing,
}

/// Items that go.
#[derive(Debug, Default)]
pub(crate) struct Outflow {
    /// What the peer has room for.
    credit: i64,
    /// One item that waits for that, and the ticket that it will have.
    pending: Option<(Ticket, Event)>,
    /// The ticket of the item that was let go last, and what it took of the room.
    sent: Option<(Ticket, i64)>,
    /// Whether no more will follow.
    pub(crate) ended: bool,
}

impl Streams {
    /// Those that the client has, which asks for them like this.
    pub(crate) fn of_client(options: &Options) -> Option<Box<Self>> {
        if !options.has_streams() {
            return None;
        }
        let inflow = options.window.map(|window| Inflow::with_window(window as usize));
        let outflow = options.upload.then(Outflow::default);
        Some(Box::new(Self { inflow, outflow, acknowledged: false }))
    }

    /// Those that the server has, which is asked for them like this. It has room for an upload once
    /// somebody wants it.
    pub(crate) fn of_server(options: &Options) -> Option<Box<Self>> {
        if !options.has_streams() {
            return None;
        }
        let inflow = options.upload.then(|| Inflow::with_window(0));
        let outflow = options.window.map(|window| Outflow::with_credit(window as usize));
        Some(Box::new(Self { inflow, outflow, acknowledged: false }))
    }

    /// The item that was let go last, whose bytes may not all be written.
    pub(crate) fn last_item(&self) -> Option<Ticket> {
        self.outflow.as_ref()?.last()
    }
}

impl Inflow {
    fn with_window(window: usize) -> Self {
        let (items, waiter) = (VecDeque::new(), None);
        Self { items, window, room: window as i64, taken: 0, state: State::Open, waiter }
    }

    /// Makes room for the first items, if that was not done before; answers how much, to be told to
    /// the peer.
    pub(crate) fn open(&mut self, window: usize) -> Option<usize> {
        if self.window != 0 {
            return None;
        }
        self.window = window.max(1);
        self.room = self.window as i64;
        Some(self.window)
    }

    /// An item has come. One for which there was no room is given back, and ends the stream.
    pub(crate) fn receive(&mut self, item: Vec<u8>) -> Result<(), Vec<u8>> {
        if self.state != State::Open || self.room <= 0 {
            self.state = State::Overrun;
            return Err(item);
        }
        self.room -= cost(&item);
        self.items.push_back(item);
        Ok(())
    }

    /// An item has come that nobody may send.
    pub(crate) fn overrun(&mut self) {
        self.state = State::Overrun;
    }

    /// No more items will come.
    pub(crate) fn end(&mut self) {
        if self.state == State::Open {
            self.state = State::Ended;
        }
    }

    /// The next item.
    pub(crate) fn take(&mut self) -> Taken {
        match (self.items.pop_front(), self.state) {
            (Some(item), _) => {
                self.taken += item.len() + ITEM_COST;
                Taken::Item(item)
            }
            (None, State::Open) => Taken::Nothing,
            (None, State::Ended) => Taken::End,
            (None, State::Overrun) => Taken::Overrun,
        }
    }

    /// How much room there is again, once it is worth telling.
    pub(crate) fn regained(&mut self) -> Option<usize> {
        if self.state != State::Open || self.taken < self.window.div_ceil(2) {
            return None;
        }
        self.room += self.taken as i64;
        Some(std::mem::take(&mut self.taken))
    }
}

impl Outflow {
    fn with_credit(credit: usize) -> Self {
        Self { credit: credit as i64, ..Self::default() }
    }

    /// Sends an item, under this ticket: at once, where it is answered, or as soon as there is room.
    pub(crate) fn send(&mut self, ticket: Ticket, item: Event) -> Option<(Ticket, Event)> {
        self.pending = Some((ticket, item));
        self.due()
    }

    /// The peer has room for so much more; answers what may go now.
    pub(crate) fn credit(&mut self, more: usize) -> Option<(Ticket, Event)> {
        self.credit = self.credit.saturating_add(more as i64);
        self.due()
    }

    fn due(&mut self) -> Option<(Ticket, Event)> {
        if self.credit <= 0 {
            return None;
        }
        let due = self.pending.take()?;
        let cost = cost(&due.1.body);
        self.credit -= cost;
        self.sent = Some((due.0, cost));
        Some(due)
    }

    /// Whether this waits for room.
    pub(crate) fn is_pending(&self, ticket: Ticket) -> bool {
        self.pending.as_ref().is_some_and(|(pending, _)| *pending == ticket)
    }

    /// Gives up what waits for room; answers its ticket.
    pub(crate) fn withdraw(&mut self) -> Option<Ticket> {
        self.pending.take().map(|(ticket, _)| ticket)
    }

    /// The item that was let go last, whose bytes may not all be written.
    pub(crate) fn last(&self) -> Option<Ticket> {
        self.sent.map(|(ticket, _)| ticket)
    }

    /// An item that was let go was taken back: the peer will not count it.
    pub(crate) fn refund(&mut self, ticket: Ticket) {
        if let Some((_, cost)) = self.sent.take_if(|(sent, _)| *sent == ticket) {
            self.credit += cost;
        }
    }
}

/// What an item takes of the room for its stream.
fn cost(item: &[u8]) -> i64 {
    (item.len() + ITEM_COST) as i64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::event::Verb;

    fn item(bytes: usize) -> Event {
        Event::to(0, Verb::Item, 1, vec![0; bytes])
    }

    #[test]
    fn an_item_may_begin_while_there_is_any_room_and_the_next_waits() {
        let mut outflow = Outflow::with_credit(100);
        assert!(outflow.send(1, item(10_000)).is_some());
        assert!(outflow.send(2, item(0)).is_none());
        assert!(outflow.is_pending(2) && !outflow.is_pending(1));
        assert!(outflow.credit(9964).is_none(), "10,064 less 100 are owed");
        let (ticket, _) = outflow.credit(1).expect("one byte of room");
        assert_eq!(ticket, 2);
        assert!(outflow.send(3, item(0)).is_none());
        assert_eq!((outflow.withdraw(), outflow.withdraw()), (Some(3), None));
        assert!(outflow.credit(1000).is_none());
    }

    #[test]
    fn both_sides_count_alike_and_room_is_told_by_halves() {
        let (mut inflow, mut outflow) = (Inflow::with_window(1000), Outflow::with_credit(1000));
        let (mut sent, mut ticket) = (0, 0);
        for _ in 0..200 {
            while ticket != u64::MAX {
                ticket += 1;
                match outflow.send(ticket, item(sent % 300)) {
                    Some((_, event)) => inflow.receive(event.body).expect("there was room"),
                    None => break,
                }
                sent += 1;
            }
            assert!(matches!(inflow.take(), Taken::Item(_)));
            if let Some(more) = inflow.regained() {
                assert!(more >= 500);
                if let Some((_, event)) = outflow.credit(more) {
                    inflow.receive(event.body).expect("there was room");
                    sent += 1;
                }
            }
        }
        assert!(sent >= 200);
    }

    #[test]
    fn what_there_was_no_room_for_ends_the_stream_behind_what_came_before() {
        let mut inflow = Inflow::with_window(1);
        inflow.receive(vec![1]).unwrap();
        assert_eq!(inflow.receive(vec![2]), Err(vec![2]));
        inflow.end();
        assert_eq!(inflow.take(), Taken::Item(vec![1]));
        assert_eq!((inflow.regained(), inflow.take()), (None, Taken::Overrun));
    }

    #[test]
    fn there_is_no_room_before_somebody_wants_the_items() {
        let mut inflow = Inflow::with_window(0);
        assert_eq!((inflow.open(100), inflow.open(100)), (Some(100), None));
        inflow.receive(vec![1]).unwrap();
        inflow.end();
        assert_eq!((inflow.take(), inflow.take()), (Taken::Item(vec![1]), Taken::End));
        assert_eq!(Inflow::with_window(0).receive(vec![1]), Err(vec![1]));
    }
}
