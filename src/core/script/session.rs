//! A client and a server over two scripted pipes, driven as the front ends drive them: a side is
//! stepped when it has something to do or what it waits for has come, and not otherwise. A side
//! that waits for too little is therefore stuck here as it would be there.

use std::time::Duration;

use super::{Clock, Place, ReadOpener, WriteOpener, wakes};
use crate::core::calls::{Asks, CallId};
use crate::core::client::{Caller, ClientLimits, Manners};
use crate::core::inbox::Limits;
use crate::core::link::{Directions, Link};
use crate::core::reconnect::Reconnect;
use crate::core::recv::EndOfWriters;
#[cfg(test)]
use crate::core::repeats::Promise;
use crate::core::server::{Answerer, Asked};
use crate::core::step::Wait;
use crate::core::wire::{Head, Options};
use crate::deadline::Deadline;
use crate::error::{ErrorKind, Result};

/// Two endpoints, each alive or not, and the clock of both.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) clock: Clock,
    /// Flows into the server.
    pub(crate) requests: Place,
    /// Flows out of the server.
    pub(crate) replies: Place,
    client: Option<Life<Client>>,
    server: Option<Life<Server>>,
    limits: Limits,
    manners: Manners,
    stall: Duration,
    lives: u64,
}

pub(crate) type Client = Caller<ReadOpener, WriteOpener>;
pub(crate) type Server = Answerer<ReadOpener, WriteOpener>;

/// A call that has not returned to its caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Call {
    pub(crate) id: CallId,
    pub(crate) deadline: Deadline,
}

/// An endpoint, and what it waits for; `None` while it has something to do.
#[derive(Debug)]
struct Life<Endpoint> {
    endpoint: Endpoint,
    wait: Option<Wait>,
}

/// Steps in a row that move no byte: a few have reasons, such as a request that has expired; this
/// many have none.
const MAX_IDLE: usize = 1000;

impl Session {
    /// Both endpoints, over pipes of this capacity.
    pub(crate) fn new(capacity: usize, limit: usize, stall: Duration) -> Self {
        let mut session = Self {
            clock: Clock::new(),
            requests: Place::with_pipe(capacity),
            replies: Place::with_pipe(capacity),
            client: None,
            server: None,
            limits: Limits::of(limit),
            manners: Manners {
                cancel_abandoned: true,
                reconnect: Reconnect::default(),
                max_retries: 3,
            },
            stall,
            lives: 0,
        };
        session.start_server();
        session.start_client();
        session
    }

    /// Begins a new life of the client, which reconnects like this.
    #[cfg(test)]
    pub(crate) fn reconnect(&mut self, reconnect: Reconnect) {
        self.manners.reconnect = reconnect;
        self.start_client();
    }

    /// Begins a new life of the server, with these limits.
    #[cfg(test)]
    pub(crate) fn limit_server(&mut self, limits: Limits) {
        self.limits = limits;
        self.start_server();
    }

    /// Begins a new life of the client; an earlier one ends.
    pub(crate) fn start_client(&mut self) {
        self.client = None;
        let link = self.link(self.replies.reader(), self.requests.writer());
        let limits = ClientLimits { calls: 64, queued_bytes: usize::MAX, stall: self.stall };
        let mut client = Caller::new(link, limits, self.manners);
        stepped(client.link_mut().step_open(self.clock.now, Deadline::NEVER));
        self.client = Some(Life::new(client));
    }

    /// Begins a new life of the server; an earlier one ends.
    pub(crate) fn start_server(&mut self) {
        self.server = None;
        let link = self.link(self.requests.reader(), self.replies.writer());
        let mut server =
            Answerer::new(link, self.stall, EndOfWriters::Wait, crate::sys::monotonic_ns);
        stepped(server.link_mut().step_open(self.clock.now, Deadline::NEVER));
        self.server = Some(Life::new(server));
    }

    pub(crate) fn kill_client(&mut self) {
        self.client = None;
    }

    pub(crate) fn kill_server(&mut self) {
        self.server = None;
    }

