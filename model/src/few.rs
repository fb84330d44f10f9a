//! [`Few`]: a map that mostly holds one entry.
//!
//! Ten thousand targets have a dozen such maps each, and a `BTreeMap` of one has room for eleven. Like one, it is ordered by key and is
//! a map in JSON; unlike one, inserting moves what comes behind, so it is not for thousands.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::borrow::Borrow;
use std::collections::BTreeMap;

/// A map of few entries: a list, ordered by key, with no more room than it needs while it holds one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Few<K, V>(Vec<(K, V)>);

impl<K: Ord, V> Few<K, V> {
    /// An empty one, without memory of its own.
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// How many entries.
    pub const fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The value of a key.
    pub fn get<Q: Ord + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        self.place(key).ok().map(|place| &self.0[place].1)
    }

    /// Puts a value in; gives the one it replaces.
    pub fn insert(&mut self, key: K, value: V) -> Option<V> {
        match self.place(&key) {
            Ok(place) => Some(std::mem::replace(&mut self.0[place].1, value)),
            Err(place) => {
                self.put(place, key, value);
                None
            }
        }
    }

    /// The value of a key, which is made where there is none.
    pub fn get_or_insert_with(&mut self, key: K, make: impl FnOnce() -> V) -> &mut V {
        let place = self.place(&key).unwrap_or_else(|place| {
            self.put(place, key, make());
            place
        });
        &mut self.0[place].1
    }

    /// Takes a value out.
    pub fn remove<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        self.place(key).ok().map(|place| self.0.remove(place).1)
    }

    /// Takes the first entry out.
    pub fn pop_first(&mut self) -> Option<(K, V)> {
        (!self.0.is_empty()).then(|| self.0.remove(0))
    }

    /// Entries, in order.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (&K, &V)> + ExactSizeIterator {
        self.0.iter().map(|(key, value)| (key, value))
    }

    /// Keys, in order.
    pub fn keys(&self) -> impl DoubleEndedIterator<Item = &K> {
        self.0.iter().map(|(key, _)| key)
    }

    /// Values, in the order of their keys.
    pub fn values(&self) -> impl DoubleEndedIterator<Item = &V> {
        self.0.iter().map(|(_, value)| value)
    }

    /// The same, to be changed.
    pub fn values_mut(&mut self) -> impl DoubleEndedIterator<Item = &mut V> {
        self.0.iter_mut().map(|(_, value)| value)
    }

    /// Where a key is, or belongs.
    fn place<Q: Ord + ?Sized>(&self, key: &Q) -> Result<usize, usize>
    where
        K: Borrow<Q>,
    {
        self.0.binary_search_by(|(known, _)| known.borrow().cmp(key))
    }

    fn put(&mut self, place: usize, key: K, value: V) {
        if self.0.is_empty() {
            self.0.reserve_exact(1); // else there would be room for four
        }
        self.0.insert(place, (key, value));
    }
}

impl<K: Ord, V> Default for Few<K, V> {
    fn default() -> Self {
        Self::new()
    }
}

/// Of two entries of one key the later one counts.
impl<K: Ord, V> FromIterator<(K, V)> for Few<K, V> {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(entries: I) -> Self {
        Self(entries.into_iter().collect::<BTreeMap<K, V>>().into_iter().collect())
    }
}

impl<K: Ord, V, const N: usize> From<[(K, V); N]> for Few<K, V> {
    fn from(entries: [(K, V); N]) -> Self {
        entries.into_iter().collect()
    }
}

impl<K: Ord + Serialize, V: Serialize> Serialize for Few<K, V> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter())
    }
}

impl<'de, K: Ord + Deserialize<'de>, V: Deserialize<'de>> Deserialize<'de> for Few<K, V> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(BTreeMap::deserialize(deserializer)?.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_a_map_in_order() {
        let mut few = Few::new();
        assert_eq!((few.insert(3, "c"), few.insert(1, "a"), few.insert(3, "d")), (None, None, Some("c")));
        *few.get_or_insert_with(2, || "b") = "e";
        assert_eq!(*few.get_or_insert_with(2, || "f"), "e");
        assert_eq!(few.iter().collect::<Vec<_>>(), [(&1, &"a"), (&2, &"e"), (&3, &"d")]);
        assert_eq!((few.get(&2), few.get(&4)), (Some(&"e"), None));
        assert_eq!((few.remove(&2), few.pop_first()), (Some("e"), Some((1, "a"))));
        assert_eq!((few.len(), few.is_empty()), (1, false));
    }

    #[test]
    fn it_is_a_map_in_json() {
        let few: Few<String, u32> = serde_json::from_str(r#"{"b": 2, "a": 1, "b": 3}"#).unwrap();
        assert_eq!(few, Few::from([("a".to_owned(), 1), ("b".to_owned(), 3)]));
        assert_eq!(serde_json::to_string(&few).unwrap(), r#"{"a":1,"b":3}"#);
        assert_eq!(few.0.capacity(), 2, "no room beyond what it holds");
    }
}
