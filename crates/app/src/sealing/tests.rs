//! What is sealed opens at its place only, also after keys were replaced.

use rollcall_model::Randomness as _;

use super::master::key_id;
use super::*;
use crate::SystemRandomness;
use crate::testing::{Installation, start};

async fn sealer(store: &Store, first: u8, before: &[[u8; 32]]) -> Result<Sealer, Failure> {
    let masters = MasterKeys::new(&[first; 32], before);
    Sealer::begin(
        store,
        masters,
        Box::new(|| None),
        &SystemRandomness::default(),
    )
    .await
}

async fn empty() -> (Store, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let location = format!("sqlite:{}", folder.path().join("store.db").display());
    let store = Store::open(&location.parse().unwrap()).await.unwrap();
    (store, folder)
}

#[tokio::test]
async fn derived_numbers_come_again_for_the_same_label_and_store_only() {
    let ((store, _one), (other, _two)) = (empty().await, empty().await);
    let draw = async |store: &Store, label: &str| {
        let mut bytes = [0; 70];
        let sealer = sealer(store, 1, &[]).await.unwrap();
        sealer.derived(label.into()).fill(&mut bytes);
        bytes
    };

    let ann = draw(&store, "ann").await;
    assert_eq!(ann, draw(&store, "ann").await);
    assert_ne!(ann, draw(&store, "bob").await);
    assert_ne!(ann, draw(&other, "ann").await);
    assert_ne!(ann[..32], ann[32..64]);
}

#[tokio::test]
async fn a_store_is_opened_with_its_key_only() {
    let (store, _folder) = empty().await;
    let first = sealer(&store, 1, &[]).await.unwrap();
    let same = sealer(&store, 2, &[[1; 32]]).await.unwrap();
    let failure = sealer(&store, 2, &[]).await.unwrap_err();

    assert_eq!(first.mark(b"here"), same.mark(b"here"));
    let told = failure.to_string();
    let Failure::Internal(error) = failure else {
        panic!("{told}");
    };
    let missing = NotOpened::OtherKey(key_id(&[1; 32]));
    assert_eq!(error.downcast_ref(), Some(&missing));
}

#[tokio::test]
async fn a_secret_opens_at_its_place_in_its_organisation_only() {
    let installation = Installation::new().await;
    let app = &installation.app;
    let context = installation.command();
    let organisation = context.tenant().organisation();
    let sealing = app.clone();
    let sealed = context
        .tenant()
        .write::<_, Failure, _>(move |writer| {
            let randomness = &**sealing.randomness();
            let sealer = sealing.sealer();
            let key = sealer.sealing_key(writer, organisation, start(), randomness)?;
            Ok(key.seal("here", &Secret::new("rc_eu_canary"), randomness))
        })
        .await
        .unwrap();
    let open = async |place: &'static str, sealed: Vec<u8>| {
        let opening = app.clone();
        let unit = move |reader: &dyn Reader| {
            let opened = opening
                .sealer()
                .open(reader, organisation, place, &sealed)?;
            Ok::<_, Failure>(opened.expose().to_owned())
        };
        context.tenant().read(unit).await.ok()
    };

    assert!(!String::from_utf8_lossy(&sealed).contains("canary"));
    assert_eq!(
        open("here", sealed.clone()).await.as_deref(),
        Some("rc_eu_canary")
    );
    assert_eq!(open("there", sealed.clone()).await, None);
    assert_eq!(open("here", sealed[..9].to_vec()).await, None);
    let mut damaged = sealed.clone();
    damaged[20] ^= 1;
    assert_eq!(open("here", damaged).await, None);
    let mut other_number = sealed;
    other_number[4] = 9;
    assert_eq!(open("here", other_number).await, None);
}

/// A transaction that made a data key and was taken back leaves nothing behind that the next one would use.
#[tokio::test]
async fn a_data_key_that_was_taken_back_seals_nothing() {
    let installation = Installation::new().await;
    let app = &installation.app;
    let context = installation.command();
    let organisation = context.tenant().organisation();
    let make = async |keeps: bool| {
        let sealing = app.clone();
        let unit = move |writer: &mut dyn Writer| {
            let randomness = &**sealing.randomness();
            let sealer = sealing.sealer();
            let key = sealer.sealing_key(writer, organisation, start(), randomness)?;
            let sealed = key.seal("here", &Secret::new("kept"), randomness);
            if keeps {
                Ok(sealed)
            } else {
                Err(Failure::Forbidden {
                    reason: String::new(),
                })
            }
        };
        context.tenant().write(unit).await
    };

    make(false).await.unwrap_err();
    let sealed = make(true).await.unwrap();

    // a process that has opened nothing yet
    let fresh = sealer(app.store(), 1, &[]).await.unwrap();
    let unit = move |reader: &dyn Reader| fresh.open(reader, organisation, "here", &sealed);
    let opened = context.tenant().read(unit).await.unwrap();
    assert_eq!(opened.expose(), "kept");
}

#[tokio::test]
async fn keys_are_replaced_and_everything_opens_afterwards() {
    let installation = Installation::new().await;
    let app = &installation.app;
    let context = installation.command();
    let application = app
        .create_application(&context, "App".into())
        .await
        .unwrap();
    let url = "https://app.example/scim".to_owned();
    let token = Secret::new("the-token");
    app.set_credentials(&context, application.id, url, &token)
        .await
        .unwrap();
    let organisation = app.organisations().await.unwrap().remove(0);
    let stored = async || {
        let id = application.id;
        let unit = move |reader: &dyn Reader| {
            let keys = reader.data_keys()?;
            Ok::<_, Failure>((keys, reader.sealed_secret(id)?))
        };
        context.tenant().read(unit).await.unwrap()
    };
    let opens = async || {
        let configured = app.configured(&context, application.id).await.unwrap();
        configured.token.unwrap().expose() == "the-token"
    };
    let (keys, text) = stored().await;

    let replaced = app.replace_data_key(&organisation).await.unwrap();

    assert_eq!(
        replaced,
        Replaced {
            secrets: 1,
            kept: 0
        }
    );
    assert!(opens().await);
    let (keys_now, text_now) = stored().await;
    assert_eq!((keys[0].number, keys_now[0].number), (1, 2));
    assert_eq!(keys_now.len(), 1);
    assert_ne!(text, text_now);

    installation.put_master_keys(&[2; 32], &[[1; 32]]);
    let rotated = app.rotate_master_key().await.unwrap();
    assert_eq!(rotated.data_keys, 1);
    assert!(rotated.installation >= 1);
    assert_eq!(app.rotate_master_key().await.unwrap(), Rotated::default());
    let used = app.key_use().await.unwrap();
    assert_eq!(used.seals.keys().collect::<Vec<_>>(), [&key_id(&[2; 32])]);
    installation.put_master_keys(&[2; 32], &[]);
    assert!(opens().await);
    assert_eq!(
        stored().await.1,
        text_now,
        "the secret itself was not touched"
    );
    sealer(app.store(), 2, &[]).await.unwrap();
    sealer(app.store(), 1, &[]).await.unwrap_err();
}
