//! Certificates, users and headers changed under a running server; broken changes; changes that would open it.

use rustls::version::{TLS12, TLS13};

use crate::basic_auth::hash;
use crate::support::{self, Authority, Folder, Server, browser, catch_log, connect, dns, get_over, logged, plain_browser, tls_client};

const TLS: &str = "tls_server_config:\n  cert_file: server.crt\n  key_file: server.key\n";

/// The certificate a new connection meets.
async fn presented(server: &Server, authority: &Authority) -> Vec<u8> {
    let stream = connect(server.address, tls_client(authority, &[&TLS13], None)).await.expect("a handshake");
    let certificate = stream.get_ref().1.peer_certificates().expect("a chain")[0].to_vec();
    assert!(get_over(stream, "/").await.expect("answered").ends_with("hello"));
    certificate
}

async fn status(server: &Server, user: &str, password: &str) -> u16 {
    let request = plain_browser().get(server.http("/")).basic_auth(user, Some(password));
    request.send().await.expect("answered").status().as_u16()
}

#[tokio::test]
async fn a_new_certificate_is_shown_from_the_next_connection_on() {
    let authority = Authority::new();
    let folder = Folder::with(TLS);
    folder.put(&authority.server());
    let server = Server::of(&folder);
    let first = presented(&server, &authority).await;
    assert_eq!(presented(&server, &authority).await, first);

    folder.put(&authority.server()); // written in place
    let second = presented(&server, &authority).await;
    assert_ne!(second, first);

    let next = authority.server(); // renamed over, as Kubernetes and careful scripts do
    for (name, text) in [("server.crt", &next.certificate), ("server.key", &next.key)] {
        folder.write("new", text);
        std::fs::rename(folder.path("new"), folder.path(name)).expect("renamed");
    }
    let third = presented(&server, &authority).await;
    assert!(third != second && third != first);
}

#[tokio::test]
async fn a_certificate_behind_a_symbolic_link_is_followed() {
    let authority = Authority::new();
    let folder = Folder::with("tls_server_config:\n  cert_file: data/server.crt\n  key_file: data/server.key\n");
    let mut seen = Vec::new();
    let put = |version: &str| {
        std::fs::create_dir(folder.path(version)).expect("made");
        let pair = authority.server();
        folder.write(&format!("{version}/server.crt"), &pair.certificate);
        folder.write(&format!("{version}/server.key"), &pair.key);
        std::os::unix::fs::symlink(version, folder.path("data.new")).expect("linked");
        std::fs::rename(folder.path("data.new"), folder.path("data")).expect("renamed");
    };
    put("1");
    let server = Server::of(&folder);
    seen.push(presented(&server, &authority).await);
    put("2");
    seen.push(presented(&server, &authority).await);
    assert_ne!(seen[0], seen[1]);
}

#[tokio::test]
async fn users_change_with_the_next_request() {
    let folder = Folder::with(&format!("basic_auth_users: {{alice: {}}}", hash("one")));
    let server = Server::of(&folder);
    assert_eq!(status(&server, "alice", "one").await, 200);

    folder.write("web.yml", &format!("basic_auth_users: {{alice: {}}}", hash("two")));
    assert_eq!(status(&server, "alice", "one").await, 401, "what was proven before counts no more");
    assert_eq!(status(&server, "alice", "two").await, 200);

    folder.write("web.yml", &format!("basic_auth_users: {{bob: {}}}", hash("two")));
    assert_eq!(status(&server, "alice", "two").await, 401);
    assert_eq!(status(&server, "bob", "two").await, 200);
}

#[tokio::test]
async fn a_kept_connection_follows_too() {
    let folder = Folder::with("http_server_config: {headers: {X-Frame-Options: deny}}");
    let server = Server::of(&folder);
    let client = reqwest::Client::builder().tls_certs_only([]).no_proxy().build().expect("a client");
    for text in ["deny", "sameorigin"] {
        folder.write("web.yml", &format!("http_server_config: {{headers: {{X-Frame-Options: {text}}}}}"));
        let answer = client.get(server.http("/")).send().await.expect("answered");
        assert_eq!(answer.headers().get("X-Frame-Options").expect("a header"), text);
    }
}

#[tokio::test]
async fn a_broken_change_keeps_what_was_good_and_is_told_once() {
    catch_log();
    let good = format!("basic_auth_users: {{alice: {}}}", hash("one"));
    let folder = Folder::with(&good);
    let server = Server::of(&folder);
    let place = folder.path("web.yml").display().to_string();
    let told = |what: &str| logged(&[&place, what]).len();

    for broken in ["basic_auth_users: {alice: plain}", "basic_auth_users: [", "no_such_key: 1"] {
        folder.write("web.yml", broken);
        assert_eq!(status(&server, "alice", "one").await, 200, "{broken}");
        assert_eq!(status(&server, "alice", "plain").await, 401, "{broken}");
    }
    std::fs::remove_file(folder.path("web.yml")).expect("removed");
    assert_eq!(status(&server, "alice", "one").await, 200, "without the file");
    assert_eq!((told("not good"), told("good again")), (1, 0));

    folder.write("web.yml", &good.replace("alice", "carol"));
    assert_eq!(status(&server, "carol", "one").await, 200);
    assert_eq!(status(&server, "alice", "one").await, 401);
    assert_eq!((told("not good"), told("good again")), (1, 1));

    folder.write("web.yml", "{");
    assert_eq!(status(&server, "carol", "one").await, 200);
    folder.write("web.yml", &good.replace("alice", "carol"));
    assert_eq!(status(&server, "carol", "one").await, 200);
    assert_eq!((told("not good"), told("good again")), (2, 2), "a second episode");
}

