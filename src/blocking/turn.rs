//! Several threads, one connection, and no thread of its own: whoever waits takes a turn at
//! waiting for all.
//!
//! Every step is taken under the lock and waits for nothing; sleeping happens outside of it. A
//! thread whose event has not come either *leads*, that is sleeps on the descriptors, or *parks*
//! until a leader has stepped its event in. The one rule that keeps anybody from being forgotten:
//! a thread parks only while leaders watch for everything the session waits for, and a leader that
//! leaves wakes a parked thread to take its place. A single caller never meets any of this: it
//! leads, alone.

use std::collections::BTreeMap;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::drive::{Notices, sleep};
use super::options::{Common, Observer, Term};
use super::pause::{Pause, Spell};
use crate::core::link::{Directions, Link};
use crate::core::step::{Step, Wait};
use crate::deadline::Deadline;
use crate::error::{Error, Phase, Result};
use crate::node::{ReadEnd, ReadOpener, WriteEnd, WriteOpener};
use crate::sys::{Ends, Watch};

/// What threads take turns at.
pub(crate) trait Session {
    fn path(&self) -> &Path;

    /// Opens what must be open before anything can come.
    fn step_open(&mut self, now: Instant, deadline: Deadline) -> Result<Step<()>>;

    /// Moves bytes in these directions, without waiting.
    fn step(&mut self, now: Instant, directions: Directions) -> Result<Wait>;

    /// Whether there is anything to write.
    fn has_output(&mut self) -> bool;

    /// When the session last looked for something to read.
    fn heard_at(&self) -> Option<Instant>;

    /// Keys of those that have something to look at.
    fn wakeups(&mut self) -> &mut Vec<u64>;

    /// The descriptors that are open now, kept open for as long as somebody sleeps on them.
    fn ends(&self) -> HeldEnds;
}

/// Descriptors that stay open while they are slept on, even if the session exchanges them.
#[derive(Debug, Default)]
pub(crate) struct HeldEnds {
    pub(crate) reader: Option<Arc<OwnedFd>>,
    pub(crate) writer: Option<Arc<OwnedFd>>,
    pub(crate) watch: Option<Arc<Watch>>,
}

/// A session and the threads that wait on it.
#[derive(Debug)]
pub(crate) struct Turn<S> {
    state: Mutex<State<S>>,
    observer: Observer,
}

#[derive(Debug)]
struct State<S> {
    session: S,
    pause: Pause,
    /// What the session waited for as of the last step.
    wanted: Wait,
    /// What each leader sleeps for.
    leaders: Vec<Wait>,
    parked: BTreeMap<u64, Arc<Condvar>>,
    spare: Vec<Arc<Condvar>>,
}

/// How many parking places are kept for reuse.
const SPARES: usize = 16;

impl<S: Session> Turn<S> {
    pub(crate) fn new(session: S, common: &Common) -> Self {
        let state = State {
            session,
            pause: Pause::new(common.spin),
            wanted: Wait::readable(Deadline::NEVER),
            leaders: Vec::new(),
            parked: BTreeMap::new(),
            spare: Vec::new(),
        };
        Self { state: Mutex::new(state), observer: common.observer.clone() }
    }

    /// Opens the session, before anybody else can wait on it.
    pub(crate) fn open(&self, term: Term) -> Result<()> {
        let mut now = term.began;
        let mut notices = Notices::new(&self.observer, term.began);
        loop {
            let mut state = self.lock();
            let wait = match state.session.step_open(now, term.deadline) {
                Ok(Step::Done(())) => return Ok(()),
                Ok(Step::Wait(wait)) => wait,
                Err(error) => return Err(term.sign(error, state.session.path())),
            };
            let (notice, wait) = notices.due(now, wait);
            let (path, ends) = (state.session.path().to_path_buf(), state.session.ends());
            drop(state);
            if let Some(notice) = notice {
                notices.tell(notice, &path, Phase::Open);
            }
            sleep(ends.borrow(), wait, now).map_err(|error| term.sign(error, &path))?;
            now = Instant::now();
        }
    }

    /// Works on the session without waiting.
    pub(crate) fn with<R>(&self, work: impl FnOnce(&mut S) -> R) -> R {
        work(&mut self.lock().session)
    }

