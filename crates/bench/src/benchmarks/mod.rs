//! The benchmarks, one file each. Each makes what it needs, measures both sides in turns, and adds its figures to the report.

pub(crate) mod create;
pub(crate) mod cycle;
pub(crate) mod entra;
pub(crate) mod nodes;
pub(crate) mod read;
pub(crate) mod size;
