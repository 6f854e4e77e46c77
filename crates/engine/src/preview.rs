//! What mappings and filters make of real people and groups before they are saved.
//!
//! **Is:** a draft of a configuration, evaluated on the objects of our own directory by the rules of a cycle. **Is not:** a plan: nobody asks
//! the target, and nothing is written.
//! **Start at** [`Engine::preview`] for one object; [`Engine::population`] and [`Engine::scope_effect`] look at many, within bounds.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use rollcall_app::directory::Context;
use rollcall_app::{App, Failure};
use rollcall_model::application::{Application, NestedGroups, Scope};
use rollcall_model::provisioning::REDACTED;
use rollcall_model::{Kind, Randomness, ResourceId};
use rollcall_store::Reader;
use rollcall_sync::explain::{Explained, Outcome, explain, explain_line};
use rollcall_sync::guard::{Limit, Verdict};
use rollcall_sync::rules::Rules;
use rollcall_sync::source::SourceObject;
use rollcall_sync::target_path::TargetPath;
use rollcall_sync::task::Entitlement;
use rollcall_sync::wish::Surroundings;

use crate::directory::{self, Assigned, Known};
use crate::survey::{departures, verdict};
use crate::work::PAGE;
use crate::{Engine, Error};

/// So many objects are looked at.
pub const LOOKED_AT: usize = 5_000;
/// So long at most.
const TIME: Duration = Duration::from_secs(2);
/// So many examples are told of each kind.
const EXAMPLES: usize = 5;
/// So many looks at many objects go on at once in the whole installation.
pub(crate) const AT_ONCE: usize = 2;
/// So many people are offered to be looked at.
const OFFERED: usize = 8;

/// How much was looked at.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Extent {
    /// How many objects.
    pub looked: u64,
    /// Whether there are more.
    pub more: bool,
}

/// What a draft makes of one object.
#[derive(Debug, Clone, PartialEq)]
pub struct Preview {
    /// The object.
    pub object: SourceObject,
    /// Whether it is to be in use in the target.
    pub entitlement: Entitlement,
    /// What comes out of each line.
    pub lines: Vec<Explained>,
}

/// What one line makes of everybody in scope.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Population {
    /// How much was looked at.
    pub extent: Extent,
    /// How many of those are in scope: the others are not counted below.
    pub in_scope: u64,
    /// How many get a value.
    pub values: u64,
    /// How many get the default, if they are new.
    pub defaults: u64,
    /// How many get nothing.
    pub nothing: u64,
    /// Some of those.
    pub nothing_names: Vec<String>,
    /// For how many the attribute is left alone.
    pub left_alone: u64,
    /// For how many it fails.
    pub failed: u64,
    /// What fails, with how many and some of them, the most frequent first.
    pub failures: Vec<Shared>,
    /// Values that several have, with how many and some of them, the most frequent first.
    pub duplicates: Vec<Shared>,
    /// How many have a value that somebody else has too.
    pub duplicated: u64,
    /// Some results: name and value.
    pub examples: Vec<(String, String)>,
}

/// What several objects have in common.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Shared {
    /// What it is: a value, a message.
    pub text: String,
    /// How many have it.
    pub count: u64,
    /// Some of them.
    pub names: Vec<String>,
}

/// What scoping filters would do.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ScopeEffect {
    /// How much was looked at.
    pub extent: Extent,
    /// How many are in scope now.
    pub now: u64,
    /// How many would be.
    pub then: u64,
    /// How many come in.
    pub entering: u64,
    /// Some of those.
    pub entering_names: Vec<String>,
    /// How many go out.
    pub leaving: u64,
    /// Some of those.
    pub leaving_names: Vec<String>,
    /// How many of those have an account that would be switched off or deleted.
    pub accounts: u64,
    /// How many may leave in a day, when that is fewer: the next cycle would be held.
    pub held_above: Option<u64>,
}

/// What evaluation needs, for as long as it goes on.
struct Setting {
    application: Application,
    rules: Rules,
    /// The rules that hold now.
    stored: Option<Rules>,
    assigned: Assigned,
    now: Timestamp,
    randomness: Arc<dyn Randomness>,
}

