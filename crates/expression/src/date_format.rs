//! Custom date formats of .NET, with the names of the invariant culture.
//!
//! **Is:** [`Format`], which reads and writes dates in UTC; the styles that may come with it. **Is not:** cultures.
//! **Start at** [`Format::read`] and [`Format::write`].

use std::fmt::Write as _;

use jiff::civil::DateTime;

use crate::date::{Cursor, NotADate, Parts};

/// Longest format, in characters.
const LONGEST: usize = 128;

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

const DAYS: [&str; 7] = [
    "Sunday",
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
];

/// What is wrong with a format.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Malformed {
    #[error("a date format cannot be empty")]
    Empty,
    #[error("a date format has at most 128 characters")]
    TooLong,
    #[error("`{0}` alone is not a standard date format")]
    Standard(char),
    #[error("a fraction of a second has at most seven digits")]
    Fraction,
    #[error("a quoted part of the date format is not closed")]
    Quote,
    #[error("a date format cannot end in `{0}`")]
    End(char),
}

/// Why a text does not fit a format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unfit {
    #[error("the text does not have the input format")]
    Form,
    #[error("the text gives two different values for one part of the date")]
    Contradiction,
    #[error(transparent)]
    Date(#[from] NotADate),
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Literal(char),
    /// One to three or more letters: `d` 7, `dd` 07, `ddd` Fri, `dddd` Friday.
    Day(usize),
    Month(usize),
    Year(usize),
    Hour12(usize),
    Hour24(usize),
    Minute(usize),
    Second(usize),
    /// `f`: exactly so many digits.
    Fraction(usize),
    /// `F`: at most so many digits, none when they are zeros.
    ShortFraction(usize),
    Half(usize),
    Offset(usize),
    /// `K`: `Z`, an offset or nothing.
    Zone,
    Era,
}

/// A custom date format.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Format(Vec<Piece>);

impl Format {
    /// Reads a format; a single letter is one of .NET's standard formats.
    pub(crate) fn parse(text: &str) -> Result<Self, Malformed> {
        let mut characters = text.chars();
        let text = match (characters.next(), characters.next()) {
            (None, _) => return Err(Malformed::Empty),
            (Some(letter), None) => standard(letter).ok_or(Malformed::Standard(letter))?,
            _ if text.chars().count() > LONGEST => return Err(Malformed::TooLong),
            _ => text,
        };
        let mut pieces = Vec::new();
        let mut characters = text.chars().peekable();
        while let Some(character) = characters.next() {
            match character {
                quote @ ('\'' | '"') => loop {
                    match characters.next() {
                        None => return Err(Malformed::Quote),
                        Some(end) if end == quote => break,
                        Some('\\') => match characters.next() {
                            Some(escaped) => pieces.push(Piece::Literal(escaped)),
                            None => return Err(Malformed::Quote),
                        },
                        Some(other) => pieces.push(Piece::Literal(other)),
                    }
                },
                '\\' => match characters.next() {
                    Some(escaped) => pieces.push(Piece::Literal(escaped)),
                    None => return Err(Malformed::End('\\')),
                },
                '%' => {
                    // makes a custom format of the letter that follows
                    if characters.peek().is_none_or(|next| *next == '%') {
                        return Err(Malformed::End('%'));
                    }
                }
                letter if letter.is_ascii_alphabetic() => {
                    let mut count = 1;
                    while characters.next_if_eq(&letter).is_some() {
                        count += 1;
                    }
                    match piece(letter, count) {
                        Some(Piece::Fraction(8..) | Piece::ShortFraction(8..)) => {
                            return Err(Malformed::Fraction);
                        }
                        Some(piece) => pieces.push(piece),
                        None => pieces.extend(std::iter::repeat_n(Piece::Literal(letter), count)),
                    }
                }
                other => pieces.push(Piece::Literal(other)),
            }
        }
        Ok(Self(pieces))
    }

