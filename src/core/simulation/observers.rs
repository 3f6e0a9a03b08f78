//! What each side goes through, held against the tables of the model after everything that it does.
//!
//! What has happened is told by others than the session: by whoever did it, by the kernel, by what
//! came. The states are read off the session. A change of state for which the table has no path
//! of rows by these causes fails the run.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;

use super::process::{Process, ReadOpener, WriteOpener};
use crate::core::client;
use crate::core::event::Verb;
use crate::core::inbox::{Came, How};
use crate::core::model::{
    Call, Cause, Causes, ClientClosing, ClientLife, Place, Request, Seen, ServerClosing,
    ServerLife, State,
};
use crate::core::server::Answerer;
use crate::core::session::Session;
use crate::stats::LinkStats;

/// Every change of state of a run.
#[derive(Clone, Debug, Default)]
pub(super) struct Changes {
    calls: Seen<Call>,
    places: Seen<Place>,
    client_closings: Seen<ClientClosing>,
    server_lives: Seen<ServerLife>,
    requests: Seen<Request>,
    server_closings: Seen<ServerClosing>,
    client_lives: Seen<ClientLife>,
}

pub(super) type Shared = Rc<RefCell<Changes>>;

impl Changes {
    pub(super) fn add(&mut self, others: &Self) {
        self.calls.add_all(&others.calls);
        self.places.add_all(&others.places);
        self.client_closings.add_all(&others.client_closings);
        self.server_lives.add_all(&others.server_lives);
        self.requests.add_all(&others.requests);
        self.server_closings.add_all(&others.server_closings);
        self.client_lives.add_all(&others.client_lives);
    }

    /// Rows without which all that was seen would be allowed too: nothing shows them.
    pub(super) fn needless(&self) -> Vec<String> {
        let mut needless = self.calls.needless();
        needless.extend(self.places.needless());
        needless.extend(self.client_closings.needless());
        needless.extend(self.server_lives.needless());
        needless.extend(self.requests.needless());
        needless.extend(self.server_closings.needless());
        needless.extend(self.client_lives.needless());
        needless
    }
}

/// What has happened to the things that go by these keys since a side was looked at last.
#[derive(Clone, Debug)]
pub(super) struct Happened<K> {
    /// To all of them.
    all: Causes,
    each: Vec<(K, Cause)>,
    looked: bool,
}

impl<K> Default for Happened<K> {
    fn default() -> Self {
        Self { all: Causes::default(), each: Vec::new(), looked: false }
    }
}

impl<K: Copy + Ord> Happened<K> {
    /// Something has happened to all.
    pub(super) fn all(&mut self, cause: Cause) {
        self.all = self.all.with(cause);
    }

    pub(super) fn all_if(&mut self, cause: Cause, happened: bool) {
        if happened {
            self.all(cause);
        }
    }

    /// Something has happened to one.
    pub(super) fn to(&mut self, key: K, cause: Cause) {
        self.each.push((key, cause));
    }

    fn has_any(&self, causes: &[Cause]) -> bool {
        let is_one = |cause: &Cause| causes.contains(cause);
        causes.iter().any(|cause| self.all.has(*cause)) || self.each.iter().any(|(_, c)| is_one(c))
    }

    /// Somebody looks, which may change something.
    pub(super) fn look(&mut self) {
        self.looked = true;
    }

    /// Whether anything was done since this side was looked at last.
    pub(super) fn is_news(&self) -> bool {
        self.looked || self.all != Causes::default() || !self.each.is_empty()
    }

    fn causes(&self, key: K) -> Causes {
        let own = self.each.iter().filter(|(whose, _)| *whose == key);
        own.fold(self.all, |causes, (_, cause)| causes.with(*cause))
    }
}

/// The states of some things of one kind, as they were when they were looked at last.
#[derive(Debug)]
struct Watched<K, S> {
    /// In the order of the keys.
    states: Vec<(K, S)>,
    over: BTreeSet<K>,
}

impl<K: Copy + Ord, S: State> Watched<K, S> {
    fn new() -> Self {
        Self { states: Vec::new(), over: BTreeSet::new() }
    }

