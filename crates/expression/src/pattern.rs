//! Regular expressions of .NET on an engine that needs linear time.
//!
//! **Is:** translation of the dialect, groups with the numbers that .NET gives them, replacement texts. **Is not:** the five
//! modes of `Replace`.
//! **Start at** [`Pattern::new`]. What needs backtracking (look-around, references back) is refused with a name. One
//! difference is left: `$` is the end of the text only, not also the place before a last line break.

use regex::{Captures, Regex, RegexBuilder};

use crate::limits;

/// Deepest nesting of classes in classes.
const CLASSES: usize = 16;

/// Why a pattern cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Problem {
    #[error("{0} is not supported: patterns run in linear time")]
    Unsupported(&'static str),
    #[error("the pattern is too large")]
    TooLarge,
    #[error("not a regular expression: {0}")]
    Malformed(String),
}

fn malformed(reason: &str) -> Problem {
    Problem::Malformed(reason.to_owned())
}

/// A compiled pattern.
#[derive(Debug, Clone)]
pub(crate) struct Pattern {
    regex: Regex,
    /// The engine's index of each group by .NET's number: the whole, groups without a name, then those with one.
    numbers: Vec<usize>,
    weight: u64,
}

impl Pattern {
    pub(crate) fn new(source: &str) -> Result<Self, Problem> {
        let translated = Translator {
            rest: source,
            named: Vec::new(),
        }
        .translate()?;
        let indexes = |named: bool| {
            let groups = translated.named.iter().enumerate();
            groups
                .filter(move |(_, group)| **group == named)
                .map(|(index, _)| index + 1)
        };
        let numbers = std::iter::once(0)
            .chain(indexes(false))
            .chain(indexes(true))
            .collect();
        // the size that is needed tells what a search costs
        for (share, weight) in [(64, 1), (16, 4), (4, 16), (1, 64)] {
            let built = RegexBuilder::new(&translated.pattern)
                .size_limit(limits::PATTERN_BYTES / share)
                .dfa_size_limit(limits::PATTERN_BYTES)
                .build();
            match built {
                Ok(regex) => {
                    return Ok(Self {
                        regex,
                        numbers,
                        weight,
                    });
                }
                Err(regex::Error::CompiledTooBig(_)) => {}
                Err(error) => {
                    let text = error.to_string();
                    let last = text.lines().last().unwrap_or_default();
                    return Err(malformed(last.strip_prefix("error: ").unwrap_or(last)));
                }
            }
        }
        Err(Problem::TooLarge)
    }

    /// What a search costs in relation to that with a small pattern.
    pub(crate) fn weight(&self) -> u64 {
        self.weight
    }

    pub(crate) fn has_group(&self, name: &str) -> bool {
        self.group(name).is_some()
    }

    /// Returns the engine's index of a group, by its name or number.
    pub(crate) fn group(&self, name: &str) -> Option<usize> {
        if name.bytes().all(|byte| byte.is_ascii_digit()) {
            return self.numbers.get(name.parse::<usize>().ok()?).copied();
        }
        self.regex
            .capture_names()
            .position(|group| group == Some(name))
    }

    /// Returns the names in `${name}` that the pattern does not have.
    pub(crate) fn unknown_groups<'a>(&self, replacement: &'a str) -> Vec<&'a str> {
        let mut unknown = Vec::new();
        let mut rest = replacement;
        while let Some((_, after)) = rest.split_once("${") {
            let Some((name, end)) = after.split_once('}') else {
                break;
            };
            if !self.has_group(name) {
                unknown.push(name);
            }
            rest = end;
        }
        unknown
    }

    /// Finds the first match at or after `start`, which is a character border.
    pub(crate) fn find<'a>(&self, text: &'a str, start: usize) -> Option<Captures<'a>> {
        if start > text.len() {
            return None;
        }
        self.regex.captures_at(text, start)
    }

    /// Writes the replacement of a match: `$1`, `${name}`, `$$`, `$&`, `` $` ``, `$'`, `$_`, `$+`.
    ///
    /// What names no group stays as it is written.
    pub(crate) fn expand(
        &self,
        template: &str,
        text: &str,
        found: &Captures<'_>,
        out: &mut String,
    ) {
        let group = |index: usize| found.get(index).map_or("", |group| group.as_str());
        let whole = found.get(0).map_or(0..0, |whole| whole.range());
        let mut rest = template;
        while let Some((before, after)) = rest.split_once('$') {
            out.push_str(before);
            let (value, used) = match after.chars().next() {
                Some('$') => ("$", 1),
                Some('&') => (group(0), 1),
                Some('`') => (text.get(..whole.start).unwrap_or_default(), 1),
                Some('\'') => (text.get(whole.end..).unwrap_or_default(), 1),
                Some('_') => (text, 1),
                Some('+') => (self.numbers.last().map_or("", |index| group(*index)), 1),
                Some('{') => match after.split_once('}') {
                    Some((name, _)) => match self.group(name.get(1..).unwrap_or_default()) {
                        Some(index) => (group(index), name.len() + 1),
                        None => ("$", 0),
                    },
                    None => ("$", 0),
                },
                Some('0'..='9') => {
                    // the longest number that is one of a group
                    let digits = after.bytes().take_while(u8::is_ascii_digit).count();
                    let longest = (1..=digits.min(4)).rev().find_map(|length| {
                        let index = self.group(after.get(..length)?)?;
                        Some((group(index), length))
                    });
                    longest.unwrap_or(("$", 0))
                }
                _ => ("$", 0),
            };
            out.push_str(value);
            rest = after.get(used..).unwrap_or_default();
        }
        out.push_str(rest);
    }
}