    /// Reads a date. Parts that the format lacks are those of the beginning; without any day, those of `today`.
    pub(crate) fn read(
        &self,
        text: &str,
        styles: Styles,
        today: DateTime,
    ) -> Result<DateTime, Unfit> {
        let mut cursor = Cursor::new(text);
        if styles.leading {
            cursor.skip_space();
        }
        let mut found = Found::default();
        for (index, piece) in self.0.iter().enumerate() {
            if styles.inner {
                cursor.skip_space();
            }
            // the point before a fraction that may be missing may be missing as well
            if *piece == Piece::Literal('.')
                && matches!(self.0.get(index + 1), Some(Piece::ShortFraction(_)))
                && !cursor.rest.starts_with('.')
            {
                continue;
            }
            found.read(piece, &mut cursor)?;
        }
        if styles.trailing {
            cursor.skip_space();
        }
        if !cursor.rest.is_empty() {
            return Err(Unfit::Form);
        }
        let default = if styles.no_current_date {
            None
        } else {
            Some(today)
        };
        found.date(default)
    }

    /// Writes a date.
    pub(crate) fn write(&self, date: DateTime) -> String {
        let mut out = String::new();
        for piece in &self.0 {
            write_piece(piece, date, &mut out);
        }
        out
    }
}

fn standard(letter: char) -> Option<&'static str> {
    Some(match letter {
        'd' => "MM/dd/yyyy",
        'D' => "dddd, dd MMMM yyyy",
        'f' => "dddd, dd MMMM yyyy HH:mm",
        'F' | 'U' => "dddd, dd MMMM yyyy HH:mm:ss",
        'g' => "MM/dd/yyyy HH:mm",
        'G' => "MM/dd/yyyy HH:mm:ss",
        'm' | 'M' => "MMMM dd",
        'o' | 'O' => "yyyy-MM-ddTHH:mm:ss.fffffffK",
        'r' | 'R' => "ddd, dd MMM yyyy HH:mm:ss 'GMT'",
        's' => "yyyy-MM-ddTHH:mm:ss",
        't' => "HH:mm",
        'T' => "HH:mm:ss",
        'u' => "yyyy-MM-dd HH:mm:ss'Z'",
        'y' | 'Y' => "yyyy MMMM",
        _ => return None,
    })
}

fn piece(letter: char, count: usize) -> Option<Piece> {
    Some(match letter {
        'd' => Piece::Day(count),
        'M' => Piece::Month(count),
        'y' => Piece::Year(count),
        'h' => Piece::Hour12(count),
        'H' => Piece::Hour24(count),
        'm' => Piece::Minute(count),
        's' => Piece::Second(count),
        'f' => Piece::Fraction(count),
        'F' => Piece::ShortFraction(count),
        't' => Piece::Half(count),
        'z' => Piece::Offset(count),
        'K' if count == 1 => Piece::Zone,
        'g' => Piece::Era,
        _ => return None,
    })
}

/// What a text has said so far.
#[derive(Debug, Default)]
struct Found {
    year: Option<i32>,
    month: Option<i32>,
    day: Option<i32>,
    weekday: Option<i32>,
    hour12: Option<i32>,
    hour24: Option<i32>,
    minute: Option<i32>,
    second: Option<i32>,
    nanosecond: Option<i32>,
    /// 0 before noon, 1 after.
    half: Option<i32>,
    offset: Option<i32>,
}

