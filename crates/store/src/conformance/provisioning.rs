//! The provisioning log, and who may provision.

use jiff::Timestamp;
use rollcall_model::application::Application;
use rollcall_model::provisioning::{
    CYCLES_KEPT, Counts, CycleKind, CycleOutcome, CycleReport, Identity, LogAction, LogEntry,
    LogStatus,
};
use rollcall_model::{ApplicationId, CycleId, Kind, ResourceId};

use super::{DICE, at, change, organisation};
use crate::{Error, Store};

/// Makes an entry of the provisioning log.
pub(super) fn log_entry(application: ApplicationId, object: ResourceId, second: i64) -> LogEntry {
    LogEntry {
        application,
        cycle: CycleId::new(at(0), &DICE),
        at: at(second),
        duration_in_milliseconds: 1,
        action: LogAction::Update,
        status: LogStatus::Success,
        error: None,
        source: Identity {
            id: object.to_string(),
            kind: Kind::User,
            display_name: None,
            sign_in_name: None,
        },
        target: None,
        steps: Vec::new(),
        modified_properties: Vec::new(),
    }
}

/// The log is read from its end, whole or of one object, and never of another application.
pub async fn the_log_is_read_from_its_end_whole_or_of_one_object(store: Store) {
    let tenant = organisation(&store, "one").await;
    let applications: Vec<Application> = ["a", "b"]
        .map(|name| Application::new(ApplicationId::new(at(0), &DICE), name.to_owned(), at(0)))
        .into();
    let (one, other) = (applications[0].id, applications[1].id);
    let (ann, bob) = (ResourceId::new(at(0), &DICE), ResourceId::new(at(0), &DICE));
    change(&tenant, move |writer| {
        for application in &applications {
            writer.save_application(application)?;
        }
        for (second, object) in [(1, ann), (2, bob), (3, ann)] {
            writer.append_log(&log_entry(one, object, second))?;
        }
        writer.append_log(&log_entry(other, ann, 4))
    })
    .await;
    tenant
        .read::<_, Error, _>(move |reader| {
            let whole = reader.provisioning_log(one, None, 10)?;
            let places: Vec<u64> = whole.iter().map(|(place, _)| *place).collect();
            assert_eq!(places, [3, 2, 1]);
            assert_eq!(reader.provisioning_log(one, Some(2), 10)?.len(), 1);
            let times = |application, object, count| -> Result<Vec<_>, Error> {
                let log = reader.object_log(application, Kind::User, object, count)?;
                Ok(log.into_iter().map(|entry| entry.at).collect())
            };
            assert_eq!(times(one, ann, 10)?, [at(3), at(1)]);
            assert_eq!(times(one, ann, 1)?, [at(3)]);
            assert_eq!(times(other, ann, 10)?, [at(4)]);
            assert!(times(other, bob, 10)?.is_empty());
            assert!(reader.object_log(one, Kind::Group, ann, 10)?.is_empty());
            Ok(())
        })
        .await
        .unwrap();
}

/// The latest cycles of an application are remembered, and go with it.
pub async fn cycles_are_remembered_up_to_a_number(store: Store) {
    let tenant = organisation(&store, "one").await;
    let made =
        |name: &str| Application::new(ApplicationId::new(at(0), &DICE), name.to_owned(), at(0));
    let (one, other) = (made("a"), made("b"));
    let (first, second) = (one.id, other.id);
    let report = |began| CycleReport {
        cycle: CycleId::new(at(0), &DICE),
        kind: CycleKind::Initial,
        began: at(began),
        ended: at(began),
        outcome: CycleOutcome::Succeeded,
        users: Counts::default(),
        groups: Counts::default(),
        references: 0,
        members_added: 0,
        members_removed: 0,
        requests: 0,
        target_milliseconds: 0,
        handling_milliseconds: 0,
    };
    let last = i64::try_from(CYCLES_KEPT).unwrap() + 2;
    change(&tenant, move |writer| {
        writer.save_application(&one)?;
        writer.save_application(&other)?;
        for began in 1..=last {
            writer.append_cycle(first, &report(began))?;
        }
        writer.append_cycle(second, &report(7))
    })
    .await;
    let began = async |application, count| -> Vec<Timestamp> {
        let cycles = tenant
            .read::<_, Error, _>(move |reader| reader.cycles(application, count))
            .await;
        cycles.unwrap().iter().map(|cycle| cycle.began).collect()
    };
    assert_eq!(began(first, 2).await, [at(last), at(last - 1)]);
    assert_eq!(began(first, 1_000).await.len() as u64, CYCLES_KEPT);
    assert_eq!(began(second, 10).await, [at(7)]);
    change(&tenant, move |writer| writer.remove_application(first)).await;
    assert!(began(first, 10).await.is_empty());
    assert_eq!(began(second, 10).await.len(), 1);
}

/// An application is provisioned by one at a time, others meanwhile by others. Each claim has a greater number than the one before, by
/// which one that ended can be told.
pub async fn a_job_is_claimed_by_one_at_a_time(store: Store) {
    let tenant = organisation(&store, "one").await;
    let applications = ["first", "second"]
        .map(|name| Application::new(ApplicationId::new(at(0), &DICE), name.into(), at(0)));
    let [one, other] = [applications[0].id, applications[1].id];
    change(&tenant, move |writer| {
        applications
            .iter()
            .try_for_each(|new| writer.save_application(new))
    })
    .await;
    let standing = async || {
        let standing = tenant.read::<_, Error, _>(move |reader| reader.standing(one));
        standing.await.unwrap().runner
    };
    assert_eq!(standing().await, 0);

    store.ping().await.unwrap();
    let claim = tenant.claim_job(one).await.unwrap();

    assert!(claim.is_held());
    assert_eq!(standing().await, claim.number());
    assert!(matches!(
        tenant.claim_job(one).await,
        Err(Error::Occupied(_))
    ));
    assert_eq!(standing().await, claim.number());
    drop(tenant.claim_job(other).await.unwrap());
    let first = claim.number();
    claim.release().await;
    drop(claim);
    let second = tenant.claim_job(one).await.unwrap();
    assert!(second.number() > first);
    assert_eq!(standing().await, second.number());
    drop(second);
    // the end of a claim that was only dropped is a matter of moments
    assert!(tenant.claim_job(one).await.unwrap().number() > first + 1);
    change(&tenant, move |writer| writer.remove_application(one)).await;
    assert!(matches!(tenant.claim_job(one).await, Err(Error::Missing)));
}

/// Who waits for writes is told of each organisation, but not of what provisioning writes for itself.
pub async fn writes_are_news_unless_they_are_quiet(store: Store) {
    let tenant = organisation(&store, "one").await;

    change(&tenant.quiet(), |_| Ok(())).await;
    change(&tenant, |_| Ok(())).await;

    let written = store.written().await;
    assert!(written.contains(&tenant.organisation()));
    let again = tokio::time::timeout(std::time::Duration::from_millis(20), store.written());
    assert!(again.await.is_err(), "nothing else was written");
}
