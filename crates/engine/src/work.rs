//! What all parts of a cycle share.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};

use std::time::{Duration, Instant};

use jiff::Timestamp;
use rollcall_app::App;
use rollcall_app::applications::Configured;
use rollcall_app::directory::Context;
use rollcall_connect::target::{Surroundings, Target, Tested};
use rollcall_model::application::{NestedGroups, Scope};
use rollcall_model::provisioning::{
    Counts, ObjectKey, Phase, Progress, QuarantineReason, Restored,
};
use rollcall_model::{ApplicationId, CycleId, Kind, LinkState, ResourceId};
use rollcall_store::{Claim, Standing, Tenant, Writer};
use rollcall_sync::digest::Digest;
use rollcall_sync::guard::Limit;
use rollcall_sync::plan::Plan;
use rollcall_sync::rules::Rules;
use rollcall_sync::source::SourceObject;
use rollcall_sync::task::{Answer, Decision, Entitlement, Extent, INCOMPATIBLE, Trouble, Write};
use tokio::task::JoinSet;
use tracing::Instrument;
use uuid::Uuid;

use crate::directory::Assigned;
use crate::gate::{Gate, UNPLANNED};
use crate::survey::Chosen;
use crate::{Engine, Error, Figures, Watch};

/// How many objects are handled at once: more than the target is asked for at once, so that it does not wait while we keep our books.
pub(crate) const WIDTH: usize = 3 * rollcall_connect::target::REQUESTS_AT_ONCE;
/// How many objects are read at once.
pub(crate) const PAGE: u64 = 500;
/// After so many requests in a row without an answer that can be used, the target counts as out of reach.
const SILENT_REQUESTS: u32 = 10;
/// What such an answer is called in the log.
const UNUSABLE: [&str; 4] = [
    "Timeout",
    "WebExceptionProtocolError",
    "TooManyRequests",
    INCOMPATIBLE,
];

/// What a piece of work is for.
#[derive(Debug)]
pub(crate) enum Purpose {
    /// A cycle, or a part of one.
    Run,
    /// A plan; `made` is the instant of the one that it is compared with.
    Plan { made: Option<Timestamp> },
    /// A cycle that looks at these objects too, and believes nothing that is on record of them.
    Repair(Chosen),
    /// A cycle that does what this plan says, or stops.
    Apply(Box<Plan>),
}

impl Purpose {
    fn made(&self) -> Option<Timestamp> {
        match self {
            Self::Run | Self::Repair(_) => None,
            Self::Plan { made } => *made,
            Self::Apply(plan) => Some(plan.made),
        }
    }
}

/// A cycle, or a plan of one, under way.
#[derive(Debug)]
pub(crate) struct Work {
    pub(crate) app: App,
    pub(crate) tenant: Tenant,
    pub(crate) application: ApplicationId,
    pub(crate) cycle: CycleId,
    pub(crate) rules: Rules,
    pub(crate) target: Target,
    pub(crate) assigned: Assigned,
    /// The place in the change feed at which the cycle began; what is later belongs to the next cycle too.
    pub(crate) watermark: u64,
    /// The words of administrators that the cycle knows of; see [`Work::write`].
    pub(crate) generation: u64,
    /// A digest of rules and assignments: while it stays, only what changed has to be read.
    pub(crate) basis: String,
    /// How many may leave in a day.
    pub(crate) limit: Limit,
    /// From which backup the store was restored, unless a cycle has come to its end since.
    pub(crate) restored: Option<Restored>,
    /// What groups within groups mean.
    pub(crate) nested: NestedGroups,
    /// The instant for which everything is decided.
    pub(crate) at: Timestamp,
    /// Whether it is a plan, or the run that carries one out: both draw the same random numbers.
    pub(crate) is_planned: bool,
    /// What is looked at beside what changed.
    pub(crate) doubted: Chosen,
    /// Lets through only what was planned.
    pub(crate) gate: Option<Gate>,
    /// Whether only what changed is read, as far as is known.
    pub(crate) is_incremental: AtomicBool,
    /// What makes this the only cycle of the application, with its number; absent: it writes nothing to the target, and need not be.
    only_one: OnceLock<(u64, Weak<Claim>)>,
    /// Which object of this cycle has which place in the target: an id, or a value by which it is looked up.
    claims: Mutex<HashMap<(Kind, String), ResourceId>>,
    handled: Mutex<Handled>,
    watch: Watch,
    /// Where decisions are counted; absent: nothing is carried out.
    figures: Option<Arc<Figures>>,
    trouble: Mutex<Option<Trouble>>,
    silent_requests: AtomicU32,
    tally: Mutex<Tally>,
    /// The microseconds that handling took, added up.
    handling: AtomicU64,
    /// People whose references have to be looked at after the objects.
    references: Mutex<BTreeSet<ResourceId>>,
}

