//! An exact decimal number.
//!
//! **Is:** what attributes and literals hold; file times and identifiers keep every digit. **Is not:** arithmetic: the
//! language has none, so a number is read, compared and written.
//! **Start at** [`Number`].

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

/// Digits that a number may have, before and after the point together.
const DIGITS: usize = 28;

/// An exact decimal of at most 28 digits.
///
/// Equal numbers are equal values: `1.50` and `1.5` are the same, and so are their texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Number {
    /// The digits without the point.
    digits: i128,
    /// How many of them stand after the point. INVARIANT: at most 28; the last digit is not zero unless it is 0.
    scale: u32,
}

/// Why a text is not a [`Number`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotANumber {
    /// It has another form than digits with an optional sign and point.
    #[error("not a decimal number")]
    Malformed,
    /// It has more than 28 digits.
    #[error("a number of more than 28 digits")]
    TooLong,
}

impl Number {
    fn new(mut digits: i128, mut scale: u32) -> Self {
        while scale > 0 && digits % 10 == 0 {
            digits /= 10;
            scale -= 1;
        }
        Self { digits, scale }
    }

    /// Returns the number when it is whole.
    pub fn integer(&self) -> Option<i128> {
        (self.scale == 0).then_some(self.digits)
    }

    /// Whether the number is zero.
    pub fn is_zero(&self) -> bool {
        self.digits == 0
    }

    /// Reads hexadecimal digits, as they follow `&H` in an expression.
    ///
    /// # Errors
    /// When there is none, another character, or more than sixteen.
    pub fn from_hexadecimal(text: &str) -> Result<Self, NotANumber> {
        if text.len() > 16 {
            return Err(NotANumber::TooLong);
        }
        if !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(NotANumber::Malformed);
        }
        i128::from_str_radix(text, 16)
            .map(Self::from)
            .map_err(|_| NotANumber::Malformed)
    }

    /// Reads a number of a JSON document, which may have an exponent.
    ///
    /// Returns `None` when it has no exact decimal of 28 digits.
    pub(crate) fn from_json(number: &serde_json::Number) -> Option<Self> {
        let text = number.to_string();
        let Some((mantissa, exponent)) = text.split_once(['e', 'E']) else {
            return text.parse().ok();
        };
        let mantissa: Self = mantissa.parse().ok()?;
        let exponent: i64 = exponent.parse().ok()?;
        if mantissa.is_zero() {
            return Some(mantissa);
        }
        let shift = exponent - i64::from(mantissa.scale);
        let digits = if shift > 0 {
            let factor = 10_i128.checked_pow(u32::try_from(shift).ok()?)?;
            mantissa.digits.checked_mul(factor)?
        } else {
            mantissa.digits
        };
        let scale = u32::try_from((-shift).max(0)).ok()?;
        let limit = 10_u128.pow(28);
        (digits.unsigned_abs() < limit && scale <= 28).then(|| Self::new(digits, scale))
    }

    /// Returns the JSON form: a number while every reader keeps it exact, else its text.
    ///
    /// Whole numbers beyond 2^53 lose digits in readers that hold numbers as binary floating point.
    pub(crate) fn to_json(self) -> serde_json::Value {
        let exact = 1_i128 << 53;
        match self.integer() {
            Some(whole) if whole.abs() <= exact => i64::try_from(whole)
                .map_or_else(|_| self.to_string().into(), serde_json::Value::from),
            Some(_) => self.to_string().into(),
            None => {
                let text = self.to_string();
                text.parse::<f64>()
                    .ok()
                    .filter(|float| float.to_string() == text)
                    .and_then(serde_json::Number::from_f64)
                    .map_or_else(|| text.into(), serde_json::Value::Number)
            }
        }
    }
}

impl From<i128> for Number {
    fn from(whole: i128) -> Self {
        Self {
            digits: whole,
            scale: 0,
        }
    }
}

impl From<i64> for Number {
    fn from(whole: i64) -> Self {
        i128::from(whole).into()
    }
}

impl From<usize> for Number {
    fn from(count: usize) -> Self {
        i128::try_from(count).unwrap_or(i128::MAX).into()
    }
}

impl FromStr for Number {
    type Err = NotANumber;

