//! The contract of storage as code: one function for each promise, run against every backend by [`conformance_suite!`].
//!
//! A new method comes with a new promise here, in the same commit.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::missing_panics_doc,
    reason = "a promise that is not kept fails its test"
)]

use jiff::Timestamp;
use rollcall_model::application::{Application, Assignment};
use rollcall_model::link::{Link, LinkState};
use rollcall_model::{
    Action, Actor, AdminId, Administrator, ApplicationId, IntegrationId, JobState, Kind,
    Membership, OrgId, Organisation, Origin, Plan, Randomness, Region, RequestId, ResourceId, Role,
    TokenId, TokenRecord,
};
use rollcall_scim::filter::Filter;
use rollcall_scim::limits::STANDARD;
use rollcall_scim::resource::Resource;
use rollcall_scim::schema::Registry;
use rollcall_scim::sort::Sort;
use serde_json::{Value, json};

use crate::{
    Counts, Entry, Error, Member, NewAudit, NewChange, Paging, Selection, SignInLink, Store,
    Tenant, Writer,
};

/// Stamps the suite out for a backend. The expression opens a fresh store and returns it with whatever keeps it alive.
#[macro_export]
macro_rules! conformance_suite {
    ($open:expr) => {
        $crate::conformance_suite!(@each $open,
            organisations_are_apart, what_a_unit_refused_leaves_no_trace, a_name_is_taken_once_however_it_is_written,
            versions_are_compared, a_deletion_leaves_a_tombstone_and_no_membership, members_are_sets,
            listings_agree_with_the_evaluator, pages_cover_everything_once, orders_put_missing_values_last,
            the_feed_has_no_gaps, counts_follow_every_change, tokens_are_found_by_digest_in_their_organisation,
            concurrent_creations_of_one_name_have_one_winner, a_panic_in_a_unit_is_its_own_failure,
            links_and_exported_members_are_kept_apart_by_application, people_are_found_by_their_manager,
            an_administrator_has_one_way_in, one_organisation_does_not_take_all_turns_to_read, a_slug_in_use_leaves_no_entry,
            an_open_store_answers);
    };
    (@each $open:expr, $($name:ident),+) => {$(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $name() {
            let (store, _alive) = $open.await;
            $crate::conformance::$name(store).await;
        }
    )+};
}

struct Dice(std::sync::atomic::AtomicU64);

impl Randomness for Dice {
    fn fill(&self, bytes: &mut [u8]) {
        let roll = self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        for (byte, fresh) in bytes.iter_mut().zip(roll.to_be_bytes().iter().cycle()) {
            *byte = *fresh;
        }
        if let Some(last) = bytes.last_mut() {
            *last = roll.to_le_bytes()[0];
        }
    }
}

static DICE: Dice = Dice(std::sync::atomic::AtomicU64::new(1));

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).unwrap()
}

fn origin() -> Origin {
    Origin {
        actor: Actor::System,
        request: RequestId::new(at(0), &DICE),
        address: None,
    }
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
    };
    store
        .create_organisation(&organisation, &founding())
        .await
        .unwrap();
    store.tenant(organisation.id)
}

fn founding() -> NewAudit {
    NewAudit {
        origin: origin(),
        action: "organisation.created",
        object: "it".to_owned(),
        detail: json!({}),
    }
}

fn person(name: &str, more: Value) -> Entry {
    let mut body = json!({"userName": name});
    body.as_object_mut()
        .unwrap()
        .extend(more.as_object().cloned().unwrap_or_default());
    entry(Kind::User, body)
}

fn group(name: &str) -> Entry {
    entry(Kind::Group, json!({"displayName": name}))
}

fn entry(kind: Kind, body: Value) -> Entry {
    let registry = Registry::standard();
    let resource_type = registry.resource_type(kind.resource_type()).unwrap();
    let resource = Resource::from_request(resource_type, body, &STANDARD).unwrap();
    let id = ResourceId::new(at(1), &DICE);
    Entry {
        kind,
        id,
        version: 1,
        created: at(1),
        modified: at(1),
        managed_by: None,
        resource,
    }
    .stamped()
}

async fn add(tenant: &Tenant, entry: &Entry) -> Result<(), Error> {
    let entry = entry.clone();
    tenant.write(move |writer| writer.insert(&entry)).await
}

