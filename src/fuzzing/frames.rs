//! Bytes through both framings and the dialect, in pieces of any size.
//!
//! Three questions, each with an answer of its own to compare with. *What is embedded comes out*:
//! messages between garbage, torn and voided frames are received, all and in order, and nothing
//! else is. *What comes out was there*: of any bytes at all, a message that is received stands in
//! them, in a frame whose checksum holds. *Lines are lines*: what is received is what splitting at
//! newlines gives.

use std::collections::VecDeque;

use super::{Choices, noise};
use crate::core::buffer::Buffer;
use crate::core::event::Verb;
use crate::core::inbox::{Inbox, Limits};
use crate::core::messages::Message;
use crate::core::outbox::Outbox;
use crate::core::recv::{EndOfWriters, Incoming};
use crate::core::script::{Clock, Pipe, Place, ReadOpener, WriteEnd};
use crate::core::step::Step;
use crate::core::wire::{self, HEADER_LEN, Header, MAGIC, MASK_LEN, TRAILER_LEN};
use crate::deadline::Deadline;
use crate::error::ErrorKind;
use crate::framing::{Encoded, Framing, Lines, Native, Room};
use crate::pipe::{Opener, Read};

/// The largest message; few bytes, so that a fuzzer gets beyond them.
const LIMIT: usize = 4096;

/// Feeds any bytes to whatever reads frames.
pub fn frames(data: &[u8]) {
    let mut choices = Choices(data);
    let mode = choices.byte();
    let count = choices.below(16);
    let sizes: Vec<usize> = (0..count).map(|_| choices.size()).collect();
    match mode % 4 {
        0 => embedded(&mut choices, &sizes),
        1 => any_frames(choices.0, &sizes),
        2 => any_lines(choices.0, &sizes),
        _ => any_events(choices.0, &sizes),
    }
}

/// Builds a stream that mixes messages with all that is none.
fn embedded(choices: &mut Choices<'_>, sizes: &[usize]) {
    let mut stream = Vec::new();
    let mut expected = Vec::new();
    let mut too_large = 0;
    let mut epoch = 0;
    while !choices.is_empty() && stream.len() < 1 << 19 {
        epoch += 1;
        let op = choices.byte();
        let frame = |choices: &mut Choices<'_>| {
            let count = choices.size().min(1000);
            framed(choices.bytes(count), epoch, 4096).concat()
        };
        match op % 8 {
            0 => {
                let count = choices.size().min(LIMIT);
                let message = choices.bytes(count);
                let room = 80 + choices.size();
                stream.extend(framed(message, epoch, room).concat());
                expected.push(message.to_vec());
            }
            1 => interleaved(choices, epoch, &mut stream, &mut expected),
            2 => stream.extend(choices.garbage()),
            3 => {
                let torn = frame(choices);
                let cut = choices.size() % torn.len();
                stream.extend(&torn[..cut]);
            }
            4 => {
                let tail = frame(choices);
                // Behind its header, or a torn head before it could make it whole.
                let cut = HEADER_LEN + choices.size() % (tail.len() - HEADER_LEN);
                stream.extend(&tail[cut..]);
            }
            5 => {
                let mut voided = frame(choices);
                wire::void(&mut voided);
                stream.extend(voided);
            }
            6 => stream.extend(unknown(choices)),
            _ => {
                let over = LIMIT + 1 + choices.size();
                let large: Vec<u8> = noise(over, epoch as u32).collect();
                let room = 80 + choices.size();
                stream.extend(framed(&large, epoch, room).concat());
                too_large += 1;
            }
        }
    }
    let received = receive(Native::default(), &stream, sizes);
    assert_eq!(received.messages, expected, "what is embedded comes out, and nothing else");
    assert_eq!(received.too_large, too_large);
}

/// Two messages in parts that take turns.
fn interleaved(
    choices: &mut Choices<'_>,
    epoch: u64,
    stream: &mut Vec<u8>,
    expected: &mut Vec<Vec<u8>>,
) {
    let room = 80 + choices.size();
    let mut writers = [1_u64, 2].map(|writer| {
        let message: Vec<u8> = noise(choices.size().min(LIMIT / 4), epoch as u32).collect();
        let frames = framed(&message, epoch << 8 | writer, room);
        (message, VecDeque::from(frames))
    });
    while writers.iter().any(|(_, frames)| !frames.is_empty()) {
        let mut turn = choices.below(2);
        if writers[turn].1.is_empty() {
            turn = 1 - turn;
        }
        let (message, frames) = &mut writers[turn];
        stream.extend(frames.pop_front().into_iter().flatten());
        if frames.is_empty() {
            expected.push(message.clone());
        }
    }
}

