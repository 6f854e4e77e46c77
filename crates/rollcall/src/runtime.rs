//! Puts the pieces together: store, clock, randomness, schemas, use cases.

use std::net::SocketAddr;
use std::sync::Arc;

use rollcall_app::sealing::Sealer;
use rollcall_app::{App, Settings, SystemRandomness};
use rollcall_connect::client::{Client, Options};
use rollcall_connect::guard::Reach;
use rollcall_mail::Way;
use rollcall_model::SystemClock;
use rollcall_scim::limits::Limits;
use rollcall_scim::schema::{Registry, Schema};
use rollcall_store::{Location, Store};

use crate::config::Config;
use crate::key;
use crate::outcome::Trouble;

/// Opens the store, which has to be there, and puts the use cases on it.
pub(crate) async fn app(config: &Config) -> anyhow::Result<App> {
    is_there(config).await?;
    begun(config).await
}

async fn is_there(config: &Config) -> anyhow::Result<()> {
    if !config.store.value.holds_store().await? {
        return Err(Trouble::unreachable(format!(
            "there is no store `{}`",
            config.store.value
        ))
        .hint("`rollcall org create` begins a new one; --store or ROLLCALL_STORE names another")
        .into());
    }
    Ok(())
}

/// Opens the store, making it when it is not there, and puts the use cases on it.
pub(crate) async fn begun(config: &Config) -> anyhow::Result<App> {
    let store = Store::open(&config.store.value).await?;
    let sealer = key::sealer(config, &store, &SystemRandomness::default()).await?;
    on(config, store, sealer)
}

/// Opens the store, which has to be there, and puts the use cases on it if its key is at hand. No key is made; absent: there is none, and
/// nothing is sealed. What is wrong with the key is no reason to fail.
pub(crate) async fn whatever_its_key(
    config: &Config,
) -> anyhow::Result<(Store, anyhow::Result<Option<App>>)> {
    is_there(config).await?;
    let store = Store::open(&config.store.value).await?;
    let app = match key::existing(config, &store, &SystemRandomness::default()).await {
        Ok(Some(sealer)) => on(config, store.clone(), sealer).map(Some),
        Ok(None) => Ok(None),
        Err(error) => Err(error),
    };
    Ok((store, app))
}

fn on(config: &Config, store: Store, sealer: Sealer) -> anyhow::Result<App> {
    let settings = Settings {
        region: config.region.value.clone(),
        regions: config.regions.value.clone(),
        public_url: config.public_url.value.clone(),
        limits: Limits::default(),
        sends_mail: config.smtp_url.value.is_some() || config.mail_dir.value.is_some(),
    };
    let registry = Arc::new(registry(config)?);
    Ok(App::new(
        store,
        Arc::new(SystemClock),
        Arc::new(SystemRandomness::default()),
        registry,
        sealer,
        settings,
    ))
}

/// Puts the use cases on an empty store that is thrown away: for whoever checks something and must not leave a trace.
pub(crate) async fn scratch(config: &Config) -> anyhow::Result<App> {
    let folder = tempfile::tempdir()?;
    let mut config = config.clone();
    config.store.value = Location::Sqlite(folder.path().join("scratch.db"));
    config.key_file.value = folder.path().join("scratch.key");
    config.key.value = None;
    begun(&config).await
}

/// Makes the client for everything that goes out.
pub(crate) fn client(config: &Config) -> anyhow::Result<Client> {
    client_beside(config, Vec::new())
}

/// Makes it for a process that listens at these addresses.
pub(crate) fn client_beside(config: &Config, listeners: Vec<SocketAddr>) -> anyhow::Result<Client> {
    Ok(Client::with(&Options {
        listeners,
        authorities: authorities(config)?,
        ..Options::of(config.allow_private_targets.value.clone())
    })?)
}

/// Makes it for somebody who may call any address.
pub(crate) fn client_to_anywhere(config: &Config) -> anyhow::Result<Client> {
    Ok(Client::with(&Options {
        authorities: authorities(config)?,
        ..Options::of(Reach::Anywhere)
    })?)
}

/// Reads the certificates of the authorities that the configuration adds.
fn authorities(config: &Config) -> anyhow::Result<Vec<String>> {
    let mut authorities = Vec::new();
    for path in &config.authorities.value {
        let wrong = |reason: &dyn std::fmt::Display| {
            Trouble::wrong(format!("the authorities {}: {reason}", path.display())).hint(
                "name files with certificates in PEM: `-----BEGIN CERTIFICATE-----` and so on",
            )
        };
        let text = std::fs::read_to_string(path).map_err(|error| wrong(&error))?;
        let before = authorities.len();
        authorities.extend(certificates(&text));
        if authorities.len() == before {
            return Err(wrong(&"there is no certificate in it").into());
        }
    }
    Ok(authorities)
}

/// Takes the certificates of a file in PEM apart; a bundle has several.
fn certificates(text: &str) -> impl Iterator<Item = String> {
    const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
    const END: &str = "-----END CERTIFICATE-----";
    text.split(BEGIN).skip(1).filter_map(|rest| {
        let (body, _) = rest.split_once(END)?;
        Some(format!("{BEGIN}{body}{END}\n"))
    })
}

/// Returns the way that mail takes; absent: there is none.
pub(crate) fn mail(config: &Config) -> anyhow::Result<Option<Way>> {
    let from = &config.mail_from.value;
    let way = match (&config.smtp_url.value, &config.mail_dir.value) {
        (Some(address), _) => Way::smtp(address, from),
        (None, Some(folder)) => Way::folder(folder.clone(), from),
        (None, None) => return Ok(None),
    };
    Ok(Some(
        way.map_err(|error| Trouble::wrong(error.to_string()))?,
    ))
}

/// Returns the schemas in force: the standard ones, and those that the configuration adds to the User.
fn registry(config: &Config) -> anyhow::Result<Registry> {
    let mut registry = Registry::standard();
    for path in &config.user_extensions.value {
        let wrong = |reason: &dyn std::fmt::Display| {
            Trouble::wrong(format!("the schema {}: {reason}", path.display()))
                .hint("a schema is a JSON document as RFC 7643 §7 describes it, with id, name and attributes")
        };
        let text = std::fs::read(path).map_err(|error| wrong(&error))?;
        let document = serde_json::from_slice(&text).map_err(|error| wrong(&error))?;
        let schema = Schema::from_json(&document).map_err(|error| wrong(&error.detail))?;
        registry = registry.with_extension("User", schema);
    }
    Ok(registry)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bundle_is_taken_apart_and_what_is_no_certificate_is_left_out() {
        let bundle = "# ours\n-----BEGIN CERTIFICATE-----\nQUJD\n-----END CERTIFICATE-----\n\n-----BEGIN PRIVATE KEY-----\nQUJD\n-----END PRIVATE KEY-----\n-----BEGIN CERTIFICATE-----\nREVG\n-----END CERTIFICATE-----";

        let found: Vec<String> = certificates(bundle).collect();

        assert_eq!(
            found,
            [
                "-----BEGIN CERTIFICATE-----\nQUJD\n-----END CERTIFICATE-----\n",
                "-----BEGIN CERTIFICATE-----\nREVG\n-----END CERTIFICATE-----\n",
            ]
        );
        assert_eq!(certificates("-----BEGIN CERTIFICATE-----\nQUJD").count(), 0);
    }
}
