//! A real browser without a window: what a page looks like, and its document after everything ran.
//!
//! Debian's `chromium`, a new profile each time.

use super::process::succeed;
use std::fs;
use std::path::Path;
use std::process::Command;

/// How to look at a page. [`Chromium::default`]: light, with JavaScript, 1280 × 800.
#[derive(Clone, Copy, Debug)]
pub struct Chromium {
    /// What the page is told by `prefers-color-scheme`.
    pub dark: bool,
    /// Without it, `<noscript>` shows.
    pub javascript: bool,
    /// Pixels.
    pub width: u32,
    /// Pixels.
    pub height: u32,
}

impl Default for Chromium {
    fn default() -> Self {
        Self { dark: false, javascript: true, width: 1280, height: 800 }
    }
}

impl Chromium {
    /// Writes a PNG of `url` to `path`.
    pub fn screenshot(self, url: &str, path: &Path) {
        let _ = fs::remove_file(path);
        self.run(&format!("--screenshot={}", path.display()), url);
        assert!(path.exists(), "chromium took no picture of {url}");
    }

    /// The document of `url` as HTML.
    pub fn dump_dom(self, url: &str) -> String {
        let document = self.run("--dump-dom", url);
        assert!(!document.contains("id=\"main-frame-error\""), "chromium cannot open {url}");
        document
    }

    fn run(self, action: &str, url: &str) -> String {
        let profile = tempfile::tempdir().expect("a temporary folder");
        let mut command = Command::new("timeout");
        command.args(["--kill-after=5", "60", "chromium"]).args(self.flags(profile.path()));
        succeed(command.arg(action).arg(url))
    }

    /// What to start it with: a new profile in `profile`, and no talk to anybody but the page.
    pub(super) fn flags(self, profile: &Path) -> Vec<String> {
        if !self.javascript {
            // Only the page's; --blink-settings=scriptEnabled=false would also stop what takes the picture.
            let preferences = r#"{"profile": {"default_content_setting_values": {"javascript": 2}}}"#;
            fs::create_dir(profile.join("Default")).expect("a profile");
            fs::write(profile.join("Default/Preferences"), preferences).expect("a profile");
        }
        let fixed = [
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--disable-dev-shm-usage",
            "--hide-scrollbars",
        ];
        let mut out: Vec<_> = fixed.map(ToOwned::to_owned).to_vec();
        out.push(format!("--user-data-dir={}", profile.display()));
        out.push(format!("--window-size={},{}", self.width, self.height));
        if self.dark {
            out.push("--blink-settings=preferredColorScheme=0".to_owned());
        }
        out
    }
}
