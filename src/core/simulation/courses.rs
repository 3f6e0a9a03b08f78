//! What is true of a stream: what was sent of it, and how much of that has come.

use crate::core::streams::NUMBER_LEN;

/// The items of one call that go one way, or its parts that go the other.
#[derive(Debug, Default)]
pub(super) struct Course {
    sent: Vec<Sent>,
    /// The first that may come next.
    next: usize,
}

#[derive(Debug)]
struct Sent {
    /// `None` for the end of all.
    size: Option<usize>,
    fate: Fate,
    taken: bool,
}

/// What whoever has sent it was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// Nothing yet.
    Open,
    Written,
    NotSent,
    /// Nothing, and nothing follows.
    Unknown,
}

impl Course {
    /// One more is sent, of this size, or the end; answers its number.
    pub(super) fn begin(&mut self, size: Option<usize>) -> usize {
        let open = self.sent.iter().any(|sent| sent.fate == Fate::Open);
        assert!(!open, "the harness sends two at a time");
        self.sent.push(Sent { size, fate: Fate::Open, taken: false });
        self.sent.len() - 1
    }

    /// How many were sent, in the order of which each has its number.
    pub(super) fn len(&self) -> usize {
        self.sent.len()
    }

    /// The largest that was sent, as it travels.
    pub(super) fn largest(&self) -> usize {
        self.sent.iter().filter_map(|sent| Some(sent.size? + NUMBER_LEN)).max().unwrap_or(0)
    }

    /// It is decided what became of it.
    pub(super) fn end(&mut self, number: usize, fate: Fate) {
        let sent = &mut self.sent[number];
        assert_eq!(sent.fate, Fate::Open, "the fate of {number} is told twice");
        assert!(!sent.taken || fate != Fate::NotSent, "{number} was not sent, and has come");
        sent.fate = fate;
    }

    /// This has come, or the end: it must be the next that was sent. Items are numbered, so that
    /// none is missing even where bytes are lost.
    pub(super) fn take(&mut self, came: Option<&[u8]>, content: impl Fn(usize, usize) -> Vec<u8>) {
        while let Some(sent) = self.sent.get_mut(self.next) {
            let number = self.next;
            self.next += 1;
            if sent.fate == Fate::NotSent {
                continue;
            }
            let is_it = match (came, sent.size) {
                (Some(came), Some(size)) => came.len() == size && came == content(number, size),
                (None, None) => true,
                _ => false,
            };
            if is_it {
                sent.taken = true;
                return;
            }
            panic!("{number} is missing: {sent:?}");
        }
        let bytes = came.map(|came| came.len());
        panic!("nobody has sent this, of {bytes:?} bytes, behind what has come: {:?}", self.sent);
    }

    /// It has come to its end: nothing that was written is missing.
    pub(super) fn check_whole(&self) {
        let missing = self.sent[self.next..].iter().find(|sent| sent.fate == Fate::Written);
        assert!(missing.is_none(), "the end has come, and not {missing:?}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn content(number: usize, size: usize) -> Vec<u8> {
        vec![number as u8; size]
    }

    fn course(fates: &[Fate]) -> Course {
        let mut course = Course::default();
        for fate in fates {
            let number = course.begin(Some(3));
            course.end(number, *fate);
        }
        course
    }

    #[test]
    fn what_was_not_sent_is_passed_over() {
        let mut course = course(&[Fate::Written, Fate::NotSent, Fate::Written]);
        for number in [0, 2] {
            course.take(Some(&content(number, 3)), content);
        }
        course.check_whole();
    }

    #[test]
    #[should_panic = "nobody has sent this"]
    fn what_was_not_sent_does_not_come() {
        course(&[Fate::NotSent]).take(Some(&content(0, 3)), content);
    }

    #[test]
    #[should_panic = "0 is missing"]
    fn what_was_written_is_not_passed_over() {
        course(&[Fate::Written; 2]).take(Some(&content(1, 3)), content);
    }

    #[test]
    #[should_panic = "nobody has sent this"]
    fn nothing_comes_twice() {
        let mut course = course(&[Fate::Written]);
        course.take(Some(&content(0, 3)), content);
        course.take(Some(&content(0, 3)), content);
    }

    #[test]
    #[should_panic = "was not sent, and has come"]
    fn what_has_come_was_sent() {
        let mut course = Course::default();
        let number = course.begin(Some(3));
        course.take(Some(&content(0, 3)), content);
        course.end(number, Fate::NotSent);
    }

    #[test]
    #[should_panic = "the end has come"]
    fn what_was_written_comes_before_the_end() {
        course(&[Fate::Written]).check_whole();
    }
}
