//! The numbers that bound what a request may cost.
//!
//! **Is:** one table that enforcement, `ServiceProviderConfig`, documentation and tests read.
//! **Is not:** enforcement; each parser takes the table and checks its own row.
//! **Start at** [`STANDARD`].

/// Bounds on the size and shape of requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Largest body of one resource other than a group, in bytes.
    pub body_bytes: usize,
    /// Largest body of a group, in bytes.
    pub group_body_bytes: usize,
    /// Largest body of a bulk request, in bytes.
    pub bulk_body_bytes: usize,
    /// Deepest nesting of arrays and objects.
    pub json_depth: usize,
    /// Most values in one JSON text: every object, list, text, number, boolean and null counts, and every name in an object.
    /// A value takes far more memory than text, so the length of a body alone bounds little. A group of 100 000 members with
    /// `value`, `$ref`, `type` and `display` comes to 900 000.
    pub json_values: usize,
    /// Longest string or object key, in bytes of UTF-8.
    pub string_bytes: usize,
    /// Most values of one multi-valued attribute; group members are not counted.
    pub attribute_values: usize,
    /// Longest filter, in bytes.
    pub filter_bytes: usize,
    /// Deepest nesting of parentheses and brackets in a filter.
    pub filter_depth: usize,
    /// Most comparisons in one filter.
    pub filter_terms: usize,
    /// Most operations in one PATCH.
    pub patch_operations: usize,
    /// Most list values at which the operations of one PATCH may look together; one that is put to a condition counts once for
    /// each comparison in it. A hundred operations on a list of a thousand come to 100 000.
    pub patch_steps: usize,
    /// Most removals of members by a condition in one PATCH: each goes through all members of the group. One by the member's
    /// `value` is not counted.
    pub patch_member_conditions: usize,
    /// Most operations in one bulk request.
    pub bulk_operations: usize,
    /// Resources on a page when the client does not say.
    pub default_count: u64,
    /// Most resources on one page.
    pub max_count: u64,
    /// How long a cursor stays usable, in seconds.
    pub cursor_seconds: u64,
}

/// The limits of an installation that changed nothing.
pub const STANDARD: Limits = Limits {
    body_bytes: 1024 * 1024,
    group_body_bytes: 16 * 1024 * 1024,
    bulk_body_bytes: 8 * 1024 * 1024,
    json_depth: 32,
    json_values: 1_000_000,
    string_bytes: 8 * 1024,
    attribute_values: 1_000,
    filter_bytes: 4_096,
    filter_depth: 32,
    filter_terms: 64,
    patch_operations: 1_000,
    patch_steps: 250_000,
    patch_member_conditions: 16,
    bulk_operations: 1_000,
    default_count: 100,
    max_count: 1_000,
    cursor_seconds: 3_600,
};

impl Default for Limits {
    fn default() -> Self {
        STANDARD
    }
}
