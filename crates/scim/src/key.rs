//! The canonical key of a text: what makes two spellings the same.
//!
//! **Is:** the one comparison of case-insensitive values, for filters, unique indexes and look-ups
//! alike. **Is not:** what is stored; values stay as the client wrote them.
//! **Start at** [`canonical`].

use std::borrow::Cow;

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;
use unicode_security::MixedScript;

/// Returns the key under which a text is compared and indexed: NFKC, Unicode case folding, trimmed.
///
/// Idempotent: the key of a key is itself.
pub fn canonical(text: &str) -> String {
    if text.is_ascii() {
        return text.trim().to_ascii_lowercase();
    }
    // trimming after folding, because NFKC turns other spaces into U+0020
    let folded = fold(text);
    folded.trim().to_owned()
}

/// Returns the text folded for sub-string tests: like [`canonical`], but spaces at the ends count.
pub fn fold(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    // one pass over NFKC may leave a text that is not NFKC again; a few passes reach the fixed
    // point, and the bound keeps a surprise in the Unicode tables from becoming a loop
    let mut folded = fold_once(text);
    for _ in 0..4 {
        let again = fold_once(&folded);
        if again == folded {
            break;
        }
        folded = again;
    }
    folded
}

fn fold_once(text: &str) -> String {
    text.nfkc().flat_map(fold_character).nfkc().collect()
}

/// Folds one character. The standard library has no case folding; lower of upper of lower agrees
/// with it except for the dotless `ı`, which must not become `i`.
fn fold_character(character: char) -> impl Iterator<Item = char> {
    let mut folded: Vec<char> = Vec::with_capacity(1);
    if character.is_ascii() {
        folded.push(character.to_ascii_lowercase());
    } else if character == 'ı' {
        folded.push(character);
    } else {
        for lower in character.to_lowercase() {
            for upper in lower.to_uppercase() {
                folded.extend(upper.to_lowercase());
            }
        }
    }
    folded.into_iter()
}

/// Returns whether a word of a text mixes scripts, such as a Latin one with a Cyrillic `а` in it: it may have been made to be taken for
/// another one. Words of one script each are nothing unusual: addresses have Latin domains everywhere (Unicode TS 39 §5.1).
pub fn mixes_scripts(text: &str) -> bool {
    text.split(|character: char| !character.is_alphanumeric() && !is_combining_mark(character))
        .any(|word| !word.is_single_script())
}

/// Returns whether a text has the given key, without building the text's key where that is avoidable.
pub(crate) fn has_key(text: &str, key: &str) -> bool {
    if text.is_ascii() {
        text.trim().eq_ignore_ascii_case(key)
    } else {
        canonical(text) == key
    }
}

/// Returns the folded text, borrowed when it is folded already.
pub(crate) fn folded(text: &str) -> Cow<'_, str> {
    if text
        .bytes()
        .all(|byte| byte.is_ascii() && !byte.is_ascii_uppercase())
    {
        Cow::Borrowed(text)
    } else {
        Cow::Owned(fold(text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn spellings_of_one_name_share_a_key_and_others_do_not() {
        let same = [
            ("Ann@Example.com ", "ann@example.COM"),
            ("STRASSE", "straße"),
            ("ẞ", "ss"),
            ("ΣΊΣΥΦΟΣ", "σίσυφος"),
            ("ﬁle", "FILE"),
            ("Ａnn", "ann"),
            ("e\u{301}", "É"),
            ("\u{a0}x", "x"),
            ("K", "k"),
        ];
        for (left, right) in same {
            assert_eq!(canonical(left), canonical(right), "{left:?} {right:?}");
        }
        assert_ne!(canonical("ı"), canonical("i"));
        assert_ne!(canonical("a"), canonical("а")); // the second is Cyrillic
    }

    #[test]
    fn a_word_of_two_scripts_is_noticed() {
        for plain in [
            "ann@example.com",
            "анна@example.com",
            "山田さくら",
            "e\u{301}va",
            "김민준.kim",
            "7",
            "",
        ] {
            assert!(!mixes_scripts(plain), "{plain}");
        }
        for mixed in ["аnn@example.com", "ann@eхample.com", "pаypal"] {
            assert!(mixes_scripts(mixed), "{mixed}");
        }
    }

    proptest! {
        #[test]
        fn the_key_of_a_key_is_itself(text in "\\PC{0,12}") {
            let key = canonical(&text);
            prop_assert_eq!(canonical(&key), key.clone());
            prop_assert!(has_key(&text, &key));
        }
    }
}
