//! What either side knows of the other's life.

use super::{Cause, Row, State, row};

/// How far a server, as its client knows it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum ServerLife {
    Unknown,
    Met,
    Known,
    Doubted,
    Parting,
    Leaving,
    Gone,
}

impl State for ServerLife {
    const OF: &'static str = "a server, as its client knows it";

    const STATES: &'static [(Self, &'static str)] = &[
        (Self::Unknown, "nothing was read of it"),
        (Self::Met, "something was read, and nothing that it says to us"),
        (Self::Known, "it has spoken to us, and what we say is said to it"),
        (Self::Doubted, "it may have ended unnoticed, and what we say is said to whoever reads"),
        (Self::Parting, "it has said goodbye"),
        (Self::Leaving, "it has left, and its last words are read"),
        (Self::Gone, "both ends are closed"),
    ];

    const ROWS: &'static [Row<Self>] = &[
        row(&[Self::Unknown], Cause::Read, Self::Met, ""),
        row(&[Self::Met], Cause::Heard, Self::Known, ""),
        row(&[Self::Known], Cause::Unanswered, Self::Doubted, "another may have taken its place"),
        row(&[Self::Known], Cause::Poisoned, Self::Doubted, ""),
        row(&[Self::Doubted], Cause::Heard, Self::Known, ""),
        row(&[Self::Known, Self::Doubted], Cause::Goodbye, Self::Parting, ""),
        row(
            &[Self::Unknown, Self::Met, Self::Known, Self::Doubted, Self::Parting],
            Cause::Lost,
            Self::Leaving,
            "",
        ),
        row(
            &[Self::Known, Self::Doubted, Self::Parting],
            Cause::Relieved,
            Self::Leaving,
            "the next server speaks",
        ),
        row(
            &[Self::Met, Self::Known, Self::Doubted, Self::Parting],
            Cause::HungUp,
            Self::Unknown,
            "a server holds its end for life",
        ),
        row(
            &[Self::Met, Self::Known, Self::Doubted, Self::Parting],
            Cause::NewIncoming,
            Self::Unknown,
            "nothing would tell whether it lives",
        ),
        row(&[Self::Leaving], Cause::Quiet, Self::Unknown, ""),
        row(&[Self::Leaving], Cause::HungUp, Self::Unknown, ""),
        row(&[Self::Leaving], Cause::NewIncoming, Self::Unknown, ""),
        row(
            &[Self::Unknown, Self::Met, Self::Known, Self::Doubted, Self::Parting, Self::Leaving],
            Cause::LetGo,
            Self::Gone,
            "",
        ),
    ];

    const FIRST: Self = Self::Unknown;

    const LAST: Self = Self::Gone;
}

/// How far a client, as its server knows it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum ClientLife {
    Unknown,
    Speaking,
    Known,
    Parting,
    SeenOff,
    Shunned,
    Leaving,
    Gone,
}

impl State for ClientLife {
    const OF: &'static str = "a client, as its server knows it";

    const STATES: &'static [(Self, &'static str)] = &[
        (Self::Unknown, "nobody has spoken"),
        (Self::Speaking, "it speaks to whoever reads"),
        (Self::Known, "it speaks to us"),
        (Self::Parting, "it has said goodbye, and is to be answered"),
        (Self::SeenOff, "goodbye was said to it"),
        (Self::Shunned, "it was given up, and is not heard"),
        (Self::Leaving, "it reads no longer, and its last words are read"),
        (Self::Gone, "both ends are closed"),
    ];

    const ROWS: &'static [Row<Self>] = &[
        row(&[Self::Unknown], Cause::Spoken, Self::Speaking, ""),
        row(&[Self::Speaking], Cause::Heard, Self::Known, ""),
        row(&[Self::Speaking], Cause::Goodbye, Self::Parting, ""),
        row(&[Self::Known], Cause::Goodbye, Self::Parting, ""),
        row(&[Self::Parting], Cause::Settled, Self::SeenOff, ""),
        row(
            &[Self::Parting, Self::SeenOff],
            Cause::Emptied,
            Self::Unknown,
            "our end is closed, so that it reads to the end",
        ),
        row(
            &[Self::Speaking, Self::Known, Self::Parting, Self::SeenOff],
            Cause::Relieved,
            Self::Speaking,
            "there is one client at a time",
        ),
        row(
            &[Self::Speaking, Self::Known, Self::Parting, Self::SeenOff],
            Cause::Evicted,
            Self::Shunned,
            "",
        ),
        row(
            &[Self::Shunned],
            Cause::Spoken,
            Self::Speaking,
            "another life: of this one nothing is heard",
        ),
        row(&[Self::Shunned], Cause::HungUp, Self::Unknown, ""),
        row(
            &[
                Self::Unknown,
                Self::Speaking,
                Self::Known,
                Self::Parting,
                Self::SeenOff,
                Self::Shunned,
            ],
            Cause::Lost,
            Self::Leaving,
            "",
        ),
        row(&[Self::Leaving], Cause::Quiet, Self::Unknown, ""),
        row(&[Self::Leaving], Cause::HungUp, Self::Unknown, ""),
        row(&[Self::Leaving], Cause::NewIncoming, Self::Unknown, ""),
        row(&[Self::Leaving], Cause::Relieved, Self::Unknown, ""),
        row(&[Self::Leaving], Cause::Full, Self::Unknown, ""),
        row(
            &[
                Self::Unknown,
                Self::Speaking,
                Self::Known,
                Self::Parting,
                Self::SeenOff,
                Self::Shunned,
                Self::Leaving,
            ],
            Cause::LetGo,
            Self::Gone,
            "",
        ),
    ];

    const FIRST: Self = Self::Unknown;

    const LAST: Self = Self::Gone;
}