async fn change<T: Send + 'static>(
    tenant: &Tenant,
    unit: impl FnOnce(&mut dyn Writer) -> Result<T, Error> + Send + 'static,
) -> T {
    tenant.write(unit).await.unwrap()
}

fn all(filter: Option<&str>, sort: Option<(&str, Option<&str>)>, paging: Paging) -> Selection {
    let registry = Registry::standard();
    Selection {
        filter: filter.map(|text| Filter::parse(text, registry.user(), &STANDARD).unwrap()),
        sort: sort.map(|(by, order)| Sort::parse(by, order, registry.user()).unwrap()),
        paging,
    }
}

const EVERYTHING: Paging = Paging::Index {
    skip: 0,
    count: 1_000,
};

/// Two organisations with the same names never see each other.
pub async fn organisations_are_apart(store: Store) {
    let (one, other) = (
        organisation(&store, "one").await,
        organisation(&store, "other").await,
    );
    let (ann, namesake) = (person("ann", json!({})), person("ann", json!({})));
    add(&one, &ann).await.unwrap();
    add(&other, &namesake).await.unwrap();

    let (id, foreign) = (ann.id, namesake.id);
    let seen = one
        .read::<_, Error, _>(move |reader| {
            assert!(reader.entry(Kind::User, foreign)?.is_none());
            assert!(reader.kind_of(foreign)?.is_none());
            reader.named(Kind::User, "ANN")
        })
        .await
        .unwrap();
    assert_eq!(seen, Some(id));
    let gone = one
        .write::<(), Error, _>(move |writer| writer.remove(Kind::User, foreign, at(2)))
        .await;
    assert!(matches!(gone, Err(Error::Missing)));

    store.delete_organisation(one.organisation()).await.unwrap();
    assert!(
        other
            .read::<_, Error, _>(move |reader| reader.entry(Kind::User, foreign))
            .await
            .unwrap()
            .is_some()
    );
    assert!(matches!(
        one.read::<_, Error, _>(|reader| reader.organisation())
            .await,
        Err(Error::Missing)
    ));
    let again = store
        .create_organisation(
            &other
                .read::<_, Error, _>(|reader| reader.organisation())
                .await
                .unwrap(),
            &founding(),
        )
        .await;
    assert!(matches!(
        again,
        Err(Error::Taken { attribute: "slug" } | Error::Backend(_))
    ));
}

/// A unit that fails takes back all that it changed, and nothing of others.
pub async fn what_a_unit_refused_leaves_no_trace(store: Store) {
    let tenant = organisation(&store, "one").await;
    let (kept, lost) = (person("kept", json!({})), person("lost", json!({})));
    let first = add(&tenant, &kept);
    let unit = lost.clone();
    let second = tenant.write::<(), Error, _>(move |writer| {
        writer.insert(&unit)?;
        writer.append_change(at(1), &creation(&unit))?;
        Err(Error::Stale)
    });
    let (first, second) = tokio::join!(first, second);
    first.unwrap();
    assert!(matches!(second, Err(Error::Stale)));

    let (names, feed, counts) = tenant
        .read::<_, Error, _>(|reader| {
            let names = (
                reader.named(Kind::User, "kept")?,
                reader.named(Kind::User, "lost")?,
            );
            Ok((names, reader.last_change()?, reader.counts()?))
        })
        .await
        .unwrap();
    assert_eq!(names, (Some(kept.id), None));
    assert_eq!((feed, counts.users), (0, 1));
}

/// A name is unique in its organisation and kind, whatever its case.
pub async fn a_name_is_taken_once_however_it_is_written(store: Store) {
    let tenant = organisation(&store, "one").await;
    add(&tenant, &person("Ann@Example.com", json!({})))
        .await
        .unwrap();
    let taken = add(&tenant, &person("ann@example.COM", json!({}))).await;
    assert!(matches!(
        taken,
        Err(Error::Taken {
            attribute: "userName"
        })
    ));
    add(&tenant, &group("ann@example.com")).await.unwrap();
    let taken = add(&tenant, &group("ANN@example.com")).await;
    assert!(matches!(
        taken,
        Err(Error::Taken {
            attribute: "displayName"
        })
    ));
}

