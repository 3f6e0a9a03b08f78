//! Streams of items within one call: what has come of one and was not taken, and what may be sent
//! of another.
//!
//! Whoever receives says how many bytes there is room for, and whoever sends waits for that. An
//! item may begin while anything is left of it, however long it is: so a stream never waits for
//! more room than there will be, and holds at most its window and one item beyond. Items are
//! numbered: where one is lost on the way, its stream breaks off, and is not taken for whole.

use std::collections::VecDeque;

use super::errand::Key;
use super::event::Event;
use super::outbox::Ticket;
use super::wire::Options;

/// What an item costs beside its bytes, as `docs/PROTOCOL.md` has it: about what is kept for it, so
/// that empty items are not free.
pub(crate) const ITEM_COST: usize = 64;

/// The bytes of a payload that travel as one item: much for one call, and half of the usual window.
pub(crate) const MAX_CHUNK: usize = 16 * 1024;

/// The room for items unless told otherwise. With the one item beyond, a payload that nobody reads
/// for a while still fits into a pipe of the usual 64 KiB, and keeps no other reply from coming.
pub(crate) const WINDOW: usize = 32 * 1024;

/// Bytes in front of an item: its number, counted from zero. The end has one too.
pub(crate) const NUMBER_LEN: usize = 4;

/// The longest item of a payload.
pub(crate) const MAX_PART: usize = NUMBER_LEN + MAX_CHUNK;

/// An item to be filled, in this memory: the place for its number is there.
pub(crate) fn item_in(mut memory: Vec<u8>) -> Vec<u8> {
    memory.clear();
    memory.resize(NUMBER_LEN, 0);
    memory
}

/// An item of these bytes.
pub(crate) fn item_of(bytes: &[u8]) -> Vec<u8> {
    let mut item = item_in(Vec::with_capacity(NUMBER_LEN + bytes.len()));
    item.extend_from_slice(bytes);
    item
}

/// Both directions of one call, as one side of it knows them.
#[derive(Debug, Default)]
pub(crate) struct Streams {
    pub(crate) inflow: Option<Inflow>,
    pub(crate) outflow: Option<Outflow>,
    /// Whether an item has come: then the peer has the request, and answers it. That it has room
    /// for what the request brings says nothing of what becomes of that.
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
    /// The number of the next item.
    next: u32,
    state: State,
    /// Those that wait for the next.
    waiters: Vec<Key>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Open,
    Ended,
    /// An item is missing, or one came for which there was no room.
    Broken,
}

/// What there is to be taken.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Taken {
    Item(Vec<u8>),
    /// There are no more.
    End,
    /// What comes next is lost.
    Broken,
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
    /// The number of the next item.
    next: u32,
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

    /// The items that may not be written: one that was let go, and one that waits for room.
    pub(crate) fn tickets(&self) -> impl Iterator<Item = Ticket> {
        let outflow = self.outflow.as_ref();
        let pending = outflow.and_then(|it| it.pending.as_ref()).map(|(ticket, _)| *ticket);
        outflow.and_then(Outflow::last).into_iter().chain(pending)
    }
}

