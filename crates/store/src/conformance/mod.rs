//! The contract of storage as code: one function for each promise, run against every backend by [`conformance_suite!`].
//!
//! A new method comes with a new promise here, in the same commit.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::missing_panics_doc,
    reason = "a promise that is not kept fails its test"
)]

mod console;
mod directory;
mod ledger;
mod listing;
mod provisioning;
mod retention;
mod webhooks;

use jiff::Timestamp;
use rollcall_model::application::{Application, Assignment};
use rollcall_model::link::{Link, LinkState};
use rollcall_model::{
    Action, Actor, AdminId, Administrator, ApplicationId, IntegrationId, JobState, KeyId,
    KeyRecord, KeyRole, Kind, Membership, OrgId, Organisation, Origin, Plan, Randomness, Region,
    RequestId, ResourceId, Role, Rules, Summary, TokenId, TokenRecord,
};
use rollcall_scim::limits::STANDARD;
use rollcall_scim::resource::Resource;
use rollcall_scim::schema::Registry;
use serde_json::{Value, json};

use crate::{
    Counts, Entry, Error, NewAudit, NewChange, Reader, Scheduled, SignInLink, Store, Tenant, Writer,
};

pub use console::*;
pub use directory::*;
pub use ledger::*;
pub use listing::*;
pub use provisioning::*;
pub use retention::*;
pub use webhooks::*;

