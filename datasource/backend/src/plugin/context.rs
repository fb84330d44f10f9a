//! From Grafana's types to ours: which datasource is meant, with what settings, and on whose behalf.
//!
//! Lenient: users without a role, users with an unknown one and no user at all are the same here, since nothing depends on roles.

use super::failure::Failure;
use crate::origin::Identity;
use crate::settings::{Given, Secret};
use grafana_plugin_sdk::pluginv2::{DataSourceInstanceSettings, PluginContext};
use std::collections::HashMap;

/// Which configured datasource.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Place {
    /// The organisation.
    pub(super) org: i64,
    /// The datasource's uid in it.
    pub(super) uid: String,
}

/// Headers that say who looks, which Grafana sends where the settings want it: `oauthPassThru` the first two, `keepCookies` the third,
/// a feature toggle the last. Sending them on gives whoever runs the origin the viewer's credentials, so that is wanted too: see [`identity`].
const WHO: [&str; 4] = ["authorization", "x-id-token", "cookie", "x-grafana-id"];

/// What is wanted, and of whom.
pub(super) fn datasource(context: PluginContext) -> Result<(Place, DataSourceInstanceSettings), Failure> {
    let org = context.org_id;
    let missing = || Failure::refused("Grafana sent no settings of a datasource with this request");
    let settings = context.data_source_instance_settings.ok_or_else(missing)?;
    Ok((Place { org, uid: settings.uid.clone() }, settings))
}

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

/// On whose behalf an origin is asked, if these settings want that it knows: `"oauthPassThru": true`.
pub(super) fn identity<'a>(headers: impl Iterator<Item = (&'a str, &'a str)>, json: &[u8]) -> Identity {
    #[derive(Default, serde::Deserialize)]
    #[serde(default, rename_all = "camelCase")]
    struct Wanted {
        oauth_pass_thru: bool,
    }
    // Settings that cannot be understood are refused elsewhere.
    let wanted = serde_json::from_slice(json).unwrap_or(Wanted { oauth_pass_thru: false });
    if !wanted.oauth_pass_thru {
        return Identity::default();
    }
    let named = headers.filter_map(|(name, value)| {
        let name = plain(name);
        WHO.contains(&&*name).then(|| (name, value.to_owned()))
    });
    let mut headers: Vec<_> = named.collect();
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

    const HEADERS: [(&str, &str); 5] =
        [("http_X-Dashboard-Uid", "d"), ("Authorization", "Bearer a"), ("X-ID-Token", "t"), ("http_Cookie", "c"), ("FromAlert", "true")];

    #[test]
    fn identity_is_kept_back_unless_settings_want_it() {
        for json in ["", "{}", "{\"oauthPassThru\": false}", "{\"oauthPassThru\": null}", "[", "{\"oauthPassThru\": \"x\"}"] {
            assert!(identity(HEADERS.into_iter(), json.as_bytes()).headers.is_empty(), "{json}");
        }
    }

    #[test]
    fn identity_is_only_who_looks() {
        let identity = identity(HEADERS.into_iter(), b"{\"oauthPassThru\": true, \"unknown\": 1}");
        let wanted = [("authorization", "Bearer a"), ("cookie", "c"), ("x-id-token", "t")];
        assert_eq!(identity.headers, wanted.map(|(name, value)| (name.to_owned(), value.to_owned())));
    }

    #[test]
    fn alerts_are_known_by_their_header() {
        let headers = |name: &str, value: &str| HashMap::from([(name.to_owned(), value.to_owned())]);
        assert!(from_alert(&headers("FromAlert", "true")) && from_alert(&headers("http_FromAlert", "true")));
        assert!(!from_alert(&headers("FromAlert", "false")) && !from_alert(&HashMap::new()));
    }

    #[test]
    fn a_request_without_a_datasource_is_refused() {
        assert_eq!(datasource(PluginContext::default()).unwrap_err().status, 400);
    }
}