/// Who is being handled, and who was overtaken: what the rest of the cycle has read of those is out of date.
#[derive(Debug, Default)]
struct Handled {
    now: HashSet<ObjectKey>,
    overtaken: HashSet<ObjectKey>,
}

/// What was done so far.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Tally {
    pub(crate) users: Counts,
    pub(crate) groups: Counts,
    /// People whose references were sent.
    pub(crate) references: u64,
    /// People whose references failed, and groups whose members did.
    pub(crate) references_failed: u64,
    pub(crate) members_added: u64,
    pub(crate) members_removed: u64,
}

impl Work {
    /// Compiles an application's configuration and reads who is assigned.
    pub(crate) async fn prepare(
        engine: &Engine,
        context: &Context,
        configured: Configured,
        watch: Watch,
        purpose: Purpose,
    ) -> Result<Arc<Self>, Error> {
        let Configured {
            application,
            token,
            assignments,
            job,
        } = configured;
        let invalid = |message: String| Error::Stopped {
            reason: QuarantineReason::InvalidConfiguration,
            message,
        };
        let rules = Rules::compile(&application).map_err(|mistakes| {
            let mistakes: Vec<String> = mistakes.iter().map(ToString::to_string).collect();
            invalid(mistakes.join("; "))
        })?;
        let (Some(address), Some(token)) = (&application.target, token) else {
            return Err(invalid(
                "the application has no Tenant URL and Secret Token yet".to_owned(),
            ));
        };
        let surroundings = Surroundings {
            clock: Arc::clone(engine.app.clock()),
            randomness: Arc::clone(engine.app.randomness()),
        };
        let target = Target::new(
            engine.client.clone(),
            &address.tenant_url,
            token,
            job.profile.clone(),
            surroundings,
        )
        .map_err(|refused| invalid(refused.to_string()))?;
        let mut basis = Digest::default();
        basis.text(rules.basis());
        if rules.scope == Scope::AssignedOnly {
            for assignment in &assignments {
                basis.text(&assignment.principal.to_string());
            }
        }
        let settings = &application.settings;
        let assigned = Assigned::new(rules.scope, &assignments, settings.nested_groups);
        let tenant = context.tenant().quiet();
        let watermark = tenant
            .read::<_, Error, _>(|reader| Ok(reader.last_change()?))
            .await?;
        let basis = basis.finish();
        if let Purpose::Apply(plan) = &purpose {
            let is_same = plan.grounds.source == watermark
                && plan.grounds.configuration == basis
                && plan.grounds.words == job.generation;
            if !is_same {
                let message = "the source or the configuration changed at this moment; nothing was sent, make a new plan";
                return Err(Error::Deviated(message.to_owned()));
            }
        }
        let app = engine.app.clone();
        let figures = match &purpose {
            Purpose::Plan { .. } => None,
            _ => Some(Arc::clone(&engine.figures)),
        };
        Ok(Arc::new(Self {
            cycle: CycleId::new(app.now(), &**app.randomness()),
            tenant,
            application: application.id,
            rules,
            target,
            assigned,
            watermark,
            generation: job.generation,
            basis,
            limit: match job.restored {
                None => Limit::of(settings),
                Some(_) => Limit::NOBODY,
            },
            restored: job.restored,
            nested: settings.nested_groups,
            at: purpose.made().unwrap_or_else(|| app.now()),
            is_planned: matches!(purpose, Purpose::Plan { .. } | Purpose::Apply(_)),
            gate: match &purpose {
                Purpose::Apply(plan) => Some(Gate::new(plan)),
                Purpose::Run | Purpose::Repair(_) | Purpose::Plan { .. } => None,
            },
            doubted: match purpose {
                Purpose::Repair(chosen) => chosen,
                Purpose::Run | Purpose::Apply(_) | Purpose::Plan { .. } => Chosen::default(),
            },
            is_incremental: AtomicBool::new(job.watermark.is_some()),
            only_one: OnceLock::new(),
            claims: Mutex::default(),
            handled: Mutex::default(),
            watch,
            figures,
            trouble: Mutex::default(),
            silent_requests: AtomicU32::new(0),
            tally: Mutex::default(),
            handling: AtomicU64::new(0),
            references: Mutex::default(),
            app,
        }))
    }

