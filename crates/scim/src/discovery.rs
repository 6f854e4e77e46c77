//! What a server says it can do (RFC 7643 §5, RFC 9865 §4).

use serde_json::{Value, json};

use crate::limits::Limits;

/// The features and limits of a server, read from the table that enforces them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceProviderConfig {
    limits: Limits,
}

impl ServiceProviderConfig {
    /// Describes a server with these limits.
    pub fn new(limits: &Limits) -> Self {
        Self {
            limits: limits.clone(),
        }
    }

    /// Returns the document, located below the base URL.
    pub fn to_json(&self, base: &str) -> Value {
        let limits = &self.limits;
        json!({
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig"],
            "patch": {"supported": true},
            "bulk": {
                "supported": true,
                "maxOperations": limits.bulk_operations,
                "maxPayloadSize": limits.bulk_body_bytes,
            },
            "filter": {"supported": true, "maxResults": limits.max_count},
            "changePassword": {"supported": false},
            "sort": {"supported": true},
            "etag": {"supported": true},
            "pagination": {
                "cursor": true,
                "index": true,
                "defaultPaginationMethod": "index",
                "defaultPageSize": limits.default_count,
                "maxPageSize": limits.max_count,
                "cursorTimeout": limits.cursor_seconds,
            },
            "authenticationSchemes": [{
                "type": "oauthbearertoken",
                "name": "Provisioning token",
                "description": "A bearer token that an administrator creates for the directory",
                "specUri": "https://www.rfc-editor.org/info/rfc6750",
                "primary": true,
            }],
            "meta": {"resourceType": "ServiceProviderConfig", "location": format!("{base}/ServiceProviderConfig")},
        })
    }
}
