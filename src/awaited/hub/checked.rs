//! Tasks that share a connection, under the checker ([`crate::sync::checked`]).
//!
//! Each task is polled by a thread of its own, when it was woken and sometimes when it was not. The
//! reactor has two threads, so that the hub may be called for by both and by a task at once.

use std::collections::VecDeque;
use std::future::Future;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::{Arc, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Instant;

use shuttle::sync::{Condvar, Mutex};

use super::{Handle, Hub, Visit};
use crate::awaited::runtime::{Ready, Runtime, Timer, sealed};
use crate::core::errand::{Calling, Cancelling, Reserving};
use crate::core::script::{Client, ReadEnd, Readiness, WriteEnd};
use crate::deadline::Deadline;
use crate::error::{ErrorKind, Phase, Result};
use crate::front::Term;
use crate::sync::checked::peer::{Count, MUTE, calling, serve, serve_one_by_one};
use crate::sync::checked::thread::{self, Spawned};
use crate::sync::checked::{
    Call, below, chance, check, common, endpoints, now, patient, strike, until_dusk, wake_at,
};

type Shared = Handle<Checked, Client>;

#[test]
fn every_reply_reaches_its_task() {
    check(|| {
        let tasks = 2 + below(3);
        let answered = Arc::new(Count::default());
        let counts = Arc::clone(&answered);
        let scene = Scene::begin(tasks, move |server| serve_one_by_one(server, tasks, &counts));
        let task = |task| {
            let (hub, answered) = (scene.hub.clone(), Arc::clone(&answered));
            thread::spawn(move || {
                let message = [task as u8; 30];
                let reply = block_on(call(&hub, &message, patient()));
                assert_eq!(reply.unwrap().body, message);
                answered.add();
            })
        };
        let tasks = (0..tasks).map(task).collect();
        scene.end(tasks);
    });
}

#[test]
fn calls_that_time_out_are_cancelled_or_dropped_leave_the_others_theirs() {
    check(|| {
        let scene = Scene::begin(1 + below(3), serve);
        let mut tasks = vec![thread::spawn(strike)];
        tasks.extend((0..2 + below(2)).map(|task| {
            let hub = scene.hub.clone();
            thread::spawn(move || (0..1 + below(2)).for_each(|_| do_anything(&hub, task as u8)))
        }));
        scene.end(tasks);
    });
}

#[test]
fn with_the_last_handle_the_connection_ends_whoever_is_in_the_middle_of_a_turn() {
    check(|| {
        let scene = Scene::begin(4, serve);
        let tasks = (0..1 + below(2)).map(|task| {
            let hub = scene.hub.clone();
            thread::spawn(move || {
                // What is answered may come when nobody is there for it any more.
                poll_a_few_times(call(&hub, &[task as u8; 30], patient()));
            })
        });
        let tasks: Vec<_> = tasks.collect();
        // The server must have seen a client to see it leave.
        block_on(scene.hub.run(Calling::ping(Deadline::NEVER), patient(), Phase::Reply)).unwrap();
        scene.leave(tasks);
    });
}

#[test]
fn a_step_that_panics_leaves_nobody_asleep() {
    check(|| {
        let scene = Scene::begin(4, serve);
        let replies = scene.hub.with(|client| client.link().reader().unwrap().pipe().clone());
        replies.panic_in(1 + below(6));
        let task = |task| {
            let hub = scene.hub.clone();
            thread::spawn(move || {
                let message = [task as u8; 30];
                let answer = || block_on(call(&hub, &message, patient())).unwrap().body;
                // A panic in this very task ends its call; the next one is answered.
                let body = catch_unwind(AssertUnwindSafe(answer)).unwrap_or_else(|_| answer());
                assert_eq!(body, message);
            })
        };
        let tasks = (0..2 + below(2)).map(task).collect();
        scene.end_after_panics(tasks, &replies);
    });
}

/// What a task may do, by chance.
fn do_anything(hub: &Hub<Checked, Client>, task: u8) {
    let message = [task; 25];
    match below(6) {
        0 | 1 => {
            let reply = placed(hub, &message, patient(), block_on);
            assert_eq!(reply.unwrap().unwrap().body, message);
        }
        2 => {
            let ping = hub.run(Calling::ping(Deadline::NEVER), patient(), Phase::Reply);
            if let Err(error) = block_on(ping) {
                assert_eq!(error.kind(), ErrorKind::Overloaded);
            }
        }
        3 => {
            let Ok(reply) = placed(hub, MUTE, until_dusk(), block_on) else {
                return;
            };
            let late = [ErrorKind::TimedOut, ErrorKind::NoWriter, ErrorKind::WriteStalled];
            assert!(late.contains(&reply.unwrap_err().kind()));
        }
        4 => {
            let term = if chance(2) { patient() } else { until_dusk() };
            let message = if chance(2) { MUTE } else { &message };
            let _ = placed(hub, message, term, poll_a_few_times);
        }
        _ => {
            let answer = placed(hub, &message, patient(), |mut visit| {
                if let Some(answer) = poll_once(&mut visit) {
                    return answer;
                }
                let id = visit.errand().id().unwrap();
                let cancelling = Cancelling::new(id, Deadline::NEVER);
                block_on(hub.run(cancelling, patient(), Phase::Cancel)).unwrap();
                block_on(visit)
            });
            match answer.unwrap() {
                Ok(reply) => assert_eq!(reply.body, message),
                Err(error) => assert_eq!(error.kind(), ErrorKind::Cancelled),
            }
        }
    }
}

fn call<'h>(
    hub: &'h Hub<Checked, Client>,
    message: &[u8],
    term: Term,
) -> Visit<&'h Hub<Checked, Client>, Checked, Client, Calling> {
    let calling = hub.with(|client| calling(client, message, term));
    hub.run(calling, term, Phase::Reply)
}