/// An update fits the version before it, and no other.
pub async fn versions_are_compared(store: Store) {
    let tenant = organisation(&store, "one").await;
    let ann = person("ann", json!({}));
    add(&tenant, &ann).await.unwrap();
    let second = Entry {
        version: 2,
        modified: at(2),
        ..ann.clone()
    }
    .stamped();
    let stale = second.clone();
    change(&tenant, move |writer| writer.update(&second)).await;
    let refused = tenant.write(move |writer| writer.update(&stale)).await;
    assert!(matches!(refused, Err(Error::Stale)));
    let unknown = person("nobody", json!({}));
    assert!(matches!(
        tenant.write(move |writer| writer.update(&unknown)).await,
        Err(Error::Missing)
    ));
    let found = tenant
        .read::<_, Error, _>(move |reader| reader.entry(Kind::User, ann.id))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        (found.version, found.modified, found.created),
        (2, at(2), at(1))
    );
    assert_eq!(found.resource.as_map()["meta"]["version"], "W/\"2\"");
}

/// What is deleted can be recognised when it comes back, and is nobody's member.
pub async fn a_deletion_leaves_a_tombstone_and_no_membership(store: Store) {
    let tenant = organisation(&store, "one").await;
    let (ann, sales) = (
        person(
            "Ann",
            json!({"externalId": "e1", "emails": [{"value": "a@x.example"}]}),
        ),
        group("Sales"),
    );
    add(&tenant, &ann).await.unwrap();
    add(&tenant, &sales).await.unwrap();
    let (member, team) = (
        Member {
            id: ann.id,
            kind: Kind::User,
        },
        sales.id,
    );
    change(&tenant, move |writer| writer.add_members(team, &[member])).await;
    change(&tenant, move |writer| {
        writer.remove(Kind::User, member.id, at(5))
    })
    .await;

    let id = ann.id;
    tenant
        .read::<_, Error, _>(move |reader| {
            assert!(reader.members(team, None, 10)?.is_empty());
            assert!(reader.groups_of(id)?.is_empty());
            assert!(reader.with_external_id(Kind::User, "e1")?.is_empty());
            let by_name = reader.tombstones(Kind::User, None, "ANN")?;
            let by_external_id = reader.tombstones(Kind::User, Some("e1"), "somebody")?;
            assert_eq!(by_name, by_external_id);
            assert_eq!((by_name[0].id, by_name[0].deleted), (id, at(5)));
            let found = reader.list(
                Kind::User,
                &all(Some("emails eq \"a@x.example\""), None, EVERYTHING),
            )?;
            assert_eq!(found.total, Some(0));
            Ok(())
        })
        .await
        .unwrap();
    change(&tenant, move |writer| {
        writer.remove_tombstone(Kind::User, id)
    })
    .await;
    assert!(
        tenant
            .read::<_, Error, _>(|reader| reader.tombstones(Kind::User, None, "ann"))
            .await
            .unwrap()
            .is_empty()
    );
}

/// Members come in and go out as sets; what was so already is not told as a change.
pub async fn members_are_sets(store: Store) {
    let tenant = organisation(&store, "one").await;
    let team = group("Sales");
    let people: Vec<Entry> = (0..5)
        .map(|n| person(&format!("p{n}"), json!({"displayName": format!("P{n}")})))
        .collect();
    add(&tenant, &team).await.unwrap();
    for one in &people {
        add(&tenant, one).await.unwrap();
    }
    let members: Vec<Member> = people
        .iter()
        .map(|one| Member {
            id: one.id,
            kind: Kind::User,
        })
        .collect();
    let team = team.id;

    let first = members.clone();
    assert_eq!(
        change(&tenant, move |writer| writer.add_members(team, &first[..3]))
            .await
            .len(),
        3
    );
    let second = members.clone();
    let added = change(&tenant, move |writer| writer.add_members(team, &second)).await;
    assert_eq!(added, [members[3].id, members[4].id]);
    let gone = members[0].id;
    assert_eq!(
        change(&tenant, move |writer| writer
            .remove_members(team, &[gone, gone]))
        .await,
        [gone]
    );

    let (expected, probe) = (members.clone(), members[1].id);
    tenant
        .read::<_, Error, _>(move |reader| {
            let page = reader.members(team, Some(expected[1].id), 2)?;
            assert_eq!(page, expected[2..4]);
            assert!(reader.is_member(team, probe)? && !reader.is_member(team, gone)?);
            assert_eq!(reader.groups_of(probe)?, [(team, "Sales".to_owned())]);
            assert_eq!(
                reader.named_members(team, 1)?,
                [(expected[1], Some("P1".to_owned()))]
            );
            Ok(())
        })
        .await
        .unwrap();
    assert_eq!(
        change(&tenant, move |writer| writer.clear_members(team))
            .await
            .len(),
        4
    );
}

