//! What is never told, at any level, to anybody but the origin it is for.

use crate::BINARY;
use crate::grafana_host::{Host, context, question};
use crate::origin::{Origin, Reply};
use serde_json::{Value, json};

const SECRETS: [&str; 6] = ["s3cr3t-token", "s3cr3t-password", "s3cr3t-header", "s3cr3t-key", "s3cr3t-viewer", "s3cr3t-cookie"];

#[test]
#[ignore = "needs Go: run by make test"]
fn secrets_are_in_no_output_at_any_level() {
    let origin = Origin::start(|line| match line {
        // Whoever echoes what it was sent must not get it shown.
        line if line.contains("/api/v1/events") => Reply::Json(401, "{\"error\":\"bad token s3cr3t-token\"}".to_owned()),
        line if line.contains("/api/v1/runs") => Reply::Json(500, "s3cr3t-password s3cr3t-token".to_owned()),
        _ => Reply::Json(200, "{}".to_owned()),
    });
    let host = Host::start(BINARY, &[("GF_PLUGIN_LOG_LEVEL", "trace"), ("RUST_LOG", "trace")]);
    let mut told = Vec::new();
    for (at, (url, key)) in [
        (origin.url.clone(), "not a key s3cr3t-key"),
        (origin.url.clone(), ""),
        ("http://127.0.0.1:1".to_owned(), ""),
        ("http://user:s3cr3t-password@127.0.0.1:1/".to_owned(), ""),
        ("no address s3cr3t-token".to_owned(), ""),
        ("https://127.0.0.1:1".to_owned(), "s3cr3t-key"),
    ]
    .into_iter()
    .enumerate()
    {
        let json = json!({ "oauthPassThru": true, "httpHeaderName1": "X-Custom", "tlsAuth": !key.is_empty(), "serverName": "x" });
        let secrets = json!({
            "token": SECRETS[0], "basicAuthPassword": SECRETS[1], "httpHeaderValue1": SECRETS[2], "tlsClientKey": key, "tlsClientCert": key,
            "tlsCACert": key,
        });
        let mut context = context(&url);
        context["updated"] = at.into();
        (context["json"], context["secrets"], context["basicUser"]) = (json, secrets, "user".into());
        let headers = json!({ "Authorization": "Bearer s3cr3t-viewer", "Cookie": "s3cr3t-cookie", "X-ID-Token": "s3cr3t-viewer" });
        let asks = ["runs", "events", "annotations", "values", "nonsense"];
        let queries: Vec<_> = asks.iter().map(|it| question(it, &json!({ "queryType": it, "list": "kinds" }), 1_795_255_200_000)).collect();
        told.push(host.call("query", json!({ "context": context, "headers": headers, "queries": queries })));
        told.push(host.call("health", json!({ "context": context, "headers": headers })));
        for path in ["tag-values?key=kind", "values?list=kinds"] {
            let name = path.split('?').next();
            told.push(host.call("resource", json!({ "context": context, "headers": headers, "method": "GET", "path": name, "url": path })));
        }
    }
    told.push(host.call("metrics", json!({})));
    host.call("stop", json!({}));
    told.push(host.call("output", json!({})));
    assert!(!told.last().unwrap()["stderr"].as_str().unwrap().is_empty(), "trace says nothing");
    let told = Value::from(told).to_string();
    for secret in SECRETS {
        let at = told.find(secret);
        assert!(at.is_none(), "{secret} is told: {:?}", at.map(|at| &told[at.saturating_sub(300)..at + 20]));
    }
}
