//! What becomes of a mirror when its source is read.

use rollcall_scim::schema::ENTERPRISE_USER;
use serde_json::json;

use super::*;
use crate::testing::Installation;

fn person(key: &str, name: &str, manager: Option<Pointer>) -> SourceRecord {
    SourceRecord {
        kind: Kind::User,
        key: key.to_owned(),
        place: format!("people.csv, {key}"),
        body: json!({"userName": name}),
        attributes: json!({"badge": "7"})
            .as_object()
            .cloned()
            .unwrap_or_default(),
        members: Vec::new(),
        manager,
    }
}

fn group(key: &str, members: &[&str]) -> SourceRecord {
    SourceRecord {
        kind: Kind::Group,
        key: key.to_owned(),
        place: format!("groups.csv, {key}"),
        body: json!({"displayName": key}),
        attributes: Map::new(),
        members: members
            .iter()
            .map(|name| Pointer::Name((*name).to_owned()))
            .collect(),
        manager: None,
    }
}

async fn last_change(installation: &Installation) -> u64 {
    let context = installation.command();
    let tenant = context.tenant();
    tenant
        .read::<_, Failure, _>(|reader| Ok(reader.last_change()?))
        .await
        .unwrap()
}

async fn read(
    installation: &Installation,
    records: Vec<SourceRecord>,
    incomplete: Option<&str>,
) -> Mirroring {
    let context = installation.command();
    let mut mirror = installation.app.mirror(&context);
    mirror.take(records).await.unwrap();
    mirror
        .finish(incomplete.map(str::to_owned), false)
        .await
        .unwrap()
}

#[tokio::test]
async fn a_source_is_taken_over_once_and_only_what_changed_after_that() {
    let installation = Installation::new().await;
    let records = || {
        let boss = Some(Pointer::Name("boss".into()));
        vec![
            person("1", "ann", boss),
            person("2", "boss", None),
            group("Inner", &["ann"]),
            group("Outer", &["Inner", "boss"]),
        ]
    };

    let first = read(&installation, records(), None).await;
    assert_eq!(
        (first.created, first.memberships, first.refused.len()),
        (4, 3, 0),
        "{first:?}"
    );
    let place = last_change(&installation).await;
    let second = read(&installation, records(), None).await;
    assert_eq!(
        (second.unchanged, second.created, second.updated),
        (4, 0, 0),
        "{second:?}"
    );
    assert_eq!(
        last_change(&installation).await,
        place,
        "nothing was written"
    );

    // a new name under the same identity is the same person
    let mut renamed = records();
    renamed[0].body = json!({"userName": "ann.lee"});
    renamed[2].members = vec![Pointer::Key("1".into())];
    let third = read(&installation, renamed, None).await;
    assert_eq!(
        (third.updated, third.removed, third.memberships),
        (1, 0, 0),
        "{third:?}"
    );
}

/// A table points to people by identity or by name; who has a name that is another's identity is not that other.
#[tokio::test]
async fn whoever_is_pointed_to_is_known_by_identity_before_name() {
    let installation = Installation::new().await;
    let boss = Some(Pointer::Name("ann".into()));
    let records = vec![
        person("1", "ann", None),
        person("ann", "bob", None),
        person("3", "carl", boss),
        group("G", &["ann"]),
    ];

    let result = read(&installation, records, None).await;

    assert!(result.refused.is_empty(), "{result:?}");
    let context = installation.command();
    let id = |kind, key: &str| mirrored_id(context.tenant().organisation(), kind, key);
    let (bob, carl, group) = (
        id(Kind::User, "ann"),
        id(Kind::User, "3"),
        id(Kind::Group, "G"),
    );
    let (carl, members) = context
        .tenant()
        .read::<_, Failure, _>(move |reader| {
            let carl = reader.entry(Kind::User, carl)?;
            Ok((carl.unwrap(), reader.members(group, None, PAGE)?))
        })
        .await
        .unwrap();
    let manager = &carl.resource.as_map()[ENTERPRISE_USER]["manager"]["value"];
    assert_eq!(manager, &json!(bob));
    let members: Vec<_> = members.into_iter().map(|member| member.id).collect();
    assert_eq!(members, [bob]);
}

