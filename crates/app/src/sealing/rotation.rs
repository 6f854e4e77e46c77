//! Keys are replaced while the installation runs.
//!
//! Another master key: what it seals are keys, so only these are sealed anew. Another data key: the organisation's secrets are sealed anew,
//! in one transaction with the key. Whoever reads meanwhile has the old key and the old text, or the new ones.

use std::collections::BTreeMap;

use rollcall_model::{OrgId, Organisation};
use rollcall_store::{DataKey, NewAudit, Writer};
use serde_json::json;

use super::master::{KeyId, sealed_with};
use super::{SealingKey, data_key_place, installation_place, internal};
use crate::{App, Failure};

/// What was sealed anew because there is another master key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Rotated {
    /// Secrets of the installation.
    pub installation: u64,
    /// Data keys of organisations.
    pub data_keys: u64,
}

/// What was sealed anew because an organisation has another data key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Replaced {
    /// The organisation's secrets.
    pub secrets: u64,
    /// Older data keys that are kept because letters that wait were sealed with them.
    pub kept: u64,
}

/// How much is sealed with each master key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyUse {
    /// The keys that are at hand, the one that seals first.
    pub at_hand: Vec<KeyId>,
    /// How many keys and secrets are sealed with which.
    pub seals: BTreeMap<KeyId, u64>,
}

impl App {
    /// Tells with which master keys is sealed what is in the store.
    ///
    /// # Errors
    /// When the store is out of reach.
    pub async fn key_use(&self) -> Result<KeyUse, Failure> {
        let mut seals = BTreeMap::new();
        let mut note = |wrapped: &[u8]| {
            if let Some(id) = sealed_with(wrapped) {
                *seals.entry(id).or_default() += 1;
            }
        };
        for (_, wrapped) in self.store().installation_secrets().await? {
            note(&wrapped);
        }
        for organisation in self.organisations().await? {
            let tenant = self.store().tenant(organisation.id);
            let keys = tenant.read::<_, Failure, _>(|reader| Ok(reader.data_keys()?));
            keys.await?.iter().for_each(|key| note(&key.sealed));
        }
        Ok(KeyUse {
            at_hand: self.sealer().read_again().ids().collect(),
            seals,
        })
    }

    /// Seals all keys anew that are not sealed with the first master key.
    ///
    /// # Errors
    /// [`Failure::Internal`] with [`super::NotOpened`]; when the store is out of reach. What was sealed anew stays so, and the next call
    /// does the rest.
    pub async fn rotate_master_key(&self) -> Result<Rotated, Failure> {
        let masters = self.sealer().read_again();
        let first = masters.ids().next();
        let mut rotated = Rotated::default();
        for (name, wrapped) in self.store().installation_secrets().await? {
            if sealed_with(&wrapped) == first {
                continue;
            }
            let place = installation_place(&name);
            let secret = masters.unwrap(&place, &wrapped).map_err(internal)?;
            let anew = masters.wrap(&place, &secret, &**self.randomness());
            let replaced = self
                .store()
                .replace_installation_secret(&name, &wrapped, &anew);
            replaced.await?;
            rotated.installation += 1;
        }
        for organisation in self.organisations().await? {
            let (masters, randomness) = (masters.clone(), self.randomness().clone());
            let (now, origin) = (self.now(), self.command_origin());
            let id = organisation.id;
            let unit = move |writer: &mut dyn Writer| {
                let old: Vec<DataKey> = writer
                    .data_keys()?
                    .into_iter()
                    .filter(|key| sealed_with(&key.sealed) != first)
                    .collect();
                for key in &old {
                    let place = data_key_place(id, key.number);
                    let secret = masters.unwrap(&place, &key.sealed).map_err(internal)?;
                    writer.save_data_key(&DataKey {
                        sealed: masters.wrap(&place, &secret, &*randomness),
                        ..key.clone()
                    })?;
                }
                if !old.is_empty() {
                    let detail = json!({"data_keys": old.len()});
                    let entry = NewAudit {
                        origin,
                        action: "key.rotated",
                        object: id.to_string(),
                        detail,
                    };
                    writer.append_audit(now, &entry)?;
                }
                Ok::<_, Failure>(old.len() as u64)
            };
            rotated.data_keys += self.store().tenant(id).write(unit).await?;
        }
        Ok(rotated)
    }

    /// Gives an organisation another data key and seals its secrets with it. The older ones go, unless letters wait that they sealed.
    ///
    /// # Errors
    /// [`Failure::Internal`] with [`super::NotOpened`]: then nothing was changed.
    pub async fn replace_data_key(&self, organisation: &Organisation) -> Result<Replaced, Failure> {
        let (app, id) = (self.clone(), organisation.id);
        let (now, origin) = (self.now(), self.command_origin());
        let unit = move |writer: &mut dyn Writer| {
            let before = writer.data_keys()?;
            let number = before.first().map_or(1, |key| key.number + 1);
            let sealer = app.sealer();
            sealer.new_data_key(writer, (id, number), now, &**app.randomness())?;
            let key = sealer.sealing_key(writer, id, now, &**app.randomness())?;
            let secrets = app.seal_anew(writer, id, &key)?;
            let waits = writer.waiting_mail()? > 0;
            let mut replaced = Replaced { secrets, kept: 0 };
            for old in before {
                if waits {
                    replaced.kept += 1;
                } else {
                    writer.remove_data_key(old.number)?;
                }
            }
            let entry = NewAudit {
                origin,
                action: "key.replaced",
                object: id.to_string(),
                detail: json!({"secrets": secrets}),
            };
            writer.append_audit(now, &entry)?;
            Ok::<_, Failure>(replaced)
        };
        self.store().tenant(id).write(unit).await
    }

    /// Seals all secrets of an organisation anew, but for letters that wait: they are gone soon.
    fn seal_anew(
        &self,
        writer: &mut dyn Writer,
        organisation: OrgId,
        key: &SealingKey,
    ) -> Result<u64, Failure> {
        let randomness = &**self.randomness();
        let mut secrets = 0;
        for application in writer.applications()? {
            let Some(sealed) = writer.sealed_secret(application.id)? else {
                continue;
            };
            let place = crate::applications::credential_place(organisation, application.id);
            let secret = self
                .sealer()
                .open(&*writer, organisation, &place, &sealed)?;
            let anew = key.seal(&place, &secret, randomness);
            writer.save_sealed_secret(application.id, Some(&anew))?;
            secrets += 1;
        }
        for administrator in writer.administrators()? {
            let Some(mut factor) = writer.second_factor(administrator.id)? else {
                continue;
            };
            let place = crate::sign_in::factor_place(organisation, administrator.id);
            let secret =
                (self.sealer()).open(&*writer, organisation, &place, &factor.sealed_secret)?;
            factor.sealed_secret = key.seal(&place, &secret, randomness);
            writer.save_second_factor(administrator.id, Some(&factor))?;
            secrets += 1;
        }
        for hook in writer.webhooks()? {
            let id = hook.webhook.id;
            let place = crate::webhooks::place(organisation, id);
            let secret =
                (self.sealer()).open(&*writer, organisation, &place, &hook.sealed_secret)?;
            let anew = key.seal(&place, &secret, randomness);
            writer.save_webhook_secret(id, &anew)?;
            secrets += 1;
        }
        Ok(secrets)
    }
}