/// The frames of one message, each in a write of its own.
fn framed(message: &[u8], epoch: u64, room: usize) -> Vec<Vec<u8>> {
    let room = Room { bytes: room.clamp(80, wire::MAX_FRAME), shared: true };
    let mut framing = Native::default();
    framing.begin(wire::epoch_from(epoch.wrapping_mul(0x9E37_79B9_7F4A_7C15)));
    let (mut frames, mut from) = (Vec::new(), 0);
    loop {
        let mut unit = Vec::new();
        let encoded = framing.encode(message, from, &mut unit, room);
        framing.finish(&mut unit);
        frames.push(unit);
        match encoded {
            Ok(Encoded::Whole) => return frames,
            Ok(Encoded::Until(end)) => from = end,
            Err(error) => panic!("native frames carry anything: {error}"),
        }
    }
}

/// A checked frame of a kind, a version or flags that this version does not know, or of a session.
fn unknown(choices: &mut Choices<'_>) -> Vec<u8> {
    let count = choices.size().min(200);
    let message = choices.bytes(count);
    let mut unit = framed(message, 99, 4096).concat();
    unit.truncate(unit.len() - TRAILER_LEN);
    match choices.below(4) {
        0 => unit[4] = 2 + choices.byte() % 100,
        1 => unit[5] = 10 + choices.byte() % 100,
        2 => unit[6] |= 4 << choices.below(6),
        _ => unit[5] = 2 + choices.byte() % 8,
    }
    let checksum = crc32fast::hash(&unit);
    unit.extend(checksum.to_le_bytes());
    unit
}

/// Any bytes as one-way frames.
fn any_frames(bytes: &[u8], sizes: &[usize]) {
    let candidates = candidates(bytes);
    let received = receive(Native::default(), bytes, sizes);
    for message in &received.messages {
        let stands_whole = candidates.iter().any(|frame| frame.items().any(|item| item == message));
        assert!(
            stands_whole || stands_in_parts(message, &candidates),
            "a message of {} bytes that nobody wrote",
            message.len()
        );
    }
}

/// Any bytes as lines.
fn any_lines(bytes: &[u8], sizes: &[usize]) {
    let received = receive(Lines::default(), bytes, sizes);
    let mut lines: Vec<_> = bytes.split(|byte| *byte == b'\n').collect();
    // What follows the last newline is no line yet; too long already, it is an error already.
    let tail = lines.pop().map_or(0, <[u8]>::len);
    let (whole, over): (Vec<_>, Vec<_>) = lines.into_iter().partition(|line| line.len() <= LIMIT);
    assert_eq!(received.messages, whole);
    let over = over.len() + usize::from(tail >= Buffer::CAPACITY);
    assert_eq!(received.too_large, over);
}

/// Any bytes as the events of a session.
fn any_events(bytes: &[u8], sizes: &[usize]) {
    let candidates = candidates(bytes);
    let (pipe, mut opener, _writer) = pipe_of(bytes, sizes);
    let Ok(crate::pipe::Attempt::Open(mut end)) = opener.attempt() else { return };
    let mut inbox = Inbox::new(Limits::of(LIMIT), 1);
    let mut outbox = Outbox::default();
    for _ in 0..pipe.len() + sizes.len() + 2 {
        let is_done = match inbox.fill(&mut end) {
            Ok(Some(Read::Bytes(_)) | None) => false,
            Ok(Some(_)) => pipe.len() == 0,
            Err(error) => panic!("{error}"),
        };
        // A front end takes what has come; answers are never written.
        for _ in 0..=Buffer::CAPACITY {
            inbox.hear(&mut outbox);
            assert!(inbox.held() <= 2 * (LIMIT + Buffer::CAPACITY), "{} bytes", inbox.held());
            assert!(outbox.held() <= Buffer::CAPACITY, "{} bytes", outbox.held());
            let Some(event) = inbox.next_event() else { break };
            let made_here = event.verb == Verb::Failure;
            assert!(
                made_here
                    || candidates.iter().any(|frame| frame.payload == event.body)
                    || stands_in_parts(&event.body, &candidates),
                "an event that nobody sent"
            );
        }
        if is_done || inbox.is_full(&outbox) {
            return;
        }
    }
}

/// What came out of a receiver.
struct Received {
    messages: Vec<Vec<u8>>,
    too_large: usize,
}

