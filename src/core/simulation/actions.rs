//! Everything that can happen, in one table: to add something, write a function and a line.

use std::time::Duration;

use super::faults as fault;
use super::flows;
use super::ledger::Told;
use super::time;
use super::world::World;
use crate::core::link::Directions;
use crate::core::repeats::Promise;
use crate::core::step::Wait;
use crate::core::wire::Options;
use crate::deadline::Deadline;

/// Something that can happen.
pub(super) struct Action {
    pub(super) name: &'static str,
    pub(super) weight: u32,
    pub(super) kind: Kind,
    pub(super) act: Act,
}

/// Does it, and says what exactly; `None` where there was nothing to do.
type Act = fn(&mut World) -> Option<String>;

/// In which runs something happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// In all.
    Vital,
    /// More often in some than in others, and not at all in many.
    Usual,
    /// Where processes die.
    Death,
    /// Where the paths change.
    Path,
    /// It may cost messages that nobody is to blame for: in some runs only.
    Loss,
}

use Kind::{Death, Loss, Path, Usual, Vital};

pub(super) const ACTIONS: &[Action] = &[
    action("the client steps", 300, Vital, client_steps),
    action("the client looks", 60, Vital, client_looks),
    action("the server steps", 300, Vital, server_steps),
    action("the server looks", 60, Vital, server_looks),
    action("the server receives", 200, Vital, receive),
    action("the server answers", 200, Vital, reply),
    action("a call", 150, Vital, call),
    action("a call that may be put again", 100, Usual, repeatable_call),
    action("a stream begins", 60, Usual, flows::stream),
    action("the client takes an item", 150, Vital, flows::take_item),
    action("the client sends a part", 100, Vital, flows::send_part),
    action("the server sends an item", 150, Vital, flows::send_item),
    action("the server takes a part", 100, Vital, flows::take_part),
    action("the client ends its parts", 20, Vital, flows::end_parts),
    action("the client has sent its parts", 40, Vital, flows::await_reply),
    action("a moment passes", 60, Vital, time::moment),
    action("a wait ends", 30, Vital, time::wait_ends),
    action("a notification", 30, Usual, flows::notification),
    action("a wait for an item is dropped", 10, Usual, flows::stop_taking),
    action("a part is dropped", 15, Usual, flows::drop_part),
    action("an item is dropped", 15, Usual, flows::drop_item),
    action("a wait for a part is dropped", 10, Usual, flows::stop_taking_parts),
    action("many calls", 5, Usual, many_calls),
    action("a ping", 30, Usual, ping),
    action("many pings", 3, Usual, many_pings),
    action("a place is asked for", 30, Usual, reserve),
    action("a place is given back", 15, Usual, give_place_back),
    action("a call is dropped", 20, Usual, drop_call),
    action("the wait of a call fails", 20, Usual, fail_call),
    action("a call is cancelled", 25, Usual, cancel),
    action("many calls are cancelled", 4, Usual, many_cancels),
    action("a cancel is dropped", 6, Usual, drop_cancel),
    action("a handler watches", 30, Usual, watch),
    action("a watch is dropped", 10, Usual, drop_watch),
    action("the client does not read", 5, Usual, time::client_stalls),
    action("the server fails a request", 30, Usual, fail),
    action("the server refuses a request", 20, Usual, refuse),
    action("the server neglects all requests", 4, Usual, neglect),
    action("an answer is dropped", 20, Usual, abandon),
    action("a while passes", 5, Usual, time::while_passes),
    action("the stall passes", 2, Usual, time::stall_passes),
    action("the client sleeps", 3, Usual, time::client_sleeps),
    action("the server sleeps", 3, Usual, time::server_sleeps),
    action("the client dies", 1, Death, fault::kill_client),
    action("the server dies", 1, Death, fault::kill_server),
    action("the client will die", 2, Death, fault::doom_client),
    action("the server will die", 2, Death, fault::doom_server),
    action("the client starts anew", 1, Death, fault::restart_client),
    action("the server starts anew", 1, Death, fault::restart_server),
    action("the client closes", 2, Death, close_client),
    action("the server closes", 2, Death, close_server),
    action("a server with keys starts anew", 10, Death, fault::restart_server_with_keys),
    action("the dead are started", 100, Vital, fault::start),
    action("the dead let go", 60, Vital, fault::bury),
    action("opening is refused", 4, Path, fault::refuse),
    action("a path is exchanged", 2, Path, fault::exchange),
    action("a path is unlinked", 2, Path, fault::unlink),
    action("an unlinked path comes back", 40, Vital, fault::make),
    action("a byte flips", 10, Loss, fault::flip),
    action("bytes are lost", 10, Loss, fault::lose),
    action("a stranger writes", 10, Loss, fault::stranger),
];