/// Stamps the suite out for a backend. The expression opens a fresh store and returns it with whatever keeps it alive.
#[macro_export]
macro_rules! conformance_suite {
    ($open:expr) => {
        $crate::conformance_suite!(@each $open,
            organisations_are_apart, what_a_unit_refused_leaves_no_trace, who_comes_after_a_refusal_sees_nothing_of_it, a_name_is_taken_once_however_it_is_written,
            a_name_that_was_found_free_is_given_once,
            versions_are_compared, a_deletion_leaves_a_tombstone_and_no_membership, members_are_sets,
            listings_agree_with_the_evaluator, a_look_has_a_budget_and_goes_on_where_it_ended, pages_cover_everything_once, orders_put_missing_values_last,
            the_feed_has_no_gaps, the_audit_log_is_a_chain_whoever_writes, who_is_erased_is_nowhere_and_both_logs_go_on, counts_follow_every_change, tokens_are_found_by_digest_in_their_organisation,
            an_api_key_is_found_by_digest_with_the_organisation_that_it_opens,
            concurrent_creations_of_one_name_have_one_winner, a_panic_in_a_unit_is_its_own_failure,
            a_schedule_knows_applications_their_jobs_and_how_far_the_feed_goes,
            links_and_exported_members_are_kept_apart_by_application, people_are_found_by_their_manager,
            an_administrator_has_one_way_in, one_organisation_does_not_take_all_turns_to_read, a_slug_in_use_leaves_no_entry,
            an_open_store_answers, the_log_is_read_from_its_end_whole_or_of_one_object, cycles_are_remembered_up_to_a_number, a_job_is_claimed_by_one_at_a_time,
            writes_are_news_unless_they_are_quiet, sessions_are_found_by_digest_and_end, a_recovery_code_is_good_once,
            exchanges_are_counted_and_the_oldest_go, what_is_done_is_tallied_and_found_again, mail_waits_until_it_is_sent,
            keys_that_seal_are_kept_and_replaced, what_is_old_goes_in_parts_and_the_rest_stays,
            plans_have_numbers, a_foreign_administrator_is_found_by_address, managed_objects_are_counted, managed_objects_are_listed,
            an_activation_is_found_by_person_and_by_link, the_feed_is_read_in_parts_of_bounded_size, an_entry_of_the_feed_says_what_may_be_told_without_values,
            endpoints_are_kept_with_secret_and_place_in_the_feed, endpoints_with_something_to_do_are_found_in_all_organisations,
            deliveries_wait_in_order_and_are_kept_for_a_while, an_endpoint_is_claimed_by_one_at_a_time);
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
        mirrors: None,
        rules: Rules::default(),
        time_zone: None,
        sends_invitations: false,
        retention: rollcall_model::retention::DEFAULT,
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

/// Units that share a commit with one that refuses: what came before it stays, and what comes after it sees nothing of it, although it looked
/// at the counts in between and called the organisation otherwise.
pub async fn who_comes_after_a_refusal_sees_nothing_of_it(store: Store) {
    let tenant = organisation(&store, "one").await;
    let (hold, held) = std::sync::mpsc::channel::<()>();
    let first = tenant.write::<(), Error, _>(move |_| {
        // until the sender is gone; meanwhile the others queue up
        assert!(held.recv().is_err());
        Ok(())
    });
    let made = |name: &str| {
        let entry = person(name, json!({}));
        tenant.write::<_, Error, _>(move |writer| {
            writer.insert(&entry)?;
            writer.append_change(at(1), &creation(&entry))?;
            Ok((
                writer.last_change()?,
                writer.counts()?.users,
                writer.organisation()?.name,
            ))
        })
    };
    let lost = person("lost", json!({}));
    let refused = tenant.write::<(), Error, _>(move |writer| {
        let mut organisation = writer.organisation()?;
        "Other".clone_into(&mut organisation.name);
        writer.save_organisation(&organisation)?;
        writer.insert(&lost)?;
        writer.append_change(at(1), &creation(&lost))?;
        assert_eq!(writer.counts()?.users, 2);
        assert_eq!(writer.organisation()?.name, "Other");
        Err(Error::Stale)
    });
    let release = async move {
        tokio::task::yield_now().await;
        drop(hold);
    };

    let (first, before, refused, after, ()) =
        tokio::join!(first, made("before"), refused, made("after"), release);

    first.unwrap();
    assert!(matches!(refused, Err(Error::Stale)), "{refused:?}");
    assert_eq!(before.unwrap(), (1, 1, "one".to_owned()));
    assert_eq!(after.unwrap(), (2, 2, "one".to_owned()));
    assert_eq!(store.examine().await.unwrap(), []);
}

fn creation(entry: &Entry) -> NewChange {
    NewChange {
        kind: entry.kind,
        id: entry.id,
        action: Action::Created,
        document: Some(entry.resource.clone().into_value()),
        membership: Membership::default(),
        summary: Summary::default(),
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

/// A token is known in its own organisation only; of its text nothing is kept but the digest.
pub async fn tokens_are_found_by_digest_in_their_organisation(store: Store) {
    let one = organisation(&store, "one").await;
    organisation(&store, "other").await;
    let token = TokenRecord {
        id: TokenId::new(at(0), &DICE),
        integration: IntegrationId::new(at(0), &DICE),
        created: at(0),
        created_by: Actor::Command,
        expires: None,
        revoked: None,
        last_used: None,
        ending: Some("abcd".into()),
    };
    let stored = token.clone();
    change(&one, move |writer| writer.insert_token(&stored, &[7; 32])).await;
    let (slug, other_slug) = ("one".parse().unwrap(), "other".parse().unwrap());
    let (owner, found) = store.bearer(&slug, [7; 32]).await.unwrap().unwrap();
    assert_eq!((owner.id, found), (one.organisation(), token.clone()));
    assert_eq!(store.bearer(&slug, [8; 32]).await.unwrap(), None);
    assert_eq!(store.bearer(&other_slug, [7; 32]).await.unwrap(), None);
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
    change(&one, move |writer| {
        writer.revoke_token(id, at(20))?;
        writer.revoke_token(id, at(30))?;
        writer.forget_revoked_tokens(at(20))
    })
    .await;
    let (_, found) = store.bearer(&slug, [7; 32]).await.unwrap().unwrap();
    assert_eq!((found.revoked, found.expires), (Some(at(20)), Some(at(9))));
    assert!(!found.is_valid(at(0)), "whatever the clock says");
    change(&one, move |writer| writer.forget_revoked_tokens(at(21))).await;
    assert_eq!(store.bearer(&slug, [7; 32]).await.unwrap(), None);
}

/// An API key says which organisation it opens, and is known in that one only; of its text nothing is kept but the digest.
pub async fn an_api_key_is_found_by_digest_with_the_organisation_that_it_opens(store: Store) {
    let one = organisation(&store, "one").await;
    let other = organisation(&store, "other").await;
    let key = KeyRecord {
        id: KeyId::new(at(0), &DICE),
        name: "nightly".parse().unwrap(),
        role: KeyRole::Manage,
        created: at(0),
        created_by: Actor::Command,
        expires: Some(at(100)),
        revoked: None,
        last_used: None,
        ending: "abcd".into(),
    };
    let stored = key.clone();
    change(&one, move |writer| writer.insert_api_key(&stored, &[7; 32])).await;

    let (owner, found) = store.key([7; 32]).await.unwrap().unwrap();
    assert_eq!((owner.id, found), (one.organisation(), key.clone()));
    assert_eq!(store.key([8; 32]).await.unwrap(), None);
    let id = key.id;
    let foreign = other.write::<_, Error, _>(move |writer| writer.revoke_api_key(id, at(1)));
    assert!(matches!(foreign.await, Err(Error::Missing)));
    change(&one, move |writer| {
        writer.touch_api_key(id, at(4))?;
        writer.revoke_api_key(id, at(9))
    })
    .await;
    let keys = async |tenant: &Tenant| {
        let read = tenant.read::<_, Error, _>(|reader| reader.api_keys());
        read.await.unwrap()
    };
    let ended = KeyRecord {
        expires: Some(at(9)),
        revoked: Some(at(9)),
        last_used: Some(at(4)),
        ..key
    };
    assert_eq!(keys(&one).await, vec![ended.clone()]);
    assert_eq!(keys(&other).await, []);
    let (_, found) = store.key([7; 32]).await.unwrap().unwrap();
    assert_eq!(found, ended);
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

/// Whoever plans cycles sees the applications of all organisations, or of one, and how far each has come.
pub async fn a_schedule_knows_applications_their_jobs_and_how_far_the_feed_goes(store: Store) {
    let (one, two) = (
        organisation(&store, "one").await,
        organisation(&store, "two").await,
    );
    organisation(&store, "none").await;
    let application =
        || Application::new(ApplicationId::new(at(0), &DICE), "App".to_owned(), at(0));
    let (first, other) = (application(), application());
    for (tenant, application) in [(&one, first.clone()), (&two, other.clone())] {
        change(tenant, move |writer| writer.save_application(&application)).await;
    }
    let id = first.id;
    change(&one, move |writer| {
        let job = JobState {
            watermark: Some(7),
            ..JobState::default()
        };
        writer.save_job(id, &job)
    })
    .await;
    add(&two, &person("ann", json!({}))).await.unwrap();
    let read = |reader: &dyn Reader| reader.last_change();
    let last_change = two.read(read).await.unwrap();
    let seen = async |organisation| {
        let found: Vec<Scheduled> = store.schedule(organisation).await.unwrap();
        let mut found: Vec<_> = found
            .into_iter()
            .map(|one| {
                (
                    one.organisation,
                    one.application.id,
                    one.job.watermark,
                    one.last_change,
                )
            })
            .collect();
        found.sort();
        found
    };
    let ours = (one.organisation(), first.id, Some(7), 0);
    let theirs = (two.organisation(), other.id, None, last_change);
    let mut all = vec![ours, theirs];
    all.sort();
    assert_eq!(seen(None).await, all);
    assert_eq!(seen(Some(two.organisation())).await, [theirs]);
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
            assert_eq!(reader.standing(one)?.generation, 3);
            assert_eq!(reader.job(one)?.generation, 3);
            assert_eq!(reader.standing(other)?.generation, 0);
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
        name: None,
        role: Role::Owner,
        created: at(0),
        signed_in: None,
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

#[cfg(test)]
mod postgres {
    use rollcall_testkit::postgres::Database;

    use crate::{Location, Store};

    async fn fresh() -> (Store, Database<'static>) {
        let database = Database::fresh().unwrap();
        let location: Location = database.url().parse().unwrap();
        (Store::open(&location).await.unwrap(), database)
    }

    crate::conformance_suite!(fresh());
}
