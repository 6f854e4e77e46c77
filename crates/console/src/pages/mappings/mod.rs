//! The mappings of an application: what fills the target's attributes, who is in scope, the target's attribute list, the schema.
//!
//! **Start at** [`list`]; [`edit`] has one line, [`line`] what is pure about it.

mod attributes;
mod conflict;
mod edit;
mod line;
mod list;
mod restore;
#[cfg(any(test, feature = "samples"))]
mod sample;
mod schema;
mod scope;

use rollcall_app::mappings::version;
use rollcall_engine::Error;
use rollcall_model::mapping::ObjectMapping;
use rollcall_model::{Application, ApplicationId, Kind};
use rollcall_sync::explain::Outcome;

use crate::Console;
use crate::guard::Known;
use crate::layout::{Frame, Place, encoded};
use crate::pages::applications::Tab;
use crate::problem::Problem;
use crate::table::Routes;

#[cfg(any(test, feature = "samples"))]
pub(crate) use sample::samples;

pub(crate) fn routes() -> Routes {
    let mut routes = list::routes();
    routes.extend(edit::routes());
    routes.extend(restore::routes());
    routes.extend(scope::routes());
    routes.extend(attributes::routes());
    routes.extend(schema::routes());
    routes
}

/// Which mapping a page is about.
#[derive(Debug, Clone)]
struct Head {
    /// The application's id.
    id: String,
    /// Its name.
    application: String,
    kind: Kind,
    /// The version of the mapping that the page shows.
    version: String,
    /// The job file that configures the application: then nothing is changed here.
    job_file: Option<String>,
}

impl Head {
    fn new(application: &Application, kind: Kind) -> Self {
        Self {
            id: application.id.to_string(),
            application: application.name.clone(),
            kind,
            version: version(application.mapping(kind)),
            job_file: application.job_file.clone(),
        }
    }

    /// Marks the current tab of the application.
    #[expect(clippy::unused_self, reason = "the template asks the page")]
    fn at(&self, tab: Tab) -> &'static str {
        if tab == Tab::Mappings {
            " aria-current=page"
        } else {
            ""
        }
    }

    /// The kind in addresses.
    fn word(&self) -> &'static str {
        match self.kind {
            Kind::User => "users",
            Kind::Group => "groups",
        }
    }

    /// The kind as a heading.
    fn title(&self) -> &'static str {
        match self.kind {
            Kind::User => "Users",
            Kind::Group => "Groups",
        }
    }

    /// One object of the kind.
    fn one(&self) -> &'static str {
        match self.kind {
            Kind::User => "user",
            Kind::Group => "group",
        }
    }

    /// Several objects of the kind.
    fn many(&self) -> &'static str {
        match self.kind {
            Kind::User => "people",
            Kind::Group => "groups",
        }
    }

    /// What a person or a group is chosen by.
    fn chosen_by(&self) -> &'static str {
        match self.kind {
            Kind::User => "Person",
            Kind::Group => "Group",
        }
    }

    fn base(&self) -> String {
        format!("/applications/{}/mappings/{}", self.id, self.word())
    }

    /// So many of the kind, in words.
    fn counted(&self, count: u64) -> String {
        match self.kind {
            Kind::User => crate::words::people(count),
            Kind::Group => crate::words::counted(count, "group"),
        }
    }
}

fn kind_of(word: &str) -> Result<Kind, Problem> {
    match word {
        "users" => Ok(Kind::User),
        "groups" => Ok(Kind::Group),
        _ => Err(Problem::missing()),
    }
}

fn mapping_of(application: &mut Application, kind: Kind) -> &mut ObjectMapping {
    match kind {
        Kind::User => &mut application.users,
        Kind::Group => &mut application.groups,
    }
}

/// Somebody whom results are shown for.
#[derive(Debug, Clone, Default)]
struct Person {
    /// The name as typed, or of who was chosen for want of a word.
    name: String,
    id: Option<rollcall_model::ResourceId>,
    /// Who else is offered.
    offered: Vec<String>,
    /// Why there is nobody.
    error: Option<String>,
}

