//! Plans that wait for somebody to approve them: kept with a number, looked at in pieces, carried out once.
//!
//! **Is:** what becomes of a kept plan, and who said so. **Is not:** making a plan or carrying it out; `rollcall-engine` does both.
//! **Start at** [`App::begin_plan`]; a plan goes from *making* to *ready*, and from there to *running* and *done*, or to *discarded*.

use jiff::Timestamp;
use rollcall_model::plan::{PlanRecord, PlanState};
use rollcall_model::provisioning::CycleKind;
use rollcall_model::{Actor, ApplicationId, Kind};
use rollcall_store::{ReadJobs, Reader, Writer};
use rollcall_sync::plan::document::{self, NotAPlan};
use rollcall_sync::plan::{Count, HeldBack, Plan, Planned, PlannedMembers, Suspect};
use rollcall_sync::task::Decision;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::applications::{entry, missing};
use crate::directory::Context;
use crate::{App, Failure};

/// How many objects or groups are kept in one piece.
const PIECE: usize = 50;
/// So many pieces are stored in one unit.
const PIECES: usize = 64;
/// How many of those who would become duplicates are shown; all are counted.
const SUSPECTS: usize = 500;
/// Why a plan was not made or carried out to its end.
const INTERRUPTED: &str = "the server was stopped meanwhile";

/// What there is to know of a plan before its objects.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Head {
    /// The instant for which everything was decided.
    pub made: Timestamp,
    /// Whether the whole source was looked at.
    pub kind: CycleKind,
    /// Whether it is the first cycle of all: nobody is linked yet.
    pub is_first: bool,
    /// What the guard would hold back; then nothing else would be done either.
    pub held_back: Option<HeldBack>,
    /// How many of each kind there are of each decision.
    pub counts: Vec<Count>,
    /// Where the objects of each decision begin, and how many there are; in the order of the plan.
    pub sections: Vec<Section>,
    /// For how many people references would be set or taken away.
    pub references: u64,
    /// In how many groups memberships would change.
    pub groups: u64,
    /// How many memberships would be added.
    pub members_added: u64,
    /// How many memberships would be taken away.
    pub members_removed: u64,
    /// By which attribute how many counterparts were found.
    pub matched: Vec<(String, u64)>,
    /// The first of those who would become duplicates.
    pub suspects: Vec<Suspect>,
    /// How many would become duplicates.
    pub suspect_count: u64,
    /// What whoever reads the plan should know.
    pub notes: Vec<String>,
    /// Whether nothing would be done.
    pub is_empty: bool,
}

/// The objects of one decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Section {
    /// The decision.
    pub decision: Decision,
    /// The place of the first one in the plan.
    pub first: u64,
    /// How many there are.
    pub count: u64,
}

impl Head {
    fn of(plan: &Plan) -> Self {
        let mut sections: Vec<Section> = Vec::new();
        for (place, planned) in (0..).zip(&plan.objects) {
            match sections.last_mut() {
                Some(section) if section.decision == planned.decision => section.count += 1,
                _ => sections.push(Section {
                    decision: planned.decision,
                    first: place,
                    count: 1,
                }),
            }
        }
        let mut matched: Vec<(String, u64)> = Vec::new();
        for attribute in plan.objects.iter().filter_map(|one| one.matched.as_ref()) {
            match matched.iter_mut().find(|(known, _)| known == attribute) {
                Some((_, count)) => *count += 1,
                None => matched.push((attribute.clone(), 1)),
            }
        }
        let (members_added, members_removed) = plan.membership_counts();
        Self {
            made: plan.made,
            kind: plan.kind,
            is_first: plan.is_first,
            held_back: plan.held_back.clone(),
            counts: plan.counts.clone(),
            sections,
            references: plan.references.len() as u64,
            groups: plan.memberships.len() as u64,
            members_added,
            members_removed,
            matched,
            suspects: plan.suspects.iter().take(SUSPECTS).cloned().collect(),
            suspect_count: plan.suspects.len() as u64,
            notes: plan.notes.clone(),
            is_empty: plan.is_empty(),
        }
    }

    /// Returns how many people and groups have a decision.
    pub fn count(&self, decision: Decision) -> u64 {
        let of_it = self.counts.iter().filter(|one| one.decision == decision);
        of_it.map(|one| one.count).sum()
    }

