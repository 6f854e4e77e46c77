//! SCIM 2.0 as values: schemas, resources, filters, paths, PATCH, errors, lists, bulk.
//!
//! **Is:** RFC 7643, RFC 7644 and the cursors of RFC 9865, with the dialects that directories really speak, as plain data in and
//! plain data out. **Is not:** a client, a server or a store: nothing here waits, reads a clock or draws a random number.
//! **Start at** [`schema::Registry`], which says what a resource may contain; then [`resource::Resource`] (bodies),
//! [`filter::Filter`] (questions), [`path::Path`] (places) and [`patch::Patch`] (changes).
//!
//! ```
//! use rollcall_scim::{filter::{Filter, NoRelated}, json, limits, resource::Resource, schema::Registry};
//!
//! # fn main() -> Result<(), rollcall_scim::error::Error> {
//! let registry = Registry::standard();
//! let body = json::parse(br#"{"userName": "Ann@Example.com", "active": "True"}"#, &limits::STANDARD)?;
//! let ann = Resource::from_request(registry.user(), body, &limits::STANDARD)?;
//! let filter = Filter::parse(r#"USERNAME eq "ann@example.com""#, registry.user(), &limits::STANDARD)?;
//! assert!(filter.matches(ann.as_map(), &NoRelated));
//! # Ok(())
//! # }
//! ```

pub mod bulk;
pub mod difference;
pub mod discovery;
pub mod error;
pub mod filter;
pub mod json;
pub mod key;
pub mod leniency;
pub mod limits;
pub mod list;
pub mod member;
pub mod merge;
pub mod patch;
pub mod path;
pub mod projection;
pub mod query;
pub mod resource;
pub mod schema;
pub mod sort;
pub mod stored;
mod value;
pub mod version;

pub use value::is_base64;
