//! Which format and coding a scraper asks for: `Accept` and `Accept-Encoding` with q values (RFC 9110, 12.4.2 and 12.5).

/// An exposition format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Text format 0.0.4, the default.
    Classic,
    /// `OpenMetrics` 1.0 text.
    OpenMetrics,
    /// Delimited protobuf messages, the one format that carries native histograms.
    Protobuf,
}

impl Format {
    /// The `Content-Type` of an answer.
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Classic => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Self::Protobuf => "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited",
        }
    }

    /// The best format for an `Accept` header: the highest q wins, at equal q protobuf and then `OpenMetrics` where they are named; nothing
    /// that fits gives the classic format, as every exporter does. Protobuf in another encoding or of another message is not offered.
    pub fn negotiate(accept: Option<&str>) -> Self {
        let Some(accept) = accept else { return Self::Classic };
        let (mut classic, mut open, mut protobuf) = (0, 0, 0);
        for range in ranges(accept) {
            let version = range.parameter("version");
            match range.name.as_str() {
                "application/openmetrics-text" if version.is_none_or(|version| matches!(version, "1.0.0" | "1.0" | "0.0.1")) => {
                    open = open.max(range.quality);
                }
                "application/vnd.google.protobuf"
                    if range.parameter("proto") == Some("io.prometheus.client.MetricFamily")
                        && range.parameter("encoding") == Some("delimited") =>
                {
                    protobuf = protobuf.max(range.quality);
                }
                "text/plain" if version.is_none_or(|version| version == "0.0.4") => classic = classic.max(range.quality),
                "*/*" | "text/*" => classic = classic.max(range.quality),
                _ => {}
            }
        }
        match (protobuf, open) {
            (1.., _) if protobuf >= open.max(classic) => Self::Protobuf,
            (_, 1..) if open >= classic => Self::OpenMetrics,
            _ => Self::Classic,
        }
    }
}

/// Whether the answer may be gzip.
pub fn accepts_gzip(accept_encoding: Option<&str>) -> bool {
    let Some(header) = accept_encoding else { return false };
    let quality = |name: &str| ranges(header).find(|range| range.name == name).map(|range| range.quality);
    quality("gzip").or_else(|| quality("*")).is_some_and(|quality| quality > 0)
}

/// One element of a list header.
struct Range<'a> {
    /// Lower case.
    name: String,
    /// In thousandths.
    quality: u16,
    parameters: Vec<(String, &'a str)>,
}

impl Range<'_> {
    fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.iter().find(|(known, _)| known == name).map(|(_, value)| *value)
    }
}

fn ranges(header: &str) -> impl Iterator<Item = Range<'_>> {
    header.split(',').map(|element| {
        let mut parts = element.split(';').map(str::trim);
        let name = parts.next().unwrap_or_default().to_ascii_lowercase();
        let parameters: Vec<_> = parts
            .filter_map(|part| part.split_once('='))
            .map(|(key, value)| (key.trim().to_ascii_lowercase(), value.trim().trim_matches('"')))
            .collect();
        let quality = parameters.iter().find(|(key, _)| key == "q").map_or(1000, |(_, value)| thousandths(value));
        Range { name, quality, parameters }
    })
}

/// A q value; what is not one counts as 0.
fn thousandths(value: &str) -> u16 {
    match value.split_once('.').unwrap_or((value, "")) {
        ("1", zeros) if zeros.bytes().all(|digit| digit == b'0') => 1000,
        ("0", digits) if digits.len() <= 3 && digits.bytes().all(|digit| digit.is_ascii_digit()) => {
            format!("{digits:0<3}").parse().unwrap_or(0)
        }
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_highest_quality_wins() {
        let cases = [
            (None, Format::Classic),
            (Some("*/*"), Format::Classic),
            (Some("application/openmetrics-text"), Format::OpenMetrics),
            (Some("application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5,*/*;q=0.1"), Format::OpenMetrics),
            (Some("application/openmetrics-text;version=1.0.0;q=0.4,text/plain;q=0.5"), Format::Classic),
            (Some("application/openmetrics-text;q=0,text/plain;q=0"), Format::Classic),
            (Some("application/openmetrics-text;version=2.0.0,text/plain;version=0.0.4;q=0.2"), Format::Classic),
            (Some("Application/OpenMetrics-Text; Version=\"1.0.0\" ; Q=0.9"), Format::OpenMetrics),
            // What Prometheus 3 sends by default.
            (
                Some(
                    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
                ),
                Format::OpenMetrics,
            ),
            (Some(";;;,,,=;q=x"), Format::Classic),
            // What Prometheus 2.42 sends with native histograms switched on, and 3 where they are wanted of one job.
            (
                Some(
                    "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited,application/openmetrics-text;version=1.0.0;q=0.8,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
                ),
                Format::Protobuf,
            ),
            (
                Some(
                    "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited; q=0.5, application/openmetrics-text; q=0.6",
                ),
                Format::OpenMetrics,
            ),
            (Some("application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=text"), Format::Classic),
            (Some("application/vnd.google.protobuf;proto=other.Message;encoding=delimited"), Format::Classic),
            (Some("application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;q=0"), Format::Classic),
            (Some("application/vnd.google.protobuf"), Format::Classic),
        ];
        for (accept, format) in cases {
            assert_eq!(Format::negotiate(accept), format, "{accept:?}");
        }
    }

    #[test]
    fn gzip_only_when_it_is_wanted() {
        for (header, wanted) in
            [("gzip", true), ("deflate, gzip;q=0.5", true), ("gzip;q=0", false), ("*", true), ("*;q=0", false), ("br", false)]
        {
            assert_eq!(accepts_gzip(Some(header)), wanted, "{header}");
        }
        assert!(!accepts_gzip(None));
    }
}
