//! Flags of `--web.*`: where and how pages are served.
//!
//! Apart because every command that serves takes them.

use super::duration;
use clap::Args;
use std::path::PathBuf;
use std::time::Duration;

/// Flags about serving.
#[derive(Debug, Args)]
#[command(next_help_heading = "Web")]
pub struct Web {
    /// Address to listen on; may be repeated.
    #[arg(
        long = "web.listen-address",
        value_name = "HOST:PORT",
        default_value = ":10765",
        value_delimiter = ',',
        env = "CHAOSCOPE_WEB_LISTEN_ADDRESS"
    )]
    pub listen_address: Vec<String>,
    /// Path under which metrics are served.
    #[arg(
        long = "web.telemetry-path",
        value_name = "PATH",
        default_value = "/metrics",
        value_parser = telemetry_path,
        env = "CHAOSCOPE_WEB_TELEMETRY_PATH"
    )]
    pub telemetry_path: String,
    /// Most scrapes at once; one more is answered 503.
    #[arg(
        long = "web.max-requests",
        value_name = "N",
        default_value_t = 40,
        value_parser = clap::value_parser!(u32).range(1..=10_000),
        env = "CHAOSCOPE_WEB_MAX_REQUESTS"
    )]
    pub max_requests: u32,
    /// Web configuration file: TLS, basic authentication, headers, in exporter-toolkit's format.
    #[arg(long = "web.config.file", value_name = "FILE", env = "CHAOSCOPE_WEB_CONFIG_FILE")]
    pub config_file: Option<PathBuf>,
    /// Taken off the time Prometheus gives a scrape, for the way back.
    #[arg(
        long = "web.scrape-timeout-offset",
        value_name = "DURATION",
        default_value = "500ms",
        value_parser = duration,
        env = "CHAOSCOPE_WEB_SCRAPE_TIMEOUT_OFFSET"
    )]
    pub scrape_timeout_offset: Duration,
}

fn telemetry_path(text: &str) -> Result<String, String> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/-_.".contains(&byte);
    match text {
        "/" | "/healthz" | "/readyz" | "/api" | "/host" => Err(format!("{text} is taken: choose another path, such as /metrics")),
        _ if text.starts_with("/api/") => Err("below /api is the API: choose another path, such as /metrics".to_owned()),
        _ if text.starts_with('/') && text.bytes().all(plain) => Ok(text.to_owned()),
        _ => Err("write an absolute path of letters, digits, '-', '_', '.' and '/', such as /metrics".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_of_metrics_is_absolute_plain_and_free() {
        let ok = |text| telemetry_path(text).is_ok();
        assert!(ok("/m") && !ok("/") && !ok("m") && !ok("/{x}") && !ok("/api/v1/runs") && ok("/apis"));
    }
}