/// Feeds `bytes` to a receiver, in pieces of these sizes and then as they come.
fn receive<F: Framing>(framing: F, bytes: &[u8], sizes: &[usize]) -> Received {
    let (pipe, opener, _writer) = pipe_of(bytes, sizes);
    let mut incoming: Incoming<ReadOpener, F> =
        Incoming::new(opener, framing, LIMIT, EndOfWriters::Wait);
    let mut received = Received { messages: Vec::new(), too_large: 0 };
    let now = Clock::new().now;
    let mut silences = 0;
    // A step reads, or consumes, or ends a message; zero-sized pieces are silences.
    while silences <= sizes.len() + 1 {
        match incoming.step(now, Deadline::NEVER) {
            Ok(Step::Done(found)) => received.messages.push(match incoming.message(found) {
                Message::Borrowed(bytes) => bytes.to_vec(),
                Message::Owned(bytes) => bytes.clone(),
            }),
            Ok(Step::Wait(wait)) => silences += usize::from(!wait.until.passed(now)),
            Err(error) if error.kind() == ErrorKind::TooLarge => received.too_large += 1,
            Err(error) => assert_eq!(error.kind(), ErrorKind::Torn, "{error}"),
        }
        assert!(incoming.held() <= LIMIT + Buffer::CAPACITY, "{} bytes", incoming.held());
    }
    assert_eq!(pipe.len(), 0, "everything is read");
    received
}

fn pipe_of(bytes: &[u8], sizes: &[usize]) -> (Pipe, ReadOpener, WriteEnd) {
    let place = Place::with_pipe(1 << 20);
    let pipe = place.pipe();
    let writer = pipe.writer(&place);
    pipe.put(bytes);
    pipe.script_reads(sizes.iter().copied());
    (pipe, place.reader(), writer)
}

/// A frame whose checksum holds, wherever it stands.
struct Candidate {
    header: Header,
    payload: Vec<u8>,
}

impl Candidate {
    /// The messages of a frame that carries small ones.
    fn items(&self) -> impl Iterator<Item = &[u8]> {
        let mut rest = if self.header.flags.part { &[][..] } else { &self.payload };
        std::iter::from_fn(move || {
            let (length, behind) = rest.split_first_chunk::<4>()?;
            let item = behind.get(..u32::from_le_bytes(*length) as usize)?;
            rest = &behind[item.len()..];
            Some(item)
        })
    }
}

/// All frames that could be meant, found without any of the code that is tried here.
fn candidates(bytes: &[u8]) -> Vec<Candidate> {
    let starts = (0..bytes.len()).filter(|at| bytes[*at..].starts_with(&MAGIC));
    starts.filter_map(|at| candidate(&bytes[at..])).collect()
}

fn candidate(bytes: &[u8]) -> Option<Candidate> {
    let head = bytes.first_chunk::<HEADER_LEN>()?;
    let length = u32::from_le_bytes([head[8], head[9], head[10], head[11]]) as usize;
    let (frame, behind) = bytes.split_at_checked(HEADER_LEN.checked_add(length)?)?;
    let checksum = u32::from_le_bytes(*behind.first_chunk::<TRAILER_LEN>()?);
    if crc32fast::hash(frame) != checksum || head[4] != wire::VERSION {
        return None;
    }
    let header = Header::from_bytes(head)?;
    let mut payload = frame[HEADER_LEN..].to_vec();
    if header.flags.masked {
        let mask = *payload.first_chunk::<MASK_LEN>()?;
        payload.drain(..MASK_LEN);
        payload.iter_mut().zip(mask.iter().cycle()).for_each(|(byte, mask)| *byte ^= mask);
    }
    Some(Candidate { header, payload })
}

/// Whether parts of one message cover `message` from its start to its end.
fn stands_in_parts(message: &[u8], candidates: &[Candidate]) -> bool {
    let parts = || candidates.iter().filter(|frame| frame.header.flags.part);
    let fits = |frame: &Candidate, key: (u64, u64), at: usize| {
        let (offset, total) = wire::split_part(&frame.payload)?;
        let bytes = &frame.payload[wire::PART_LEN..];
        let same = (frame.header.epoch, frame.header.id) == key
            && (offset, total) == (at, message.len())
            && message.get(at..at + bytes.len()) == Some(bytes);
        same.then_some(bytes.len())
    };
    parts().any(|first| {
        let key = (first.header.epoch, first.header.id);
        let mut at = 0;
        while let Some(more) =
            parts().filter_map(|frame| fits(frame, key, at)).max().filter(|more| *more > 0)
        {
            at += more;
        }
        at == message.len()
    })
}