    /// Reads `-12`, `12.50`, `.5`, `+7`; no exponent, no grouping, no white space.
    fn from_str(text: &str) -> Result<Self, NotANumber> {
        let (negative, body) = match text.as_bytes().first() {
            Some(b'-') => (true, text.get(1..).unwrap_or_default()),
            Some(b'+') => (false, text.get(1..).unwrap_or_default()),
            _ => (false, text),
        };
        let (whole, fraction) = match body.split_once('.') {
            Some((_, "")) => return Err(NotANumber::Malformed),
            Some(parts) => parts,
            None => (body, ""),
        };
        if whole.is_empty() && fraction.is_empty() {
            return Err(NotANumber::Malformed);
        }
        let mut digits: i128 = 0;
        let mut significant = 0;
        for byte in whole.bytes().chain(fraction.bytes()) {
            if !byte.is_ascii_digit() {
                return Err(NotANumber::Malformed);
            }
            if digits != 0 || byte != b'0' {
                significant += 1;
            }
            if significant > DIGITS {
                return Err(NotANumber::TooLong);
            }
            digits = digits * 10 + i128::from(byte - b'0');
        }
        if fraction.len() > DIGITS {
            return Err(NotANumber::TooLong);
        }
        let scale = u32::try_from(fraction.len()).map_err(|_| NotANumber::TooLong)?;
        Ok(Self::new(if negative { -digits } else { digits }, scale))
    }
}

impl fmt::Display for Number {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.scale == 0 {
            return write!(formatter, "{}", self.digits);
        }
        let sign = if self.digits < 0 { "-" } else { "" };
        let unit = 10_u128.pow(self.scale);
        let digits = self.digits.unsigned_abs();
        let width = usize::try_from(self.scale).unwrap_or(DIGITS);
        write!(
            formatter,
            "{sign}{}.{:0width$}",
            digits / unit,
            digits % unit
        )
    }
}

impl Ord for Number {
    fn cmp(&self, other: &Self) -> Ordering {
        let sides = |number: &Self| {
            let unit = 10_i128.pow(number.scale);
            (
                number.digits.div_euclid(unit),
                number.digits.rem_euclid(unit),
                unit,
            )
        };
        let (whole, part, unit) = sides(self);
        let (other_whole, other_part, other_unit) = sides(other);
        // both parts are below 10^28; scaled to the same unit they stay below 10^28 as well
        let common = unit.max(other_unit);
        whole
            .cmp(&other_whole)
            .then_with(|| (part * (common / unit)).cmp(&(other_part * (common / other_unit))))
    }
}

impl PartialOrd for Number {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_compared_and_written_exactly() {
        for (text, written) in [
            ("7", "7"),
            ("-7", "-7"),
            ("+7", "7"),
            ("007", "7"),
            ("1.50", "1.5"),
            (".5", "0.5"),
            ("-0.050", "-0.05"),
            ("9223372036854775807", "9223372036854775807"),
            ("0000000000000000000000000000000000000000", "0"),
        ] {
            let number: Number = text.parse().unwrap();
            assert_eq!(number.to_string(), written, "{text}");
        }
        for text in [
            "",
            "-",
            ".",
            "1.",
            "1e3",
            "1,000",
            " 1",
            "１",
            "0x1",
            &"9".repeat(29),
        ] {
            assert!(text.parse::<Number>().is_err(), "{text}");
        }
        let sorted = ["-10", "-9.5", "-9.25", "0", "0.5", "9", "10"]
            .map(|text| text.parse::<Number>().unwrap());
        assert!(sorted.is_sorted());
    }

    #[test]
    fn json_numbers_keep_their_value_or_become_text() {
        for (json, written) in [
            ("1042", "1042"),
            ("1e3", "1000"),
            ("1.5E-2", "0.015"),
            ("-0", "0"),
            ("1.0", "1"),
        ] {
            let number: serde_json::Number = serde_json::from_str(json).unwrap();
            assert_eq!(
                Number::from_json(&number).unwrap().to_string(),
                written,
                "{json}"
            );
        }
        assert_eq!(
            Number::from_json(&serde_json::from_str("1e300").unwrap()),
            None
        );
        assert_eq!(
            "0.1".parse::<Number>().unwrap().to_json(),
            serde_json::json!(0.1)
        );
        let large = 134_117_171_990_000_000_i64;
        assert_eq!(
            Number::from(large).to_json(),
            serde_json::json!("134117171990000000")
        );
    }
}
