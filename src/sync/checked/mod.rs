//! What threads meet at, under the checker `shuttle`: it runs all threads of a test on one, and
//! chooses at every lock, wake-up and atomic access which of them goes on. Where none can, it says
//! so: a wake-up that was lost ends the run, instead of the patience of a watchdog.
//!
//! Time is of the checker's choosing too. It stands still until [`strike`] is called, if it is at
//! all: then [`DUSK`] has come, with every deadline up to it, and nothing after it ever comes. So
//! no timeout can make up for a wake-up that was lost, neither a look at a path nor a parked
//! thread's.
//!
//! A test runs under two schedulers: one that chooses by chance, and one that lets a thread run on
//! until it must wait, but for a few places (PCT). `SHUTTLE_SCHEDULES` says how many schedules each
//! test runs, `SHUTTLE_SEED` from where; what fails prints its schedule, which `SHUTTLE_REPLAY`
//! takes back:
//!
//! ```sh
//! RUSTFLAGS='--cfg shuttle' SHUTTLE_SCHEDULES=100000 cargo test --release --lib checked::
//! ```

pub(crate) mod peer;
pub(crate) mod thread;

use std::env;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::str::FromStr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, LockResult, OnceLock, PoisonError};
use std::task::{Wake, Waker};
use std::time::{Duration, Instant};

use shuttle::scheduler::{PctScheduler, RandomScheduler, ReplayScheduler, Scheduler};
use shuttle::{Config, MaxSteps, Runner};

use crate::blocking::turn::{Shared, SleptOn};
use crate::core::client::{Caller, ClientLimits, Manners};
use crate::core::inbox::Limits;
use crate::core::link::Link;
use crate::core::reconnect::Reconnect;
use crate::core::recv::EndOfWriters;
use crate::core::script::{Client, Place, ReadOpener, Readiness, Server, WriteOpener};
use crate::core::server::Answerer;
use crate::core::session::Session;
use crate::core::step::Wait;
use crate::deadline::Deadline;
use crate::error::Result;
use crate::front::{Common, Term};
pub(crate) use shuttle::sync::{Mutex, MutexGuard, atomic};

/// When the deadlines come that come at all: before any look at a path, which is 80 ms apart from
/// the one before, and long before a parked thread looks up.
pub(crate) const DUSK: Duration = Duration::from_millis(50);

shuttle::lazy_static! {
    /// One for every schedule.
    static ref DAY: Day = Day::default();
}

#[derive(Debug, Default)]
struct Day {
    is_over: AtomicBool,
    sleepers: std::sync::Mutex<Vec<Waker>>,
    parked: std::sync::Mutex<Vec<Arc<Parked>>>,
}

/// The first instant of all runs.
pub(crate) fn dawn() -> Instant {
    static DAWN: OnceLock<Instant> = OnceLock::new();
    *DAWN.get_or_init(|| {
        let dawn = Instant::now();
        // Looks at paths are counted from the first instant that is asked for.
        crate::core::retry::next_check(dawn);
        dawn
    })
}

/// The time.
pub(crate) fn now() -> Instant {
    dawn() + if DAY.is_over.load(Ordering::SeqCst) { DUSK } else { Duration::ZERO }
}

/// The instant of deadlines that come.
pub(crate) fn dusk() -> Deadline {
    Deadline::at(dawn() + DUSK)
}

/// Lets the deadlines come.
pub(crate) fn strike() {
    DAY.is_over.store(true, Ordering::SeqCst);
    let sleepers = std::mem::take(&mut *DAY.sleepers.lock().unwrap());
    sleepers.into_iter().for_each(Waker::wake);
    let parked = std::mem::take(&mut *DAY.parked.lock().unwrap());
    // One that is about to wait does not hear it the first time.
    while parked.iter().any(|parked| parked.call()) {
        thread::yield_now();
    }
}

/// Wakes at this instant, if it is to come and has not.
pub(crate) fn wake_at(at: Deadline, waker: &Waker) {
    let comes = at.instant().is_some_and(|at| at <= dawn() + DUSK);
    if comes && !at.passed(now()) {
        DAY.sleepers.lock().unwrap().push(waker.clone());
    }
}

/// A waker that a thread waits for.
#[derive(Debug, Default)]
pub(crate) struct Call {
    came: Mutex<bool>,
    place: shuttle::sync::Condvar,
}

impl Call {
    pub(crate) fn wait(&self) {
        let came = self.came.lock().unwrap_or_else(PoisonError::into_inner);
        let came = self.place.wait_while(came, |came| !*came);
        *came.unwrap_or_else(PoisonError::into_inner) = false;
    }
}