/// Whatever narrowing a backend uses, the result is that of the evaluator over everything.
pub async fn listings_agree_with_the_evaluator(store: Store) {
    const ENTERPRISE: &str = rollcall_scim::schema::ENTERPRISE_USER;
    let tenant = organisation(&store, "one").await;
    let boss = ResourceId::new(at(1), &DICE).to_string();
    let mut people = Vec::new();
    for n in 0_i64..40 {
        let written = if n % 2 == 0 {
            boss.clone()
        } else {
            boss.to_uppercase()
        };
        let manager = if n % 4 < 2 {
            json!({"manager": {"value": written}})
        } else {
            json!({})
        };
        let more = json!({
            ENTERPRISE: manager,
            "displayName": format!("Person {}", n % 7), "externalId": format!("x{}", n % 5), "active": n % 3 != 0,
            "emails": [{"value": format!("P{n}@Example.com"), "type": if n % 2 == 0 { "work" } else { "home" }}],
        });
        let mut one = person(&format!("User{n}"), more);
        one.modified = at(n);
        let one = one.stamped();
        add(&tenant, &one).await.unwrap();
        people.push(one);
    }
    let team = group("Team");
    add(&tenant, &team).await.unwrap();
    let (team, member) = (
        team.id,
        Member {
            id: people[4].id,
            kind: Kind::User,
        },
    );
    change(&tenant, move |writer| writer.add_members(team, &[member])).await;

    let known = people[3].id.to_string();
    let filters = [
        format!("id eq \"{known}\""),
        format!("id eq \"{known}\" and userName eq \"user9\""),
        "userName eq \"USER7\"".into(),
        "userName ne \"user7\"".into(),
        "externalId eq \"x3\"".into(),
        "externalId eq \"X3\"".into(),
        "emails.value eq \"p8@example.COM\"".into(),
        "emails[type eq \"work\" and value eq \"p8@example.com\"]".into(),
        "emails[type eq \"home\"].value eq \"p8@example.com\"".into(),
        "displayName eq \"person 2\" and active eq true".into(),
        "displayName eq \"person 2\" or externalId eq \"x1\"".into(),
        format!("meta.lastModified gt \"{}\"", at(30)),
        format!(
            "meta.lastModified ge \"{}\" and meta.lastModified lt \"{}\"",
            at(10),
            at(20)
        ),
        format!("not (meta.lastModified ge \"{}\")", at(5)),
        "active eq \"False\"".into(),
        "active eq false and title pr".into(),
        "active eq true".into(),
        format!("{ENTERPRISE}:manager eq \"{}\"", boss.to_uppercase()),
        format!("{ENTERPRISE}:manager.value eq \"{boss}\""),
        "id eq \"not-an-id\"".into(),
        "id ne \"not-an-id\"".into(),
        format!("groups eq \"{team}\""),
        format!("groups.value eq \"{team}\" or userName eq \"user1\""),
        "groups.display eq \"team\"".into(),
        "groups pr".into(),
        "title pr".into(),
    ];
    for text in filters {
        let selection = all(Some(&text), None, EVERYTHING);
        let filter = selection.filter.clone().unwrap();
        let listing = tenant
            .read::<_, Error, _>(move |reader| reader.list(Kind::User, &selection))
            .await
            .unwrap();
        let got: Vec<ResourceId> = listing.resources.iter().map(|raw| raw.id).collect();
        let related = OneGroup {
            group: team.to_string(),
            member: member.id.to_string(),
        };
        let mut expected: Vec<ResourceId> = people
            .iter()
            .filter(|one| filter.matches(one.resource.as_map(), &OneMember(&related, one.id)))
            .map(|one| one.id)
            .collect();
        expected.sort_unstable();
        assert_eq!(got, expected, "{text}");
        assert_eq!(listing.total, Some(expected.len() as u64), "{text}");
    }
}

struct OneGroup {
    group: String,
    member: String,
}

struct OneMember<'a>(&'a OneGroup, ResourceId);

impl rollcall_scim::filter::Related for OneMember<'_> {
    fn contains(&self, _attribute: &str, value: &str) -> bool {
        self.0.member == self.1.to_string() && value == self.0.group
    }
    fn values(&self, _attribute: &str) -> Vec<Value> {
        if self.0.member != self.1.to_string() {
            return Vec::new();
        }
        vec![json!({"value": self.0.group, "display": "Team", "type": "direct"})]
    }
}