impl Setting {
    fn surroundings(&self) -> Surroundings<'_> {
        Surroundings {
            now: self.now,
            randomness: &*self.randomness,
        }
    }

    fn entitlement(&self, rules: &Rules, object: &SourceObject) -> Entitlement {
        let needs_assignment = self.application.scope == Scope::AssignedOnly;
        Entitlement::of(rules.of(object.kind), object, needs_assignment)
    }
}

impl Engine {
    /// Shows what a draft makes of one person or group.
    ///
    /// # Errors
    /// [`Error::Failed`] with every mistake when the draft cannot be used.
    pub async fn preview(
        &self,
        context: &Context,
        draft: Application,
        kind: Kind,
        id: ResourceId,
    ) -> Result<Preview, Error> {
        let setting = setting(&self.app, context, draft, false).await?;
        context
            .tenant()
            .read::<_, Error, _>(move |reader| {
                let application = setting.application.id;
                let known = directory::known(reader, application, &setting.assigned, kind, id)?;
                let rules = setting.rules.of(kind);
                Ok(Preview {
                    entitlement: setting.entitlement(&setting.rules, &known.object),
                    lines: explain(rules, &known.object, &setting.surroundings()),
                    object: known.object,
                })
            })
            .await
    }

    /// Names some people or groups whom the application concerns, or any when it concerns none.
    ///
    /// # Errors
    /// [`Error::Failed`].
    pub async fn offered(
        &self,
        context: &Context,
        application: Application,
        kind: Kind,
    ) -> Result<Vec<(ResourceId, String)>, Error> {
        let id = application.id;
        context
            .tenant()
            .read::<_, Error, _>(move |reader| {
                let assigned = Assigned::new(
                    application.scope,
                    &reader.assignments(id)?,
                    application.settings.nested_groups,
                );
                let mut ids = candidates(reader, &assigned, kind, OFFERED)?.unwrap_or_default();
                if ids.is_empty() {
                    let few = rollcall_store::Selection::after(None, OFFERED as u64);
                    let listing = reader.list(kind, &few)?;
                    ids = listing.resources.iter().map(|raw| raw.id).collect();
                }
                let mut offered = Vec::new();
                for id in ids.into_iter().take(OFFERED) {
                    if reader.raw(kind, id)?.is_some() {
                        offered.push((id, directory::name(reader, id)?));
                    }
                }
                Ok(offered)
            })
            .await
    }

    /// Evaluates one line of a draft on everybody in scope, within bounds; absent when too many others are looking at this moment.
    ///
    /// # Errors
    /// [`Error::Failed`] with every mistake when the draft cannot be used.
    pub async fn population(
        &self,
        context: &Context,
        draft: Application,
        kind: Kind,
        target: TargetPath,
    ) -> Result<Option<Population>, Error> {
        let Ok(_turn) = self.looks.try_acquire() else {
            return Ok(None);
        };
        let setting = Arc::new(setting(&self.app, context, draft, false).await?);
        let see = move |census: &mut Census, setting: &Setting, known: &Known| {
            let object = &known.object;
            if setting.entitlement(&setting.rules, object) != Entitlement::Entitled {
                return;
            }
            let rules = setting.rules.of(object.kind);
            census.count(
                object,
                explain_line(rules, object, &setting.surroundings(), &target),
            );
        };
        let (census, extent) = fold(context, setting, kind, Census::default(), see).await?;
        Ok(Some(census.finish(extent)))
    }

    /// Counts who would come into scope and who would go out of it with a draft; absent when too many others are looking at this moment.
    ///
    /// # Errors
    /// [`Error::Failed`] with every mistake when the draft cannot be used.
    pub async fn scope_effect(
        &self,
        context: &Context,
        draft: Application,
        kind: Kind,
    ) -> Result<Option<ScopeEffect>, Error> {
        let Ok(_turn) = self.looks.try_acquire() else {
            return Ok(None);
        };
        let id = draft.id;
        let limit = Limit::of(&draft.settings);
        let setting = Arc::new(setting(&self.app, context, draft, true).await?);
        let at = setting.now;
        let (mut effect, extent) =
            fold(context, setting, kind, ScopeEffect::default(), compare).await?;
        effect.extent = extent;
        let leaving = effect.accounts;
        let verdict = context
            .tenant()
            .read::<_, Error, _>(move |reader| {
                let recent = departures(&reader.job(id)?, at);
                Ok(verdict(reader, id, (leaving, recent), limit)?)
            })
            .await?;
        if let Verdict::Hold { limit, .. } = verdict {
            effect.held_above = Some(limit);
        }
        Ok(Some(effect))
    }
}

