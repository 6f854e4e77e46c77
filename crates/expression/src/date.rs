//! Dates without a format: reading, writing, counting.
//!
//! **Is:** the texts that `CDate` takes, the invariant text form, intervals with the arithmetic of Visual Basic .NET, file
//! times. **Is not:** custom formats; those are in `date_format`. Everything is UTC.

use jiff::civil::DateTime;
use jiff::{SignedDuration, Span};

/// Why a text is not a date.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NotADate {
    #[error("not a date: write `2020-03-16`, `2020-03-16T07:00:00Z` or `3/16/2020 7:00:00 AM`")]
    Malformed,
    #[error("no such day or time, or one beyond the years 1 to 9999")]
    OutOfRange,
}

/// Reads what is left of a text.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cursor<'a> {
    pub(crate) rest: &'a str,
}

impl<'a> Cursor<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        Self { rest: text }
    }

    /// Takes `fewest` to `most` digits, as many as there are.
    fn take_digits(&mut self, fewest: usize, most: usize) -> Option<&'a str> {
        let digits = self.rest.bytes().take(most);
        let length = digits.take_while(u8::is_ascii_digit).count();
        if length < fewest {
            return None;
        }
        let (digits, rest) = self.rest.split_at_checked(length)?;
        self.rest = rest;
        Some(digits)
    }

    /// Reads a number of `fewest` to `most` digits, as many as there are; `most` is at most 9.
    pub(crate) fn digits(&mut self, fewest: usize, most: usize) -> Option<i32> {
        self.take_digits(fewest, most)?.parse().ok()
    }

    /// Reads the digits behind a decimal point as nanoseconds; those beyond the ninth count for nothing.
    pub(crate) fn fraction(&mut self, fewest: usize, most: usize) -> Option<i32> {
        let digits = self.take_digits(fewest, most)?;
        let mut nanoseconds = 0;
        for place in 0..9 {
            let digit = digits.as_bytes().get(place).map_or(0, |byte| byte - b'0');
            nanoseconds = nanoseconds * 10 + i32::from(digit);
        }
        Some(nanoseconds)
    }

    /// Reads `+05:30`, `-0700`, `+01`: seconds east of UTC.
    pub(crate) fn offset(&mut self) -> Option<i32> {
        let sign = if self.eat("+") {
            1
        } else if self.eat("-") {
            -1
        } else {
            return None;
        };
        let hours = self.digits(2, 2)?;
        let minutes = if self.eat(":") {
            self.digits(2, 2)?
        } else {
            self.digits(2, 2).unwrap_or(0)
        };
        (hours <= 14 && minutes < 60).then_some(sign * (hours * 3_600 + minutes * 60))
    }

    /// Goes past `text` when it is next.
    pub(crate) fn eat(&mut self, text: &str) -> bool {
        match self.rest.strip_prefix(text) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    /// Goes past `text` when it is next, in capitals or not.
    pub(crate) fn eat_ignoring_case(&mut self, text: &str) -> bool {
        match self.rest.split_at_checked(text.len()) {
            Some((next, rest)) if next.eq_ignore_ascii_case(text) => {
                self.rest = rest;
                true
            }
            _ => false,
        }
    }

    pub(crate) fn skip_space(&mut self) {
        self.rest = self.rest.trim_start();
    }
}

/// The parts of a date before they are known to make one.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Parts {
    pub(crate) year: i32,
    pub(crate) month: i32,
    pub(crate) day: i32,
    pub(crate) hour: i32,
    pub(crate) minute: i32,
    pub(crate) second: i32,
    pub(crate) nanosecond: i32,
    /// Seconds east of UTC.
    pub(crate) offset: i32,
}

impl Parts {
    pub(crate) fn day(year: i32, month: i32, day: i32) -> Self {
        Self {
            year,
            month,
            day,
            hour: 0,
            minute: 0,
            second: 0,
            nanosecond: 0,
            offset: 0,
        }
    }

    /// Makes the date, in UTC.
    pub(crate) fn date(self) -> Result<DateTime, NotADate> {
        let small = |number: i32| i8::try_from(number).map_err(|_| NotADate::OutOfRange);
        let year = i16::try_from(self.year).map_err(|_| NotADate::OutOfRange)?;
        let local = DateTime::new(
            year,
            small(self.month)?,
            small(self.day)?,
            small(self.hour)?,
            small(self.minute)?,
            small(self.second)?,
            self.nanosecond,
        )
        .map_err(|_| NotADate::OutOfRange)?;
        let date = local
            .checked_sub(SignedDuration::from_secs(self.offset.into()))
            .map_err(|_| NotADate::OutOfRange)?;
        in_range(date).ok_or(NotADate::OutOfRange)
    }
}

fn in_range(date: DateTime) -> Option<DateTime> {
    (date.year() >= 1).then_some(date)
}

