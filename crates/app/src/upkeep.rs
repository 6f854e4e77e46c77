//! What whoever runs an installation asks of it: whether its key fits, that it was restored, and that it forgets what is old.

use jiff::Timestamp;
use rollcall_model::{ApplicationId, OrgId, Organisation, Origin, Slug};
use rollcall_store::{NewAudit, Store, Writer};
use serde_json::json;

use crate::{App, Failure, applications, sign_in};

/// So many things are forgotten in one unit of work, so that others have their turn.
const FORGOTTEN_AT_ONCE: u64 = 500;
/// So many units one kind of thing gets in one go; the next one goes on there.
const UNITS: u64 = 20;

/// What was forgotten because it was not to be kept any longer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Forgotten {
    /// Entries of provisioning logs.
    pub logs: u64,
    /// Exchanges with directories.
    pub requests: u64,
    /// Tombstones.
    pub tombstones: u64,
    /// Whether there is more of it, for another go.
    pub more: bool,
}

/// What is sealed in the store, and does not open with the key at hand.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Unopened {
    /// How many secrets are sealed in all.
    pub sealed: u64,
    /// Applications whose token does not open: organisation, id, name.
    pub applications: Vec<(Slug, ApplicationId, String)>,
    /// Administrators whose second factor does not open.
    pub second_factors: u64,
    /// Webhooks whose secret does not open: organisation, name.
    pub webhooks: Vec<(Slug, String)>,
}

impl Unopened {
    /// Tells whether the key fits.
    pub fn is_empty(&self) -> bool {
        self.applications.is_empty() && self.second_factors == 0 && self.webhooks.is_empty()
    }
}

impl App {
    /// Forgets what organisations do not keep any longer, a bounded part of it. The audit log and the history of people and groups are kept.
    /// An organisation that has too much to do has its turn the next time.
    ///
    /// # Errors
    /// [`Failure::Unavailable`] when the store is out of reach.
    pub async fn forget_what_is_old(&self) -> Result<Forgotten, Failure> {
        let (mut forgotten, now) = (Forgotten::default(), self.now());
        // mirrors, too: they have logs and tombstones like any other
        for organisation in self.store().organisations().await? {
            if let Err(failure) = self.forget_of(&organisation, now, &mut forgotten).await {
                tracing::warn!(organisation = %organisation.id, %failure, "what is old could not be forgotten");
            }
        }
        Ok(forgotten)
    }

    /// Forgets what is old in one organisation; adds what was forgotten to the rest.
    async fn forget_of(
        &self,
        organisation: &Organisation,
        now: Timestamp,
        forgotten: &mut Forgotten,
    ) -> Result<(), Failure> {
        let (id, keep) = (organisation.id, organisation.retention);
        if let Some(before) = keep.logs.horizon(now) {
            let tenant = self.store().tenant(id);
            let applications = tenant.read::<_, Failure, _>(|reader| {
                let all = reader.applications()?.into_iter();
                Ok(all.map(|one| one.id).collect::<Vec<_>>())
            });
            for application in applications.await? {
                let part = move |writer: &mut dyn Writer| {
                    writer.forget_log(application, before, FORGOTTEN_AT_ONCE)
                };
                forgotten.logs += self.forget(id, part, &mut forgotten.more).await?;
            }
        }
        if let Some(before) = keep.requests.horizon(now) {
            let part =
                move |writer: &mut dyn Writer| writer.forget_exchanges(before, FORGOTTEN_AT_ONCE);
            forgotten.requests += self.forget(id, part, &mut forgotten.more).await?;
        }
        if let Some(before) = keep.tombstones.horizon(now) {
            let part =
                move |writer: &mut dyn Writer| writer.forget_tombstones(before, FORGOTTEN_AT_ONCE);
            forgotten.tombstones += self.forget(id, part, &mut forgotten.more).await?;
        }
        Ok(())
    }

    /// Forgets one kind of thing, part by part; notes whether there is more of it.
    async fn forget(
        &self,
        organisation: OrgId,
        part: impl Fn(&mut dyn Writer) -> Result<u64, rollcall_store::Error> + Copy + Send + 'static,
        more: &mut bool,
    ) -> Result<u64, Failure> {
        // it is no news for whoever waits for changes of people and groups
        let tenant = self.store().tenant(organisation).quiet();
        let mut forgotten = 0;
        for _ in 0..UNITS {
            match tenant.write::<_, rollcall_store::Error, _>(part).await {
                Ok(count) => {
                    forgotten += count;
                    if count < FORGOTTEN_AT_ONCE {
                        return Ok(forgotten);
                    }
                }
                // the organisation was deleted meanwhile, and everything with it
                Err(rollcall_store::Error::Missing) => return Ok(forgotten),
                Err(error) => return Err(error.into()),
            }
        }
        *more = true;
        Ok(forgotten)
    }

