//! Puts the pieces together: store, clock, randomness, schemas, use cases.

use std::sync::Arc;

use rollcall_app::{App, Settings, SystemRandomness};
use rollcall_connect::client::Client;
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
    if !config.store.value.holds_store().await? {
        return Err(Trouble::unreachable(format!(
            "there is no store `{}`",
            config.store.value
        ))
        .hint("`rollcall org create` begins a new one; --store or ROLLCALL_STORE names another")
        .into());
    }
    begun(config).await
}

/// Opens the store, making it when it is not there, and puts the use cases on it.
pub(crate) async fn begun(config: &Config) -> anyhow::Result<App> {
    let store = Store::open(&config.store.value).await?;
    let settings = Settings {
        region: config.region.value.clone(),
        regions: config.regions.value.clone(),
        public_url: config.public_url.value.clone(),
        limits: Limits::default(),
        sends_mail: config.smtp_url.value.is_some() || config.mail_dir.value.is_some(),
    };
    let registry = Arc::new(registry(config)?);
    let randomness = SystemRandomness::default();
    let sealer = key::sealer(config, &store, &randomness).await?;
    Ok(App::new(
        store,
        Arc::new(SystemClock),
        Arc::new(randomness),
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
    let reach = if config.allow_private_targets.value {
        Reach::Anywhere
    } else {
        Reach::Public
    };
    Ok(Client::new(reach)?)
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