    /// Works on the session and moves what that gave to move, without waiting.
    ///
    /// A failure of the step has nobody here to be told; whoever steps next meets it again.
    pub(crate) fn nudge(&self, work: impl FnOnce(&mut S)) {
        let mut state = self.lock();
        work(&mut state.session);
        let _ = state.step(Instant::now(), true);
        state.wake_ready(NOBODY);
    }

    /// Steps the session until `ready` has an answer, which it must by the deadline. `key` names
    /// the waiter among [`Session::wakeups`]; no two threads wait under the same.
    pub(crate) fn wait<R>(
        &self,
        key: u64,
        term: Term,
        phase: Phase,
        mut ready: impl FnMut(&mut S, Instant) -> Option<Result<R>>,
    ) -> Result<R> {
        // Not the beginning of the call: encoding, or another wait of it, may lie in between.
        let mut now = Instant::now();
        let mut spell: Option<Spell> = None;
        let mut notices = None;
        let mut state = self.lock();
        // What was just queued is written first, and nothing is read: an answer cannot be there
        // before its request is. After a silence it is the other way round, because what is there
        // to be read may be that the peer has left.
        let mut read = state.session.heard_at().is_none_or(|at| now >= at + SILENCE);
        loop {
            let stepped = match read || state.session.has_output() {
                true => state.step(now, read),
                false => Ok(Wait::until(now)),
            };
            state.wake_ready(key);
            let outcome = match stepped {
                Ok(wait) => ready(&mut state.session, now).ok_or(wait),
                Err(error) => Ok(Err(error)),
            };
            let wait = match outcome {
                Err(wait) => wait.no_later_than(term.deadline),
                Ok(answer) => {
                    if let Some(spell) = &spell {
                        state.pause.end(spell, now);
                    }
                    state.hand_over();
                    return answer.map_err(|error| term.sign(error, state.session.path()));
                }
            };
            let spell = match &mut spell {
                Some(spell) => spell,
                None => spell.insert(state.pause.begin(now)),
            };
            if !read {
                read = true;
                if let Some(moment) = state.pause.look_again(spell, now) {
                    drop(state);
                    moment.pass();
                    now = Instant::now();
                    state = self.lock();
                }
                continue;
            }
            if state.is_led(wait, term.deadline) {
                state = self.park(state, key, term, now);
                now = Instant::now();
                continue;
            }
            let led = state.lead(wait, now);
            let led = Led { turn: self, wait: Some(led) };
            let moment = match wait.readable {
                true => state.pause.look_again(spell, now),
                false => None,
            };
            if let Some(moment) = moment {
                drop(state);
                moment.pass();
            } else {
                let notices =
                    notices.get_or_insert_with(|| Notices::new(&self.observer, term.began));
                let (notice, wait) = notices.due(now, led.wait.unwrap_or(wait));
                let notice = notice.map(|notice| (notice, state.session.path().to_path_buf()));
                let ends = state.session.ends();
                drop(state);
                // The observer is the host's: it may be slow, look at this very session, or panic.
                if let Some((notice, path)) = notice {
                    notices.tell(notice, &path, phase);
                }
                sleep(ends.borrow(), wait, now).map_err(|error| self.sign(error, term))?;
            }
            state = led.resign();
            now = Instant::now();
        }
    }

    fn sign(&self, error: Error, term: Term) -> Error {
        term.sign(error, self.lock().session.path())
    }

    fn park<'a>(
        &'a self,
        mut state: MutexGuard<'a, State<S>>,
        key: u64,
        term: Term,
        now: Instant,
    ) -> MutexGuard<'a, State<S>> {
        let place = state.spare.pop().unwrap_or_default();
        state.parked.insert(key, Arc::clone(&place));
        // Without a deadline a parked thread still looks up now and then: it costs nothing, and
        // forgives whatever a host does to its threads.
        let most = term.deadline.remaining(now).unwrap_or(LOOK_UP).min(LOOK_UP);
        let mut state = match place.wait_timeout(state, most) {
            Ok((state, _)) => state,
            Err(poisoned) => poisoned.into_inner().0,
        };
        state.parked.remove(&key);
        if state.spare.len() < SPARES {
            state.spare.push(place);
        }
        state
    }

    /// A panic inside a step poisons the lock; the session is in order between any two bytes, so
    /// those that wait go on.
    fn lock(&self) -> MutexGuard<'_, State<S>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A thread that sleeps for all. Whatever ends its sleep, it resigns.
