//! What is done with bytes from anywhere: the fuzz targets run it, and the tests run it again on the committed corpora.

#![expect(
    clippy::expect_used,
    reason = "whatever is unexpected here is a finding"
)]

use rollcall_scim::filter::{Filter, NoRelated};
use rollcall_scim::json;
use rollcall_scim::limits::STANDARD;
use rollcall_scim::patch::Patch;
use rollcall_scim::path::Path;
use rollcall_scim::resource::Resource;
use rollcall_scim::schema::{Registry, ResourceType};
use serde_json::json;

fn text(data: &[u8]) -> Option<&str> {
    std::str::from_utf8(data).ok()
}

fn ann(kind: &ResourceType) -> Resource {
    let body = json!({
        "userName": "ann@example.com", "displayName": "Ann", "active": true, "title": "Buyer",
        "name": {"givenName": "Ann", "familyName": "Lee"},
        "emails": [{"value": "ann@example.com", "type": "work", "primary": true}, {"value": "a@home.test", "type": "home"}],
        "roles": [{"value": "Admin", "primary": true}],
        "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": {"department": "Sales", "manager": {"value": "m"}},
    });
    Resource::from_request(kind, body, &STANDARD).expect("a proper person")
}

/// A filter is refused, or is written as it was read and can be evaluated.
pub(super) fn filter(data: &[u8]) {
    let Some(text) = text(data) else { return };
    let registry = Registry::standard();
    let kind = registry.user();
    let Ok(filter) = Filter::parse(text, kind, &STANDARD) else {
        return;
    };
    let ann = ann(kind);
    let matched = filter.matches(ann.as_map(), &NoRelated);
    let written = filter.to_string();
    let again = Filter::parse(&written, kind, &STANDARD)
        .unwrap_or_else(|error| panic!("{text:?} is written as {written:?}: {error:?}"));
    assert_eq!(
        again.matches(ann.as_map(), &NoRelated),
        matched,
        "{text:?} and {written:?}"
    );
}

/// A path is refused, or leads somewhere or nowhere.
pub(super) fn path(data: &[u8]) {
    let Some(text) = text(data) else { return };
    let registry = Registry::standard();
    let kind = registry.user();
    if let Ok(path) = Path::parse(text, kind) {
        assert!(ann(kind).get(&path).len() <= 2);
    }
}

/// A PATCH is refused and leaves no trace, or is applied; applied twice, what it makes is proper either time.
pub(super) fn patch(data: &[u8]) {
    let registry = Registry::standard();
    let Ok(body) = json::parse(data, &STANDARD) else {
        return;
    };
    for kind in [registry.user(), registry.group()] {
        let Ok(mut patch) = Patch::parse(&body, kind, &STANDARD) else {
            continue;
        };
        drop(patch.take_members());
        let mut resource = ann(registry.user());
        let before = resource.clone();
        for _ in 0..2 {
            if patch.apply(&mut resource, kind, &STANDARD).is_err() {
                break;
            }
        }
        if patch.apply(&mut before.clone(), kind, &STANDARD).is_err() {
            assert_eq!(resource, before, "a refused PATCH left traces");
        }
    }
}

/// A body is refused, or becomes a resource that is accepted again as it is.
pub(super) fn resource(data: &[u8]) {
    let registry = Registry::standard();
    let Ok(body) = json::parse(data, &STANDARD) else {
        return;
    };
    for kind in [registry.user(), registry.group()] {
        let Ok(mut resource) = Resource::from_request(kind, body.clone(), &STANDARD) else {
            continue;
        };
        drop(resource.take_members());
        let document = resource.clone().into_value();
        let again = Resource::from_request(kind, document, &STANDARD)
            .expect("what was accepted is acceptable");
        assert_eq!(again.into_value(), resource.into_value());
    }
}