fn compare(effect: &mut ScopeEffect, setting: &Setting, known: &Known) {
    let object = &known.object;
    let Some(stored) = &setting.stored else {
        return;
    };
    let before = setting.entitlement(stored, object) == Entitlement::Entitled;
    let after = setting.entitlement(&setting.rules, object);
    let is_after = after == Entitlement::Entitled;
    effect.now += u64::from(before);
    effect.then += u64::from(is_after);
    let (count, names) = match (before, is_after) {
        (false, true) => (&mut effect.entering, &mut effect.entering_names),
        (true, false) => (&mut effect.leaving, &mut effect.leaving_names),
        _ => return,
    };
    *count += 1;
    if names.len() < EXAMPLES {
        names.push(name(object));
    }
    let rules = setting.rules.of(object.kind);
    let goes = known
        .link
        .as_ref()
        .is_some_and(|link| after.takes_away(rules, link));
    effect.accounts += u64::from(goes);
}

fn name(object: &SourceObject) -> String {
    object
        .name()
        .map_or_else(|| object.id.to_string(), str::to_owned)
}

async fn setting(
    app: &App,
    context: &Context,
    draft: Application,
    with_stored: bool,
) -> Result<Setting, Error> {
    let rules = Rules::compile(&draft).map_err(Failure::Configuration)?;
    let id = draft.id;
    let (assignments, stored) = context
        .tenant()
        .read::<_, Error, _>(move |reader| Ok((reader.assignments(id)?, reader.application(id)?)))
        .await?;
    let stored = match stored.filter(|_| with_stored) {
        Some(stored) => Some(Rules::compile(&stored).map_err(Failure::Configuration)?),
        None => None,
    };
    Ok(Setting {
        assigned: Assigned::new(draft.scope, &assignments, draft.settings.nested_groups),
        application: draft,
        rules,
        stored,
        now: app.now(),
        randomness: Arc::clone(app.randomness()),
    })
}

/// Shows the objects whom the application concerns to `see`, page by page, until there are no more or enough were seen.
async fn fold<T: Send + 'static>(
    context: &Context,
    setting: Arc<Setting>,
    kind: Kind,
    mut state: T,
    see: impl Fn(&mut T, &Setting, &Known) + Send + Sync + 'static,
) -> Result<(T, Extent), Error> {
    let until = Instant::now() + TIME;
    let see = Arc::new(see);
    let inner = Arc::clone(&setting);
    let mut chosen = context
        .tenant()
        .read::<_, Error, _>(move |reader| candidates(reader, &inner.assigned, kind, LOOKED_AT + 1))
        .await?;
    let mut extent = Extent::default();
    let mut after = None;
    loop {
        let left = (LOOKED_AT as u64).saturating_sub(extent.looked);
        let few = chosen.as_mut().map(|ids| {
            let count = ids.len().min(usize::try_from(PAGE.min(left)).unwrap_or(0));
            ids.drain(..count).collect::<Vec<ResourceId>>()
        });
        let (inner, again) = (Arc::clone(&setting), Arc::clone(&see));
        let read = move |reader: &dyn Reader| {
            let (application, assigned) = (inner.application.id, &inner.assigned);
            let page = match few {
                None => directory::page(reader, application, assigned, kind, after)?,
                Some(ids) => {
                    let known = |id| directory::known(reader, application, assigned, kind, id);
                    ids.into_iter().map(known).collect::<Result<Vec<_>, _>>()?
                }
            };
            let last = page.last().map(|known| known.object.id);
            let mut seen = 0;
            for known in page
                .iter()
                .take(usize::try_from(left).unwrap_or(usize::MAX))
            {
                if Instant::now() > until {
                    break;
                }
                seen += 1;
                if !known.object.is_gone() {
                    again(&mut state, &inner, known);
                }
            }
            Ok((state, last, seen, page.len() as u64))
        };
        let (returned, last, seen, read) = context.tenant().read::<_, Error, _>(read).await?;
        state = returned;
        extent.looked += seen;
        after = last.or(after);
        if seen < read {
            extent.more = true;
            return Ok((state, extent));
        }
        let is_over = match &chosen {
            None => read < PAGE,
            Some(ids) => ids.is_empty(),
        };
        if is_over || last.is_none() {
            return Ok((state, extent));
        }
        if extent.looked >= LOOKED_AT as u64 {
            extent.more = true;
            return Ok((state, extent));
        }
    }
}

