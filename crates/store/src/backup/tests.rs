//! Backups and what is made of them, on both databases; backups that are damaged, and restores that break.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use jiff::Timestamp;
use rollcall_model::application::{Application, Status};
use rollcall_model::provisioning::{ComparisonAsked, QuarantineReason};
use rollcall_model::webhook::{self, Health, Wanted, Why};
use rollcall_model::{
    ApplicationId, JobState, Kind, Link, LinkState, ResourceId, Webhook, WebhookId,
};
use rollcall_testkit::postgres::Database;
use rusqlite::{Connection, params};

use super::file::seal;
use super::{BackedUp, Ended, Existing, NotCopied, Returned};
use crate::copy::copy;
use crate::copy::tests::{File, dump, location};
use crate::sqlite::archive;
use crate::{Error, Location, Store};

/// What changes when a store is restored; everything else is as it was.
const HELD: &[&str] = &[
    "sessions",
    "sign_in_links",
    "mail",
    "activations",
    "applications",
    "webhooks",
    "links",
];

fn at(hour: i64) -> Timestamp {
    Timestamp::from_second(hour * 3_600).unwrap()
}

async fn attempt(from: &Location, file: &File) -> Result<BackedUp, NotCopied> {
    let by = (at(1), "1.2.3");
    super::backup(from, &file.path(), Existing::Keep, by, &[], |_| {}).await
}

async fn backup(from: &Location, file: &File) -> BackedUp {
    attempt(from, file).await.unwrap()
}

async fn restore(file: &File, to: &Location) -> Result<Returned, NotCopied> {
    super::restore(&file.path(), to, Existing::Keep, at(2), |_| {}).await
}

async fn replace(file: &File, there: &Location) -> Result<Returned, NotCopied> {
    super::restore(&file.path(), there, Existing::Replace, at(2), |_| {}).await
}

fn application(n: u8) -> Application {
    let id = ApplicationId::from_bytes([n; 16]);
    Application {
        status: Status::On,
        ..Application::new(id, format!("Application {n}"), at(0))
    }
}

/// A link of the application `n`.
fn link(n: u8, state: LinkState) -> Link {
    let (id, object) = (
        ApplicationId::from_bytes([n; 16]),
        ResourceId::from_bytes([n; 16]),
    );
    let mut link = Link::new(id, Kind::User, object, at(0));
    link.state = state;
    link.target_id = Some("42".to_owned());
    link.digest = Some("agreed".to_owned());
    link
}

/// An endpoint that is told everything.
fn webhook(n: u8) -> Webhook {
    Webhook {
        id: WebhookId::from_bytes([n; 16]),
        name: format!("Webhook {n}"),
        url: "https://hooks.example.com".to_owned(),
        events: Wanted::All,
        status: webhook::Status::On,
        created: at(0),
        secret_made: at(0),
        former_until: None,
        health: Health::default(),
    }
}

fn job() -> JobState {
    JobState {
        watermark: Some(9),
        generation: 4,
        comparison: Some(ComparisonAsked {
            at: at(0),
            repair: true,
        }),
        ..JobState::default()
    }
}

/// A store with two rows in every table; those that are looked into when it is restored can be read.
async fn filled() -> File {
    let file = File::filled().await;
    let connection = Connection::open(file.path()).unwrap();
    for (n, state) in [(1, LinkState::Active), (2, LinkState::Allowed)] {
        let id = [n; 16];
        let set = |sql: &str, document: String| {
            let changed = connection.execute(sql, params![document, id]).unwrap();
            assert_eq!(changed, 1, "{sql}");
        };
        set(
            "UPDATE applications SET document = ?1 WHERE id = ?2",
            serde_json::to_string(&application(n)).unwrap(),
        );
        set(
            "UPDATE links SET document = ?1, attention = 0, in_use = 1 WHERE application = ?2",
            serde_json::to_string(&link(n, state)).unwrap(),
        );
        set(
            "UPDATE webhooks SET document = ?1, active = 1 WHERE id = ?2",
            serde_json::to_string(&webhook(n)).unwrap(),
        );
        let link = serde_json::json!({
            "digest": vec![7; 32], "expires": at(9), "address": "ann@example.com", "salt": "c2FsdA",
        });
        let activation = serde_json::json!({
            "person": ResourceId::from_bytes(id), "invited": at(0), "sent": [], "link": link, "vault": null,
        });
        set(
            "UPDATE activations SET document = ?1 WHERE person = ?2",
            activation.to_string(),
        );
    }
    let job = serde_json::to_string(&job()).unwrap();
    connection
        .execute(
            "UPDATE applications SET job = ?1, generation = 4, runner = 17",
            [job],
        )
        .unwrap();
    file
}

