//! What is understood, and what is said about what is not.

use super::*;

fn parse(url: &str, basic: Option<&str>, json: &str, secrets: &[(&'static str, &str)]) -> Result<Settings, String> {
    let secrets = secrets.iter().map(|(name, text)| (*name, Secret::from((*text).to_owned()))).collect();
    Settings::parse(&Given { url, basic_auth: basic, json: json.as_bytes(), secrets })
}

#[test]
fn little_is_enough() {
    let settings = parse(" http://chaoscope:10765 ", None, "", &[]).unwrap();
    assert_eq!(settings.url.as_str(), "http://chaoscope:10765/");
    assert_eq!(
        (settings.product, settings.timeout, settings.cache, settings.limit),
        (Product::Chaoscope, Duration::from_secs(10), Duration::from_secs(10), 1000)
    );
    assert!(settings.headers.is_empty() && settings.fixed.is_empty() && settings.basic.is_none());
}

#[test]
fn a_path_before_the_api_is_kept() {
    for url in ["https://h/chaos", "https://h/chaos/", "https://h/chaos//"] {
        assert_eq!(parse(url, None, "{}", &[]).unwrap().url.as_str(), "https://h/chaos/");
    }
}

#[test]
fn the_old_plugins_settings_are_understood() {
    let json = r#"{"httpHeaderName1":"Authorization","httpHeaderName3":"X-Team","tlsSkipVerify":true,"limit":300,"origin":"dashboard","timeout":"30"}"#;
    let settings = parse("http://d:2333", None, json, &[("httpHeaderValue1", "Bearer abc.def"), ("httpHeaderValue3", "one")]).unwrap();
    let headers: Vec<_> = settings.headers.iter().map(|(name, value)| (name.as_str(), value.expose())).collect();
    assert_eq!(headers, [("authorization", "Bearer abc.def"), ("x-team", "one")]);
    assert!(settings.tls.skip_verify && settings.product == Product::Dashboard && settings.limit == 300);
    assert_eq!(settings.timeout, Duration::from_secs(30));
}

#[test]
fn a_token_is_a_header() {
    for token in ["abc.def", "Bearer abc.def", " abc.def\n"] {
        let settings = parse("http://h", None, "{}", &[("token", token)]).unwrap();
        assert_eq!(settings.headers[0].1.expose(), "Bearer abc.def");
        assert!(settings.secrets().iter().any(|secret| secret.expose() == "abc.def"));
    }
}

/// URL, user, `jsonData`, secrets, and what is said.
type Case<'a> = (&'a str, Option<&'a str>, &'a str, &'a [(&'static str, &'a str)], &'a str);

#[test]
fn what_is_wrong_names_the_field_and_the_remedy() {
    let secret = [("token", "hunter2"), ("basicAuthPassword", "hunter2"), ("httpHeaderValue1", "hunter2")];
    let cases: [Case<'_>; 17] = [
        ("", None, "", &[], "URL: empty"),
        ("chaoscope:10765", None, "", &[], "URL: it must begin with http://"),
        ("localhost", None, "", &[], "URL: "),
        ("ftp://h", None, "", &[], "URL: it must begin with http://"),
        ("http://me:hunter2@h", None, "", &[], "use the fields of basic auth"),
        ("http://h/?a=b", None, "", &[], "URL: it must end with its path"),
        ("http://h", Some(""), "", &[], "Basic auth: on, and its user is empty"),
        ("http://h", Some("me"), "", &[], "the password is not set"),
        ("http://h", Some("me"), "", &secret[..2], "only one of both can be sent"),
        ("http://h", None, r#"{"httpHeaderName1":"Authorization"}"#, &secret, "keep one of both"),
        ("http://h", None, r#"{"httpHeaderName1":"a b"}"#, &secret[2..], "httpHeaderName1: \"a b\" is no name"),
        ("http://h", None, r#"{"httpHeaderName2":"X-A"}"#, &[], "httpHeaderName2: the header x-a has no value"),
        ("http://h", None, r#"{"timeout":0}"#, &[], "timeout: it must be a whole number from 1 to 120"),
        ("http://h", None, r#"{"origin":"x"}"#, &[], "origin: \"x\" is no product"),
        ("http://h", None, r#"{"tlsAuth":true}"#, &[], "Client certificate: not set"),
        ("http://h", None, r#"{"filters":{"nmespace":["a"]}}"#, &[], "filters: there is no field \"nmespace\""),
        ("http://h", None, "{", &[], "jsonData: not JSON"),
    ];
    for (url, basic, json, secrets, expected) in cases {
        let message = parse(url, basic, json, secrets).unwrap_err();
        assert!(message.contains(expected), "{message} has no {expected}");
        assert!(!message.contains("hunter2"), "{message}");
    }
    assert!(parse("http://h", None, "", &[("token", "two words")]).unwrap_err().starts_with("Token:"));
}

#[test]
fn secrets_are_never_printed() {
    let json = r#"{"httpHeaderName1":"X-A","tlsAuth":true,"tlsAuthWithCACert":true,"proxyUrl":"http://p:1","proxyUser":"u"}"#;
    let names = ["basicAuthPassword", "httpHeaderValue1", "tlsClientCert", "tlsClientKey", "tlsCACert", "proxyPassword"];
    let secrets: Vec<_> = names.iter().map(|name| (*name, "hunter2")).collect();
    let settings = parse("http://h", Some("me"), json, &secrets).unwrap();
    assert!(!format!("{settings:?}").contains("hunter2"));
    assert_eq!(settings.secrets().iter().filter(|secret| secret.expose() == "hunter2").count(), 5);
}

#[test]
fn a_clusters_name_is_a_filter_of_chaoscope_only() {
    let json = r#"{"cluster":"blue","filters":{"namespace":["shop","~lab-.*"]}}"#;
    let pairs = |settings: Settings| settings.fixed.iter().map(|(field, value)| format!("{field}={value}")).collect::<Vec<_>>();
    assert_eq!(pairs(parse("http://h", None, json, &[]).unwrap()), ["cluster=blue", "namespace=shop", "namespace=~lab-.*"]);
    let dashboard = json.replace("{\"cluster\"", "{\"origin\":\"dashboard\",\"cluster\"");
    assert_eq!(pairs(parse("http://h", None, &dashboard, &[]).unwrap()), ["namespace=shop", "namespace=~lab-.*"]);
}
