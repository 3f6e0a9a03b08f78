//! The test vectors of `docs/PROTOCOL.md`, read from the page itself and checked both ways.

use std::time::Duration;

use super::tests::{Found, read, read_in};
use super::*;
use crate::core::dialect::{Dialect, Heard};
use crate::core::event::{Event, Lives};
use crate::framing::{Decoded, Encoded, Framing, Native, Room};

const PAGE: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/PROTOCOL.md"));

/// A part: offset, total, bytes.
type Part = (usize, usize, Vec<u8>);

/// One vector of the page.
#[derive(Debug, Default)]
struct Vector {
    name: String,
    bytes: Vec<u8>,
    found: Vec<Found>,
    messages: Vec<Vec<u8>>,
    parts: Vec<Part>,
    request: Option<(Head, Vec<u8>)>,
    failure: Option<(u16, Vec<u8>)>,
    mask: Option<Vec<u8>>,
}

impl Vector {
    /// Checks that these are the vector's frames: to the byte, but for the mask, which is drawn.
    fn assert_same_frames(&self, written: &[u8]) {
        if self.mask.is_none() {
            assert_eq!(written, self.bytes, "{}", self.name);
        }
        assert_eq!(read(written), self.found, "{}", self.name);
    }

    fn parse(text: &str) -> Self {
        let mut vector = Self::default();
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let (key, value) = line.split_once(':').unwrap_or_else(|| panic!("no key in {line:?}"));
            vector.add(key, value.trim());
        }
        vector
    }

    fn add(&mut self, key: &str, value: &str) {
        match key {
            "vector" => self.name = value.to_owned(),
            "bytes" => self.bytes.extend(hex(value)),
            "frame" => {
                let header = Header {
                    kind: Kind::from_wire(number(value, "kind")).expect("a known kind"),
                    flags: flags(number(value, "flags")),
                    epoch: u64::from_str_radix(field(value, "epoch"), 16).unwrap(),
                    to: u64::from_str_radix(field(value, "to"), 16).unwrap(),
                    id: number(value, "id"),
                };
                self.found.push(Found::Frame(header, Vec::new()));
            }
            "payload" => match self.found.last_mut() {
                Some(Found::Frame(_, payload)) => payload.extend(hex(value)),
                _ => panic!("a payload without a frame in {}", self.name),
            },
            "skip" => {
                let (count, reason) = value.split_once(' ').unwrap();
                let reason = match reason {
                    "garbage" => SkipReason::Garbage,
                    "torn" => SkipReason::Torn,
                    "unknown" => SkipReason::Unknown,
                    other => panic!("no such reason: {other}"),
                };
                self.found.push(Found::Skipped(count.parse().unwrap(), reason));
            }
            "rest" => self.found.push(Found::Rest(value.parse().unwrap())),
            "message" => self.messages.push(hex(value)),
            "part" => {
                let (offset, total) = (number(value, "offset"), number(value, "total"));
                self.parts.push((offset, total, hex(field(value, "bytes"))));
            }
            "request" => {
                let left = Some(number(value, "left_us")).filter(|left| *left != u64::MAX);
                let key = hex(field(value, "key")).try_into().ok();
                let window = Some(number(value, "window")).filter(|window| *window != 0);
                let flag = |name| field(value, name) == "1";
                let options = Options { quiet: flag("quiet"), key, window, upload: flag("upload") };
                let stamp = number(value, "stamp_ns");
                let head = Head::new(left.map(Duration::from_micros), stamp, options);
                self.request = Some((head, hex(field(value, "message"))));
            }
            "failure" => {
                self.failure = Some((number(value, "code"), hex(field(value, "words"))));
            }
            "mask" => self.mask = Some(hex(value)),
            other => panic!("no such key: {other}"),
        }
    }

    /// The frames, where the vector is nothing else.
    fn frames(&self) -> Option<Vec<(Header, &[u8])>> {
        self.found
            .iter()
            .map(|found| match found {
                Found::Frame(header, payload) => Some((*header, &payload[..])),
                Found::Skipped(..) | Found::Rest(_) => None,
            })
            .collect()
    }

    /// The header and the payload of a vector that is one frame.
    fn single(&self) -> Option<(Header, &[u8])> {
        self.frames().filter(|frames| frames.len() == 1).map(|frames| frames[0])
    }
}

