//! The audit log as a chain, and what an erasure leaves of the logs.

use rollcall_model::chain::{Damage, Head, Verification};
use rollcall_model::{ActorKind, Kind, ResourceId, Summary};
use serde_json::{Value, json};

use super::{at, change, creation, organisation, origin, person};
use crate::{Error, NewAudit, Store, Tenant};

/// Makes an organisation whose audit log has so many entries.
pub async fn audited(store: &Store, slug: &str, count: i64) -> Tenant {
    let tenant = organisation(store, slug).await;
    for n in 1..count {
        let mut entry = deed();
        entry.detail = json!({"changes": [{"path": "title", "old": null, "new": n}]});
        change(&tenant, move |writer| writer.append_audit(at(n), &entry)).await;
    }
    tenant
}

/// Reads an audit log from its beginning, in parts, and returns what is wrong with it.
pub async fn verified(tenant: &Tenant, kept: Option<Head>) -> Vec<Damage> {
    let organisation = tenant.organisation();
    tenant
        .read::<_, Error, _>(move |reader| {
            let mut verification = Verification::new(organisation, kept);
            let mut after = None;
            loop {
                let entries = reader.chain(after, 7)?;
                if entries.is_empty() {
                    return Ok(verification.end(reader.audit_head()?).damages);
                }
                for entry in entries {
                    after = Some(entry.sequence);
                    verification.take(entry);
                }
            }
        })
        .await
        .unwrap()
}

fn deed() -> NewAudit {
    NewAudit {
        origin: origin(),
        action: "user.updated",
        object: "ann".to_owned(),
        detail: json!({"text": "Zoë \u{0} 😀"}),
    }
}

/// Each entry of the audit log rests on the one before, in whichever order units write, however many each writes, and whether they look at
/// the log meanwhile or take everything back.
pub async fn the_audit_log_is_a_chain_whoever_writes(store: Store) {
    let tenant = organisation(&store, "one").await;
    let other = organisation(&store, "other").await;
    let mut units = tokio::task::JoinSet::new();
    for n in 0..60_i64 {
        let tenant = if n % 4 == 3 {
            other.clone()
        } else {
            tenant.clone()
        };
        units.spawn(async move {
            tenant
                .write::<(), Error, _>(move |writer| {
                    for second in 0..=n % 3 {
                        let mut entry = deed();
                        entry.origin.address = (n % 2 == 0).then(|| "10.0.0.1".to_owned());
                        writer.append_audit(at(n - second), &entry)?;
                        if n % 5 == 0 {
                            let head = writer.audit_head()?;
                            let last = writer.audit(None, 1)?;
                            assert_eq!(head.sequence, last[0].sequence);
                            assert_eq!(writer.tallies(0, i64::MAX)?.len(), 1 + 1);
                        }
                    }
                    if n % 7 == 0 {
                        return Err(Error::Stale);
                    }
                    Ok(())
                })
                .await
                .is_ok()
        });
    }
    units.join_all().await;
    for tenant in [tenant, other] {
        assert_eq!(verified(&tenant, None).await, []);
        let head = tenant
            .read::<_, Error, _>(|reader| reader.audit_head())
            .await
            .unwrap();
        assert!(head.sequence > 10);
        assert_eq!(verified(&tenant, Some(head)).await, []);
        // and it goes on from there
        change(&tenant, |writer| writer.append_audit(at(99), &deed())).await;
        assert_eq!(verified(&tenant, Some(head)).await, []);
    }
}

/// An erasure takes away what lies under a person's id. Entries of feed and log stay at their places, and the log's chain holds.
pub async fn who_is_erased_is_nowhere_and_both_logs_go_on(store: Store) {
    let tenant = organisation(&store, "one").await;
    let ann = person("ann", json!({"emails": [{"value": "ann@example.com"}]}));
    let bob = person("bob", json!({}));
    let (id, other) = (ann.id, bob.id);
    change(&tenant, move |writer| {
        for entry in [&ann, &bob] {
            writer.insert(entry)?;
            writer.append_change(at(1), &creation(entry))?;
            let mut audit = deed();
            audit.object = entry.id.to_string();
            audit.origin.address = Some("10.0.0.1".to_owned());
            writer.append_audit(at(1), &audit)?;
        }
        writer.remove(Kind::User, id, at(2))
    })
    .await;
    let tombstone = tenant
        .read::<_, Error, _>(move |reader| reader.tombstone(Kind::User, id))
        .await;
    assert_eq!(tombstone.unwrap().unwrap().name_key, "ann");

    let erased = change(&tenant, move |writer| {
        let erased = writer.erase_person(id)?;
        // whoever writes goes on
        writer.append_audit(at(3), &deed())?;
        Ok(erased)
    })
    .await;

    assert_eq!((erased.changes, erased.entries), (1, 1));
    assert_eq!(verified(&tenant, None).await, []);
    tenant
        .read::<_, Error, _>(move |reader| {
            assert_eq!(reader.tombstone(Kind::User, id)?, None);
            let feed = reader.changes(0, 10)?;
            let documents: Vec<_> = feed.iter().map(|one| one.document.is_some()).collect();
            assert_eq!((documents, feed[0].id), (vec![false, true], id));
            let log = reader.audit(None, 10)?;
            let of = |id: ResourceId| log.iter().find(|one| one.object == id.to_string());
            let (hers, his) = (of(id).unwrap(), of(other).unwrap());
            assert_eq!((&hers.detail, &hers.origin.address), (&Value::Null, &None));
            assert!(!his.detail.is_null() && his.origin.address.is_some());
            Ok(())
        })
        .await
        .unwrap();
    let again = change(&tenant, move |writer| writer.erase_person(id)).await;
    assert_eq!((again.changes, again.entries), (0, 0));
}

