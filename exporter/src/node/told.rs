//! What has been logged of what cannot be seen: each limitation is told when it begins and when it ends, not at every sweep. How often it
//! happens in between is the metrics' job.

use super::limits::Limitation;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::{Mutex, PoisonError};

/// The limitations that hold now, as far as they were logged.
#[derive(Default)]
pub struct Told(Mutex<BTreeMap<String, String>>);

impl Told {
    /// Logs what is new and what has ended since the last call.
    pub fn tell(&self, limitations: &[Limitation]) {
        let now: BTreeMap<_, _> = limitations.iter().map(|limitation| (key(limitation), limitation)).collect();
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for (key, limitation) in &now {
            if let Entry::Vacant(place) = told.entry(key.clone()) {
                tracing::warn!(remedy = limitation.remedy, "Cannot see everything: {}.", limitation.what);
                place.insert(limitation.what.clone());
            }
        }
        told.retain(|key, what| {
            let holds = now.contains_key(key);
            if !holds {
                tracing::info!("Seen again, was: {what}.");
            }
            holds
        });
    }
}

/// The same limitation with other counts or ids is no news.
fn key(limitation: &Limitation) -> String {
    limitation.what.chars().filter(|letter| !letter.is_ascii_digit()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limitation(what: &str) -> Limitation {
        Limitation { what: what.to_owned(), remedy: String::new(), blinds: true }
    }

    #[test]
    fn counts_are_no_news() {
        let told = Told::default();
        told.tell(&[limitation("ipset unknown in 3 namespaces")]);
        told.tell(&[limitation("ipset unknown in 12 namespaces")]);
        assert_eq!(told.0.lock().unwrap().values().collect::<Vec<_>>(), ["ipset unknown in 3 namespaces"]);
        told.tell(&[]);
        assert!(told.0.lock().unwrap().is_empty(), "what ended may be told again");
    }
}