    pub(crate) fn has_client(&self) -> bool {
        self.client.is_some()
    }

    pub(crate) fn has_server(&self) -> bool {
        self.server.is_some()
    }

    /// The client, to be given something to do.
    pub(crate) fn client(&mut self) -> &mut Client {
        match &mut self.client {
            Some(life) => life.wake(),
            None => panic!("no client is alive"),
        }
    }

    /// The server, to be given something to do.
    pub(crate) fn server(&mut self) -> &mut Server {
        match &mut self.server {
            Some(life) => life.wake(),
            None => panic!("no server is alive"),
        }
    }

    /// Begins a call with this message and this much time.
    pub(crate) fn call(&mut self, message: &[u8], timeout: Duration) -> Result<Call> {
        self.call_with(Options::default(), message, timeout)
    }

    /// Begins a call that asks for more than one reply, or less.
    pub(crate) fn call_with(
        &mut self,
        options: Options,
        message: &[u8],
        timeout: Duration,
    ) -> Result<Call> {
        let (now, ns) = (self.clock.now, self.clock.ns());
        let mut body = self.client().request_body(&options);
        body.extend_from_slice(message);
        let left = Some(timeout).filter(|_| !options.quiet);
        Head::new(left, ns, options).write(&mut body);
        let id = self.client().call(body, Asks::of(&options).since(now), None)?;
        Ok(Call { id, deadline: Deadline::after(now, timeout) })
    }

    /// Begins a call that may be put again, with a key that the client draws.
    #[cfg(test)]
    pub(crate) fn call_repeatedly(
        &mut self,
        promise: Promise,
        message: &[u8],
        timeout: Duration,
    ) -> Result<Call> {
        let (deadline, ns) = (Deadline::after(self.clock.now, timeout), self.clock.ns());
        let options = Options { key: Some(self.client().draw_key()), ..Options::default() };
        let mut body = self.client().request_body(&options);
        body.extend_from_slice(message);
        Head::new(Some(timeout), ns, options).write(&mut body);
        let id = self.client().call_repeatedly(body, Asks::of(&options), promise, None)?;
        Ok(Call { id, deadline })
    }

    /// Begins a new life of the client, which puts calls again so often.
    #[cfg(test)]
    pub(crate) fn retry(&mut self, max_retries: u32) {
        self.manners.max_retries = max_retries;
        self.start_client();
    }

    /// Begins a ping with this much time.
    pub(crate) fn ping(&mut self, timeout: Duration) -> Result<Call> {
        let deadline = Deadline::after(self.clock.now, timeout);
        Ok(Call { id: self.client().call(Vec::new(), Asks::for_a_pong(), None)?, deadline })
    }

    /// How a call has ended, if it has. Who only looks gives the client nothing to do.
    pub(crate) fn outcome(&mut self, call: Call) -> Option<Result<Vec<u8>>> {
        let life = self.client.as_mut()?;
        let outcome = life.endpoint.outcome(call.id, self.clock.now, call.deadline)?;
        life.wait = None;
        Some(outcome.map(|event| event.body))
    }

    /// The client's connection, to look at; a client that is looked at has nothing to do.
    pub(crate) fn client_link(&self) -> Option<&Link<ReadOpener, WriteOpener>> {
        self.client.as_ref().map(|life| life.endpoint.link())
    }

    /// The server's connection, to look at.
    pub(crate) fn server_link(&self) -> Option<&Link<ReadOpener, WriteOpener>> {
        self.server.as_ref().map(|life| life.endpoint.link())
    }

    /// Calls that have not returned to their callers.
    pub(crate) fn in_flight(&self) -> usize {
        self.client.as_ref().map_or(0, |life| life.endpoint.in_flight())
    }

    /// One step of the client, if it is alive.
    pub(crate) fn step_client(&mut self) {
        if let Some(life) = &mut self.client {
            life.wait = Some(stepped(life.endpoint.step(self.clock.now, Directions::BOTH)));
        }
    }

