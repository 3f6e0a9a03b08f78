//! The native dialect: events as frames of `docs/PROTOCOL.md`, and back.
//!
//! The engine above speaks only of events. Another dialect (JSON-RPC as lines, say) stands beside
//! this one and touches nothing else.

use std::ops::Range;

use super::assembly::Key;
use super::event::{Event, Lives, Verb};
use super::wire::{
    self, Flags, HEADER_LEN, Header, Kind, MASK_LEN, PART_LEN, Scan, Scanner, SkipReason,
    TRAILER_LEN, UNIT,
};

/// Reads and writes native frames.
#[derive(Debug, Default)]
pub(crate) struct Dialect {
    scanner: Scanner,
}

/// What stands at the start of the unread bytes.
#[derive(Debug)]
pub(crate) enum Heard {
    More,
    Skip {
        used: usize,
        reason: SkipReason,
    },
    /// A whole event; its body stands at this range.
    Whole {
        verb: Verb,
        from: u64,
        to: u64,
        id: u64,
        body: Range<usize>,
        used: usize,
    },
    /// A part of an event.
    Part {
        verb: Verb,
        to: u64,
        key: Key,
        offset: usize,
        total: usize,
        body: Range<usize>,
        used: usize,
    },
}

impl Heard {
    /// The life that says it.
    pub(crate) fn life(&self) -> Option<u64> {
        match self {
            Self::Whole { from, .. } => Some(*from),
            Self::Part { key, .. } => Some(key.0),
            Self::More | Self::Skip { .. } => None,
        }
    }
}

impl Dialect {
    /// Bytes of an event that fit into one frame of a unit.
    const WHOLE: usize = UNIT - HEADER_LEN - MASK_LEN - TRAILER_LEN;

    /// Bytes of an event in a part.
    const PART: usize = Self::WHOLE - PART_LEN;

    /// Appends the frame that carries `event` from byte `from` on; answers where the next one
    /// starts, or `None` where this is the last. It is our life that says it; an event for whoever
    /// listens is addressed to the peer's, where that is known.
    pub(crate) fn encode(
        event: &Event,
        lives: Lives,
        from: usize,
        unit: &mut Vec<u8>,
    ) -> Option<usize> {
        let body = &event.body;
        let part = body.len() > Self::WHOLE;
        let start = wire::begin(unit, header(event, lives, part));
        if !part {
            unit.extend_from_slice(body);
            wire::seal(unit, start);
            return None;
        }
        let end = body.len().min(from + Self::PART);
        unit.extend_from_slice(&(from as u32).to_le_bytes());
        unit.extend_from_slice(&(body.len() as u32).to_le_bytes());
        unit.extend_from_slice(&body[from..end]);
        wire::seal(unit, start);
        (end < body.len()).then_some(end)
    }

    /// How long the frame that carries `event` from byte `from` on will be at most.
    pub(crate) fn frame_len(event: &Event, from: usize) -> usize {
        let left = event.body.len() - from;
        let around = HEADER_LEN + MASK_LEN + TRAILER_LEN;
        if event.body.len() > Self::WHOLE {
            around + PART_LEN + left.min(Self::PART)
        } else {
            around + left
        }
    }

    pub(crate) fn decode(&mut self, unread: &mut [u8]) -> Heard {
        let (header, payload, used) = match self.scanner.scan(unread) {
            Scan::More => return Heard::More,
            Scan::Skip { used, reason } => return Heard::Skip { used, reason },
            Scan::Frame { header, payload, used } => (header, payload, used),
        };
        let unknown = Heard::Skip { used, reason: SkipReason::Unknown };
        let Some(verb) = verb(header.kind) else { return unknown };
        let Header { epoch: from, to, id, .. } = header;
        // No life has this number: it stands for whoever listens.
        if from == 0 {
            return unknown;
        }
        if !header.flags.part {
            return Heard::Whole { verb, from, to, id, body: payload, used };
        }
        match wire::split_part(&unread[payload.clone()]) {
            Some((offset, total)) => {
                let body = payload.start + PART_LEN..payload.end;
                Heard::Part { verb, to, key: (from, id), offset, total, body, used }
            }
            None => unknown,
        }
    }
}

fn header(event: &Event, lives: Lives, part: bool) -> Header {
    Header {
        kind: kind(event.verb),
        flags: Flags { part, masked: false },
        epoch: lives.ours,
        to: if event.to == 0 { lives.peer } else { event.to },
        id: event.id,
    }
}

fn kind(verb: Verb) -> Kind {
    match verb {
        Verb::Request => Kind::Request,
        Verb::Reply => Kind::Reply,
        Verb::Failure => Kind::Failure,
        Verb::Cancel => Kind::Cancel,
        Verb::Cancelled => Kind::Cancelled,
        Verb::Ping => Kind::Ping,
        Verb::Pong => Kind::Pong,
        Verb::Goodbye => Kind::Goodbye,
        Verb::Item => Kind::Item,
        Verb::End => Kind::End,
        Verb::Credit => Kind::Credit,
    }
}

fn verb(kind: Kind) -> Option<Verb> {
    Some(match kind {
        Kind::Data => return None,
        Kind::Request => Verb::Request,
        Kind::Reply => Verb::Reply,
        Kind::Failure => Verb::Failure,
        Kind::Cancel => Verb::Cancel,
        Kind::Cancelled => Verb::Cancelled,
        Kind::Ping => Verb::Ping,
        Kind::Pong => Verb::Pong,
        Kind::Goodbye => Verb::Goodbye,
        Kind::Item => Verb::Item,
        Kind::End => Verb::End,
        Kind::Credit => Verb::Credit,
    })
}
