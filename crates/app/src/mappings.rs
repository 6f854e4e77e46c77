//! Mappings of an application, changed one by one: attributes, the target's attribute list, scoping filters.
//!
//! **Is:** edits that name what they are about; what results is compiled before it is stored, so that every mistake is told.
//! **Start at** [`App::set_mapping`].

use rollcall_model::mapping::{
    AttributeMapping, ObjectMapping, ScopeFilter, Source, TargetAttribute, defaults,
};
use rollcall_model::{Application, ApplicationId, Kind};
use rollcall_sync::digest::Digest;

use crate::directory::Context;
use crate::{App, Failure};

/// Returns the version of a mapping: another one whenever anything in it changed.
pub fn version(mapping: &ObjectMapping) -> String {
    let mut digest = Digest::default();
    // a structure of texts and lists always has a JSON form
    digest.value(&serde_json::to_value(mapping).unwrap_or_default());
    digest.finish()
}

/// Returns the version of all mappings of an application.
pub fn versions(application: &Application) -> String {
    let both = [&application.users, &application.groups].map(version);
    both.join("-")
}

impl App {
    /// Changes the mapping of a kind of object. `expected` is the [`version`] that the change was made for; absent: whatever is there.
    ///
    /// # Errors
    /// [`Failure::Missing`] for the application; [`Failure::Precondition`] when somebody else changed the mapping meanwhile; what
    /// `change` refuses; [`Failure::Configuration`].
    pub async fn edit_mapping(
        &self,
        context: &Context,
        id: ApplicationId,
        (kind, expected): (Kind, Option<String>),
        change: impl FnOnce(&mut ObjectMapping) -> Result<(), Failure> + Send + 'static,
    ) -> Result<Application, Failure> {
        self.on_mapping(context, id, kind, move |mapping| {
            if expected.is_some_and(|expected| expected != version(mapping)) {
                return Err(Failure::Precondition);
            }
            change(mapping)
        })
        .await
    }

    /// Changes what fills an attribute of the target, or adds it; what the change does not touch stays.
    ///
    /// # Errors
    /// [`Failure::Missing`] for the application; [`Failure::Configuration`].
    pub async fn set_mapping(
        &self,
        context: &Context,
        id: ApplicationId,
        (kind, target): (Kind, String),
        change: impl FnOnce(&mut AttributeMapping) + Send + 'static,
    ) -> Result<Application, Failure> {
        self.on_mapping(context, id, kind, move |mapping| {
            let mut known = mapping.attributes.iter_mut();
            let known = known.find(|one| is(&one.target, &target));
            if let Some(known) = known {
                change(known);
                return Ok(());
            }
            let mut new = AttributeMapping {
                source: Source::None,
                ..AttributeMapping::constant("", &target)
            };
            change(&mut new);
            mapping.attributes.push(new);
            Ok(())
        })
        .await
    }

    /// Has nothing fill an attribute of the target any more; what the target has stays.
    ///
    /// # Errors
    /// [`Failure::Missing`] for the application or the mapping; [`Failure::Configuration`] when it was the last one that matches.
    pub async fn remove_mapping(
        &self,
        context: &Context,
        id: ApplicationId,
        (kind, target): (Kind, String),
    ) -> Result<Application, Failure> {
        self.on_mapping(context, id, kind, move |mapping| {
            let attributes = &mut mapping.attributes;
            take_out(attributes, "mapping", &target, |one| &one.target)
        })
        .await
    }

    /// Gives a kind of object the mapping of a new application: attributes, attribute list, actions, no scoping filters.
    ///
    /// # Errors
    /// [`Failure::Missing`] for the application.
    pub async fn reset_mapping(
        &self,
        context: &Context,
        id: ApplicationId,
        kinds: Vec<Kind>,
    ) -> Result<Application, Failure> {
        self.configure(context, id, move |application| {
            if [Kind::User, Kind::Group]
                .iter()
                .all(|kind| kinds.contains(kind))
            {
                application.schema = None;
            }
            for kind in kinds {
                match kind {
                    Kind::User => application.users = defaults::users(),
                    Kind::Group => application.groups = defaults::groups(),
                }
            }
        })
        .await
    }

    /// Changes the properties of an attribute in the target's attribute list, or adds it; what the change does not touch stays.
    ///
    /// # Errors
    /// [`Failure::Missing`] for the application; [`Failure::Configuration`].
    pub async fn set_target_attribute(
        &self,
        context: &Context,
        id: ApplicationId,
        (kind, name): (Kind, String),
        change: impl FnOnce(&mut TargetAttribute) + Send + 'static,
    ) -> Result<Application, Failure> {
        self.on_mapping(context, id, kind, move |mapping| {
            let mut known = mapping.target_attributes.iter_mut();
            let known = known.find(|one| is(&one.name, &name));
            if let Some(known) = known {
                change(known);
                return Ok(());
            }
            let mut new = TargetAttribute::new(&name);
            change(&mut new);
            mapping.target_attributes.push(new);
            Ok(())
        })
        .await
    }

