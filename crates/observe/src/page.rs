//! The text in which Prometheus reads figures: its exposition format, version 0.0.4.

use std::fmt::{Display, Write};

use crate::{Durations, Reading, Sizes};

/// What kind of figure a family holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Only grows; begins anew at zero when the process does.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Counts by size.
    Histogram,
}

impl Kind {
    fn word(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

/// A page of figures. A family is begun with its name, then its lines follow; what is said of a figure comes before it.
#[derive(Debug, Default)]
pub struct Page {
    text: String,
    family: &'static str,
}

/// A figure's labels: name and value.
type Labels<'a> = &'a [(&'a str, &'a str)];

impl Page {
    /// The media type of the text.
    pub const MEDIA_TYPE: &'static str = "text/plain; version=0.0.4; charset=utf-8";

    /// Begins a family of figures. The lines that follow belong to it.
    pub fn family(&mut self, name: &'static str, kind: Kind, help: &str) -> &mut Self {
        self.family = name;
        let help = help.replace('\\', "\\\\").replace('\n', "\\n");
        let kind = kind.word();
        // writing into a text cannot fail
        let _ = writeln!(self.text, "# HELP {name} {help}\n# TYPE {name} {kind}");
        self
    }

    /// Writes a figure.
    pub fn value(&mut self, labels: Labels<'_>, value: impl Display) -> &mut Self {
        self.line("", labels, None, value);
        self
    }

    /// Writes how long things take.
    pub fn durations(&mut self, labels: Labels<'_>, durations: &Durations) -> &mut Self {
        self.histogram(labels, &durations.read())
    }

    /// Writes how large things are.
    pub fn sizes(&mut self, labels: Labels<'_>, sizes: &Sizes) -> &mut Self {
        self.histogram(labels, &sizes.read())
    }

    /// Returns the text.
    pub fn finish(self) -> String {
        self.text
    }

    fn histogram(&mut self, labels: Labels<'_>, read: &Reading) -> &mut Self {
        for bucket in &read.buckets {
            // rounded to where a product of decimal fractions is itself again
            let bound = (bucket.bound * 1e6).round() / 1e6;
            self.line("_bucket", labels, Some(&bound), bucket.count);
        }
        self.line("_bucket", labels, Some(&"+Inf"), read.count);
        self.line("_sum", labels, None, read.sum);
        self.line("_count", labels, None, read.count);
        self
    }

    fn line(
        &mut self,
        suffix: &str,
        labels: Labels<'_>,
        bound: Option<&dyn Display>,
        value: impl Display,
    ) {
        self.text.push_str(self.family);
        self.text.push_str(suffix);
        let bound = bound.map(ToString::to_string);
        let bound = bound.iter().map(|bound| ("le", bound.as_str()));
        let mut separator = '{';
        for (name, value) in labels.iter().copied().chain(bound) {
            self.text.push(separator);
            separator = ',';
            self.text.push_str(name);
            self.text.push_str("=\"");
            self.escaped(value);
            self.text.push('"');
        }
        if separator == ',' {
            self.text.push('}');
        }
        let _ = writeln!(self.text, " {value}");
    }

    fn escaped(&mut self, value: &str) {
        for character in value.chars() {
            match character {
                '\\' => self.text.push_str("\\\\"),
                '"' => self.text.push_str("\\\""),
                '\n' => self.text.push_str("\\n"),
                other => self.text.push(other),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_page_reads_as_the_format_says() {
        let durations = Durations::long();
        durations.observe(Duration::from_millis(1_500));
        durations.observe(Duration::from_hours(9));
        let mut page = Page::default();

        page.family("cats_total", Kind::Counter, "Cats seen.\nAll of them.")
            .value(&[("colour", "black \"and\"\\white\n")], 3)
            .value(&[], 4.5);
        page.family("naps_seconds", Kind::Histogram, "Their naps.")
            .durations(&[("kind", "deep")], &durations);

        let text = page.finish();
        let (cats, naps) = text.split_at(text.find("# HELP naps").unwrap());
        assert_eq!(
            cats,
            "# HELP cats_total Cats seen.\\nAll of them.\n# TYPE cats_total counter\n\
             cats_total{colour=\"black \\\"and\\\"\\\\white\\n\"} 3\ncats_total 4.5\n"
        );
        let naps: Vec<&str> = naps.lines().collect();
        assert_eq!(naps[1], "# TYPE naps_seconds histogram");
        assert_eq!(naps[2], "naps_seconds_bucket{kind=\"deep\",le=\"0.1\"} 0");
        assert!(naps.contains(&"naps_seconds_bucket{kind=\"deep\",le=\"5\"} 1"));
        assert_eq!(
            naps[naps.len() - 3..],
            [
                "naps_seconds_bucket{kind=\"deep\",le=\"+Inf\"} 2",
                "naps_seconds_sum{kind=\"deep\"} 32401.5",
                "naps_seconds_count{kind=\"deep\"} 2"
            ]
        );
    }
}