    fn look(&mut self, mut now: Vec<(K, S)>, happened: &Happened<K>, seen: &mut Seen<S>) {
        now.sort_unstable();
        if now == self.states {
            return;
        }
        let before = std::mem::replace(&mut self.states, now);
        let state_in = |all: &[(K, S)], key| {
            all.binary_search_by_key(&key, |(key, _)| *key).ok().map(|at| all[at].1)
        };
        for (key, state) in &self.states {
            let first = if self.over.contains(key) { S::LAST } else { S::FIRST };
            let was = state_in(&before, *key).unwrap_or(first);
            if was != *state {
                seen.add(was, happened.causes(*key), *state);
            }
        }
        for (key, was) in before {
            if state_in(&self.states, key).is_none() {
                seen.add(was, happened.causes(key), S::LAST);
                self.over.insert(key);
            }
        }
    }
}

/// A state that there is one of, and whose it is.
#[derive(Debug)]
struct Alone<S> {
    state: S,
    life: u64,
}

impl<S: State> Alone<S> {
    fn new() -> Self {
        Self { state: S::FIRST, life: 0 }
    }

    fn look<K: Copy + Ord>(
        &mut self,
        (state, life): (S, u64),
        happened: &Happened<K>,
        seen: &mut Seen<S>,
    ) {
        if (state, life) != (self.state, self.life) {
            seen.add(self.state, happened.all, state);
        }
        (self.state, self.life) = (state, life);
    }
}

/// The lives of the peer, as they were heard.
#[derive(Debug, Default)]
struct Lives {
    last: u64,
    /// Those that have said goodbye.
    parted: BTreeSet<u64>,
}

impl Lives {
    fn hear<K: Copy + Ord>(&mut self, verb: Verb, life: u64, happened: &mut Happened<K>) {
        if verb == Verb::Goodbye {
            self.parted.insert(life);
        }
        let last = std::mem::replace(&mut self.last, life);
        happened.all_if(Cause::Relieved, last != 0 && last != life);
        happened.all_if(Cause::Goodbye, self.parted.contains(&life));
    }
}

/// What makes room for another call.
const FREEING: &[Cause] = &[
    Cause::Accepted,
    Cause::Cancelled,
    Cause::Departed,
    Cause::Dropped,
    Cause::Expired,
    Cause::Poisoned,
    Cause::Taken,
    // Calls that are bound to a life which has ended are taken back.
    Cause::Unread,
];

/// A client that is watched.
#[derive(Debug)]
pub(super) struct ClientObserver {
    pub(super) happened: Happened<u64>,
    calls: Watched<u64, Call>,
    places: Watched<u64, Place>,
    closing: Alone<ClientClosing>,
    server: Alone<ServerLife>,
    lives: Lives,
    stats: LinkStats,
    changes: Shared,
}

impl ClientObserver {
    pub(super) fn new(changes: &Shared) -> Self {
        Self {
            happened: Happened::default(),
            calls: Watched::new(),
            places: Watched::new(),
            closing: Alone::new(),
            server: Alone::new(),
            lives: Lives::default(),
            stats: LinkStats::default(),
            changes: Rc::clone(changes),
        }
    }

    /// Looks at everything, now that something has been done.
    pub(super) fn look(
        &mut self,
        session: &mut client::Caller<ReadOpener, WriteOpener>,
        process: &Process,
    ) {
        let mut happened = std::mem::take(&mut self.happened);
        happened.all = happened.all.and(process.take_facts());
        let stats = session.link().stats();
        happened.all_if(Cause::Departed, stats.peers_lost > self.stats.peers_lost);
        happened.all_if(Cause::Unread, stats.open_refusals > self.stats.open_refusals);
        self.stats = stats;
        let inbox = session.link_mut().inbox();
        happened.all = happened.all.and(inbox.take_causes());
        // What was left unheard counts as read once it is looked at.
        happened.all_if(Cause::Read, inbox.unread() > 0);
        let mut lost = Vec::new();
        for Came { verb, key, to_us, .. } in inbox.take_came() {
            happened.all_if(Cause::Heard, to_us);
            self.lives.hear(verb, key.0, &mut happened);
            match verb {
                Verb::Cancelled => happened.to(key.1, Cause::Acknowledged),
                Verb::Item => {
                    happened.to(key.1, Cause::Flowed);
                    // One that is lost is an answer, also to a call that is being cancelled.
                    lost.push(key.1);
                }
                Verb::Credit => happened.to(key.1, Cause::Flowed),
                _ => happened.to(key.1, Cause::Answered),
            }
        }
        let crossed = |id: &u64| session.is_answered(*id) && session.is_cancelling(*id);
        for id in lost.into_iter().filter(crossed) {
            happened.to(id, Cause::Answered);
        }
        let (calls, places) = (session.call_states(), session.place_states());
        if session.has_ended() {
            // On purpose, or with its server.
            happened.all(Cause::LetGo);
        } else {
            let over = |call: &Call| matches!(call, Call::Answered | Call::Ended);
            let settled = calls.iter().all(|(_, call)| over(call));
            let link = session.link();
            let parted = link.peer() == 0 || link.farewell() == link.peer();
            let exchanged = happened.all.has(Cause::NewIncoming);
            happened.all_if(Cause::Quiet, link.reader().is_none() && !exchanged);
            let alone = settled && link.writer().is_none();
            happened.all_if(Cause::Alone, alone);
            happened.all_if(Cause::Settled, settled && !alone);
            happened.all_if(Cause::Parted, parted);
            happened.all_if(Cause::Emptied, !session.has_output());
        }
        happened.all_if(Cause::Freed, happened.has_any(FREEING));
        let server = match session.link().server_life() {
            // Another may have said goodbye since.
            (ServerLife::Known | ServerLife::Doubted, life)
                if self.lives.parted.contains(&life) =>
            {
                (ServerLife::Parting, life)
            }
            server => server,
        };
        let changes = &mut *self.changes.borrow_mut();
        self.calls.look(calls, &happened, &mut changes.calls);
        self.places.look(places, &happened, &mut changes.places);
        self.closing.look((session.closing(), 0), &happened, &mut changes.client_closings);
        self.server.look(server, &happened, &mut changes.server_lives);
    }
}

