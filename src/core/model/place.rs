//! A place among the calls in flight, for a call that is to come.

use super::{Cause, Row, State, row};

/// How far a place among the calls in flight is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Place {
    Unasked,
    Waiting,
    Held,
    Over,
}

impl State for Place {
    const OF: &'static str = "a place among the calls in flight";

    const STATES: &'static [(Self, &'static str)] = &[
        (Self::Unasked, "nobody has asked for it"),
        (Self::Waiting, "it is waited for"),
        (Self::Held, "it is held for a call"),
        (Self::Over, "nothing is known of it"),
    ];

    const ROWS: &'static [Row<Self>] = &[
        row(&[Self::Unasked], Cause::Asked, Self::Waiting, ""),
        row(&[Self::Unasked], Cause::Asked, Self::Held, ""),
        row(&[Self::Waiting], Cause::Freed, Self::Held, ""),
        row(&[Self::Waiting], Cause::Left, Self::Over, ""),
        row(&[Self::Waiting], Cause::Closed, Self::Over, "there will be no more calls"),
        row(&[Self::Waiting], Cause::LetGo, Self::Over, ""),
        row(&[Self::Held], Cause::Begun, Self::Over, ""),
        row(&[Self::Held], Cause::Left, Self::Over, ""),
    ];

    const FIRST: Self = Self::Unasked;

    const LAST: Self = Self::Over;
}
