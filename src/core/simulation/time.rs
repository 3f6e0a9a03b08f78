//! How the clock goes, and who is given the processor meanwhile.

use std::time::Duration;

use super::world::World;

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

pub(super) fn server_sleeps(world: &mut World) -> Option<String> {
    let until = world.actions + world.random.between(5, 200) as u64;
    world.server.as_mut()?.life.asleep_until = until;
    Some(format!("until {until}"))
}
