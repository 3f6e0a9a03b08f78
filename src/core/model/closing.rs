//! How far either side is with its end.

use super::{Cause, Row, State, row};

/// How far a client that closes is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum ClientClosing {
    Open,
    Draining,
    Saying,
    Hearing,
    Done,
}

impl State for ClientClosing {
    const OF: &'static str = "a client that closes";

    const STATES: &'static [(Self, &'static str)] = &[
        (Self::Open, "nobody closes it"),
        (Self::Draining, "what is under way comes to its end"),
        (Self::Saying, "the goodbye is on its way"),
        (Self::Hearing, "the writing end is closed, and the server is read to its end"),
        (Self::Done, "there is nothing to wait for"),
    ];

    const ROWS: &'static [Row<Self>] = &[
        row(&[Self::Open], Cause::Closed, Self::Draining, ""),
        row(&[Self::Draining], Cause::Settled, Self::Saying, ""),
        row(&[Self::Draining], Cause::Alone, Self::Done, "there is nobody to take leave of"),
        row(&[Self::Saying], Cause::Emptied, Self::Hearing, ""),
        row(&[Self::Hearing], Cause::Parted, Self::Done, ""),
        row(
            &[Self::Open, Self::Draining, Self::Saying, Self::Hearing],
            Cause::LetGo,
            Self::Done,
            "the deadline has come, or it ends with its server",
        ),
    ];

    const FIRST: Self = Self::Open;

    const LAST: Self = Self::Done;
}

/// How far a server that closes is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum ServerClosing {
    Open,
    Draining,
    Saying,
    Done,
}

impl State for ServerClosing {
    const OF: &'static str = "a server that closes";

    const STATES: &'static [(Self, &'static str)] = &[
        (Self::Open, "nobody closes it"),
        (Self::Draining, "what waits is declined, what is handed out is answered"),
        (Self::Saying, "the goodbye is on its way"),
        (Self::Done, "there is nothing to wait for"),
    ];

    const ROWS: &'static [Row<Self>] = &[
        row(&[Self::Open], Cause::Closed, Self::Draining, ""),
        row(&[Self::Draining], Cause::Settled, Self::Saying, ""),
        row(
            &[Self::Draining],
            Cause::Alone,
            Self::Done,
            "there is nobody to take leave of, or an answer is owed",
        ),
        row(&[Self::Saying], Cause::Emptied, Self::Done, ""),
        row(&[Self::Draining], Cause::LetGo, Self::Done, "at the deadline"),
        row(&[Self::Saying], Cause::LetGo, Self::Done, ""),
    ];

    const FIRST: Self = Self::Open;

    const LAST: Self = Self::Done;
}