    /// Returns how many objects of a kind have a decision.
    pub fn count_of(&self, decision: Decision, kind: Kind) -> u64 {
        let mut of_it = self.counts.iter();
        of_it
            .find(|one| (one.decision, one.kind) == (decision, kind))
            .map_or(0, |one| one.count)
    }

    /// Returns where the objects of a decision are.
    pub fn section(&self, decision: Decision) -> Option<Section> {
        let mut sections = self.sections.iter().copied();
        sections.find(|section| section.decision == decision)
    }

    fn objects(&self) -> u64 {
        self.sections.iter().map(|section| section.count).sum()
    }
}

/// Which part of a plan is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    /// The place of the first object or group.
    pub from: u64,
    /// How many.
    pub count: u64,
}

/// A plan as it was made: what is stored of it.
#[derive(Debug)]
pub struct Made {
    document: String,
    digest: String,
    pieces: Vec<Vec<u8>>,
}

impl Made {
    /// Puts a plan into the form in which it is stored. Takes long for a large one.
    pub fn of(plan: &Plan) -> Self {
        let (document, digest) = document::write_with_digest(plan);
        let mut pieces = vec![bytes(&Head::of(plan))];
        for objects in plan.objects.chunks(PIECE) {
            let shown: Vec<Planned> = objects.iter().map(shown).collect();
            pieces.push(bytes(&shown));
        }
        for groups in plan.memberships.chunks(PIECE) {
            let shown: Vec<PlannedMembers> = groups
                .iter()
                .map(|group| PlannedMembers {
                    requests: Vec::new(),
                    ..group.clone()
                })
                .collect();
            pieces.push(bytes(&shown));
        }
        Self {
            document,
            digest,
            pieces,
        }
    }
}

fn bytes(value: &impl Serialize) -> Vec<u8> {
    // structures of texts, numbers and lists always have a JSON form
    serde_json::to_vec(value).unwrap_or_default()
}

/// Leaves out the bodies of requests: what they hold is told attribute by attribute.
fn shown(planned: &Planned) -> Planned {
    let mut planned = planned.clone();
    for request in &mut planned.requests {
        request.body = None;
    }
    planned
}

impl App {
    /// Notes that a plan is being made; returns its number.
    ///
    /// # Errors
    /// [`Failure::Missing`]; [`Failure::Precondition`] when one is being made or carried out already.
    pub async fn begin_plan(&self, context: &Context, id: ApplicationId) -> Result<u64, Failure> {
        let now = self.now();
        let origin = context.origin().clone();
        context
            .tenant()
            .quiet()
            .write(move |writer| {
                writer.application(id)?.ok_or_else(|| missing(id))?;
                let is_busy = |plan: &PlanRecord| {
                    matches!(plan.state, PlanState::Making | PlanState::Running { .. })
                };
                if writer.plans(id)?.iter().any(is_busy) {
                    return Err(Failure::Precondition);
                }
                let record = PlanRecord {
                    number: 0,
                    at: now,
                    by: origin.actor.clone(),
                    state: PlanState::Making,
                    digest: String::new(),
                };
                let number = writer.add_plan(id, &record)?;
                let detail = json!({"plan": number});
                writer.append_audit(now, &entry(origin, id, "application.plan_asked", detail))?;
                Ok(number)
            })
            .await
    }

    /// Stores a plan that was made, or why it could not be made.
    ///
    /// # Errors
    /// [`Failure::Missing`] when it is gone.
    pub async fn end_plan(
        &self,
        context: &Context,
        id: ApplicationId,
        number: u64,
        made: Result<Made, String>,
    ) -> Result<(), Failure> {
        let tenant = context.tenant().quiet();
        let (state, document, digest) = match made {
            Err(message) => (PlanState::Failed { message }, None, None),
            Ok(Made {
                document,
                digest,
                pieces,
            }) => {
                // in several units: others write in between, and nobody looks at a plan that is not ready
                let mut pieces = (0..).zip(pieces).peekable();
                while pieces.peek().is_some() {
                    let some: Vec<(u64, Vec<u8>)> = pieces.by_ref().take(PIECES).collect();
                    tenant
                        .write::<_, Failure, _>(move |writer| {
                            record(writer, id, number)?;
                            for (page, body) in &some {
                                writer.save_plan_page(id, number, *page, body)?;
                            }
                            Ok(())
                        })
                        .await?;
                }
                (PlanState::Ready, Some(document), Some(digest))
            }
        };
        tenant
            .write(move |writer| {
                let record = record(writer, id, number)?;
                let ended = PlanRecord {
                    state,
                    digest: digest.unwrap_or_else(|| record.digest.clone()),
                    ..record
                };
                let bytes = document.as_ref().map(String::as_bytes);
                writer.save_plan(id, &ended, bytes)?;
                Ok(())
            })
            .await
    }

