//! The activity log as people read it: entries with the names of what they are about, page by page or as a stream.

use rollcall_model::{AuditEntry, Kind, ResourceId};
use rollcall_store::{AuditQuery, Reader, Tally};

use crate::directory::{Context, title};
use crate::{App, Failure};

/// An entry of the log, with the name of what it is about.
#[derive(Debug, Clone)]
pub struct Deed {
    /// The entry.
    pub entry: AuditEntry,
    /// The name; absent: it is gone, or has none.
    pub name: Option<String>,
}

impl App {
    /// Returns the latest `count` entries of the activity log that answer a query, latest first, with names.
    ///
    /// # Errors
    /// [`Failure::Malformed`] when it has to look through too much.
    pub async fn activity(
        &self,
        context: &Context,
        query: AuditQuery,
        count: u64,
    ) -> Result<Vec<Deed>, Failure> {
        context
            .tenant()
            .read(move |reader| {
                let before = query.before;
                let is_whole = AuditQuery {
                    before: None,
                    ..query.clone()
                } == AuditQuery::default();
                // every part of the whole log in the same order: where a clock was set back, that of time is another one
                let entries = if is_whole {
                    reader.audit(before, count)?
                } else {
                    reader.audit_where(&query, count)?
                };
                let deeds = entries.into_iter().map(|entry| {
                    let name = name(reader, &entry)?;
                    Ok(Deed { entry, name })
                });
                deeds.collect()
            })
            .await
    }

    /// Returns how often what was done on the days `from` to `to`, both included: days after 1970-01-01, UTC.
    pub async fn tallies(
        &self,
        context: &Context,
        from: i64,
        to: i64,
    ) -> Result<Vec<Tally>, Failure> {
        context
            .tenant()
            .read(move |reader| Ok(reader.tallies(from, to)?))
            .await
    }
}

/// Finds the name of what an entry is about.
fn name<R: Reader + ?Sized>(reader: &R, entry: &AuditEntry) -> Result<Option<String>, Failure> {
    let object = entry.object.as_str();
    let noun = entry.action.split('.').next().unwrap_or_default();
    let said = |field: &str| {
        let said = entry.detail.get(field).and_then(|value| value.as_str());
        said.map(str::to_owned)
    };
    Ok(match noun {
        "user" | "group" => {
            let kind = if noun == "user" {
                Kind::User
            } else {
                Kind::Group
            };
            match object.parse::<ResourceId>() {
                Ok(id) => reader.entry(kind, id)?.map(|entry| title(&entry)),
                Err(_) => None,
            }
        }
        "application" => reader
            .applications()?
            .into_iter()
            .find(|one| one.id.to_string() == object)
            .map(|one| one.name)
            .or_else(|| said("name")),
        "administrator" => reader
            .administrators()?
            .into_iter()
            .find(|one| one.id.to_string() == object)
            .map(|one| one.title().to_owned())
            .or_else(|| said("email")),
        "token" => {
            let tokens = reader.tokens()?;
            let integration = tokens.iter().find(|one| one.id.to_string() == object);
            let integration = integration.map(|one| one.integration);
            reader
                .integrations()?
                .into_iter()
                .find(|one| Some(one.id) == integration)
                .map(|one| one.kind.short().to_owned())
        }
        "organisation" => Some(reader.organisation()?.name),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;
    use rollcall_model::IntegrationKind;
    use serde_json::json;

    use super::*;
    use crate::testing::Installation;

    #[tokio::test]
    async fn entries_come_with_the_names_of_what_they_are_about() {
        let installation = Installation::new().await;
        let app = &installation.app;
        let (_, _, directory) = installation.directory(IntegrationKind::Entra).await;
        let body = json!({"userName": "ann", "displayName": "Ann Lee"});
        app.create(&directory, Kind::User, body).await.unwrap();

        let deeds = app.activity(&directory, AuditQuery::default(), 10).await;

        let deeds: Vec<_> = deeds
            .unwrap()
            .into_iter()
            .map(|deed| (deed.entry.action, deed.name.unwrap_or_default()))
            .collect();
        let expected = [
            ("user.created", "Ann Lee"),
            ("token.created", "Entra ID"),
            ("organisation.created", "Vault"),
        ];
        let expected: Vec<_> = expected
            .iter()
            .map(|(action, name)| ((*action).to_owned(), (*name).to_owned()))
            .collect();
        assert_eq!(deeds, expected);
    }

    #[tokio::test]
    async fn a_clock_that_was_set_back_hides_nothing_between_two_parts() {
        let installation = Installation::new().await;
        let (app, context) = (&installation.app, installation.command());
        for (number, minutes) in [3, 3, -60, 3, 3].into_iter().enumerate() {
            installation
                .clock
                .advance(SignedDuration::from_mins(minutes));
            let body = json!({"userName": format!("p{number}")});
            app.create(&context, Kind::User, body).await.unwrap();
        }
        for action in [None, Some("user.".to_owned())] {
            let mut query = AuditQuery {
                action,
                ..AuditQuery::default()
            };
            let whole = app.activity(&context, query.clone(), 100).await.unwrap();
            let mut parts = Vec::new();
            loop {
                let part = app.activity(&context, query.clone(), 1).await.unwrap();
                let Some(deed) = part.last() else { break };
                query.before = Some(deed.entry.sequence);
                parts.extend(part);
            }
            let places = |deeds: &[Deed]| -> Vec<u64> {
                deeds.iter().map(|deed| deed.entry.sequence).collect()
            };
            assert!(parts.len() >= 5);
            assert_eq!(places(&parts), places(&whole));
        }
    }
}
