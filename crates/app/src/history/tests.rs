//! What was, what differs, and the way back, on a directory that goes wrong.

use jiff::SignedDuration;
use rollcall_model::IntegrationKind;
use serde_json::json;

mod back;

use super::*;
use crate::directory::{Expected, Wanted};
use crate::testing::Installation;

const NOW: Moment = Moment::Place(u64::MAX);

/// A directory with ann and bob, who are the team, an hour ago; and a moment between then and now.
struct Story {
    installation: Installation,
    directory: Context,
    ann: ResourceId,
    bob: ResourceId,
    team: ResourceId,
    then: Moment,
}

impl Story {
    async fn new() -> Self {
        let installation = Installation::new().await;
        let (_, _, directory) = installation.directory(IntegrationKind::Entra).await;
        let app = &installation.app;
        let create = async |kind, body| app.create(&directory, kind, body).await.unwrap().entry.id;
        let ann = create(
            Kind::User,
            json!({"userName": "ann", "title": "Buyer", "externalId": "1"}),
        )
        .await;
        let bob = create(Kind::User, json!({"userName": "bob", "externalId": "2"})).await;
        let members = json!([{"value": ann}, {"value": bob}]);
        let team = create(
            Kind::Group,
            json!({"displayName": "Team", "members": members}),
        )
        .await;
        let then = Moment::At(app.now());
        installation.clock.advance(SignedDuration::from_hours(1));
        Self {
            installation,
            directory,
            ann,
            bob,
            team,
            then,
        }
    }

    fn app(&self) -> &App {
        &self.installation.app
    }

    async fn put(&self, id: ResourceId, body: Value) {
        let (app, any) = (self.app(), Expected::Any);
        app.replace(&self.directory, Kind::User, id, body, any, Wanted::NOTHING)
            .await
            .unwrap();
    }

    async fn delete(&self, kind: Kind, id: ResourceId) {
        let deleted = self.app().delete(&self.directory, kind, id, Expected::Any);
        deleted.await.unwrap();
    }

    fn span(&self) -> Span {
        Span {
            from: self.then,
            to: NOW,
            object: None,
            by: None,
            deletes: false,
            most: None,
        }
    }

    /// Plans and carries everything out; returns the deeds.
    async fn revert(&self, span: Span) -> Vec<(String, Deed)> {
        let command = self.installation.command();
        let plan = self.app().plan_revert(&command, span).await.unwrap();
        for step in &plan.steps {
            self.app().carry_out(&command, step).await.unwrap();
        }
        let steps = plan.steps.into_iter();
        steps.map(|step| (step.name, step.deed)).collect()
    }

    /// What the directory is, but for versions and times.
    async fn state(&self, moment: Moment) -> Vec<(Value, BTreeSet<ResourceId>)> {
        let command = self.installation.command();
        let mut state = Vec::new();
        for object in [
            (Kind::User, self.ann),
            (Kind::User, self.bob),
            (Kind::Group, self.team),
        ] {
            let past = self.app().past(&command, object, moment).await.unwrap();
            if let Some(past) = past {
                let mut document = past.document.unwrap();
                document.as_object_mut().unwrap().remove("meta");
                state.push((document, past.members));
            }
        }
        state
    }
}

