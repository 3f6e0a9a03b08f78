//! Messages put together from parts.
//!
//! Parts of several messages may interleave, because several writers may share a FIFO. All that is
//! being put together counts against one limit, so a peer that begins messages and never ends them
//! costs its own oldest message and no memory beyond the limit.

/// The most messages that are put together at a time. Each is a writer in the middle of a long
/// message; 32 processes that write long messages into one FIFO at once are more than a FIFO is
/// good for.
const MAX_OPEN: usize = 32;

/// Messages in the making, by the key of their writer.
#[derive(Debug)]
pub(crate) struct Assembly {
    limit: usize,
    open: Vec<Partial>,
    /// The message that was completed last; its memory is used again for the next.
    done: Vec<u8>,
    /// A message of unannounced length that grew too large: the rest of it is dropped too.
    refused: Option<Key>,
}

#[derive(Debug)]
struct Partial {
    key: Key,
    /// The length its first part announced, if it did.
    total: Option<usize>,
    bytes: Vec<u8>,
}

/// Which message a part belongs to: the writer's epoch and the message's id.
pub(crate) type Key = (u64, u64);

/// One part.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Part<'a> {
    pub(crate) key: Key,
    /// Where the part belongs in the message; `None` for behind what is there.
    pub(crate) offset: Option<usize>,
    /// The length of the whole message, where it is announced.
    pub(crate) total: Option<usize>,
    pub(crate) bytes: &'a [u8],
    /// Whether this is the last part, where the length is not announced.
    pub(crate) last: bool,
}

/// What became of a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Added {
    /// More parts are to come.
    Open,
    /// The message is complete: see [`Assembly::done`].
    Complete,
    /// The message is larger than the limit; what was there of it is dropped.
    TooLarge,
    /// The part does not follow what is there; the message is dropped.
    Torn,
}

impl Assembly {
    pub(crate) fn new(limit: usize) -> Self {
        Self { limit, open: Vec::new(), done: Vec::new(), refused: None }
    }

    /// The message that was just completed. Whoever takes the vector takes the memory.
    pub(crate) fn done(&mut self) -> &mut Vec<u8> {
        &mut self.done
    }

    /// Whether anything is being put together.
    pub(crate) fn is_idle(&self) -> bool {
        self.open.is_empty()
    }

    /// The messages in the making.
    #[cfg(test)]
    pub(crate) fn keys(&self) -> impl Iterator<Item = Key> {
        self.open.iter().map(|partial| partial.key)
    }

    /// Bytes of memory that messages in the making hold.
    pub(crate) fn held(&self) -> usize {
        self.open.iter().map(|open| open.bytes.capacity()).sum()
    }

    /// Bytes that messages in the making will have, as far as they were announced.
    pub(crate) fn announced(&self) -> usize {
        self.open.iter().map(|open| open.total.unwrap_or(open.bytes.len())).sum()
    }

    /// Bytes of memory that are kept for the next message.
    pub(crate) fn kept(&self) -> usize {
        self.done.capacity()
    }

    /// Gives back the memory that is kept for the next message.
    pub(crate) fn shed(&mut self) {
        self.done = Vec::new();
    }

    /// Bytes of memory that the largest message in the making holds.
    pub(crate) fn largest(&self) -> usize {
        self.open.iter().map(|open| open.bytes.capacity()).max().unwrap_or(0)
    }

    /// Drops what was put together of this message; answers whether there was any.
    pub(crate) fn abandon(&mut self, key: Key) -> bool {
        let at = self.open.iter().position(|partial| partial.key == key);
        at.map(|at| self.open.remove(at)).is_some()
    }

    /// Drops what was put together of the messages of all writers but this.
    pub(crate) fn abandon_others(&mut self, epoch: u64) {
        self.open.retain(|partial| partial.key.0 == epoch);
    }

