//! Directory integrations as they stand, and the names of whoever acts in an organisation.

use std::collections::HashMap;

use jiff::SignedDuration;
use rollcall_model::traffic::Hour;
use rollcall_model::{
    Actor, AdminId, Exchange, Integration, IntegrationId, IntegrationKind, KeyId, TokenRecord,
};
use rollcall_store::{Counts, ExchangeQuery};

use crate::directory::Context;
use crate::{App, Failure};

/// How a connected directory stands.
#[derive(Debug, Clone)]
pub struct Standing {
    /// The integration.
    pub integration: Integration,
    /// Its tokens, the newest first.
    pub tokens: Vec<TokenRecord>,
    /// The people and groups that it manages.
    pub managed: Counts,
    /// What it asked in the last 24 hours, by the hour.
    pub hours: Vec<Hour>,
    /// The last request that is kept.
    pub last: Option<Exchange>,
    /// The last one that failed.
    pub last_failed: Option<Exchange>,
}

/// Who acts in an organisation, by name.
#[derive(Debug, Clone, Default)]
pub struct Parties {
    integrations: HashMap<IntegrationId, IntegrationKind>,
    administrators: HashMap<AdminId, String>,
    keys: HashMap<KeyId, String>,
}

impl Parties {
    /// Names the parties by hand.
    pub fn new(
        integrations: impl IntoIterator<Item = (IntegrationId, IntegrationKind)>,
        administrators: impl IntoIterator<Item = (AdminId, String)>,
    ) -> Self {
        Self {
            integrations: integrations.into_iter().collect(),
            administrators: administrators.into_iter().collect(),
            keys: HashMap::new(),
        }
    }

    /// Names API keys, too.
    #[must_use]
    pub fn with_keys(mut self, keys: impl IntoIterator<Item = (KeyId, String)>) -> Self {
        self.keys.extend(keys);
        self
    }

    /// Returns what kind of directory an integration is, if it is still connected.
    pub fn kind(&self, id: IntegrationId) -> Option<IntegrationKind> {
        self.integrations.get(&id).copied()
    }

    /// Returns the integration of a kind.
    pub fn of_kind(&self, kind: IntegrationKind) -> Option<IntegrationId> {
        let found = self.integrations.iter().find(|(_, other)| **other == kind);
        found.map(|(id, _)| *id)
    }

    /// Returns the kinds of directory that are connected, in the order in which they are shown.
    pub fn kinds(&self) -> Vec<(IntegrationKind, IntegrationId)> {
        IntegrationKind::ALL
            .into_iter()
            .filter_map(|kind| Some((kind, self.of_kind(kind)?)))
            .collect()
    }

    /// Returns the administrators, by name.
    pub fn administrators(&self) -> Vec<(AdminId, &str)> {
        let mut all: Vec<_> = self
            .administrators
            .iter()
            .map(|(id, name)| (*id, name.as_str()))
            .collect();
        all.sort_by_key(|(id, name)| (name.to_lowercase(), *id));
        all
    }

    /// Returns the API keys, by name; those that have ended, too, for what they did is still there.
    pub fn keys(&self) -> Vec<(KeyId, &str)> {
        let mut all: Vec<_> = self
            .keys
            .iter()
            .map(|(id, name)| (*id, name.as_str()))
            .collect();
        all.sort_by_key(|(id, name)| (name.to_lowercase(), *id));
        all
    }

    /// Names an actor for people; those who are gone by what they were.
    pub fn name<'p>(&'p self, actor: &Actor) -> &'p str {
        match actor {
            Actor::Integration { id, .. } => self
                .kind(*id)
                .map_or("A directory that was disconnected", IntegrationKind::short),
            Actor::Administrator { id } => self
                .administrators
                .get(id)
                .map_or("A former administrator", String::as_str),
            Actor::Command => "A command on the server",
            Actor::System => "Rollcall",
            Actor::Key { id } => self.keys.get(id).map_or("An API key", String::as_str),
        }
    }
}

