//! `http_server_config.headers`: fixed headers put on every answer.
//!
//! Apart from the YAML shape because values are checked here. Which headers exist is a field of `file::HeaderSection`.

use axum::http::{HeaderName, HeaderValue};

use super::error::{Section, WebError, shown};
use super::file::HeaderSection;

/// Header and value, ready to be set on an answer.
pub(super) type Headers = Vec<(HeaderName, HeaderValue)>;

/// The headers that are not blank. Two of them take only the values the standards know.
pub(super) fn headers(section: HeaderSection, at: Section<'_>) -> Result<Headers, WebError> {
    let given = [
        ("Content-Security-Policy", section.content_security_policy, &[][..]),
        ("X-Frame-Options", section.x_frame_options, &["deny", "sameorigin"][..]),
        ("X-Content-Type-Options", section.x_content_type_options, &["nosniff"][..]),
        ("X-XSS-Protection", section.x_xss_protection, &[][..]),
        ("Strict-Transport-Security", section.strict_transport_security, &[][..]),
    ];
    let mut headers = Headers::new();
    for (name, text, allowed) in given {
        if let Some(text) = text.filter(|text| !text.is_empty()) {
            headers.push(header(name, &text, allowed, at)?);
        }
    }
    Ok(headers)
}

/// One header, if its text may stand in an answer.
fn header(name: &'static str, text: &str, allowed: &[&str], at: Section<'_>) -> Result<(HeaderName, HeaderValue), WebError> {
    if !allowed.is_empty() && !allowed.contains(&text) {
        return Err(at.wrong(name, format!("{} is no value of it", shown(text)), format!("write {}", allowed.join(" or "))));
    }
    let unfit = || at.wrong(name, "the text cannot be sent as a header", "write one line of printable ASCII");
    if !text.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
        return Err(unfit());
    }
    let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| unfit())?;
    Ok((name, HeaderValue::from_str(text).map_err(|_| unfit())?))
}
