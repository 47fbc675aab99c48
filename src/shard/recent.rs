//! A bounded map whose entries expire. When it is full, the entry that expires first makes room.

use std::collections::{BTreeSet, HashMap};
use std::hash::Hash;

pub(super) struct Recent<K, V> {
    /// Never walked. Each entry with when it expires.
    kept: HashMap<K, (u64, V)>,
    ends: BTreeSet<(u64, K)>,
    max: usize,
}

impl<K: Clone + Eq + Hash + Ord, V> Recent<K, V> {
    pub(super) fn new(max: usize) -> Self {
        Recent { kept: HashMap::new(), ends: BTreeSet::new(), max }
    }

    pub(super) fn get(&self, key: &K, now: u64) -> Option<&V> {
        self.kept.get(key).filter(|(until, _)| now < *until).map(|(_, value)| value)
    }

    pub(super) fn put(&mut self, key: K, until: u64, value: V) {
        self.remove(&key);
        if self.kept.len() >= self.max
            && let Some((_, first)) = self.ends.pop_first()
        {
            self.kept.remove(&first);
        }
        self.ends.insert((until, key.clone()));
        self.kept.insert(key, (until, value));
    }

    pub(super) fn remove(&mut self, key: &K) {
        if let Some((until, _)) = self.kept.remove(key) {
            self.ends.remove(&(until, key.clone()));
        }
    }

    pub(super) fn clear(&mut self) {
        self.kept.clear();
        self.ends.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_expire_and_the_first_to_expire_makes_room() {
        let mut recent = Recent::new(3);
        for (key, until) in [(1, 30), (2, 20), (3, 40), (2, 50)] {
            recent.put(key, until, key * 10);
        }
        assert_eq!((recent.get(&1, 29), recent.get(&1, 30), recent.get(&2, 49)), (Some(&10), None, Some(&20)));
        recent.put(4, 60, 40);
        assert_eq!((recent.get(&1, 0), recent.get(&2, 0), recent.get(&4, 0)), (None, Some(&20), Some(&40)), "1 expired first");
        (0..1000).for_each(|key| recent.put(key, u64::from(key as u32), key));
        assert_eq!((recent.kept.len(), recent.ends.len()), (3, 3));
        recent.remove(&999);
        assert_eq!((recent.kept.len(), recent.ends.len()), (2, 2));
    }
}
