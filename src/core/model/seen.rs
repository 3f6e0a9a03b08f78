//! Changes of state that were seen, and whether the table explains them.

use std::collections::BTreeMap;

use super::{Causes, State};

/// From where, by which of these causes, to where; and how often.
#[derive(Clone, Debug)]
pub(crate) struct Seen<S>(BTreeMap<(S, Causes, S), u64>);

impl<S: State> Default for Seen<S> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<S: State> Seen<S> {
    /// Writes a change down.
    pub(crate) fn add(&mut self, from: S, causes: Causes, to: S) {
        let times = self.0.entry((from, causes, to)).or_default();
        *times += 1;
        if *times == 1 {
            let allowed = from.leads(causes, to, None);
            assert!(allowed, "{} goes from {from:?} to {to:?} by {causes:?}", S::OF);
        }
    }

    pub(crate) fn add_all(&mut self, others: &Self) {
        for (change, times) in &others.0 {
            *self.0.entry(*change).or_default() += times;
        }
    }

    /// Rows without which all that was seen would be allowed too: nothing shows them.
    pub(crate) fn needless(&self) -> Vec<String> {
        let shows =
            |index| self.0.keys().any(|(from, causes, to)| !from.leads(*causes, *to, Some(index)));
        let rows = S::ROWS.iter().enumerate().filter(|(index, _)| !shows(*index));
        let say = |row: &super::Row<S>| {
            format!("{}: {:?}, {}, {:?}", S::OF, row.from, row.cause.words(), row.to)
        };
        rows.map(|(_, row)| say(row)).collect()
    }
}
