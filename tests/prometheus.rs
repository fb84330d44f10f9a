//! What a real Prometheus makes of our pages.
//!
//! Needs Debian's `prometheus`; `make test` installs it.

mod kit;

use kit::prometheus::{Prometheus, promtool_check_metrics};

/// The kit against the one target that is there in any case: Prometheus scrapes itself.
#[test]
#[ignore = "needs prometheus: run by make test"]
fn a_scrape_arrives_and_can_be_asked_for() {
    let itself = Prometheus::with_jobs(|own| format!("- job_name: itself\n  static_configs: [{{targets: ['{own}']}}]\n"));

    let up = itself.query("up{job='itself'} == 1");
    assert_eq!(up[0]["metric"]["instance"], itself.address().to_string());
    assert_eq!(up[0]["value"][1], "1");

    let build = itself.query("prometheus_build_info");
    assert!(build[0]["metric"]["version"].is_string(), "{build}");
    assert_eq!(itself.query_now("no_such_metric"), serde_json::json!([]));
}

/// A target that is not there is seen as down, not as missing.
#[test]
#[ignore = "needs prometheus: run by make test"]
fn a_target_that_is_not_there_is_down() {
    let nobody = kit::http::free_address();
    let up = Prometheus::scraping(nobody).query("up{job='chaoscope'}");
    assert_eq!(up[0]["value"][1], "0");
}

#[test]
#[ignore = "needs promtool: run by make test"]
fn promtool_tells_clean_from_bad_and_from_broken() {
    let clean = "# HELP a_seconds What.\n# TYPE a_seconds gauge\na_seconds 1\n";
    assert_eq!(promtool_check_metrics(clean), (0, String::new()));

    let (code, said) = promtool_check_metrics("# TYPE a_total gauge\na_total 1\n");
    assert_eq!(code, 3, "{said}");
    assert!(said.contains("no help text"), "{said}");

    let (code, said) = promtool_check_metrics("a{b=\"unclosed} 1\n");
    assert_eq!(code, 1, "{said}");
}
