//! One task's errand at a shared session, as a future.

use std::future::Future;
use std::ops::Deref;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use super::{Hub, Rouse, STEPS_A_TURN, Shared, State, tell, wake};
use crate::awaited::runtime::Runtime;
use crate::core::errand::{Errand, Key};
use crate::core::link::Directions;
use crate::core::session::Session;
use crate::core::step::Wait;
use crate::error::{Phase, Result};
use crate::front::{Spell, Term};
use crate::sync::atomic::Ordering;

/// An errand that is awaited. Dropped before its end, it leaves as if it had been given up.
pub(in crate::awaited) struct Visit<H, R, S, E>
where
    H: Deref<Target = Hub<R, S>>,
    R: Runtime,
    S: Shared,
    E: Errand<S>,
{
    /// Borrowed by a call that is awaited in place, shared by one that goes elsewhere.
    hub: H,
    visitor: Visitor<E>,
}

/// Who visits, apart from whom.
struct Visitor<E> {
    errand: E,
    /// While the errand is in the session.
    key: Option<Key>,
    term: Term,
    phase: Phase,
    spell: Option<Spell>,
    /// Whether the first step was put off, for others to queue what they have to write.
    put_off: bool,
    done: bool,
}

/// How long nobody may have looked for something to read before a visit looks first.
const SILENCE: Duration = Duration::from_millis(1);

impl<H, R, S, E> Visit<H, R, S, E>
where
    H: Deref<Target = Hub<R, S>>,
    R: Runtime,
    S: Shared,
    E: Errand<S>,
{
    pub(in crate::awaited) fn new(hub: H, errand: E, term: Term, phase: Phase) -> Self {
        Self {
            hub,
            visitor: Visitor {
                errand,
                key: None,
                term,
                phase,
                spell: None,
                put_off: false,
                done: false,
            },
        }
    }

    pub(in crate::awaited) fn errand(&self) -> &E {
        &self.visitor.errand
    }
}

impl<E> Visitor<E> {
    /// Looks for the answer, and leaves the task's waker where there is none.
    fn visit<R: Runtime, S: Shared>(
        &mut self,
        hub: &Hub<R, S>,
        state: &mut State<R, S>,
        cx: &mut Context<'_>,
        woken: &mut Vec<Waker>,
    ) -> Option<Result<E::Answer>>
    where
        E: Errand<S>,
    {
        let (key, begins) = match self.key {
            Some(key) => {
                if let Some(waiting) = state.waiting.get_mut(&key) {
                    // Nothing has come for it: another future of the same task has woken this one.
                    if !waiting.waker.will_wake(cx.waker()) {
                        let before = std::mem::replace(&mut waiting.waker, cx.waker().clone());
                        state.discarded.push(before);
                    }
                    return None;
                }
                // Whoever woke this task has stepped already.
                if let Some(answer) = self.errand.peek(&mut state.session) {
                    return Some(answer);
                }
                let begins = std::mem::take(&mut self.put_off);
                if begins && !state.session.has_output() && state.listens_until(self.term.deadline)
                {
                    // Another has written it, and the hub will hear of the answer.
                    self.rest(state, key, cx);
                    return None;
                }
                (key, begins)
            }
            None => {
                let key = match self.errand.begin(&mut state.session) {
                    Ok(key) => key,
                    Err(error) => return Some(Err(error)),
                };
                self.key = Some(key);
                if E::WRITES && state.session.is_busy() {
                    // Others are about to queue something too: the next poll writes all of it.
                    self.put_off = true;
                    cx.waker().wake_by_ref();
                    return None;
                }
                (key, true)
            }
        };
        let mut now = R::now();
        if !E::WRITES || self.term.deadline.passed(now) {
            // What has come already need not be moved, and what is too late must not be.
            if let Some(answer) = self.errand.look(&mut state.session, now) {
                return Some(answer);
            }
        }
        // What was just queued is written first: an answer cannot be there before its request is.
        // After a silence it is the other way round, because what is there to be read may be that
        // the peer has left.
        let heard_at = state.session.link().heard_at();
        let mut read = !begins || heard_at.is_none_or(|at| now >= at + SILENCE);
        for _ in 0..STEPS_A_TURN {
            let stepped = state.session.step(now, Directions { read, write: true });
            state.wake_ready(Some(key), woken);
            let wait = match stepped {
                Ok(wait) => Wait { readable: wait.readable || !read, ..wait },
                Err(error) => {
                    // The others meet it in a turn of their own.
                    hub.again.store(true, Ordering::SeqCst);
                    return Some(Err(self.errand.fail(&mut state.session, error)));
                }
            };
            if let Some(answer) = self.errand.look(&mut state.session, now) {
                // This step may have taken what the others were to be called for.
                if !state.waiting.is_empty() {
                    let mut cx = Context::from_waker(&hub.waker);
                    if state.is_ready(wait, now, &mut cx) {
                        hub.again.store(true, Ordering::SeqCst);
                    }
                }
                return Some(answer);
            }
            if self.spin(state, now) {
                read = true;
                now = R::now();
                continue;
            }
            self.rest(state, key, cx);
            if !state.is_ready(wait, now, &mut Context::from_waker(&hub.waker)) {
                return None;
            }
            read = true;
            now = R::now();
        }
        // There is more to do, and other tasks come first; then this one goes on.
        state.stop_waiting(key);
        cx.waker().wake_by_ref();
        None
    }