fn vectors() -> Vec<Vector> {
    let (_, block) = PAGE.split_once("```vectors\n").expect("the page has a block of vectors");
    let (block, _) = block.split_once("```").expect("the block ends");
    block.trim().split("\n\n").map(Vector::parse).collect()
}

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> =
        text.chars().filter(|c| *c != ' ').map(|c| c.to_digit(16).unwrap() as u8).collect();
    assert!(digits.len() % 2 == 0, "half a byte in {text}");
    digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}

fn field<'a>(line: &'a str, name: &str) -> &'a str {
    line.split(' ')
        .find_map(|field| field.strip_prefix(name)?.strip_prefix('='))
        .unwrap_or_else(|| panic!("no {name} in {line:?}"))
}

fn number<N: std::str::FromStr<Err: std::fmt::Debug>>(line: &str, name: &str) -> N {
    field(line, name).parse().unwrap()
}

fn flags(bits: u16) -> Flags {
    let flags = Flags { part: bits & 1 != 0, masked: bits & 2 != 0 };
    assert_eq!(flags.to_wire(), bits);
    flags
}

/// The units that the native framing writes for these messages, as the frame with this id.
fn framed(epoch: u64, id: u64, messages: &[Vec<u8>], room: usize) -> Vec<u8> {
    let room = Room { bytes: room, shared: true };
    let mut native = Native::default();
    native.begin(epoch);
    for _ in 1..id {
        let mut earlier = Vec::new();
        assert_eq!(native.encode(b"", 0, &mut earlier, room), Ok(Encoded::Whole));
        native.finish(&mut earlier);
    }
    let (mut written, mut unit) = (Vec::new(), Vec::new());
    for message in messages {
        let mut from = 0;
        while let Encoded::Until(next) = native.encode(message, from, &mut unit, room).unwrap() {
            from = next;
            native.finish(&mut unit);
            written.append(&mut unit);
        }
    }
    native.finish(&mut unit);
    written.append(&mut unit);
    written
}

/// The messages and the parts that the native framing reads.
fn unframed(stream: &[u8]) -> (Vec<Vec<u8>>, Vec<Part>) {
    let (mut unread, mut native) = (stream.to_vec(), Native::default());
    let (mut messages, mut parts) = (Vec::new(), Vec::new());
    loop {
        let used = match native.decode(&mut unread) {
            Decoded::More => return (messages, parts),
            Decoded::Skip { used, .. } => used,
            Decoded::Message { body, used } => {
                messages.push(unread[body].to_vec());
                used
            }
            Decoded::Part { offset, total, body, used, .. } => {
                parts.push((offset.unwrap(), total.unwrap(), unread[body].to_vec()));
                used
            }
        };
        unread.drain(..used);
    }
}

#[test]
fn the_page_shows_every_kind_and_every_reason_to_skip() {
    let vectors = vectors();
    let mut names: Vec<_> = vectors.iter().map(|vector| &vector.name).collect();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), vectors.len(), "each vector has a name of its own");
    let found: Vec<_> = vectors.iter().flat_map(|vector| &vector.found).collect();
    for kind in (1..=9).map(|kind| Kind::from_wire(kind).unwrap()) {
        assert!(found.iter().any(|f| matches!(f, Found::Frame(h, _) if h.kind == kind)));
    }
    for reason in [SkipReason::Garbage, SkipReason::Torn, SkipReason::Unknown] {
        assert!(found.iter().any(|f| matches!(f, Found::Skipped(_, r) if *r == reason)));
    }
    assert!(found.iter().any(|f| matches!(f, Found::Rest(_))));
}

#[test]
fn every_vector_reads_as_the_page_says_wherever_it_is_cut() {
    for vector in vectors() {
        assert_eq!(read(&vector.bytes), vector.found, "{}", vector.name);
        for at in 0..vector.bytes.len() {
            let (left, right) = vector.bytes.split_at(at);
            assert_eq!(read_in([left, right]), vector.found, "{} cut at {at}", vector.name);
        }
    }
}

