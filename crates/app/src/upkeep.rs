//! What whoever runs an installation asks of it: whether its key fits, and that it was restored.

use jiff::Timestamp;
use rollcall_model::{ApplicationId, Organisation, Origin, Slug};
use rollcall_store::{NewAudit, Store};
use serde_json::json;

use crate::{App, Failure, applications, sign_in};

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