#[tokio::test]
async fn a_certificate_without_its_key_waits_for_it() {
    let authority = Authority::new();
    let folder = Folder::with(TLS);
    folder.put(&authority.server());
    let server = Server::of(&folder);
    let first = presented(&server, &authority).await;
    let next = authority.server();
    folder.write("server.crt", &next.certificate);
    assert_eq!(presented(&server, &authority).await, first, "half rotated");
    folder.write("server.crt", "-----BEGIN CERTIFICATE-----\nnonsense\n-----END CERTIFICATE-----\n");
    assert_eq!(presented(&server, &authority).await, first, "broken");
    folder.put(&next);
    assert_ne!(presented(&server, &authority).await, first);
}

#[tokio::test]
async fn a_new_authority_ends_the_trust_in_the_old_one() {
    let (authority, old, new) = (Authority::new(), Authority::new(), Authority::new());
    let folder = Folder::with(&format!("{TLS}  client_ca_file: clients.pem\n  client_auth_type: RequireAndVerifyClientCert\n"));
    folder.put(&authority.server());
    folder.write("clients.pem", &old.pem());
    let server = Server::of(&folder);
    // One client keeps its TLS sessions: a resumed one must not bring the old trust back.
    for version in [&TLS12, &TLS13] {
        folder.write("clients.pem", &old.pem());
        let client = tls_client(&authority, &[version], Some(&old.sign(vec![dns("prometheus")])));
        let ask = || async {
            let stream = connect(server.address, client.clone()).await?;
            get_over(stream, "/").await
        };
        for _ in 0..2 {
            assert!(ask().await.expect("answered").ends_with("hello"));
        }
        folder.write("clients.pem", &new.pem());
        assert!(ask().await.is_err(), "{version:?}");
    }
}

#[tokio::test]
async fn no_change_takes_protection_away() {
    catch_log();
    let authority = Authority::new();
    let users = format!("basic_auth_users: {{alice: {}}}\n", hash("one"));
    let clients = "  client_ca_file: clients.pem\n  client_auth_type: RequireAndVerifyClientCert\n";
    let names = "  client_allowed_sans: [prometheus]\n";
    let folder = Folder::with(&format!("{TLS}{clients}{names}{users}"));
    folder.put(&authority.server());
    folder.write("clients.pem", &authority.pem());
    let server = Server::of(&folder);
    let place = folder.path("web.yml").display().to_string();
    let ask = |name: &'static str, password: &'static str| {
        let pair = authority.sign(vec![dns(name)]);
        let identity = reqwest::Identity::from_pem(format!("{}{}", pair.key, pair.certificate).as_bytes()).expect("one");
        let client = browser(&authority).identity(identity).build().expect("a client");
        let request = client.get(server.https("/")).basic_auth("alice", Some(password));
        support::status(request)
    };
    let weaker = clients.replace("RequireAndVerifyClientCert", "VerifyClientCertIfGiven");
    for open in [
        String::new(), // as a file looks between being truncated and being written
        users.clone(),
        TLS.to_owned(),
        format!("{TLS}{users}"),
        format!("{TLS}{clients}{users}"),
        format!("{TLS}{clients}{names}"),
        format!("{TLS}{weaker}{names}{users}"),
    ] {
        folder.write("web.yml", &open);
        assert_eq!(ask("prometheus", "one").await.expect("answered"), 200, "{open}");
        assert_eq!(ask("prometheus", "wrong").await.expect("answered"), 401, "{open}");
        assert!(ask("grafana", "one").await.is_err(), "{open}");
    }
    let told = logged(&[&place, "not good"]);
    assert!(told.len() == 1 && told[0].contains("tls_server_config") && told[0].contains("restart"), "{told:?}");

    // Another list of names is no loss of protection.
    folder.write("web.yml", &format!("{TLS}{clients}  client_allowed_sans: [grafana]\n{users}"));
    assert_eq!(ask("grafana", "one").await.expect("answered"), 200);
    assert!(ask("prometheus", "one").await.is_err());
}

#[tokio::test]
async fn protection_can_be_added() {
    let authority = Authority::new();
    let folder = Folder::with("");
    folder.put(&authority.server());
    let server = Server::of(&folder);
    assert_eq!(plain_browser().get(server.http("/")).send().await.expect("answered").status(), 200);
    folder.write("web.yml", &format!("{TLS}basic_auth_users: {{alice: {}}}\n", hash("one")));
    assert_eq!(plain_browser().get(server.http("/")).send().await.expect("answered").status(), 400, "now HTTPS");
    let client = browser(&authority).build().expect("a client");
    assert_eq!(client.get(server.https("/")).send().await.expect("answered").status(), 401);
    let answer = client.get(server.https("/")).basic_auth("alice", Some("one")).send().await.expect("answered");
    assert_eq!(answer.status(), 200);
}