    /// One step of the server, if it is alive; answers the requests that it hands out.
    pub(crate) fn step_server(&mut self) -> Vec<Asked> {
        let Some(life) = &mut self.server else { return Vec::new() };
        let wait = stepped(life.endpoint.step(self.clock.now, Directions::BOTH));
        let mut asked = Vec::new();
        while let Some(request) = taken(life.endpoint.next_request(self.clock.now, self.clock.ns()))
        {
            asked.push(request);
        }
        // Who took a request comes back for the next one before it sleeps.
        let again = !asked.is_empty() || life.endpoint.made_room();
        life.wait = (!again).then_some(wait);
        asked
    }

    /// Steps both until neither has anything to do now. `serve` is given what the server hands
    /// out, and may answer it.
    pub(crate) fn settle(&mut self, mut serve: impl FnMut(&mut Server, Asked)) {
        let (mut traffic, mut idle) = (0, 0);
        while idle < MAX_IDLE {
            let (client, server) = (self.client_wakes(), self.server_wakes());
            if client {
                self.step_client();
            }
            if server {
                for asked in self.step_server() {
                    serve(self.server(), asked);
                }
            }
            if !client && !server {
                return;
            }
            let before = std::mem::replace(&mut traffic, self.traffic());
            idle = if traffic == before { idle + 1 } else { 0 };
        }
        panic!("the session never settles: a side asks to be stepped again and again");
    }

    /// Bytes that ever moved through the pipes that are open now, in their places or not.
    fn traffic(&self) -> u64 {
        let links = [self.client_link(), self.server_link()].into_iter().flatten();
        links.fold(0, |sum, link| {
            let read = link.reader().map_or(0, |end| end.pipe().traffic());
            let written = link.writer().map_or(0, |end| end.pipe().traffic());
            sum + read + written
        })
    }

    /// Settles and lets time pass from one awaited instant to the next, until `end`.
    pub(crate) fn run(&mut self, end: Duration, mut serve: impl FnMut(&mut Server, Asked)) {
        let end = self.clock.now + end;
        loop {
            self.settle(&mut serve);
            let waits = [self.client_wait(), self.server_wait()];
            let next = waits.into_iter().flatten().fold(Deadline::at(end), Deadline::earlier);
            if self.clock.now >= end {
                return;
            }
            self.clock.now = next.instant().unwrap_or(end).max(self.clock.now);
        }
    }

    fn client_wait(&self) -> Option<Deadline> {
        self.client.as_ref()?.wait.map(|wait| wait.until)
    }

    fn server_wait(&self) -> Option<Deadline> {
        self.server.as_ref()?.wait.map(|wait| wait.until)
    }

    fn client_wakes(&self) -> bool {
        self.client.as_ref().is_some_and(|life| {
            life.wait.is_none_or(|wait| wakes(life.endpoint.link(), wait, self.clock.now))
        })
    }

    fn server_wakes(&self) -> bool {
        self.server.as_ref().is_some_and(|life| {
            life.wait.is_none_or(|wait| wakes(life.endpoint.link(), wait, self.clock.now))
        })
    }

    fn link(&mut self, reader: ReadOpener, writer: WriteOpener) -> Link<ReadOpener, WriteOpener> {
        self.lives += 1;
        // Spread over all bits, so that no life is the neighbour of another.
        let epoch = self.lives.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        Link::new(reader, writer, self.limits, crate::core::wire::epoch_from(epoch))
    }
}

impl<Endpoint> Life<Endpoint> {
    fn new(endpoint: Endpoint) -> Self {
        Self { endpoint, wait: None }
    }

    fn wake(&mut self) -> &mut Endpoint {
        self.wait = None;
        &mut self.endpoint
    }
}

/// A server that closes hands nothing out.
fn taken(next: Result<Option<Asked>>) -> Option<Asked> {
    match next {
        Err(error) if error.kind() == ErrorKind::Closed => None,
        next => stepped(next),
    }
}

fn stepped<T>(step: Result<T>) -> T {
    match step {
        Ok(answer) => answer,
        Err(error) => panic!("a step fails: {error:?}"),
    }
}
