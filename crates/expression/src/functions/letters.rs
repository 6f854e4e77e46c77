//! Letters: case and accents.
//!
//! **Is:** pure functions from text to text. **Is not:** arguments; `texts` has those.

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// Whether the casing rules of a culture are the Turkish ones, where i and ı are two letters.
fn is_turkish(culture: &str) -> bool {
    let language = culture.split('-').next().unwrap_or_default();
    language.eq_ignore_ascii_case("tr") || language.eq_ignore_ascii_case("az")
}

/// Lowers every letter by itself, as .NET does: no letter becomes two.
pub(crate) fn lower(text: &str, culture: &str) -> String {
    let turkish = is_turkish(culture);
    text.chars()
        .map(|character| match character {
            'I' if turkish => 'ı',
            'İ' => 'i',
            other => {
                let mut lower = other.to_lowercase();
                match (lower.next(), lower.next()) {
                    (Some(single), None) => single,
                    _ => other,
                }
            }
        })
        .collect()
}

fn upper_letter(letter: char) -> char {
    let mut upper = letter.to_uppercase();
    match (upper.next(), upper.next()) {
        (Some(single), None) => single,
        _ => letter,
    }
}

/// Raises every letter by itself, as .NET does: `ß` stays.
pub(crate) fn upper(text: &str, culture: &str) -> String {
    let turkish = is_turkish(culture);
    text.chars()
        .map(|character| {
            if turkish && character == 'i' {
                'İ'
            } else {
                upper_letter(character)
            }
        })
        .collect()
}

/// Raises the first letter of each word and lowers the others.
///
/// With no separators of its own, everything separates that is neither letter, digit, mark nor apostrophe.
pub(crate) fn proper(text: &str, separators: Option<&str>) -> String {
    let separates = |character: char| match separators {
        Some(separators) => separators.contains(character),
        None => {
            !(character.is_alphanumeric()
                || is_combining_mark(character)
                || matches!(character, '\'' | '’'))
        }
    };
    let mut inside = false;
    lower(text, "")
        .chars()
        .map(|character| {
            if separates(character) {
                inside = false;
            } else if character.is_alphabetic() && !inside {
                inside = true;
                return upper_letter(character);
            }
            character
        })
        .collect()
}

/// Writes Latin letters without their accents; other scripts keep their marks.
pub(crate) fn without_accents(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut latin = false;
    for character in text.nfd() {
        if is_combining_mark(character) {
            if !latin {
                out.push(character);
            }
            continue;
        }
        let plain = match character {
            'æ' => "ae",
            'Æ' => "AE",
            'œ' | 'ø' => "oe",
            'Œ' | 'Ø' => "OE",
            'ß' => "ss",
            'ẞ' => "SS",
            'ł' => "l",
            'Ł' => "L",
            'ı' => "i",
            other => {
                latin = other.is_ascii_alphabetic();
                out.push(other);
                continue;
            }
        };
        latin = true;
        out.push_str(plain);
    }
    out.nfc().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accents_of_latin_letters_go_and_other_scripts_stay() {
        for (text, plain) in [
            ("Čapek Ňørđ Þór", "Capek Noerđ Þor"),
            ("Ǿ ǽ", "OE ae"),
            ("Андрей ё", "Андрей ё"),
            ("Ωμέγα", "Ωμέγα"),
            ("한국어", "한국어"),
            ("e\u{301}\u{300}", "e"),
            ("\u{301}x", "\u{301}x"),
        ] {
            assert_eq!(without_accents(text), plain, "{text}");
        }
    }

    #[test]
    fn words_begin_with_a_capital() {
        for (text, separators, proper_case) in [
            ("st john's", None, "St John's"),
            ("MARÍA del-río_x", None, "María Del-Río_X"),
            ("MARÍA DEL-RÍO", Some(" "), "María Del-río"),
            ("straße ÉCOLE", None, "Straße École"),
            ("1st (ǆ)", None, "1St (Ǆ)"),
        ] {
            assert_eq!(proper(text, separators), proper_case, "{text}");
        }
    }
}
