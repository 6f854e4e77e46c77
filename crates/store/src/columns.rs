//! The columns by which people and groups are found, computed from their documents.

use rollcall_model::Kind;
use rollcall_scim::key;
use rollcall_scim::resource::Resource;

/// The columns of a document.
pub(crate) struct Columns {
    pub(crate) name_key: String,
    pub(crate) external_id: Option<String>,
    pub(crate) display: Option<String>,
    pub(crate) display_key: Option<String>,
    pub(crate) active: bool,
    pub(crate) manager: Option<String>,
    pub(crate) emails: Vec<String>,
}

impl Columns {
    pub(crate) fn of(kind: Kind, resource: &Resource) -> Self {
        let display = resource.display_name().map(str::to_owned);
        let display_key = display.as_deref().map(key::canonical);
        let (name_key, emails) = match kind {
            Kind::User => (
                key::canonical(resource.user_name().unwrap_or_default()),
                resource.emails().map(key::canonical).collect(),
            ),
            Kind::Group => (display_key.clone().unwrap_or_default(), Vec::new()),
        };
        Self {
            name_key,
            external_id: resource.external_id().map(str::to_owned),
            display,
            display_key,
            active: kind == Kind::Group || resource.is_active(),
            manager: resource.manager().map(key::canonical),
            emails,
        }
    }
}

/// Returns the keys that are there after and were not before.
pub(crate) fn added<'a>(
    before: &'a [String],
    after: &'a [String],
) -> impl Iterator<Item = &'a String> {
    after.iter().filter(|key| !before.contains(key))
}

/// The attribute whose value only one object of a kind may have.
pub(crate) fn unique_attribute(kind: Kind) -> &'static str {
    match kind {
        Kind::User => "userName",
        Kind::Group => "displayName",
    }
}

/// Tells whether an object can be found by what its document says.
pub(crate) fn fit(kind: Kind, name_key: &str, active: bool, document: &[u8]) -> bool {
    let resource = serde_json::from_slice(document).map(Resource::from_stored);
    resource.is_ok_and(|resource| {
        let (name, is_active) = match kind {
            Kind::User => (resource.user_name(), resource.is_active()),
            Kind::Group => (resource.display_name(), true),
        };
        name.map(key::canonical).as_deref() == Some(name_key) && active == is_active
    })
}
