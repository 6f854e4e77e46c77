//! Reads Prometheus' text format, and makes sure that it is what the format says.

use std::collections::{BTreeMap, BTreeSet};

/// Figures that were read.
#[derive(Debug, Default)]
pub(super) struct Exposition {
    /// Kind by family.
    pub(super) families: BTreeMap<String, String>,
    /// Values by name and labels.
    samples: BTreeMap<(String, BTreeMap<String, String>), f64>,
}

impl Exposition {
    /// Reads a page; a test fails where it is not well-formed.
    pub(super) fn read(text: &str) -> Self {
        assert!(text.ends_with('\n'), "the last line has an end");
        let mut read = Self::default();
        let (mut explained, mut family) = (BTreeSet::new(), String::new());
        for line in text.lines() {
            if let Some(rest) = line.strip_prefix("# HELP ") {
                let (name, help) = rest.split_once(' ').unwrap();
                assert!(!help.is_empty(), "{line}");
                assert!(explained.insert(name.to_owned()), "explained twice: {line}");
            } else if let Some(rest) = line.strip_prefix("# TYPE ") {
                let (name, kind) = rest.split_once(' ').unwrap();
                assert!(["counter", "gauge", "histogram"].contains(&kind), "{line}");
                assert!(explained.contains(name), "not explained: {line}");
                if kind == "counter" {
                    assert!(name.ends_with("_total"), "{line}");
                }
                name.clone_into(&mut family);
                let before = read.families.insert(name.to_owned(), kind.to_owned());
                assert_eq!(before, None, "begun twice: {line}");
            } else {
                let (name, labels, value) = sample(line);
                let suffix = name.strip_prefix(&family);
                let suffix = suffix.unwrap_or_else(|| panic!("not in {family}: {line}"));
                let expected: &[&str] = match read.families[&family].as_str() {
                    "histogram" => &["_bucket", "_sum", "_count"],
                    _ => &[""],
                };
                assert!(expected.contains(&suffix), "{line}");
                let before = read.samples.insert((name, labels), value);
                assert_eq!(before, None, "said twice: {line}");
            }
        }
        read.check_histograms();
        read
    }

    fn check_histograms(&self) {
        let mut series: BTreeMap<_, Vec<(f64, f64)>> = BTreeMap::new();
        for ((name, labels), value) in &self.samples {
            if let Some(family) = name.strip_suffix("_bucket") {
                let mut labels = labels.clone();
                let bound = labels.remove("le").unwrap();
                let bound = match bound.as_str() {
                    "+Inf" => f64::INFINITY,
                    bound => bound.parse().unwrap(),
                };
                let buckets = series.entry((family.to_owned(), labels)).or_default();
                buckets.push((bound, *value));
            }
        }
        for ((family, labels), mut buckets) in series {
            buckets.sort_by(|one, other| one.0.total_cmp(&other.0));
            let grows = buckets.windows(2).all(|pair| pair[0].1 <= pair[1].1);
            assert!(grows, "{family} {labels:?}: {buckets:?}");
            let last = buckets.last().unwrap();
            assert!(last.0.is_infinite(), "{family} {labels:?}: {buckets:?}");
            let count = self.samples[&(format!("{family}_count"), labels.clone())];
            assert!((count - last.1).abs() < 0.5, "{family} {labels:?}");
            assert!(
                self.samples
                    .contains_key(&(format!("{family}_sum"), labels))
            );
        }
    }

    /// Returns the sum of all figures of a name that have these labels.
    pub(super) fn sum(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let with = |found: &BTreeMap<String, String>| {
            let mut labels = labels.iter();
            labels.all(|(name, value)| found.get(*name).is_some_and(|found| found == value))
        };
        let found = self.samples.iter();
        found
            .filter(|((found, labels), _)| found == name && with(labels))
            .map(|(_, value)| value)
            .sum()
    }

    /// Returns all values of a label.
    pub(super) fn values(&self, label: &str) -> BTreeSet<&str> {
        let labels = self
            .samples
            .keys()
            .filter_map(|(_, labels)| labels.get(label));
        labels.map(String::as_str).collect()
    }
}

/// Reads `name{label="value",…} 1.5`.
fn sample(line: &str) -> (String, BTreeMap<String, String>, f64) {
    let (head, value) = line.rsplit_once(' ').unwrap_or_else(|| panic!("{line}"));
    let value = value.parse().unwrap_or_else(|_| panic!("{line}"));
    let (name, mut rest) = match head.split_once('{') {
        Some((name, rest)) => (
            name,
            rest.strip_suffix('}').unwrap_or_else(|| panic!("{line}")),
        ),
        None => (head, ""),
    };
    let is_name = |text: &str| {
        let mut letters = text.chars();
        letters
            .next()
            .is_some_and(|first| first.is_ascii_lowercase())
            && letters.all(|letter| {
                letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '_'
            })
    };
    assert!(is_name(name), "{line}");
    let mut labels = BTreeMap::new();
    while !rest.is_empty() {
        let (label, after) = rest.split_once("=\"").unwrap_or_else(|| panic!("{line}"));
        assert!(is_name(label), "{line}");
        // no value that is a word or a template needs an escape
        let (value, after) = after.split_once('"').unwrap_or_else(|| panic!("{line}"));
        assert!(!value.contains('\\'), "{line}");
        assert_eq!(
            labels.insert(label.to_owned(), value.to_owned()),
            None,
            "{line}"
        );
        rest = after.strip_prefix(',').unwrap_or_else(|| {
            assert_eq!(after, "", "{line}");
            after
        });
    }
    (name.to_owned(), labels, value)
}
