//! What becomes of a mirror when its source is read.

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