    /// Tries the key on everything that is sealed in the store.
    ///
    /// # Errors
    /// [`Failure::Unavailable`] when the store is out of reach.
    pub async fn unopened(&self) -> Result<Unopened, Failure> {
        let mut unopened = Unopened::default();
        for organisation in self.organisations().await? {
            let found = self.unopened_of(&organisation).await?;
            unopened.sealed += found.sealed;
            unopened.applications.extend(found.applications);
            unopened.second_factors += found.second_factors;
            unopened.webhooks.extend(found.webhooks);
        }
        Ok(unopened)
    }

    async fn unopened_of(&self, organisation: &Organisation) -> Result<Unopened, Failure> {
        let (id, slug) = (organisation.id, organisation.slug.clone());
        let app = self.clone();
        let tenant = self.store().tenant(id);
        let looking = tenant.read::<_, Failure, _>(move |reader| {
            let mut unopened = Unopened::default();
            let opens =
                |place: &str, sealed: &[u8]| app.sealer().open(reader, id, place, sealed).is_ok();
            for application in reader.applications()? {
                let Some(sealed) = reader.sealed_secret(application.id)? else {
                    continue;
                };
                unopened.sealed += 1;
                if !opens(&applications::credential_place(id, application.id), &sealed) {
                    let name = (slug.clone(), application.id, application.name);
                    unopened.applications.push(name);
                }
            }
            for administrator in reader.administrators()? {
                let Some(factor) = reader.second_factor(administrator.id)? else {
                    continue;
                };
                unopened.sealed += 1;
                let place = sign_in::second_factor::place(id, administrator.id);
                unopened.second_factors += u64::from(!opens(&place, &factor.sealed_secret));
            }
            for hook in reader.webhooks()? {
                unopened.sealed += 1;
                let place = crate::webhooks::place(id, hook.webhook.id);
                if !opens(&place, &hook.sealed_secret) {
                    unopened.webhooks.push((slug.clone(), hook.webhook.name));
                }
            }
            Ok(unopened)
        });
        looking.await
    }
}