impl Inflow {
    fn with_window(window: usize) -> Self {
        let (items, waiters, room) = (VecDeque::new(), Vec::new(), window as i64);
        Self { items, window, room, taken: 0, next: 0, state: State::Open, waiters }
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

    /// An item has come. One for which there was no room, or that is not the next, is given back
    /// and breaks the stream off.
    pub(crate) fn receive(&mut self, mut item: Vec<u8>) -> Result<(), Vec<u8>> {
        if self.state != State::Open || self.room <= 0 || !self.is_next(&item) {
            self.break_off();
            return Err(item);
        }
        self.next = self.next.wrapping_add(1);
        self.room -= cost(&item);
        if item.capacity() - item.len() > ITEM_COST {
            // It may stand in the memory of a long one before it.
            item.shrink_to_fit();
        }
        self.items.push_back(item);
        Ok(())
    }

    fn is_next(&self, item: &[u8]) -> bool {
        item.first_chunk() == Some(&self.next.to_le_bytes())
    }

    /// An item is lost.
    pub(crate) fn break_off(&mut self) {
        self.state = State::Broken;
    }

    /// No more items will come; `false` where some that were sent have not.
    pub(crate) fn end(&mut self, end: &[u8]) -> bool {
        if self.state == State::Open {
            self.state = if self.is_next(end) { State::Ended } else { State::Broken };
        }
        self.state == State::Ended
    }

    /// The next item.
    pub(crate) fn take(&mut self) -> Taken {
        match (self.items.pop_front(), self.state) {
            (Some(mut item), _) => {
                self.taken += item.len() + ITEM_COST;
                item.drain(..NUMBER_LEN);
                Taken::Item(item)
            }
            (None, State::Open) => Taken::Nothing,
            (None, State::Ended) => Taken::End,
            (None, State::Broken) => Taken::Broken,
        }
    }

    /// Somebody waits for the next under this key.
    pub(crate) fn wait(&mut self, key: Key) {
        if !self.waiters.contains(&key) {
            self.waiters.push(key);
        }
    }

    /// Nobody waits for the next under this key.
    pub(crate) fn stop_waiting(&mut self, key: Key) {
        self.waiters.retain(|waiter| *waiter != key);
    }

    /// Takes those that wait: there is something to look at.
    pub(crate) fn waiters(&mut self) -> Vec<Key> {
        std::mem::take(&mut self.waiters)
    }

    /// Whether whoever takes the next would wait for it.
    #[cfg(test)]
    pub(crate) fn is_waiting(&self) -> bool {
        self.items.is_empty() && self.state == State::Open
    }

    /// Whether there is an item to be taken.
    #[cfg(test)]
    pub(crate) fn has_items(&self) -> bool {
        !self.items.is_empty()
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

    /// Sends an item, under this ticket: at once, where it is answered, or as soon as there is
    /// room.
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
        let mut due = self.pending.take()?;
        due.1.body[..NUMBER_LEN].copy_from_slice(&self.next.to_le_bytes());
        self.next = self.next.wrapping_add(1);
        let cost = cost(&due.1.body);
        self.credit -= cost;
        self.sent = Some((due.0, cost));
        Some(due)
    }

    /// The end of the items, which says how many there were.
    pub(crate) fn end(&self) -> Vec<u8> {
        self.next.to_le_bytes().to_vec()
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
            self.next = self.next.wrapping_sub(1);
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
        Event::to(0, Verb::Item, 1, vec![0; NUMBER_LEN + bytes])
    }

    #[test]
    fn an_item_may_begin_while_there_is_any_room_and_the_next_waits() {
        let mut outflow = Outflow::with_credit(100);
        assert!(outflow.send(1, item(10_000)).is_some());
        assert!(outflow.send(2, item(0)).is_none());
        assert!(outflow.is_pending(2) && !outflow.is_pending(1));
        assert!(outflow.credit(9968).is_none(), "10,068 less 100 are owed");
        let (ticket, _) = outflow.credit(1).expect("one byte of room");
        assert_eq!(ticket, 2);
        assert!(outflow.send(3, item(0)).is_none());
        assert_eq!((outflow.withdraw(), outflow.withdraw()), (Some(3), None));
        assert!(outflow.credit(1000).is_none());
    }

    #[test]
    fn both_sides_count_alike_and_room_is_told_by_halves() {
        let (mut inflow, mut outflow) = (Inflow::with_window(1000), Outflow::with_credit(1000));
        let (mut sent, mut taken, mut told) = (0, 0, 0);
        let mut next = outflow.send(0, item(0));
        while taken < 200 {
            // As many as there is room for, and then one is taken.
            while let Some((_, event)) = next {
                inflow.receive(event.body).expect("there was room");
                sent += 1;
                next = outflow.send(sent as Ticket, item(sent % 300));
            }
            assert_eq!(inflow.take(), Taken::Item(vec![0; taken % 300]));
            taken += 1;
            if let Some(more) = inflow.regained() {
                assert!((500..1500).contains(&more), "{more} bytes");
                told += 1;
                next = outflow.credit(more);
            }
        }
        assert!(sent > taken && told > 20, "{sent} sent, {told} times room");
    }

    #[test]
    fn what_there_was_no_room_for_breaks_the_stream_off_behind_what_came_before() {
        let mut inflow = Inflow::with_window(1);
        inflow.receive(vec![0, 0, 0, 0, 1]).unwrap();
        assert_eq!(inflow.receive(vec![1, 0, 0, 0, 2]), Err(vec![1, 0, 0, 0, 2]));
        assert!(!inflow.end(&[1, 0, 0, 0]));
        assert_eq!(inflow.take(), Taken::Item(vec![1]));
        assert_eq!((inflow.regained(), inflow.take()), (None, Taken::Broken));
    }

    #[test]
    fn a_stream_of_which_an_item_is_missing_never_ends_as_whole() {
        let mut inflow = Inflow::with_window(1000);
        inflow.receive(vec![0; 5]).unwrap();
        assert!(inflow.receive(vec![2, 0, 0, 0, 9]).is_err(), "that is the third");
        let mut inflow = Inflow::with_window(1000);
        inflow.receive(vec![0; 5]).unwrap();
        assert!(!inflow.end(&[2, 0, 0, 0]), "there was a second");
        let mut inflow = Inflow::with_window(1000);
        assert!(!inflow.end(b""), "nobody knows how many there were");
        assert_eq!(inflow.take(), Taken::Broken);
    }

    #[test]
    fn there_is_no_room_before_somebody_wants_the_items() {
        let mut inflow = Inflow::with_window(0);
        assert_eq!((inflow.open(100), inflow.open(100)), (Some(100), None));
        inflow.receive(vec![0, 0, 0, 0, 1]).unwrap();
        assert!(inflow.end(&[1, 0, 0, 0]));
        assert_eq!((inflow.take(), inflow.take()), (Taken::Item(vec![1]), Taken::End));
        assert!(Inflow::with_window(0).receive(vec![0; 5]).is_err());
    }

    #[test]
    fn what_was_taken_back_is_neither_counted_nor_charged() {
        let mut outflow = Outflow::with_credit(1);
        assert!(outflow.send(1, item(100)).is_some());
        outflow.refund(1);
        outflow.refund(1);
        let (_, event) = outflow.send(2, item(100)).expect("the room is there again");
        assert_eq!((event.body[..4].to_vec(), outflow.end()), (vec![0; 4], vec![1, 0, 0, 0]));
    }
}