fn without(
    mut dump: BTreeMap<String, Vec<String>>,
    tables: &[&str],
) -> BTreeMap<String, Vec<String>> {
    dump.retain(|name, _| !tables.contains(&name.as_str()));
    dump
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_is_in_a_backup_and_comes_back_on_either_database_but_for_what_must_not_go_on() {
    let (original, first, second, back) = (filled().await, File::new(), File::new(), File::new());
    let database = Database::fresh().unwrap();

    let made = backup(&original.location(), &first).await;
    let in_postgres = restore(&first, &location(&database)).await.unwrap();
    let again = backup(&location(&database), &second).await;
    let returned = restore(&second, &back.location()).await.unwrap();

    // a person can look into it, and finds every row
    let inside = without(
        dump(&first.path()),
        &["rollcall_backup", "rollcall_backup_tables"],
    );
    assert_eq!(inside, dump(&original.path()));
    assert_eq!(made.contents.made, at(1));
    assert_eq!(made.contents.rollcall, "1.2.3");
    assert!(made.contents.tables.iter().all(|table| table.rows == 2));
    assert_eq!(
        (made.contents.store.as_str(), again.contents.store.as_str()),
        ("sqlite", "postgres")
    );
    let mode = std::fs::metadata(first.path()).unwrap().permissions();
    assert_eq!(mode.mode() & 0o777, 0o600);
    assert_eq!(std::fs::read_dir(first.folder.path()).unwrap().count(), 1);
    let all = Ended {
        jobs: 2,
        sessions: 2,
        sign_in_links: 2,
        invitations: 2,
        letters: 2,
        webhooks: 2,
    };
    assert_eq!(in_postgres.ended, all);
    let only_jobs = Ended {
        jobs: 2,
        ..Ended::default()
    };
    assert_eq!(returned.ended, only_jobs, "the rest had ended already");
    assert_eq!(
        without(dump(&original.path()), HELD),
        without(dump(&back.path()), HELD)
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_restored_lets_nobody_in_and_sends_nothing() {
    let (original, file, restored) = (filled().await, File::new(), File::new());
    backup(&original.location(), &file).await;

    restore(&file, &restored.location()).await.unwrap();

    let connection = Connection::open(restored.path()).unwrap();
    let count = |sql: &str| {
        connection
            .query_row(sql, [], |row| row.get::<_, i64>(0))
            .unwrap()
    };
    for table in ["sessions", "sign_in_links", "mail"] {
        assert_eq!(
            count(&format!("SELECT count(*) FROM {table}")),
            0,
            "{table}"
        );
    }
    let hooks = "SELECT document FROM webhooks WHERE active = 0 AND runner > 1000000";
    let mut hooks = connection.prepare(hooks).unwrap();
    let hooks: Vec<String> = hooks
        .query_map([], |row| row.get(0))
        .unwrap()
        .map(Result::unwrap)
        .collect();
    assert_eq!(hooks.len(), 2);
    for hook in hooks {
        let hook: Webhook = serde_json::from_str(&hook).unwrap();
        let (since, why) = (at(2), Why::Restored);
        assert_eq!(hook.status, webhook::Status::Paused { since, why });
    }
    let links = "SELECT count(*) FROM activations WHERE link IS NULL AND link_expires IS NULL AND document ->> '$.link' IS NULL";
    assert_eq!(count(links), 2);
    let (text, generation, runner): (String, i64, i64) = connection
        .query_row(
            "SELECT job, generation, runner FROM applications WHERE progress IS NULL LIMIT 1",
            [],
            |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
        )
        .unwrap();
    let job: JobState = serde_json::from_str(&text).unwrap();
    let quarantine = job.quarantine.unwrap();
    assert_eq!(quarantine.reason, QuarantineReason::RestoredFromBackup);
    assert_eq!(quarantine.next_attempt, None);
    assert!(
        quarantine
            .message
            .contains("a backup of 1970-01-01T01:00:00Z")
    );
    assert_eq!(job.restored.map(|restored| restored.at), Some(at(2)));
    assert_eq!((job.watermark, job.comparison), (None, None));
    // neither plans nor claims hold of before, or of what was counted since the backup
    let numbers = (i64::try_from(job.generation).unwrap(), generation, runner);
    let now = at(2).as_microsecond();
    assert_eq!(numbers, (now, now, now));
    let mut statement = connection
        .prepare("SELECT document, attention FROM links ORDER BY application")
        .unwrap();
    let links: Vec<(String, bool)> = statement
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))
        .unwrap()
        .map(Result::unwrap)
        .collect();
    for ((text, attention), state) in links.iter().zip([LinkState::Active, LinkState::Held]) {
        let link: Link = serde_json::from_str(text).unwrap();
        assert_eq!(
            link.state, state,
            "what was allowed then is asked for again"
        );
        assert_eq!(link.target_id.as_deref(), Some("42"));
        assert!(link.digest.is_none() && link.waiting && link.references_unknown && *attention);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whichever_byte_of_a_backup_is_damaged_it_is_refused_and_nothing_is_written() {
    let (original, file, target) = (filled().await, File::new(), File::new());
    backup(&original.location(), &file).await;
    let whole = std::fs::read(file.path()).unwrap();
    let line = whole.len() - 90;
    let step = whole.len() / 97;

    let sampled = (0..line).step_by(step).chain(line..whole.len());
    for place in sampled {
        let mut damaged = whole.clone();
        damaged[place] ^= 1 << (place % 8);
        std::fs::write(file.path(), &damaged).unwrap();
        let refused = restore(&file, &target.location()).await;

        assert!(
            matches!(
                refused,
                Err(NotCopied::DamagedBackup { .. }
                    | NotCopied::NoBackup(_)
                    | NotCopied::LaterBackup { .. })
            ),
            "byte {place}: {refused:?}"
        );
    }
    for length in [0, 1, 100, whole.len() / 2, whole.len() - 1] {
        std::fs::write(file.path(), &whole[..length]).unwrap();
        let refused = restore(&file, &target.location()).await;
        assert!(
            matches!(refused, Err(NotCopied::NoBackup(_))),
            "{refused:?}"
        );
    }

    assert_eq!(std::fs::read_dir(target.folder.path()).unwrap().count(), 0);
    std::fs::write(file.path(), &whole).unwrap();
    restore(&file, &target.location()).await.unwrap();
}

/// Makes a backup as a version with this schema would have: an organisation, and nothing else.
fn of_schema(version: u32, steps: &[&str]) -> File {
    let file = File::new();
    let connection = Connection::open(file.path()).unwrap();
    for step in steps {
        connection.execute_batch(step).unwrap();
    }
    connection
        .pragma_update(None, "user_version", version)
        .unwrap();
    let organisation = serde_json::json!({
        "id": "01010101-0101-0101-0101-010101010101", "slug": "vault", "name": "Vault", "region": "eu",
        "plan": "paid", "created": at(0),
    });
    connection
        .execute(
            "INSERT INTO organisations (id, slug, document) VALUES (?1, 'vault', ?2)",
            params![[1_u8; 16], organisation.to_string()],
        )
        .unwrap();
    drop(connection);
    let head = archive::Head {
        made: at(1).to_string(),
        ..archive::Head::default()
    };
    archive::finish(&file.path(), &head).unwrap();
    seal(&file.path()).unwrap();
    file
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_older_backup_is_brought_to_this_schema_and_a_later_one_is_refused_with_words() {
    let beginning = include_str!("../sqlite/migrations/0001-beginning.sql");
    let console = include_str!("../sqlite/migrations/0002-console.sql");
    let database = Database::fresh().unwrap();
    let target = File::new();

    let old = of_schema(1, &[beginning]);
    let before = std::fs::read(old.path()).unwrap();
    for place in [target.location(), location(&database)] {
        let returned = restore(&old, &place).await.unwrap();
        assert_eq!(returned.contents.schema, 1);
        let store = Store::open(&place).await.unwrap();
        assert_eq!(store.organisations().await.unwrap().len(), 1);
    }
    let new = of_schema(99, &[beginning, console]);
    let refused = restore(&new, &File::new().location()).await.unwrap_err();

    assert_eq!(std::fs::read(old.path()).unwrap(), before);
    let said = refused.to_string();
    assert!(said.contains("a later rollcall"), "{said}");
    assert!(said.contains("schema has version 99"), "{said}");
    let names = std::fs::read_dir(target.folder.path()).unwrap();
    let left = names.map(|name| name.unwrap().file_name().into_string().unwrap());
    assert!(
        !left.into_iter().any(|name| name.contains("unfinished")),
        "the copy that was changed is gone"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_is_there_stays_unless_it_may_be_replaced() {
    let (original, file, full, foreign) =
        (filled().await, File::new(), filled().await, File::new());
    let database = Database::fresh().unwrap();
    backup(&original.location(), &file).await;
    full.sql("UPDATE organisations SET slug = 'another-' || slug");
    copy(&full.location(), &location(&database), |_| {})
        .await
        .unwrap();
    let before = dump(&full.path());
    foreign.sql("CREATE TABLE recipes (name TEXT)");

    for there in [full.location(), location(&database)] {
        let refused = restore(&file, &there).await;
        assert!(
            matches!(refused, Err(NotCopied::NotEmpty(_))),
            "{refused:?}"
        );
    }
    assert_eq!(dump(&full.path()), before);
    for there in [full.location(), location(&database)] {
        replace(&file, &there).await.unwrap();
    }
    let refused = replace(&file, &foreign.location()).await;

    assert!(matches!(refused, Err(NotCopied::Foreign(_))), "{refused:?}");
    assert_eq!(
        without(dump(&full.path()), HELD),
        without(dump(&original.path()), HELD)
    );
    let slugs = database
        .sql("SELECT slug FROM organisations ORDER BY 1")
        .unwrap();
    assert!(!slugs.contains("another"), "{slugs}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restore_that_breaks_leaves_what_was_there() {
    let (original, file, full) = (filled().await, File::new(), filled().await);
    let database = Database::fresh().unwrap();
    backup(&original.location(), &file).await;
    full.sql("UPDATE organisations SET slug = 'another-' || slug");
    copy(&full.location(), &location(&database), |_| {})
        .await
        .unwrap();
    // a defect of the database, met when everything is written
    full.sql("CREATE TRIGGER meddling AFTER INSERT ON cycles BEGIN UPDATE cycles SET document = 'other'; END");
    database
        .sql(
            "CREATE FUNCTION meddle() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;
             CREATE TRIGGER meddling BEFORE INSERT ON cycles FOR EACH ROW EXECUTE FUNCTION meddle()",
        )
        .unwrap();
    let before = dump(&full.path());

    for there in [full.location(), location(&database)] {
        let failed = replace(&file, &there).await;
        assert!(
            matches!(
                failed,
                Err(NotCopied::Different {
                    table: "cycles",
                    ..
                })
            ),
            "{failed:?}"
        );
    }

    assert_eq!(dump(&full.path()), before);
    let slugs = database
        .sql("SELECT slug FROM organisations ORDER BY 1")
        .unwrap();
    assert!(slugs.contains("another"), "{slugs}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_is_served_is_backed_up_and_not_replaced() {
    let (original, file) = (filled().await, File::new());
    let database = Database::fresh().unwrap();
    copy(&original.location(), &location(&database), |_| {})
        .await
        .unwrap();
    let serving = original.open().await;
    let claim = serving.claim_server().unwrap();
    let node = Store::open(&location(&database)).await.unwrap();

    backup(&original.location(), &file).await;
    backup(&location(&database), &File::new()).await;
    for there in [original.location(), location(&database)] {
        let refused = replace(&file, &there).await;
        assert!(matches!(refused, Err(NotCopied::InUse(_))), "{refused:?}");
    }
    drop((claim, node));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_overwrites_nothing_that_it_is_not_meant_to() {
    let (original, other) = (filled().await, File::new());
    let key = original.folder.path().join("rollcall.db.key");
    std::fs::write(&key, [7; 32]).unwrap();
    let link = original.folder.path().join("link");
    std::os::unix::fs::symlink(original.path(), &link).unwrap();
    let attempt = |from: Location, file: PathBuf, existing| {
        let apart = [key.clone()];
        async move {
            let made = super::backup(&from, &file, existing, (at(1), ""), &apart, |_| {});
            made.await.map(|made| made.contents)
        }
    };
    let before = dump(&original.path());

    for own in [
        original.path(),
        original.folder.path().join(".").join("rollcall.db-wal"),
        original.folder.path().join("rollcall.server-lock"),
        key.clone(),
        link,
    ] {
        let refused = attempt(original.location(), own.clone(), Existing::Replace).await;
        assert!(
            matches!(refused, Err(NotCopied::OwnFile(_))),
            "{own:?}: {refused:?}"
        );
    }
    std::fs::write(other.path(), "precious").unwrap();
    let kept = attempt(original.location(), other.path(), Existing::Keep).await;
    assert!(matches!(kept, Err(NotCopied::Exists(_))), "{kept:?}");
    assert_eq!(std::fs::read(other.path()).unwrap(), b"precious");
    let folder = other.folder.path().to_owned();
    let refused = attempt(original.location(), folder.clone(), Existing::Replace).await;
    assert!(
        matches!(refused, Err(NotCopied::File { .. })),
        "{refused:?}"
    );
    let nowhere = attempt(original.location(), folder.join("no/file"), Existing::Keep).await;
    assert!(
        matches!(nowhere, Err(NotCopied::File { .. })),
        "{nowhere:?}"
    );
    let none = attempt(File::new().location(), folder.join("new"), Existing::Keep).await;
    assert!(matches!(none, Err(NotCopied::NoStore(_))), "{none:?}");

    // what a process of the same number left when it was killed is in nobody's way
    let unfinished = format!("rollcall.db.unfinished-{}", std::process::id());
    std::fs::write(folder.join(unfinished), "half").unwrap();
    attempt(original.location(), other.path(), Existing::Replace)
        .await
        .unwrap();
    assert_eq!(dump(&original.path()), before);
    assert_eq!(std::fs::read(&key).unwrap(), [7; 32]);
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_damaged_store_is_told_and_its_backup_is_not_kept() {
    let (original, file) = (filled().await, File::new());
    let sound = std::fs::read(original.path()).unwrap();
    let damage: [fn(&mut Vec<u8>); 3] = [
        // the head, a page in the middle, the end
        |bytes| bytes[..100].fill(0),
        |bytes| bytes[4_096 * 2..4_096 * 30].fill(0xff),
        |bytes| bytes.truncate(4_096 * 12),
    ];

    for (n, damage) in damage.iter().enumerate() {
        let mut bytes = sound.clone();
        damage(&mut bytes);
        std::fs::write(original.path(), &bytes).unwrap();
        let failed = attempt(&original.location(), &file).await.unwrap_err();

        assert!(
            matches!(failed, NotCopied::DamagedStore { .. }),
            "{n}: {failed:?}"
        );
    }
    assert_eq!(std::fs::read_dir(file.folder.path()).unwrap().count(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_is_no_store() {
    let (original, file, target) = (filled().await, File::new(), File::new());
    backup(&original.location(), &file).await;

    let opened = Store::open(&file.location()).await.err();
    let copied = copy(&file.location(), &target.location(), |_| {}).await;
    let over = copy(&original.location(), &file.location(), |_| {}).await;
    let a_store = restore(&original, &target.location()).await;

    assert!(matches!(opened, Some(Error::Backup(_))), "{opened:?}");
    assert!(matches!(copied, Err(NotCopied::Backup(_))), "{copied:?}");
    assert!(matches!(over, Err(NotCopied::Backup(_))), "{over:?}");
    assert!(
        matches!(a_store, Err(NotCopied::NoBackup(_))),
        "{a_store:?}"
    );
    restore(&file, &target.location()).await.unwrap();
}
