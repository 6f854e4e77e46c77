//! Promises about listings: filters, pages, orders.

use rollcall_model::{Kind, ResourceId};
use rollcall_scim::filter::{Filter, Related};
use rollcall_scim::limits::STANDARD;
use rollcall_scim::schema::Registry;
use rollcall_scim::sort::Sort;
use serde_json::{Value, json};

use super::{DICE, add, at, change, group, organisation, person};
use crate::{Error, Member, Paging, Selection, Store};

pub(super) fn all(filter: Option<&str>, paging: Paging) -> Selection {
    let registry = Registry::standard();
    Selection {
        filter: filter.map(|text| Filter::parse(text, registry.user(), &STANDARD).unwrap()),
        paging,
    }
}

pub(super) const EVERYTHING: Paging = Paging::Index {
    sort: None,
    skip: 0,
    count: 1_000,
};

/// Whatever narrowing a backend uses, the result is that of the evaluator over everything.
#[expect(clippy::too_many_lines, reason = "a table of filters")]
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
        "userName sw \"USER1\"".into(),
        "userName sw \" user1\"".into(),
        "displayName sw \"person 3\" and active eq true".into(),
        "displayName sw \"person \"".into(),
        "emails.value sw \"p1\"".into(),
        "emails[type eq \"work\" and value sw \"p1\"]".into(),
        "userName sw \"user3\" or emails.value sw \"P2\" or externalId eq \"x1\"".into(),
        "active eq true and (userName sw \"user3\" or title pr)".into(),
        "(userName sw \"user3\" or displayName sw \"person 2\") and (externalId eq \"x1\" or active eq false)".into(),
        "id eq \"nobody\" or userName sw \"user3\"".into(),
        "not (userName sw \"user3\")".into(),
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
        let selection = all(Some(&text), EVERYTHING);
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

/// A look ends soon, says where, and the next one goes on there; together they find what the evaluator finds.
pub async fn a_look_has_a_budget_and_goes_on_where_it_ended(store: Store) {
    let tenant = organisation(&store, "one").await;
    change(&tenant, |writer| {
        for n in 0..2_300 {
            let more = json!({"active": n != 2_200, "title": if n % 1_000 == 999 { "rare" } else { "common" }});
            writer.insert(&person(&format!("q{n}"), more))?;
        }
        Ok(())
    })
    .await;
    for (filter, looks, found) in [
        // so frequent that the first ones are met at once
        ("userName sw \"q\"", 1, 10),
        // an index has the only one
        ("userName sw \"q\" and active eq false", 1, 1),
        // nobody knows where they are
        ("userName sw \"q\" and title eq \"rare\"", 5, 2),
        ("title eq \"none\"", 5, 0),
    ] {
        let (mut id, mut names, mut count) = (None, Vec::new(), 0);
        loop {
            count += 1;
            let look = Paging::Look {
                id,
                count: 10,
                budget: 500,
            };
            let selection = all(Some(filter), look);
            let part = tenant
                .read::<_, Error, _>(move |reader| reader.list(Kind::User, &selection))
                .await
                .unwrap();
            names.extend(part.resources.iter().map(|raw| raw.id));
            id = part.looked_until;
            if id.is_none() {
                assert_eq!(part.more, found == 10, "{filter}");
                break;
            }
            assert!(!part.more, "{filter}");
        }
        assert_eq!((count, names.len()), (looks, found), "{filter}");
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
        let whole = all(filter, EVERYTHING);
        let whole = tenant
            .read::<_, Error, _>(move |reader| reader.list(Kind::User, &whole))
            .await
            .unwrap();
        let (mut by_index, mut by_cursor) = (Vec::new(), Vec::new());
        loop {
            let page = all(
                filter,
                Paging::Index {
                    sort: None,
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
            let page = all(filter, Paging::After { id: last, count: 4 });
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
        let registry = Registry::standard();
        let by_title = Paging::Index {
            sort: Some(Sort::parse("title", order, registry.user()).unwrap()),
            skip: 0,
            count: 10,
        };
        let selection = all(None, by_title);
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

struct OneGroup {
    group: String,
    member: String,
}

struct OneMember<'a>(&'a OneGroup, ResourceId);

impl Related for OneMember<'_> {
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
