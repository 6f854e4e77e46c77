//! Licences as crates state them: SPDX expressions, and the older form with strokes.

/// An expression, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Licence {
    /// One licence, with its exception if it has one: `Apache-2.0 WITH LLVM-exception`.
    One(String),
    /// Any of them.
    Any(Vec<Licence>),
    /// All of them together.
    All(Vec<Licence>),
}

impl Licence {
    /// Reads an expression; absent: it is none.
    pub(crate) fn read(text: &str) -> Option<Self> {
        let spaced = text
            .replace('(', " ( ")
            .replace(')', " ) ")
            // before SPDX, `/` was written for OR
            .replace('/', " OR ");
        let mut words = Words(spaced.split_whitespace().collect());
        let licence = words.any()?;
        words.0.is_empty().then_some(licence)
    }

    /// Tells whether somebody who accepts these licences may use what is under this one.
    pub(crate) fn is_met_by(&self, accepts: &dyn Fn(&str) -> bool) -> bool {
        match self {
            Self::One(name) => accepts(name),
            Self::Any(some) => some.iter().any(|one| one.is_met_by(accepts)),
            Self::All(some) => some.iter().all(|one| one.is_met_by(accepts)),
        }
    }
}

impl std::fmt::Display for Licence {
    /// Writes it as SPDX wants it.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (some, word) = match self {
            Self::One(name) => return f.write_str(name),
            Self::Any(some) => (some, " OR "),
            Self::All(some) => (some, " AND "),
        };
        for (number, one) in some.iter().enumerate() {
            if number > 0 {
                f.write_str(word)?;
            }
            match (self, one) {
                (Self::All(_), Self::Any(_)) => write!(f, "({one})")?,
                _ => write!(f, "{one}")?,
            }
        }
        Ok(())
    }
}

struct Words<'t>(std::collections::VecDeque<&'t str>);

impl Words<'_> {
    fn takes(&mut self, word: &str) -> bool {
        let is_next = self.0.front() == Some(&word);
        if is_next {
            self.0.pop_front();
        }
        is_next
    }

    fn any(&mut self) -> Option<Licence> {
        let mut some = vec![self.all()?];
        while self.takes("OR") {
            some.push(self.all()?);
        }
        Some(one_or(some, Licence::Any))
    }

    /// AND binds closer than OR.
    fn all(&mut self) -> Option<Licence> {
        let mut some = vec![self.one()?];
        while self.takes("AND") {
            some.push(self.one()?);
        }
        Some(one_or(some, Licence::All))
    }

    fn one(&mut self) -> Option<Licence> {
        if self.takes("(") {
            let inner = self.any()?;
            return self.takes(")").then_some(inner);
        }
        let name = self.name()?;
        if !self.takes("WITH") {
            return Some(Licence::One(name));
        }
        Some(Licence::One(format!("{name} WITH {}", self.name()?)))
    }

    fn name(&mut self) -> Option<String> {
        let word = self.0.pop_front()?;
        let is_name = word
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "-.+:".contains(c));
        let is_name = is_name && !["OR", "AND", "WITH"].contains(&word);
        is_name.then(|| word.to_owned())
    }
}

fn one_or(mut some: Vec<Licence>, of: fn(Vec<Licence>) -> Licence) -> Licence {
    match (some.len(), some.pop()) {
        (1, Some(one)) => one,
        (_, last) => {
            some.extend(last);
            of(some)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_expression_is_met_by_one_of_its_choices_and_by_all_of_its_parts() {
        for (text, expected) in [
            ("MIT", true),
            ("GPL-3.0-only", false),
            ("MIT OR GPL-3.0-only", true),
            ("GPL-3.0-only/MIT", true),
            ("GPL-3.0-only / LGPL-2.1-or-later", false),
            ("MIT AND GPL-3.0-only", false),
            ("MIT AND Zlib", true),
            // AND binds closer
            ("MIT OR Zlib AND GPL-3.0-only", true),
            ("(MIT OR Zlib) AND GPL-3.0-only", false),
            ("(GPL-3.0-only OR MIT) AND Zlib", true),
            ("Apache-2.0 WITH LLVM-exception", true),
            // what is allowed with an exception is not without it, nor the other way round
            ("Apache-2.0", false),
            ("MIT WITH LLVM-exception", false),
        ] {
            let accepts =
                |name: &str| ["MIT", "Zlib", "Apache-2.0 WITH LLVM-exception"].contains(&name);
            let licence = Licence::read(text).unwrap_or_else(|| panic!("{text}"));
            assert_eq!(licence.is_met_by(&accepts), expected, "{text}");
        }
    }

    #[test]
    fn what_is_no_expression_is_not_understood() {
        for text in [
            "",
            "MIT OR",
            "(MIT",
            "MIT)",
            "OR MIT",
            "MIT Zlib",
            "MIT WITH",
            "see LICENSE!",
        ] {
            assert_eq!(Licence::read(text), None, "{text}");
        }
    }

    #[test]
    fn an_expression_is_written_as_spdx_wants_it() {
        for (text, expected) in [
            ("MIT/Apache-2.0", "MIT OR Apache-2.0"),
            ("(MIT OR Zlib)AND ISC", "(MIT OR Zlib) AND ISC"),
            ("MIT AND Zlib OR ISC", "MIT AND Zlib OR ISC"),
        ] {
            assert_eq!(Licence::read(text).unwrap().to_string(), expected);
        }
    }
}