    /// Returns the kinds of object that are provisioned. What is not is left alone in the target.
    pub(crate) fn kinds(&self) -> impl Iterator<Item = Kind> {
        [Kind::User, Kind::Group]
            .into_iter()
            .filter(|kind| self.rules.of(*kind).enabled)
    }

    /// Tells whether a group is assigned to the application.
    pub(crate) fn assigns(&self, group: ResourceId) -> bool {
        matches!(&self.assigned, Assigned::Those { groups, .. } if groups.contains(&group))
    }

    /// Asks the target whether it is there, filters, and takes the credential.
    pub(crate) async fn connect(&self) -> Result<Tested, Error> {
        let kinds: Vec<(Kind, String)> = self
            .kinds()
            .filter_map(|kind| {
                let rules = self.rules.of(kind);
                let matching = rules.attributes.get(*rules.matching.first()?)?;
                Some((kind, matching.target.to_string()))
            })
            .collect();
        let mut nobody = [0; 16];
        self.app.randomness().fill(&mut nobody);
        let nobody = Uuid::from_bytes(nobody).to_string();
        let tested = self.target.test(&kinds, &nobody).await;
        tested.map_err(|trouble| stopped(&trouble))
    }

    /// Tells whether an object is to be in use in the target.
    pub(crate) fn entitlement(&self, object: &SourceObject) -> Entitlement {
        let needs_assignment = self.rules.scope == Scope::AssignedOnly;
        Entitlement::of(self.rules.of(object.kind), object, needs_assignment)
    }

    /// Returns how many members one request adds, and how many one takes out.
    pub(crate) fn members_per_request(&self) -> (usize, usize) {
        let profile = self.target.profile();
        (
            profile.members_added.value.max(1),
            profile.members_removed.value.max(1),
        )
    }

    /// Writes to the target on behalf of an object. When a plan is carried out, only what it foresees goes out.
    ///
    /// # Errors
    /// [`Error::Interrupted`] when the cycle is not alone any more: the object is then somebody else's to look at.
    pub(crate) async fn send(
        &self,
        kind: Kind,
        object: ResourceId,
        write: &Write,
    ) -> Result<Answer, Error> {
        if let Some(gate) = &self.gate
            && let Err(trouble) = gate.admits(self, kind, object, write)
        {
            return Ok(Answer::Failed(trouble));
        }
        let answer = self.target.write(kind, write).await;
        if !self.is_alone() {
            self.warn_others(kind, object).await?;
            return Err(Error::Interrupted);
        }
        if let (Some(gate), Answer::Created(id)) = (&self.gate, &answer) {
            gate.gave(object, id);
        }
        Ok(answer)
    }

    /// Has an object looked at once more by whoever provisions the application now: what was sent for it in this cycle's name may have
    /// arrived later than what they sent. This is the only thing that a cycle which is not alone any more still says.
    async fn warn_others(&self, kind: Kind, object: ResourceId) -> Result<(), Error> {
        let application = self.application;
        self.tenant
            .write(move |writer| {
                doubt(writer, application, kind, object)?;
                let mut job = writer.job(application)?;
                // a cycle that has read the link already begins anew
                job.generation += 1;
                writer.save_job(application, &job)
            })
            .await
            .map_err(|error: rollcall_store::Error| error.into())
    }

    /// Makes the cycle end when a claim does: somebody else may then begin one.
    pub(crate) fn rest_on(&self, only_one: &Arc<Claim>) {
        let own = (only_one.number(), Arc::downgrade(only_one));
        self.target.lasts_while({
            let only_one = Arc::downgrade(only_one);
            move || is_held(&only_one)
        });
        self.only_one.get_or_init(|| own);
    }

    /// Tells whether this is the only cycle of the application still, as far as it has to be.
    pub(crate) fn is_alone(&self) -> bool {
        let own = self.only_one.get();
        own.is_none_or(|(_, only_one)| is_held(only_one))
    }

