//! The mapping language of directory provisioning: parse, check, evaluate, explain.
//!
//! **Is:** the language in which Microsoft Entra ID writes attribute mappings of type *Expression*, as a pure library: no
//! clock, no randomness, no input or output but what the caller passes. **Is not:** mappings; what a value is for, and its
//! type in the target, is the caller's matter.
//! **Start at** [`Expression::parse`] and [`Expression::evaluate`]; the functions are in [`library`].
//!
//! ```
//! use rollcall_expression::{Context, Expression, Outcome, Randomness, Taken, Value, render};
//!
//! # struct NoRandomness;
//! # impl Randomness for NoRandomness { fn fill(&mut self, _: &mut [u8]) {} }
//! # let mut randomness = NoRandomness;
//! let ann = serde_json::json!({"givenName": "Ann", "surname": "de Wit"});
//! let mut context = Context {
//!     now: "2025-07-30T12:00:00Z".parse().unwrap(),
//!     randomness: &mut randomness,
//!     taken: &|_| Taken::No,
//! };
//!
//! let expression = Expression::parse(r#"ToLower(StripSpaces(Join(".", [givenName], [surname])))"#).unwrap();
//! let outcome = expression.evaluate(ann.as_object().unwrap(), &mut context);
//! assert_eq!(outcome, Ok(Outcome::Value(Value::from("ann.dewit"))));
//!
//! let source = "Join(\" \", [givenName] [surname])";
//! let mistakes = Expression::parse(source).unwrap_err();
//! let shown: String = mistakes.iter().map(|mistake| render(source, mistake)).collect();
//! assert_eq!(shown, "\
//! error: a comma is missing before this
//!   |
//! 1 | Join(\" \", [givenName] [surname])
//!   |                       ^
//! ");
//! ```

mod check;
mod date;
mod date_format;
mod evaluate;
mod expression;
mod functions;
pub mod library;
pub mod limits;
mod mistake;
mod number;
mod outline;
mod parse;
mod pattern;
mod random;
mod replace;
mod syntax;
mod value;

pub use date::is_date;
pub use evaluate::{Context, Failure, Outcome, Taken};
pub use expression::Expression;
pub use mistake::{Fix, Mistake, Mistakes, Severity, render};
pub use number::{NotANumber, Number};
pub use outline::{Part, PartKind};
pub use random::{Randomness, Remembered};
pub use value::{Attributes, Value};
