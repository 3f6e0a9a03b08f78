//! What goes wrong: processes die, paths change, bytes are lost.

use super::actions::done;
use super::process::Leaves;
use super::random::Random;
use super::world::World;
use crate::core::script::{Pipe, Place};
use crate::core::wire::MAGIC;
use crate::pipe::Refusal;

pub(super) fn kill_client(world: &mut World) -> Option<String> {
    world.client.as_ref()?;
    let leaves = leaves(&mut world.random);
    world.kill_client(leaves);
    Some(format!("and leaves {leaves:?}"))
}

pub(super) fn kill_server(world: &mut World) -> Option<String> {
    world.server.as_ref()?;
    let leaves = leaves(&mut world.random);
    world.kill_server(leaves);
    Some(format!("and leaves {leaves:?}"))
}

pub(super) fn doom_client(world: &mut World) -> Option<String> {
    let (calls, leaves) = (world.random.below(40) as u32, leaves(&mut world.random));
    world.client.as_ref()?.life.process.kill_after(calls, leaves);
    Some(format!("after {calls} system calls"))
}

pub(super) fn doom_server(world: &mut World) -> Option<String> {
    let (calls, leaves) = (world.random.below(40) as u32, leaves(&mut world.random));
    world.server.as_ref()?.life.process.kill_after(calls, leaves);
    Some(format!("after {calls} system calls"))
}

fn leaves(random: &mut Random) -> Leaves {
    random.pick(&[Leaves::Nothing, Leaves::Nothing, Leaves::Reader, Leaves::Writer])
}

/// So soon that the other side sees no FIFO without an end.
pub(super) fn restart_client(world: &mut World) -> Option<String> {
    world.start_client();
    done()
}

/// One that has something in hand which its client may put again.
pub(super) fn restart_server_with_keys(world: &mut World) -> Option<String> {
    let mut in_hand = world.server.as_ref()?.in_hand.iter();
    let keyed = in_hand.any(|(_, serial)| world.ledger.is_kept(*serial));
    keyed.then(|| restart_server(world)).flatten()
}

pub(super) fn restart_server(world: &mut World) -> Option<String> {
    world.start_server();
    done()
}

pub(super) fn start(world: &mut World) -> Option<String> {
    if world.client.is_none() {
        world.start_client();
        return Some("the client".to_owned());
    }
    if world.server.is_none() {
        world.start_server();
        return Some("the server".to_owned());
    }
    None
}

pub(super) fn bury(world: &mut World) -> Option<String> {
    world.bury().then(String::new)
}

pub(super) fn refuse(world: &mut World) -> Option<String> {
    let times = world.random.between(1, 5);
    let (place, which) = place(world);
    place.refuse(std::iter::repeat_n(Refusal::Busy, times));
    Some(format!("{which}, {times} times"))
}

pub(super) fn exchange(world: &mut World) -> Option<String> {
    let (place, which) = place(world);
    place.make(world.terms.capacity);
    Some(which.to_owned())
}

pub(super) fn unlink(world: &mut World) -> Option<String> {
    let (place, which) = place(world);
    place.exists().then(|| place.unlink())?;
    Some(which.to_owned())
}

pub(super) fn make(world: &mut World) -> Option<String> {
    let (place, which) = place(world);
    (!place.exists()).then(|| place.make(world.terms.capacity))?;
    Some(which.to_owned())
}

/// A byte changes. The pattern of bits is none that a voided frame would be made good again by.
pub(super) fn flip(world: &mut World) -> Option<String> {
    let (pipe, which) = full_pipe(world)?;
    let (at, bits) = (world.random.below(pipe.len()), 0x80 | world.random.next() as u8);
    pipe.flip(at, bits);
    Some(format!("of {which}, at {at}"))
}

/// Bytes disappear. Where one is left that would take the place of a voided frame's last byte, and
/// make the frame good again, it disappears too: only in a simulation is that worth a thought.
pub(super) fn lose(world: &mut World) -> Option<String> {
    let (pipe, which) = full_pipe(world)?;
    let at = match world.random.once_in(2) {
        true => 0,
        false => world.random.below(pipe.len()),
    };
    let (first, count) = (pipe.peek(at)?, 1 + world.random.length(pipe.len()));
    pipe.lose(at, count);
    while pipe.peek(at).is_some_and(|next| [1, 2].contains(&(next ^ first))) {
        pipe.lose(at, 1);
    }
    Some(format!("of {which}, {count} at {at}"))
}

/// Somebody else opens a FIFO, writes what is no frame, and leaves.
pub(super) fn stranger(world: &mut World) -> Option<String> {
    let count = world.random.length(300);
    let garbage: Vec<u8> = (0..count).map(|_| world.random.next() as u8 % MAGIC[0]).collect();
    let (place, which) = place(world);
    place.exists().then(|| {
        let pipe = place.pipe();
        let _writer = pipe.writer(&place);
        if pipe.len() + count <= world.terms.capacity {
            pipe.put(&garbage);
        }
    })?;
    Some(format!("{count} bytes into {which}"))
}

fn place(world: &mut World) -> (Place, &'static str) {
    match world.random.once_in(2) {
        true => (world.requests.clone(), "the requests"),
        false => (world.replies.clone(), "the replies"),
    }
}

/// A FIFO in its place that holds something.
fn full_pipe(world: &mut World) -> Option<(Pipe, &'static str)> {
    let (place, which) = place(world);
    let pipe = place.exists().then(|| place.pipe())?;
    (pipe.len() > 0).then_some((pipe, which))
}