/// A call at a place that is waited for.
fn placed<'h, T>(
    hub: &'h Hub<Checked, Client>,
    message: &[u8],
    term: Term,
    then: impl FnOnce(Visit<&'h Hub<Checked, Client>, Checked, Client, Calling>) -> T,
) -> Result<T> {
    let place = match hub.with(|client| client.try_reserve()) {
        Some(place) => place,
        None => block_on(hub.run(Reserving::new(term.deadline), term, Phase::Write))?,
    };
    let calling = hub.with(|client| calling(client, message, term)).at(Some(place));
    let outcome = then(hub.run(calling, term, Phase::Reply));
    // Where a call has begun, the key means nothing any more.
    hub.with(|client| client.give_place_back(place));
    Ok(outcome)
}

/// Polls a task to its end: when it was woken, and now and then when it was not, or as another.
fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let mut call = Arc::new(Call::default());
    loop {
        let waker = Waker::from(Arc::clone(&call));
        if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return output;
        }
        match below(6) {
            0 => thread::yield_now(),
            1 => call = Arc::new(Call::default()),
            _ => call.wait(),
        }
    }
}

fn poll_once<F: Future + Unpin>(future: &mut F) -> Option<F::Output> {
    match Pin::new(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => Some(output),
        Poll::Pending => None,
    }
}

/// Polls and drops, whatever came of it.
fn poll_a_few_times<F: Future + Unpin>(mut future: F) {
    for _ in 0..below(4) {
        if poll_once(&mut future).is_some() {
            return;
        }
        thread::yield_now();
    }
}

/// A hub, a server and a reactor.
struct Scene {
    hub: Shared,
    service: Spawned,
    reactor: Vec<Spawned>,
}

impl Scene {
    fn begin(
        max_in_flight: usize,
        serve: impl FnOnce(crate::core::script::Server) + Send + 'static,
    ) -> Self {
        let (client, server) = endpoints([48, 200, 65_536][below(3)], max_in_flight);
        // Not for the first time while some thread unwinds.
        drop(REACTOR.queue.lock());
        let service = thread::spawn(move || serve(server));
        let reactor = (0..2).map(|_| thread::spawn(|| REACTOR.run())).collect();
        let hub = block_on(Box::pin(async {
            Hub::<Checked, Client>::open(client, &common(), patient()).await
        }));
        Self { hub: hub.unwrap(), service, reactor }
    }

    /// Everybody comes to an end, and nothing is left behind.
    fn end(self, tasks: Vec<Spawned>) {
        tasks.into_iter().for_each(|task| task.join().unwrap());
        // Whatever became of them, the next call is answered.
        block_on(self.hub.run(Calling::ping(Deadline::NEVER), patient(), Phase::Reply)).unwrap();
        {
            let state = self.hub.lock();
            assert!(state.waiting.is_empty() && state.discarded.is_empty());
            assert_eq!(state.session.in_flight(), 0);
        }
        self.leave(Vec::new());
    }

