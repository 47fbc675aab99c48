//! Metrics as text: the format that Prometheus has always read, or OpenMetrics 1.0 for whoever asks for it.

use std::fmt::{self, Write};

/// The front of every metric's name.
const PREFIX: &str = "framewright_";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    Text,
    OpenMetrics,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Only goes up; its name ends in `_total`.
    Counter,
    Gauge,
    Histogram,
}

/// Names and values of labels; values come from closed sets.
pub type Labels<'a> = &'a [(&'a str, &'a str)];

pub struct Exposition {
    out: String,
    format: Format,
}

/// One metric, whose samples are being written.
pub struct Family<'a> {
    out: &'a mut String,
    name: &'a str,
}

impl Format {
    /// What an `Accept` asks for.
    pub fn of(accept: Option<&str>) -> Format {
        let is_open = |item: &str| {
            let mut parts = item.split(';').map(str::trim);
            let is_named = parts.next().is_some_and(|kind| kind.eq_ignore_ascii_case("application/openmetrics-text"));
            let is_refused = |part: &str| part.strip_prefix("q=").and_then(|q| q.parse::<f32>().ok()) == Some(0.0);
            is_named && !parts.any(is_refused)
        };
        if accept.is_some_and(|accept| accept.split(',').any(is_open)) { Format::OpenMetrics } else { Format::Text }
    }

    pub fn content_type(self) -> &'static str {
        match self {
            Format::Text => "text/plain; version=0.0.4; charset=utf-8",
            Format::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

impl Exposition {
    pub fn new(format: Format) -> Exposition {
        Exposition { out: String::new(), format }
    }

    /// Begins a metric. `name` stands behind the prefix, with its unit and, of a counter, `_total`.
    pub fn family<'a>(&'a mut self, name: &'a str, kind: Kind, help: &str) -> Family<'a> {
        let (stated, kind) = match (kind, self.format) {
            (Kind::Counter, Format::OpenMetrics) => (name.strip_suffix("_total").unwrap_or(name), "counter"),
            (Kind::Counter, Format::Text) => (name, "counter"),
            (Kind::Gauge, _) => (name, "gauge"),
            (Kind::Histogram, _) => (name, "histogram"),
        };
        put(&mut self.out, format_args!("# HELP {PREFIX}{stated} {help}\n# TYPE {PREFIX}{stated} {kind}\n"));
        Family { out: &mut self.out, name }
    }

    pub fn end(mut self) -> Vec<u8> {
        if self.format == Format::OpenMetrics {
            self.out.push_str("# EOF\n");
        }
        self.out.into_bytes()
    }
}

impl Family<'_> {
    /// Writes a counter or a gauge.
    pub fn sample(&mut self, labels: Labels<'_>, value: u64) {
        self.line("", labels, None, value);
    }

    /// Writes a histogram: how many observations are within each bound and above the one before; the last count is of those
    /// beyond all. Bounds and sum are in µs, and written in seconds.
    pub fn histogram(&mut self, labels: Labels<'_>, bounds_us: &[u64], counts: &[u64], sum_us: u64) {
        let mut so_far = 0;
        for (bound, count) in bounds_us.iter().zip(counts) {
            so_far += count;
            self.line("_bucket", labels, Some(format_args!("{:?}", seconds(*bound))), so_far);
        }
        so_far += counts.get(bounds_us.len()).copied().unwrap_or(0);
        self.line("_bucket", labels, Some(format_args!("+Inf")), so_far);
        self.line("_sum", labels, None, seconds(sum_us));
        self.line("_count", labels, None, so_far);
    }

    fn line(&mut self, suffix: &str, labels: Labels<'_>, within: Option<fmt::Arguments<'_>>, value: impl fmt::Debug) {
        put(self.out, format_args!("{PREFIX}{}{suffix}", self.name));
        let mut mark = '{';
        for (name, text) in labels {
            put(self.out, format_args!("{mark}{name}=\"{}\"", Escaped(text)));
            mark = ',';
        }
        if let Some(within) = within {
            put(self.out, format_args!("{mark}le=\"{within}\""));
            mark = ',';
        }
        self.out.push_str(if mark == '{' { " " } else { "} " });
        put(self.out, format_args!("{value:?}\n"));
    }
}

fn put(out: &mut String, text: fmt::Arguments<'_>) {
    out.write_fmt(text).expect("a text takes whatever is written to it");
}

fn seconds(us: u64) -> f64 {
    us as f64 / 1e6
}

/// A label's value as it stands between quotes.
struct Escaped<'a>(&'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|character| match character {
            '\\' => f.write_str(r"\\"),
            '"' => f.write_str("\\\""),
            '\n' => f.write_str(r"\n"),
            other => f.write_char(other),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(format: Format) -> String {
        let mut all = Exposition::new(format);
        let mut turns = all.family("turns_total", Kind::Counter, "Turns.");
        turns.sample(&[("path", "a\"b\\c\nd"), ("outcome", "done")], 3);
        turns.sample(&[], 0);
        all.family("clients", Kind::Gauge, "Clients.").sample(&[], 7);
        let mut waits = all.family("wait_seconds", Kind::Histogram, "Waits.");
        waits.histogram(&[("pool", "llm")], &[1_000, 2_500_000], &[2, 1, 4], 9_000_001);
        waits.histogram(&[], &[1_000_000], &[0, 0], 0);
        String::from_utf8(all.end()).unwrap()
    }

    #[test]
    fn counts_are_cumulative_and_labels_escaped() {
        let expected = r##"# HELP framewright_turns_total Turns.
# TYPE framewright_turns_total counter
framewright_turns_total{path="a\"b\\c\nd",outcome="done"} 3
framewright_turns_total 0
# HELP framewright_clients Clients.
# TYPE framewright_clients gauge
framewright_clients 7
# HELP framewright_wait_seconds Waits.
# TYPE framewright_wait_seconds histogram
framewright_wait_seconds_bucket{pool="llm",le="0.001"} 2
framewright_wait_seconds_bucket{pool="llm",le="2.5"} 3
framewright_wait_seconds_bucket{pool="llm",le="+Inf"} 7
framewright_wait_seconds_sum{pool="llm"} 9.000001
framewright_wait_seconds_count{pool="llm"} 7
framewright_wait_seconds_bucket{le="1.0"} 0
framewright_wait_seconds_bucket{le="+Inf"} 0
framewright_wait_seconds_sum 0.0
framewright_wait_seconds_count 0
"##;
        assert_eq!(written(Format::Text), expected);
        let open = expected.replace("HELP framewright_turns_total", "HELP framewright_turns");
        let open = open.replace("TYPE framewright_turns_total", "TYPE framewright_turns");
        assert_eq!(written(Format::OpenMetrics), format!("{open}# EOF\n"));
    }

    #[test]
    fn open_metrics_is_for_those_who_ask() {
        for (accept, expected) in [
            (None, Format::Text),
            (Some("*/*"), Format::Text),
            (Some("text/plain"), Format::Text),
            (Some("application/openmetrics-text"), Format::OpenMetrics),
            (Some("application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5,*/*;q=0.1"), Format::OpenMetrics),
            (Some("text/plain, application/openmetrics-text; q=0"), Format::Text),
        ] {
            assert_eq!(Format::of(accept), expected, "{accept:?}");
        }
    }
}