    /// Runs a unit of writing, unless an administrator has changed the application meanwhile: what the cycle knows is then about
    /// another target, or about what somebody asked to forget. Nor does one that is not alone any more write anything: every request that
    /// changes the target comes after such a unit.
    pub(crate) async fn write<T: Send + 'static>(
        &self,
        unit: impl FnOnce(&mut dyn Writer) -> Result<T, rollcall_store::Error> + Send + 'static,
    ) -> Result<T, Error> {
        let generation = self.generation;
        self.write_while(unit, move |standing| standing.generation == generation)
            .await
    }

    /// Runs a unit of writing that is not about what administrators may change, unless the cycle is not alone any more.
    pub(crate) async fn note_down(
        &self,
        unit: impl FnOnce(&mut dyn Writer) -> Result<(), rollcall_store::Error> + Send + 'static,
    ) -> Result<(), Error> {
        self.write_while(unit, |_| true).await
    }

    async fn write_while<T: Send + 'static>(
        &self,
        unit: impl FnOnce(&mut dyn Writer) -> Result<T, rollcall_store::Error> + Send + 'static,
        is_right: impl FnOnce(Standing) -> bool + Send + 'static,
    ) -> Result<T, Error> {
        if !self.is_alone() {
            return Err(Error::Interrupted);
        }
        let application = self.application;
        let runner = self.only_one.get().map(|(number, _)| *number);
        self.tenant
            .write(move |writer| {
                let standing = writer.standing(application)?;
                let is_ours = runner.is_none_or(|runner| runner == standing.runner);
                if !is_ours || !is_right(standing) {
                    return Err(Error::Interrupted);
                }
                Ok(unit(writer)?)
            })
            .await
    }

    /// Claims a place in the target for an object; tells whether another one has it. Two objects that are handled at the same time
    /// would both find it free otherwise.
    pub(crate) fn claims(&self, kind: Kind, place: String, object: ResourceId) -> bool {
        *locked(&self.claims).entry((kind, place)).or_insert(object) == object
    }

    /// Begins to handle an object, unless somebody does or it was overtaken.
    pub(crate) fn takes_up(&self, key: ObjectKey) -> bool {
        let mut handled = locked(&self.handled);
        !handled.overtaken.contains(&key) && handled.now.insert(key)
    }

    /// Ends the handling of an object.
    pub(crate) fn lets_go(&self, key: ObjectKey) {
        locked(&self.handled).now.remove(&key);
    }

    /// Takes an object out of the rest of the cycle, unless it is being handled at this moment.
    pub(crate) fn overtakes(&self, key: ObjectKey) -> bool {
        let mut handled = locked(&self.handled);
        !handled.now.contains(&key) && handled.overtaken.insert(key)
    }

    /// Notes how a request ended. What concerns the whole target ends the cycle, so that not every object fails of it.
    pub(crate) fn note(&self, trouble: Option<&Trouble>) {
        let has_no_answer =
            trouble.is_some_and(|trouble| UNUSABLE.contains(&trouble.code.as_str()));
        let silent = if has_no_answer {
            self.silent_requests.fetch_add(1, Ordering::Relaxed) + 1
        } else {
            self.silent_requests.store(0, Ordering::Relaxed);
            0
        };
        if let Some(trouble) = trouble
            && (trouble.extent == Extent::Target || silent >= SILENT_REQUESTS)
        {
            locked(&self.trouble).get_or_insert_with(|| trouble.clone());
        }
    }

    /// Tells whether nothing new is to be begun.
    pub(crate) fn is_over(&self) -> bool {
        self.watch.interrupt.is_cancelled() || locked(&self.trouble).is_some()
    }

    /// Returns why the cycle has to end early, if it has to.
    pub(crate) fn check(&self) -> Result<(), Error> {
        if let Some(trouble) = &*locked(&self.trouble) {
            return Err(stopped(trouble));
        }
        if self.watch.interrupt.is_cancelled() {
            return Err(Error::Interrupted);
        }
        Ok(())
    }

    /// Returns how far it is.
    pub(crate) fn progress(&self) -> Progress {
        *self.watch.progress.borrow()
    }

    /// Tells that a phase began.
    pub(crate) fn begin(&self, phase: Phase, total: u64) {
        self.watch.progress.send_replace(Progress {
            phase,
            done: 0,
            total,
        });
    }

    /// Tells that so many units of the phase are done.
    pub(crate) fn advance(&self, count: u64) {
        self.watch
            .progress
            .send_modify(|progress| progress.done += count);
    }

    /// Counts what was decided about an object.
    pub(crate) fn count(&self, kind: Kind, decision: Decision) {
        if let Some(figures) = &self.figures {
            figures.decided(kind, decision);
        }
        let mut tally = locked(&self.tally);
        let counts = match kind {
            Kind::User => &mut tally.users,
            Kind::Group => &mut tally.groups,
        };
        counts.imported += 1;
        *match decision {
            Decision::Delete => &mut counts.deleted,
            Decision::Disable => &mut counts.disabled,
            Decision::Hold => &mut counts.held,
            Decision::Create => &mut counts.created,
            Decision::Adopt => &mut counts.adopted,
            Decision::Update => &mut counts.updated,
            Decision::Keep => &mut counts.kept,
            Decision::Skip => &mut counts.skipped,
            Decision::Fail => &mut counts.failed,
        } += 1;
    }

    pub(crate) fn count_with(&self, change: impl FnOnce(&mut Tally)) {
        change(&mut locked(&self.tally));
    }

    /// Returns how long handling took, added up.
    pub(crate) fn handling(&self) -> Duration {
        Duration::from_micros(self.handling.load(Ordering::Relaxed))
    }

    pub(crate) fn tally(&self) -> Tally {
        *locked(&self.tally)
    }

    /// Notes a person whose references have to be looked at.
    pub(crate) fn note_references(&self, person: ResourceId) {
        locked(&self.references).insert(person);
    }

    /// Takes out the people whose references have to be looked at.
    pub(crate) fn take_references(&self) -> Vec<ResourceId> {
        std::mem::take(&mut *locked(&self.references))
            .into_iter()
            .collect()
    }
}