struct Led<'a, S: Session> {
    turn: &'a Turn<S>,
    /// Taken when it resigns.
    wait: Option<Wait>,
}

impl<'a, S: Session> Led<'a, S> {
    fn resign(mut self) -> MutexGuard<'a, State<S>> {
        let mut state = self.turn.lock();
        if let Some(wait) = self.wait.take() {
            state.resign(wait);
        }
        state
    }
}

impl<S: Session> Drop for Led<'_, S> {
    fn drop(&mut self) {
        if let Some(wait) = self.wait.take() {
            let mut state = self.turn.lock();
            state.resign(wait);
            state.hand_over();
        }
    }
}

/// No waiter has this key.
const NOBODY: u64 = u64::MAX;

/// How long nobody may have looked for something to read before a call looks first.
const SILENCE: Duration = Duration::from_millis(1);

/// How long a leader sleeps at most that only writes, because another reads: should that one leave
/// and nobody be parked, reading is taken over after this.
const REVIEW: Duration = Duration::from_millis(5);

/// How long a thread parks at most before it looks for itself.
const LOOK_UP: Duration = Duration::from_secs(1);

impl<S: Session> State<S> {
    /// Whether leaders watch for everything that `wait` names.
    fn is_led(&self, wait: Wait, own: Deadline) -> bool {
        // A parked thread keeps its own deadline itself.
        let timer = wait.until.instant().filter(|_| wait.until != own);
        let leaders = &self.leaders;
        leaders.iter().any(|leader| leader.readable || !wait.readable)
            && (!wait.writable || leaders.iter().any(|leader| leader.writable))
            && timer.is_none_or(|timer| leaders.iter().any(|leader| leader.until.passed(timer)))
    }

    /// Moves bytes in the directions that nobody sleeps on.
    fn step(&mut self, now: Instant, read: bool) -> Result<Wait> {
        let directions = Directions {
            read: read && !self.leaders.iter().any(|leader| leader.readable),
            write: !self.leaders.iter().any(|leader| leader.writable),
        };
        let wait = self.session.step(now, directions)?;
        // Whether reading was left out or left to a leader, somebody must watch for it.
        self.wanted = Wait { readable: true, ..wait };
        Ok(wait)
    }

    fn lead(&mut self, wait: Wait, now: Instant) -> Wait {
        let wait = match wait.readable {
            true => wait,
            false => wait.no_later_than(Deadline::after(now, REVIEW)),
        };
        self.leaders.push(wait);
        wait
    }

    fn resign(&mut self, led: Wait) {
        if let Some(at) = self.leaders.iter().position(|leader| *leader == led) {
            self.leaders.swap_remove(at);
        }
    }

    /// Wakes those for whom something has come, but for the one that is here anyway.
    fn wake_ready(&mut self, here: u64) {
        let parked = &self.parked;
        for key in self.session.wakeups().drain(..).filter(|key| *key != here) {
            if let Some(place) = parked.get(&key) {
                place.notify_one();
            }
        }
    }

    /// This thread leaves: where nobody watches in its place, a parked one wakes to do so.
    fn hand_over(&self) {
        if self.is_led(self.wanted, Deadline::NEVER) {
            return;
        }
        if let Some((_, place)) = self.parked.first_key_value() {
            place.notify_one();
        }
    }
}

impl HeldEnds {
    /// The ends of a link, and the watch over the one that is being opened.
    pub(crate) fn of(link: &Link<ReadOpener, WriteOpener>) -> Self {
        Self {
            reader: link.reader().map(ReadEnd::held),
            writer: link.writer().map(WriteEnd::held),
            watch: link.outgoing().watch().or_else(|| link.incoming().watch()).cloned(),
        }
    }

    fn borrow(&self) -> Ends<'_> {
        Ends {
            reader: self.reader.as_ref().map(|fd| fd.as_fd()),
            writer: self.writer.as_ref().map(|fd| fd.as_fd()),
            watch: self.watch.as_ref().map(|watch| watch.as_fd()),
        }
    }
}