impl Console {
    async fn application(&self, known: &Known, id: &str) -> Result<Application, Problem> {
        let id: ApplicationId = id.parse().map_err(|_| Problem::missing())?;
        let context = known.visitor.context();
        let found = self.app.application_named(&context, &id.to_string()).await;
        found.map_err(|failure| match failure {
            rollcall_app::Failure::Missing { .. } => Problem::missing(),
            other => other.into(),
        })
    }

    /// Likewise, for a change: what a job file configures is changed there.
    async fn editable(&self, known: &Known, id: &str) -> Result<Application, Problem> {
        let id: ApplicationId = id.parse().map_err(|_| Problem::missing())?;
        self.changeable(known, id)
            .await
            .map_err(|problem| match problem {
                Problem::Failure(rollcall_app::Failure::Missing { .. }) => Problem::missing(),
                other => other,
            })
    }

    /// Makes the frame of a page about mappings; what a job file configures is not offered to be changed.
    async fn mapping_frame(
        &self,
        known: &Known,
        head: &Head,
        title: &str,
    ) -> Result<Frame, Problem> {
        let mut frame = self.frame(known, Place::Applications, title).await?;
        frame.may.provisioning &= head.job_file.is_none();
        Ok(frame)
    }

    /// Finds whom results are shown for: who was named, or the first whom the application concerns.
    async fn person(
        &self,
        known: &Known,
        application: &Application,
        kind: Kind,
        typed: &str,
    ) -> Result<Person, Problem> {
        let context = known.visitor.context();
        let offered = self
            .engine
            .offered(&context, application.clone(), kind)
            .await
            .map_err(problem)?;
        let mut person = Person {
            name: typed.to_owned(),
            offered: offered.iter().map(|(_, name)| name.clone()).collect(),
            ..Person::default()
        };
        let same = |name: &str| name.to_lowercase() == typed.to_lowercase();
        let first = match typed {
            "" => offered.first(),
            _ => offered.iter().find(|(_, name)| same(name)),
        };
        if let Some((id, name)) = first {
            person.id = Some(*id);
            person.name.clone_from(name);
            return Ok(person);
        }
        if typed.is_empty() {
            return Ok(person);
        }
        let principal = rollcall_model::Principal {
            kind,
            name: typed.to_owned(),
        };
        match self
            .app
            .principal(&context, application.id, principal)
            .await
        {
            Ok(id) => person.id = Some(id),
            Err(rollcall_app::Failure::Principals(_)) => {
                let what = if kind == Kind::User {
                    "There is no person of this name. Enter a user name."
                } else {
                    "There is no group of this name."
                };
                person.error = Some(what.to_owned());
            }
            Err(failure) => return Err(failure.into()),
        }
        Ok(person)
    }
}

/// Returns the problem of a look at our own directory.
fn problem(error: Error) -> Problem {
    match error {
        Error::Failed(failure) => failure.into(),
        _ => Problem::internal("a look at the directory that asked for more"),
    }
}

/// Returns the class and the words of what comes out of a line.
fn shown(outcome: &Outcome) -> (&'static str, String) {
    match outcome {
        Outcome::Value(value) => ("res", rollcall_engine::preview::plain(value)),
        Outcome::DefaultAtCreation(value) => {
            let value = rollcall_engine::preview::plain(value);
            ("soft", format!("{value} (default, when created)"))
        }
        Outcome::Nothing => ("muted", "No value".to_owned()),
        Outcome::LeftAlone => ("muted", "Left alone".to_owned()),
        Outcome::Reference(id) => ("soft", format!("Refers to {id}")),
        Outcome::Members => ("soft", "The members".to_owned()),
        Outcome::Failed { message, .. } => ("bad", format!("Fails: {message}")),
    }
}

/// Puts a parameter behind an address.
fn with(address: &str, name: &str, value: &str) -> String {
    if value.is_empty() {
        return address.to_owned();
    }
    format!("{address}?{name}={}", encoded(value))
}
