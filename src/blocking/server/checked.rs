//! A server's attendant, under the checker ([`crate::sync::checked`]).

use std::sync::Arc;

use super::attendant::Attendant;
use crate::blocking::turn::Turn;
use crate::core::errand::{Calling, Cancelling};
use crate::core::script::{Client, Server};
use crate::deadline::Deadline;
use crate::error::{ErrorKind, Phase};
use crate::sync::checked::peer::{Count, calling, echo, next_request};
use crate::sync::checked::thread::{self, Spawned};
use crate::sync::checked::{below, chance, check, common, endpoints, moment, now, patient};
use crate::trace::Span;

#[test]
fn a_ping_is_answered_while_a_handler_runs() {
    check(|| {
        let scene = Scene::begin(2 + below(2));
        for round in 1..=scene.rounds {
            let turn = Arc::clone(&scene.turn);
            let caller = thread::spawn(move || {
                let calling = turn.with(|client| calling(client, b"long", patient()));
                let reply = turn.run(calling, moment(), patient(), Phase::Reply);
                assert_eq!(reply.unwrap().body, b"long");
            });
            scene.begun.wait_for(round);
            scene.ping();
            scene.heard.add();
            caller.join().unwrap();
            if chance(2) {
                // Between two handlers, with nobody in one.
                scene.ping();
            }
            // The next request comes while the attendant ticks, goes to sleep or is asleep.
            (0..below(12)).for_each(|_| thread::yield_now());
        }
        scene.end();
    });
}

#[test]
fn a_cancel_is_acknowledged_while_the_handler_runs_that_it_is_for() {
    check(|| {
        let scene = Scene::begin(1 + below(2));
        for round in 1..=scene.rounds {
            let calling = scene.turn.with(|client| calling(client, b"long", patient()));
            let none = Span::none();
            let call = scene.turn.begin_in(&none, calling, moment(), patient(), Phase::Reply);
            let call = call.unwrap();
            scene.begun.wait_for(round);
            let cancelling = Cancelling::new(call.key(), Deadline::NEVER);
            scene.turn.run(cancelling, now(), patient(), Phase::Cancel).unwrap();
            scene.heard.add();
            assert_eq!(call.finish().unwrap_err().kind(), ErrorKind::Cancelled);
        }
        scene.end();
    });
}

#[test]
fn a_handler_learns_that_its_call_is_dropped_though_its_client_does_nothing_more() {
    check(|| {
        let scene = Scene::begin(1 + below(2));
        for round in 1..=scene.rounds {
            let calling = scene.turn.with(|client| calling(client, UNTIL_DROPPED, patient()));
            let none = Span::none();
            let call = scene.turn.begin_in(&none, calling, moment(), patient(), Phase::Reply);
            scene.begun.wait_for(round);
            drop(call);
            scene.heard.wait_for(round);
        }
        scene.end();
    });
}

/// What keeps a handler until nobody wants its answer.
const UNTIL_DROPPED: &[u8] = b"until dropped";

/// A client, and a server whose handler returns only when the client has heard of the server.
struct Scene {
    turn: Arc<Turn<Client>>,
    rounds: usize,
    begun: Arc<Count>,
    heard: Arc<Count>,
    service: Spawned,
}

impl Scene {
    fn begin(rounds: usize) -> Self {
        let (client, server) = endpoints(65_536, 8);
        let turn = Arc::new(Turn::new(client, &common()).unwrap());
        let (begun, heard) = (Arc::new(Count::default()), Arc::new(Count::default()));
        let (begins, hears) = (Arc::clone(&begun), Arc::clone(&heard));
        let service = thread::spawn(move || serve(server, &begins, &hears));
        Self { turn, rounds, begun, heard, service }
    }

    fn ping(&self) {
        let ping = Calling::ping(Deadline::NEVER);
        self.turn.run(ping, moment(), patient(), Phase::Reply).unwrap();
    }

    fn end(self) {
        drop(self.turn);
        self.service.join().unwrap();
    }
}

/// As [`Server::serve`](super::Server::serve).
fn serve(server: Server, begun: &Count, heard: &Count) {
    let turn = Arc::new(Turn::new(server, &common()).unwrap());
    let (mut attendant, mut round) = (None, 0);
    while let Some(asked) = next_request(&turn) {
        round += 1;
        let attendant = Attendant::at(&mut attendant, &turn).unwrap();
        attendant.begin();
        begun.add();
        if asked.message() == UNTIL_DROPPED {
            while !turn.with(|server| server.is_settled(asked.caller)) {
                thread::yield_now();
            }
            heard.add();
        }
        heard.wait_for(round);
        // Nobody may want it any more.
        let _ = echo(&turn, &asked);
        attendant.end();
    }
    drop(attendant);
    assert!(turn.is_at_rest());
}
