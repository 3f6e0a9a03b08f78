//! What a server makes of a client that gets it wrong, and a client of such a server.

use std::fs::File;
use std::io::Write;

use fifowire::codec::Bytes;
use fifowire::{Client, ErrorKind, Fate, Pair, Server};

use crate::support::frame::{DATA, Frame, HEADER_LEN, LENGTH_AT, PING, PONG, REPLY, REQUEST, seal};
use crate::support::time::{Aside, asleep};
use crate::support::{Scene, ms, on_time, raw, scene, until};

struct Served {
    server: Server<Vec<u8>, Vec<u8>, Bytes>,
    requests: File,
    replies: File,
    _pair: Pair,
}

impl Served {
    fn new(scene: &Scene) -> Self {
        let pair = Pair::create(scene.directory(), "agent").unwrap();
        let options = Server::<Vec<u8>, Vec<u8>>::options().codec(Bytes).max_message(100_000);
        let server = options.open(&pair).unwrap();
        let (requests, replies) = (raw::writer(pair.input()), raw::reader(pair.output()));
        Self { server, requests, replies, _pair: pair }
    }

    /// A good request behind whatever was written is the next one handed out.
    fn good_comes(&mut self) {
        self.requests.write_all(&Frame::request(9, 9, b"good").bytes()).unwrap();
        let request = self.server.recv_timeout(ms(5000)).unwrap();
        assert_eq!(request.value, b"good");
        request.responder.send(&b"reply".to_vec()).unwrap();
    }

    /// The frames that the server has written.
    fn heard(&mut self) -> Vec<Frame> {
        let (bytes, mut frames, mut at) = (raw::drain(&mut self.replies), Vec::new(), 0);
        while let Some((frame, used)) = Frame::parse(&bytes[at..]) {
            frames.push(frame);
            at += used;
        }
        assert_eq!(at, bytes.len(), "whole frames only");
        frames
    }
}

#[test]
fn a_server_outlives_every_frame_that_is_no_request() {
    scene(&[], |scene| {
        let mut served = Served::new(scene);
        let request = Frame::request(1, 1, b"bad");
        let mut long = request.bytes();
        long.truncate(HEADER_LEN);
        long[LENGTH_AT..LENGTH_AT + 4].copy_from_slice(&u32::MAX.to_le_bytes());
        let mut flipped = request.bytes();
        flipped[HEADER_LEN + 3] ^= 1;
        let bad = [
            b"echo hello from a shell\n".to_vec(),
            Frame { version: 2, ..request.clone() }.bytes(),
            Frame { kind: 77, ..request.clone() }.bytes(),
            Frame { kind: REPLY, ..request.clone() }.bytes(),
            Frame { kind: PONG, ..request.clone() }.bytes(),
            Frame::message(1, 1, b"one way").bytes(),
            Frame::new(REQUEST, 1, 1, b"no time stands here").bytes()[..40].to_vec(),
            Frame::new(REQUEST, 1, 1, b"short").bytes(),
            Frame { to: 12_345, ..request.clone() }.bytes(),
            Frame::part(REQUEST, (1, 2), 50, 100, b"no start").bytes(),
            request.bytes()[..HEADER_LEN].to_vec(),
            flipped,
            seal(long),
        ];
        for bytes in bad {
            served.requests.write_all(&bytes).unwrap();
            served.good_comes();
            let replies = served.heard();
            assert_eq!(replies.last().unwrap().payload, b"reply");
            assert_eq!(replies.iter().filter(|frame| frame.id == 9).count(), 1);
        }
        let stats = served.server.stats();
        assert!(stats.unknown >= 5 && stats.torn >= 3 && stats.late == 1, "{stats:?}");
        assert!(stats.skipped_bytes >= 24, "{stats:?}");
    });
}

#[test]
fn requests_that_cannot_be_read_hold_up_nothing_and_wait_for_nobody() {
    scene(&[], |scene| {
        let pair = Pair::create(scene.directory(), "agent").unwrap();
        let mut server = Server::<u32, u32>::open(&pair).unwrap();
        // Their client never reads, so that none of the refusals can be written.
        let mut writer = raw::writer(pair.input());
        for id in 1..=100 {
            writer.write_all(&Frame::request(7, id, b"not a number").bytes()).unwrap();
        }
        writer.write_all(&Frame::request(7, 101, b"42").bytes()).unwrap();
        assert_eq!(server.recv_timeout(ms(500)).unwrap().value, 42);
        writer.write_all(&Frame::request(7, 102, b"not a number").bytes()).unwrap();
        let error = on_time(ms(50), || server.recv_timeout(ms(50))).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TimedOut);
    });
}