    fn end_after_panics(self, tasks: Vec<Spawned>, replies: &crate::core::script::Pipe) {
        tasks.into_iter().for_each(|task| task.join().unwrap());
        replies.panic_in(0);
        self.end(Vec::new());
    }

    /// The last handle goes, wherever the tasks and the reactor are.
    fn leave(self, tasks: Vec<Spawned>) {
        let reader = |client: &mut Client| client.link().reader().map(|end| end.pipe().clone());
        let replies = self.hub.with(reader).unwrap();
        drop(self.hub);
        tasks.into_iter().for_each(|task| task.join().unwrap());
        // There and then, though the reactor may be in the middle of a turn.
        assert!(!replies.has_reader());
        self.service.join().unwrap();
        REACTOR.close();
        self.reactor.into_iter().for_each(|thread| thread.join().unwrap());
    }
}

/// A runtime of the checker's.
#[derive(Debug)]
enum Checked {}

impl sealed::Sealed for Checked {}

impl Runtime for Checked {
    // Its ends are scripted, and have no descriptor to keep.
    type Reader = <crate::async_io::AsyncIo as Runtime>::Reader;
    type Writer = <crate::async_io::AsyncIo as Runtime>::Writer;
    type Timer = Dusk;
    type Place = ();

    fn place() {}

    fn within<T>((): &(), work: impl FnOnce() -> T) -> T {
        work()
    }

    fn now() -> Instant {
        now()
    }
}

shuttle::lazy_static! {
    static ref REACTOR: Reactor = Reactor::default();
}

/// Calls whom something has become ready for.
#[derive(Debug, Default)]
struct Reactor {
    queue: Mutex<(VecDeque<Waker>, bool)>,
    changed: Condvar,
}

impl Reactor {
    fn run(&self) {
        while let Some(waker) = self.next() {
            // A turn that panics is the runtime's to survive.
            let _ = catch_unwind(AssertUnwindSafe(|| waker.wake()));
        }
    }

    fn next(&self) -> Option<Waker> {
        let queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        let waits = |queue: &mut (VecDeque<Waker>, bool)| queue.0.is_empty() && !queue.1;
        let queue = self.changed.wait_while(queue, waits);
        queue.unwrap_or_else(PoisonError::into_inner).0.pop_front()
    }

    fn push(&self, waker: Waker) {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner).0.push_back(waker);
        self.changed.notify_one();
    }

    fn close(&self) {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner).1 = true;
        self.changed.notify_all();
    }
}

/// Has the reactor wake somebody, once, unless it is forgotten before.
#[derive(Debug)]
struct Registered(std::sync::Mutex<Option<Waker>>);

impl Registered {
    fn new(cx: &Context<'_>) -> Arc<Self> {
        Arc::new(Self(std::sync::Mutex::new(Some(cx.waker().clone()))))
    }

    fn take(&self) -> Option<Waker> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl Wake for Registered {
    fn wake(self: Arc<Self>) {
        if let Some(waker) = self.take() {
            REACTOR.push(waker);
        }
    }
}

impl Ready for ReadEnd {
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        poll_ready(self.readiness(), cx)
    }
}

impl Ready for WriteEnd {
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        poll_ready(self.readiness(), cx)
    }
}

fn poll_ready(end: Readiness, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
    if chance(10) {
        // A runtime that asks for patience calls at once.
        cx.waker().wake_by_ref();
        return Poll::Pending;
    }
    end.wake_only(&Waker::from(Registered::new(cx)));
    if end.is_ready() { Poll::Ready(Ok(())) } else { Poll::Pending }
}

/// A timer that goes off at dusk, or never.
#[derive(Debug)]
struct Dusk {
    at: Instant,
    registered: Option<Arc<Registered>>,
}

impl Timer for Dusk {
    fn new(at: Instant) -> Self {
        Self { at, registered: None }
    }

    fn reset(&mut self, at: Instant) {
        self.at = at;
    }

    fn poll_fired(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        drop(self.registered.take().and_then(|before| before.take()));
        if self.at <= now() {
            return Poll::Ready(());
        }
        let registered = Registered::new(cx);
        wake_at(Deadline::at(self.at), &Waker::from(Arc::clone(&registered)));
        self.registered = Some(registered);
        Poll::Pending
    }
}