    /// Approves a plan: notes that it is being carried out, and returns it.
    ///
    /// # Errors
    /// [`Failure::Missing`]; [`Failure::Precondition`] when it does not wait for a decision, or is not the latest one;
    /// [`Failure::Internal`] when it was altered in the store.
    pub async fn approve_plan(
        &self,
        context: &Context,
        id: ApplicationId,
        number: u64,
    ) -> Result<Plan, Failure> {
        let now = self.now();
        let origin = context.origin().clone();
        let bytes = context
            .tenant()
            .quiet()
            .write::<_, Failure, _>(move |writer| {
                let record = decidable(writer, id, number)?;
                let bytes = writer.plan(id, number)?.unwrap_or_default();
                let by = origin.actor.clone();
                let detail = json!({"plan": number, "digest": record.digest});
                let state = PlanState::Running { by };
                writer.save_plan(id, &PlanRecord { state, ..record }, None)?;
                let action = "application.plan_approved";
                writer.append_audit(now, &entry(origin, id, action, detail))?;
                Ok(bytes)
            })
            .await?;
        let unreadable = |error: NotAPlan| Failure::Internal(Box::new(error));
        let text = String::from_utf8(bytes).map_err(|error| Failure::Internal(Box::new(error)))?;
        document::read(&text).map_err(unreadable)
    }

    /// Stores what became of a plan that was approved; `refused` says why it was not carried out, or not to its end.
    ///
    /// # Errors
    /// [`Failure::Missing`] when it is gone.
    pub async fn settle_plan(
        &self,
        context: &Context,
        id: ApplicationId,
        number: u64,
        refused: Option<String>,
    ) -> Result<(), Failure> {
        let at = self.now();
        context
            .tenant()
            .write(move |writer| {
                let record = record(writer, id, number)?;
                let by = match &record.state {
                    PlanState::Running { by } => by.clone(),
                    _ => Actor::System,
                };
                let state = match refused {
                    Some(message) => PlanState::Refused { message },
                    None => PlanState::Done { by, at },
                };
                writer.save_plan(id, &PlanRecord { state, ..record }, None)?;
                Ok(())
            })
            .await
    }

    /// Decides against a plan.
    ///
    /// # Errors
    /// [`Failure::Missing`]; [`Failure::Precondition`] when it does not wait for a decision.
    pub async fn discard_plan(
        &self,
        context: &Context,
        id: ApplicationId,
        number: u64,
    ) -> Result<(), Failure> {
        let now = self.now();
        let origin = context.origin().clone();
        context
            .tenant()
            .quiet()
            .write(move |writer| {
                let record = decidable(writer, id, number)?;
                let by = origin.actor.clone();
                let state = PlanState::Discarded { by };
                writer.save_plan(id, &PlanRecord { state, ..record }, None)?;
                let detail = json!({"plan": number});
                let action = "application.plan_discarded";
                writer.append_audit(now, &entry(origin, id, action, detail))?;
                Ok(())
            })
            .await
    }

    /// Lists an application's plans, latest first.
    ///
    /// # Errors
    /// [`Failure::Missing`] for the application.
    pub async fn plans(
        &self,
        context: &Context,
        id: ApplicationId,
    ) -> Result<Vec<PlanRecord>, Failure> {
        context
            .tenant()
            .read(move |reader| {
                reader.application(id)?.ok_or_else(|| missing(id))?;
                Ok(reader.plans(id)?)
            })
            .await
    }

    /// Returns the head of a plan; absent: it was never made.
    pub async fn plan_head(
        &self,
        context: &Context,
        id: ApplicationId,
        number: u64,
    ) -> Result<Option<Head>, Failure> {
        context
            .tenant()
            .read(move |reader| head(reader, id, number))
            .await
    }

    /// Returns parts of a plan's objects, each as it was asked for.
    pub async fn plan_objects(
        &self,
        context: &Context,
        id: ApplicationId,
        number: u64,
        parts: Vec<Part>,
    ) -> Result<Vec<Vec<Planned>>, Failure> {
        context
            .tenant()
            .read(move |reader| {
                let read = |part: &Part| pieces(reader, (id, number), 1, *part);
                parts.iter().map(read).collect()
            })
            .await
    }