const fn action(name: &'static str, weight: u32, kind: Kind, act: Act) -> Action {
    Action { name, weight, kind, act }
}

/// What was done, where that says nothing more.
pub(super) fn done() -> Option<String> {
    Some(String::new())
}

fn client_steps(world: &mut World) -> Option<String> {
    let (now, actions) = (world.now(), world.actions);
    let client = world.client.as_mut().filter(|client| client.life.asleep_until <= actions)?;
    if client.life.patient && !client.life.is_due(now) {
        return None;
    }
    let directions = directions(client.life.patient, world.random.below(6));
    client.step(now, directions, &mut world.ledger);
    if !client.life.process.is_dead() && world.random.once_in(2) {
        client.look(now, &mut world.ledger);
    }
    Some(waiting(client.life.wait(), world))
}

fn client_looks(world: &mut World) -> Option<String> {
    let now = world.now();
    let client = world.client.as_mut()?;
    client.look(now, &mut world.ledger);
    done()
}

fn server_steps(world: &mut World) -> Option<String> {
    let (now, actions) = (world.now(), world.actions);
    let server = world.server.as_mut().filter(|server| server.life.asleep_until <= actions)?;
    if server.life.patient && !server.life.is_due(now) {
        return None;
    }
    let directions = directions(server.life.patient, world.random.below(6));
    server.step(now, directions, &mut world.ledger);
    if !server.life.process.is_dead() && world.random.once_in(2) {
        server.look(now, &mut world.ledger);
    }
    Some(waiting(server.life.wait(), world))
}

fn server_looks(world: &mut World) -> Option<String> {
    let now = world.now();
    let server = world.server.as_mut()?;
    server.look(now, &mut world.ledger);
    done()
}

/// Who shares a session with others may leave a direction to them.
fn directions(patient: bool, draw: usize) -> Directions {
    match draw {
        0 if !patient => Directions { read: false, write: true },
        1 if !patient => Directions { read: true, write: false },
        _ => Directions::BOTH,
    }
}

fn waiting(wait: Option<Wait>, world: &World) -> String {
    let Some(wait) = wait else { return "and goes on".to_owned() };
    let until = wait.until.remaining(world.now());
    format!("and waits: read {}, write {}, {until:?}", wait.readable, wait.writable)
}

fn call(world: &mut World) -> Option<String> {
    let deadline = deadline(world);
    call_by(world, deadline, None, Options::default())
}

/// With a deadline, because no server keeps anything for ever; what is put to one life only may
/// have none.
fn repeatable_call(world: &mut World) -> Option<String> {
    if world.terms.max_queued == 1 && !world.random.once_in(20) {
        // It is kept until it ends, and leaves no room for any other.
        return None;
    }
    let promise = world.random.pick(&[Promise::AnyLife, Promise::AnyLife, Promise::SameLife]);
    let deadline = match (deadline(world), promise) {
        (Deadline::NEVER, Promise::AnyLife) => Deadline::after(world.now(), LONG),
        (deadline, _) => deadline,
    };
    call_by(world, deadline, Some(promise), Options::default())
}

