//! What the functions do, by topic.
//!
//! **Is:** one function for each entry of the library; each evaluates its own arguments. **Is not:** names and numbers of
//! arguments; those are in `library`.

pub(crate) mod choices;
pub(crate) mod conversions;
pub(crate) mod dates;
pub(crate) mod generated;
pub(crate) mod letters;
pub(crate) mod lists;
pub(crate) mod roles;
pub(crate) mod texts;
