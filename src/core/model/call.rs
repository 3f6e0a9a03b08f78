//! A call, as its client knows it.

use super::{Cause, Row, State, row};

/// How far a call at the client is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Call {
    Unmade,
    Queued,
    Begun,
    Written,
    Streaming,
    Cancelling,
    Crossed,
    Answered,
    Ended,
    Disowned,
    Over,
}

impl State for Call {
    const OF: &'static str = "a call at the client";

    const STATES: &'static [(Self, &'static str)] = &[
        (Self::Unmade, "nobody has made it"),
        (Self::Queued, "no byte of its request is written"),
        (Self::Begun, "some of its request is written"),
        (Self::Written, "all of its request is written"),
        (Self::Streaming, "an item of it has come, and it is not answered"),
        (Self::Cancelling, "it is cancelled, and the server has not said so yet"),
        (Self::Crossed, "it is answered, and its cancel is not"),
        (Self::Answered, "the server has answered, and its owner has not looked"),
        (Self::Ended, "it ends without an answer, and its owner has not looked"),
        (Self::Disowned, "it has no owner, and its cancel is not acknowledged"),
        (Self::Over, "nothing is known of it"),
    ];

    const ROWS: &'static [Row<Self>] = &[
        row(&[Self::Unmade], Cause::Begun, Self::Queued, ""),
        row(&[Self::Queued], Cause::Accepted, Self::Begun, ""),
        row(&[Self::Begun], Cause::Accepted, Self::Written, ""),
        row(
            &[Self::Begun],
            Cause::Answered,
            Self::Answered,
            "refused for what its first part says",
        ),
        row(&[Self::Written], Cause::Answered, Self::Answered, ""),
        row(&[Self::Begun], Cause::Accepted, Self::Answered, "nobody is to answer a notification"),
        row(&[Self::Written], Cause::Flowed, Self::Streaming, ""),
        row(&[Self::Streaming], Cause::Answered, Self::Answered, ""),
        row(&[Self::Streaming], Cause::Flowed, Self::Answered, "an item of it is lost"),
        row(
            &[Self::Begun],
            Cause::Answered,
            Self::Queued,
            "declined by another life than it was for, and may be put again",
        ),
        row(
            &[Self::Written],
            Cause::Answered,
            Self::Queued,
            "declined by another life than it was for, and may be put again",
        ),
        row(
            &[Self::Queued],
            Cause::Cancelled,
            Self::Ended,
            "the server has nothing of it, and is told nothing",
        ),
        row(&[Self::Begun], Cause::Cancelled, Self::Ended, "what is unwritten never will be"),
        row(&[Self::Written], Cause::Cancelled, Self::Cancelling, ""),
        row(&[Self::Streaming], Cause::Cancelled, Self::Cancelling, ""),
        row(
            &[Self::Written],
            Cause::Cancelled,
            Self::Ended,
            "it is declined, and waits for the next server",
        ),
        row(&[Self::Cancelling], Cause::Answered, Self::Crossed, "the reply was on its way"),
        row(&[Self::Cancelling], Cause::Acknowledged, Self::Ended, ""),
        row(&[Self::Crossed], Cause::Acknowledged, Self::Answered, ""),
        row(&[Self::Disowned], Cause::Acknowledged, Self::Over, ""),
        row(&[Self::Disowned], Cause::Left, Self::Over, ""),
        row(&[Self::Answered], Cause::Taken, Self::Over, ""),
        row(&[Self::Ended], Cause::Taken, Self::Over, ""),
        row(&[Self::Crossed], Cause::Taken, Self::Disowned, ""),
        row(&[Self::Crossed], Cause::Taken, Self::Over, "nobody waits for the acknowledgement"),
        row(&[Self::Queued], Cause::Expired, Self::Over, ""),
        row(&[Self::Begun], Cause::Expired, Self::Over, ""),
        row(&[Self::Written], Cause::Expired, Self::Over, "the server is told"),
        row(&[Self::Streaming], Cause::Expired, Self::Over, "the server is told"),
        row(&[Self::Cancelling], Cause::Expired, Self::Disowned, ""),
        row(
            &[Self::Cancelling],
            Cause::Expired,
            Self::Over,
            "nobody waits for the acknowledgement",
        ),
        row(&[Self::Queued], Cause::Dropped, Self::Over, ""),
        row(&[Self::Begun], Cause::Dropped, Self::Over, ""),
        row(&[Self::Written], Cause::Dropped, Self::Over, "the server is told"),
        row(&[Self::Streaming], Cause::Dropped, Self::Over, "the server is told"),
        row(&[Self::Cancelling], Cause::Dropped, Self::Disowned, ""),
        row(
            &[Self::Cancelling],
            Cause::Dropped,
            Self::Over,
            "nobody waits for the acknowledgement",
        ),
        row(&[Self::Crossed], Cause::Dropped, Self::Disowned, ""),
        row(&[Self::Crossed], Cause::Dropped, Self::Over, "nobody waits for the acknowledgement"),
        row(&[Self::Answered], Cause::Dropped, Self::Over, ""),
        row(&[Self::Ended], Cause::Dropped, Self::Over, ""),
        row(
            &[Self::Begun],
            Cause::Departed,
            Self::Ended,
            "a call that is queued waits for the next server",
        ),
        row(&[Self::Written], Cause::Departed, Self::Ended, ""),
        row(&[Self::Streaming], Cause::Departed, Self::Ended, ""),
        row(&[Self::Begun], Cause::Departed, Self::Queued, "it may be put again"),
        row(&[Self::Written], Cause::Departed, Self::Queued, "it may be put again"),
        row(
            &[Self::Queued],
            Cause::Unread,
            Self::Ended,
            "it was put again to the life that is over, and to no other",
        ),
        row(&[Self::Cancelling], Cause::Departed, Self::Ended, ""),
        row(&[Self::Crossed], Cause::Departed, Self::Answered, ""),
        row(&[Self::Disowned], Cause::Departed, Self::Over, ""),
        row(
            &[Self::Begun],
            Cause::Poisoned,
            Self::Ended,
            "this life of the client ends with all that the server may have seen",
        ),
        row(&[Self::Written], Cause::Poisoned, Self::Ended, ""),
        row(&[Self::Streaming], Cause::Poisoned, Self::Ended, ""),
        row(&[Self::Begun], Cause::Poisoned, Self::Queued, "it may be put again"),
        row(&[Self::Written], Cause::Poisoned, Self::Queued, "it may be put again"),
        row(&[Self::Cancelling], Cause::Poisoned, Self::Ended, ""),
        row(&[Self::Crossed], Cause::Poisoned, Self::Answered, ""),
        row(&[Self::Disowned], Cause::Poisoned, Self::Over, ""),
        row(&[Self::Queued], Cause::LetGo, Self::Ended, ""),
        row(&[Self::Begun], Cause::LetGo, Self::Ended, ""),
        row(&[Self::Written], Cause::LetGo, Self::Ended, ""),
        row(&[Self::Streaming], Cause::LetGo, Self::Ended, ""),
        row(&[Self::Cancelling], Cause::LetGo, Self::Ended, ""),
        row(&[Self::Crossed], Cause::LetGo, Self::Answered, ""),
        row(&[Self::Disowned], Cause::LetGo, Self::Over, ""),
    ];

    const FIRST: Self = Self::Unmade;

    const LAST: Self = Self::Over;
}
