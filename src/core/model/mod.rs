//! What a session goes through, as tables: `docs/SESSION.md` has them in the same words.
//!
//! Nothing is driven by these tables. The states are read off the structures that the session
//! really keeps, and the simulator holds every change that it sees against the rows: see
//! `simulation/observers.rs`. So a table may never say more than was seen to happen, and each row
//! must be one without which something that was seen would not be allowed.
//!
//! To add something: a state to its enum, its words to `STATES`, a row to `ROWS`, a cause to
//! `causes.rs`, and both tables to the page.

mod call;
mod causes;
mod closing;
mod life;
mod page;
mod place;
mod request;
mod seen;

pub(crate) use call::Call;
pub(crate) use causes::{Cause, Causes};
pub(crate) use closing::{ClientClosing, ServerClosing};
pub(crate) use life::{ClientLife, ServerLife};
pub(crate) use place::Place;
pub(crate) use request::Request;
pub(crate) use seen::Seen;

/// One of the things that a session keeps: it is in one state at a time, and goes from one to the
/// next as its table says.
pub(crate) trait State: Copy + Ord + std::fmt::Debug + 'static {
    /// What it is a state of.
    const OF: &'static str;
    /// All of them, and what they say.
    const STATES: &'static [(Self, &'static str)];
    /// All that can happen.
    const ROWS: &'static [Row<Self>];
    /// Before there is anything, and afterwards.
    const FIRST: Self;
    const LAST: Self;

    /// Whether rows of these causes lead from this state to another, one row at least, and not this
    /// one.
    fn leads(self, causes: Causes, to: Self, without: Option<usize>) -> bool {
        let mut reached: Vec<Self> = Vec::new();
        let mut next = vec![self];
        while let Some(at) = next.pop() {
            for (index, row) in Self::ROWS.iter().enumerate() {
                let taken =
                    row.from.contains(&at) && causes.has(row.cause) && without != Some(index);
                if taken && !reached.contains(&row.to) {
                    reached.push(row.to);
                    next.push(row.to);
                }
            }
        }
        reached.contains(&to)
    }
}

/// A change of state.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Row<S: 'static> {
    /// From one of these.
    pub(crate) from: &'static [S],
    pub(crate) cause: Cause,
    pub(crate) to: S,
    /// Why, where that is not obvious.
    pub(crate) why: &'static str,
}

const fn row<S>(from: &'static [S], cause: Cause, to: S, why: &'static str) -> Row<S> {
    Row { from, cause, to, why }
}
