//! Every order in which the steps of one call can come, with all that can go wrong in between.
//!
//! A client makes one call, and may cancel it or close. From there on each side steps, answers,
//! dies or comes back, a path is exchanged, or time passes beyond the deadline: all choices are
//! followed, depth first, as far as they lead to a state that is new. A world cannot be copied, so
//! each path is walked anew from its beginning. After each choice what must hold is checked as in
//! a random run, the tables of the model included, and wherever something has gone wrong all must
//! come to rest in peace from there.
//!
//! Frames move whole, and one or two things go wrong. Or they move byte by byte, and one thing goes
//! wrong at any of them: then a step writes one byte, and the other side reads each as it comes
//! from any of them on, or none before the last.
//!
//! Some 22,000 states are found, by which 13 million orders lead from the call to its end: 5
//! million of the call alone, 1 million with a cancel, 4.7 million with the end of the client, 2.6
//! million byte by byte. The tests print how many.

use std::collections::HashMap;
use std::fmt::Write;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use super::ledger::Told;
use super::process::{Leaves, Transfers};
use super::random::Random;
use super::terms::Terms;
use super::world::World;
use crate::core::keys::KeyLimits;
use crate::core::link::Directions;
use crate::core::script::Place;
use crate::deadline::Deadline;

/// What can come next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Choice {
    ClientSteps,
    ServerSteps,
    ServerAnswers,
    Cancel,
    Close,
    /// Beyond the next look at the paths, and beyond all deadlines.
    TimePasses,
    ServerStarts,
    ClientDies,
    ServerDies,
    RequestsExchanged,
    RepliesExchanged,
    /// From here on nothing goes wrong.
    Peace,
}

use Choice::*;

/// What goes wrong.
const FAULTS: &[Choice] = &[ClientDies, ServerDies, RequestsExchanged, RepliesExchanged];

/// What is explored.
#[derive(Clone, Copy, Debug)]
struct Scene {
    /// Whether both sides have heard of each other before.
    acquainted: bool,
    /// Whether a step writes one byte.
    bytewise: bool,
    /// What the client does beside its call, once.
    besides: Option<Choice>,
    /// How often something goes wrong.
    faults: usize,
}

/// What was found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Found {
    states: usize,
    /// Ways from the beginning to peace.
    interleavings: u128,
}

/// Of the call.
const DEADLINE: Duration = Duration::from_millis(150);

const TIME: Duration = Duration::from_millis(200);

/// Whether something has just gone wrong.
fn is_odd(choice: Choice) -> bool {
    FAULTS.contains(&choice) || choice == TimePasses
}

/// A path, said when it fails.
struct Path(Vec<Choice>);

impl Drop for Path {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{:?}", self.0);
        }
    }
}

impl Scene {
    /// Follows every path.
    fn explore(self) -> Found {
        let (mut states, mut edges) = (HashMap::new(), Vec::<Vec<usize>>::new());
        let mut paths: Vec<(Option<usize>, Vec<Choice>)> = vec![(None, Vec::new())];
        while let Some((mut from, path)) = paths.pop() {
            let mut path = Path(path);
            let mut world = self.replay(&path.0);
            loop {
                let next = states.len();
                let state = *states.entry(self.fingerprint(&mut world, &path.0)).or_insert(next);
                if let Some(from) = from.filter(|from| *from != state) {
                    edges[from].push(state);
                }
                if state < next {
                    break;
                }
                edges.push(Vec::new());
                let choices = self.choices(&world, &path.0);
                let others = choices.iter().skip(1);
                paths.extend(others.map(|other| (Some(state), [&path.0[..], &[*other]].concat())));
                let Some(first) = choices.first() else { break };
                path.0.push(*first);
                self.act(&mut world, *first);
                from = Some(state);
            }
        }
        let interleavings = count(&edges, 0, &mut vec![None; edges.len()]);
        Found { states: edges.len(), interleavings }
    }

