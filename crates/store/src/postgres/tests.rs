//! What PostgreSQL promises beyond the conformance suite: several nodes, a second fence, a server that goes away.

mod reaching;

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use rollcall_model::application::Application;
use rollcall_model::{
    Action, Actor, ApplicationId, Kind, Membership, OrgId, Organisation, Origin, Plan, Randomness,
    Region, RequestId, ResourceId, Rules, Summary,
};
use rollcall_scim::resource::Resource;
use rollcall_testkit::postgres::{Database, Server};
use serde_json::json;

use super::connections::{Connections, Connector, Purpose};
use super::glances::Glances;
use super::session::Then;
use super::unit::Tenant as Rows;
use crate::{
    Entry, Error, Location, NewAudit, NewChange, ReadDirectory as _, Store, Tenant,
    WriteDirectory as _,
};

struct Dice(std::sync::atomic::AtomicU64);

impl Randomness for Dice {
    fn fill(&self, bytes: &mut [u8]) {
        let roll = self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        for (byte, fresh) in bytes.iter_mut().zip(roll.to_le_bytes().iter().cycle()) {
            *byte = *fresh;
        }
    }
}

static DICE: Dice = Dice(std::sync::atomic::AtomicU64::new(1));

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).unwrap()
}

async fn open(url: &str) -> Result<Store, Error> {
    let location: Location = url.parse()?;
    Store::open(&location).await
}

async fn application(tenant: &Tenant) -> ApplicationId {
    let id = ApplicationId::new(at(0), &DICE);
    let new = Application::new(id, "App".into(), at(0));
    tenant
        .write::<_, Error, _>(move |writer| writer.save_application(&new))
        .await
        .unwrap();
    id
}

async fn organisation(store: &Store, slug: &str) -> Tenant {
    let organisation = Organisation {
        id: OrgId::new(at(0), &DICE),
        slug: slug.parse().unwrap(),
        name: slug.to_owned(),
        region: Region::default(),
        plan: Plan::Paid,
        seats: None,
        created: at(0),
        mirrors: None,
        rules: Rules::default(),
        time_zone: None,
        sends_invitations: false,
        retention: rollcall_model::retention::DEFAULT,
    };
    store
        .create_organisation(&organisation, &deed("organisation.created"))
        .await
        .unwrap();
    store.tenant(organisation.id)
}

fn deed(action: &'static str) -> NewAudit {
    NewAudit {
        origin: Origin {
            actor: Actor::System,
            request: RequestId::new(at(0), &DICE),
            address: None,
        },
        action,
        object: "it".to_owned(),
        detail: json!({}),
    }
}

fn creation(id: ResourceId) -> NewChange {
    NewChange {
        kind: Kind::User,
        id,
        action: Action::Created,
        document: None,
        membership: Membership::default(),
        summary: Summary::default(),
    }
}

fn person(name: &str) -> Entry {
    Entry {
        kind: Kind::User,
        id: ResourceId::new(at(1), &DICE),
        version: 1,
        created: at(1),
        modified: at(1),
        managed_by: None,
        resource: Resource::from_stored(json!({"userName": name})),
    }
    .stamped()
}

async fn add(tenant: &Tenant, name: &str) -> Result<(), Error> {
    let entry = person(name);
    tenant
        .write(move |writer| {
            writer.insert(&entry)?;
            writer.append_change(at(2), &creation(entry.id))
        })
        .await
}

async fn names(tenant: &Tenant) -> Result<u64, Error> {
    tenant
        .read::<_, Error, _>(|reader| Ok(reader.counts()?.users))
        .await
}