/// A server that is watched.
#[derive(Debug)]
pub(super) struct ServerObserver {
    pub(super) happened: Happened<(u64, u64)>,
    requests: Watched<(u64, u64), Request>,
    closing: Alone<ServerClosing>,
    client: Alone<ClientLife>,
    lives: Lives,
    stats: LinkStats,
    changes: Shared,
}

impl ServerObserver {
    pub(super) fn new(changes: &Shared) -> Self {
        Self {
            happened: Happened::default(),
            requests: Watched::new(),
            closing: Alone::new(),
            client: Alone::new(),
            lives: Lives::default(),
            stats: LinkStats::default(),
            changes: Rc::clone(changes),
        }
    }

    /// Looks at everything, now that something has been done.
    pub(super) fn look(
        &mut self,
        session: &mut Answerer<ReadOpener, WriteOpener>,
        process: &Process,
    ) {
        let mut happened = std::mem::take(&mut self.happened);
        happened.all = happened.all.and(process.take_facts());
        let (stats, before) = (session.link().stats(), self.stats);
        happened.all_if(Cause::Departed, stats.peers_lost > before.peers_lost);
        happened.all_if(Cause::Evicted, stats.evicted > before.evicted);
        happened.all_if(Cause::Expired, stats.expired > before.expired);
        happened.all_if(Cause::Crowded, stats.torn > before.torn);
        self.stats = stats;
        let inbox = session.link_mut().inbox();
        happened.all = happened.all.and(inbox.take_causes());
        for Came { verb, key, to_us, how } in inbox.take_came() {
            self.lives.hear(verb, key.0, &mut happened);
            happened.all(Cause::Spoken);
            happened.all_if(Cause::Heard, to_us);
            match (verb, how) {
                (Verb::Request, How::Part) => happened.to(key, Cause::Part),
                (Verb::Request, How::Whole) => happened.to(key, Cause::Came),
                (Verb::Request, How::Refused) => happened.to(key, Cause::Declined),
                (Verb::Cancel, _) => happened.to(key, Cause::Cancelled),
                (Verb::Credit, _) => happened.to(key, Cause::Flowed),
                _ => {}
            }
        }
        let requests = session.requests();
        let link = session.link();
        let exchanged = happened.all.has(Cause::NewIncoming);
        happened.all_if(Cause::Quiet, link.reader().is_none() && !exchanged);
        happened.all_if(Cause::Closing, session.closing() != ServerClosing::Open);
        if !happened.all.has(Cause::LetGo) {
            let alone = session.is_alone();
            happened.all_if(Cause::Alone, alone);
            happened.all_if(Cause::Settled, !session.has_wanted() && !alone);
            happened.all_if(Cause::Emptied, !session.has_output());
        }
        let client = match session.client_life() {
            // Another has spoken since.
            (ClientLife::Shunned, _) if session.link_mut().inbox().shunned() != self.lives.last => {
                (ClientLife::Unknown, 0)
            }
            client => client,
        };
        let changes = &mut *self.changes.borrow_mut();
        self.requests.look(requests, &happened, &mut changes.requests);
        self.closing.look((session.closing(), 0), &happened, &mut changes.server_closings);
        self.client.look(client, &happened, &mut changes.client_lives);
    }
}
