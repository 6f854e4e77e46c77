//! Organisations: created, listed, shown, deleted.

use jiff::Timestamp;
use rollcall_model::retention::Retention;
use rollcall_model::{OrgId, Organisation, Plan, Region, Rules, Slug};
use rollcall_store::{Counts, NewAudit};
use serde_json::json;

use crate::directory::Context;
use crate::{App, Failure};

/// How long the name of an organisation may be.
const NAME_CHARACTERS: usize = 100;

/// What a new organisation is to be.
#[derive(Debug, Clone)]
pub struct NewOrganisation {
    /// Its name in URLs.
    pub slug: Slug,
    /// Its name for people.
    pub name: String,
    /// Its region; absent: the installation's own.
    pub region: Option<Region>,
    /// How many active people it may have; absent: any number.
    pub seats: Option<u32>,
    /// When its trial ends; absent: a paid account.
    pub trial_until: Option<Timestamp>,
}

impl App {
    /// Creates an organisation.
    ///
    /// # Errors
    /// [`Failure::Taken`] when the slug is in use, [`Failure::Forbidden`] when nobody knows where the region is.
    pub async fn create_organisation(&self, new: NewOrganisation) -> Result<Organisation, Failure> {
        let now = self.now();
        let settings = self.settings();
        let region = new.region.unwrap_or_else(|| settings.region.clone());
        if region != settings.region && !settings.regions.contains_key(&region) {
            return Err(Failure::Forbidden {
                reason: format!(
                    "this installation does not know where region `{region}` is: add it to `regions` in the configuration"
                ),
            });
        }
        let organisation = Organisation {
            id: OrgId::new(now, &**self.randomness()),
            slug: new.slug,
            name: new.name,
            region,
            plan: new
                .trial_until
                .map_or(Plan::Paid, |until| Plan::Trial { until }),
            seats: new.seats,
            created: now,
            mirrors: None,
            rules: Rules::default(),
            time_zone: None,
            sends_invitations: false,
            retention: Retention::default(),
        };
        let entry = NewAudit {
            origin: self.command_origin(),
            action: "organisation.created",
            object: organisation.id.to_string(),
            detail: json!({"slug": organisation.slug, "name": organisation.name}),
        };
        self.store()
            .create_organisation(&organisation, &entry)
            .await
            .map_err(|error| match error {
                rollcall_store::Error::Taken { attribute } => Failure::Taken {
                    attribute,
                    hint: "there is an organisation of this name in URLs already",
                },
                other => other.into(),
            })?;
        Ok(organisation)
    }

    /// Lists all organisations of people by slug; mirrors of jobs' sources are not among them.
    pub async fn organisations(&self) -> Result<Vec<Organisation>, Failure> {
        let mut all = self.store().organisations().await?;
        all.retain(|organisation| organisation.mirrors.is_none());
        Ok(all)
    }

    /// Finds an organisation of people by its slug.
    ///
    /// # Errors
    /// [`Failure::Missing`] when there is none.
    pub async fn organisation(&self, slug: &Slug) -> Result<Organisation, Failure> {
        self.store()
            .organisation(slug)
            .await?
            .filter(|organisation| organisation.mirrors.is_none())
            .ok_or_else(|| Failure::Missing {
                noun: "organisation",
                id: slug.to_string(),
            })
    }

    /// Counts an organisation's people and groups.
    pub async fn counts(&self, organisation: OrgId) -> Result<Counts, Failure> {
        self.store()
            .tenant(organisation)
            .read(|reader| Ok(reader.counts()?))
            .await
    }

