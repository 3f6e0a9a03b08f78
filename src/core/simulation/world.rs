//! Two FIFOs at two paths, a clock, and a process on each side, alive or not.

use std::rc::Rc;
use std::sync::OnceLock;
use std::time::Instant;

use super::client::Client;
use super::ledger::Ledger;
use super::observers::Shared;
use super::process::{self, Leaves, Process, ReadOpener, WriteOpener};
use super::random::Random;
use super::server::Server;
use super::terms::Terms;
use crate::core::inbox::Limits;
use crate::core::link::Link;
use crate::core::retry::next_check;
use crate::core::script::{Clock, Place};
use crate::core::wire;

#[derive(Debug)]
pub(super) struct World {
    pub(super) random: Random,
    pub(super) terms: Terms,
    pub(super) clock: Clock,
    /// Flows into the server.
    pub(super) requests: Place,
    /// Flows out of the server.
    pub(super) replies: Place,
    pub(super) client: Option<Client>,
    pub(super) server: Option<Server>,
    /// Processes that are dead, of which an end may be open still.
    dying: Vec<Rc<Process>>,
    pub(super) ledger: Ledger,
    /// Actions so far.
    pub(super) actions: u64,
    /// What each side has gone through.
    pub(super) changes: Shared,
}

impl World {
    /// What this seed stands for.
    pub(super) fn new(seed: u64) -> Self {
        let mut random = Random::new(seed);
        let terms = Terms::draw(&mut random);
        Self::on_terms(random, terms)
    }

    /// What follows from these terms.
    pub(super) fn on_terms(random: Random, terms: Terms) -> Self {
        let ledger = Ledger::new(terms.limit, terms.lossless, terms.stable);
        let mut world = Self {
            clock: Clock::starting_at(start()),
            requests: Place::with_pipe(terms.capacity),
            replies: Place::with_pipe(terms.capacity),
            client: None,
            server: None,
            dying: Vec::new(),
            actions: 0,
            changes: Shared::default(),
            random,
            terms,
            ledger,
        };
        world.start_server();
        world.start_client();
        world
    }

    pub(super) fn now(&self) -> Instant {
        self.clock.now
    }

    /// Begins a life of the client, after the end of the one before.
    pub(super) fn start_client(&mut self) {
        self.kill_client(Leaves::Nothing);
        self.bury();
        let process = Process::new(Random::new(self.random.next()), self.terms.transfers);
        let (replies, requests) = (self.replies.clone(), self.requests.clone());
        let ends = (process::reader(&replies, &process), process::writer(&requests, &process));
        let link = self.link(ends, Limits::of(self.terms.limit));
        self.client = Some(Client::new(link, process, &self.terms, &self.changes));
    }

    /// Begins a life of the server, after the end of the one before.
    pub(super) fn start_server(&mut self) {
        self.kill_server(Leaves::Nothing);
        self.bury();
        let process = Process::new(Random::new(self.random.next()), self.terms.transfers);
        let (replies, requests) = (self.replies.clone(), self.requests.clone());
        let ends = (process::reader(&requests, &process), process::writer(&replies, &process));
        let Terms { limit: bytes, max_waiting: requests, parks, .. } = self.terms;
        let link = self.link(ends, Limits { bytes, requests, parks });
        self.server = Some(Server::new(link, process, &self.terms, &self.changes));
    }

    pub(super) fn kill_client(&mut self, leaves: Leaves) {
        if let Some(client) = &self.client {
            client.life.process.kill(leaves);
        }
        self.reap();
    }

    pub(super) fn kill_server(&mut self, leaves: Leaves) {
        if let Some(server) = &self.server {
            server.life.process.kill(leaves);
        }
        self.reap();
    }

    /// Takes away who has died in the meantime.
    pub(super) fn reap(&mut self) {
        if let Some(client) = self.client.take_if(|client| client.life.process.is_dead()) {
            self.dying.push(Rc::clone(&client.life.process));
            self.ledger.client_died();
        }
        if let Some(server) = self.server.take_if(|server| server.life.process.is_dead()) {
            self.dying.push(Rc::clone(&server.life.process));
        }
    }

    /// The kernel has closed everything that the dead held; answers whether there were any.
    pub(super) fn bury(&mut self) -> bool {
        let any = !self.dying.is_empty();
        self.dying.drain(..).for_each(|process| process.close_all());
        any
    }

    fn link(
        &mut self,
        (reader, writer): (ReadOpener, WriteOpener),
        limits: Limits,
    ) -> Link<ReadOpener, WriteOpener> {
        let epoch = wire::epoch_from(self.random.next());
        Link::new(reader, writer, limits, epoch)
    }
}

/// What the monotonic clock reads at an instant, in nanoseconds; never zero.
pub(super) fn stamp(at: Instant) -> u64 {
    1 + at.saturating_duration_since(start()).as_nanos() as u64
}

/// When every run begins: at an instant at which endpoints look at their paths, so that the same
/// seed gives the same run in every process.
fn start() -> Instant {
    static START: OnceLock<Instant> = OnceLock::new();
    *START.get_or_init(|| next_check(Instant::now()))
}