pub(super) fn call_by(
    world: &mut World,
    deadline: Deadline,
    promise: Option<Promise>,
    options: Options,
) -> Option<String> {
    let now = world.now();
    let size = match world.random.once_in(4) {
        true => world.random.length(world.terms.largest),
        false => world.random.length(500.min(world.terms.largest)),
    };
    let in_vain = world.random.once_in(30);
    let client = world.client.as_mut().filter(|client| client.life.is_open())?;
    if client.is_full(world.terms.max_in_flight) && !in_vain {
        return None;
    }
    let serial = client.call_with(options, size, now, deadline, promise, &mut world.ledger);
    if serial.is_some() && world.random.once_in(2) {
        client.step_first(now, &mut world.ledger);
    }
    let by = deadline.remaining(now);
    Some(format!("{serial:?} of {size} bytes by {by:?}, {promise:?}"))
}

fn many_calls(world: &mut World) -> Option<String> {
    let calls = world.random.between(2, 40);
    let made = (0..calls).map_while(|_| call(world)).count();
    (made > 0).then(|| format!("{made}"))
}

fn ping(world: &mut World) -> Option<String> {
    let deadline = deadline(world);
    let client = world.client.as_mut().filter(|client| client.life.is_open())?;
    client.ping(deadline).then(String::new)
}

/// As many as a server answers before somebody reads.
fn many_pings(world: &mut World) -> Option<String> {
    let pings = world.random.between(10, 40);
    let made = (0..pings).map_while(|_| ping(world)).count();
    (made > 0).then(|| format!("{made}"))
}

/// How often a stream is passed over by whoever answers.
const STREAMS_LAST: usize = 6;

/// Longer than anybody waits.
const LONG: Duration = Duration::from_secs(30);

/// Soon, late or never.
pub(super) fn deadline(world: &mut World) -> Deadline {
    let ms = match world.random.below(8) {
        0 => return Deadline::NEVER,
        1 => world.random.below(3),
        2..4 => world.random.between(1, 200),
        _ => world.random.between(200, 30_000),
    };
    Deadline::after(world.now(), Duration::from_millis(ms as u64))
}

fn reserve(world: &mut World) -> Option<String> {
    let deadline = deadline(world);
    let client = world.client.as_mut().filter(|client| client.life.is_open())?;
    client.reserve(deadline);
    done()
}

fn give_place_back(world: &mut World) -> Option<String> {
    world.client.as_mut()?.give_place_back().map(|place| place.to_string())
}

fn drop_call(world: &mut World) -> Option<String> {
    let client = world.client.as_mut().filter(|client| !client.calls.is_empty())?;
    let at = world.random.below(client.calls.len());
    let serial = client.calls[at].serial;
    client.drop_call(at, &mut world.ledger);
    Some(format!("{serial:?}"))
}

fn fail_call(world: &mut World) -> Option<String> {
    let now = world.now();
    let client = world.client.as_mut().filter(|client| !client.calls.is_empty())?;
    let at = world.random.below(client.calls.len());
    let serial = client.calls[at].serial;
    let fate = client.fail_call(at, now, &mut world.ledger);
    Some(format!("{serial:?}: {fate}"))
}

/// One call, or one that others wait for the end of already.
fn cancel(world: &mut World) -> Option<String> {
    let bound = match world.random.once_in(6) {
        true => world.random.below(50),
        false => world.random.between(5000, 30_000),
    };
    let deadline = Deadline::after(world.now(), Duration::from_millis(bound as u64));
    let client = world.client.as_mut().filter(|client| client.life.is_open())?;
    let calls: Vec<_> = client.calls.iter().map(|call| call.visit.key).collect();
    let again: Vec<_> = client.cancels.iter().map(|cancel| cancel.id).collect();
    let among = if world.random.once_in(3) { again } else { calls };
    let id = (!among.is_empty()).then(|| world.random.pick(&among))?;
    let serial = client.cancel(id, deadline, &mut world.ledger);
    if world.random.once_in(2) {
        client.step_first(world.clock.now, &mut world.ledger);
    }
    Some(format!("{serial:?}, number {id}, within {bound} ms"))
}

fn many_cancels(world: &mut World) -> Option<String> {
    let cancels = world.random.between(2, 10);
    let made = (0..cancels).map_while(|_| cancel(world)).count();
    (made > 0).then(|| format!("{made}"))
}