    /// Adds a part. Also answers how many other messages were dropped to make room.
    pub(crate) fn add(&mut self, part: Part<'_>) -> (Added, usize) {
        if self.refused == Some(part.key) {
            self.refused = self.refused.filter(|_| !part.last);
            return (Added::Open, 0);
        }
        let begun = self.open.iter().position(|open| open.key == part.key);
        let (at, crowded_out) = match begun {
            // What was begun before under this key was given up, and this is the next.
            Some(at) if part.offset == Some(0) && !self.open[at].bytes.is_empty() => {
                self.open.remove(at);
                let (at, crowded_out) = self.begin(part);
                (at, crowded_out + 1)
            }
            Some(at) => (at, 0),
            None if part.offset.unwrap_or(0) != 0 => return (Added::Torn, 0),
            None => self.begin(part),
        };
        let have = self.open[at].bytes.len();
        let need = have + part.bytes.len();
        if need > self.limit || part.total.is_some_and(|total| total > self.limit) {
            self.open.remove(at);
            self.refused = (part.offset.is_none() && !part.last).then_some(part.key);
            return (Added::TooLarge, crowded_out);
        }
        let in_step = part.offset.is_none_or(|offset| offset == have)
            && part.total == self.open[at].total
            && part.total.is_none_or(|total| need <= total);
        if !in_step {
            self.open.remove(at);
            return (Added::Torn, crowded_out);
        }
        let (at, dropped) = self.reserve(at, need, part.total.unwrap_or(self.limit));
        let dropped = dropped + crowded_out;
        self.open[at].bytes.extend_from_slice(part.bytes);
        if part.total.map_or(!part.last, |total| need < total) {
            return (Added::Open, dropped);
        }
        self.done = self.open.remove(at).bytes;
        (Added::Complete, dropped)
    }

    /// Begins a message; answers where it stands and how many others were dropped for it.
    fn begin(&mut self, part: Part<'_>) -> (usize, usize) {
        let crowded = self.open.len() == MAX_OPEN;
        if crowded {
            self.open.remove(0);
        }
        // Kept memory serves a message that is alone. Beside others none holds more than it needs:
        // memory that is only kept must not crowd out a message that is coming.
        let mut bytes = std::mem::take(&mut self.done);
        bytes.clear();
        if !self.open.is_empty() {
            bytes = Vec::new();
            for open in &mut self.open {
                open.bytes.shrink_to(open.total.unwrap_or(0));
            }
        }
        self.open.push(Partial { key: part.key, total: part.total, bytes });
        (self.open.len() - 1, usize::from(crowded))
    }

    /// Makes room for `need` bytes in the message at `at`; answers where it stands afterwards and
    /// how many others were dropped.
    ///
    /// Memory doubles with the bytes that have come, up to what the message can still need: it
    /// follows what was received and never what was announced.
    fn reserve(&mut self, mut at: usize, need: usize, most: usize) -> (usize, usize) {
        if self.open[at].bytes.capacity() >= need {
            return (at, 0);
        }
        self.done = Vec::new();
        let mut dropped = 0;
        while self.held_beside(at) + need > self.limit {
            let oldest = usize::from(at == 0);
            self.open.remove(oldest);
            at -= usize::from(oldest < at);
            dropped += 1;
        }
        let room = self.limit - self.held_beside(at);
        let bytes = &mut self.open[at].bytes;
        let target = (bytes.capacity() * 2).clamp(need, most.max(need)).min(room);
        bytes.reserve_exact(target - bytes.len());
        (at, dropped)
    }

    fn held_beside(&self, at: usize) -> usize {
        let all: usize = self.open.iter().map(|partial| partial.bytes.capacity()).sum();
        all - self.open[at].bytes.capacity()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(key: Key, offset: usize, total: usize, bytes: &[u8]) -> Part<'_> {
        Part { key, offset: Some(offset), total: Some(total), bytes, last: false }
    }

    #[test]
    fn interleaved_messages_each_come_out_whole() {
        let mut assembly = Assembly::new(1000);
        assert_eq!(assembly.add(part((1, 1), 0, 4, b"ab")).0, Added::Open);
        assert_eq!(assembly.add(part((2, 1), 0, 2, b"x")).0, Added::Open);
        assert_eq!(assembly.add(part((2, 1), 1, 2, b"y")).0, Added::Complete);
        assert_eq!(assembly.done(), b"xy");
        assert_eq!(assembly.add(part((1, 1), 2, 4, b"cd")).0, Added::Complete);
        assert_eq!(assembly.done(), b"abcd");
        assert!(assembly.is_idle());
    }

