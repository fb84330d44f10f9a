//! `Authorization: Bearer`: a request's token ([`Bearer`]) and what stands for it in memory ([`Digest`]).
//!
//! Apart because it is the one place that reads a token from outside.

use super::super::web_config::Secret;
use axum::http::{HeaderMap, header};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use std::time::{Duration, SystemTime};

/// Longest token. A service account's is about 1 KiB, one of a provider with hundreds of groups about 8.
const LONGEST: usize = 16 << 10;

/// SHA-256 of a token, or of what else must not be kept itself.
pub(super) type Digest = [u8; 32];

/// A token somebody came with.
pub(super) struct Bearer {
    secret: Secret,
    digest: Digest,
}

/// Why a request has no token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Absent {
    /// There is no such header.
    Missing,
    /// There is one, and it holds no token.
    Malformed,
}

/// The one claim of a JSON web token (RFC 7519) that is used, in seconds of Unix time.
#[derive(Deserialize)]
struct Claims {
    exp: Option<f64>,
}

impl Bearer {
    /// The token of a request (RFC 6750, section 2.1). Never one of the address: addresses are logged.
    pub(super) fn of(headers: &HeaderMap) -> Result<Self, Absent> {
        let mut values = headers.get_all(header::AUTHORIZATION).iter();
        let (value, another) = (values.next().ok_or(Absent::Missing)?, values.next());
        let value = value.as_bytes();
        let (scheme, token) = value.iter().position(|byte| *byte == b' ').map_or((value, &b""[..]), |at| value.split_at(at));
        let token = std::str::from_utf8(token.trim_ascii()).map_err(|_| Absent::Malformed)?;
        if another.is_some() || !scheme.eq_ignore_ascii_case(b"bearer") || !is_token(token) {
            return Err(Absent::Malformed);
        }
        Ok(Self { secret: Secret::new(token.to_owned()), digest: digest(token.as_bytes()) })
    }

    /// The token itself.
    pub(super) fn reveal(&self) -> &str {
        self.secret.reveal()
    }

    /// What stands for it.
    pub(super) const fn digest(&self) -> &Digest {
        &self.digest
    }

    /// How long from `now` on it says itself to be good, if it says so. Of use only once somebody else has proven it.
    pub(super) fn good_for(&self, now: SystemTime) -> Option<Duration> {
        let claims = self.reveal().split('.').nth(1)?;
        let claims: Claims = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).ok()?).ok()?;
        let end = SystemTime::UNIX_EPOCH.checked_add(Duration::try_from_secs_f64(claims.exp?).ok()?)?;
        Some(end.duration_since(now).unwrap_or(Duration::ZERO))
    }
}

/// Whether a text can be a token: visible ASCII without blanks.
pub(super) fn is_token(text: &str) -> bool {
    !text.is_empty() && text.len() <= LONGEST && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// SHA-256.
pub(super) fn digest(bytes: &[u8]) -> Digest {
    let mut digest = Digest::default();
    digest.copy_from_slice(ring::digest::digest(&ring::digest::SHA256, bytes).as_ref());
    digest
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;
    use proptest::prelude::*;

    fn of(values: &[&str]) -> Result<String, Absent> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(header::AUTHORIZATION, HeaderValue::from_str(value).expect("a header"));
        }
        Bearer::of(&headers).map(|bearer| bearer.reveal().to_owned())
    }

    #[test]
    fn the_token_is_what_follows_the_scheme() {
        assert_eq!(of(&["Bearer abc.def-_~+/="]), Ok("abc.def-_~+/=".to_owned()));
        assert_eq!(of(&["bEARER   abc "]), Ok("abc".to_owned()), "the scheme's case does not matter (RFC 9110, section 11.1)");
        assert_eq!(of(&[]), Err(Absent::Missing));
        let long = format!("Bearer {}", "a".repeat(LONGEST + 1));
        for bad in ["", "Bearer", "Bearer ", "Bearer a b", "Bearerabc", "Basic YTpi", "abc", long.as_str()] {
            assert_eq!(of(&[bad]), Err(Absent::Malformed), "{bad:?}");
        }
        assert_eq!(of(&["Bearer a", "Bearer b"]), Err(Absent::Malformed), "which of them counts would be a guess");
    }

    #[test]
    fn a_web_token_says_how_long_it_is_good() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(100);
        let good_for = |claims: &str| {
            let token = format!("Bearer e30.{}.c2ln", URL_SAFE_NO_PAD.encode(claims));
            let headers = HeaderMap::from_iter([(header::AUTHORIZATION, HeaderValue::from_str(&token).expect("a header"))]);
            Bearer::of(&headers).expect("a token").good_for(now)
        };
        assert_eq!(good_for(r#"{"exp":130,"sub":"x"}"#), Some(Duration::from_secs(30)));
        assert_eq!(good_for(r#"{"exp":99}"#), Some(Duration::ZERO));
        for silent in ["{}", "[]", "", r#"{"exp":-1}"#, r#"{"exp":"soon"}"#, r#"{"exp":1e300}"#] {
            assert_eq!(good_for(silent), None, "{silent}");
        }
    }

    proptest! {
        #[test]
        fn any_header_is_a_token_or_none(value in prop::collection::vec(any::<u8>(), 0..64)) {
            if let Ok(value) = HeaderValue::from_bytes(&[b"Bearer ", &value[..]].concat()) {
                let headers = HeaderMap::from_iter([(header::AUTHORIZATION, value)]);
                let _ = Bearer::of(&headers).map(|bearer| bearer.good_for(SystemTime::now()));
            }
        }
    }
}
