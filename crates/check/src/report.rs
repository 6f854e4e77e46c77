//! What was found.

use std::fmt;

use serde::Serialize;

use crate::Persona;
use crate::catalogue::{Level, Promise};

/// How it turned out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Word {
    /// The promise is kept.
    Kept,
    /// It is broken.
    Broken,
    /// It could not be tested.
    Untested,
}

/// What was asked and answered where a promise is broken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Evidence {
    /// Method and path.
    pub asked: String,
    /// The body that was sent, if there was one.
    pub sent: Option<String>,
    /// The status; absent: there was no answer.
    pub status: Option<u16>,
    /// The beginning of the answer's body.
    pub answered: String,
}

/// What became of one promise.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Verdict {
    /// The promise.
    #[serde(flatten)]
    pub promise: &'static Promise,
    /// How it turned out.
    pub word: Word,
    /// What was found instead, or why it was not tested.
    pub found: Option<String>,
    /// What was asked and answered.
    pub evidence: Option<Evidence>,
}

/// What was found of an endpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// The endpoint.
    pub base: String,
    /// Whose ways it was tested for.
    pub persona: Persona,
    /// Whether it was written to.
    pub writes: bool,
    /// The grade, from A to F.
    pub grade: char,
    /// All promises, in the order in which they were tested.
    pub verdicts: Vec<Verdict>,
    /// What was created and could not be deleted, as paths; or the names of those of whom nobody can tell whether they are there.
    pub left_behind: Vec<String>,
}

impl Report {
    /// Tells whether every promise is kept that a directory relies on.
    pub fn is_passed(&self) -> bool {
        self.count(Word::Broken, Level::Must) == 0
    }

    /// Counts what turned out so.
    pub fn count(&self, word: Word, level: Level) -> usize {
        let counted = |verdict: &&Verdict| verdict.word == word && verdict.promise.level == level;
        self.verdicts.iter().filter(counted).count()
    }
}

/// Returns the grade: A when all is kept, B when what is broken is advice only, then by the share of broken duties: C up to a tenth, D up to a
/// quarter, F beyond.
pub(crate) fn grade(verdicts: &[Verdict]) -> char {
    let count = |is_counted: &dyn Fn(&Verdict) -> bool| {
        let counted = |verdict: &&Verdict| is_counted(verdict);
        verdicts.iter().filter(counted).count()
    };
    let is_must = |verdict: &Verdict| verdict.promise.level == Level::Must;
    let broken = |verdict: &Verdict| verdict.word == Word::Broken;
    let duties = count(&|verdict| is_must(verdict) && verdict.word != Word::Untested);
    match count(&|verdict| is_must(verdict) && broken(verdict)) {
        0 if count(&broken) == 0 => 'A',
        0 => 'B',
        few if few * 10 <= duties => 'C',
        some if some * 4 <= duties => 'D',
        _ => 'F',
    }
}

impl fmt::Display for Word {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Kept => "kept",
            Self::Broken => "broken",
            Self::Untested => "untested",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::{BODIES_ARE_SCIM, NOBODY_IS_FOUND};

    #[test]
    fn the_grade_tells_duties_from_advice() {
        let verdict = |promise, word| Verdict {
            promise,
            word,
            found: None,
            evidence: None,
        };
        let duties = |broken: usize| -> Vec<Verdict> {
            let word = |number| {
                if number < broken {
                    Word::Broken
                } else {
                    Word::Kept
                }
            };
            (0..20)
                .map(|number| verdict(&NOBODY_IS_FOUND, word(number)))
                .collect()
        };
        let advised = |word| [duties(0), vec![verdict(&BODIES_ARE_SCIM, word)]].concat();

        assert_eq!(grade(&advised(Word::Kept)), 'A');
        assert_eq!(grade(&advised(Word::Broken)), 'B');
        for (broken, expected) in [(1, 'C'), (2, 'C'), (3, 'D'), (5, 'D'), (6, 'F'), (20, 'F')] {
            assert_eq!(grade(&duties(broken)), expected, "{broken}");
        }
    }
}
