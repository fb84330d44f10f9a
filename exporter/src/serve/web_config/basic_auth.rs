//! `basic_auth_users`: who may ask, by a user name and a bcrypt hash (RFC 7617).
//!
//! Apart because it is the only place that sees a password. What it takes care of: bcrypt runs off the async threads and
//! once at a time; a password once proven is recognised by a keyed hash, so that a scrape costs microseconds; an unknown
//! user costs as much bcrypt as the dearest known one, so that time tells nobody which names exist.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::str::FromStr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::http::HeaderValue;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::hmac;
use tokio::sync::Semaphore;

use super::error::{Section, WebError, shown};
use super::secret::Secret;

/// The dearest bcrypt cost accepted: about half a minute a try on the machines of 2026. Go's bcrypt allows 31 (days).
const MAX_COST: u32 = 18;
/// The cheapest cost bcrypt knows.
const MIN_COST: u32 = 4;

/// The known users and what was proven about them since the file was last read.
pub(super) struct Users {
    hashes: BTreeMap<String, Secret>,
    /// The dearest of the hashes: what a try with an unknown name is compared with, in vain.
    decoy: Option<Secret>,
    /// Per user, the keyed hash of the password that bcrypt accepted last. Never more entries than users.
    proven: Mutex<HashMap<String, hmac::Tag>>,
    /// Made anew at each reading and known to nobody: without it a stored tag says nothing about the password.
    key: hmac::Key,
    /// Bcrypt is meant to be slow; one at a time keeps a guesser from taking all processors.
    turn: Arc<Semaphore>,
}

/// What a request claims.
struct Claim {
    user: String,
    password: Vec<u8>,
}

impl Users {
    /// The users of the file, every hash checked for its form.
    pub(super) fn new(hashes: BTreeMap<String, Secret>, file: &Path) -> Result<Self, WebError> {
        let at = Section { file, name: "basic_auth_users" };
        let mut dearest: Option<(u32, &Secret)> = None;
        for (user, hash) in &hashes {
            let cost = checked_cost(user, hash, at)?;
            if dearest.is_none_or(|(most, _)| cost > most) {
                dearest = Some((cost, hash));
            }
        }
        let decoy = dearest.map(|(_, hash)| hash.clone());
        let key = hmac::Key::generate(hmac::HMAC_SHA256, &ring::rand::SystemRandom::new())
            .map_err(|_| at.wrong("", "the kernel gave no random bytes", "try again"))?;
        Ok(Self { hashes, decoy, proven: Mutex::default(), key, turn: Arc::new(Semaphore::new(1)) })
    }

    /// Whether nobody is asked for a password.
    pub(super) fn is_empty(&self) -> bool {
        self.hashes.is_empty()
    }

    /// Whether the value of the `Authorization` header proves one of the users.
    pub(super) async fn admit(&self, authorization: Option<&HeaderValue>) -> bool {
        match authorization.and_then(|value| claim(value.as_bytes())) {
            Some(claim) => self.remembers(&claim) || self.proves(claim).await,
            None => false,
        }
    }

    /// Whether bcrypt has already accepted this very claim.
    fn remembers(&self, claim: &Claim) -> bool {
        let proven = self.proven();
        proven.get(&claim.user).is_some_and(|tag| hmac::verify(&self.key, &claim.password, tag.as_ref()).is_ok())
    }

    /// Asks bcrypt, and remembers a yes.
    async fn proves(&self, claim: Claim) -> bool {
        let Ok(turn) = Arc::clone(&self.turn).acquire_owned().await else {
            return false;
        };
        if self.remembers(&claim) {
            return true; // another request with the same claim was before us
        }
        let known = self.hashes.get(&claim.user);
        let Some(hash) = known.or(self.decoy.as_ref()).cloned() else {
            return false;
        };
        let Claim { user, password } = claim;
        let tag = hmac::sign(&self.key, &password);
        let tried = tokio::task::spawn_blocking(move || {
            let _turn = turn; // given back when bcrypt is done, even if the request has gone meanwhile
            bcrypt::verify(&password, hash.reveal()).unwrap_or(false)
        });
        let right = tried.await.unwrap_or(false) && known.is_some();
        if right {
            self.proven().insert(user, tag);
        }
        right
    }

