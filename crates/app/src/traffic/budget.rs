//! How many requests of a kind are kept whole in a second.

use std::collections::HashMap;

use rollcall_model::OrgId;

use super::Answered;

/// So many requests of an organisation with the same method and outcome are kept whole in a second.
const A_SECOND: u32 = 50;

/// What was kept in the present second.
#[derive(Debug, Default)]
pub(super) struct Budget {
    second: i64,
    kept: HashMap<(OrgId, Method, bool), u32>,
}

/// Methods as far as they are told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Method {
    Get,
    Post,
    Put,
    Patch,
    Delete,
    Other,
}

impl Budget {
    /// Tells whether a request is to be kept whole, and counts it if it is.
    pub(super) fn allows(&mut self, organisation: OrgId, answered: &Answered<'_>) -> bool {
        let second = answered.at.as_second();
        if second != self.second {
            self.second = second;
            self.kept.clear();
        }
        let method = match answered.method {
            "GET" => Method::Get,
            "POST" => Method::Post,
            "PUT" => Method::Put,
            "PATCH" => Method::Patch,
            "DELETE" => Method::Delete,
            _ => Method::Other,
        };
        let kept = self
            .kept
            .entry((organisation, method, answered.failed()))
            .or_default();
        *kept += 1;
        *kept <= A_SECOND
    }
}