/// By index and by cursor, pages show each object once.
pub async fn pages_cover_everything_once(store: Store) {
    let tenant = organisation(&store, "one").await;
    for n in 0..25 {
        add(
            &tenant,
            &person(&format!("p{n}"), json!({"active": n % 2 == 0})),
        )
        .await
        .unwrap();
    }
    for filter in [None, Some("active eq true")] {
        let whole = all(filter, None, EVERYTHING);
        let whole = tenant
            .read::<_, Error, _>(move |reader| reader.list(Kind::User, &whole))
            .await
            .unwrap();
        let (mut by_index, mut by_cursor) = (Vec::new(), Vec::new());
        loop {
            let page = all(
                filter,
                None,
                Paging::Index {
                    skip: by_index.len() as u64,
                    count: 4,
                },
            );
            let page = tenant
                .read::<_, Error, _>(move |reader| reader.list(Kind::User, &page))
                .await
                .unwrap();
            assert_eq!(page.total, whole.total);
            by_index.extend(page.resources);
            if !page.more {
                break;
            }
        }
        let mut last = None;
        loop {
            let page = all(filter, None, Paging::After { id: last, count: 4 });
            let page = tenant
                .read::<_, Error, _>(move |reader| reader.list(Kind::User, &page))
                .await
                .unwrap();
            last = page.resources.last().map(|raw| raw.id);
            by_cursor.extend(page.resources);
            if !page.more {
                break;
            }
        }
        assert_eq!(by_index, whole.resources);
        assert_eq!(by_cursor, whole.resources);
    }
}

/// Orders follow the attribute; what has no value stands last, first when descending.
pub async fn orders_put_missing_values_last(store: Store) {
    let tenant = organisation(&store, "one").await;
    for (name, title) in [("c", Some("beta")), ("a", None), ("b", Some("Alpha"))] {
        add(&tenant, &person(name, json!({"title": title})))
            .await
            .unwrap();
    }
    for (order, expected) in [
        (None, ["b", "c", "a"]),
        (Some("descending"), ["a", "c", "b"]),
    ] {
        let selection = all(None, Some(("title", order)), EVERYTHING);
        let listing = tenant
            .read::<_, Error, _>(move |reader| reader.list(Kind::User, &selection))
            .await
            .unwrap();
        let names: Vec<Value> = listing
            .resources
            .iter()
            .map(|raw| serde_json::from_slice::<Value>(&raw.document).unwrap()["userName"].clone())
            .collect();
        assert_eq!(names, expected);
    }
}

fn creation(entry: &Entry) -> NewChange {
    NewChange {
        kind: entry.kind,
        id: entry.id,
        action: Action::Created,
        document: Some(entry.resource.clone().into_value()),
        membership: Membership::default(),
    }
}

/// Concurrent changes get places without gaps, and so do audit entries.
pub async fn the_feed_has_no_gaps(store: Store) {
    let tenant = organisation(&store, "one").await;
    let mut units = tokio::task::JoinSet::new();
    for n in 0..60 {
        let tenant = tenant.clone();
        units.spawn(async move {
            let one = person(&format!("p{n}"), json!({}));
            tenant
                .write::<(), Error, _>(move |writer| {
                    writer.insert(&one)?;
                    writer.append_change(at(n), &creation(&one))?;
                    let entry = NewAudit {
                        origin: origin(),
                        action: "user.created",
                        object: one.id.to_string(),
                        detail: json!({}),
                    };
                    writer.append_audit(at(n), &entry)?;
                    if n % 3 == 0 {
                        Err(Error::Stale)
                    } else {
                        Ok(())
                    }
                })
                .await
                .is_ok()
        });
    }
    let kept = units
        .join_all()
        .await
        .into_iter()
        .filter(|kept| *kept)
        .count() as u64;
    assert_eq!(kept, 40);
    tenant
        .read::<_, Error, _>(move |reader| {
            let places: Vec<u64> = reader
                .changes(0, 1_000)?
                .iter()
                .map(|change| change.sequence)
                .collect();
            assert_eq!(places, (1..=kept).collect::<Vec<_>>());
            assert_eq!(reader.last_change()?, kept);
            assert_eq!(reader.changes(kept - 2, 1)?[0].sequence, kept - 1);
            let audit: Vec<u64> = reader
                .audit(None, 1_000)?
                .iter()
                .map(|entry| entry.sequence)
                .collect();
            // the first one tells that the organisation was created
            assert_eq!(audit, (1..=kept + 1).rev().collect::<Vec<_>>());
            let first = reader.audit(Some(2), 1)?;
            assert_eq!(first[0].action, "organisation.created");
            assert_eq!(reader.audit(Some(5), 2)?.len(), 2);
            Ok(())
        })
        .await
        .unwrap();
}

