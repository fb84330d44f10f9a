//! From Grafana's types to ours: with what settings a datasource is asked, and on whose behalf.
//!
//! Lenient: users without a role, users with an unknown one and no user at all are the same here, since nothing depends on roles.

use crate::origin::Identity;
use crate::settings::{Given, Secret};
use grafana_plugin_sdk::pluginv2::DataSourceInstanceSettings;
use std::collections::HashMap;

/// Headers that say who looks. Which of them go along is a datasource's settings'; Grafana sends them where these want it.
const WHO: [&str; 3] = ["authorization", "x-id-token", "cookie"];

/// Settings as plain values.
pub(super) fn given(settings: &DataSourceInstanceSettings) -> Given<'_> {
    let secrets = settings.decrypted_secure_json_data.iter();
    Given {
        url: &settings.url,
        basic_auth: settings.basic_auth_enabled.then_some(&*settings.basic_auth_user),
        json: &settings.json_data,
        secrets: secrets.map(|(name, value)| (&**name, Secret::from(value.clone()))).collect(),
    }
}

/// Who looks: everything a host says about it, and nothing else it says.
pub(super) fn identity<'a>(headers: impl IntoIterator<Item = (&'a String, &'a String)>) -> Identity {
    let headers = headers.into_iter().map(|(name, value)| (plain(name), value.clone()));
    let mut headers: Vec<_> = headers.filter(|(name, _)| WHO.contains(&&**name)).collect();
    headers.sort();
    headers.dedup_by(|a, b| a.0 == b.0);
    Identity { headers }
}

/// Whether an alert rule asks.
pub(super) fn from_alert(headers: &HashMap<String, String>) -> bool {
    headers.iter().any(|(name, value)| plain(name) == "fromalert" && value.eq_ignore_ascii_case("true"))
}

/// A header's name, lower case, without the mark Grafana gives to those of the viewer's own request.
fn plain(name: &str) -> String {
    let name = name.to_ascii_lowercase();
    name.strip_prefix("http_").map(str::to_owned).unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identity_is_only_who_looks() {
        let headers = [("http_X-Dashboard-Uid", "d"), ("Authorization", "Bearer a"), ("X-ID-Token", "t"), ("http_Cookie", "c")];
        let headers: HashMap<_, _> = headers.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        let wanted = [("authorization", "Bearer a"), ("cookie", "c"), ("x-id-token", "t")];
        assert_eq!(identity(&headers).headers, wanted.map(|(name, value)| (name.to_owned(), value.to_owned())));
    }

    #[test]
    fn alerts_are_known_by_their_header() {
        let headers = |name: &str, value: &str| HashMap::from([(name.to_owned(), value.to_owned())]);
        assert!(from_alert(&headers("FromAlert", "true")) && from_alert(&headers("http_FromAlert", "true")));
        assert!(!from_alert(&headers("FromAlert", "false")) && !from_alert(&HashMap::new()));
    }
}
