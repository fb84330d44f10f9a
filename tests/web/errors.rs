//! Every way a web configuration can be wrong: one line that names the file, the key and the remedy, and no secret.

use proptest::prelude::*;

use crate::basic_auth::hash;
use crate::support::{Authority, Folder};

/// What `web.yml` holds, the key the message names, and a part of what it says to do.
const WRONG: &[(&str, &str, &str)] = &[
    // Form.
    ("nonsense: 1", "nonsense", "allowed here: tls_server_config, http_server_config, rate_limit, basic_auth_users"),
    ("tls_server_config:\n  cert_fil: x", "line 2: cert_fil: unknown key", "cert_file, key_file, client_ca_file"),
    ("http_server_config:\n  http3: true", "http3", "allowed here: http2, headers"),
    ("http_server_config:\n  headers:\n    Server: x", "line 3: Server", "Content-Security-Policy, X-Frame-Options"),
    ("http_server_config:\n  headers:\n    x-frame-options: deny", "x-frame-options", "X-Frame-Options"),
    ("rate_limit: {interval: 1s, burst: 1, every: 1s}", "every", "interval, burst"),
    ("http_server_config:\n  http2: perhaps", "line 2: http2", "true or false is needed here"),
    ("rate_limit:\n  interval: 1s\n  burst: many", "line 3: burst", "a whole number is needed here"),
    ("rate_limit:\n  interval: [1s]\n  burst: 1", "line 2: interval", "a text is needed here"),
    ("tls_server_config: everything", "line 1: tls_server_config", "a mapping (key: value) is needed here"),
    ("tls_server_config:\n  cipher_suites: TLS_AES_128_GCM_SHA256", "line 2: cipher_suites", "a list ([a, b]) is needed here"),
    ("- a\n- b", "line 1", "a mapping (key: value) is needed here"),
    ("basic_auth_users: hunter2", "line 1: basic_auth_users", "a mapping (key: value) is needed here"),
    ("basic_auth_users:\n  alice:\n", "line 2: alice", "a value is missing here"),
    ("basic_auth_users:\n  alice: [hunter2]\n", "line 2: alice", "a text is needed here"),
    ("basic_auth_users: {a: b, a: c}", "key \"a\"", "given twice"),
    ("rate_limit:\n  burst: 1\n  burst: 2", "key \"burst\"", "given twice"),
    ("basic_auth_users: [", "line 1: basic_auth_users", "is needed here"),
    ("http_server_config: {http2: \"", "line 1", "not valid YAML"),
    ("{}\n---\n{}", "line", "keep only one"),
    // TLS files and texts.
    ("tls_server_config: {key_file: server.key}", "tls_server_config.cert_file: missing", "needs its certificate"),
    ("tls_server_config: {cert_file: server.crt}", "tls_server_config.key_file: missing", "private key"),
    ("tls_server_config: {min_version: TLS12}", "cert_file: missing", "needs its certificate"),
    ("tls_server_config: {cert_file: '', key_file: ''}", "cert_file: missing", "needs its certificate"),
    ("tls_server_config: {cert_file: no.crt, key_file: server.key}", "no.crt\" cannot be read", "No such file"),
    ("tls_server_config: {cert_file: server.crt, key_file: no.key}", "no.key\" cannot be read", "check that the file exists"),
    ("tls_server_config: {cert_file: ., key_file: server.key}", "tls_server_config.cert_file", "not a regular file"),
    ("tls_server_config: {cert_file: server.crt, cert: x, key_file: server.key}", "cert is given too", "keep one"),
    ("tls_server_config: {cert_file: server.crt, key: x, key_file: server.key}", "key is given too", "keep one"),
    ("tls_server_config: {cert_file: server.key, key_file: server.key}", "cert_file: no certificate", "BEGIN CERTIFICATE"),
    ("tls_server_config: {cert_file: broken.pem, key_file: server.key}", "cert_file: not a PEM certificate", "PEM form"),
    ("tls_server_config: {cert_file: server.crt, key_file: server.crt}", "key_file: no private key", "unencrypted"),
    ("tls_server_config: {cert_file: server.crt, key_file: other.key}", "key_file: not the key of", "made together"),
    ("tls_server_config: {cert_file: big, key_file: server.key}", "cert_file", "larger than 1 MiB"),
    // TLS client certificates. F stands for the two files.
    ("tls_server_config: {F, client_auth_type: Sometimes}", "client_auth_type: \"Sometimes\"", "RequireAndVerifyClientCert"),
    ("tls_server_config: {F, client_auth_type: RequestClientCert}", "client_auth_type", "protects nothing"),
    ("tls_server_config: {F, client_auth_type: RequireAnyClientCert}", "client_auth_type", "protects nothing"),
    ("tls_server_config: {F, client_auth_type: RequireClientCert}", "client_auth_type", "VerifyClientCertIfGiven"),
    ("tls_server_config: {F, client_auth_type: RequireAndVerifyClientCert}", "client_auth_type: nobody", "client_ca_file"),
    ("tls_server_config: {F, client_ca_file: ca.pem}", "client_ca_file: no client is asked", "set client_auth_type"),
    ("tls_server_config: {F, client_allowed_sans: [a]}", "client_allowed_sans: no client", "set client_auth_type"),
    (
        "tls_server_config: {F, client_ca_file: ca.pem, client_auth_type: VerifyClientCertIfGiven, client_allowed_sans: []}",
        "client_allowed_sans: an empty list",
        "list names or remove",
    ),
    (
        "tls_server_config: {F, client_ca_file: server.key, client_auth_type: VerifyClientCertIfGiven}",
        "client_ca_file: no certificate",
        "PEM form",
    ),
    (
        "tls_server_config: {F, client_ca_file: nonsense.pem, client_auth_type: VerifyClientCertIfGiven}",
        "client_ca_file: not a certificate authority",
        "PEM form",
    ),
    // TLS parameters.
    ("tls_server_config: {F, min_version: TLS10}", "min_version: TLS10 is broken", "write TLS12 or TLS13"),
    ("tls_server_config: {F, min_version: TLS11}", "min_version: TLS11 is broken", "write TLS12 or TLS13"),
    ("tls_server_config: {F, max_version: TLS11}", "max_version: TLS11 is broken", "write TLS12 or TLS13"),
    ("tls_server_config: {F, min_version: '1.2'}", "min_version: \"1.2\" is unknown", "write TLS12 or TLS13"),
    ("tls_server_config: {F, min_version: TLS13, max_version: TLS12}", "max_version: lower", "the same or a higher"),
    (
        "tls_server_config: {F, cipher_suites: [TLS_RSA_WITH_AES_128_CBC_SHA]}",
        "cipher_suites: \"TLS_RSA_WITH_AES_128_CBC_SHA\"",
        "choose from TLS_AES_256_GCM_SHA384",
    ),
    (
        "tls_server_config: {F, max_version: TLS12, cipher_suites: [TLS_AES_128_GCM_SHA256]}",
        "cipher_suites: none of them works",
        "add some",
    ),
    ("tls_server_config: {F, curve_preferences: [CurveP521]}", "curve_preferences: \"CurveP521\"", "choose from X25519"),
    // Headers, users, rate.
    ("http_server_config: {headers: {X-Frame-Options: maybe}}", "headers.X-Frame-Options", "write deny or sameorigin"),
    ("http_server_config: {headers: {X-Content-Type-Options: x}}", "X-Content-Type-Options", "write nosniff"),
    ("http_server_config: {headers: {X-XSS-Protection: \"a\\nb\"}}", "X-XSS-Protection", "one line of printable ASCII"),
    ("basic_auth_users: {alice: hunter2}", "basic_auth_users.alice: not a bcrypt hash", "htpasswd"),
    ("basic_auth_users: {alice: ''}", "basic_auth_users.alice: not a bcrypt hash", "htpasswd"),
    ("basic_auth_users: {'a:b': HASH}", "basic_auth_users.a:b", "choose another name"),
    ("basic_auth_users: {alice: COST19}", "bcrypt cost 19 is not between 4 and 18", "htpasswd"),
    ("basic_auth_users: {alice: COST03}", "bcrypt cost 3 is not between 4 and 18", "htpasswd"),
    ("rate_limit: {interval: 1, burst: 1}", "rate_limit.interval: \"1\"", "a number with a unit"),
    ("rate_limit: {interval: -1s, burst: 1}", "rate_limit.interval", "a number with a unit"),
    ("rate_limit: {interval: 1s}", "rate_limit.burst", "at least 1"),
    ("rate_limit: {interval: 1s, burst: 0}", "rate_limit.burst", "at least 1"),
    ("rate_limit: {interval: 1s, burst: -1}", "rate_limit.burst", "at least 1"),
    ("rate_limit: {interval: 1s, burst: 5000000000}", "rate_limit.burst", "at least 1"),
];

