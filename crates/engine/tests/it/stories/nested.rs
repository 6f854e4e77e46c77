//! Groups within groups.

use rollcall_model::application::{NestedGroups, Scope};
use rollcall_model::{Kind, ResourceId};
use rollcall_testkit::Behaviour;

use crate::ends::Ends;

/// A group `All` with `Crew`, which holds bob and `Team`, which holds ann; `All` has ann as well, and `Team` has `All`. `All` is assigned.
async fn nested(nested: NestedGroups) -> (Ends, [ResourceId; 3], [ResourceId; 2]) {
    let ends = Ends::new(Behaviour::default()).await;
    ends.configure(move |application| {
        application.scope = Scope::AssignedOnly;
        application.settings.nested_groups = nested;
    })
    .await;
    let (ann, bob) = (ends.person("ann").await, ends.person("bob").await);
    let team = ends.group("Team", &[ann]).await;
    let crew = ends.group("Crew", &[bob, team]).await;
    let all = ends.group("All", &[crew, ann]).await;
    ends.join(team, all).await;
    ends.assign(Kind::Group, all).await;
    ends.settle().await;
    (ends, [all, crew, team], [ann, bob])
}

fn members(ends: &Ends, group: &str) -> String {
    let members = ends.members(group);
    members.map_or("-".to_owned(), |members| members.join(" "))
}

#[tokio::test]
async fn direct_brings_the_members_of_the_assigned_group_alone() {
    let (ends, [_, crew, _], _) = nested(NestedGroups::Direct).await;

    assert_eq!(members(&ends, "All"), "ann");
    assert_eq!((&*members(&ends, "Crew"), ends.active("bob")), ("-", None));

    // a group that is in scope itself is a member
    ends.assign(Kind::Group, crew).await;
    ends.settle().await;
    assert_eq!(members(&ends, "All"), "Crew ann");
    assert_eq!(members(&ends, "Crew"), "bob");
}

#[tokio::test]
async fn keep_brings_the_groups_as_they_are_though_they_contain_each_other() {
    let (ends, [all, crew, team], [ann, _]) = nested(NestedGroups::Keep).await;

    assert_eq!(members(&ends, "All"), "Crew ann");
    assert_eq!(members(&ends, "Crew"), "Team bob");
    assert_eq!(members(&ends, "Team"), "All ann");

    // by one of two ways: she stays; by both: she goes
    ends.leave(all, ann).await;
    ends.settle().await;
    assert_eq!(ends.active("ann"), Some(true));
    ends.leave(team, ann).await;
    ends.settle().await;
    assert_eq!(ends.active("ann"), Some(false));
    assert_eq!(members(&ends, "Team"), "All");

    // and what hangs on a group that is taken out goes with it
    ends.leave(all, crew).await;
    ends.settle().await;
    assert_eq!(
        (&*members(&ends, "Crew"), &*members(&ends, "Team")),
        ("-", "-")
    );
    assert_eq!(ends.active("bob"), Some(false));
    assert_eq!(members(&ends, "All"), "");
}

#[tokio::test]
async fn flatten_makes_everybody_within_a_direct_member_once() {
    let (ends, [all, crew, team], [ann, _]) = nested(NestedGroups::Flatten).await;

    assert_eq!(members(&ends, "All"), "ann bob");
    assert_eq!(
        (&*members(&ends, "Crew"), &*members(&ends, "Team")),
        ("-", "-")
    );

    ends.leave(all, ann).await;
    ends.settle().await;
    assert_eq!(members(&ends, "All"), "ann bob", "by the other way");
    ends.leave(team, ann).await;
    ends.settle().await;
    assert_eq!(members(&ends, "All"), "bob");
    assert_eq!(ends.active("ann"), Some(false));

    ends.join(crew, ann).await;
    ends.settle().await;
    assert_eq!(members(&ends, "All"), "ann bob");
    // nobody can tell from the feed who was in a group that is gone
    ends.delete(Kind::Group, crew).await;
    ends.settle().await;
    assert_eq!(members(&ends, "All"), "");
    assert_eq!(
        (ends.active("ann"), ends.active("bob")),
        (Some(false), Some(false))
    );
}

#[tokio::test]
async fn another_meaning_of_nested_groups_is_carried_over_by_the_next_cycle() {
    let (ends, ..) = nested(NestedGroups::Keep).await;

    for (nested, expected) in [
        (NestedGroups::Flatten, "ann bob"),
        (NestedGroups::Direct, "ann"),
        (NestedGroups::Keep, "Crew ann"),
    ] {
        ends.configure(move |application| application.settings.nested_groups = nested)
            .await;
        ends.settle().await;
        assert_eq!(members(&ends, "All"), expected, "{nested:?}");
    }
}