#[test]
fn a_request_over_the_limit_is_refused_by_name_and_the_next_one_is_served() {
    scene(&[], |scene| {
        let mut served = Served::new(scene);
        let announced = Frame::part(REQUEST, (1, 5), 0, 1 << 30, b"first of many");
        served.requests.write_all(&announced.bytes()).unwrap();
        served.good_comes();
        let replies = served.heard();
        let refusal = replies.iter().find(|frame| frame.id == 5).expect("a refusal");
        assert_eq!((refusal.kind, refusal.to), (4, 1), "a failure, to who asked");
        assert_eq!(served.server.stats().too_large, 1);
    });
}

#[test]
fn a_ping_is_answered_with_its_own_bytes_and_to_who_asked() {
    scene(&[], |scene| {
        let mut served = Served::new(scene);
        served.requests.write_all(&Frame::new(PING, 3, 8, b"token").bytes()).unwrap();
        served.good_comes();
        let replies = served.heard();
        let pong = replies.iter().find(|frame| frame.kind == PONG).expect("a pong");
        assert_eq!((pong.to, pong.id, &pong.payload[..5]), (3, 8, &b"token"[..]));
        assert_eq!(pong.payload.len(), 5 + 32, "the load is behind it");
    });
}

struct Calling {
    requests: File,
    replies: File,
    call: Aside<fifowire::Result<Vec<u8>>>,
    asked: Frame,
    _pair: Pair,
}

impl Calling {
    /// A call that a server by hand has received.
    fn new(scene: &Scene) -> Self {
        let pair = Pair::create(scene.directory(), "agent").unwrap();
        let options = Client::<Vec<u8>, Vec<u8>>::options().codec(Bytes).max_message(100_000);
        let client = options.open(&pair).unwrap();
        let mut requests = raw::reader(pair.input());
        let call = asleep(move || client.request(&b"question".to_vec()).timeout(ms(5000)).call());
        let mut bytes = Vec::new();
        until("the request comes", || {
            bytes.extend(raw::drain(&mut requests));
            Frame::parse(&bytes).is_some()
        });
        let (asked, _) = Frame::parse(&bytes).unwrap();
        let replies = raw::writer(pair.output());
        Self { requests, replies, call, asked, _pair: pair }
    }

    fn reply(&self) -> Frame {
        let reply = Frame::new(REPLY, 77, self.asked.id, b"answer");
        Frame { to: self.asked.epoch, ..reply }
    }

    fn answer(&mut self, bytes: &[u8]) {
        self.replies.write_all(bytes).unwrap();
    }
}

#[test]
fn a_client_takes_the_reply_to_its_own_call_and_to_no_other() {
    scene(&[], |scene| {
        let mut calling = Calling::new(scene);
        assert_eq!((calling.asked.kind, calling.asked.to), (REQUEST, 0));
        let right = calling.reply();
        let wrong = [
            Frame { to: right.to ^ 1, payload: b"of another life".to_vec(), ..right.clone() },
            Frame { id: right.id + 1, payload: b"to another call".to_vec(), ..right.clone() },
            Frame { kind: REQUEST, payload: b"a question back".to_vec(), ..right.clone() },
            Frame { kind: DATA, payload: b"one way".to_vec(), ..right.clone() },
            Frame { version: 9, payload: b"of the future".to_vec(), ..right.clone() },
        ];
        for frame in wrong {
            calling.answer(&frame.bytes());
        }
        calling.answer(b"garbage\n");
        let mut torn = right.bytes();
        torn.truncate(HEADER_LEN + 3);
        calling.answer(&torn);
        // The same twice in one write: the second is late, and harmless.
        calling.answer(&[right.bytes(), right.bytes()].concat());
        assert_eq!(calling.call.join().unwrap(), b"answer");
        drop(calling.requests);
    });
}

#[test]
fn a_reply_over_the_limit_is_an_error_for_its_call() {
    scene(&[], |scene| {
        let mut calling = Calling::new(scene);
        let key = (77, calling.asked.id);
        let part = Frame::part(REPLY, key, 0, u32::MAX, b"the first of four gigabytes");
        let part = Frame { to: calling.asked.epoch, ..part };
        calling.answer(&part.bytes());
        let error = calling.call.join().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TooLarge, "{error}");
        assert!(matches!(error.fate(), Some(Fate::MaybeDelivered | Fate::Delivered)));
    });
}