/// The counts that seats are read from are those of the rows.
pub async fn counts_follow_every_change(store: Store) {
    let tenant = organisation(&store, "one").await;
    let ann = person("ann", json!({"active": true}));
    add(&tenant, &ann).await.unwrap();
    add(&tenant, &person("ben", json!({"active": false})))
        .await
        .unwrap();
    add(&tenant, &group("g")).await.unwrap();
    let counts = |tenant: Tenant| async move {
        tenant
            .read::<_, Error, _>(|reader| reader.counts())
            .await
            .unwrap()
    };
    assert_eq!(
        counts(tenant.clone()).await,
        Counts {
            users: 2,
            active_users: 1,
            groups: 1
        }
    );

    let off = person("ann", json!({"active": false}));
    let off = Entry {
        id: ann.id,
        version: 2,
        ..off
    }
    .stamped();
    change(&tenant, move |writer| writer.update(&off)).await;
    assert_eq!(
        counts(tenant.clone()).await,
        Counts {
            users: 2,
            active_users: 0,
            groups: 1
        }
    );
    change(&tenant, move |writer| {
        writer.remove(Kind::User, ann.id, at(3))
    })
    .await;
    assert_eq!(
        counts(tenant.clone()).await,
        Counts {
            users: 1,
            active_users: 0,
            groups: 1
        }
    );
    assert_eq!(store.examine().await.unwrap(), []);
}

/// A token is known in its own organisation only; of its text nothing is kept but the digest.
pub async fn tokens_are_found_by_digest_in_their_organisation(store: Store) {
    let (one, other) = (
        organisation(&store, "one").await,
        organisation(&store, "other").await,
    );
    let token = TokenRecord {
        id: TokenId::new(at(0), &DICE),
        integration: IntegrationId::new(at(0), &DICE),
        created: at(0),
        created_by: Actor::Command,
        expires: None,
        last_used: None,
    };
    let stored = token.clone();
    change(&one, move |writer| writer.insert_token(&stored, &[7; 32])).await;
    assert_eq!(
        one.read::<_, Error, _>(|reader| reader.token_by_digest(&[7; 32]))
            .await
            .unwrap(),
        Some(token.clone())
    );
    assert_eq!(
        other
            .read::<_, Error, _>(|reader| reader.token_by_digest(&[7; 32]))
            .await
            .unwrap(),
        None
    );
    let id = token.id;
    change(&one, move |writer| {
        writer.touch_token(id, at(4))?;
        writer.expire_token(id, at(9))
    })
    .await;
    let found = one
        .read::<_, Error, _>(|reader| reader.tokens())
        .await
        .unwrap();
    assert_eq!(
        (found[0].last_used, found[0].expires),
        (Some(at(4)), Some(at(9)))
    );
}

/// Of many who create the same name at once, one succeeds and the others are told that it is taken.
pub async fn concurrent_creations_of_one_name_have_one_winner(store: Store) {
    let tenant = organisation(&store, "one").await;
    let mut attempts = tokio::task::JoinSet::new();
    for n in 0..32 {
        let tenant = tenant.clone();
        attempts.spawn(async move {
            let name = if n % 2 == 0 { "Ann" } else { "aNN" };
            add(&tenant, &person(name, json!({}))).await
        });
    }
    let results = attempts.join_all().await;
    assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1);
    assert!(
        results
            .iter()
            .all(|result| matches!(result, Ok(()) | Err(Error::Taken { .. })))
    );
}

/// A unit that panics changes nothing, and the store goes on.
pub async fn a_panic_in_a_unit_is_its_own_failure(store: Store) {
    let tenant = organisation(&store, "one").await;
    let ann = person("ann", json!({}));
    let unit = ann.clone();
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let result = tenant
        .write::<(), Error, _>(move |writer| {
            writer.insert(&unit)?;
            panic!("a defect in a use case")
        })
        .await;
    std::panic::set_hook(hook);
    assert!(matches!(result, Err(Error::Abandoned)));
    add(&tenant, &ann).await.unwrap();
}