#[tokio::test]
async fn what_was_is_told_from_the_feed_and_what_differs() {
    let story = Story::new().await;
    story
        .put(
            story.ann,
            json!({"userName": "ann", "title": "Head", "externalId": "1"}),
        )
        .await;
    story.delete(Kind::User, story.bob).await;
    let command = story.installation.command();

    let then = story.state(story.then).await;
    let now = story.state(NOW).await;
    let changed = story
        .app()
        .changed(&command, (story.then, NOW), None, None)
        .await
        .unwrap();

    assert_eq!((then.len(), now.len()), (3, 2));
    assert_eq!(
        (&then[0].0["title"], &now[0].0["title"]),
        (&json!("Buyer"), &json!("Head"))
    );
    assert_eq!(then[2].1, BTreeSet::from([story.ann, story.bob]));
    assert_eq!(now[1].1, BTreeSet::from([story.ann]));
    assert_eq!(story.state(Moment::Place(0)).await, []);
    let told = changed.objects.iter().map(|one| (&*one.name, one.became));
    let told: Vec<_> = told.collect();
    let (different, gone) = (Became::Different, Became::Gone);
    let expected = [("ann", different), ("Team", different), ("bob", gone)];
    assert_eq!(told, expected);
    let places = (Moment::Place(changed.from), Moment::Place(changed.to));
    let compared = async |object| {
        story
            .app()
            .compared(&command, object, places)
            .await
            .unwrap()
    };
    let ann = compared((Kind::User, story.ann)).await;
    assert_eq!(ann.attributes()[0].path, "title");
    let team = compared((Kind::Group, story.team)).await;
    assert_eq!(team.members(), (vec![], vec![story.bob]));
    let bob = Principal {
        kind: Kind::User,
        name: "Bob".into(),
    };
    assert_eq!(
        story.app().anybody(&command, &bob).await.unwrap(),
        story.bob
    );
}

#[tokio::test]
async fn everything_becomes_what_it_was_with_the_same_ids() {
    let story = Story::new().await;
    let before = story.state(story.then).await;
    story
        .put(
            story.ann,
            json!({"userName": "anna", "active": false, "externalId": "1"}),
        )
        .await;
    story.delete(Kind::User, story.bob).await;
    story.delete(Kind::Group, story.team).await;
    let (app, directory) = (story.app(), &story.directory);
    let eve = app
        .create(directory, Kind::User, json!({"userName": "eve"}))
        .await
        .unwrap();

    let deeds = story.revert(story.span()).await;

    assert_eq!(story.state(NOW).await, before);
    let eve = story
        .app()
        .past(directory, (Kind::User, eve.entry.id), NOW)
        .await
        .unwrap();
    assert_eq!(eve.unwrap().document.unwrap()["active"], false);
    assert_eq!(deeds.len(), 4, "{deeds:?}");
    // who came back belongs to the directory that managed them
    story
        .put(
            story.bob,
            json!({"userName": "bob", "title": "Again", "externalId": "2"}),
        )
        .await;
    assert_eq!(story.revert(story.span()).await.len(), 1);
}

#[tokio::test]
async fn what_changed_since_or_by_others_is_left_alone() {
    let story = Story::new().await;
    let by = rollcall_store::actor_key(&story.directory.origin().actor);
    story
        .put(
            story.ann,
            json!({"userName": "ann", "title": "Wrong", "externalId": "1"}),
        )
        .await;
    let command = story.installation.command();
    let last = command
        .tenant()
        .read::<_, Failure, _>(|reader| Ok(reader.last_change()?));
    let until = Moment::Place(last.await.unwrap());
    story
        .put(
            story.bob,
            json!({"userName": "bob", "title": "Right", "externalId": "2"}),
        )
        .await;
    let patch = json!({"userName": "ann", "title": "Right", "externalId": "1"});
    let (app, any) = (story.app(), Expected::Any);

    let only_ann = Span {
        to: until,
        ..story.span()
    };
    let plan = app.plan_revert(&command, only_ann.clone()).await.unwrap();
    assert_eq!(plan.steps.len(), 1);
    app.replace(&command, Kind::User, story.ann, patch, any, Wanted::NOTHING)
        .await
        .unwrap();

    let stale = app.carry_out(&command, &plan.steps[0]).await;
    assert!(matches!(stale, Err(Failure::Precondition)), "{stale:?}");
    let again = app.plan_revert(&command, only_ann).await.unwrap();
    assert_eq!(again.steps[0].deed, Deed::Leave(Reason::ChangedSince));
    assert!(!again.does_anything());
    let by = Span {
        by: Some(by),
        ..story.span()
    };
    let both = app.plan_revert(&command, by).await.unwrap();
    let deeds: Vec<_> = both
        .steps
        .iter()
        .map(|step| (&*step.name, &step.deed))
        .collect();
    assert!(
        matches!(deeds[0], ("bob", Deed::Restore { .. })),
        "{deeds:?}"
    );
    assert_eq!(deeds[1], ("ann", &Deed::Leave(Reason::SomebodyElse)));
}

