//! How an origin is reached, as the configuration editor saves it: [`Settings`], checked once and then believed.
//!
//! Grafana's own names are kept where it has some (`tlsSkipVerify`, `httpHeaderName1`, …), so that provisioning files and the old plugin's
//! settings work as they are. How each is read is in `read`, what
//! proves who we are in `credentials`. To add one: a field here, a line in [`Settings::parse`].

mod credentials;
mod read;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chaoscope_model::query::{FIELDS, Filter};
use credentials::{basic, headers, proxy, tls};
use read::Json;
use reqwest::Url;
use reqwest::header::HeaderName;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

/// Seconds a question may take, where nothing is said: the least, the default and the most.
const TIMEOUT: (u64, u64, u64) = (1, 10, 120);
/// Seconds an answer is kept, where nothing is said: the least, the default and the most.
const CACHE: (u64, u64, u64) = (0, 10, 3600);
/// Rows of an answer, where nothing is said: the least, the default and the most.
const LIMIT: (u64, u64, u64) = (1, 1000, 10_000);

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
    /// The user of basic auth as Grafana's common fields have it; `None` where it is off.
    pub basic_auth: Option<&'a str>,
    /// `jsonData`, raw.
    pub json: &'a [u8],
    /// Decrypted secrets by name.
    pub secrets: BTreeMap<&'a str, Secret>,
}

/// Which product is asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Product {
    /// Chaoscope's own API.
    #[default]
    Chaoscope,
    /// A Chaos Dashboard.
    Dashboard,
}

/// A user and his password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Basic {
    /// The user.
    pub user: String,
    /// The password.
    pub password: Secret,
}

/// How TLS is spoken.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tls {
    /// Believe any certificate.
    pub skip_verify: bool,
    /// PEM of whom to believe instead of this host's certificates.
    pub ca: Option<Secret>,
    /// PEM of the own certificate and its key.
    pub client: Option<(Secret, Secret)>,
    /// The name the certificate must have, where it is not the address's.
    pub server_name: Option<String>,
}

/// A datasource's settings, checked.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Which product is asked.
    pub product: Product,
    /// Where; ends with a slash, has no user, no query, no fragment.
    pub url: Url,
    /// How long one question may take, repetitions included.
    pub timeout: Duration,
    /// Basic auth.
    pub basic: Option<Basic>,
    /// Headers of every request; a token is one of them.
    pub headers: Vec<(HeaderName, Secret)>,
    /// How TLS is spoken.
    pub tls: Tls,
    /// Whether the caller's own identity goes along.
    pub forward_identity: bool,
    /// Names of the caller's cookies that go along.
    pub cookies: Vec<String>,
    /// A proxy other than the environment's, and who we are there.
    pub proxy: Option<(Url, Option<Basic>)>,
    /// What the cluster is called: shown, and of a Chaoscope with several the only one; empty: not said.
    pub cluster: String,
    /// Filters no query can widen, `cluster` among them: sorted, without doubles.
    pub fixed: Vec<(String, String)>,
    /// Where a person's browser finds the status page, for links; ends with a slash.
    pub page: Option<String>,
    /// Rows of an answer where a query says nothing.
    pub limit: usize,
    /// How long an answer is kept.
    pub cache: Duration,
}

impl Settings {
    /// Understands what was saved; unknown keys are ignored. An error names the field and what to write there.
    pub fn parse(given: &Given<'_>) -> Result<Self, String> {
        let json = Json::of(given.json)?;
        let secret = |name: &str| given.secrets.get(name).filter(|secret| !secret.expose().trim().is_empty()).cloned();
        let product = product(&json)?;
        let cluster = if json.text("cluster").is_empty() { json.text("clusterName") } else { json.text("cluster") };
        let mut fixed = fixed(json.value("filters"))?;
        // A Dashboard knows one cluster and not its name: the name is put into its runs instead.
        if !cluster.is_empty() && product == Product::Chaoscope && !fixed.iter().any(|(field, _)| field == "cluster") {
            fixed.push(("cluster".to_owned(), cluster.clone()));
        }
        fixed.sort();
        fixed.dedup();
        Ok(Self {
            product,
            url: address("URL", given.url)?,
            timeout: Duration::from_secs(json.number("timeout", TIMEOUT)?),
            basic: basic(given, &secret)?,
            headers: headers(&json, given, &secret)?,
            tls: tls(&json, &secret)?,
            forward_identity: json.flag("oauthPassThru"),
            cookies: json.texts("keepCookies"),
            proxy: proxy(&json, &secret)?,
            cluster,
            fixed,
            page: page(&json)?,
            limit: usize::try_from(json.number("limit", LIMIT)?).unwrap_or(1000),
            cache: Duration::from_secs(json.number("cacheSeconds", CACHE)?),
        })
    }

