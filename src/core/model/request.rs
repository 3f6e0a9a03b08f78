//! A request, as its server knows it.

use super::{Cause, Row, State, row};

/// How far a request at the server is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Request {
    Unheard,
    Coming,
    Waiting,
    InHand,
    Unwanted,
    Replying,
    Replied,
    Refusing,
    Over,
}

impl State for Request {
    const OF: &'static str = "a request at the server";

    const STATES: &'static [(Self, &'static str)] = &[
        (Self::Unheard, "nothing of it has come"),
        (Self::Coming, "some parts of it have come"),
        (Self::Waiting, "it waits to be taken"),
        (Self::InHand, "it is handed out"),
        (Self::Unwanted, "it is handed out, and nobody wants the answer"),
        (Self::Replying, "its answer is on its way"),
        (Self::Replied, "its answer is written, and whoever answered has not looked"),
        (Self::Refusing, "the news that it failed is on its way, and nobody waits for that"),
        (Self::Over, "nothing is known of it"),
    ];

    const ROWS: &'static [Row<Self>] = &[
        row(&[Self::Unheard], Cause::Part, Self::Coming, ""),
        row(&[Self::Unheard], Cause::Came, Self::Waiting, ""),
        row(&[Self::Unheard], Cause::Declined, Self::Refusing, ""),
        row(&[Self::Coming], Cause::Came, Self::Waiting, ""),
        row(&[Self::Coming], Cause::Cancelled, Self::Over, ""),
        row(
            &[Self::Coming],
            Cause::Relieved,
            Self::Over,
            "what one client has begun is not finished by the next",
        ),
        row(&[Self::Coming], Cause::NewIncoming, Self::Over, "the rest is in another FIFO"),
        row(&[Self::Coming], Cause::Crowded, Self::Over, ""),
        row(&[Self::Coming], Cause::Evicted, Self::Over, ""),
        row(&[Self::Waiting], Cause::Taken, Self::InHand, ""),
        row(&[Self::Waiting], Cause::Taken, Self::Unwanted, "its client has left since"),
        row(&[Self::Waiting], Cause::Taken, Self::Refusing, "its key is known, or has no room"),
        row(&[Self::Waiting], Cause::Cancelled, Self::Over, ""),
        row(&[Self::Waiting], Cause::Expired, Self::Over, "nobody waits for the answer"),
        row(&[Self::Waiting], Cause::Evicted, Self::Over, ""),
        row(&[Self::Waiting], Cause::Closing, Self::Refusing, "it is declined"),
        row(&[Self::InHand], Cause::Answered, Self::Replying, ""),
        row(
            &[Self::InHand],
            Cause::Answered,
            Self::Over,
            "its client has left, and the answer is kept for whoever asks again by its key",
        ),
        row(
            &[Self::InHand],
            Cause::Taken,
            Self::Over,
            "its key is known: the answer is kept, or is for another that asks",
        ),
        row(&[Self::InHand], Cause::Refused, Self::Refusing, ""),
        row(&[Self::InHand], Cause::Refused, Self::Over, "too many such news wait to be read"),
        row(&[Self::InHand], Cause::Cancelled, Self::Unwanted, ""),
        row(&[Self::InHand], Cause::Relieved, Self::Unwanted, ""),
        row(&[Self::InHand], Cause::Departed, Self::Unwanted, ""),
        row(&[Self::InHand], Cause::Evicted, Self::Unwanted, ""),
        row(&[Self::InHand], Cause::LetGo, Self::Unwanted, ""),
        row(
            &[Self::Unwanted],
            Cause::Spoken,
            Self::InHand,
            "its client was taken for gone, and is not",
        ),
        row(&[Self::Unwanted], Cause::Answered, Self::Over, ""),
        row(&[Self::Unwanted], Cause::Refused, Self::Over, ""),
        row(&[Self::Unwanted], Cause::Abandoned, Self::Over, ""),
        row(&[Self::Unwanted], Cause::Heeded, Self::Over, ""),
        row(&[Self::Replying], Cause::Accepted, Self::Replied, ""),
        row(&[Self::Replying], Cause::Abandoned, Self::Refusing, ""),
        row(&[Self::Replying], Cause::Abandoned, Self::Over, "too many such news wait to be read"),
        row(&[Self::Replying], Cause::Expired, Self::Refusing, ""),
        row(&[Self::Replying], Cause::Expired, Self::Over, "too many such news wait to be read"),
        row(&[Self::Replying], Cause::Cancelled, Self::Unwanted, "what is unwritten never will be"),
        row(&[Self::Replying], Cause::Relieved, Self::Unwanted, ""),
        row(&[Self::Replying], Cause::Departed, Self::Unwanted, ""),
        row(&[Self::Replying], Cause::Evicted, Self::Unwanted, ""),
        row(&[Self::Replying], Cause::LetGo, Self::Unwanted, ""),
        row(&[Self::Replied], Cause::Heeded, Self::Over, ""),
        row(&[Self::Replied], Cause::Abandoned, Self::Over, ""),
        row(
            &[Self::Replied],
            Cause::Cancelled,
            Self::Unwanted,
            "whoever answered is told that it was written",
        ),
        row(&[Self::Replied], Cause::Relieved, Self::Unwanted, ""),
        row(&[Self::Replied], Cause::Departed, Self::Unwanted, ""),
        row(&[Self::Replied], Cause::Evicted, Self::Unwanted, ""),
        row(&[Self::Replied], Cause::LetGo, Self::Unwanted, ""),
        row(&[Self::Refusing], Cause::Accepted, Self::Over, ""),
        row(&[Self::Refusing], Cause::Cancelled, Self::Over, ""),
        row(&[Self::Refusing], Cause::Departed, Self::Over, ""),
        row(&[Self::Refusing], Cause::Evicted, Self::Over, ""),
        row(&[Self::Refusing], Cause::HungUp, Self::Over, "whoever asked has left without reading"),
        row(&[Self::Refusing], Cause::NewIncoming, Self::Over, ""),
        row(&[Self::Refusing], Cause::LetGo, Self::Over, ""),
    ];

    const FIRST: Self = Self::Unheard;

    const LAST: Self = Self::Over;
}
