//! `tls_server_config` on the wire: versions, ciphers, curves, ALPN, client certificates and their names.

use rcgen::SanType;
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, NamedGroup, ProtocolVersion};

use crate::support::{Authority, Folder, Pair, Server, browser, connect, dns, get_over, plain_browser, status, tls_client, trusting};

const FILES: &str = "tls_server_config:\n  cert_file: server.crt\n  key_file: server.key\n";

/// A folder with a server certificate, its `web.yml`, and the server.
fn server(authority: &Authority, more: &str) -> (Folder, Server) {
    let folder = Folder::with(&format!("{FILES}{more}"));
    folder.put(&authority.server());
    folder.write("clients.pem", &authority.pem());
    let server = Server::of(&folder);
    (folder, server)
}

#[tokio::test]
async fn tls_1_2_and_1_3_are_spoken_and_http_2_by_default() {
    let authority = Authority::new();
    let (_folder, server) = server(&authority, "");
    for (version, expected) in [(&TLS12, ProtocolVersion::TLSv1_2), (&TLS13, ProtocolVersion::TLSv1_3)] {
        let stream = connect(server.address, tls_client(&authority, &[version], None)).await.expect("a handshake");
        assert_eq!(stream.get_ref().1.protocol_version(), Some(expected));
        assert!(get_over(stream, "/").await.expect("answered").ends_with("hello"));
    }
    let answer = browser(&authority).build().expect("a client").get(server.https("/")).send().await.expect("answered");
    assert_eq!(answer.version(), reqwest::Version::HTTP_2);
    assert_eq!(answer.text().await.expect("text"), "hello");
    let http1 = browser(&authority).http1_only().build().expect("a client");
    let answer = http1.get(server.https("/")).send().await.expect("answered");
    assert_eq!(answer.version(), reqwest::Version::HTTP_11);
}

#[tokio::test]
async fn http_2_can_be_switched_off() {
    let authority = Authority::new();
    let (_folder, server) = server(&authority, "http_server_config:\n  http2: false\n");
    let answer = browser(&authority).build().expect("a client").get(server.https("/")).send().await.expect("answered");
    assert_eq!(answer.version(), reqwest::Version::HTTP_11);
}

#[tokio::test]
async fn versions_outside_the_range_are_refused() {
    let authority = Authority::new();
    for (range, refused, spoken) in [("min_version: TLS13", &TLS12, &TLS13), ("max_version: TLS12", &TLS13, &TLS12)] {
        let (_folder, server) = server(&authority, &format!("  {range}\n"));
        assert!(connect(server.address, tls_client(&authority, &[refused], None)).await.is_err(), "{range}");
        assert!(connect(server.address, tls_client(&authority, &[spoken], None)).await.is_ok(), "{range}");
    }
}

#[tokio::test]
async fn ciphers_and_curves_are_those_listed_in_the_servers_order() {
    const SUITES: &str = "  cipher_suites: [TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, \
        TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256]\n  curve_preferences: [CurveP384]\n";
    let authority = Authority::new();
    for (prefer_servers, expected) in [("true", "CHACHA20"), ("false", "AES_128")] {
        let more = format!("{SUITES}  prefer_server_cipher_suites: {prefer_servers}\n");
        let (_folder, server) = server(&authority, &more);
        let stream = connect(server.address, preferring_aes_128(&authority)).await.expect("a handshake");
        let connection = stream.get_ref().1;
        let suite = connection.negotiated_cipher_suite().expect("a suite").suite();
        assert!(format!("{suite:?}").contains(expected), "{suite:?} with {prefer_servers}");
        assert_eq!(connection.negotiated_key_exchange_group().map(rustls::crypto::SupportedKxGroup::name), Some(NamedGroup::secp384r1));
    }
}

/// A TLS 1.2 client whose first wish is AES 128.
fn preferring_aes_128(authority: &Authority) -> ClientConfig {
    let mut provider = rustls::crypto::ring::default_provider();
    provider.cipher_suites.sort_by_key(|suite| !format!("{:?}", suite.suite()).contains("AES_128"));
    ClientConfig::builder_with_provider(provider.into())
        .with_protocol_versions(&[&TLS12])
        .expect("versions")
        .with_root_certificates(trusting(authority))
        .with_no_client_auth()
}