#[tokio::test]
async fn only_a_complete_read_removes_anybody() {
    let installation = Installation::new().await;
    let all = vec![
        person("1", "ann", None),
        person("2", "bob", None),
        group("G", &["ann", "bob"]),
    ];
    read(&installation, all, None).await;

    let part = || vec![person("1", "ann", None), group("G", &["ann"])];
    let cut = read(&installation, part(), Some("the file ends too early")).await;
    assert_eq!((cut.removed, cut.memberships), (0, 0), "{cut:?}");

    let whole = read(&installation, part(), None).await;
    assert_eq!((whole.removed, whole.memberships), (1, 1), "{whole:?}");
}

#[tokio::test]
async fn a_record_that_cannot_be_taken_is_named_and_its_object_stays() {
    let installation = Installation::new().await;
    read(
        &installation,
        vec![person("1", "ann", None), person("2", "bob", None)],
        None,
    )
    .await;

    let mut wrong = person("1", "ann", None);
    wrong.body = json!({"userName": "ann", "active": "perhaps"});
    let twin = person("3", "BOB", None);
    let result = read(
        &installation,
        vec![wrong, person("2", "bob", None), twin],
        None,
    )
    .await;

    let places: Vec<&str> = result
        .refused
        .iter()
        .map(|one| one.place.as_str())
        .collect();
    assert_eq!(places, ["people.csv, 1", "people.csv, 3"], "{result:?}");
    assert_eq!(result.removed, 0);
}

/// Returns the ids of the mirror's people by userName.
async fn ids(installation: &Installation) -> Vec<(String, ResourceId)> {
    let context = installation.command();
    let tenant = context.tenant();
    tenant
        .read::<_, Failure, _>(|reader| {
            let page = reader.list(Kind::User, &Selection::after(None, PAGE))?;
            let mut ids = Vec::new();
            for raw in page.resources {
                let entry = reader.entry(Kind::User, raw.id)?.unwrap();
                let name = entry.resource.user_name().unwrap_or_default();
                ids.push((name.to_owned(), raw.id));
            }
            ids.sort();
            Ok(ids)
        })
        .await
        .unwrap()
}

fn keyed(key: &str, name: &str, boss: &str) -> SourceRecord {
    let boss = (!boss.is_empty()).then(|| Pointer::Key(boss.into()));
    person(key, name, boss)
}

#[tokio::test]
async fn other_keys_for_the_same_names_are_the_same_people_with_their_groups_and_managers() {
    let installation = Installation::new().await;
    let before = vec![
        keyed("ann", "ann", "boss"),
        keyed("bob", "bob", ""),
        keyed("boss", "boss", ""),
        group("G", &["ann", "bob"]),
    ];
    read(&installation, before.clone(), None).await;
    let known = ids(&installation).await;

    let mut crew = group("g1", &["ann", "bob"]);
    crew.body = json!({"displayName": "G"});
    let after = vec![
        keyed("1", "ann", "3"),
        keyed("2", "bob", ""),
        keyed("3", "BOSS", ""),
        crew,
    ];
    let first = read(&installation, after.clone(), None).await;
    assert_eq!(
        (first.created, first.removed, first.memberships),
        (0, 0, 0),
        "{first:?}"
    );
    assert!(first.refused.is_empty(), "{first:?}");
    let ann = known[0].1;
    let manager = installation.command();
    let manager = manager
        .tenant()
        .read::<_, Failure, _>(move |reader| {
            let ann = reader.entry(Kind::User, ann)?.unwrap();
            Ok(ann.resource.manager().map(str::to_owned))
        })
        .await
        .unwrap();
    assert_eq!(manager, Some(known[2].1.to_string()));
    let place = last_change(&installation).await;
    let second = read(&installation, after.clone(), None).await;
    assert_eq!((second.unchanged, second.updated), (4, 0), "{second:?}");
    assert_eq!(last_change(&installation).await, place);

    // the new keys count from now on: who comes under an old one is somebody else
    let mut renamed = after;
    renamed[0] = keyed("1", "ann.lee", "3");
    renamed.push(keyed("ann", "ann", ""));
    renamed.rotate_right(1);
    let third = read(&installation, renamed.clone(), None).await;
    assert_eq!((third.created, third.removed), (1, 0), "{third:?}");
    assert!(third.refused.is_empty(), "{third:?}");
    let now = ids(&installation).await;
    assert_eq!(now[2], ("ann.lee".to_owned(), ann), "{now:?}");
    let fourth = read(&installation, renamed, None).await;
    assert_eq!((fourth.unchanged, fourth.created), (5, 0), "{fourth:?}");

    // and back
    let fifth = read(&installation, before, None).await;
    assert_eq!(fifth.created, 0, "{fifth:?}");
}

