//! Futures that are dropped after none to two hundred polls: nothing is lost, torn or doubled, and
//! no descriptor is left.

mod calls;
mod one_way;
mod open;

use super::cut_after;
use crate::fronts::{AsyncIo, BlockOn, Bytewise, CurrentThread, Front, MultiThread, Smol};
use crate::support::{Scene, ledger, ms, scene_after};

/// Futures are given from none to so many polls before they are dropped.
const POLLS: usize = 200;

/// The two ways to come to so many polls: as the future asks for them, and at once.
const PACES: [Pace; 2] = [Pace::Woken, Pace::Eager];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pace {
    /// Polled when it was woken: cut amid its progress.
    Woken,
    /// Polled again and again, woken or not: every count of polls is reached, whatever comes.
    Eager,
}

/// A message that says which one it is, of a size that takes one frame or many.
fn message(number: u32) -> Vec<u8> {
    let size = [10, 5000, 100_000][number as usize % 3];
    number.to_le_bytes().into_iter().cycle().take(size).collect()
}

fn number_of(message: &[u8]) -> u32 {
    u32::from_le_bytes(*message.first_chunk().unwrap())
}

/// Every count of polls, at both paces.
fn cuts() -> impl Iterator<Item = (usize, Pace)> + Clone {
    PACES.into_iter().flat_map(|pace| (0..=POLLS).map(move |polls| (polls, pace)))
}

fn play(scene: &Scene, scenarios: &[fn(&Scene)]) {
    let before = ledger::descriptors();
    for scenario in scenarios {
        scenario(scene);
        assert_eq!(ledger::descriptors(), before);
    }
}

fn one_way<R: Bytewise, B: BlockOn>(scene: &Scene) {
    play(
        scene,
        &[
            open::opens_that_wait_leave_no_descriptor::<R, B>,
            one_way::no_message_is_lost_by_receives::<R, B>,
            one_way::what_a_send_held_is_whole_or_not_there::<R, B>,
            one_way::what_a_close_held_is_whole_or_not_there::<R, B>,
            one_way::no_byte_is_lost_by_reads_or_doubled_by_writes::<R, B>,
        ],
    );
}

fn calls<R: Bytewise, B: BlockOn>(scene: &Scene) {
    play(
        scene,
        &[
            calls::a_call_leaves_nothing_and_harms_no_other::<R, B>,
            calls::a_server_loses_no_request::<R, B>,
        ],
    );
}

#[test]
fn tokio_current_thread_one_way_futures_may_be_dropped() {
    scene_after(AsyncIo::prepare, |scene| {
        one_way::<fifowire::tokio::Tokio, CurrentThread>(scene);
    });
}

#[test]
fn tokio_current_thread_calls_may_be_dropped() {
    scene_after(AsyncIo::prepare, |scene| {
        calls::<fifowire::tokio::Tokio, CurrentThread>(scene);
    });
}

#[test]
fn tokio_multi_thread_one_way_futures_may_be_dropped() {
    scene_after(AsyncIo::prepare, |scene| {
        one_way::<fifowire::tokio::Tokio, MultiThread>(scene);
    });
}

#[test]
fn tokio_multi_thread_calls_may_be_dropped() {
    scene_after(AsyncIo::prepare, |scene| {
        calls::<fifowire::tokio::Tokio, MultiThread>(scene);
    });
}

#[test]
fn async_io_one_way_futures_may_be_dropped() {
    scene_after(AsyncIo::prepare, |scene| {
        one_way::<fifowire::async_io::AsyncIo, Smol>(scene);
    });
}

#[test]
fn async_io_calls_may_be_dropped() {
    scene_after(AsyncIo::prepare, |scene| {
        calls::<fifowire::async_io::AsyncIo, Smol>(scene);
    });
}
