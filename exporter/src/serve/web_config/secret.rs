//! Text that must never be printed: a private key, a password hash.
//!
//! Apart so that the one way to its content is easy to search for: [`Secret::reveal`].

use serde::Deserialize;

/// A secret text. It has neither `Debug` nor `Display`, so no log line or error message can hold it by accident.
#[derive(Clone, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// Keeps `text` from being printed.
    pub fn new(text: String) -> Self {
        Self(text)
    }

    /// The text itself: for the cryptography that needs it, and for nothing that writes.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}