    /// Leaves the task's waker.
    fn rest<R: Runtime, S: Shared>(&self, state: &mut State<R, S>, key: Key, cx: &Context<'_>)
    where
        E: Errand<S>,
    {
        if !E::IDLE {
            state.notices.begin(key, self.term.began, self.phase);
        }
        state.wait(key, cx.waker(), self.term.deadline);
    }

    /// Whether to look again at once, after a moment that has just passed.
    fn spin<R: Runtime, S: Session>(&mut self, state: &mut State<R, S>, now: Instant) -> bool {
        // Where others wait too, the thread has something better to do.
        if state.pause.is_off() || state.session.is_busy() {
            return false;
        }
        let spell = self.spell.get_or_insert_with(|| state.pause.begin(now));
        let moment = state.pause.look_again(spell, now);
        moment.inspect(|moment| moment.pass()).is_some()
    }

    /// The errand has been answered.
    fn end<R: Runtime, S: Shared>(
        &mut self,
        answer: Result<E::Answer>,
        state: &mut State<R, S>,
        woken: &mut Vec<Waker>,
    ) -> Result<E::Answer>
    where
        E: Errand<S>,
    {
        if let Some(spell) = &self.spell {
            state.pause.end(spell, R::now());
        }
        self.done = true;
        self.leave(state);
        state.news.ended(&answer);
        // Its place may be another's now.
        state.wake_ready(None, woken);
        answer.map_err(|error| self.term.sign(state.session.place(error, self.phase), R::now()))
    }

    /// Takes out of the session whatever of the errand is still there.
    fn leave<R: Runtime, S: Shared>(&mut self, state: &mut State<R, S>)
    where
        E: Errand<S>,
    {
        let Some(key) = self.key.take() else { return };
        state.stop_waiting(key);
        state.notices.end(key);
        self.errand.leave(&mut state.session);
    }
}

impl<H, R, S, E> Future for Visit<H, R, S, E>
where
    H: Deref<Target = Hub<R, S>> + Unpin,
    R: Runtime,
    S: Shared,
    E: Errand<S> + Unpin,
{
    type Output = Result<E::Answer>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Self { hub, visitor } = &mut *self;
        assert!(!visitor.done, "polled after its end");
        let mut rouse = Rouse::new(hub);
        let mut state = hub.lock();
        // The clock is that of the place too.
        let (notice, answer, report) = R::within(&hub.place, || {
            let notice = state.notice();
            let answer = visitor.visit(hub, &mut state, cx, &mut rouse.woken);
            let answer = answer.map(|answer| visitor.end(answer, &mut state, &mut rouse.woken));
            let tells = E::TELLS || matches!(answer, Some(Err(_)));
            if answer.is_some() && tells && state.session.has_output() {
                // What it had to say to the peer at the end.
                hub.write(&mut state);
            }
            (notice, answer, state.report())
        });
        let discarded = std::mem::take(&mut state.discarded);
        drop(state);
        let woken = rouse.disarm();
        drop(discarded);
        wake(woken);
        hub.hear_again();
        tell(notice, report);
        answer.map_or(Poll::Pending, Poll::Ready)
    }
}

impl<H, R, S, E> Drop for Visit<H, R, S, E>
where
    H: Deref<Target = Hub<R, S>>,
    R: Runtime,
    S: Shared,
    E: Errand<S>,
{
    fn drop(&mut self) {
        if self.visitor.key.is_some() {
            let Self { hub, visitor } = self;
            hub.with_state(|state| {
                visitor.leave(state);
                if state.session.has_output() {
                    // What leaving had to say to the peer.
                    hub.write(state);
                }
            });
        }
    }
}