#[test]
fn every_frame_of_the_page_is_written_as_it_stands_there() {
    for vector in vectors() {
        let Some(frames) = vector.frames() else { continue };
        let mut written = Vec::new();
        for (header, payload) in frames {
            // Whether there is a mask, and which, is for the sealing to decide.
            let flags = Flags { masked: false, ..header.flags };
            let start = begin(&mut written, Header { flags, ..header });
            written.extend_from_slice(payload);
            seal(&mut written, start);
            assert_eq!(header.flags.masked, vector.mask.is_some());
        }
        vector.assert_same_frames(&written);
    }
}

#[test]
fn messages_travel_as_the_page_shows() {
    for vector in vectors() {
        let Some((header, _)) = vector.single() else { continue };
        if header.kind != Kind::Data {
            continue;
        }
        assert_eq!(unframed(&vector.bytes), (vector.messages.clone(), vec![]), "{}", vector.name);
        // A data frame without a message is one that we read and never write.
        if !vector.messages.is_empty() {
            let written = framed(header.epoch, header.id, &vector.messages, 4096);
            vector.assert_same_frames(&written);
        }
    }
}

#[test]
fn parts_travel_as_the_page_shows() {
    let with_parts: Vec<_> = vectors().into_iter().filter(|v| !v.parts.is_empty()).collect();
    assert!(!with_parts.is_empty());
    for vector in with_parts {
        let frames = vector.frames().unwrap();
        let (_, _, first) = &vector.parts[0];
        let message: Vec<u8> =
            vector.parts.iter().flat_map(|(_, _, bytes)| bytes.clone()).collect();
        let room = HEADER_LEN + MASK_LEN + TRAILER_LEN + PART_LEN + first.len();
        let written = framed(frames[0].0.epoch, frames[0].0.id, &[message], room);
        assert_eq!(written, vector.bytes, "{}", vector.name);
        assert_eq!(unframed(&vector.bytes), (vec![], vector.parts), "{}", vector.name);
    }
}

#[test]
fn events_travel_as_the_page_shows() {
    let mut seen = 0;
    for vector in vectors() {
        let Some((header, payload)) = vector.single() else { continue };
        if header.kind == Kind::Data {
            continue;
        }
        let mut unread = vector.bytes.clone();
        let heard = Dialect::default().decode(&mut unread);
        let Heard::Whole { verb, from, to, id, body, used } = heard else {
            panic!("{}: {heard:?}", vector.name)
        };
        assert_eq!((from, to, id), (header.epoch, header.to, header.id));
        assert_eq!((&unread[body], used), (payload, unread.len()));
        let event = Event { verb, from, to, id, body: payload.to_vec() };
        let mut written = Vec::new();
        let lives = Lives { ours: from, peer: 0 };
        assert_eq!(Dialect::encode(&event, lives, 0, &mut written), None);
        assert_eq!(written, vector.bytes, "{}", vector.name);
        seen += 1;
    }
    assert!(seen >= 8);
}

#[test]
fn requests_and_failures_hold_what_the_page_says() {
    for vector in vectors() {
        let Some((header, payload)) = vector.single() else { continue };
        assert_eq!(vector.request.is_some(), header.kind == Kind::Request, "{}", vector.name);
        assert_eq!(vector.failure.is_some(), header.kind == Kind::Failure, "{}", vector.name);
        if let Some((head, message)) = &vector.request {
            let message_at = Head::len_with(&head.options);
            assert_eq!(Head::read(payload), Ok((*head, message_at)), "{}", vector.name);
            let mut written = vec![0; message_at];
            head.write(&mut written);
            assert_eq!([&written[..], message].concat(), payload, "{}", vector.name);
        }
        if let Some((code, words)) = &vector.failure {
            let failure = Failure::from_bytes(payload);
            assert_eq!(failure.message.as_bytes(), words);
            let mut bytes = Vec::new();
            failure.append_to(&mut bytes);
            assert_eq!(bytes, payload);
            assert_eq!(bytes[..2], code.to_le_bytes());
        }
    }
}