/// Tells whether a text is a date in a form that `CDate` takes: `2020-03-16`, `2020-03-16T07:00:00Z`, `3/16/2020 7:00:00 AM`.
pub fn is_date(text: &str) -> bool {
    parse(text).is_ok()
}

/// Reads a date as `CDate` does: ISO 8601, also a day with an offset, or the invariant text form. No zone means UTC.
pub(crate) fn parse(text: &str) -> Result<DateTime, NotADate> {
    let text = text.trim();
    let parts = iso(text)
        .or_else(|| invariant(text))
        .ok_or(NotADate::Malformed)?;
    parts.date()
}

fn iso(text: &str) -> Option<Parts> {
    let mut cursor = Cursor::new(text);
    let year = cursor.digits(4, 4)?;
    let month = cursor.eat("-").then(|| cursor.digits(2, 2))??;
    let day = cursor.eat("-").then(|| cursor.digits(2, 2))??;
    let mut parts = Parts::day(year, month, day);
    if cursor.eat("T") || cursor.eat("t") || cursor.eat(" ") {
        parts.hour = cursor.digits(2, 2)?;
        parts.minute = cursor.eat(":").then(|| cursor.digits(2, 2))??;
        if cursor.eat(":") {
            parts.second = cursor.digits(2, 2)?;
            if cursor.eat(".") {
                parts.nanosecond = cursor.fraction(1, 30)?;
            }
        }
        cursor.skip_space();
    }
    if !cursor.rest.is_empty() && !cursor.eat_ignoring_case("Z") {
        parts.offset = cursor.offset()?;
    }
    cursor.rest.is_empty().then_some(parts)
}

fn invariant(text: &str) -> Option<Parts> {
    let mut cursor = Cursor::new(text);
    let month = cursor.digits(1, 2)?;
    let day = cursor.eat("/").then(|| cursor.digits(1, 2))??;
    let year = cursor.eat("/").then(|| cursor.digits(4, 4))??;
    let mut parts = Parts::day(year, month, day);
    if cursor.rest.is_empty() {
        return Some(parts);
    }
    cursor.skip_space();
    parts.hour = cursor.digits(1, 2)?;
    parts.minute = cursor.eat(":").then(|| cursor.digits(2, 2))??;
    if cursor.eat(":") {
        parts.second = cursor.digits(2, 2)?;
    }
    cursor.skip_space();
    let morning = cursor.eat_ignoring_case("AM");
    if morning || cursor.eat_ignoring_case("PM") {
        if !(1..=12).contains(&parts.hour) {
            return None;
        }
        parts.hour = parts.hour % 12 + if morning { 0 } else { 12 };
    }
    cursor.rest.is_empty().then_some(parts)
}

/// Writes the invariant text form: `3/16/2020 7:00:00 AM`.
pub(crate) fn text(date: DateTime) -> String {
    let hour = match date.hour() % 12 {
        0 => 12,
        hour => hour,
    };
    let half = if date.hour() < 12 { "AM" } else { "PM" };
    format!(
        "{}/{}/{:04} {hour}:{:02}:{:02} {half}",
        date.month(),
        date.day(),
        date.year(),
        date.minute(),
        date.second()
    )
}

/// A unit in which dates are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Interval {
    Year,
    Month,
    Week,
    Day,
    Hour,
    Minute,
    Second,
}

