//! How an origin is reached, as the configuration editor saves it. STUB

use std::collections::BTreeMap;
use std::fmt;

/// A text that is never printed.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct Secret(String);

impl Secret {
    /// Where it is used.
    pub fn expose(&self) -> &str {
        &self.0
    }
}
impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(text)
    }
}
impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// What Grafana hands over with every request, as plain values (so that nothing here depends on its generated types).
#[derive(Clone, Debug, Default)]
pub struct Given<'a> {
    /// The address field.
    pub url: &'a str,
    /// Basic auth as Grafana's common fields have it.
    pub basic_auth: Option<&'a str>,
    /// `jsonData`, raw.
    pub json: &'a [u8],
    /// Decrypted secrets by name.
    pub secrets: BTreeMap<&'a str, Secret>,
}

/// A datasource's settings, checked.
#[derive(Clone, Debug)]
pub struct Settings {}

impl Settings {
    /// Understands what was saved; unknown keys are ignored.
    #[allow(clippy::todo)]
    pub fn parse(_given: &Given<'_>) -> Result<Self, String> {
        todo!()
    }
}