fn drop_cancel(world: &mut World) -> Option<String> {
    let client = world.client.as_mut().filter(|client| !client.cancels.is_empty())?;
    let at = world.random.below(client.cancels.len());
    Some(client.drop_cancel(at).to_string())
}

fn watch(world: &mut World) -> Option<String> {
    let server = world.server.as_mut().filter(|server| !server.in_hand.is_empty())?;
    let at = world.random.below(server.in_hand.len());
    Some(server.watch(at).to_string())
}

fn drop_watch(world: &mut World) -> Option<String> {
    let server = world.server.as_mut().filter(|server| !server.watches.is_empty())?;
    let at = world.random.below(server.watches.len());
    Some(server.drop_watch(at).to_string())
}

fn receive(world: &mut World) -> Option<String> {
    let deadline = if world.random.once_in(4) { deadline(world) } else { Deadline::NEVER };
    let server = world.server.as_mut().filter(|server| server.life.is_open())?;
    server.receive(deadline).then(String::new)
}

fn reply(world: &mut World) -> Option<String> {
    let size = match world.random.once_in(4) {
        true => world.random.length(world.terms.largest),
        false => world.random.length(500.min(world.terms.largest)),
    };
    answer(world, Told::Reply { size })
}

fn fail(world: &mut World) -> Option<String> {
    answer(world, Told::Failure)
}

fn refuse(world: &mut World) -> Option<String> {
    answer(world, Told::Refusal)
}

pub(super) fn answer(world: &mut World, told: Told) -> Option<String> {
    let now = world.now();
    let server = world.server.as_mut().filter(|server| !server.in_hand.is_empty())?;
    let at = world.random.below(server.in_hand.len());
    let (asked, serial) = &server.in_hand[at];
    let (options, serial) = (asked.asker().options, *serial);
    if options.has_streams() && !world.random.once_in(STREAMS_LAST) {
        return None;
    }
    let ends = options.window.is_some() && !world.random.once_in(4);
    let told = match told {
        Told::Reply { .. } if ends => Told::End,
        told => told,
    };
    server.answer(at, told, now, &mut world.ledger);
    if world.random.once_in(2) {
        server.step_first(now, &mut world.ledger);
    }
    Some(format!("{serial}: {told:?}"))
}

/// More calls fail than a server keeps the news of for a client that does not read.
fn neglect(world: &mut World) -> Option<String> {
    let slept = time::client_sleeps(world)?;
    let mut neglected = 0;
    for _ in 0..world.terms.max_in_flight {
        let now = world.now();
        let server = world.server.as_mut().filter(|server| server.life.is_open())?;
        server.step(now, Directions::BOTH, &mut world.ledger);
        server.receive(Deadline::NEVER);
        server.look(now, &mut world.ledger);
        match world.random.below(3) {
            0 => answer(world, Told::Refusal),
            1 => reply(world).and_then(|_| abandon(world)),
            _ => reply(world),
        };
        neglected += 1;
    }
    world.clock.advance(world.terms.reply_timeout);
    server_looks(world);
    Some(format!("{neglected}, asleep {slept}"))
}

fn abandon(world: &mut World) -> Option<String> {
    let server = world.server.as_mut().filter(|server| !server.replies.is_empty())?;
    let at = world.random.below(server.replies.len());
    let serial = server.replies[at].2;
    server.abandon(at, &mut world.ledger);
    Some(format!("{serial}"))
}

fn close_client(world: &mut World) -> Option<String> {
    let deadline = deadline(world);
    let client = world.client.as_mut().filter(|client| client.life.is_open())?;
    client.close(deadline).then(|| format!("by {:?}", deadline.remaining(world.clock.now)))
}

fn close_server(world: &mut World) -> Option<String> {
    let deadline = deadline(world);
    let server = world.server.as_mut().filter(|server| server.life.is_open())?;
    server.close(deadline).then(|| format!("by {:?}", deadline.remaining(world.clock.now)))
}