/// Does something with many items, some of them at once. Ends early when the cycle has to.
pub(crate) async fn each<T, F>(
    work: &Arc<Work>,
    items: Vec<T>,
    width: usize,
    act: impl Fn(Arc<Work>, T) -> F,
) -> Result<(), Error>
where
    F: Future<Output = Result<(), Error>> + Send + 'static,
{
    let mut running = JoinSet::new();
    let mut outcome = Ok(());
    for item in items {
        if running.len() >= width
            && let Some(done) = running.join_next().await
        {
            outcome = outcome.and(joined(done));
        }
        if work.is_over() || outcome.is_err() {
            break;
        }
        let (acting, watched) = (act(Arc::clone(work), item), Arc::clone(work));
        let handled = async move {
            let begun = Instant::now();
            let outcome = acting.await;
            let took = u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX);
            watched.handling.fetch_add(took, Ordering::Relaxed);
            outcome
        };
        // what is asked for meanwhile belongs to the trace of the cycle
        running.spawn(handled.in_current_span());
    }
    while let Some(done) = running.join_next().await {
        outcome = outcome.and(joined(done));
    }
    outcome?;
    work.check()
}

/// Forgets what both ends agreed on about an object, so that the next cycle compares it.
pub(crate) fn doubt(
    writer: &mut dyn Writer,
    application: ApplicationId,
    kind: Kind,
    object: ResourceId,
) -> Result<(), rollcall_store::Error> {
    let Some(mut link) = writer.link(application, kind, object)? else {
        return Ok(());
    };
    // one that was switched off may be in use again
    if link.state == LinkState::Disabled {
        link.state = LinkState::Active;
    }
    link.doubt();
    writer.save_link(&link)
}

/// Tells whether a claim holds. One that was dropped, with the cycle, does not.
fn is_held(claim: &Weak<Claim>) -> bool {
    claim.upgrade().is_some_and(|claim| claim.is_held())
}

pub(crate) fn joined(done: Result<Result<(), Error>, tokio::task::JoinError>) -> Result<(), Error> {
    done.unwrap_or_else(|panicked| {
        Err(Error::Failed(rollcall_app::Failure::Internal(Box::new(
            panicked,
        ))))
    })
}

pub(crate) fn stopped(trouble: &Trouble) -> Error {
    if trouble.code == UNPLANNED {
        return Error::Deviated(trouble.message.clone());
    }
    let reason = if trouble.code == INCOMPATIBLE {
        QuarantineReason::ServiceIncompatible
    } else if trouble.is_about_credential() {
        QuarantineReason::CredentialRefused
    } else {
        QuarantineReason::EncounteredQuarantineException
    };
    Error::Stopped {
        reason,
        message: trouble.message.clone(),
    }
}

pub(crate) fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
