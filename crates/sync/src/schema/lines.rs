//! The lines of places in a JSON text.
//!
//! **Is:** one pass over a text that is known to be JSON. **Is not:** a check of it.
//! **Start at** [`lines`].

use std::collections::{BTreeMap, BTreeSet};

use super::findings::escaped;

/// Returns the line, from 1, on which each of these places begins.
pub(super) fn lines(text: &str, pointers: &BTreeSet<&str>) -> BTreeMap<String, usize> {
    let mut scanner = Scanner {
        bytes: text.as_bytes(),
        position: 0,
        line: 1,
        path: String::new(),
        pointers,
        found: BTreeMap::new(),
    };
    scanner.value();
    scanner.found
}

struct Scanner<'t> {
    bytes: &'t [u8],
    position: usize,
    line: usize,
    path: String,
    pointers: &'t BTreeSet<&'t str>,
    found: BTreeMap<String, usize>,
}

impl Scanner<'_> {
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.position).copied()
    }

    fn skip_space(&mut self) {
        while let Some(byte) = self.peek().filter(u8::is_ascii_whitespace) {
            self.line += usize::from(byte == b'\n');
            self.position += 1;
        }
    }

    /// Goes past a value. The text was read before, so its depth is bounded.
    fn value(&mut self) {
        self.skip_space();
        if self.pointers.contains(self.path.as_str()) {
            self.found.insert(self.path.clone(), self.line);
        }
        match self.peek() {
            Some(b'{') => self.members(true),
            Some(b'[') => self.members(false),
            Some(b'"') => self.string(),
            _ => {
                let is_plain =
                    |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'+' | b'.');
                while self.peek().as_ref().is_some_and(is_plain) {
                    self.position += 1;
                }
            }
        }
    }

    /// Goes past an object or a list.
    fn members(&mut self, is_object: bool) {
        let length = self.path.len();
        let mut place = 0;
        self.position += 1;
        loop {
            self.skip_space();
            if matches!(self.peek(), None | Some(b'}' | b']')) {
                self.position += 1;
                return;
            }
            let name = if is_object {
                let start = self.position;
                self.string();
                let name = self.bytes.get(start..self.position).unwrap_or_default();
                let name: String = serde_json::from_slice(name).unwrap_or_default();
                self.skip_space();
                // the colon
                self.position += 1;
                escaped(&name)
            } else {
                place.to_string()
            };
            self.path.push('/');
            self.path.push_str(&name);
            self.value();
            self.path.truncate(length);
            self.skip_space();
            if self.peek() == Some(b',') {
                self.position += 1;
            }
            place += 1;
        }
    }

    fn string(&mut self) {
        self.position += 1;
        while let Some(byte) = self.peek() {
            self.position += 1;
            match byte {
                b'\\' => self.position += 1,
                b'"' => return,
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_place_is_on_the_line_on_which_its_value_begins() {
        let text =
            "{\n  \"a/b\": [1,\n    {\"x\\\"\": \"}\\\\\"},\n    null\n  ],\n  \"c\":\n    true\n}";
        let pointers = ["", "/a~1b", "/a~1b/1/x\"", "/a~1b/2", "/c", "/none"];

        let found = lines(text, &pointers.into());

        let numbers: Vec<Option<usize>> = pointers
            .iter()
            .map(|pointer| found.get(*pointer).copied())
            .collect();
        assert_eq!(numbers, [Some(1), Some(2), Some(3), Some(4), Some(7), None]);
    }
}