    fn replay(self, path: &[Choice]) -> World {
        let dies = |choice: &Choice| matches!(choice, ClientDies | ServerDies | Close);
        let exchanged = |choice: &Choice| matches!(choice, RequestsExchanged | RepliesExchanged);
        let terms = terms(!path.iter().any(dies), !path.iter().any(exchanged));
        let mut world = World::on_terms(Random::new(1), terms);
        let deadline = Deadline::after(world.now(), DEADLINE);
        for _ in 0..2 {
            self.act(&mut world, ClientSteps);
            self.act(&mut world, ServerSteps);
        }
        if self.acquainted {
            world.client.as_mut().expect("it has just begun").ping(deadline);
            let whole = Self { bytewise: false, ..self };
            for _ in 0..4 {
                whole.act(&mut world, ClientSteps);
                whole.act(&mut world, ServerSteps);
            }
        }
        let now = world.now();
        let client = world.client.as_mut().expect("it has just begun");
        client.call(10, now, deadline, None, &mut world.ledger).expect("there is room");
        for choice in path {
            self.act(&mut world, *choice);
        }
        world
    }

    fn choices(self, world: &World, path: &[Choice]) -> Vec<Choice> {
        let made = |choice| path.iter().filter(|made| **made == choice).count();
        let faults = path.iter().filter(|choice| FAULTS.contains(choice)).count();
        let mut choices = Vec::new();
        match path.last() {
            Some(Peace) => return choices,
            Some(last) if self.bytewise && is_odd(*last) => return vec![Peace],
            _ => {}
        }
        if world.client.is_some() {
            choices.push(ClientSteps);
        }
        match &world.server {
            None => choices.push(ServerStarts),
            Some(server) => {
                choices.push(ServerSteps);
                choices.extend((!server.in_hand.is_empty()).then_some(ServerAnswers));
            }
        }
        if self.bytewise {
            // Whoever has begun to read reads each byte as it comes.
            let late =
                |of: &Place| of.pipe().len() > 0 && of.pipe().traffic() > of.pipe().len() as u64;
            let [server, client] = [&world.requests, &world.replies].map(late);
            choices.retain(|choice| match choice {
                ServerSteps => !client,
                ClientSteps => !server,
                _ => true,
            });
        }
        if let Some(client) = &world.client {
            let besides = self.besides.filter(|besides| made(*besides) == 0);
            choices.extend(besides.filter(|besides| *besides == Close || !client.calls.is_empty()));
        }
        if made(TimePasses) == 0 {
            choices.push(TimePasses);
        }
        if faults < self.faults {
            choices.extend(world.client.is_some().then_some(ClientDies));
            choices.extend(world.server.is_some().then_some(ServerDies));
            choices.extend([RequestsExchanged, RepliesExchanged]);
        }
        // Every other state leads to one of these.
        if path.last().is_some_and(|last| is_odd(*last)) {
            choices.push(Peace);
        }
        choices
    }

    fn act(self, world: &mut World, choice: Choice) {
        let now = world.now();
        let places = [world.requests.clone(), world.replies.clone()];
        if self.bytewise {
            places.iter().for_each(|place| place.pipe().script_writes([1, 0]));
        }
        let ledger = &mut world.ledger;
        match (choice, &mut world.client, &mut world.server) {
            (ClientSteps, Some(client), _) => {
                client.step(now, Directions::BOTH, ledger);
                if !client.life.process.is_dead() {
                    client.look(now, ledger);
                }
            }
            (ServerSteps, _, Some(server)) => {
                server.step(now, Directions::BOTH, ledger);
                server.receive(Deadline::NEVER);
                server.look(now, ledger);
            }
            (ServerAnswers, _, Some(server)) => {
                server.answer(0, Told::Reply { size: 10 }, now, ledger);
            }
            (Cancel, Some(client), _) => {
                let bound = Deadline::after(now, DEADLINE);
                client.cancel(client.calls[0].visit.key, bound, ledger);
            }
            (Close, Some(client), _) => {
                client.close(Deadline::after(now, DEADLINE));
            }
            (TimePasses, ..) => world.clock.advance(TIME),
            (ServerStarts, ..) => world.start_server(),
            (ClientDies, ..) => world.kill_client(Leaves::Nothing),
            (ServerDies, ..) => world.kill_server(Leaves::Nothing),
            (RequestsExchanged, ..) => drop(world.requests.make(world.terms.capacity)),
            (RepliesExchanged, ..) => drop(world.replies.make(world.terms.capacity)),
            (Peace, ..) => world.rest_in_peace(),
            (choice, ..) => unreachable!("{choice:?} is done by nobody"),
        }
        places.iter().for_each(|place| place.pipe().forget_script());
        world.reap();
        world.bury();
        world.check();
    }