    /// Every text that must never be shown.
    pub fn secrets(&self) -> Vec<Secret> {
        let basic = self.basic.iter().chain(self.proxy.iter().filter_map(|(_, user)| user.as_ref()));
        // Also as it is sent: who reads that can read the password.
        let passwords = basic.flat_map(|basic| {
            let sent = STANDARD.encode(format!("{}:{}", basic.user, basic.password.expose()));
            [basic.password.clone(), Secret::from(sent)]
        });
        let headers = self.headers.iter().flat_map(|(_, value)| {
            let bare = value.expose().split_once(' ').map(|(_, bare)| Secret::from(bare.trim().to_owned()));
            std::iter::once(value.clone()).chain(bare)
        });
        let keys = self.tls.client.iter().flat_map(|(certificate, key)| [certificate.clone(), key.clone()]);
        passwords.chain(headers).chain(keys).collect()
    }
}

fn product(json: &Json) -> Result<Product, String> {
    match json.text("origin").as_str() {
        "" | "chaoscope" => Ok(Product::Chaoscope),
        "dashboard" => Ok(Product::Dashboard),
        other => Err(format!("origin: {other:?} is no product; write \"chaoscope\" or \"dashboard\"")),
    }
}

/// An address: http or https, a path where it is behind one, nothing else.
fn address(field: &str, text: &str) -> Result<Url, String> {
    let text = text.trim();
    if text.is_empty() {
        return Err(format!("{field}: empty; write the address, as http://chaoscope:10765 or http://chaos-dashboard:2333"));
    }
    let mut url = Url::parse(text).map_err(|error| match error {
        url if !text.contains("://") => format!("{field}: {url}; it must begin with http:// or https://"),
        other => format!("{field}: {other}"),
    })?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(format!(
            "{field}: a user or password in an address is seen by everybody who sees the address; use the fields of basic auth"
        ));
    }
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
        return Err(format!("{field}: it must begin with http:// or https://"));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(format!("{field}: it must end with its path; take away what begins with ? or #"));
    }
    let path = url.path().trim_end_matches('/').to_owned();
    url.set_path(&format!("{path}/"));
    Ok(url)
}

fn page(json: &Json) -> Result<Option<String>, String> {
    let text = json.text("publicUrl");
    if text.is_empty() { Ok(None) } else { address("Public URL", &text).map(|url| Some(url.into())) }
}

/// `{field: [value, …]}` in the API's language.
fn fixed(filters: &Value) -> Result<Vec<(String, String)>, String> {
    let mut check = Filter::default();
    let mut pairs = Vec::new();
    let fields = match filters {
        Value::Null => return Ok(pairs),
        Value::Object(fields) => fields,
        _ => return Err("filters: it must be an object of lists, as {\"namespace\": [\"shop\"]}".to_owned()),
    };
    for (field, values) in fields {
        let values = match values {
            Value::Array(values) => values.iter().collect(),
            value => vec![value],
        };
        for value in values.into_iter().filter(|value| !value.is_null()) {
            let text = value.as_str().ok_or_else(|| format!("filters: the values of {field} must be texts"))?;
            match check.add(field, text) {
                Ok(true) => pairs.push((field.clone(), text.to_owned())),
                Ok(false) => return Err(format!("filters: there is no field {field:?}; allowed are {}, text", FIELDS.join(", "))),
                Err(refused) => return Err(format!("filters: {refused}")),
            }
        }
    }
    Ok(pairs)
}

#[cfg(test)]
mod tests;