    /// Changes an organisation's name and the time zone in which it reads times (its IANA name; absent: UTC).
    ///
    /// # Errors
    /// [`Failure::Forbidden`] when the name is empty or too long, or nobody knows the time zone.
    pub async fn configure_organisation(
        &self,
        context: &Context,
        name: String,
        time_zone: Option<String>,
    ) -> Result<(), Failure> {
        let refused = |reason: &str| Failure::Forbidden {
            reason: reason.to_owned(),
        };
        let name = name.trim().to_owned();
        if name.is_empty() || name.chars().count() > NAME_CHARACTERS {
            return Err(refused("the name needs 1 to 100 characters"));
        }
        if let Some(zone) = &time_zone
            && jiff::tz::TimeZone::get(zone).is_err()
        {
            return Err(refused(
                "nobody knows this time zone: write it as in the IANA database, for example Europe/Oslo",
            ));
        }
        let now = self.now();
        let origin = context.origin().clone();
        context
            .tenant()
            .write(move |writer| {
                let mut organisation = writer.organisation()?;
                let mut changes = Vec::new();
                if organisation.name != name {
                    changes.push(json!({"path": "name", "old": organisation.name, "new": name}));
                    organisation.name = name;
                }
                if organisation.time_zone != time_zone {
                    let old = organisation.time_zone;
                    changes.push(json!({"path": "time_zone", "old": old, "new": time_zone}));
                    organisation.time_zone = time_zone;
                }
                if changes.is_empty() {
                    return Ok(());
                }
                writer.save_organisation(&organisation)?;
                let entry = NewAudit {
                    origin,
                    action: "organisation.changed",
                    object: organisation.id.to_string(),
                    detail: json!({"changes": changes}),
                };
                writer.append_audit(now, &entry)?;
                Ok(())
            })
            .await
    }

    /// Changes how long an organisation keeps logs, requests and tombstones. What is older is forgotten at the next occasion, for good.
    ///
    /// # Errors
    /// When the store is out of reach.
    pub async fn set_retention(
        &self,
        context: &Context,
        retention: Retention,
    ) -> Result<(), Failure> {
        let now = self.now();
        let origin = context.origin().clone();
        context
            .tenant()
            .write(move |writer| {
                let mut organisation = writer.organisation()?;
                let was = organisation.retention;
                let all = [
                    ("keep_logs", was.logs, retention.logs),
                    ("keep_requests", was.requests, retention.requests),
                    ("keep_tombstones", was.tombstones, retention.tombstones),
                ];
                let changed = all.into_iter().filter(|(_, old, new)| old != new);
                let changes: Vec<_> = changed
                    .map(|(path, old, new)| json!({"path": path, "old": old, "new": new}))
                    .collect();
                if changes.is_empty() {
                    return Ok(());
                }
                organisation.retention = retention;
                writer.save_organisation(&organisation)?;
                let entry = NewAudit {
                    origin,
                    action: "organisation.changed",
                    object: organisation.id.to_string(),
                    detail: json!({"changes": changes}),
                };
                writer.append_audit(now, &entry)?;
                Ok(())
            })
            .await
    }

    /// Deletes an organisation with everything in it.
    pub async fn delete_organisation(&self, organisation: &Organisation) -> Result<(), Failure> {
        Ok(self.store().delete_organisation(organisation.id).await?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Installation;

    #[tokio::test]
    async fn a_name_and_a_time_zone_are_changed_when_they_are_good() {
        let installation = Installation::new().await;
        let (app, context) = (&installation.app, installation.command());
        let set = async |name: &str, zone: Option<&str>| {
            app.configure_organisation(&context, name.to_owned(), zone.map(str::to_owned))
                .await
        };
        for (name, zone) in [(" ", None), ("Vault", Some("Mars/Base"))] {
            let refused = set(name, zone).await;
            assert!(
                matches!(refused, Err(Failure::Forbidden { .. })),
                "{refused:?}"
            );
        }

        set(" The Vault ", Some("Europe/Oslo")).await.unwrap();

        let organisation = app.organisation(&installation.organisation.slug).await;
        let organisation = organisation.unwrap();
        assert_eq!(organisation.name, "The Vault");
        assert_eq!(organisation.time_zone.as_deref(), Some("Europe/Oslo"));
    }
}