/// A folder with everything the table speaks of.
fn folder() -> Folder {
    let authority = Authority::new();
    let folder = Folder::new();
    folder.put(&authority.server());
    folder.write("other.key", &authority.server().key);
    folder.write("ca.pem", &authority.pem());
    folder.write("broken.pem", "-----BEGIN CERTIFICATE-----\n%%%\n-----END CERTIFICATE-----\n");
    folder.write("nonsense.pem", "-----BEGIN CERTIFICATE-----\nbm9uc2Vuc2U=\n-----END CERTIFICATE-----\n");
    folder.write("big", &"x".repeat((1 << 20) + 1));
    folder
}

#[test]
fn every_error_names_file_key_and_remedy_in_one_line() {
    let folder = folder();
    let good = hash("secret");
    for (yaml, key, remedy) in WRONG {
        let yaml = yaml
            .replace("{F,", "{cert_file: server.crt, key_file: server.key,")
            .replace("HASH", &good)
            .replace("COST", "$2b$")
            .replace("$2b$19", &good.replace("$04$", "$19$"))
            .replace("$2b$03", &good.replace("$04$", "$03$"));
        folder.write("web.yml", &yaml);
        let line = folder.error();
        let file = folder.path("web.yml").display().to_string();
        assert!(line.contains(&file), "the file\n  {yaml}\n  {line}");
        assert!(line.contains(key), "the key {key:?}\n  {yaml}\n  {line}");
        assert!(line.contains(remedy), "the remedy {remedy:?}\n  {yaml}\n  {line}");
        assert!(!line.contains('\n') && !line.contains(&good[7..]) && !line.contains("hunter2"), "{line}");
    }
}