struct Translated {
    pattern: String,
    /// For each group in the order of its opening: whether it has a name.
    named: Vec<bool>,
}

struct Translator<'a> {
    rest: &'a str,
    named: Vec<bool>,
}

/// A part of a class in brackets.
enum Item {
    Character(char),
    /// A class of its own, such as `\d`, in the engine's form.
    Class(String),
}

impl<'a> Translator<'a> {
    fn translate(mut self) -> Result<Translated, Problem> {
        let mut out = String::new();
        while let Some(character) = self.peek() {
            match character {
                '\\' => self.escape(&mut out)?,
                '[' => {
                    let class = self.class(0)?;
                    out.push_str(&class);
                }
                '(' => self.group(&mut out)?,
                '{' => match self.quantifier() {
                    Some(quantifier) => out.push_str(quantifier),
                    None => self.literal(&mut out),
                },
                '}' => self.literal(&mut out),
                other => {
                    self.advance();
                    out.push(other);
                }
            }
        }
        Ok(Translated {
            pattern: out,
            named: self.named,
        })
    }

    fn peek(&self) -> Option<char> {
        self.rest.chars().next()
    }

    fn advance(&mut self) {
        let length = self.peek().map_or(0, char::len_utf8);
        self.rest = self.rest.get(length..).unwrap_or_default();
    }