impl App {
    /// Returns the names of whoever acts in the organisation.
    pub async fn parties(&self, context: &Context) -> Result<Parties, Failure> {
        context
            .tenant()
            .read(move |reader| {
                let integrations = reader.integrations()?;
                let administrators = reader.administrators()?;
                let keys = reader.api_keys()?.into_iter();
                let parties = Parties::new(
                    integrations.into_iter().map(|one| (one.id, one.kind)),
                    administrators
                        .into_iter()
                        .map(|one| (one.id, one.title().to_owned())),
                );
                Ok(parties.with_keys(keys.map(|key| (key.id, format!("API key {}", key.name)))))
            })
            .await
    }

    /// Returns how the directory of a kind stands; absent: none was connected.
    pub async fn integration_standing(
        &self,
        context: &Context,
        kind: IntegrationKind,
    ) -> Result<Option<Standing>, Failure> {
        let all = self.standings(context).await?;
        Ok(all.into_iter().find(|one| one.integration.kind == kind))
    }

    /// Returns how the connected directories stand, in the order in which they are shown.
    pub async fn standings(&self, context: &Context) -> Result<Vec<Standing>, Failure> {
        let day_ago = self.now() - SignedDuration::from_hours(23);
        context
            .tenant()
            .read(move |reader| {
                let (tokens, hours) = (reader.tokens()?, reader.traffic(day_ago)?);
                let mut standings = Vec::new();
                for integration in reader.integrations()? {
                    let id = integration.id;
                    let last = |failed| {
                        let query = ExchangeQuery {
                            of: Some(Some(id)),
                            failed,
                            before: None,
                        };
                        let found = reader.exchanges(query, 1)?;
                        Ok::<_, Failure>(found.into_iter().next().map(|(_, exchange)| exchange))
                    };
                    let mut own: Vec<TokenRecord> = tokens
                        .iter()
                        .filter(|token| token.integration == id)
                        .cloned()
                        .collect();
                    own.sort_by_key(|token| std::cmp::Reverse((token.created, token.id)));
                    standings.push(Standing {
                        tokens: own,
                        managed: reader.managed(Some(id))?,
                        hours: hours
                            .iter()
                            .filter(|hour| hour.integration == Some(id))
                            .cloned()
                            .collect(),
                        last: last(false)?,
                        last_failed: last(true)?,
                        integration,
                    });
                }
                standings.sort_by_key(|one| one.integration.kind);
                Ok(standings)
            })
            .await
    }

    /// Counts the people and groups that no directory manages.
    pub async fn unmanaged(&self, context: &Context) -> Result<Counts, Failure> {
        context
            .tenant()
            .read(move |reader| Ok(reader.managed(None)?))
            .await
    }
}

#[cfg(test)]
mod tests {
    use rollcall_model::Kind;
    use serde_json::json;

    use super::*;
    use crate::testing::Installation;

    #[tokio::test]
    async fn a_directory_stands_with_its_tokens_and_what_it_manages() {
        let installation = Installation::new().await;
        let app = &installation.app;
        let (first, _, entra) = installation.directory(IntegrationKind::Entra).await;
        installation.clock.advance(SignedDuration::from_secs(1));
        let (second, ..) = installation.directory(IntegrationKind::Entra).await;
        let body = json!({"userName": "ann"});
        app.create(&entra, Kind::User, body).await.unwrap();
        let command = installation.command();
        let body = json!({"userName": "bob"});
        app.create(&command, Kind::User, body).await.unwrap();

        let standing = app
            .integration_standing(&command, IntegrationKind::Entra)
            .await
            .unwrap()
            .unwrap();

        assert_eq!(standing.managed.users, 1);
        let tokens: Vec<_> = standing.tokens.iter().map(|token| token.id).collect();
        assert_eq!(tokens, [second.id, first.id]);
        assert!(standing.last.is_none());
        let none = app
            .integration_standing(&command, IntegrationKind::Okta)
            .await;
        assert!(none.unwrap().is_none());
        assert_eq!(app.unmanaged(&command).await.unwrap().users, 1);
        let parties = app.parties(&command).await.unwrap();
        assert_eq!(parties.name(&entra.origin().actor), "Entra ID");
    }
}