    /// Returns a part of the groups whose members a plan changes.
    pub async fn plan_groups(
        &self,
        context: &Context,
        id: ApplicationId,
        number: u64,
        part: Part,
    ) -> Result<Vec<PlannedMembers>, Failure> {
        context
            .tenant()
            .read(move |reader| {
                let Some(head) = head(reader, id, number)? else {
                    return Ok(Vec::new());
                };
                let first = 1 + head.objects().div_ceil(PIECE as u64);
                pieces(reader, (id, number), first, part)
            })
            .await
    }

    /// Notes of all plans of an organisation that were being made or carried out that nobody does so any more. For a server that starts:
    /// whoever did was the one before.
    pub async fn bury_plans(&self, context: &Context) -> Result<(), Failure> {
        context
            .tenant()
            .quiet()
            .write(move |writer| {
                for application in writer.applications()? {
                    for record in writer.plans(application.id)? {
                        let message = match record.state {
                            PlanState::Making => format!("{INTERRUPTED}: make a new one"),
                            PlanState::Running { .. } => format!(
                                "{INTERRUPTED}; what was not sent yet is in the next plan, or done by the next cycle"
                            ),
                            _ => continue,
                        };
                        let state = match record.state {
                            PlanState::Making => PlanState::Failed { message },
                            _ => PlanState::Refused { message },
                        };
                        writer.save_plan(application.id, &PlanRecord { state, ..record }, None)?;
                    }
                }
                Ok(())
            })
            .await
    }
}

fn record<R: ReadJobs + ?Sized>(
    reader: &R,
    id: ApplicationId,
    number: u64,
) -> Result<PlanRecord, Failure> {
    let mut plans = reader.plans(id)?.into_iter();
    plans
        .find(|plan| plan.number == number)
        .ok_or_else(|| Failure::Missing {
            noun: "plan",
            id: number.to_string(),
        })
}

/// Returns a plan that can be decided about: it is ready, and there is no later one.
fn decidable(
    writer: &mut dyn Writer,
    id: ApplicationId,
    number: u64,
) -> Result<PlanRecord, Failure> {
    writer.application(id)?.ok_or_else(|| missing(id))?;
    let found = record(writer, id, number)?;
    let latest = writer.plans(id)?.first().map(|plan| plan.number);
    if found.state != PlanState::Ready || latest != Some(number) {
        return Err(Failure::Precondition);
    }
    Ok(found)
}

fn head(reader: &dyn Reader, id: ApplicationId, number: u64) -> Result<Option<Head>, Failure> {
    let bytes = reader.plan_page(id, number, 0)?;
    bytes.map(|bytes| parsed(&bytes)).transpose()
}

/// Reads a part of a list that is kept in pieces, of which `first` is the first.
fn pieces<T: for<'de> Deserialize<'de>>(
    reader: &dyn Reader,
    (id, number): (ApplicationId, u64),
    first: u64,
    part: Part,
) -> Result<Vec<T>, Failure> {
    let size = PIECE as u64;
    let mut found = Vec::new();
    let mut page = part.from / size;
    let skipped = usize::try_from(part.from % size).unwrap_or_default();
    let count = usize::try_from(part.count).unwrap_or(usize::MAX);
    while found.len() < count.saturating_add(skipped) {
        let Some(bytes) = reader.plan_page(id, number, first + page)? else {
            break;
        };
        // behind the objects come the groups
        let Ok(list) = serde_json::from_slice::<Vec<T>>(&bytes) else {
            break;
        };
        let is_last = list.len() < PIECE;
        found.extend(list);
        if is_last {
            break;
        }
        page += 1;
    }
    Ok(found.into_iter().skip(skipped).take(count).collect())
}

fn parsed<T: for<'de> Deserialize<'de>>(bytes: &[u8]) -> Result<T, Failure> {
    serde_json::from_slice(bytes).map_err(|error| Failure::Internal(Box::new(error)))
}

#[cfg(test)]
mod tests {
    use rollcall_model::{ApplicationId, ResourceId};
    use rollcall_sync::plan::Grounds;

    use super::*;
    use crate::testing::Installation;

    async fn application(installation: &Installation) -> ApplicationId {
        let context = installation.command();
        let made = installation
            .app
            .create_application(&context, "Vault".to_owned());
        made.await.unwrap().id
    }