    /// Two worlds that have the same go on in the same way.
    fn fingerprint(self, world: &mut World, path: &[Choice]) -> u64 {
        let made = |choice| path.iter().filter(|made| **made == choice).count();
        let faults = path.iter().filter(|choice| FAULTS.contains(choice)).count();
        let besides = self.besides.map(made);
        let mut words = format!("{faults} {besides:?} {:?}", path.last() == Some(&Peace));
        let _ = write!(words, " {:?} {:?}", world.now(), world.ledger.counts);
        for place in [&world.requests, &world.replies] {
            let pipe = place.pipe();
            let (has_reader, has_writer) = (pipe.has_reader(), pipe.has_writer());
            let _ = write!(words, " {} {} {has_reader}{has_writer}", pipe.len(), pipe.traffic());
        }
        if let Some(client) = &mut world.client {
            let _ = write!(words, " {}", client.fingerprint());
        }
        if let Some(server) = &mut world.server {
            let _ = write!(words, " {}", server.fingerprint());
        }
        let mut hasher = DefaultHasher::new();
        words.hash(&mut hasher);
        hasher.finish()
    }
}

/// Ways from a state to an end.
fn count(edges: &[Vec<usize>], from: usize, known: &mut Vec<Option<u128>>) -> u128 {
    if let Some(ways) = known[from] {
        return ways;
    }
    // Whatever leads back to where it came from is no way of its own.
    known[from] = Some(0);
    let ways = match edges[from].is_empty() {
        true => 1,
        false => edges[from].iter().map(|to| count(edges, *to, known)).sum(),
    };
    known[from] = Some(ways);
    ways
}

fn terms(immortal: bool, stable: bool) -> Terms {
    Terms {
        capacity: 4096,
        limit: 3000,
        stall: Duration::from_millis(2000),
        max_in_flight: 3,
        max_queued: usize::MAX,
        max_waiting: 3,
        parks: false,
        reply_timeout: Duration::from_millis(10_000),
        max_retries: 0,
        keys: KeyLimits::default(),
        ends_with_server: false,
        transfers: Transfers::Whole,
        largest: 100,
        patient: false,
        lossless: true,
        immortal,
        stable,
        weights: Vec::new(),
    }
}

/// What is explored, less than which would be too little.
fn explore(scene: Scene, least: u128) {
    let found = scene.explore();
    eprintln!("{scene:?}: {found:?}");
    assert!(found.interleavings > least, "{scene:?}: {found:?}");
}

#[test]
fn in_every_order_of_steps_a_call_ends_as_it_should() {
    let first = Scene { acquainted: false, bytewise: false, besides: None, faults: 2 };
    explore(first, 1_000_000);
    explore(Scene { acquainted: true, faults: 1, ..first }, 10_000);
}

#[test]
fn in_every_order_of_steps_a_call_that_is_cancelled_ends_as_it_should() {
    let scene = Scene { acquainted: false, bytewise: false, besides: Some(Cancel), faults: 1 };
    explore(scene, 100_000);
}

#[test]
fn in_every_order_of_steps_a_client_that_closes_has_its_answer_first() {
    let scene = Scene { acquainted: false, bytewise: false, besides: Some(Close), faults: 1 };
    explore(scene, 100_000);
}

#[test]
fn at_every_byte_of_a_call_anything_may_go_wrong() {
    let scene = Scene { acquainted: false, bytewise: true, besides: None, faults: 1 };
    explore(scene, 100_000);
}
