//! Ways back that meet what happened meanwhile, and steps that meet each other.

use std::sync::atomic::AtomicU64;

use super::*;

impl Story {
    async fn plan(&self, span: &Span) -> Revert {
        let command = self.installation.command();
        let plan = self.app().plan_revert(&command, span.clone()).await;
        plan.unwrap()
    }

    /// Carries a plan out in one request, as the console and the command do.
    async fn take(&self, span: &Span, plan: &Revert) -> Outcome {
        self.installation
            .clock
            .advance(SignedDuration::from_secs(1));
        let (command, progress) = (self.installation.command(), AtomicU64::new(0));
        let outcome = self.app().take_back(&command, span, plan, &progress).await;
        outcome.unwrap()
    }

    async fn create(&self, context: &Context, kind: Kind, body: Value) -> ResourceId {
        let created = self.app().create(context, kind, body).await;
        created.unwrap().entry.id
    }

    async fn members(&self, group: ResourceId) -> BTreeSet<ResourceId> {
        let command = self.installation.command();
        let past = self.app().past(&command, (Kind::Group, group), NOW).await;
        past.unwrap().unwrap().members
    }

    /// Where the feed ends, as a moment.
    async fn end(&self) -> Moment {
        let command = self.installation.command();
        Moment::Place(self.app().place(&command, NOW).await.unwrap())
    }

    async fn named(&self, kind: Kind, name: &'static str) -> ResourceId {
        let command = self.installation.command();
        let read = command
            .tenant()
            .read::<_, Failure, _>(move |reader| Ok(reader.named(kind, name)?));
        read.await.unwrap().unwrap()
    }
}

#[tokio::test]
async fn a_member_who_cannot_come_back_is_missing_and_the_group_is_what_it_was_but_for_that() {
    let story = Story::new().await;
    story.delete(Kind::User, story.bob).await;
    let ann = json!([{"op": "remove", "path": "members"}, {"op": "replace", "path": "displayName", "value": "Nobody"}]);
    let body = json!({"schemas": [rollcall_scim::patch::PATCH_SCHEMA], "Operations": ann});
    let (app, directory) = (story.app(), &story.directory);
    let patch = rollcall_scim::patch::Patch::parse(
        &body,
        app.resource_type(Kind::Group),
        &app.settings().limits,
    );
    let (any, nothing) = (Expected::Any, Wanted::NOTHING);
    app.patch(
        directory,
        Kind::Group,
        story.team,
        patch.unwrap(),
        any,
        nothing,
    )
    .await
    .unwrap();
    let to = story.end().await;
    let command = story.installation.command();
    let other = story
        .create(
            &command,
            Kind::User,
            json!({"userName": "Bob", "title": "Other"}),
        )
        .await;
    let span = Span { to, ..story.span() };

    let plan = story.plan(&span).await;
    let outcome = story.take(&span, &plan).await;

    let refused = &outcome.refused[..];
    assert!(
        matches!(
            refused,
            [Refusal {
                why: Failure::Taken { .. },
                ..
            }]
        ),
        "{refused:?}"
    );
    assert_eq!((outcome.done, outcome.missing), (1, 1));
    let team = story.named(Kind::Group, "Team").await;
    assert_eq!(team, story.team);
    assert_eq!(story.members(team).await, BTreeSet::from([story.ann]));
    // nobody was adopted
    let other = app.get(&command, Kind::User, other, nothing).await.unwrap();
    assert_eq!((other.entry.version, other.entry.managed_by), (1, None));
}

#[tokio::test]
async fn groups_within_each_other_come_back_with_their_members_under_whatever_ids() {
    let story = Story::new().await;
    let (directory, group) = (&story.directory, Kind::Group);
    let inner =
        json!({"displayName": "Inner", "members": [{"value": story.team}, {"value": story.bob}]});
    let inner = story.create(directory, group, inner).await;
    let body = json!({"displayName": "Team", "members": [{"value": story.ann}, {"value": inner}]});
    let (any, nothing) = (Expected::Any, Wanted::NOTHING);
    story
        .app()
        .replace(directory, group, story.team, body, any, nothing)
        .await
        .unwrap();
    let span = Span {
        from: story.end().await,
        ..story.span()
    };
    for (kind, id) in [(group, inner), (group, story.team), (Kind::User, story.bob)] {
        story.delete(kind, id).await;
    }
    let command = story.installation.command();
    let forgotten = command
        .tenant()
        .write::<_, Failure, _>(|writer| Ok(writer.forget_tombstones(Timestamp::MAX, 10)?));
    assert_eq!(forgotten.await.unwrap(), 3);

    let plan = story.plan(&span).await;
    let outcome = story.take(&span, &plan).await;

    assert_eq!((outcome.done, outcome.missing), (3, 0), "{outcome:?}");
    let (team, inner) = (
        story.named(group, "team").await,
        story.named(group, "inner").await,
    );
    let bob = story.named(Kind::User, "bob").await;
    assert_ne!((team, bob), (story.team, story.bob));
    assert_eq!(
        story.members(team).await,
        BTreeSet::from([story.ann, inner])
    );
    assert_eq!(story.members(inner).await, BTreeSet::from([team, bob]));
}

