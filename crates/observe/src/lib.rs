//! What an operator watches, as values.
//!
//! **Is:** figures that count while work is done ([`Counter`], [`Gauge`], [`Durations`], [`Sizes`], and [`Slots`] of them by name),
//! and the text in which they are read ([`Page`]). Counting is an atomic addition: no lock, no allocation, no clock.
//! **Is not:** a registry. Each crate that does something worth counting owns its figures; the binary reads all of them, and is the
//! only place that knows their names in public. See decision 22.
//! **Start at** [`Counter`].

mod figure;
mod page;
mod slots;

pub use figure::{Bucket, Counter, Durations, Gauge, Raised, Reading, Sizes};
pub use page::{Kind, Page};
pub use slots::Slots;

/// The target of the spans that may leave the house as traces: nothing else does. Whoever makes one chooses its fields accordingly: no
/// names, no addresses of people, no bodies, no secrets.
pub const TRACE: &str = "rollcall_trace";
