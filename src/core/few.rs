//! A map that mostly holds one entry: that one lies in place, and is found without a hash.
//!
//! A client that waits for each reply has one call in flight, and its server one request in hand,
//! and the next one when that is answered. Among a hundred each is found as fast as among a few.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hash, RandomState};

/// A hash map, by default for keys that a peer has chosen.
#[derive(Debug)]
pub(crate) struct Few<K, V, S = RandomState> {
    /// Filled only while there are no others, so that no key is in both places.
    first: Option<(K, V)>,
    others: HashMap<K, V, S>,
}

impl<K: Eq + Hash, V, S: BuildHasher> Few<K, V, S> {
    pub(crate) fn len(&self) -> usize {
        usize::from(self.first.is_some()) + self.others.len()
    }

    pub(crate) fn contains_key(&self, key: &K) -> bool {
        self.get(key).is_some()
    }

    pub(crate) fn get(&self, key: &K) -> Option<&V> {
        match &self.first {
            Some((first, value)) if first == key => Some(value),
            _ => get_other(&self.others, key),
        }
    }

    pub(crate) fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        match &mut self.first {
            Some((first, value)) if first == key => Some(value),
            _ => get_other_mut(&mut self.others, key),
        }
    }

    /// Adds an entry, or replaces that of the same key.
    pub(crate) fn insert(&mut self, key: K, value: V) {
        match &mut self.first {
            Some((first, held)) if *first == key => *held = value,
            None if self.others.is_empty() => self.first = Some((key, value)),
            _ => insert_other(&mut self.others, key, value),
        }
    }

    pub(crate) fn remove(&mut self, key: &K) -> Option<V> {
        match &self.first {
            Some((first, _)) if first == key => self.first.take().map(|(_, value)| value),
            _ => remove_other(&mut self.others, key),
        }
    }

    /// The entries, in no order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.first.iter().map(|(key, value)| (key, value)).chain(&self.others)
    }

    pub(crate) fn values(&self) -> impl Iterator<Item = &V> {
        self.iter().map(|(_, value)| value)
    }

    /// The entries, in no order.
    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = (&K, &mut V)> {
        let first = self.first.as_mut().map(|(key, value)| (&*key, value));
        first.into_iter().chain(&mut self.others)
    }
}

// Mostly there are no others, and who has one entry shall not carry the code of the map.

#[inline(never)]
fn get_other<'a, K: Eq + Hash, V, S: BuildHasher>(
    others: &'a HashMap<K, V, S>,
    key: &K,
) -> Option<&'a V> {
    others.get(key)
}

#[inline(never)]
fn get_other_mut<'a, K: Eq + Hash, V, S: BuildHasher>(
    others: &'a mut HashMap<K, V, S>,
    key: &K,
) -> Option<&'a mut V> {
    others.get_mut(key)
}

#[inline(never)]
fn insert_other<K: Eq + Hash, V, S: BuildHasher>(others: &mut HashMap<K, V, S>, key: K, value: V) {
    others.insert(key, value);
}

#[inline(never)]
fn remove_other<K: Eq + Hash, V, S: BuildHasher>(
    others: &mut HashMap<K, V, S>,
    key: &K,
) -> Option<V> {
    others.remove(key)
}

impl<K, V, S: Default> Default for Few<K, V, S> {
    fn default() -> Self {
        Self { first: None, others: HashMap::default() }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    /// Both maps say the same of all keys.
    fn compare(few: &mut Few<u8, u32>, model: &mut BTreeMap<u8, u32>) {
        assert_eq!(few.len(), model.len());
        for key in 0..8 {
            assert_eq!(few.get(&key), model.get(&key));
            assert_eq!(few.get_mut(&key), model.get_mut(&key));
            assert_eq!(few.contains_key(&key), model.contains_key(&key));
        }
        let all: BTreeMap<u8, u32> = few.iter_mut().map(|(key, value)| (*key, *value)).collect();
        assert_eq!(all, *model);
        assert!(few.iter().all(|(key, value)| model.get(key) == Some(value)));
        assert_eq!(few.values().copied().max(), model.values().copied().max());
    }

    #[test]
    fn it_says_what_a_tree_says_whatever_comes_and_goes() {
        let (mut few, mut model) = (Few::<u8, u32>::default(), BTreeMap::new());
        let mut state: u32 = 1;
        for _ in 0..10_000 {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let key = (state >> 24) as u8 % 8;
            // Of four, three are removals: it holds none or one as often as it holds more.
            if state >> 16 & 3 == 0 {
                few.insert(key, state);
                model.insert(key, state);
            } else {
                assert_eq!(few.remove(&key), model.remove(&key));
            }
            compare(&mut few, &mut model);
        }
    }

    #[test]
    fn one_entry_at_a_time_is_never_hashed() {
        let mut few = Few::<u8, ()>::default();
        for key in 0..100 {
            few.insert(key, ());
            assert!(few.others.is_empty());
            assert_eq!(few.remove(&key), Some(()));
        }
    }
}
