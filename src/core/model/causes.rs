//! Why anything changes: what is said, heard, or happens.

use std::fmt;

/// What is said, heard, or happens.
///
/// Each is known to whoever watches a session from outside: from what was done with it, from what
/// the kernel has answered, from what came, or from the clock. Only that all is settled or written,
/// which ends a session, is read off the session itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Cause {
    Abandoned,
    Accepted,
    Acknowledged,
    Alone,
    Answered,
    Asked,
    Begun,
    Came,
    Cancelled,
    Closed,
    Closing,
    Crowded,
    Declined,
    Departed,
    Dropped,
    Emptied,
    Evicted,
    Expired,
    Flowed,
    Freed,
    Full,
    Goodbye,
    Heard,
    Heeded,
    HungUp,
    Left,
    LetGo,
    Lost,
    NewIncoming,
    Part,
    Parted,
    Poisoned,
    Quiet,
    Read,
    Refused,
    Relieved,
    Sent,
    Settled,
    Spoken,
    Taken,
    Unanswered,
    Unread,
}

impl Cause {
    /// All of them in the order above, and the words for each.
    pub(crate) const ALL: &'static [(Self, &'static str)] = &[
        (Self::Abandoned, "whoever answers it gives that up"),
        (Self::Accepted, "the FIFO takes bytes"),
        (Self::Acknowledged, "its cancel is acknowledged"),
        (Self::Alone, "all is settled, and nobody reads"),
        (Self::Answered, "it is answered"),
        (Self::Asked, "it is asked for"),
        (Self::Begun, "the call begins"),
        (Self::Came, "the last of it comes"),
        (Self::Cancelled, "it is cancelled"),
        (Self::Closed, "somebody closes this side"),
        (Self::Closing, "this side is closing"),
        (Self::Crowded, "a part of it is lost, or another takes its room"),
        (Self::Declined, "there is no room for it, or it is for another life"),
        (Self::Departed, "the life of the peer ends"),
        (Self::Dropped, "its owner drops it"),
        (Self::Emptied, "nothing is left to be written"),
        (Self::Evicted, "the client is given up, because it does not read"),
        (Self::Expired, "its time is over"),
        (Self::Flowed, "an item of it comes, or room for one"),
        (Self::Freed, "a place is free"),
        (Self::Full, "there is no room to hear more"),
        (Self::Goodbye, "it has said goodbye"),
        (Self::Heard, "it speaks to this life of ours"),
        (Self::Heeded, "whoever answers it hears what became of that"),
        (Self::HungUp, "the last writer has left"),
        (Self::Left, "nobody waits for it any more"),
        (Self::LetGo, "this side lets go of both ends"),
        (Self::Lost, "nobody reads what is for it, or that path leads to another FIFO"),
        (Self::NewIncoming, "the path that is read leads to another FIFO"),
        (Self::Part, "a part of it comes"),
        (Self::Parted, "the server has left, or has said goodbye"),
        (Self::Poisoned, "a cancel is not acknowledged in time"),
        (Self::Quiet, "there is nothing left to read"),
        (Self::Read, "bytes are read"),
        (Self::Refused, "whoever has it refuses it"),
        (Self::Relieved, "another life speaks"),
        (Self::Sent, "an item of it is sent"),
        (Self::Settled, "all is settled"),
        (Self::Spoken, "a client speaks"),
        (Self::Taken, "whoever waits for it takes it"),
        (Self::Unanswered, "a call is not answered in time"),
        (Self::Unread, "opening is refused: nobody reads, or there is nothing to open"),
    ];

    /// The words for it.
    pub(crate) fn words(self) -> &'static str {
        Self::ALL[self as usize].1
    }
}

/// Several causes at once.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Causes(u64);

impl Causes {
    pub(crate) fn with(self, cause: Cause) -> Self {
        Self(self.0 | 1 << cause as u64)
    }

    pub(crate) fn and(self, others: Self) -> Self {
        Self(self.0 | others.0)
    }

    pub(crate) fn has(self, cause: Cause) -> bool {
        self.0 & (1 << cause as u64) != 0
    }
}

impl fmt::Debug for Causes {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        let held = Cause::ALL.iter().map(|(cause, _)| cause).filter(|cause| self.has(**cause));
        to.debug_set().entries(held).finish()
    }
}
