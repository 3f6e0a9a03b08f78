//! The control: peers that know nothing but to write all they have. A pair of them must hang, or
//! the scenario proves nothing.

use std::fs::{File, remove_file};
use std::io::{Read, Write};

use fifowire::Pair;

use super::{DEFAULT, LEAST, capacity_of};
use crate::support::frame::{Frame, REPLY, REQUEST};
use crate::support::random::Random;
use crate::support::scene::Role;
use crate::support::time::let_pass;
use crate::support::{Line, Peer, Scene, ms, raw, scene, until};

#[test]
fn a5_the_naive_pair_hangs_at_140_000_bytes() {
    scene(&NAIVE, |scene| {
        naive_pair(scene, 140_000, |fifos, client, server| {
            // Both pipes are full and the server has one chunk in its hands: 135,168 bytes.
            let both_are_full = || fifos.each_ref().map(unread) == [DEFAULT; 2];
            until("both FIFOs are full", both_are_full);
            let_pass(ms(500));
            assert!(both_are_full(), "somebody has read");
            // Neither had ended, and the client had not even written everything.
            assert_eq!((client.kill(), server.kill()), (vec![], vec![]));
        });
    });
}

#[test]
fn a5_the_naive_pair_passes_60_000_bytes() {
    scene(&NAIVE, |scene| {
        naive_pair(scene, 60_000, |_, mut client, server| {
            client.expect("written");
            client.expect("came back");
            client.finish();
            server.finish();
        });
    });
}

const NAIVE: [Role; 2] =
    [("naive client", writes_all_before_it_reads), ("naive server", answers_by_chunks)];

/// Starts the pair on plain FIFOs of the default capacity. The ends that the test is given look at
/// the FIFOs and never read.
fn naive_pair(scene: &Scene, size: usize, test: impl FnOnce([File; 2], Peer, Peer)) {
    let paths = ["in", "out"].map(|name| scene.path(name));
    let fifos = paths.each_ref().map(|path| {
        raw::make_fifo(path);
        assert_eq!(capacity_of(path), DEFAULT);
        raw::reader(path)
    });
    let mut server = scene.start("naive server", &[]);
    let mut client = scene.start("naive client", &[&size.to_string()]);
    server.expect("open");
    client.expect("open");
    test(fifos, client, server);
    paths.iter().for_each(|path| remove_file(path).unwrap());
}

/// The bytes that lie in a FIFO.
fn unread(end: &File) -> usize {
    rustix::io::ioctl_fionread(end).unwrap() as usize
}

fn writes_all_before_it_reads(line: &mut Line) {
    let mut to = raw::writer(&line.path("in"));
    let mut from = raw::patient_reader(&line.path("out"));
    line.say("open");
    let mut message = Random::new(1).bytes(line.number(0) as usize);
    to.write_all(&message).unwrap();
    line.say("written");
    let mut reply = vec![0; message.len()];
    from.read_exact(&mut reply).unwrap();
    message.make_ascii_uppercase();
    assert!(reply == message);
    line.say("came back");
}

/// As `tr a-z A-Z` does.
fn answers_by_chunks(line: &mut Line) {
    let mut from = raw::patient_reader(&line.path("in"));
    let mut to = raw::writer(&line.path("out"));
    line.say("open");
    let mut chunk = [0; LEAST];
    while let count @ 1.. = from.read(&mut chunk).unwrap() {
        chunk[..count].make_ascii_uppercase();
        to.write_all(&chunk[..count]).unwrap();
    }
}

/// The same in native frames: each part of a request is answered at once by that part of the
/// reply, in writes that wait.
pub(super) fn answers_while_it_reads(line: &mut Line) {
    let pair = Pair::at(line.directory(), "upper").unwrap();
    let mut from = raw::patient_reader(pair.input());
    let mut to = raw::writer(pair.output());
    let (mut unread, mut chunk) = (Vec::new(), [0; LEAST]);
    while let count @ 1.. = from.read(&mut chunk).unwrap() {
        unread.extend_from_slice(&chunk[..count]);
        while let Some((frame, used)) = Frame::parse(&unread) {
            unread.drain(..used);
            if frame.kind == REQUEST {
                to.write_all(&answer(&frame.unmasked()).bytes()).unwrap();
            }
        }
    }
}

/// The part of the reply that a part of a request comes to. It is never masked, because nobody has
/// to find a lost place in it.
fn answer(part: &Frame) -> Frame {
    const EPOCH: u64 = 7;
    /// What stands before the message of a request, and not of a reply.
    const HEAD: usize = 18;
    let (head, bytes) = part.payload.split_at(8);
    let word = |at: usize| u32::from_le_bytes(head[at..at + 4].try_into().unwrap());
    let (offset, total) = (word(0), word(4) - HEAD as u32);
    let bytes = if offset == 0 { &bytes[HEAD..] } else { bytes };
    let offset = offset.saturating_sub(HEAD as u32);
    let reply = Frame::part(REPLY, (EPOCH, part.id), offset, total, &bytes.to_ascii_uppercase());
    Frame { to: part.epoch, ..reply }
}
