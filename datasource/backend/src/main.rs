//! `gpx_chaoscope`: the process Grafana starts for the datasource.
//!
//! Nothing but the way in; what it does is in [`chaoscope_datasource::plugin`].

use chaoscope_datasource::plugin::{self, COOKIE};
use mimalloc::MiMalloc;
use std::io::{self, Write};
use std::process::ExitCode;

/// An answer is tens of thousands of short texts, made by one thread and dropped by another: two fifths of its time with the C library's
/// allocator, and what it leaves is in pieces.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

const VERSION: &str = concat!("gpx_chaoscope ", env!("CARGO_PKG_VERSION"), "\n");

const HELP: &str = concat!(
    "gpx_chaoscope ",
    env!("CARGO_PKG_VERSION"),
    "\n\n\
     The backend of the Grafana datasource chaoscope-events-datasource. Grafana starts it; it is no command for people.\n\n\
     Install it: unpack the plugin's archive into Grafana's plugin folder, allow it with\n  \
     GF_PLUGINS_ALLOW_LOADING_UNSIGNED_PLUGINS=chaoscope-events-datasource\n\
     and restart Grafana. Its log lines are in Grafana's log.\n\n\
     Of Grafana's configuration it reads, below [plugin.chaoscope-events-datasource]:\n  \
     log_level   error, warn, info (unless set), debug or trace\n\n\
     Flags: --help, --version\n"
);

fn main() -> ExitCode {
    let said = match std::env::args().nth(1).as_deref() {
        Some("--version" | "-V") => io::stdout().write_all(VERSION.as_bytes()),
        Some("--help" | "-h") => io::stdout().write_all(HELP.as_bytes()),
        _ if std::env::var_os(COOKIE.0).is_none_or(|it| it != COOKIE.1) => {
            let _ = io::stderr().write_all(b"Grafana starts this program, as the backend of a datasource; by hand it does nothing.\n\n");
            let _ = io::stderr().write_all(HELP.as_bytes());
            return ExitCode::FAILURE;
        }
        _ => return plugin::run(),
    };
    if said.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