    fn proven(&self) -> MutexGuard<'_, HashMap<String, hmac::Tag>> {
        self.proven.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The cost of a hash whose form and cost are acceptable.
fn checked_cost(user: &str, hash: &Secret, at: Section<'_>) -> Result<u32, WebError> {
    const REMEDY: &str = "make a hash with `htpasswd -nBC 10 USER`";
    let name = shown(user);
    let name = name.trim_matches('"');
    if user.contains(':') {
        let problem = "a user name cannot hold a colon (RFC 7617)";
        return Err(at.wrong(name, problem, "choose another name"));
    }
    let parts =
        bcrypt::HashParts::from_str(hash.reveal()).map_err(|error| at.failed(name, "not a bcrypt hash", REMEDY, Some(error.into())))?;
    let cost = parts.get_cost();
    if !(MIN_COST..=MAX_COST).contains(&cost) {
        let problem = format!("bcrypt cost {cost} is not between {MIN_COST} and {MAX_COST}");
        return Err(at.wrong(name, problem, REMEDY));
    }
    Ok(cost)
}

/// `Basic <base64 of user:password>` → the claim. The scheme's case does not matter (RFC 9110, section 11.1).
fn claim(value: &[u8]) -> Option<Claim> {
    let (scheme, encoded) = value.split_at_checked(6)?;
    if !scheme.eq_ignore_ascii_case(b"basic ") {
        return None;
    }
    let decoded = STANDARD.decode(encoded.trim_ascii()).ok()?;
    let colon = decoded.iter().position(|byte| *byte == b':')?;
    let (user, password) = decoded.split_at(colon);
    Some(Claim { user: std::str::from_utf8(user).ok()?.to_owned(), password: password.get(1..)?.to_vec() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn users(given: &[(&str, &str)]) -> Users {
        let hashes = given
            .iter()
            .map(|(user, password)| ((*user).to_owned(), Secret::new(bcrypt::hash(password, MIN_COST).expect("a hash"))))
            .collect();
        Users::new(hashes, Path::new("web.yml")).unwrap_or_else(|error| panic!("{}", error.line()))
    }

    fn basic(user: &str, password: &str) -> HeaderValue {
        let encoded = STANDARD.encode(format!("{user}:{password}"));
        HeaderValue::from_str(&format!("Basic {encoded}")).expect("a header")
    }

    #[tokio::test]
    async fn the_right_password_and_only_that() {
        let users = users(&[("alice", "wonder:land"), ("bob", "")]);
        for _ in 0..2 {
            assert!(users.admit(Some(&basic("alice", "wonder:land"))).await, "asked, then remembered");
        }
        assert!(users.admit(Some(&basic("bob", ""))).await);
        assert!(!users.admit(Some(&basic("alice", "wonderland"))).await);
        assert!(!users.admit(Some(&basic("bob", "wonder:land"))).await);
        assert!(!users.admit(Some(&basic("carol", "wonder:land"))).await, "the decoy's own password opens nothing");
        assert!(!users.admit(Some(&basic("carol", ""))).await);
        assert!(!users.admit(None).await);
    }

    #[tokio::test]
    async fn only_proven_passwords_are_remembered_and_not_in_the_clear() {
        let users = users(&[("alice", "wonderland")]);
        users.admit(Some(&basic("alice", "wrong"))).await;
        users.admit(Some(&basic("mallory", "wonderland"))).await;
        assert!(users.proven().is_empty());
        users.admit(Some(&basic("alice", "wonderland"))).await;
        let proven = users.proven();
        assert_eq!(proven.keys().collect::<Vec<_>>(), ["alice"]);
        assert!(!proven.values().any(|tag| tag.as_ref().windows(10).any(|part| part == b"wonderland")));
    }

    #[tokio::test]
    async fn without_users_no_claim_is_proven() {
        assert!(!users(&[]).admit(Some(&basic("alice", "wonderland"))).await);
    }

    #[test]
    fn the_decoy_is_as_dear_as_the_dearest_hash() {
        let hash = |cost| Secret::new(bcrypt::hash("x", cost).expect("a hash"));
        let hashes = BTreeMap::from([("a".to_owned(), hash(4)), ("b".to_owned(), hash(6)), ("c".to_owned(), hash(5))]);
        let users = Users::new(hashes, Path::new("web.yml")).unwrap_or_else(|error| panic!("{}", error.line()));
        assert!(users.decoy.expect("a decoy").reveal().contains("$06$"));
    }

    #[test]
    fn claims() {
        assert!(claim(b"bAsIc  YTpi ").is_some_and(|claim| claim.user == "a" && claim.password == b"b"));
        for bad in ["", "Basic", "Basic ", "Bearer YTpi", "Basic YQ==", "Basic %%%", "Basic /zpi"] {
            assert!(claim(bad.as_bytes()).is_none(), "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn any_header_is_a_claim_or_none(value in prop::collection::vec(any::<u8>(), 0..64), real in any::<bool>()) {
            let value = if real { [b"Basic ".to_vec(), STANDARD.encode(&value).into_bytes()].concat() } else { value };
            let _ = claim(&value);
        }
    }
}