impl Interval {
    const ALL: [(&'static str, Self); 7] = [
        ("yyyy", Self::Year),
        ("m", Self::Month),
        ("ww", Self::Week),
        ("d", Self::Day),
        ("h", Self::Hour),
        ("n", Self::Minute),
        ("s", Self::Second),
    ];

    /// Finds the interval of that name; case matters.
    pub(crate) fn find(name: &str) -> Result<Self, String> {
        if let Some((_, interval)) = Self::ALL.iter().find(|(text, _)| *text == name) {
            return Ok(*interval);
        }
        let names: Vec<String> = Self::ALL
            .iter()
            .map(|(text, _)| format!("`{text}`"))
            .collect();
        let hint = match name {
            "M" | "mm" | "MM" => "; months are `m`, minutes are `n`",
            "y" | "w" | "q" => "; that one belongs to the Connect sync dialect",
            _ => "",
        };
        Err(format!("an interval is one of {}{hint}", names.join(", ")))
    }

    /// Adds `count` of them; a day that the month does not have becomes its last. `None` beyond the years 1 to 9999.
    pub(crate) fn add(self, date: DateTime, count: i64) -> Option<DateTime> {
        let span = match self {
            Self::Year => Span::new().try_years(count),
            Self::Month => Span::new().try_months(count),
            Self::Week => Span::new().try_weeks(count),
            Self::Day => Span::new().try_days(count),
            Self::Hour => Span::new().try_hours(count),
            Self::Minute => Span::new().try_minutes(count),
            Self::Second => Span::new().try_seconds(count),
        };
        in_range(date.checked_add(span.ok()?).ok()?)
    }

    /// Counts how many of them lie between two dates, as Visual Basic .NET does.
    ///
    /// Years and months are differences of calendar numbers; weeks are counted from Sunday to Sunday; the rest is elapsed
    /// time, cut toward zero.
    pub(crate) fn between(self, from: DateTime, to: DateTime) -> i64 {
        let years = i64::from(to.year()) - i64::from(from.year());
        let seconds = elapsed_ticks(from, to) / TICKS;
        let whole = match self {
            Self::Year => years.into(),
            Self::Month => {
                i128::from(years) * 12 + i128::from(to.month()) - i128::from(from.month())
            }
            Self::Week => {
                let weekday = |date: DateTime| i128::from(date.weekday().to_sunday_zero_offset());
                let ticks =
                    elapsed_ticks(from, to) + (weekday(from) - weekday(to)) * 86_400 * TICKS;
                ticks / TICKS / 86_400 / 7
            }
            Self::Day => seconds / 86_400,
            Self::Hour => seconds / 3_600,
            Self::Minute => seconds / 60,
            Self::Second => seconds,
        };
        // ten thousand years of seconds fit
        i64::try_from(whole).unwrap_or_default()
    }
}

/// Ticks of 100 nanoseconds in a second.
const TICKS: i128 = 10_000_000;

fn elapsed_ticks(from: DateTime, to: DateTime) -> i128 {
    to.duration_since(from).as_nanos() / 100
}

/// The beginning of Windows file times.
const FILE_TIME_BEGIN: DateTime = DateTime::constant(1601, 1, 1, 0, 0, 0, 0);

/// Returns the Windows file time: ticks of 100 nanoseconds since 1601.
pub(crate) fn file_time(date: DateTime) -> i128 {
    elapsed_ticks(FILE_TIME_BEGIN, date)
}

/// Returns the date of a Windows file time; `None` beyond the years 1 to 9999.
pub(crate) fn from_file_time(ticks: i128) -> Option<DateTime> {
    let seconds = i64::try_from(ticks.div_euclid(TICKS)).ok()?;
    let nanoseconds = i32::try_from(ticks.rem_euclid(TICKS) * 100).ok()?;
    let since = SignedDuration::new(seconds, nanoseconds);
    in_range(FILE_TIME_BEGIN.checked_add(since).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_read_in_every_form_of_the_service() {
        for (written, expected) in [
            ("2020-03-16", "3/16/2020 12:00:00 AM"),
            ("2020-03-16-07:00", "3/16/2020 7:00:00 AM"),
            ("2020-03-16Z", "3/16/2020 12:00:00 AM"),
            ("2020-03-16T07:08", "3/16/2020 7:08:00 AM"),
            (
                "2020-03-16 07:08:09.1234567891 +01:00",
                "3/16/2020 6:08:09 AM",
            ),
            ("3/16/2020", "3/16/2020 12:00:00 AM"),
            ("03/16/2020 12:00 am", "3/16/2020 12:00:00 AM"),
            ("3/16/2020 17:00:01", "3/16/2020 5:00:01 PM"),
            (" 9999-12-31T23:59:59Z ", "12/31/9999 11:59:59 PM"),
        ] {
            assert_eq!(
                parse(written).map(text).as_deref(),
                Ok(expected),
                "{written}"
            );
        }
        for wrong in [
            "",
            "2020",
            "2020-13-01x",
            "16.3.2020",
            "2020-03-16T",
            "3/16/2020 13:00 PM",
            "２０２０-03-16",
            "2020-03-16+15:00",
        ] {
            assert_eq!(parse(wrong), Err(NotADate::Malformed), "{wrong}");
        }
        for beyond in [
            "2020-02-30",
            "0000-01-01",
            "9999-12-31T23:59:59-01:00",
            "0001-01-01+01:00",
            "2020-03-16T24:00:00",
        ] {
            assert_eq!(parse(beyond), Err(NotADate::OutOfRange), "{beyond}");
        }
    }

    #[test]
    fn months_are_added_to_the_last_day_that_there_is() {
        let date = |text| parse(text).unwrap();
        assert_eq!(
            Interval::Month.add(date("2023-01-31"), 1),
            Some(date("2023-02-28"))
        );
        assert_eq!(
            Interval::Year.add(date("2024-02-29"), -1),
            Some(date("2023-02-28"))
        );
        assert_eq!(Interval::Year.add(date("9999-01-01"), 1), None);
        assert_eq!(Interval::Day.add(date("0001-01-01"), -1), None);
        assert_eq!(Interval::Second.add(date("2024-01-01"), i64::MAX), None);
    }

    #[test]
    fn file_times_come_back_to_the_same_date() {
        for ticks in [0, 129_699_324_000_000_000, 116_444_736_000_000_001, -5] {
            assert_eq!(file_time(from_file_time(ticks).unwrap()), ticks);
        }
        assert_eq!(from_file_time(i128::from(i64::MAX)), None);
    }
}