/// An entry of the feed says what may be told of a change without values: version, kind of actor, names of attributes.
pub async fn an_entry_of_the_feed_says_what_may_be_told_without_values(store: Store) {
    let tenant = organisation(&store, "one").await;
    let (ann, bob) = (person("ann", json!({})), person("bob", json!({})));
    let told = Summary {
        version: Some(4),
        actor: Some(ActorKind::Administrator),
        attributes: vec!["title".to_owned(), "name.familyName".to_owned()],
    };
    let (id, summary) = (ann.id, told.clone());
    change(&tenant, move |writer| {
        let mut first = creation(&ann);
        first.summary = summary;
        writer.append_change(at(1), &first)?;
        writer.append_change(at(2), &creation(&bob))
    })
    .await;
    let (all, of_one) = tenant
        .read::<_, Error, _>(move |reader| {
            let of_one = reader.object_changes(Kind::User, id, None, 9)?;
            Ok((reader.changes(0, 9)?, of_one))
        })
        .await
        .unwrap();
    assert_eq!(all[0].summary, told);
    assert_eq!(all[1].summary, Summary::default());
    assert_eq!(of_one[0].summary, told);
}

/// A part of the feed ends where it holds much, and goes on after that; who is touched, and when, is told without what entries hold.
pub async fn the_feed_is_read_in_parts_of_bounded_size(store: Store) {
    let tenant = organisation(&store, "one").await;
    let (ann, bob) = (person("ann", json!({})), person("bob", json!({})));
    let (id, other) = (ann.id, bob.id);
    change(&tenant, move |writer| {
        let mut large = creation(&ann);
        large.document = Some(json!({"userName": "ann", "title": "x".repeat(3 << 20)}));
        for second in 1..=3 {
            writer.append_change(at(second), &large)?;
            writer.append_change(at(second), &creation(&bob))?;
        }
        let mut moved = creation(&bob);
        moved.document = None;
        moved.membership.added = vec![id; 120_000];
        writer.append_change(at(4), &moved)?;
        writer.append_change(at(4), &creation(&bob))
    })
    .await;
    let places = |changes: &[rollcall_model::Change]| {
        let places = changes.iter().map(|change| change.sequence);
        places.collect::<Vec<_>>()
    };
    tenant
        .read::<_, Error, _>(move |reader| {
            assert_eq!(places(&reader.changes(0, 100)?), [1, 2, 3]);
            assert_eq!(places(&reader.changes(3, 100)?), [4, 5, 6, 7]);
            assert_eq!(places(&reader.changes(7, 100)?), [8]);
            assert!(reader.changes(8, 100)?.is_empty());
            let of = |id, before| reader.object_changes(Kind::User, id, before, 100);
            assert_eq!(places(&of(id, None)?), [5, 3]);
            assert_eq!(places(&of(id, Some(3))?), [1]);
            assert_eq!(places(&of(other, None)?), [8, 7]);

            let touched = reader.touched(0, 100)?;
            let told = touched.iter().map(|one| (one.sequence, one.at, one.id));
            let told: Vec<_> = told.collect();
            assert_eq!(told.len(), 8);
            assert_eq!(told[4..6], [(5, at(3), id), (6, at(3), other)]);
            assert_eq!(reader.touched(4, 2)?, touched[4..6]);
            assert_eq!(reader.touched(8, 2)?, []);
            let of = |before, count| reader.object_touched(Kind::User, id, before, count);
            assert_eq!(of(None, 2)?, [touched[4], touched[2]]);
            assert_eq!(of(Some(3), 2)?, [touched[0]]);
            assert_eq!(reader.object_touched(Kind::Group, id, None, 2)?, []);
            Ok(())
        })
        .await
        .unwrap();
}