#[test]
fn a_file_that_cannot_be_read_is_named() {
    let folder = folder();
    assert!(folder.error_of_missing().contains("No such file"));
    std::fs::create_dir(folder.path("web.yml")).expect("made");
    assert!(folder.error().contains("not a regular file"));
    std::fs::remove_dir(folder.path("web.yml")).expect("removed");
    std::fs::copy(folder.path("big"), folder.path("web.yml")).expect("copied");
    assert!(folder.error().contains("larger than 1 MiB"));
    std::fs::write(folder.path("web.yml"), b"# a\n\xff").expect("written");
    assert!(folder.error().contains("line 2: not UTF-8 text"));
}

#[test]
fn a_pipe_does_not_hold_the_start_up() {
    let folder = folder();
    let pipe = folder.path("web.yml");
    rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, rustix::fs::Mode::RUSR, 0).expect("a pipe");
    assert!(folder.error().contains("not a regular file"));
}

#[test]
fn what_the_format_allows_is_accepted() {
    let folder = folder();
    let hash = hash("secret");
    for yaml in [
        "",
        "# only a comment\n",
        "---\n",
        "tls_server_config:\nhttp_server_config:\nrate_limit:\nbasic_auth_users:\n",
        "tls_server_config: {}",
        "http_server_config: {http2: false, headers: {}}",
        "rate_limit: {interval: 0s}",
        "rate_limit: {interval: 1m30s, burst: 20}",
        "basic_auth_users: {}",
        "tls_server_config: {cert_file: server.crt, key_file: server.key, client_auth_type: NoClientCert, client_ca_file: ''}",
        "tls_server_config: {cert_file: server.crt, key_file: server.key, min_version: TLS13, max_version: TLS13, \
            cipher_suites: [TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256], prefer_server_cipher_suites: false}",
        &format!("basic_auth_users: {{alice: {hash}, 1234: {}, '': {hash}}}", hash.replace("$2b$", "$2y$")),
    ] {
        folder.write("web.yml", yaml);
        assert!(folder.load().is_ok(), "{yaml}: {}", folder.error());
    }
}

