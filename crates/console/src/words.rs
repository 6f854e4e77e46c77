//! How the console writes times, numbers and names.

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

/// How an organisation writes times, as of the present instant.
#[derive(Debug, Clone)]
pub(crate) struct Zone {
    zone: TimeZone,
    now: Timestamp,
}

/// An instant as a page shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Moment {
    /// UTC, for machines.
    pub(crate) iso: String,
    /// For people.
    pub(crate) text: String,
}

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

impl Zone {
    /// Uses a zone by its IANA name; UTC when there is none, or nobody knows it.
    pub(crate) fn new(name: Option<&str>, now: Timestamp) -> Self {
        let zone = name.and_then(|name| TimeZone::get(name).ok());
        Self {
            zone: zone.unwrap_or(TimeZone::UTC),
            now,
        }
    }

    /// Returns the present instant.
    pub(crate) fn now(&self) -> Timestamp {
        self.now
    }

    /// Returns the zone.
    pub(crate) fn time_zone(&self) -> &TimeZone {
        &self.zone
    }

    fn local(&self, at: Timestamp) -> DateTime {
        self.zone.to_datetime(at)
    }

    /// Writes an instant: today as a time, this year as day and month, else the date.
    pub(crate) fn short(&self, at: Timestamp) -> Moment {
        let (then, now) = (self.local(at), self.local(self.now));
        let time = format!("{:02}:{:02}", then.hour(), then.minute());
        let text = if then.date() == now.date() {
            format!("Today {time}")
        } else if then.year() == now.year() {
            format!("{} {}, {time}", then.day(), month(&then))
        } else {
            format!("{} {} {}", then.day(), month(&then), then.year())
        };
        Moment {
            iso: at.to_string(),
            text,
        }
    }

    /// Writes an instant with its seconds, for logs.
    pub(crate) fn exact(&self, at: Timestamp) -> Moment {
        let (then, now) = (self.local(at), self.local(self.now));
        let time = format!(
            "{:02}:{:02}:{:02}",
            then.hour(),
            then.minute(),
            then.second()
        );
        let text = if then.date() == now.date() {
            time
        } else {
            format!("{} {} {}, {time}", then.day(), month(&then), then.year())
        };
        Moment {
            iso: at.to_string(),
            text,
        }
    }

    /// Writes the day of an instant.
    pub(crate) fn day(&self, at: Timestamp) -> Moment {
        let then = self.local(at);
        Moment {
            iso: at.to_string(),
            text: format!("{} {} {}", then.day(), month(&then), then.year()),
        }
    }

    /// Writes how long ago something was, or in how long it will be.
    pub(crate) fn relative(&self, at: Timestamp) -> String {
        let since = self.now.duration_since(at);
        let (span, is_past) = (since.abs(), since >= SignedDuration::ZERO);
        let seconds = span.as_secs();
        let text = match seconds {
            0..45 => return if is_past { "just now" } else { "at once" }.to_owned(),
            45..3_600 => counted(((seconds + 30) / 60).unsigned_abs(), "minute"),
            3_600..86_400 => counted((seconds / 3_600).unsigned_abs(), "hour"),
            _ => counted((seconds / 86_400).unsigned_abs(), "day"),
        };
        if is_past {
            format!("{text} ago")
        } else {
            format!("in {text}")
        }
    }
}

fn month(at: &DateTime) -> &'static str {
    usize::try_from(at.month() - 1)
        .ok()
        .and_then(|place| MONTHS.get(place))
        .copied()
        .unwrap_or_default()
}

/// Writes a number with separators for thousands.
pub(crate) fn number(value: u64) -> String {
    let digits = value.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Writes a number with its noun: "1 person" is written by hand, nouns here take an s.
pub(crate) fn counted(value: u64, noun: &str) -> String {
    let s = if value == 1 { "" } else { "s" };
    format!("{} {noun}{s}", number(value))
}

/// Writes how many people.
pub(crate) fn people(count: u64) -> String {
    if count == 1 {
        "1 person".to_owned()
    } else {
        format!("{} people", number(count))
    }
}

/// Begins a text with a capital letter, unless its first word is a name that is written as it is: an address, a host, an attribute.
pub(crate) fn capital(text: &str) -> String {
    let word = text.split_whitespace().next().unwrap_or_default();
    if word.trim_end_matches('.').contains(['@', '.', '_', '/']) {
        return text.to_owned();
    }
    let mut letters = text.chars();
    let first = letters.next().map(|first| first.to_uppercase().to_string());
    format!("{}{}", first.unwrap_or_default(), letters.as_str())
}

/// Makes a sentence of a fragment, such as the text of an error.
pub(crate) fn sentence(fragment: &str) -> String {
    let mut text = capital(fragment);
    if !text.ends_with(['.', '!', '?']) {
        text.push('.');
    }
    text
}

/// Returns the initials of a name: of its first and last word.
pub(crate) fn initials(name: &str) -> String {
    let name = name.split('@').next().unwrap_or_default();
    let mut words = name
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty());
    let first = words.next();
    let letters = [first, words.next_back()];
    letters
        .into_iter()
        .flatten()
        .filter_map(|word| word.chars().next())
        .flat_map(char::to_uppercase)
        .take(2)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_as_short_as_they_can_be_understood() {
        let now: Timestamp = "2025-11-18T13:32:00Z".parse().unwrap();
        let zone = Zone::new(Some("Europe/Oslo"), now);
        let short = |text: &str| zone.short(text.parse().unwrap()).text;
        assert_eq!(short("2025-11-18T13:30:41Z"), "Today 14:30");
        assert_eq!(short("2025-03-03T09:14:07Z"), "3 March, 10:14");
        assert_eq!(short("2024-03-03T09:14:07Z"), "3 March 2024");
        let exact = |text: &str| zone.exact(text.parse().unwrap()).text;
        assert_eq!(exact("2025-11-18T13:30:41Z"), "14:30:41");
        let relative = |text: &str| zone.relative(text.parse().unwrap());
        assert_eq!(relative("2025-11-18T13:30:00Z"), "2 minutes ago");
        assert_eq!(relative("2025-11-30T14:32:00Z"), "in 12 days");
        assert_eq!(relative("2025-11-18T13:31:50Z"), "just now");
    }

    #[test]
    fn an_unknown_zone_is_utc() {
        let now = Timestamp::UNIX_EPOCH;
        assert_eq!(
            Zone::new(Some("Mars/Base"), now).short(now).text,
            "Today 00:00"
        );
    }

    #[test]
    fn numbers_are_grouped_and_nouns_agree() {
        assert_eq!(number(0), "0");
        assert_eq!(number(98_402), "98,402");
        assert_eq!(number(1_234_567), "1,234,567");
        assert_eq!(counted(1, "group"), "1 group");
        assert_eq!(people(2), "2 people");
    }

    #[test]
    fn initials_are_of_the_first_and_the_last_word() {
        assert_eq!(initials("Mira Castellan"), "MC");
        assert_eq!(initials("mira.castellan@example.com"), "MC");
        assert_eq!(initials("Élodie"), "É");
        assert_eq!(initials("\"><script>"), "S");
        assert_eq!(initials(""), "");
    }

    #[test]
    fn a_sentence_begins_with_a_capital_letter_unless_with_a_name() {
        for (fragment, expected) in [
            ("the token is accepted", "The token is accepted."),
            ("ann@example.com is taken", "ann@example.com is taken."),
            (
                "x.example cannot be reached",
                "x.example cannot be reached.",
            ),
            ("refused.", "Refused."),
            ("", "."),
        ] {
            assert_eq!(sentence(fragment), expected);
        }
    }
}