/// What provisioning remembers belongs to one application, and goes with it.
pub async fn links_and_exported_members_are_kept_apart_by_application(store: Store) {
    let tenant = organisation(&store, "one").await;
    let applications: Vec<Application> = ["a", "b"]
        .map(|name| Application::new(ApplicationId::new(at(0), &DICE), name.to_owned(), at(0)))
        .into();
    let (one, other) = (applications[0].id, applications[1].id);
    let (ann, team) = (ResourceId::new(at(0), &DICE), ResourceId::new(at(0), &DICE));
    change(&tenant, move |writer| {
        for application in &applications {
            writer.save_application(application)?;
        }
        writer.assign(
            one,
            &Assignment {
                kind: Kind::User,
                principal: ann,
                since: at(1),
            },
        )?;
        let mut link = Link::new(one, Kind::User, ann, at(1));
        link.target_id = Some("t1".into());
        link.state = LinkState::Active;
        writer.save_link(&link)?;
        let mut second = Link::new(one, Kind::User, team, at(1));
        second.target_id = Some("t1".into());
        assert!(matches!(
            writer.save_link(&second),
            Err(Error::Taken { .. })
        ));
        writer.add_exported_members(one, team, &[ann])?;
        let job = JobState {
            generation: 3,
            ..JobState::default()
        };
        writer.save_job(one, &job)?;
        writer.save_sealed_secret(one, Some(b"sealed"))
    })
    .await;
    tenant
        .read::<_, Error, _>(move |reader| {
            assert_eq!(reader.applications()?.len(), 2);
            assert_eq!(reader.generation(one)?, 3);
            assert_eq!(reader.job(one)?.generation, 3);
            assert_eq!(reader.generation(other)?, 0);
            assert_eq!(reader.in_use(one)?, 1);
            assert_eq!(reader.in_use(other)?, 0);
            assert_eq!(reader.linked_to(one, Kind::User, "t1")?, Some(ann));
            assert_eq!(reader.linked_to(other, Kind::User, "t1")?, None);
            assert!(reader.link(other, Kind::User, ann)?.is_none());
            assert_eq!(reader.links(one, Kind::User, None, 10)?.len(), 1);
            assert_eq!(reader.exported_members(one, team, None, 10)?, [ann]);
            assert_eq!(reader.exported_groups(one, ann)?, [team]);
            assert!(reader.exported_members(other, team, None, 10)?.is_empty());
            assert_eq!(reader.assignments(one)?.len(), 1);
            assert_eq!(reader.sealed_secret(one)?, Some(b"sealed".to_vec()));
            assert_eq!(reader.sealed_secret(other)?, None);
            Ok(())
        })
        .await
        .unwrap();
    change(&tenant, move |writer| {
        writer.forget_exported_member(one, ann)?;
        assert!(writer.exported_groups(one, ann)?.is_empty());
        writer.add_exported_members(one, team, &[ann])?;
        writer.forget_links(one)?;
        assert!(writer.links(one, Kind::User, None, 10)?.is_empty());
        assert!(writer.exported_groups(one, ann)?.is_empty());
        writer.save_link(&Link::new(one, Kind::User, ann, at(1)))
    })
    .await;
    change(&tenant, move |writer| writer.remove_application(one)).await;
    let left = tenant
        .read::<_, Error, _>(move |reader| reader.links(one, Kind::User, None, 10))
        .await
        .unwrap();
    assert!(left.is_empty());
}

/// A new password ends the link, a new link ends the password.
pub async fn an_administrator_has_one_way_in(store: Store) {
    let tenant = organisation(&store, "one").await;
    let administrator = Administrator {
        id: AdminId::new(at(0), &DICE),
        email: "ann@example.com".parse().unwrap(),
        role: Role::Owner,
        created: at(0),
    };
    let id = administrator.id;
    let link = SignInLink {
        administrator: id,
        digest: [7; 32],
        expires: at(9),
    };
    let ways = async |tenant: &Tenant| {
        tenant
            .read::<_, Error, _>(move |reader| {
                Ok((reader.password_hash(id)?, reader.sign_in_link(id)?))
            })
            .await
            .unwrap()
    };
    change(&tenant, move |writer| {
        writer.insert_administrator(&administrator)?;
        writer.save_password_hash(id, "hash")
    })
    .await;
    assert_eq!(ways(&tenant).await, (Some("hash".to_owned()), None));

    let new = link.clone();
    change(&tenant, move |writer| writer.save_sign_in_link(&new)).await;
    assert_eq!(ways(&tenant).await, (None, Some(link)));

    change(&tenant, move |writer| {
        writer.save_password_hash(id, "other")
    })
    .await;
    assert_eq!(ways(&tenant).await, (Some("other".to_owned()), None));
}

