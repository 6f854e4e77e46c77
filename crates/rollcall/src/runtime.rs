//! Puts the pieces together: store, clock, randomness, schemas, use cases.

use std::sync::Arc;

use rollcall_app::{App, Settings, SystemRandomness};
use rollcall_connect::client::Client;
use rollcall_connect::guard::Reach;
use rollcall_model::SystemClock;
use rollcall_scim::limits::Limits;
use rollcall_scim::schema::Registry;
use rollcall_store::Store;

use crate::config::Config;
use crate::key;

/// Opens the store and puts the use cases on it.
pub(crate) async fn app(config: &Config) -> anyhow::Result<App> {
    let store = Store::open(&config.store.value).await?;
    let settings = Settings {
        region: config.region.value.clone(),
        regions: config.regions.value.clone(),
        public_url: config.public_url.value.clone(),
        limits: Limits::default(),
    };
    let registry = Arc::new(Registry::standard());
    let randomness = SystemRandomness::default();
    let sealer = key::sealer(&config.key_file.value, &randomness)?;
    Ok(App::new(
        store,
        Arc::new(SystemClock),
        Arc::new(randomness),
        registry,
        sealer,
        settings,
    ))
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
