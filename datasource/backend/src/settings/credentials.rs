//! What proves who we are, and whom we believe: basic auth, headers, the token, certificates, a proxy's user.

use super::read::Json;
use super::{Basic, Given, Secret, Tls, address};
use reqwest::Url;
use reqwest::header::{HeaderName, HeaderValue};

/// Most custom headers.
const MOST_HEADERS: u32 = 32;

pub(super) fn basic(given: &Given<'_>, secret: &dyn Fn(&str) -> Option<Secret>) -> Result<Option<Basic>, String> {
    let Some(user) = given.basic_auth else { return Ok(None) };
    if user.is_empty() {
        return Err("Basic auth: on, and its user is empty; write the user, or switch it off".to_owned());
    }
    let password = secret("basicAuthPassword").ok_or("Basic auth: the password is not set; write it, or switch basic auth off")?;
    Ok(Some(Basic { user: user.to_owned(), password }))
}

/// Custom headers as Grafana numbers them, and the token, which is one.
pub(super) fn headers(
    json: &Json,
    given: &Given<'_>,
    secret: &dyn Fn(&str) -> Option<Secret>,
) -> Result<Vec<(HeaderName, Secret)>, String> {
    let mut headers: Vec<(HeaderName, Secret)> = Vec::new();
    for number in 1..=MOST_HEADERS {
        let field = format!("httpHeaderName{number}");
        let text = json.text(&field);
        if text.is_empty() {
            continue; // one that was taken away leaves a gap
        }
        let name = HeaderName::from_bytes(text.as_bytes()).map_err(|_| format!("{field}: {text:?} is no name of a header"))?;
        let value = secret(&format!("httpHeaderValue{number}"))
            .ok_or_else(|| format!("{field}: the header {name} has no value; write it again"))?;
        put(&mut headers, &field, name, value.expose().trim())?;
    }
    if let Some(token) = secret("token") {
        let token = token.expose().trim();
        let bare = token.strip_prefix("Bearer ").unwrap_or(token).trim();
        if bare.chars().any(|sign| !sign.is_ascii_graphic()) {
            return Err("Token: it must be one word, without spaces or line breaks; copy it again".to_owned());
        }
        if headers.iter().any(|(name, _)| name == reqwest::header::AUTHORIZATION) {
            return Err("Token: there is a custom header Authorization too; keep one of both".to_owned());
        }
        put(&mut headers, "Token", reqwest::header::AUTHORIZATION, &format!("Bearer {bare}"))?;
    }
    if given.basic_auth.is_some() && headers.iter().any(|(name, _)| name == reqwest::header::AUTHORIZATION) {
        return Err(
            "Basic auth: there is a token too, and only one of both can be sent; switch basic auth off or take the token away".to_owned()
        );
    }
    Ok(headers)
}

fn put(headers: &mut Vec<(HeaderName, Secret)>, field: &str, name: HeaderName, value: &str) -> Result<(), String> {
    HeaderValue::from_str(value)
        .map_err(|_| format!("{field}: its value has signs a header cannot carry; copy it again, without line breaks"))?;
    headers.push((name, Secret::from(value.to_owned())));
    Ok(())
}

pub(super) fn tls(json: &Json, secret: &dyn Fn(&str) -> Option<Secret>) -> Result<Tls, String> {
    let client = if json.flag("tlsAuth") {
        let need = |name: &str, what: &str| {
            secret(name).ok_or_else(|| format!("{what}: not set; paste its PEM, or switch TLS client authentication off"))
        };
        Some((need("tlsClientCert", "Client certificate")?, need("tlsClientKey", "Client key")?))
    } else {
        None
    };
    let ca = if json.flag("tlsAuthWithCACert") {
        Some(secret("tlsCACert").ok_or("CA certificate: not set; paste its PEM, or switch \"with CA cert\" off")?)
    } else {
        None
    };
    let server_name = Some(json.text("serverName")).filter(|name| !name.is_empty());
    Ok(Tls { skip_verify: json.flag("tlsSkipVerify"), ca, client, server_name })
}

pub(super) fn proxy(json: &Json, secret: &dyn Fn(&str) -> Option<Secret>) -> Result<Option<(Url, Option<Basic>)>, String> {
    let text = json.text("proxyUrl");
    if text.is_empty() {
        return Ok(None);
    }
    let url = address("Proxy URL", &text)?;
    let user = Some(json.text("proxyUser")).filter(|user| !user.is_empty());
    Ok(Some((url, user.map(|user| Basic { user, password: secret("proxyPassword").unwrap_or_default() }))))
}
