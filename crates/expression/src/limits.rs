//! The bounds that keep an expression from costing more than it may.
//!
//! **Is:** one table of constants. **Is not:** enforcement; each bound is checked where it applies.

/// Longest expression, in characters. Entra's own limit.
pub const EXPRESSION_CHARACTERS: usize = 10_000;

/// Deepest nesting of calls.
pub const DEPTH: usize = 128;

/// Steps that one evaluation may take: one for each node, more for a costly search.
pub const FUEL: u64 = 10_000;

/// Longest text that a function returns or that a regular expression searches, in bytes of UTF-8.
pub const TEXT_BYTES: usize = 8 * 1024;

/// Most values that a function returns in one list.
pub const LIST_VALUES: usize = 1_000;

/// Longest text that `RandomString` makes, in characters. Entra's own limit.
pub const RANDOM_CHARACTERS: usize = 256;

/// Largest compiled form of a regular expression, in bytes.
pub const PATTERN_BYTES: usize = 1 << 20;

/// Mistakes that are reported for one expression; what follows is noise.
pub const MISTAKES: usize = 20;
