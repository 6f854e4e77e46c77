//! The activity log as people read it: entries with the names of what they are about, page by page or as a stream.

use std::collections::HashMap;

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
                let mut names = Names::new(reader);
                let deeds = entries.into_iter().map(|entry| {
                    let name = names.of(&entry)?;
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

/// Finds the names of what entries are about; what is read whole is read once.
struct Names<'r, R: ?Sized> {
    reader: &'r R,
    applications: Option<HashMap<String, String>>,
    administrators: Option<HashMap<String, String>>,
    tokens: Option<HashMap<String, String>>,
}

impl<'r, R: Reader + ?Sized> Names<'r, R> {
    fn new(reader: &'r R) -> Self {
        Self {
            reader,
            applications: None,
            administrators: None,
            tokens: None,
        }
    }

    fn of(&mut self, entry: &AuditEntry) -> Result<Option<String>, Failure> {
        let (object, reader) = (entry.object.as_str(), self.reader);
        let noun = entry.action.split('.').next().unwrap_or_default();
        let said = |field: &str| {
            let said = entry.detail.get(field).and_then(|value| value.as_str());
            said.map(str::to_owned)
        };
        let kind = match noun {
            "user" => Some(Kind::User),
            "group" => Some(Kind::Group),
            _ => None,
        };
        if let Some(kind) = kind {
            let Ok(id) = object.parse::<ResourceId>() else {
                return Ok(None);
            };
            return Ok(reader.entry(kind, id)?.map(|entry| title(&entry)));
        }
        Ok(match noun {
            "application" => known(&mut self.applications, object, || {
                let all = reader.applications()?.into_iter();
                Ok(all.map(|one| (one.id.to_string(), one.name)).collect())
            })?
            .or_else(|| said("name")),
            "administrator" => known(&mut self.administrators, object, || {
                let all = reader.administrators()?.into_iter();
                let named = all.map(|one| (one.id.to_string(), one.title().to_owned()));
                Ok(named.collect())
            })?
            .or_else(|| said("email")),
            "token" => known(&mut self.tokens, object, || {
                let integrations = reader.integrations()?.into_iter();
                let kinds: HashMap<_, _> = integrations.map(|one| (one.id, one.kind)).collect();
                let named = reader.tokens()?.into_iter().filter_map(|one| {
                    let kind = kinds.get(&one.integration)?;
                    Some((one.id.to_string(), kind.short().to_owned()))
                });
                Ok(named.collect())
            })?,
            "organisation" => Some(reader.organisation()?.name),
            _ => None,
        })
    }
}

/// Returns the name of an object out of a list that is read when it is first needed.
fn known(
    list: &mut Option<HashMap<String, String>>,
    object: &str,
    read: impl FnOnce() -> Result<HashMap<String, String>, Failure>,
) -> Result<Option<String>, Failure> {
    let list = match list {
        Some(list) => list,
        None => list.insert(read()?),
    };
    Ok(list.get(object).cloned())
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
