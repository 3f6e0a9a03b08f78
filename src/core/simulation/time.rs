//! How the clock goes, and who is given the processor meanwhile.

use std::time::Duration;

use super::actions;
use super::ledger::Told;
use super::world::World;
use crate::core::link::Directions;

pub(super) fn moment(world: &mut World) -> Option<String> {
    let micros = world.random.length(2000);
    pass(world, Duration::from_micros(micros as u64))
}

pub(super) fn while_passes(world: &mut World) -> Option<String> {
    let millis = world.random.length(4000);
    pass(world, Duration::from_millis(millis as u64))
}

pub(super) fn stall_passes(world: &mut World) -> Option<String> {
    pass(world, world.terms.stall)
}

/// Nobody is woken before the next instant that somebody waits for.
pub(super) fn wait_ends(world: &mut World) -> Option<String> {
    let now = world.now();
    let next = world.soonest().remaining(now).filter(|left| !left.is_zero())?;
    pass(world, next)
}

fn pass(world: &mut World, time: Duration) -> Option<String> {
    world.clock.advance(time);
    Some(format!("{time:?}"))
}

/// The client is not given the processor, and then does not read.
pub(super) fn client_sleeps(world: &mut World) -> Option<String> {
    let until = world.actions + world.random.between(5, 200) as u64;
    world.client.as_mut()?.life.asleep_until = until;
    Some(format!("until {until}"))
}

/// The client is not given the processor for so long that the server, which has much to say, gives
/// it up.
pub(super) fn client_stalls(world: &mut World) -> Option<String> {
    let slept = client_sleeps(world)?;
    world.server.as_ref().filter(|server| server.life.is_open())?;
    // With what precedes it, more than the FIFO holds.
    let size = world.terms.limit.min(world.terms.capacity);
    while actions::answer(world, Told::Reply { size }).is_some() {}
    for _ in 0..2 {
        let now = world.now();
        if let Some(server) = world.server.as_mut().filter(|server| server.life.is_open()) {
            server.step(now, Directions::BOTH, &mut world.ledger);
        }
        world.clock.advance(world.terms.stall);
    }
    Some(slept)
}

pub(super) fn server_sleeps(world: &mut World) -> Option<String> {
    let until = world.actions + world.random.between(5, 200) as u64;
    world.server.as_mut()?.life.asleep_until = until;
    Some(format!("until {until}"))
}
