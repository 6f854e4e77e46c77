//! Promises about people, groups and members.

use rollcall_model::Kind;
use serde_json::json;

use super::listing::{EVERYTHING, all};
use super::{add, at, change, group, organisation, person};
use crate::{Counts, Entry, Error, Member, Store, Tenant};

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

/// A name that a unit found free is free until the unit itself gives it to somebody: by a creation, or by a new name.
pub async fn a_name_that_was_found_free_is_given_once(store: Store) {
    let tenant = organisation(&store, "one").await;
    let bob = person("bob", json!({}));
    add(&tenant, &bob).await.unwrap();
    let renamed = |to: &str| Entry {
        id: bob.id,
        version: 2,
        modified: at(2),
        ..person(to, json!({}))
    };
    for (given, taken) in [
        (person("ann", json!({})), person("ANN", json!({}))),
        (renamed("cid").stamped(), person("Cid", json!({}))),
    ] {
        let (was_there, name) = (given.version > 1, taken.resource.clone());
        let refused = change(&tenant, move |writer| {
            let name = name.user_name().unwrap_or_default();
            assert_eq!(writer.named(Kind::User, name)?, None);
            if was_there {
                writer.update(&given)?;
            } else {
                writer.insert(&given)?;
            }
            Ok(writer.insert(&taken))
        })
        .await;
        assert!(
            matches!(
                refused,
                Err(Error::Taken {
                    attribute: "userName"
                })
            ),
            "{refused:?}"
        );
    }
    let counts = tenant.read::<_, Error, _>(|reader| reader.counts()).await;
    assert_eq!(counts.unwrap().users, 2);
    assert_eq!(store.examine().await.unwrap(), []);
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
                &all(Some("emails eq \"a@x.example\""), EVERYTHING),
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