/// However much one organisation reads, the others get their turn.
pub async fn one_organisation_does_not_take_all_turns_to_read(store: Store) {
    let (busy, other) = (
        organisation(&store, "busy").await,
        organisation(&store, "other").await,
    );
    let (hold, held) = std::sync::mpsc::channel::<()>();
    let held = std::sync::Arc::new(std::sync::Mutex::new(held));
    let (started, mut starts) = tokio::sync::mpsc::unbounded_channel();
    let mut reads = tokio::task::JoinSet::new();
    for _ in 0..32 {
        let (busy, held, started) = (busy.clone(), held.clone(), started.clone());
        reads.spawn(async move {
            busy.read::<(), Error, _>(move |_| {
                started.send(()).unwrap();
                // until the sender is gone
                assert!(held.lock().unwrap().recv().is_err());
                Ok(())
            })
            .await
        });
    }
    starts.recv().await.unwrap();

    let patience = std::time::Duration::from_secs(5);
    let read = tokio::time::timeout(
        patience,
        other.read::<_, Error, _>(|reader| reader.counts()),
    )
    .await;

    drop(hold);
    assert_eq!(read.unwrap().unwrap(), Counts::default());
    assert!(reads.join_all().await.iter().all(Result::is_ok));
}

/// An organisation and the entry that tells of it come into being together, or not at all.
pub async fn a_slug_in_use_leaves_no_entry(store: Store) {
    let tenant = organisation(&store, "one").await;
    let there = tenant
        .read::<_, Error, _>(|reader| reader.organisation())
        .await
        .unwrap();
    let again = Organisation {
        id: OrgId::new(at(0), &DICE),
        ..there
    };

    let taken = store.create_organisation(&again, &founding()).await;

    assert!(matches!(taken, Err(Error::Taken { attribute: "slug" })));
    let entries = |tenant: Tenant| async move {
        tenant
            .read::<_, Error, _>(|reader| reader.audit(None, 10))
            .await
            .unwrap()
            .len()
    };
    assert_eq!(entries(tenant).await, 1);
    assert_eq!(entries(store.tenant(again.id)).await, 0);
}

/// A store that is open tells that it is.
pub async fn an_open_store_answers(store: Store) {
    store.ping().await.unwrap();
}

/// Who reports to whom follows every change, within one organisation.
pub async fn people_are_found_by_their_manager(store: Store) {
    const ENTERPRISE: &str = rollcall_scim::schema::ENTERPRISE_USER;
    let tenant = organisation(&store, "one").await;
    let other = organisation(&store, "other").await;
    let ann = person("ann", json!({}));
    let (boss, lead) = (ann.id, ann.id.to_string());
    let bob = person("bob", json!({ENTERPRISE: {"manager": {"value": lead}}}));
    let report = bob.id;
    change(&tenant, move |writer| {
        writer.insert(&ann)?;
        writer.insert(&bob)
    })
    .await;
    let reports = async |tenant: &Tenant| {
        tenant
            .read::<_, Error, _>(move |reader| reader.reports_of(boss))
            .await
            .unwrap()
    };
    assert_eq!(reports(&tenant).await, [report]);
    assert!(reports(&other).await.is_empty());

    change(&tenant, move |writer| {
        let before = writer.entry(Kind::User, report)?.ok_or(Error::Missing)?;
        let after = Entry {
            version: 2,
            resource: person("bob", json!({})).resource,
            ..before
        };
        writer.update(&after.stamped())
    })
    .await;
    assert!(reports(&tenant).await.is_empty());
}

#[cfg(test)]
mod sqlite {
    use crate::{Location, Store};

    async fn fresh() -> (Store, tempfile::TempDir) {
        let folder = tempfile::tempdir().unwrap();
        let location: Location = format!("sqlite:{}", folder.path().join("store.db").display())
            .parse()
            .unwrap();
        (Store::open(&location).await.unwrap(), folder)
    }

    crate::conformance_suite!(fresh());
}