    /// A plan that deletes one, creates 120, and changes the members of 60 groups.
    fn plan(application: ApplicationId) -> Plan {
        let grounds = Grounds {
            application,
            target: "https://app.example.com/scim".into(),
            source: 7,
            configuration: "abc".into(),
            words: 1,
        };
        let mut plan = Plan::new(Timestamp::UNIX_EPOCH, CycleKind::Initial, true, grounds);
        let object = |number: u8| ResourceId::from_bytes([number; 16]);
        for number in 0..=120 {
            plan.add(Planned {
                kind: Kind::User,
                object: object(number),
                name: format!("person {number:03}"),
                decision: if number == 0 {
                    Decision::Delete
                } else {
                    Decision::Create
                },
                code: None,
                reason: None,
                matched: None,
                properties: Vec::new(),
                requests: Vec::new(),
            });
        }
        for number in 0..60 {
            plan.memberships.push(PlannedMembers {
                object: object(number),
                name: format!("group {number}"),
                added: 2,
                removed: 1,
                requests: Vec::new(),
            });
        }
        plan.sort();
        plan
    }

    #[tokio::test]
    async fn a_plan_is_looked_at_in_parts_and_approved_once() {
        let installation = Installation::new().await;
        let (app, context) = (&installation.app, installation.command());
        let id = application(&installation).await;
        let number = app.begin_plan(&context, id).await.unwrap();
        let second = app.begin_plan(&context, id).await;
        assert!(
            matches!(second, Err(Failure::Precondition)),
            "one at a time"
        );
        assert_eq!(app.plan_head(&context, id, number).await.unwrap(), None);

        let made = Made::of(&plan(id));
        app.end_plan(&context, id, number, Ok(made)).await.unwrap();

        let head = app.plan_head(&context, id, number).await.unwrap().unwrap();
        assert_eq!(head.count(Decision::Create), 120);
        let section = head.section(Decision::Create).unwrap();
        assert_eq!((section.first, section.count), (1, 120));
        let parts = [(1, 3), (48, 4), (119, 50)].map(|(from, count)| Part { from, count });
        let objects = app.plan_objects(&context, id, number, parts.into());
        let names: Vec<Vec<String>> = objects
            .await
            .unwrap()
            .into_iter()
            .map(|part| part.into_iter().map(|one| one.name).collect())
            .collect();
        assert_eq!(names[0], ["person 001", "person 002", "person 003"]);
        assert_eq!(names[1].len(), 4);
        assert_eq!(
            names[2],
            ["person 119", "person 120"],
            "groups are no people"
        );
        let part = Part {
            from: 55,
            count: 50,
        };
        let groups = app.plan_groups(&context, id, number, part).await.unwrap();
        assert_eq!(groups.len(), 5);

        let approved = app.approve_plan(&context, id, number).await.unwrap();
        assert_eq!(approved, plan(id), "what is carried out is what was made");
        let again = app.approve_plan(&context, id, number).await;
        assert!(matches!(again, Err(Failure::Precondition)));
        app.settle_plan(&context, id, number, None).await.unwrap();
        let state = app.plans(&context, id).await.unwrap().remove(0).state;
        assert!(matches!(state, PlanState::Done { .. }), "{state:?}");
    }

    #[tokio::test]
    async fn a_plan_that_is_not_the_latest_or_was_discarded_is_not_carried_out() {
        let installation = Installation::new().await;
        let (app, context) = (&installation.app, installation.command());
        let id = application(&installation).await;
        for _ in 0..2 {
            let number = app.begin_plan(&context, id).await.unwrap();
            let made = Made::of(&plan(id));
            app.end_plan(&context, id, number, Ok(made)).await.unwrap();
        }

        let old = app.approve_plan(&context, id, 1).await;
        app.discard_plan(&context, id, 2).await.unwrap();
        let discarded = app.approve_plan(&context, id, 2).await;

        assert!(matches!(old, Err(Failure::Precondition)));
        assert!(matches!(discarded, Err(Failure::Precondition)));
    }

    #[tokio::test]
    async fn plans_whose_makers_died_are_said_to_have_failed() {
        let installation = Installation::new().await;
        let (app, context) = (&installation.app, installation.command());
        let id = application(&installation).await;
        app.begin_plan(&context, id).await.unwrap();

        app.bury_plans(&context).await.unwrap();

        let state = app.plans(&context, id).await.unwrap().remove(0).state;
        assert!(matches!(state, PlanState::Failed { .. }), "{state:?}");
        app.begin_plan(&context, id).await.unwrap();
    }
}