impl Wake for Call {
    fn wake(self: Arc<Self>) {
        *self.came.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.place.notify_all();
    }
}

/// A condition variable whose timeouts come at dusk or never.
#[derive(Debug, Default)]
pub(crate) struct Condvar(Arc<shuttle::sync::Condvar>);

/// A thread that waits until dusk at most, as the clock knows it.
#[derive(Debug)]
struct Parked {
    place: Arc<shuttle::sync::Condvar>,
    is_over: AtomicBool,
}

impl Parked {
    /// Wakes the thread; whether it has yet to wake.
    fn call(&self) -> bool {
        let waits = !self.is_over.load(Ordering::SeqCst);
        if waits {
            self.place.notify_all();
        }
        waits
    }
}

impl Condvar {
    pub(crate) fn notify_one(&self) {
        self.0.notify_one();
    }

    /// As that of the standard library; whether it timed out is not told.
    pub(crate) fn wait_timeout<'a, T>(
        &self,
        guard: MutexGuard<'a, T>,
        most: Duration,
    ) -> LockResult<(MutexGuard<'a, T>, ())> {
        // The time that is left was counted some time ago.
        if most <= DUSK && dusk().passed(now()) {
            return Ok((guard, ()));
        }
        let place = Arc::clone(&self.0);
        let parked = Arc::new(Parked { place, is_over: AtomicBool::new(most > DUSK) });
        if most <= DUSK {
            DAY.parked.lock().unwrap().push(Arc::clone(&parked));
        }
        let waited = self.0.wait(guard);
        parked.is_over.store(true, Ordering::SeqCst);
        match waited {
            Ok(guard) => Ok((guard, ())),
            Err(poisoned) => Err(PoisonError::new((poisoned.into_inner(), ()))),
        }
    }
}

/// A bell that sleepers of the checker hear.
#[derive(Debug)]
pub(crate) struct Bell {
    /// Never rung; whoever sleeps on descriptors does not meet the checker.
    system: crate::sys::Bell,
    rings: AtomicBool,
    sleepers: std::sync::Mutex<Vec<Waker>>,
}

impl Bell {
    pub(crate) fn new() -> io::Result<Self> {
        let (rings, sleepers) = (AtomicBool::new(false), std::sync::Mutex::default());
        Ok(Self { system: crate::sys::Bell::new()?, rings, sleepers })
    }

    pub(crate) fn ring(&self) {
        self.rings.store(true, Ordering::SeqCst);
        let sleepers = std::mem::take(&mut *self.sleepers.lock().unwrap());
        sleepers.into_iter().for_each(Waker::wake);
    }

    pub(crate) fn silence(&self) {
        self.rings.store(false, Ordering::SeqCst);
    }

    pub(crate) fn rings(&self) -> bool {
        self.rings.load(Ordering::SeqCst)
    }
}

impl AsFd for Bell {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.system.as_fd()
    }
}

/// What of a scripted session is slept on.
#[derive(Debug)]
pub(crate) struct ScriptedEnds {
    reader: Option<Readiness>,
    writer: Option<Readiness>,
}

impl ScriptedEnds {
    fn of(link: &Link<ReadOpener, WriteOpener>) -> Self {
        let reader = link.reader().map(|end| end.readiness());
        let writer = link.writer().map(|end| end.readiness());
        Self { reader, writer }
    }
}

impl SleptOn for ScriptedEnds {
    fn sleep(&self, bell: &Bell, wait: Wait, _now: Instant) -> Result<()> {
        let call = Arc::new(Call::default());
        let waker = Waker::from(Arc::clone(&call));
        let ends = [
            self.reader.as_ref().filter(|_| wait.readable),
            self.writer.as_ref().filter(|_| wait.writable),
        ];
        loop {
            let mut ready = ends.into_iter().flatten().any(Readiness::is_ready);
            ready |= bell.rings() || wait.until.passed(now());
            if ready {
                // Whoever is called beside this one may need the turn to stop what it hears.
                thread::yield_now();
                return Ok(());
            }
            wake_at(wait.until, &waker);
            ends.into_iter().flatten().for_each(|end| end.wake_when_ready(&waker));
            bell.sleepers.lock().unwrap().push(waker.clone());
            call.wait();
        }
    }
}

impl Shared for Client {
    type Ends = ScriptedEnds;

    fn ends(&self) -> ScriptedEnds {
        ScriptedEnds::of(self.link())
    }
}

