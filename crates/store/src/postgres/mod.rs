//! The PostgreSQL backend: one database, any number of nodes.
//!
//! Whoever writes for an organisation has locked its row first, so that its units run one after the other whichever node they come to,
//! and the places in its feed follow the order of the commits. Acknowledged means durable: a unit is answered after the commit that
//! holds it, with `synchronous_commit=on`. See decision 20.
//!
//! What one organisation may see is fenced twice: every statement names it, and row-level security lets nothing else through.

mod access;
mod activations;
mod address;
mod books;
mod claims;
mod connections;
mod convert;
pub(crate) mod copying;
mod directory;
mod erasure;
mod examination;
mod glances;
mod jobs;
mod keys;
mod ledger;
mod listing;
mod migrations;
mod retention;
mod session;
mod sessions;
mod statistics;
#[cfg(test)]
mod tests;
mod traffic;
mod unit;
mod webhooks;
mod writers;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use jiff::Timestamp;
use rollcall_model::{AdminId, KeyRecord, OrgId, Organisation, Slug, TokenRecord, WebhookId};
use tokio::sync::oneshot;

pub use address::Address;

use crate::figures::Does;
use crate::traits::{Backend, Look, Unit};
use crate::turns::Turns;
use crate::{Claim, Claimed, Error, Figures, Finding, NewAudit, Occupancy, Scheduled, WriteLedger};
use connections::{Connections, Connector, Purpose, READERS, READERS_OF_ONE, SETTINGS};
use convert::{document, existing, id, json, uuid};
use glances::Glances;
use migrations::Applying;
use session::Then;
use unit::Tenant;

/// How long a unit of reading may look through objects.
const SCAN_TIME: Duration = Duration::from_secs(10);
/// The oldest PostgreSQL that is supported.
const OLDEST: i32 = 130_000;

/// An open PostgreSQL store.
#[derive(Debug)]
pub(crate) struct Postgres {
    connections: Connections,
    glances: Glances,
    readers: Turns,
    writers: writers::Writers,
    claims: claims::Claims,
    warnings: Vec<Finding>,
    figures: Arc<Figures>,
}

impl Postgres {
    pub(crate) async fn open(address: &Address, figures: Arc<Figures>) -> Result<Self, Error> {
        let connector = Connector::new(address)?;
        let mut client = connector.connect(SETTINGS).await?;
        let explain = |error| address.explain(error);
        let row = client
            .query_one(
                "SELECT current_setting('server_version_num')::integer, current_setting('server_encoding'),
                     (SELECT rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = current_user)",
                &[],
            )
            .await
            .map_err(explain)?;
        let (version, encoding): (i32, String) = (row.try_get(0)?, row.try_get(1)?);
        if version < OLDEST {
            return Err(unsuitable("it is older than PostgreSQL 13"));
        }
        if encoding != "UTF8" {
            return Err(unsuitable(&format!(
                "its encoding is {encoding}: create a database with the encoding UTF8"
            )));
        }
        let warnings = if row.try_get(2)? {
            vec![unfenced(address)]
        } else {
            Vec::new()
        };
        migrations::apply(&mut client)
            .await
            .map_err(|error| match error {
                Applying::Newer { found, known } => Error::Newer { found, known },
                Applying::Refused(error) => explain(error),
            })?;
        drop(client);
        let glances = Glances::new(connector.clone())?;
        glances.check().await?;
        let connections = Connections::new(connector);
        Ok(Self {
            readers: Turns::new(READERS, READERS_OF_ONE),
            writers: writers::Writers::new(connections.clone(), Arc::clone(&figures)),
            claims: claims::Claims::default(),
            connections,
            glances,
            warnings,
            figures,
        })
    }
}

/// Tells whether there is a store in a database.
pub(crate) async fn holds_store(address: &Address) -> Result<bool, Error> {
    let client = Connector::new(address)?.connect(SETTINGS).await?;
    let found = migrations::is_there(&*client).await;
    found.map_err(|error| address.explain(error))
}

fn unsuitable(reason: &str) -> Error {
    Error::Unreachable(format!("the database cannot hold a store: {reason}").into())
}

fn unfenced(address: &Address) -> Finding {
    Finding {
        trouble: format!(
            "{address}: the role is a superuser or has BYPASSRLS, so that row-level security does not hold for it"
        ),
        remedy: "make a role without these rights the owner of the database, and its tables, and use that".into(),
    }
}

#[async_trait]
impl Backend for Postgres {
    async fn organisations(&self) -> Result<Vec<Organisation>, Error> {
        let sql = "SELECT document FROM organisations ORDER BY slug";
        let rows = self.glances.rows(sql, &[]).await?;
        rows.iter().map(document).collect()
    }

    async fn organisation(&self, slug: &Slug) -> Result<Option<Organisation>, Error> {
        let sql = "SELECT document FROM organisations WHERE slug = $1";
        let found = self.glances.row(sql, &[&slug.as_str()]).await?;
        found.as_ref().map(document).transpose()
    }

    async fn bearer(
        &self,
        slug: &Slug,
        digest: [u8; 32],
    ) -> Result<Option<(Organisation, TokenRecord)>, Error> {
        access::bearer(&self.glances, slug, &digest).await
    }

    async fn key(&self, digest: [u8; 32]) -> Result<Option<(Organisation, KeyRecord)>, Error> {
        keys::key(&self.glances, &digest).await
    }

    async fn schedule(&self, organisation: Option<OrgId>) -> Result<Vec<Scheduled>, Error> {
        jobs::schedule(&self.glances, organisation).await
    }