#[tokio::test]
async fn a_plan_has_a_code_that_changes_with_what_it_does_and_may_be_bounded() {
    let story = Story::new().await;
    let (app, command) = (story.app(), story.installation.command());
    let plan = async |span| app.plan_revert(&command, span).await;
    story
        .put(story.ann, json!({"userName": "ann", "externalId": "1"}))
        .await;
    let first = plan(story.span()).await.unwrap();
    assert_eq!(first.code(), plan(story.span()).await.unwrap().code());
    assert_eq!(first.losing_access(), 0);

    story.delete(Kind::User, story.bob).await;
    let second = plan(story.span()).await.unwrap();
    assert_ne!(first.code(), second.code());
    for (most, is_too_much) in [(3, false), (2, true)] {
        let bounded = Span {
            most: Some(most),
            ..story.span()
        };
        let refused = matches!(plan(bounded).await, Err(Failure::Forbidden { .. }));
        assert_eq!(refused, is_too_much, "{most}");
    }
    let progress = std::sync::atomic::AtomicU64::new(0);
    let span = story.span();
    let outcome = app.take_back(&command, &span, &second, &progress).await;
    let outcome = outcome.unwrap();
    assert_eq!((outcome.done, outcome.refused.len()), (3, 0));
    assert_eq!(progress.into_inner(), 3);
    let noted = command.tenant().read::<_, Failure, _>(|reader| {
        let query = rollcall_store::AuditQuery {
            action: Some("history.".to_owned()),
            ..rollcall_store::AuditQuery::default()
        };
        Ok(reader.audit_where(&query, 10)?)
    });
    let noted = noted.await.unwrap();
    assert_eq!(noted.len(), 2);
    assert_eq!(
        (&noted[0].detail["done"], &noted[1].detail["steps"]),
        (&json!(3), &json!(3))
    );
    // a plan of what is left is about the same span
    let changed = command
        .tenant()
        .read::<_, Failure, _>(|reader| Ok(reader.touched(3, 10)?));
    let until = changed.await.unwrap().iter().map(|change| change.at).min();
    let begun = &noted[1].detail;
    assert_eq!(
        (&begun["until"], &begun["deletes"]),
        (&json!(until), &json!(false))
    );
}

#[tokio::test]
async fn an_instant_means_the_last_entry_until_then() {
    let story = Story::new().await;
    let command = story.installation.command();
    let at = |moment| {
        command
            .tenant()
            .read::<_, Failure, _>(move |reader| place_of(reader, moment))
    };
    let Moment::At(then) = story.then else {
        panic!()
    };
    assert_eq!(at(story.then).await.unwrap(), 3);
    let before = then - SignedDuration::from_secs(1);
    assert_eq!(at(Moment::At(before)).await.unwrap(), 0);
    assert_eq!(at(Moment::At(Timestamp::MAX)).await.unwrap(), 3);
    assert_eq!(at(NOW).await.unwrap(), 3);
    story
        .put(story.ann, json!({"userName": "ann", "externalId": "1"}))
        .await;
    assert_eq!(at(story.then).await.unwrap(), 3);
    assert_eq!(at(Moment::At(Timestamp::MAX)).await.unwrap(), 4);
}

#[test]
fn people_are_read_a_few_at_a_time_and_each_group_alone() {
    let object = |kind| (kind, ResourceId::from_bytes([1; 16]));
    let (user, group) = (object(Kind::User), object(Kind::Group));
    let objects = [[user; 12].as_slice(), &[group; 2], &[user; 3]].concat();

    let lengths: Vec<_> = parts(&objects).map(<[_]>::len).collect();

    assert_eq!(lengths, [10, 2, 1, 1, 3]);
}