/// Runs `look` in a transaction for one organisation.
async fn within<T: Send + 'static>(
    url: String,
    purpose: Purpose,
    look: impl FnOnce(&mut Rows<'_>) -> T + Send + 'static,
) -> T {
    let connections = Connections::new(Connector::new(&url.parse().unwrap()).unwrap());
    tokio::task::spawn_blocking(move || {
        connections
            .within(purpose, |open| {
                let seen = look(&mut Rows::new(open, &connections, purpose, None));
                Ok((seen, Then::TakeBack))
            })
            .unwrap()
    })
    .await
    .unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_a_statement_says_it_meets_one_organisation_only() {
    let database = Database::fresh().unwrap();
    let store = open(&database.url()).await.unwrap();
    assert_eq!(store.warnings(), []);
    let (one, other) = (
        organisation(&store, "one").await,
        organisation(&store, "other").await,
    );
    add(&one, "ann").await.unwrap();
    add(&other, "bob").await.unwrap();
    add(&other, "cid").await.unwrap();

    let count = |purpose| {
        within(database.url(), purpose, |rows| {
            let sql = "SELECT (SELECT count(*) FROM resources), (SELECT count(*) FROM organisations), (SELECT count(*) FROM audit),
                              (SELECT count(*) FROM changes), (SELECT count(*) FROM installation_secrets)";
            let row = rows.row(sql, &[]).unwrap().unwrap();
            [0, 1, 2, 3, 4].map(|column| row.get::<_, i64>(column))
        })
    };
    store
        .installation_secret("of tests", vec![1; 32])
        .await
        .unwrap();
    assert_eq!(
        count(Purpose::Read(one.organisation())).await,
        [1, 1, 1, 1, 0]
    );
    assert_eq!(
        count(Purpose::Read(other.organisation())).await,
        [2, 1, 1, 2, 0]
    );
    assert_eq!(count(Purpose::Installation).await, [3, 2, 2, 3, 1]);

    let theirs = other.organisation();
    let changed = within(
        database.url(),
        Purpose::Write(one.organisation()),
        move |rows| {
            let changed = rows
                .execute("UPDATE resources SET version = 9", &[])
                .unwrap();
            let mail = "INSERT INTO mail (org, sequence, due, sealed) VALUES ($1, 1, 1, '')";
            let refused = rows.execute(mail, &[&super::convert::uuid(theirs)]);
            assert!(matches!(refused, Err(Error::Backend(_))), "{refused:?}");
            changed
        },
    )
    .await;
    assert_eq!(changed, 1);
}

/// The planner knows nothing of an empty table. What it planned for one must not look through all that a long unit has written.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_unit_that_fills_an_empty_store_finds_its_way_by_the_right_index() {
    const PEOPLE: i64 = 3_000;
    let database = Database::fresh().unwrap();
    let store = open(&database.url()).await.unwrap();
    let one = organisation(&store, "one").await;

    let purpose = Purpose::Write(one.organisation());
    let looked_at = within(database.url(), purpose, |rows| {
        for number in 0..PEOPLE {
            let name = format!("person{number}");
            assert_eq!(rows.named(Kind::User, &name).unwrap(), None);
            rows.insert(&person(&name)).unwrap();
        }
        let sql = "SELECT idx_tup_fetch + seq_tup_read FROM pg_stat_xact_user_tables WHERE relname = 'resources'";
        let row = rows.row(sql, &[]).unwrap().unwrap();
        row.get::<_, i64>(0)
    })
    .await;

    // a wrong index looks at half of them each time
    assert!(looked_at < PEOPLE * PEOPLE / 10, "{looked_at} rows");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_table_is_fenced_and_begins_its_keys_with_the_organisation() {
    let database = Database::fresh().unwrap();
    open(&database.url()).await.unwrap();

    let open_tables = database
        .sql("SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace
              AND NOT (relrowsecurity AND relforcerowsecurity)")
        .unwrap();
    let keys = database
        .sql(
            "SELECT c.relname FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
              JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
              WHERE c.relnamespace = 'public'::regnamespace AND a.attname <> 'org' ORDER BY 1",
        )
        .unwrap();

    assert_eq!(open_tables, "rollcall_schema");
    // an address, an API key and a slug are looked up before the organisation is known
    assert_eq!(
        keys.lines().collect::<Vec<_>>(),
        [
            "administrators_by_address",
            "api_keys_by_digest",
            "installation_secrets_pkey",
            "organisations_by_slug",
            "organisations_pkey",
            "rollcall_schema_pkey"
        ]
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_stands_above_the_fence_is_warned() {
    let database = Database::fresh().unwrap();

    let store = open(&database.url_of("postgres")).await.unwrap();

    let warnings = store.warnings();
    assert!(warnings[0].trouble.contains("superuser"), "{warnings:?}");
    assert_eq!(store.examine().await.unwrap(), warnings);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_nodes_write_to_one_organisation_without_a_gap() {
    let database = Database::fresh().unwrap();
    let (here, there) = (
        open(&database.url()).await.unwrap(),
        open(&database.url()).await.unwrap(),
    );
    let one = organisation(&here, "one").await;
    let nodes = [one.clone(), there.tenant(one.organisation())];

    let mut units = tokio::task::JoinSet::new();
    for n in 0..400 {
        let tenant = nodes[n % 2].clone();
        units.spawn(async move { add(&tenant, &format!("p{n}")).await });
    }
    // whoever reads the feed meanwhile never sees an entry without all those before it
    let mut seen = 0;
    while seen < 400 {
        let places: Vec<u64> = nodes[1]
            .read::<_, Error, _>(|reader| {
                let changes = reader.changes(0, 1_000)?;
                Ok(changes.iter().map(|change| change.sequence).collect())
            })
            .await
            .unwrap();
        assert_eq!(places, (1..=places.len() as u64).collect::<Vec<_>>());
        seen = places.len();
    }

    for result in units.join_all().await {
        result.unwrap();
    }
    assert_eq!(names(&one).await.unwrap(), 400);
    assert_eq!(here.examine().await.unwrap(), []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_open_an_empty_database_at_once() {
    let database = Database::fresh().unwrap();
    let mut nodes = tokio::task::JoinSet::new();
    for _ in 0..6 {
        let url = database.url();
        nodes.spawn(async move { open(&url).await });
    }

    for opened in nodes.join_all().await {
        opened.unwrap().ping().await.unwrap();
    }

    database
        .sql("INSERT INTO rollcall_schema (version) VALUES (99)")
        .unwrap();
    let newer = open(&database.url()).await;
    assert!(
        matches!(newer, Err(Error::Newer { found: 99, .. })),
        "{newer:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_was_away_is_found_again() {
    let server = Server::of_ones_own("", &[]).unwrap();
    let database = server.database().unwrap();
    let store = open(&database.url()).await.unwrap();
    let one = organisation(&store, "one").await;
    add(&one, "before").await.unwrap();
    let application = application(&one).await;
    let claim = one.claim_job(application).await.unwrap();
    assert!(claim.is_held());

    server.stop().unwrap();
    let (written, read) = (add(&one, "meanwhile").await, names(&one).await);
    assert!(matches!(written, Err(Error::Unreachable(_))), "{written:?}");
    assert!(matches!(read, Err(Error::Unreachable(_))), "{read:?}");
    assert!(matches!(store.ping().await, Err(Error::Unreachable(_))));
    // nobody else can have got it yet
    assert!(claim.is_held());

    server.start().unwrap();
    assert_eq!(names(&one).await.unwrap(), 1);
    add(&one, "after").await.unwrap();
    // restarted while nobody looked
    server.stop().unwrap();
    server.start().unwrap();
    add(&one, "later").await.unwrap();
    assert_eq!(names(&one).await.unwrap(), 3);
    assert!(claim.is_held());
    assert!(matches!(
        one.claim_job(application).await,
        Err(Error::Occupied(_))
    ));
    claim.release().await;
    drop(claim);
    one.claim_job(application).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sessions_that_broke_while_nobody_used_them_are_put_away() {
    let database = Database::fresh().unwrap();
    open(&database.url()).await.unwrap();
    let connections = Connections::new(Connector::new(&database.url().parse().unwrap()).unwrap());
    let all_are_there = Arc::new(std::sync::Barrier::new(6));
    let mut units = tokio::task::JoinSet::new();
    for _ in 0..6 {
        let (connections, all_are_there) = (connections.clone(), Arc::clone(&all_are_there));
        units.spawn_blocking(move || {
            connections.within(Purpose::Installation, |_| {
                all_are_there.wait();
                Ok(((), Then::TakeBack))
            })
        });
    }
    assert!(units.join_all().await.iter().all(Result::is_ok));
    assert_eq!(connections.occupancy().idle, 6);

    let others =
        "FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()";
    let end = format!("SELECT pg_terminate_backend(pid) {others}");
    let count = format!("SELECT count(*) {others}");
    database.sql(&end).unwrap();
    while database.sql(&count).unwrap() != "0" {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let looked = connections.run(Purpose::Installation, |rows| rows.row("SELECT 1", &[]));

    looked.await.unwrap();
    assert_eq!(connections.occupancy().idle, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_look_at_the_installation_survives_its_connection_and_changes_nothing() {
    let database = Database::fresh().unwrap();
    let store = open(&database.url()).await.unwrap();
    organisation(&store, "one").await;
    let glances = Glances::new(Connector::new(&database.url().parse().unwrap()).unwrap()).unwrap();
    let count = "SELECT count(*) FROM organisations";
    glances.row(count, &[]).await.unwrap();

    let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
         WHERE datname = current_database() AND pid <> pg_backend_pid()";
    database.sql(end).unwrap();
    let row = glances.row(count, &[]).await.unwrap().unwrap();
    assert_eq!(row.get::<_, i64>(0), 1);
    assert_eq!(store.organisations().await.unwrap().len(), 1);

    let changed = glances.rows("DELETE FROM organisations", &[]).await;
    assert!(changed.is_err());
    assert_eq!(store.organisations().await.unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_is_claimed_by_one_node_at_a_time() {
    let database = Database::fresh().unwrap();
    let (store, other) = (
        open(&database.url()).await.unwrap(),
        open(&database.url()).await.unwrap(),
    );
    let here = organisation(&store, "one").await;
    let there = other.tenant(here.organisation());
    let application = application(&here).await;

    let claim = here.claim_job(application).await.unwrap();

    assert!(matches!(
        there.claim_job(application).await,
        Err(Error::Occupied(_))
    ));
    drop(claim);
    there.claim_job(application).await.unwrap();
    assert!(store.claim_server().is_ok() && other.claim_server().is_ok());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_claim_lasts_while_its_node_lives_and_passes_on_when_it_says_nothing_more() {
    let database = Database::fresh().unwrap();
    let address = format!("{}&lease=1", database.url());
    let (store, other) = (open(&address).await.unwrap(), open(&address).await.unwrap());
    let here = organisation(&store, "one").await;
    let there = other.tenant(here.organisation());
    let application = application(&here).await;
    let claim = here.claim_job(application).await.unwrap();

    tokio::time::sleep(Duration::from_secs(3)).await;

    assert!(claim.is_held());
    assert!(matches!(
        there.claim_job(application).await,
        Err(Error::Occupied(_))
    ));
    // the node does not come to speak any more: somebody holds on to the row of its lease
    let (client, connection) = tokio_postgres::connect(&database.url(), tokio_postgres::NoTls)
        .await
        .unwrap();
    tokio::spawn(connection);
    client
        .batch_execute("SET rollcall.scope = 'installation'; BEGIN; SELECT FROM leases FOR UPDATE")
        .await
        .unwrap();
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    assert!(!claim.is_held());
    // whoever had it is late by now, and taken over
    client
        .batch_execute("UPDATE leases SET until = clock_timestamp(), runner = 0; COMMIT")
        .await
        .unwrap();
    let taken = there.claim_job(application).await.unwrap();
    assert!(taken.number() > claim.number());
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert!(taken.is_held() && !claim.is_held());
    // what ends late ends nobody else's
    claim.release().await;
    drop(claim);
    assert!(matches!(
        here.claim_job(application).await,
        Err(Error::Occupied(_))
    ));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_unit_that_goes_on_after_a_failure_keeps_nothing_and_harms_nobody() {
    let database = Database::fresh().unwrap();
    let store = open(&database.url()).await.unwrap();
    let one = organisation(&store, "one").await;
    let (hold, held) = std::sync::mpsc::channel::<()>();
    let first = one.write::<(), Error, _>(move |_| {
        // until the sender is gone; meanwhile the others queue up and share the next commit
        assert!(held.recv().is_err());
        Ok(())
    });
    let stubborn = one.write::<(), Error, _>(|writer| {
        writer.insert(&person("lost"))?;
        // PostgreSQL keeps no NUL
        assert!(
            writer
                .save_password_hash(rollcall_model::AdminId::from_bytes([1; 16]), "\0")
                .is_err()
        );
        Ok(())
    });
    let release = async move {
        tokio::task::yield_now().await;
        drop(hold);
    };

    let (first, before, stubborn, after, ()) = tokio::join!(
        first,
        add(&one, "before"),
        stubborn,
        add(&one, "after"),
        release
    );

    first.unwrap();
    before.unwrap();
    after.unwrap();
    assert!(
        matches!(stubborn, Err(Error::Unreachable(_))),
        "{stubborn:?}"
    );
    assert_eq!(names(&one).await.unwrap(), 2);
    let alone = one.write::<(), Error, _>(|writer| {
        writer.insert(&person("lost"))?;
        drop(writer.save_password_hash(rollcall_model::AdminId::from_bytes([1; 16]), "\0"));
        Ok(())
    });
    assert!(matches!(alone.await, Err(Error::Unreachable(_))));
    assert_eq!(names(&one).await.unwrap(), 2);
    assert_eq!(store.examine().await.unwrap(), []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_fails_before_anything_is_sent_does_not_take_an_acknowledged_write_along() {
    let database = Database::fresh().unwrap();
    let store = open(&database.url()).await.unwrap();
    let one = organisation(&store, "one").await;
    let (operator, connection) =
        tokio_postgres::connect(&database.url_of("postgres"), tokio_postgres::NoTls)
            .await
            .unwrap();
    tokio::spawn(connection);
    let (hold, held) = std::sync::mpsc::channel::<()>();
    let first = one.write::<(), Error, _>(move |_| {
        assert!(held.recv().is_err());
        Ok(())
    });
    // its books are in the database when it ends
    let audited = one.write::<_, Error, _>(|writer| {
        writer.append_audit(at(1), &deed("user.updated"))?;
        writer.counts()
    });
    // the first statement of this one waits for its table until it may not any more
    let told =
        one.write(|writer| writer.append_change(at(2), &creation(ResourceId::new(at(1), &DICE))));
    let release = async {
        operator
            .batch_execute("BEGIN; LOCK TABLE changes IN ACCESS EXCLUSIVE MODE")
            .await
            .unwrap();
        drop(hold);
    };

    let (_, audited, told, ()) = tokio::join!(first, audited, told, release);

    assert!(told.is_err(), "{told:?}");
    operator.batch_execute("ROLLBACK").await.unwrap();
    let entries = one
        .read::<_, Error, _>(|reader| Ok(reader.audit(None, 9)?.len()))
        .await
        .unwrap();
    assert_eq!(entries, 1 + usize::from(audited.is_ok()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_comes_while_another_node_has_the_lock_is_in_the_next_commit() {
    let database = Database::fresh().unwrap();
    let store = open(&database.url()).await.unwrap();
    let one = organisation(&store, "one").await;
    let (hold, held) = std::sync::mpsc::channel::<()>();
    let (running, runs) = tokio::sync::oneshot::channel();
    let other = tokio::spawn(within(
        database.url(),
        Purpose::Write(one.organisation()),
        move |_| {
            running.send(()).unwrap();
            assert!(held.recv().is_err());
        },
    ));
    runs.await.unwrap();
    let mut units = tokio::task::JoinSet::new();
    for n in 0..10 {
        let tenant = one.clone();
        units.spawn(async move { add(&tenant, &format!("p{n}")).await });
        // the first waits for the lock, the others for the first
        tokio::time::sleep(Duration::from_millis(20)).await;
    }

    drop(hold);

    assert!(units.join_all().await.iter().all(Result::is_ok));
    other.await.unwrap();
    let commits = store.figures().commits.read();
    assert_eq!((commits.count, commits.sum.round()), (1, 10.0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lock_that_is_not_to_be_had_is_busy() {
    let database = Database::fresh().unwrap();
    let store = open(&database.url()).await.unwrap();
    let one = organisation(&store, "one").await;
    let id = one.organisation();
    let (hold, held) = std::sync::mpsc::channel::<()>();
    let (running, runs) = tokio::sync::oneshot::channel();
    let unit = tokio::spawn(async move {
        one.write::<(), Error, _>(move |_| {
            running.send(()).unwrap();
            assert!(held.recv().is_err());
            Ok(())
        })
        .await
    });
    runs.await.unwrap();

    let refused = within(database.url(), Purpose::Unordered(id), move |rows| {
        rows.execute("SET LOCAL lock_timeout = '50ms'", &[])?;
        let lock = "SELECT FROM organisations WHERE id = $1 FOR UPDATE";
        rows.execute(lock, &[&super::convert::uuid(id)])
    })
    .await;

    assert!(matches!(refused, Err(Error::Busy)), "{refused:?}");
    drop(hold);
    unit.await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_text_with_a_nul_is_nowhere() {
    let database = Database::fresh().unwrap();
    let store = open(&database.url()).await.unwrap();
    let one = organisation(&store, "one").await;
    let id = one.organisation();
    let found = one
        .read::<_, Error, _>(move |reader| {
            let application = ApplicationId::from_bytes([1; 16]);
            assert_eq!(reader.named(Kind::User, "a\0b")?, None);
            assert_eq!(reader.with_external_id(Kind::User, "\0")?, []);
            assert_eq!(reader.tombstones(Kind::User, Some("\0"), "\0")?, []);
            assert_eq!(reader.linked_to(application, Kind::User, "\0")?, None);
            let query = crate::AuditQuery {
                object: Some("\0".into()),
                ..crate::AuditQuery::default()
            };
            assert_eq!(reader.audit_where(&query, 10)?, []);
            // the unit is none the worse for it
            Ok(reader.organisation()?.id)
        })
        .await
        .unwrap();
    assert_eq!(found, id);
    assert_eq!(store.administrators_called("\0").await.unwrap(), []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_gives_up_waiting_does_not_leave_a_transaction_behind() {
    let database = Database::fresh().unwrap();
    let store = open(&database.url()).await.unwrap();
    let one = organisation(&store, "one").await;
    for n in 0..30 {
        let name = format!("p{n}");
        let unit = add(&one, &name);
        drop(tokio::time::timeout(Duration::from_micros(n * 100), unit).await);
        drop(tokio::time::timeout(Duration::from_micros(n * 50), names(&one)).await);
        drop(tokio::time::timeout(Duration::from_micros(n * 50), store.organisations()).await);
    }

    add(&one, "last").await.unwrap();

    let idle = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state LIKE 'idle in%'";
    let began = std::time::Instant::now();
    while database.sql(idle).unwrap() != "0" {
        assert!(began.elapsed() < Duration::from_secs(10));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