impl Shared for Server {
    type Ends = ScriptedEnds;

    fn ends(&self) -> ScriptedEnds {
        ScriptedEnds::of(self.link())
    }
}

/// Two endpoints over two pipes of this capacity, both with their reading ends open.
pub(crate) fn endpoints(capacity: usize, max_in_flight: usize) -> (Client, Server) {
    let (requests, replies) = (Place::with_pipe(capacity), Place::with_pipe(capacity));
    let link = |reader, writer, life| Link::new(reader, writer, Limits::of(1 << 20), life);
    // Nothing stalls, because no time passes.
    let stall = Duration::MAX;
    let server = link(requests.reader(), replies.writer(), crate::core::wire::epoch_from(1));
    let client = link(replies.reader(), requests.writer(), crate::core::wire::epoch_from(2));
    let mut server = Answerer::new(server, stall, EndOfWriters::End, peer::stamp);
    let limits = ClientLimits { calls: max_in_flight, queued_bytes: usize::MAX, stall };
    let reconnect = Reconnect::default();
    let manners = Manners { cancel_abandoned: true, reconnect, max_retries: 0 };
    let mut client = Caller::new(client, limits, manners);
    // A server reads before its clients come: what is not there yet is tried again by the clock.
    server.step_open(dawn(), Deadline::NEVER).unwrap();
    client.step_open(dawn(), Deadline::NEVER).unwrap();
    (client, server)
}

/// Options of an endpoint that goes to sleep at once.
pub(crate) fn common() -> Common {
    Common { spin: Some(Duration::ZERO), ..Common::default() }
}

/// The term of a call that waits for its answer however long that takes.
pub(crate) fn patient() -> Term {
    Term::until(now(), Deadline::NEVER)
}

/// The term of a call that is given up at dusk.
pub(crate) fn until_dusk() -> Term {
    Term::until(now(), dusk())
}

/// An instant by which a call may begin: as others have looked, or after a silence.
pub(crate) fn moment() -> Instant {
    now() + if chance(2) { Duration::from_millis(2) } else { Duration::ZERO }
}

/// Whether something happens that does so once in `of` times.
pub(crate) fn chance(of: u32) -> bool {
    below(of as usize) == 0
}

/// One of the first `count` numbers.
pub(crate) fn below(count: usize) -> usize {
    use shuttle::rand::{Rng, thread_rng};
    thread_rng().gen_range(0..count)
}

/// Runs `test` under many schedules.
///
/// # Panics
/// Where one of them fails.
pub(crate) fn check(test: impl Fn() + Send + Sync + 'static) {
    let test = Arc::new(test);
    if let Ok(schedule) = env::var("SHUTTLE_REPLAY") {
        run(ReplayScheduler::new_from_encoded(&schedule), &test);
        return;
    }
    let (schedules, seed) = (setting("SHUTTLE_SCHEDULES", 300), setting("SHUTTLE_SEED", 1));
    let half = usize::div_ceil(schedules, 2);
    run(RandomScheduler::new_from_seed(seed, half), &test);
    run(PctScheduler::new_from_seed(seed, PREEMPTIONS, half), &test);
}

/// At how many places PCT takes the turn from a thread that could go on: lost wake-ups take two or
/// three.
const PREEMPTIONS: usize = 3;

fn run<F: Fn() + Send + Sync + 'static>(scheduler: impl Scheduler + 'static, test: &Arc<F>) {
    let mut config = Config::new();
    config.stack_size = 1 << 18;
    config.max_steps = MaxSteps::FailAfter(100_000);
    config.silence_warnings = true;
    let count = AtomicUsize::new(0);
    let count = Arc::new(count);
    let (begun, test) = (Arc::clone(&count), Arc::clone(test));
    let told = Told(count);
    Runner::new(scheduler, config).run(move || {
        begun.fetch_add(1, Ordering::Relaxed);
        // Not for the first time while some thread unwinds.
        now();
        test();
    });
    drop(told);
}

/// Says how many schedules it took, where one fails.
struct Told(Arc<AtomicUsize>);

impl Drop for Told {
    fn drop(&mut self) {
        let count = self.0.load(Ordering::Relaxed);
        let outcome = if std::thread::panicking() { "failed at" } else { "passed" };
        println!("{outcome} schedule {count}");
    }
}

fn setting<T: FromStr>(name: &str, default: T) -> T {
    env::var(name).ok().and_then(|value| value.parse().ok()).unwrap_or(default)
}