impl Found {
    fn read(&mut self, piece: &Piece, cursor: &mut Cursor<'_>) -> Result<(), Unfit> {
        let number = |cursor: &mut Cursor<'_>, count: usize| {
            cursor.digits(count.min(2), 2).ok_or(Unfit::Form)
        };
        match *piece {
            Piece::Literal(character) => {
                let mut buffer = [0; 4];
                if !cursor.eat(character.encode_utf8(&mut buffer)) {
                    return Err(Unfit::Form);
                }
                Ok(())
            }
            Piece::Day(count @ 1..=2) => once(&mut self.day, number(cursor, count)?),
            Piece::Day(count) => once(&mut self.weekday, name(cursor, &DAYS, count == 3)?),
            Piece::Month(count @ 1..=2) => once(&mut self.month, number(cursor, count)?),
            Piece::Month(count) => once(&mut self.month, name(cursor, &MONTHS, count == 3)? + 1),
            Piece::Year(count @ 1..=2) => {
                let year = number(cursor, count)?;
                // the turn of .NET's invariant calendar
                once(
                    &mut self.year,
                    if year < 50 { 2000 + year } else { 1900 + year },
                )
            }
            Piece::Year(count) => {
                let fewest = if count == 3 { 3 } else { count };
                let most = if count == 3 { 4 } else { count };
                if count > 9 {
                    return Err(Unfit::Form);
                }
                once(
                    &mut self.year,
                    cursor.digits(fewest, most).ok_or(Unfit::Form)?,
                )
            }
            Piece::Hour12(count) => once(&mut self.hour12, number(cursor, count)?),
            Piece::Hour24(count) => once(&mut self.hour24, number(cursor, count)?),
            Piece::Minute(count) => once(&mut self.minute, number(cursor, count)?),
            Piece::Second(count) => once(&mut self.second, number(cursor, count)?),
            Piece::Fraction(count) => {
                let nanoseconds = cursor.fraction(count, count).ok_or(Unfit::Form)?;
                once(&mut self.nanosecond, nanoseconds)
            }
            Piece::ShortFraction(count) => {
                let nanoseconds = cursor.fraction(0, count).ok_or(Unfit::Form)?;
                once(&mut self.nanosecond, nanoseconds)
            }
            Piece::Half(count) => {
                let (morning, afternoon) = if count == 1 { ("A", "P") } else { ("AM", "PM") };
                if cursor.eat_ignoring_case(morning) {
                    once(&mut self.half, 0)
                } else if cursor.eat_ignoring_case(afternoon) {
                    once(&mut self.half, 1)
                } else {
                    Err(Unfit::Form)
                }
            }
            Piece::Offset(count) => {
                let offset = if count >= 3 {
                    cursor.offset()
                } else {
                    hours(cursor, count)
                };
                once(&mut self.offset, offset.ok_or(Unfit::Form)?)
            }
            Piece::Zone => {
                if cursor.eat("Z") {
                    once(&mut self.offset, 0)
                } else if cursor.rest.starts_with(['+', '-']) {
                    once(&mut self.offset, cursor.offset().ok_or(Unfit::Form)?)
                } else {
                    Ok(())
                }
            }
            Piece::Era => {
                let era = cursor.eat_ignoring_case("A.D.") || cursor.eat_ignoring_case("AD");
                if era { Ok(()) } else { Err(Unfit::Form) }
            }
        }
    }

    fn hour(&self) -> Result<i32, Unfit> {
        let from_half = match self.hour12 {
            Some(hour @ 1..=12) => Some(hour % 12 + 12 * self.half.unwrap_or(0)),
            Some(_) => return Err(NotADate::OutOfRange.into()),
            None => None,
        };
        match (self.hour24, from_half) {
            (Some(hour), Some(other)) if hour != other => Err(Unfit::Contradiction),
            (Some(hour), None) if self.half.is_some_and(|half| (hour >= 12) != (half == 1)) => {
                Err(Unfit::Contradiction)
            }
            (Some(hour), _) | (None, Some(hour)) => Ok(hour),
            (None, None) => Ok(12 * self.half.unwrap_or(0)),
        }
    }

    fn date(&self, today: Option<DateTime>) -> Result<DateTime, Unfit> {
        let no_day = self.year.is_none() && self.month.is_none() && self.day.is_none();
        let (year, month, day) = match today {
            Some(today) if no_day => (
                today.year().into(),
                today.month().into(),
                today.day().into(),
            ),
            Some(today) => (today.year().into(), 1, 1),
            None => (1, 1, 1),
        };
        let mut parts = Parts::day(
            self.year.unwrap_or(year),
            self.month.unwrap_or(month),
            self.day.unwrap_or(day),
        );
        parts.hour = self.hour()?;
        parts.minute = self.minute.unwrap_or(0);
        parts.second = self.second.unwrap_or(0);
        parts.nanosecond = self.nanosecond.unwrap_or(0);
        let local = parts.date()?;
        let weekday = i32::from(local.weekday().to_sunday_zero_offset());
        if self.weekday.is_some_and(|named| named != weekday) {
            return Err(Unfit::Contradiction);
        }
        parts.offset = self.offset.unwrap_or(0);
        Ok(parts.date()?)
    }
}

/// Sets a part that has not been set to something else.
fn once(part: &mut Option<i32>, value: i32) -> Result<(), Unfit> {
    match part.replace(value) {
        Some(before) if before != value => Err(Unfit::Contradiction),
        _ => Ok(()),
    }
}

