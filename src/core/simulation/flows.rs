//! What can happen to the streams within calls, and to notifications.

use super::actions::{call_by, deadline};
use super::world::World;
use crate::core::wire::Options;
use crate::deadline::Deadline;

/// A call that takes many replies, one that brings parts, or one that does both.
pub(super) fn stream(world: &mut World) -> Option<String> {
    let (options, deadline) = (options(world), deadline(world));
    let called = call_by(world, deadline, None, options)?;
    Some(format!("{called}, window {:?}, upload {}", options.window, options.upload))
}

/// Room for one item, for some, or for more than there will be.
pub(super) fn options(world: &mut World) -> Options {
    let window = Some(world.random.pick(&[1, 1, 100, 1000, 10_000, 1 << 20]));
    let (window, upload) = match world.random.below(4) {
        0 | 1 => (window, false),
        2 => (None, true),
        _ => (window, true),
    };
    Options { window, upload, ..Options::default() }
}

pub(super) fn notification(world: &mut World) -> Option<String> {
    let deadline = deadline(world);
    call_by(world, deadline, None, Options { quiet: true, ..Options::default() })
}

/// Few are long.
fn size(world: &mut World) -> usize {
    match world.random.once_in(6) {
        true => world.random.length(world.terms.largest),
        false => world.random.length(500.min(world.terms.largest)),
    }
}

/// One of the calls of which this is so.
fn client_stream(
    world: &mut World,
    is_one: impl Fn(&super::client::Stream) -> bool,
) -> Option<usize> {
    let client = world.client.as_ref().filter(|client| client.life.is_open())?;
    let calls = client.calls.iter().enumerate();
    let fits = calls.filter(|(_, call)| call.stream.as_ref().is_some_and(&is_one));
    let fits: Vec<_> = fits.map(|(at, _)| at).collect();
    (!fits.is_empty()).then(|| world.random.pick(&fits))
}

/// One of the requests in hand for which this is asked.
fn server_stream(world: &mut World, asks: impl Fn(&Options) -> bool) -> Option<usize> {
    let server = world.server.as_ref().filter(|server| server.life.is_open())?;
    let hands = server.in_hand.iter().enumerate();
    let fits = hands.filter(|(_, (asked, _))| asks(&asked.asker().options));
    let fits: Vec<_> = fits.map(|(at, _)| at).collect();
    (!fits.is_empty()).then(|| world.random.pick(&fits))
}

pub(super) fn take_item(world: &mut World) -> Option<String> {
    let at = client_stream(world, |stream| stream.may_take())?;
    let now = world.now();
    let client = world.client.as_mut()?;
    let serial = client.calls[at].serial;
    client.take_item(at);
    client.look(now, &mut world.ledger);
    Some(format!("of {serial:?}"))
}

pub(super) fn stop_taking(world: &mut World) -> Option<String> {
    let at = client_stream(world, |stream| stream.is_taking())?;
    let client = world.client.as_mut()?;
    client.stop_taking(at);
    Some(format!("of {:?}", client.calls[at].serial))
}

pub(super) fn send_part(world: &mut World) -> Option<String> {
    let size = size(world);
    send(world, Some(size))
}

pub(super) fn end_parts(world: &mut World) -> Option<String> {
    send(world, None)
}

fn send(world: &mut World, size: Option<usize>) -> Option<String> {
    let at = client_stream(world, |stream| stream.may_send())?;
    let now = world.now();
    let client = world.client.as_mut()?;
    let serial = client.calls[at].serial;
    client.send_part(at, size, &mut world.ledger);
    if world.random.once_in(2) {
        client.step_first(now, &mut world.ledger);
    }
    Some(format!("of {serial:?}, {size:?} bytes"))
}

pub(super) fn drop_part(world: &mut World) -> Option<String> {
    let at = client_stream(world, |stream| stream.may_drop())?;
    let client = world.client.as_mut()?;
    let serial = client.calls[at].serial;
    client.drop_part(at, &mut world.ledger);
    Some(format!("of {serial:?}"))
}

pub(super) fn await_reply(world: &mut World) -> Option<String> {
    let at = client_stream(world, |stream| stream.may_await())?;
    let client = world.client.as_mut()?;
    client.await_reply(at);
    Some(format!("to {:?}", client.calls[at].serial))
}

pub(super) fn send_item(world: &mut World) -> Option<String> {
    let size = size(world);
    let deadline = match world.random.once_in(4) {
        true => deadline(world),
        false => Deadline::after(world.now(), world.terms.reply_timeout),
    };
    let at = server_stream(world, |options| options.window.is_some())?;
    let now = world.now();
    let server = world.server.as_mut()?;
    let serial = server.in_hand[at].1;
    let number = server.send_item(at, size, deadline, &mut world.ledger)?;
    if world.random.once_in(2) {
        server.step_first(now, &mut world.ledger);
    }
    Some(format!("{number} of {serial}, {size} bytes"))
}

pub(super) fn drop_item(world: &mut World) -> Option<String> {
    let server = world.server.as_mut().filter(|server| !server.items.is_empty())?;
    let at = world.random.below(server.items.len());
    Some(format!("of {}", server.drop_item(at, &mut world.ledger)))
}

pub(super) fn take_part(world: &mut World) -> Option<String> {
    let at = server_stream(world, |options| options.upload)?;
    let window = world.random.pick(&[1, 1, 100, 1000, 10_000, 1 << 20]);
    let deadline = if world.random.once_in(4) { deadline(world) } else { Deadline::NEVER };
    let now = world.now();
    let server = world.server.as_mut()?;
    let serial = server.in_hand[at].1;
    server.take_part(at, window, deadline).then(|| server.look(now, &mut world.ledger))?;
    Some(format!("of {serial}"))
}

pub(super) fn stop_taking_parts(world: &mut World) -> Option<String> {
    let server = world.server.as_mut().filter(|server| !server.parts.is_empty())?;
    let at = world.random.below(server.parts.len());
    Some(format!("of {}", server.stop_taking(at)))
}