/// Notes in every organisation's activity log that the store was restored from a backup that was made then. It needs no key.
///
/// # Errors
/// When the store is out of reach.
pub async fn note_restored(
    store: &Store,
    backup: Timestamp,
    now: Timestamp,
    origin: &Origin,
) -> Result<(), Failure> {
    for organisation in store.organisations().await? {
        let entry = NewAudit {
            origin: origin.clone(),
            action: "organisation.restored",
            object: organisation.id.to_string(),
            detail: json!({"backup": backup}),
        };
        let tenant = store.tenant(organisation.id);
        tenant
            .write::<_, Failure, _>(move |writer| Ok(writer.append_audit(now, &entry)?))
            .await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;
    use rollcall_model::application::Application;
    use rollcall_model::provisioning::{Identity, LogAction, LogEntry, LogStatus};
    use rollcall_model::retention::{Keep, Retention};
    use rollcall_model::{Action, CycleId, Exchange, IntegrationKind, Kind, RequestId};
    use rollcall_store::ExchangeQuery;
    use serde_json::json;

    use super::*;
    use crate::directory::Expected;
    use crate::testing::Installation;

    /// Makes an entry of a provisioning log, and a request of a directory.
    fn happened(application: ApplicationId, at: Timestamp) -> (LogEntry, Exchange) {
        let entry = LogEntry {
            application,
            cycle: CycleId::from_bytes([1; 16]),
            at,
            duration_in_milliseconds: 1,
            action: LogAction::Update,
            status: LogStatus::Success,
            error: None,
            source: Identity {
                id: "ann".to_owned(),
                kind: Kind::User,
                display_name: None,
                sign_in_name: None,
            },
            target: None,
            steps: Vec::new(),
            modified_properties: Vec::new(),
        };
        let exchange = Exchange {
            request: RequestId::from_bytes([1; 16]),
            at,
            took: 1,
            integration: None,
            token: None,
            address: None,
            agent: None,
            method: "GET".to_owned(),
            path: "/Users".to_owned(),
            status: 401,
            asked: None,
            answered: None,
        };
        (entry, exchange)
    }

    #[tokio::test]
    async fn logs_and_requests_are_kept_as_long_as_the_defaults_say() {
        let installation = Installation::new().await;
        let (app, command) = (&installation.app, installation.command());
        let id = ApplicationId::from_bytes([1; 16]);
        let happen = async |at: Timestamp| {
            let (entry, exchange) = happened(id, at);
            let written = command.tenant().write::<_, Failure, _>(move |writer| {
                writer.save_application(&Application::new(id, "Keyhaven".to_owned(), at))?;
                writer.append_log(&entry)?;
                Ok(writer.append_exchanges(&[exchange])?)
            });
            written.await.unwrap();
        };
        let count = async || {
            let read = command.tenant().read::<_, Failure, _>(move |reader| {
                let log = reader.provisioning_log(id, None, 10)?.len();
                Ok((log, reader.exchanges(ExchangeQuery::default(), 10)?.len()))
            });
            read.await.unwrap()
        };
        let day = SignedDuration::from_hours(24);
        happen(app.now()).await;
        installation.clock.advance(day * 29);
        happen(app.now()).await;
        for (days, expected) in [(0, (2, 2)), (2, (2, 1)), (330, (2, 0)), (10, (1, 0))] {
            installation.clock.advance(day * days);
            let forgotten = app.forget_what_is_old().await.unwrap();
            assert_eq!(count().await, expected, "{days} days later: {forgotten:?}");
            assert!(!forgotten.more);
        }
    }

    #[tokio::test]
    async fn what_is_older_than_an_organisation_keeps_is_forgotten_and_the_history_stays() {
        let installation = Installation::new().await;
        let (app, command) = (&installation.app, installation.command());
        let (_, _, directory) = installation.directory(IntegrationKind::Entra).await;
        let day = SignedDuration::from_hours(24);
        let mut ids = Vec::new();
        for name in ["ann", "bob"] {
            let body = json!({"userName": name});
            let created = app.create(&directory, Kind::User, body).await.unwrap();
            let id = created.entry.id;
            ids.push(id);
            let deleted = app.delete(&directory, Kind::User, id, Expected::Any);
            deleted.await.unwrap();
            installation.clock.advance(day * 10);
        }
        let there = async || {
            let ids = ids.clone();
            let tenant = command.tenant();
            let read = tenant.read::<_, Failure, _>(move |reader| {
                let mut there = Vec::new();
                for id in ids {
                    there.push(reader.tombstone(Kind::User, id)?.is_some());
                }
                Ok(there)
            });
            read.await.unwrap()
        };
        assert_eq!(
            app.forget_what_is_old().await.unwrap(),
            Forgotten::default(),
            "the defaults keep both"
        );

        let keep = Retention {
            tombstones: Keep::Days(15),
            ..Retention::default()
        };
        app.set_retention(&command, keep).await.unwrap();
        assert_eq!(app.forget_what_is_old().await.unwrap().tombstones, 1);
        assert_eq!(there().await, [false, true]);
        installation.clock.advance(day * 10);
        assert_eq!(app.forget_what_is_old().await.unwrap().tombstones, 1);
        assert_eq!(there().await, [false, false]);
        let forever = Retention {
            tombstones: Keep::Forever,
            ..keep
        };
        app.set_retention(&command, forever).await.unwrap();

        let read = command
            .tenant()
            .read::<_, Failure, _>(|reader| Ok((reader.changes(0, 10)?, reader.audit(None, 10)?)));
        let (changes, audit) = read.await.unwrap();
        let actions: Vec<_> = changes.iter().map(|change| change.action).collect();
        let life = [Action::Created, Action::Deleted];
        assert_eq!(actions, [life, life].concat());
        assert_eq!(audit[0].action, "organisation.changed");
        let change = json!({"path": "keep_tombstones", "old": "15d", "new": "forever"});
        assert_eq!(audit[0].detail["changes"], json!([change]));
    }

    #[tokio::test]
    async fn an_organisation_that_has_too_much_to_do_does_not_keep_what_is_old_in_others() {
        let installation = Installation::new().await;
        let app = &installation.app;
        let busy = installation.another().await.id;
        let command = installation.command();
        let (_, exchange) = happened(ApplicationId::from_bytes([1; 16]), app.now());
        let append = move |writer: &mut dyn Writer| Ok(writer.append_exchanges(&[exchange])?);
        let written = command.tenant().write::<_, Failure, _>(append).await;
        written.unwrap();
        (installation.clock).advance(SignedDuration::from_hours(365 * 24));

        let forgotten = (installation.while_busy(busy, app.forget_what_is_old())).await;

        assert_eq!(forgotten.unwrap().requests, 1);
    }
}