fn name(cursor: &mut Cursor<'_>, names: &[&str], short: bool) -> Result<i32, Unfit> {
    for (index, name) in names.iter().enumerate() {
        let name = if short {
            name.get(..3).unwrap_or(name)
        } else {
            name
        };
        if cursor.eat_ignoring_case(name) {
            return i32::try_from(index).map_err(|_| Unfit::Form);
        }
    }
    Err(Unfit::Form)
}

/// Reads `+1` or `+01`.
fn hours(cursor: &mut Cursor<'_>, count: usize) -> Option<i32> {
    let sign = if cursor.eat("+") {
        1
    } else if cursor.eat("-") {
        -1
    } else {
        return None;
    };
    let hours = cursor.digits(count, 2)?;
    (hours <= 14).then_some(sign * hours * 3_600)
}

fn write_piece(piece: &Piece, date: DateTime, out: &mut String) {
    let mut number = |value: i32, count: usize| {
        let width = count.min(2);
        let _ = write!(out, "{value:0width$}");
    };
    match *piece {
        Piece::Literal(character) => out.push(character),
        Piece::Day(count @ 1..=2) => number(date.day().into(), count),
        Piece::Day(count) => {
            out.push_str(named(
                &DAYS,
                date.weekday().to_sunday_zero_offset(),
                count == 3,
            ));
        }
        Piece::Month(count @ 1..=2) => number(date.month().into(), count),
        Piece::Month(count) => out.push_str(named(&MONTHS, date.month() - 1, count == 3)),
        Piece::Year(count @ 1..=2) => number(i32::from(date.year()) % 100, count),
        Piece::Year(count) => {
            let _ = write!(out, "{:0count$}", date.year());
        }
        Piece::Hour12(count) => {
            let hour = i32::from(date.hour()) % 12;
            number(if hour == 0 { 12 } else { hour }, count);
        }
        Piece::Hour24(count) => number(date.hour().into(), count),
        Piece::Minute(count) => number(date.minute().into(), count),
        Piece::Second(count) => number(date.second().into(), count),
        Piece::Fraction(count) => {
            let digits = format!("{:09}", date.subsec_nanosecond());
            out.push_str(digits.get(..count).unwrap_or(&digits));
        }
        Piece::ShortFraction(count) => {
            let digits = format!("{:09}", date.subsec_nanosecond());
            let digits = digits.get(..count).unwrap_or(&digits).trim_end_matches('0');
            if digits.is_empty() && out.ends_with('.') {
                out.pop();
            }
            out.push_str(digits);
        }
        Piece::Half(count) => {
            let half = if date.hour() < 12 { "AM" } else { "PM" };
            out.push_str(if count == 1 {
                half.get(..1).unwrap_or(half)
            } else {
                half
            });
        }
        Piece::Offset(1) => out.push_str("+0"),
        Piece::Offset(2) => out.push_str("+00"),
        Piece::Offset(_) => out.push_str("+00:00"),
        Piece::Zone => out.push('Z'),
        Piece::Era => out.push_str("A.D."),
    }
}

fn named(names: &[&'static str], index: i8, short: bool) -> &'static str {
    let name = usize::try_from(index)
        .ok()
        .and_then(|index| names.get(index))
        .copied();
    let name = name.unwrap_or_default();
    if short {
        name.get(..3).unwrap_or(name)
    } else {
        name
    }
}

/// The `DateTimeStyles` of .NET that make a difference where everything is UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "they are four independent flags of another system"
)]
pub(crate) struct Styles {
    leading: bool,
    trailing: bool,
    inner: bool,
    no_current_date: bool,
}

impl Default for Styles {
    /// What holds when the styles are left out.
    fn default() -> Self {
        Self {
            leading: true,
            trailing: true,
            inner: false,
            no_current_date: false,
        }
    }
}

const STYLES: [&str; 10] = [
    "None",
    "AllowLeadingWhite",
    "AllowTrailingWhite",
    "AllowInnerWhite",
    "AllowWhiteSpaces",
    "NoCurrentDateDefault",
    "AdjustToUniversal",
    "AssumeLocal",
    "AssumeUniversal",
    "RoundtripKind",
];