#[tokio::test]
async fn who_has_come_back_or_been_erased_meanwhile_is_not_created_again() {
    let story = Story::new().await;
    story.delete(Kind::User, story.bob).await;
    story.delete(Kind::User, story.ann).await;
    let span = story.span();
    let plan = story.plan(&span).await;
    let back = json!({"userName": "bob", "externalId": "2"});
    assert_eq!(
        story.create(&story.directory, Kind::User, back).await,
        story.bob
    );
    story.delete(Kind::User, story.bob).await;
    let ann = story.ann;
    let command = story.installation.command();
    let erased = command
        .tenant()
        .write::<_, Failure, _>(move |writer| Ok(writer.erase_person(ann)?));
    erased.await.unwrap();

    let people = plan.steps.iter().filter(|step| step.kind == Kind::User);
    for step in people {
        let refused = story.app().carry_out(&command, step).await;
        assert!(matches!(refused, Err(Failure::Precondition)), "{refused:?}");
    }
}

#[tokio::test]
async fn steps_of_one_plan_do_not_get_in_each_others_way() {
    let story = Story::new().await;
    let (directory, user) = (&story.directory, Kind::User);
    let report = story
        .create(directory, user, json!({"userName": "report"}))
        .await;
    let boss = story
        .create(directory, user, json!({"userName": "boss"}))
        .await;
    let enterprise = rollcall_scim::schema::ENTERPRISE_USER;
    let body = json!({"userName": "report", enterprise: {"manager": {"value": boss}}});
    story.put(report, body).await;
    let everybody = json!([{"value": report}, {"value": boss}]);
    for name in ["One", "Two"] {
        let body = json!({"displayName": name, "members": everybody});
        story.create(directory, Kind::Group, body).await;
    }
    story.delete(user, story.bob).await;
    let span = Span {
        deletes: true,
        ..story.span()
    };

    let plan = story.plan(&span).await;
    let outcome = story.take(&span, &plan).await;

    let names = plan.steps.iter().map(|step| &*step.name);
    let names: Vec<_> = names.collect();
    assert_eq!(names, ["bob", "Team", "Two", "One", "boss", "report"]);
    assert!(outcome.refused.is_empty(), "{:?}", outcome.refused);
    assert_eq!(outcome.done, 6);
}

#[tokio::test]
async fn who_was_changed_by_others_while_a_plan_is_carried_out_is_not_deleted() {
    let story = Story::new().await;
    let (directory, user) = (&story.directory, Kind::User);
    let eve = story
        .create(directory, user, json!({"userName": "eve"}))
        .await;
    let span = Span {
        deletes: true,
        ..story.span()
    };
    let plan = story.plan(&span).await;
    story
        .put(eve, json!({"userName": "eve", "title": "Buyer"}))
        .await;

    let outcome = story.take(&span, &plan).await;

    let why = outcome.refused.first().map(|refusal| &refusal.why);
    assert!(matches!(why, Some(Failure::Precondition)), "{outcome:?}");
}

#[tokio::test]
async fn who_loses_access_makes_room_for_who_comes_back() {
    let story = Story::new().await;
    story.delete(Kind::User, story.bob).await;
    let eve = json!({"userName": "eve"});
    story.create(&story.directory, Kind::User, eve).await;
    let command = story.installation.command();
    let seats = command.tenant().write::<_, Failure, _>(|writer| {
        let mut organisation = writer.organisation()?;
        organisation.seats = Some(2);
        Ok(writer.save_organisation(&organisation)?)
    });
    seats.await.unwrap();

    let span = story.span();
    let plan = story.plan(&span).await;
    let outcome = story.take(&span, &plan).await;

    assert!(outcome.refused.is_empty(), "{:?}", outcome.refused);
    assert_eq!(plan.steps[0].name, "eve");
}

/// Appends an entry of somebody whom nobody knows to the feed, as of an instant.
async fn tell(story: &Story, at: Timestamp, id: ResourceId, title: &'static str) {
    let command = story.installation.command();
    let told = command.tenant().write::<_, Failure, _>(move |writer| {
        let entry = rollcall_store::NewChange {
            kind: Kind::User,
            id,
            action: rollcall_model::Action::Updated,
            document: Some(json!({"userName": "zoe", "title": title})),
            membership: rollcall_model::Membership::default(),
            summary: rollcall_model::Summary::default(),
        };
        Ok(writer.append_change(at, &entry)?)
    });
    told.await.unwrap();
}

#[tokio::test]
async fn an_instant_of_an_object_means_its_own_change_whatever_was_committed_before_it() {
    let story = Story::new().await;
    let (zoe, other) = (
        ResourceId::from_bytes([7; 16]),
        ResourceId::from_bytes([8; 16]),
    );
    let now = story.app().now();
    let later = |millis| now + SignedDuration::from_millis(millis);
    tell(&story, now, zoe, "first").await;
    // another node asked later and was faster, several times
    for millis in 10..40 {
        tell(&story, later(millis), other, "other").await;
    }
    tell(&story, later(5), zoe, "second").await;
    tell(&story, later(50), zoe, "third").await;
    let command = story.installation.command();
    let (app, object) = (story.app(), (Kind::User, zoe));

    for (millis, title) in [
        (0, "first"),
        (4, "first"),
        (5, "second"),
        (45, "second"),
        (50, "third"),
    ] {
        let at = Moment::At(later(millis));
        let past = app.past(&command, object, at).await.unwrap().unwrap();
        assert_eq!(past.document.unwrap()["title"], title, "{millis}");
        let compared = app.compared(&command, object, (at, NOW)).await.unwrap();
        assert_eq!(compared.is_another(), title != "third", "{millis}");
    }
    // a span has all that was asked for until its end
    let place = app.place(&command, Moment::At(later(5))).await.unwrap();
    let Moment::Place(end) = story.end().await else {
        panic!()
    };
    assert_eq!(place, end - 1);
}
