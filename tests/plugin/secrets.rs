//! What is never told, at any level, to anybody but the origin it is for.

use crate::BINARY;
use crate::grafana_host::{Host, context, question};
use crate::live::by_hand;
use crate::origin::{Origin, Reply};
use serde_json::{Value, json};

const SECRETS: [&str; 6] = ["s3cr3t-token", "s3cr3t-password", "s3cr3t-header", "s3cr3t-key", "s3cr3t-viewer", "s3cr3t-cookie"];

#[test]
#[ignore = "needs Go: run by make test"]
fn secrets_are_in_no_output_at_any_level() {
    // Who echoes what it was sent must not get it shown.
    let origin = Origin::start(|head| match head {
        events if events.contains("/api/v1/events") => Reply::Json(401, json!({ "error": format!("bad {head}") }).to_string()),
        runs if runs.contains("/api/v1/runs") => Reply::Json(400, json!({ "error": head }).to_string()),
        _ => Reply::Json(500, head.to_owned()),
    });
    let host = Host::start(BINARY, &[("GF_PLUGIN_LOG_LEVEL", "trace"), ("RUST_LOG", "trace")]);
    let nobody = "http://127.0.0.1:1";
    let token = json!({ "token": SECRETS[0], "httpHeaderValue1": SECRETS[2] });
    let password = json!({ "basicAuthPassword": SECRETS[1], "httpHeaderValue1": SECRETS[2] });
    let viewer = json!({});
    let key = json!({ "tlsClientKey": SECRETS[3], "tlsClientCert": SECRETS[3], "tlsCACert": SECRETS[3], "token": SECRETS[0] });
    let cases = [
        (&*origin.url, "", &token),
        (&origin.url, "user", &password),
        (&origin.url, "", &viewer),
        (nobody, "", &token),
        (nobody, "user", &password),
        ("https://127.0.0.1:1", "", &key),
        ("http://user:s3cr3t-password@127.0.0.1:1/", "", &token),
        ("no address s3cr3t-token", "", &token),
        // More than may be.
        (&origin.url, "user", &json!({ "token": SECRETS[0], "basicAuthPassword": SECRETS[1] })),
    ];
    let (mut told, mut live) = (Vec::new(), Vec::new());
    for (at, (url, user, secrets)) in cases.into_iter().enumerate() {
        let mut context = context(url);
        let tls = secrets["tlsClientKey"].is_string();
        let (viewer, header) = (at > 1, secrets["httpHeaderValue1"].is_string().then_some("X-Custom"));
        context["json"] = json!({ "oauthPassThru": viewer, "httpHeaderName1": header, "tlsAuth": tls, "tlsAuthWithCACert": tls });
        context["updated"] = at.into();
        (context["secrets"], context["basicUser"]) = (secrets.clone(), user.into());
        let headers = json!({ "Authorization": "Bearer s3cr3t-viewer", "Cookie": "s3cr3t-cookie", "X-ID-Token": "s3cr3t-viewer" });
        let asks = ["runs", "events", "annotations", "values", "nonsense"];
        let queries: Vec<_> = asks.iter().map(|it| question(it, &json!({ "queryType": it, "list": "kinds" }), 1_795_255_200_000)).collect();
        told.push(host.call("query", json!({ "context": context, "headers": headers, "queries": queries })));
        told.push(host.call("health", json!({ "context": context, "headers": headers })));
        for kind in ["runs", "events"] {
            let path = by_hand(&json!({ "q": { "queryType": kind }, "s": 1000, "i": 0, "l": 1 }));
            live.push(host.ask("run", json!({ "context": context, "headers": headers, "path": path, "cancel": 1000 })));
        }
        for path in ["tag-values?key=kind", "values?list=kinds"] {
            let name = path.split('?').next();
            told.push(host.call("resource", json!({ "context": context, "headers": headers, "method": "GET", "path": name, "url": path })));
        }
    }
    // They did go where they belong: `user:s3cr3t-password` in base64 among them.
    let asked = origin.seen.lock().unwrap().requests.join("");
    for sent in ["Bearer s3cr3t-token", "Basic dXNlcjpzM2NyM3QtcGFzc3dvcmQ=", "s3cr3t-header", "Bearer s3cr3t-viewer"] {
        assert!(asked.contains(sent), "{sent} was not sent:\n{asked}");
    }
    told.extend(live.iter().map(|it| it.recv().unwrap()));
    told.push(host.call("metrics", json!({})));
    host.call("stop", json!({}));
    told.push(host.call("output", json!({})));
    assert!(!told.last().unwrap()["stderr"].as_str().unwrap().is_empty(), "trace says nothing");
    let told = Value::from(told).to_string();
    for secret in SECRETS.into_iter().chain(["dXNlcjpzM2NyM3QtcGFzc3dvcmQ"]) {
        let at = told.find(secret);
        assert!(at.is_none(), "{secret} is told: {:?}", at.map(|at| &told[at.saturating_sub(300)..at + 20]));
    }
}
