//! Distinguished names, compared.

/// Brings a distinguished name (RFC 4514) into the form in which two spellings of it are equal: without spaces that do not count, in small
/// letters, every escape written alike, the parts of each step in order.
pub(super) fn canonical(name: &str) -> String {
    let mut steps = Vec::new();
    let (mut parts, mut part) = (Vec::new(), String::new());
    let mut characters = name.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '\\' => part.push_str(&escaped(&mut characters)),
            ',' | ';' | '+' => {
                parts.push(trimmed(&part));
                part.clear();
                if character != '+' {
                    steps.push(joined(std::mem::take(&mut parts)));
                }
            }
            other => part.extend(other.to_lowercase()),
        }
    }
    parts.push(trimmed(&part));
    steps.push(joined(parts));
    steps.join(",")
}

/// Reads what stands behind a backslash: a character, or the two digits of a byte, of which several may make one character.
fn escaped(characters: &mut std::iter::Peekable<std::str::Chars<'_>>) -> String {
    let mut bytes = Vec::new();
    loop {
        let mut ahead = characters.clone();
        let digits = (ahead.next(), ahead.next());
        let (Some(high), Some(low)) = digits else {
            break;
        };
        let (Some(high), Some(low)) = (high.to_digit(16), low.to_digit(16)) else {
            break;
        };
        bytes.push(u8::try_from(high * 16 + low).unwrap_or_default());
        *characters = ahead;
        // the next byte of the same character
        let mut further = characters.clone();
        if further.next() == Some('\\') && further.peek().is_some_and(char::is_ascii_hexdigit) {
            characters.next();
        } else {
            break;
        }
    }
    let text = if bytes.is_empty() {
        characters.next().map(String::from).unwrap_or_default()
    } else {
        String::from_utf8_lossy(&bytes).into_owned()
    };
    let mut written = String::new();
    for character in text.to_lowercase().chars() {
        if matches!(
            character,
            ',' | ';' | '+' | '"' | '\\' | '<' | '>' | '=' | '#' | ' '
        ) {
            written.push('\\');
        }
        written.push(character);
    }
    written
}

/// Takes the spaces away around the type and around the value; an escaped one counts.
fn trimmed(part: &str) -> String {
    let (kind, value) = part.split_once('=').unwrap_or(("", part));
    let value = value.trim_start();
    let kept = value.trim_end();
    // the last one was escaped, and stays
    let space = if kept.ends_with('\\') && kept.len() < value.len() {
        " "
    } else {
        ""
    };
    format!("{}={kept}{space}", kind.trim())
}

fn joined(mut parts: Vec<String>) -> String {
    parts.sort_unstable();
    parts.join("+")
}

#[cfg(test)]
mod tests {
    use super::canonical;

    #[test]
    fn spellings_of_a_name_are_equal_and_other_names_are_not() {
        let rows = [
            ("cn=Ann,dc=example", "CN = ann , DC=EXAMPLE", true),
            ("cn=Ann;dc=example", "cn=ann,dc=example", true),
            ("cn=Smith\\, Ann,dc=x", "cn=Smith\\2C Ann,dc=x", true),
            ("cn=Smith\\, Ann,dc=x", "cn=Smith,cn=Ann,dc=x", false),
            ("cn=J\\C3\\BCrgen,dc=x", "cn=Jürgen,dc=x", true),
            ("cn=a\\c3\\bc\\2cb,dc=x", "cn=aü\\,b,dc=x", true),
            ("cn=a+uid=b,dc=x", "uid=b+cn=a,dc=x", true),
            ("cn=a\\+b,dc=x", "cn=a+b,dc=x", false),
            ("cn=ends\\ ,dc=x", "cn=ends,dc=x", false),
            ("cn=ends\\ ,dc=x", "cn=ends\\20,dc=x", true),
            ("cn=a=b,dc=x", "cn=a\\=b,dc=x", false),
            ("", "", true),
            ("cn=broken\\", "cn=broken\\", true),
        ];
        for (one, other, is_same) in rows {
            assert_eq!(canonical(one) == canonical(other), is_same, "{one} {other}");
        }
    }
}