impl Styles {
    /// Reads names with commas between them; [`unknown_style`] tells whether they are names.
    pub(crate) fn parse(text: &str) -> Self {
        let has = |name: &str| text.split(',').any(|style| style.trim() == name);
        if text.trim().is_empty() {
            return Self::default();
        }
        let all = has("AllowWhiteSpaces");
        Self {
            leading: all || has("AllowLeadingWhite"),
            trailing: all || has("AllowTrailingWhite"),
            inner: all || has("AllowInnerWhite"),
            no_current_date: has("NoCurrentDateDefault"),
        }
    }
}

/// Returns the first name that is not a style.
pub(crate) fn unknown_style(text: &str) -> Option<&str> {
    text.split(',')
        .map(str::trim)
        .find(|style| !style.is_empty() && !STYLES.contains(style))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::date;

    fn format(text: &str) -> Format {
        Format::parse(text).unwrap()
    }

    fn read(text: &str, pattern: &str) -> Result<DateTime, Unfit> {
        let today = date::parse("2025-07-30T12:00:00Z").unwrap();
        format(pattern).read(text, Styles::default(), today)
    }

    #[test]
    fn dates_are_written_as_dot_net_writes_them() {
        let date = date::parse("2009-06-05T13:04:07.0500000Z").unwrap();
        for (pattern, written) in [
            ("yyyy-MM-dd", "2009-06-05"),
            ("d.M.yy", "5.6.09"),
            ("dddd, d MMMM yyyyy", "Friday, 5 June 02009"),
            ("ddd MMM y", "Fri Jun 9"),
            ("h:mm:ss tt", "1:04:07 PM"),
            ("HH:mm:ss.fff", "13:04:07.050"),
            ("s.FFF", "7.05"),
            ("zzz z zz K g", "+00:00 +0 +00 Z A.D."),
            ("'at' h \\h \"t\" %t", "at 1 h t P"),
            ("%d", "5"),
            ("o", "2009-06-05T13:04:07.0500000Z"),
            ("r", "Fri, 05 Jun 2009 13:04:07 GMT"),
        ] {
            assert_eq!(format(pattern).write(date), written, "{pattern}");
        }
    }

    #[test]
    fn dates_are_read_as_dot_net_reads_them() {
        for (text, pattern, expected) in [
            (
                "20150123105347.1Z",
                "yyyyMMddHHmmss.fZ",
                "2015-01-23T10:53:47.1Z",
            ),
            ("2020-12-31-08:00", "yyyy-MM-ddzzz", "2020-12-31T08:00:00Z"),
            ("2020-12-31+05:30", "yyyy-MM-ddK", "2020-12-30T18:30:00Z"),
            (
                " 12/31/2025 12:00:00 AM ",
                "M/d/yyyy hh:mm:ss tt",
                "2025-12-31",
            ),
            ("5 jun 49", "d MMM yy", "2049-06-05"),
            ("5 June 50", "d MMMM yy", "1950-06-05"),
            ("10:20", "H:mm", "2025-07-30T10:20:00Z"),
            ("Friday 2009-06-05", "dddd yyyy-MM-dd", "2009-06-05"),
            ("1:02:03", "h:mm:ss.FFF", "2025-07-30T01:02:03Z"),
        ] {
            assert_eq!(
                read(text, pattern),
                Ok(date::parse(expected).unwrap()),
                "{text} as {pattern}"
            );
        }
        for (text, pattern) in [
            ("2020-1-31", "yyyy-MM-dd"),
            ("2020-01-31x", "yyyy-MM-dd"),
            ("Monday 2009-06-05", "dddd yyyy-MM-dd"),
            ("2020-02-30", "yyyy-MM-dd"),
            ("13:00 PM", "h:mm tt"),
            ("13:00 AM", "H:mm tt"),
            ("1 2", "d d"),
            ("", "yyyy"),
        ] {
            assert!(read(text, pattern).is_err(), "{text} as {pattern}");
        }
    }

    #[test]
    fn a_format_that_dot_net_refuses_is_refused() {
        for wrong in [
            "",
            "x",
            "yyyy'",
            "yyyy\\",
            "yyyy%",
            "ffffffff",
            &"y".repeat(200),
        ] {
            assert!(Format::parse(wrong).is_err(), "{wrong}");
        }
        assert_eq!(unknown_style("RoundtripKind, AllowWhiteSpaces"), None);
        assert_eq!(unknown_style("AllowWhiteSpace"), Some("AllowWhiteSpace"));
    }
}