/// Returns whom the assignments bring, so many at most; absent: everybody.
fn candidates(
    reader: &dyn Reader,
    assigned: &Assigned,
    kind: Kind,
    most: usize,
) -> Result<Option<Vec<ResourceId>>, Error> {
    let Assigned::Those {
        users,
        groups,
        nested,
    } = assigned
    else {
        return Ok(None);
    };
    let own = match kind {
        Kind::User => users,
        Kind::Group => groups,
    };
    let mut found: BTreeSet<ResourceId> = own.iter().copied().collect();
    let brings = kind == Kind::User || *nested == NestedGroups::Keep;
    let goes_down = *nested != NestedGroups::Direct;
    let mut open: Vec<ResourceId> = groups.iter().copied().filter(|_| brings).collect();
    let mut met: BTreeSet<ResourceId> = open.iter().copied().collect();
    while let Some(group) = open.pop() {
        let mut after = None;
        while found.len() < most {
            let members = reader.members(group, after, PAGE)?;
            let Some(last) = members.last() else { break };
            after = Some(last.id);
            for member in members {
                if member.kind == kind {
                    found.insert(member.id);
                }
                let is_new = member.kind == Kind::Group && goes_down && met.len() < LOOKED_AT;
                if is_new && met.insert(member.id) {
                    open.push(member.id);
                }
            }
        }
        if found.len() >= most {
            break;
        }
    }
    Ok(Some(found.into_iter().take(most).collect()))
}

/// A population being counted.
#[derive(Default)]
struct Census {
    population: Population,
    failures: BTreeMap<String, Shared>,
    values: HashMap<String, Shared>,
}

impl Census {
    fn count(&mut self, object: &SourceObject, line: Option<Explained>) {
        let population = &mut self.population;
        population.in_scope += 1;
        let name = name(object);
        match line.map(|line| line.outcome) {
            Some(Outcome::Value(value)) => {
                population.values += 1;
                let value = plain(&value);
                if population.examples.len() < EXAMPLES {
                    population.examples.push((name.clone(), value.clone()));
                }
                if value != REDACTED {
                    let same = self.values.entry(value.to_lowercase()).or_default();
                    note(same, &value, name);
                }
            }
            Some(Outcome::DefaultAtCreation(_)) => population.defaults += 1,
            Some(Outcome::Reference(_) | Outcome::Members) => population.values += 1,
            Some(Outcome::LeftAlone) => population.left_alone += 1,
            Some(Outcome::Failed { message, .. }) => {
                population.failed += 1;
                let same = self.failures.entry(message.clone()).or_default();
                note(same, &message, name);
            }
            Some(Outcome::Nothing) | None => {
                population.nothing += 1;
                if population.nothing_names.len() < EXAMPLES {
                    population.nothing_names.push(name);
                }
            }
        }
    }

    fn finish(self, extent: Extent) -> Population {
        let most = |shared: Vec<Shared>| {
            let mut shared = shared;
            shared.sort_by(|one, other| {
                let order = other.count.cmp(&one.count);
                order.then_with(|| one.text.cmp(&other.text))
            });
            shared.truncate(EXAMPLES);
            shared
        };
        let several = self.values.into_values().filter(|shared| shared.count > 1);
        let several: Vec<Shared> = several.collect();
        Population {
            extent,
            failures: most(self.failures.into_values().collect()),
            duplicated: several.iter().map(|shared| shared.count).sum(),
            duplicates: most(several),
            ..self.population
        }
    }
}

fn note(shared: &mut Shared, text: &str, name: String) {
    if shared.count == 0 {
        text.clone_into(&mut shared.text);
    }
    shared.count += 1;
    if shared.names.len() < EXAMPLES {
        shared.names.push(name);
    }
}

/// Returns a value of an explanation as people read it: a text without its quotes.
pub fn plain(json: &str) -> String {
    match serde_json::from_str(json) {
        Ok(serde_json::Value::String(text)) => text,
        _ => json.to_owned(),
    }
}