    fn take(&mut self, length: usize) -> &'a str {
        let (taken, rest) = self
            .rest
            .split_at_checked(length)
            .unwrap_or((self.rest, ""));
        self.rest = rest;
        taken
    }

    fn literal(&mut self, out: &mut String) {
        if let Some(character) = self.peek() {
            self.advance();
            push_escaped(out, character);
        }
    }

    /// Takes `{2}`, `{2,}`, `{2,3}`; anything else in braces is plain text in .NET.
    fn quantifier(&mut self) -> Option<&'a str> {
        let inside = self.rest.strip_prefix('{')?.split('}').next()?;
        let end = inside.len() + 2;
        let (fewest, most) = inside.split_once(',').unwrap_or((inside, inside));
        let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        let fits = !fewest.is_empty() && digits(fewest) && digits(most) && self.rest.len() >= end;
        fits.then(|| self.take(end))
    }

    fn escape(&mut self, out: &mut String) -> Result<(), Problem> {
        self.advance();
        let Some(character) = self.peek() else {
            return Err(malformed("a backslash at the end"));
        };
        match character {
            'b' | 'B' | 'A' | 'z' => {
                self.advance();
                out.push('\\');
                out.push(character);
            }
            'Z' => {
                self.advance();
                out.push_str("\\z");
            }
            'G' => return Err(Problem::Unsupported("`\\G`")),
            '1'..='9' | 'k' => return Err(Problem::Unsupported("a reference back to a group")),
            _ => match self.escaped(character)? {
                Item::Class(class) => out.push_str(&class),
                Item::Character(character) => push_escaped(out, character),
            },
        }
        Ok(())
    }

    /// Reads, behind the backslash, what means the same inside of a class and outside.
    fn escaped(&mut self, character: char) -> Result<Item, Problem> {
        self.advance();
        let item = match character {
            'd' | 'D' | 'w' | 'W' | 's' | 'S' => Item::Class(format!("\\{character}")),
            'p' | 'P' => {
                let inside = self
                    .rest
                    .strip_prefix('{')
                    .and_then(|rest| rest.split_once('}'));
                let Some((name, _)) = inside else {
                    return Err(malformed("`\\p` needs a name in braces: `\\p{L}`"));
                };
                self.take(name.len() + 2);
                Item::Class(format!("\\{character}{{{name}}}"))
            }
            't' => Item::Character('\t'),
            'n' => Item::Character('\n'),
            'r' => Item::Character('\r'),
            'f' => Item::Character('\u{c}'),
            'v' => Item::Character('\u{b}'),
            'a' => Item::Character('\u{7}'),
            'e' => Item::Character('\u{1b}'),
            'x' => Item::Character(self.code(2, 16)?),
            'u' => Item::Character(self.code(4, 16)?),
            'c' => match self.peek().map(|letter| letter.to_ascii_uppercase()) {
                Some(letter @ '@'..='_') => {
                    self.advance();
                    Item::Character(char::from_u32(u32::from(letter) - 64).unwrap_or_default())
                }
                _ => return Err(malformed("`\\c` needs a letter")),
            },
            '0' => {
                let digits = self
                    .rest
                    .bytes()
                    .take(2)
                    .take_while(|byte| matches!(byte, b'0'..=b'7'));
                let length = digits.count();
                Item::Character(if length == 0 {
                    '\0'
                } else {
                    self.code(length, 8)?
                })
            }
            other if other.is_ascii_alphanumeric() => {
                return Err(Problem::Malformed(format!("unknown escape `\\{other}`")));
            }
            other => Item::Character(other),
        };
        Ok(item)
    }

    fn code(&mut self, length: usize, radix: u32) -> Result<char, Problem> {
        let digits = self.take(length);
        let fits = digits.len() == length && digits.chars().all(|digit| digit.is_digit(radix));
        let code = if fits {
            u32::from_str_radix(digits, radix).ok()
        } else {
            None
        };
        code.and_then(char::from_u32)
            .ok_or_else(|| malformed("the code of a character is wrong"))
    }

    /// Translates a class in brackets: `[` inside is plain text, `-[…]` at its end takes characters away.
    fn class(&mut self, depth: usize) -> Result<String, Problem> {
        if depth > CLASSES {
            return Err(malformed("classes are nested too deep"));
        }
        self.advance();
        let mut out = String::from("[");
        if self.peek() == Some('^') {
            self.advance();
            out.push('^');
        }
        let mut first = true;
        loop {
            match self.peek() {
                None => return Err(malformed("a `]` is missing")),
                Some(']') if !first => {
                    self.advance();
                    out.push(']');
                    return Ok(out);
                }
                Some('-') if !first && self.rest.starts_with("-[") => {
                    self.advance();
                    let less = self.class(depth + 1)?;
                    if self.peek() != Some(']') {
                        return Err(malformed("`-[…]` must be the last part of a class"));
                    }
                    self.advance();
                    return Ok(format!("[{out}]--{less}]"));
                }
                Some(_) => {}
            }
            first = false;
            match self.item()? {
                Item::Class(class) => out.push_str(&class),
                Item::Character(low) => {
                    let mut after = self.rest.chars();
                    let range = after.next() == Some('-')
                        && after.next().is_some_and(|next| !matches!(next, ']' | '['));
                    push_escaped(&mut out, low);
                    if range {
                        self.advance();
                        match self.item()? {
                            Item::Character(high) if low <= high => {
                                out.push('-');
                                push_escaped(&mut out, high);
                            }
                            _ => return Err(malformed("a range of characters is wrong")),
                        }
                    }
                }
            }
        }
    }

    fn item(&mut self) -> Result<Item, Problem> {
        let Some(character) = self.peek() else {
            return Err(malformed("a `]` is missing"));
        };
        self.advance();
        if character != '\\' {
            return Ok(Item::Character(character));
        }
        match self.peek() {
            None => Err(malformed("a backslash at the end")),
            Some('b') => {
                self.advance();
                Ok(Item::Character('\u{8}'))
            }
            Some(escaped) => self.escaped(escaped),
        }
    }

    fn group(&mut self, out: &mut String) -> Result<(), Problem> {
        let Some(special) = self.rest.strip_prefix("(?") else {
            self.advance();
            self.named.push(false);
            out.push('(');
            return Ok(());
        };
        for (start, name) in [
            ("=", "looking ahead, `(?=…)`,"),
            ("!", "looking ahead, `(?!…)`,"),
            ("<=", "looking behind, `(?<=…)`,"),
            ("<!", "looking behind, `(?<!…)`,"),
            (">", "an atomic group, `(?>…)`,"),
            ("(", "a condition, `(?(…)…)`,"),
        ] {
            if special.starts_with(start) {
                return Err(Problem::Unsupported(name));
            }
        }
        if special.starts_with('#') {
            let Some((comment, _)) = self.rest.split_once(')') else {
                return Err(malformed("a comment is not closed"));
            };
            self.take(comment.len() + 1);
            return Ok(());
        }
        for (open, close) in [('<', '>'), ('\'', '\'')] {
            let Some(after) = special.strip_prefix(open) else {
                continue;
            };
            let Some((name, _)) = after.split_once(close) else {
                return Err(malformed("the name of a group is not closed"));
            };
            if name.contains('-') {
                return Err(Problem::Unsupported("a balancing group"));
            }
            if name.starts_with(|first: char| first.is_ascii_digit()) {
                return Err(Problem::Unsupported("a group with a number for a name"));
            }
            self.take(name.len() + 4);
            self.named.push(true);
            out.push_str("(?<");
            out.push_str(name);
            out.push('>');
            return Ok(());
        }
        let options = special.split([':', ')']).next().unwrap_or_default();
        if let Some(option) = options
            .chars()
            .find(|option| !matches!(option, 'i' | 'm' | 's' | '-'))
        {
            return Err(Problem::Malformed(format!(
                "unknown option `{option}` in `(?…)`"
            )));
        }
        out.push_str(self.take(options.len() + 3));
        Ok(())
    }
}