    #[test]
    fn a_first_part_begins_anew() {
        let mut assembly = Assembly::new(1000);
        assembly.add(part((1, 1), 0, 9, b"abc"));
        assert_eq!(assembly.add(part((1, 1), 0, 5, b"xyz")), (Added::Open, 1));
        assert_eq!(assembly.add(part((1, 1), 3, 5, b"zy")), (Added::Complete, 0));
        assert_eq!(assembly.done(), b"xyzzy");
    }

    #[test]
    fn a_part_out_of_step_drops_its_message_only() {
        let mut assembly = Assembly::new(1000);
        assembly.add(part((1, 1), 0, 9, b"abc"));
        assembly.add(part((2, 2), 0, 4, b"ab"));
        assert_eq!(assembly.add(part((1, 1), 4, 9, b"x")).0, Added::Torn);
        assert_eq!(assembly.add(part((3, 3), 1, 9, b"x")).0, Added::Torn);
        assert_eq!(assembly.add(part((2, 2), 2, 4, b"cde")).0, Added::Torn);
        assembly.add(part((4, 4), 0, 9, b"abc"));
        assert_eq!(assembly.add(part((4, 4), 3, 4, b"d")).0, Added::Torn, "another length");
        assert!(assembly.is_idle());
    }

    #[test]
    fn an_announced_length_over_the_limit_is_refused_before_memory_is_taken() {
        let mut assembly = Assembly::new(1000);
        assert_eq!(assembly.add(part((1, 1), 0, 1001, b"a")).0, Added::TooLarge);
        assert_eq!(assembly.add(part((1, 1), 0, usize::MAX, b"a")).0, Added::TooLarge);
        assert!(assembly.is_idle());
        assembly.add(part((1, 1), 0, 1000, b"a"));
        assert!(assembly.open[0].bytes.capacity() < 64, "memory follows bytes received");
    }

    #[test]
    fn beyond_the_limit_the_oldest_message_gives_way() {
        let mut assembly = Assembly::new(1000);
        let filler = [0; 600];
        assembly.add(part((1, 1), 0, 700, &filler));
        assert_eq!(assembly.add(part((2, 2), 0, 700, &filler)), (Added::Open, 1));
        assert_eq!(assembly.open.iter().map(|p| p.key).collect::<Vec<_>>(), [(2, 2)]);
        let held: usize = assembly.open.iter().map(|p| p.bytes.capacity()).sum();
        assert!(held <= 1000);
    }

    #[test]
    fn the_memory_of_a_message_serves_the_next() {
        let mut assembly = Assembly::new(1000);
        assembly.add(part((1, 1), 0, 500, &[1; 500]));
        let memory = assembly.done().as_ptr();
        assembly.add(part((1, 2), 0, 500, &[2; 500]));
        assert_eq!(assembly.done().as_ptr(), memory);
    }

    #[test]
    fn unannounced_lengths_end_with_the_last_part() {
        let mut assembly = Assembly::new(10);
        let open = |bytes, last| Part { key: (0, 0), offset: None, total: None, bytes, last };
        assert_eq!(assembly.add(open(b"abc", false)).0, Added::Open);
        assert_eq!(assembly.add(open(b"de", true)).0, Added::Complete);
        assert_eq!(assembly.done(), b"abcde");
        assert_eq!(assembly.add(open(b"abcdefgh", false)).0, Added::Open);
        assert_eq!(assembly.add(open(b"abc", false)).0, Added::TooLarge);
        assert_eq!(assembly.add(open(b"abc", true)).0, Added::Open, "the rest is dropped too");
        assert_eq!(assembly.add(open(b"next", true)).0, Added::Complete);
        assert_eq!(assembly.done(), b"next");
    }

    #[test]
    fn memory_kept_of_a_large_message_crowds_out_no_small_one() {
        let mut assembly = Assembly::new(1000);
        assert_eq!(assembly.add(part((1, 1), 0, 950, &[1; 950])), (Added::Complete, 0));
        assert_eq!(assembly.add(part((2, 2), 0, 100, &[2; 50])), (Added::Open, 0));
        assert_eq!(assembly.add(part((3, 3), 0, 100, &[3; 50])), (Added::Open, 0));
        assert_eq!(assembly.add(part((2, 2), 50, 100, &[2; 50])), (Added::Complete, 0));
        assert_eq!(assembly.add(part((3, 3), 50, 100, &[3; 50])), (Added::Complete, 0));
    }
}