    async fn administrators_called(&self, email_key: &str) -> Result<Vec<(OrgId, AdminId)>, Error> {
        if !convert::may_be_there(email_key) {
            return Ok(Vec::new());
        }
        let sql = "SELECT org, id FROM administrators WHERE email_key = $1 ORDER BY org";
        let rows = self.glances.rows(sql, &[&email_key]).await?;
        rows.iter()
            .map(|row| Ok((id(row, 0)?, id(row, 1)?)))
            .collect()
    }

    async fn ping(&self) -> Result<(), Error> {
        let client = self.glances.client().await?;
        migrations::check(&client).await
    }

    async fn create_organisation(
        &self,
        organisation: &Organisation,
        entry: &NewAudit,
    ) -> Result<(), Error> {
        let (organisation, entry) = (organisation.clone(), entry.clone());
        self.connections
            .run(Purpose::Unordered(organisation.id), move |store| {
                store.execute_unique(
                    "INSERT INTO organisations (id, slug, document) VALUES ($1, $2, $3)",
                    &[
                        &uuid(organisation.id),
                        &organisation.slug.as_str(),
                        &json(&organisation)?,
                    ],
                    "slug",
                )?;
                store.append_audit(organisation.created, &entry)?;
                Ok(())
            })
            .await
    }

    async fn delete_organisation(&self, id: OrgId) -> Result<(), Error> {
        self.connections
            .run(Purpose::Installation, move |store| {
                existing(store.execute("DELETE FROM organisations WHERE id = $1", &[&uuid(id)])?)
            })
            .await
    }

    async fn installation_secrets(&self) -> Result<Vec<(String, Vec<u8>)>, Error> {
        let sql = "SELECT name, secret FROM installation_secrets ORDER BY name";
        let rows = self.glances.rows(sql, &[]).await?;
        rows.iter()
            .map(|row| Ok((row.try_get(0)?, row.try_get(1)?)))
            .collect()
    }

    async fn replace_installation_secret(
        &self,
        name: &str,
        old: &[u8],
        new: &[u8],
    ) -> Result<(), Error> {
        let (name, old, new) = (name.to_owned(), old.to_vec(), new.to_vec());
        self.connections
            .run(Purpose::Installation, move |store| {
                let replaced = store.execute(
                    "UPDATE installation_secrets SET secret = $3 WHERE name = $1 AND secret = $2",
                    &[&name, &old, &new],
                )?;
                if replaced == 1 {
                    Ok(())
                } else {
                    Err(Error::Stale)
                }
            })
            .await
    }

    async fn installation_secret(
        &self,
        name: &'static str,
        fresh: Vec<u8>,
    ) -> Result<Vec<u8>, Error> {
        self.connections.run(Purpose::Installation, move |store| {
            store.execute(
                "INSERT INTO installation_secrets (name, secret) VALUES ($1, $2) ON CONFLICT DO NOTHING",
                &[&name, &fresh],
            )?;
            let sql = "SELECT secret FROM installation_secrets WHERE name = $1";
            Ok(store.row(sql, &[&name])?.ok_or(Error::Missing)?.try_get(0)?)
        })
        .await
    }

    async fn examine(&self) -> Result<Vec<Finding>, Error> {
        let mut findings = self.warnings.clone();
        let found = self
            .connections
            .run(Purpose::Installation, |store| examination::examine(store));
        findings.extend(found.await?);
        Ok(findings)
    }

    fn warnings(&self) -> Vec<Finding> {
        self.warnings.clone()
    }

    fn occupancy(&self) -> Option<Occupancy> {
        let (units, glances) = (self.connections.occupancy(), self.glances.occupancy());
        Some(Occupancy {
            in_use: units.in_use + glances.in_use,
            idle: units.idle + glances.idle,
            most: units.most + glances.most,
        })
    }

    fn claim_server(&self) -> Result<Claim, Error> {
        // any number of nodes may serve one database
        Ok(Claim::new(0, ()))
    }

    async fn claim(&self, organisation: OrgId, what: Claimed) -> Result<Claim, Error> {
        self.claims
            .claim(&self.connections, organisation, what)
            .await
    }

    async fn due_webhooks(
        &self,
        now: Timestamp,
        beyond: rollcall_model::webhook::Beyond,
    ) -> Result<Vec<(OrgId, WebhookId)>, Error> {
        webhooks::due(&self.glances, now, beyond).await
    }

    async fn read(&self, organisation: OrgId, unit: Look) -> Result<(), Error> {
        let waiting = self.figures.waits(Does::Read);
        let turn = self.readers.turn(Some(organisation)).await?;
        drop(waiting);
        let connections = self.connections.clone();
        let (answer, looked) = oneshot::channel();
        tokio::task::spawn_blocking(move || {
            // the turn ends with the work, also when nobody waits for it any more
            let _turn = turn;
            let purpose = Purpose::Read(organisation);
            let mut answer = Some(answer);
            let mut tell = |outcome| {
                if let Some(answer) = answer.take() {
                    drop(answer.send(outcome));
                }
            };
            let outcome = connections.within(purpose, |open| {
                let deadline = Instant::now() + SCAN_TIME;
                let tenant = Tenant::new(open, &connections, purpose, Some(deadline));
                // a panic in a unit is that unit's failure, which its caller is told of
                drop(catch_unwind(AssertUnwindSafe(|| unit(&tenant))));
                // nobody need wait for the end of a transaction that changed nothing
                tell(Ok(()));
                Ok(((), Then::TakeBack))
            });
            tell(outcome);
        });
        looked.await.map_err(Error::backend)?
    }

    async fn write(&self, organisation: OrgId, unit: Unit) -> Result<(), Error> {
        self.writers.unit(organisation, unit).await
    }
}
