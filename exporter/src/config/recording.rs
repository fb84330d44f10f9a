//! Flags of `replay` and `record`, as far as they are about the recording.

use clap::Args;
use std::path::PathBuf;

/// Which recording to tell, and how fast.
#[derive(Clone, Debug, Args)]
pub struct Told {
    /// Folder of the recording: watch/<resource>.jsonl, and initial/<resource>.json where there was something at the beginning.
    #[arg(value_name = "PATH")]
    pub path: PathBuf,
    /// How fast: 1 is the recording's own time, 10 ten times as fast, 0 at once.
    #[arg(long, value_name = "N", default_value_t = 0.0, value_parser = speed, env = "CHAOSCOPE_SPEED")]
    pub speed: f64,
}

/// Where to write a recording.
#[derive(Clone, Debug, Args)]
pub struct Recorded {
    /// Folder to make, which must not be there yet or be empty. It holds experiments, Events about them and extracts of pods; what
    /// experiments send, environments, arguments and Secrets are never written.
    #[arg(value_name = "PATH")]
    pub path: PathBuf,
}

fn speed(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(speed) if (0.0..=1e6).contains(&speed) => Ok(speed),
        _ => Err("write a number from 0 (at once) to 1000000; 1 is the recording's own time".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::speed;

    #[test]
    fn a_speed_is_no_more_than_a_number() {
        assert_eq!((speed("0"), speed("2.5")), (Ok(0.0), Ok(2.5)));
        assert!(["-1", "fast", "NaN", "inf", "1e7"].iter().all(|text| speed(text).is_err()));
    }
}