    /// Takes an attribute out of the target's attribute list.
    ///
    /// # Errors
    /// [`Failure::Missing`] for the application or the attribute.
    pub async fn remove_target_attribute(
        &self,
        context: &Context,
        id: ApplicationId,
        (kind, name): (Kind, String),
    ) -> Result<Application, Failure> {
        self.on_mapping(context, id, kind, move |mapping| {
            let attributes = &mut mapping.target_attributes;
            take_out(attributes, "attribute", &name, |one| &one.name)
        })
        .await
    }

    /// Adds a scoping filter; who passes any of the filters is in scope.
    ///
    /// # Errors
    /// [`Failure::Missing`] for the application; [`Failure::Taken`] when it has a filter of that name; [`Failure::Configuration`].
    pub async fn add_filter(
        &self,
        context: &Context,
        id: ApplicationId,
        kind: Kind,
        filter: ScopeFilter,
    ) -> Result<Application, Failure> {
        self.on_mapping(context, id, kind, move |mapping| {
            if mapping.filters.iter().any(|one| is(&one.name, &filter.name)) {
                return Err(Failure::Taken {
                    attribute: "filter",
                    hint: "there is a scoping filter of that name; remove it first, or choose another name",
                });
            }
            mapping.filters.push(filter);
            Ok(())
        })
        .await
    }

    /// Takes a scoping filter out. Without the last one everybody passes.
    ///
    /// # Errors
    /// [`Failure::Missing`] for the application or the filter.
    pub async fn remove_filter(
        &self,
        context: &Context,
        id: ApplicationId,
        (kind, name): (Kind, String),
    ) -> Result<Application, Failure> {
        self.on_mapping(context, id, kind, move |mapping| {
            take_out(&mut mapping.filters, "scoping filter", &name, |one| {
                &one.name
            })
        })
        .await
    }

    async fn on_mapping(
        &self,
        context: &Context,
        id: ApplicationId,
        kind: Kind,
        change: impl FnOnce(&mut ObjectMapping) -> Result<(), Failure> + Send + 'static,
    ) -> Result<Application, Failure> {
        self.reconfigure(context, id, move |application| {
            change(match kind {
                Kind::User => &mut application.users,
                Kind::Group => &mut application.groups,
            })
        })
        .await
    }
}

/// Names of attributes (RFC 7643 §2.1) and of filters are compared without regard to case.
fn is(one: &str, other: &str) -> bool {
    one.eq_ignore_ascii_case(other)
}

fn take_out<T>(
    list: &mut Vec<T>,
    noun: &'static str,
    name: &str,
    name_of: impl Fn(&T) -> &str,
) -> Result<(), Failure> {
    let before = list.len();
    list.retain(|one| !is(name_of(one), name));
    if list.len() == before {
        return Err(Failure::Missing {
            noun,
            id: name.to_owned(),
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Installation;

    #[tokio::test]
    async fn a_change_made_for_an_older_version_is_refused_and_changes_are_on_record() {
        let installation = Installation::new().await;
        let (app, context) = (&installation.app, installation.command());
        let made = app
            .create_application(&context, "Vault".into())
            .await
            .unwrap();
        let seen = version(&made.users);
        let take_out = |mapping: &mut ObjectMapping| {
            mapping.take_out("title");
            Ok(())
        };

        let changed = app
            .edit_mapping(
                &context,
                made.id,
                (Kind::User, Some(seen.clone())),
                take_out,
            )
            .await
            .unwrap();

        assert!(changed.users.place_of("title").is_none());
        assert_ne!(version(&changed.users), seen);
        let again = app
            .edit_mapping(&context, made.id, (Kind::User, Some(seen)), take_out)
            .await;
        assert!(matches!(again, Err(Failure::Precondition)), "{again:?}");
        let audit = context
            .tenant()
            .read(|reader| Ok::<_, Failure>(reader.audit(None, 1)?))
            .await
            .unwrap();
        let detail = &audit.first().unwrap().detail;
        assert_eq!(
            detail["mappings"]["users"]["lines"],
            serde_json::json!(["title"])
        );
        assert_eq!(detail["mappings"].get("groups"), None);
    }

    #[tokio::test]
    async fn a_document_does_not_replace_mappings_that_were_changed_meanwhile() {
        let installation = Installation::new().await;
        let (app, context) = (&installation.app, installation.command());
        let made = app
            .create_application(&context, "Vault".into())
            .await
            .unwrap();
        let text = crate::schemas::export(&made).to_string();
        let seen = versions(&made);
        app.remove_mapping(&context, made.id, (Kind::Group, "externalId".to_owned()))
            .await
            .unwrap();

        let refused = app
            .import_schema(&context, made.id, &text, Some(seen))
            .await;

        assert!(matches!(refused, Err(Failure::Precondition)), "{refused:?}");
        app.import_schema(&context, made.id, &text, None)
            .await
            .unwrap();
    }
}