#[test]
fn the_example_of_the_documentation_is_accepted() {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/web-config.md");
    let page = std::fs::read_to_string(page).expect("the page");
    let example = page.split("```yaml\n").nth(1).and_then(|rest| rest.split("```").next()).expect("an example");
    let folder = folder();
    folder.write("clients.pem", &Authority::new().pem());
    folder.write("web.yml", example);
    assert!(folder.load().is_ok_and(|config| config.is_tls()), "{}", folder.error());
}

/// The toolkit's own checker takes what we take, but for the key it is too old for.
#[test]
#[ignore = "needs promtool: run by make test"]
#[allow(clippy::disallowed_methods, reason = "a test compares with the original")]
fn prometheus_own_checker_agrees() {
    let folder = folder();
    folder.write(
        "web.yml",
        &format!(
            "tls_server_config: {{cert_file: server.crt, key_file: server.key, client_ca_file: ca.pem, \
         client_auth_type: RequireAndVerifyClientCert, min_version: TLS12, max_version: TLS13, \
         cipher_suites: [TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256], curve_preferences: [X25519, CurveP256]}}\n\
         http_server_config: {{http2: true, headers: {{X-Frame-Options: deny, Strict-Transport-Security: max-age=1}}}}\n\
         basic_auth_users: {{alice: {}}}\n",
            hash("secret")
        ),
    );
    assert!(folder.load().is_ok(), "{}", folder.error());
    let checked = std::process::Command::new("promtool").args(["check", "web-config"]).arg(folder.path("web.yml")).output();
    let checked = checked.expect("promtool");
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
}

/// A secret in a file that is wrong in some way, anywhere.
const PLANTED: &str = "tls_server_config:\n  cert_file: server.crt\n  key: |\n    hunter2hunter2\n\
    basic_auth_users:\n  alice: hunter2\n  bob: 'hunter2'\nrate_limit: {interval: 1s, burst: 2}\n";

proptest! {
    #[test]
    fn any_bytes_are_a_configuration_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let folder = Folder::new();
        std::fs::write(folder.path("web.yml"), bytes).expect("written");
        let _ = folder.load();
    }

    #[test]
    fn any_yaml_like_text_is_a_configuration_or_an_error(
        words in prop::collection::vec(
            prop::sample::select(vec![
                "tls_server_config", "cert", "key", "basic_auth_users", "rate_limit", "interval", "burst", ":", ": ", "\n",
                "\n  ", "- ", "{", "}", "[", "]", "&a ", "*a ", "<<", "|\n", ">\n", "'", "\"", "#", "!!binary ", "? ", "---", "0", "~",
            ]),
            0..40,
        )
    ) {
        let folder = Folder::with(&words.concat());
        let _ = folder.load();
    }

    /// Cut, doubled or overwritten at any place, the message never repeats a secret.
    #[test]
    fn no_error_repeats_a_secret(
        at in any::<prop::sample::Index>(),
        put in prop::sample::select(vec!["", ":", " ", "\n", "\n\n", "[", "{", "'", "\"", "- ", "*", "&", "!", "|", "\t", "%"]),
        skip in 0_usize..12,
    ) {
        let at = at.index(PLANTED.len());
        let rest = PLANTED.get(at + skip..).unwrap_or_default();
        let folder = Folder::with(&format!("{}{put}{rest}", &PLANTED[..at]));
        if let Err(error) = folder.load() {
            prop_assert!(!error.line().contains("hunter2"), "{}", error.line());
        }
    }
}