/// Writes a character that means only itself. The engine takes `\<` and `\>` for borders of words.
fn push_escaped(out: &mut String, character: char) {
    if character.is_ascii_punctuation() && !matches!(character, '<' | '>') {
        out.push('\\');
    }
    out.push(character);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matched(pattern: &str, text: &str) -> Option<String> {
        let pattern = Pattern::new(pattern).unwrap();
        pattern.find(text, 0).map(|found| found[0].to_owned())
    }

    #[test]
    fn the_dialect_of_dot_net_is_understood() {
        for (pattern, text, expected) in [
            (r"[\w-.]+", "a-b.c d", "a-b.c"),
            (r"[()\s-]+", "a (-) b", " (-) "),
            (r"[a-z-[aeiou]]+", "aeixyz", "xyz"),
            (r"[^a-c-[x]]+", "abxyz", "yz"),
            (r"[]a]+", "x]a]", "]a]"),
            (r"[a[b]+", "x[ab", "[ab"),
            (r"[a&&b~~]+", "x&&~", "&&~"),
            (r"\<\>\:\;\/", "a<>:;/", "<>:;/"),
            (r"a{,2}", "a{,2}", "a{,2}"),
            (r"\{x}", "{x}", "{x}"),
            (r"(?'n'a)(?#note (b)b", "ab", "ab"),
            (
                r"\x41\u0042\041\cA\e\0",
                "AB!\u{1}\u{1b}\0",
                "AB!\u{1}\u{1b}\0",
            ),
            (r"(?i)abc(?-i:D)", "ABCD", "ABCD"),
            (r"\d+", "٣4", "٣4"),
            (r"x\Z", "xx", "x"),
        ] {
            assert_eq!(
                matched(pattern, text).as_deref(),
                Some(expected),
                "{pattern}"
            );
        }
    }

    #[test]
    fn what_needs_backtracking_is_refused_by_name() {
        for (pattern, message) in [
            ("a(?=b)", "looking ahead"),
            ("(?<!a)b", "looking behind"),
            (r"(a)\1", "reference back"),
            (r"(?<x>a)\k<x>", "reference back"),
            ("(?>a)", "atomic"),
            ("(?<a-b>x)", "balancing"),
            ("[a", "`]` is missing"),
            ("(a", "unclosed group"),
            (r"a\", "backslash at the end"),
            (r"\y", "unknown escape"),
            ("(?x)a", "unknown option"),
            ("*a", "repetition operator"),
            ("[b-a]", "range"),
            (r"\w{999}", "too large"),
            (&format!("a{}", "-[a".repeat(3_000)), ""),
            (&"[a-".repeat(3_000), "nested too deep"),
            (&"(".repeat(9_000), ""),
        ] {
            let problem = Pattern::new(pattern).unwrap_err().to_string();
            assert!(problem.contains(message), "{pattern}: {problem}");
        }
    }

    #[test]
    fn groups_have_the_numbers_of_dot_net() {
        let pattern = Pattern::new(r"(?<first>a)(b)(?<second>c)(d)").unwrap();
        let found = pattern.find("xabcdy", 0).unwrap();
        for (template, expected) in [
            ("$1$2$3$4", "bdac"),
            ("${first}-${2}", "a-d"),
            ("$9${nope}$$x$", "$9${nope}$x$"),
            ("$10", "b0"),
            ("$`|$&|$'|$_|$+", "x|abcd|y|xabcdy|c"),
            ("${first", "${first"),
        ] {
            let mut out = String::new();
            pattern.expand(template, "xabcdy", &found, &mut out);
            assert_eq!(out, expected, "{template}");
        }
        assert_eq!(pattern.unknown_groups("${first} ${x} ${9} ${"), ["x", "9"]);
    }
}