#[tokio::test]
async fn pem_texts_may_stand_in_the_file() {
    let authority = Authority::new();
    let pair = authority.server();
    let indented = |pem: &str| format!("    {}\n", pem.trim_end().replace('\n', "\n    "));
    let folder = Folder::with(&format!(
        "tls_server_config:\n  cert: |\n{}  key: |\n{}  client_ca: |\n{}  client_auth_type: RequireAndVerifyClientCert\n",
        indented(&pair.certificate),
        indented(&pair.key),
        indented(&authority.pem())
    ));
    let server = Server::of(&folder);
    assert!(asks(&server, &authority, None).await.is_err());
    assert_eq!(asks(&server, &authority, Some(&authority.sign(vec![dns("anybody")]))).await.expect("answered"), 200);
}

#[tokio::test]
async fn client_certificates_are_verified_where_required() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let more = "  client_ca_file: clients.pem\n  client_auth_type: RequireAndVerifyClientCert\n";
    let (_folder, server) = server(&authority, more);
    assert!(asks(&server, &authority, None).await.is_err(), "none");
    assert!(asks(&server, &authority, Some(&stranger.sign(vec![dns("prometheus")]))).await.is_err(), "a stranger's");
    assert_eq!(asks(&server, &authority, Some(&authority.sign(vec![dns("prometheus")]))).await.expect("answered"), 200);
    for version in [&TLS12, &TLS13] {
        let known = authority.sign(vec![dns("prometheus")]);
        let stream = connect(server.address, tls_client(&authority, &[version], Some(&known))).await.expect("a handshake");
        assert!(get_over(stream, "/").await.expect("answered").ends_with("hello"));
    }
}

#[tokio::test]
async fn client_certificates_are_verified_if_given() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let more = "  client_ca_file: clients.pem\n  client_auth_type: VerifyClientCertIfGiven\n";
    let (_folder, server) = server(&authority, more);
    assert_eq!(asks(&server, &authority, None).await.expect("answered"), 200);
    assert_eq!(asks(&server, &authority, Some(&authority.sign(vec![dns("prometheus")]))).await.expect("answered"), 200);
    // Told whom the server trusts, a polite client keeps a stranger's certificate to itself; this one insists.
    let insisting = tls_client(&authority, &[&TLS13], Some(&stranger.sign(vec![dns("prometheus")])));
    let refused = match connect(server.address, insisting).await {
        Ok(stream) => get_over(stream, "/").await,
        Err(error) => Err(error),
    };
    assert!(refused.is_err(), "{refused:?}");
}

#[tokio::test]
async fn a_listed_name_is_needed_of_whatever_kind() {
    let authority = Authority::new();
    let more = "  client_ca_file: clients.pem\n  client_auth_type: RequireAndVerifyClientCert\n  \
        client_allowed_sans: [prometheus.example, sre@example.org, 'spiffe://cluster/prometheus', 192.0.2.7]\n";
    let (_folder, server) = server(&authority, more);
    let allowed = [
        dns("prometheus.example"),
        SanType::Rfc822Name("sre@example.org".try_into().expect("a name")),
        SanType::URI("spiffe://cluster/prometheus".try_into().expect("a name")),
        SanType::IpAddress("192.0.2.7".parse().expect("an address")),
    ];
    for name in allowed {
        let what = format!("{name:?}");
        let pair = authority.sign(vec![dns("something.else"), name]);
        let status = asks(&server, &authority, Some(&pair)).await;
        assert_eq!(status.expect(&what), 200, "{what}");
    }
    for names in [vec![], vec![dns("grafana.example")], vec![dns("*.example")]] {
        let what = format!("{names:?}");
        assert!(asks(&server, &authority, Some(&authority.sign(names))).await.is_err(), "{what}");
    }
}

#[tokio::test]
async fn plain_http_on_an_https_port_is_told_so() {
    let authority = Authority::new();
    let (_folder, server) = server(&authority, "");
    let answer = plain_browser().get(server.http("/")).send().await.expect("answered");
    assert_eq!(answer.status(), 400);
    assert!(answer.text().await.expect("text").contains("https://"));
}

/// The status of `/`, or why there is none.
async fn asks(server: &Server, authority: &Authority, identity: Option<&Pair>) -> reqwest::Result<u16> {
    let mut client = browser(authority);
    if let Some(pair) = identity {
        let pem = format!("{}{}", pair.key, pair.certificate);
        client = client.identity(reqwest::Identity::from_pem(pem.as_bytes()).expect("an identity"));
    }
    status(client.build().expect("a client").get(server.https("/"))).await
}