#[tokio::test]
async fn who_may_still_come_in_a_read_that_was_cut_off_is_not_taken_for_another() {
    let installation = Installation::new().await;
    let all = vec![keyed("ann", "ann", ""), keyed("bob", "bob", "")];
    read(&installation, all, None).await;
    let known = ids(&installation).await;

    let cut = read(&installation, vec![keyed("1", "ann", "")], Some("cut")).await;

    assert_eq!(cut.refused.len(), 1, "{cut:?}");
    assert_eq!(ids(&installation).await, known);
}

#[tokio::test]
async fn who_cannot_be_understood_under_another_key_stays() {
    let installation = Installation::new().await;
    let all = vec![keyed("ann", "ann", ""), keyed("bob", "bob", "")];
    read(&installation, all, None).await;
    let known = ids(&installation).await;

    let context = installation.command();
    let mut mirror = installation.app.mirror(&context);
    mirror.refuse(vec![Refusal {
        kind: Kind::User,
        place: "people.csv, line 3".into(),
        reason: "`active` is not true or false".into(),
        key: Some("2".into()),
        name: Some("Bob".into()),
    }]);
    mirror.take(vec![keyed("1", "ann", "")]).await.unwrap();
    let result = mirror.finish(None, false).await.unwrap();

    assert_eq!((result.created, result.removed), (0, 0), "{result:?}");
    assert_eq!(ids(&installation).await, known);
}

#[tokio::test]
async fn names_that_go_round_between_known_keys_are_renames() {
    let installation = Installation::new().await;
    let people = |names: [&str; 3]| {
        let [ann, bob, cleo] = names;
        vec![
            keyed("1", ann, ""),
            keyed("2", bob, ""),
            keyed("3", cleo, ""),
        ]
    };
    read(&installation, people(["ann", "bob", "cleo"]), None).await;
    let known = ids(&installation).await;

    for names in [["bob", "ann", "cleo"], ["ann", "cleo", "bob"]] {
        let result = read(&installation, people(names), None).await;

        assert_eq!((result.created, result.removed), (0, 0), "{result:?}");
        assert!(result.refused.is_empty(), "{result:?}");
        let now = ids(&installation).await;
        for (number, name) in names.into_iter().enumerate() {
            assert!(now.contains(&(name.to_owned(), known[number].1)), "{now:?}");
        }
    }

    // a name that somebody leaves behind goes to who takes it over; one that its owner keeps does not
    let result = read(
        &installation,
        vec![keyed("1", "bob", ""), keyed("2", "cleo", "")],
        None,
    )
    .await;
    assert_eq!((result.updated, result.removed), (1, 1), "{result:?}");
    let result = read(
        &installation,
        vec![keyed("1", "cleo", ""), keyed("2", "cleo", "")],
        None,
    )
    .await;
    assert_eq!(result.refused.len(), 1, "{result:?}");
}
