//! Going back: what people and groups were, and the way there, of one object or of all that somebody did in a span of time.
//!
//! **Start at** [`routes`]: `one` has the pages of one object, `span` those of a span, `run` what came of it.

mod one;
mod run;
#[cfg(any(test, feature = "samples"))]
mod samples;
mod span;

use jiff::civil::DateTime;
use jiff::{SignedDuration, Timestamp};
use rollcall_app::history::{Deed, Moment as Then, Reason};
use rollcall_app::{App, AuditQuery};
use rollcall_model::{Kind, Permission};
use rollcall_web::places::Place as Reading;

use crate::Console;
use crate::deeds::{self, DIFFERENCES, Difference, Row};
use crate::guard::Known;
use crate::problem::Problem;
use crate::table::{Needs, Routes, action, page};
use crate::words::{Moment, Zone, counted};

pub(crate) use run::Runs;
#[cfg(any(test, feature = "samples"))]
pub(crate) use samples::samples;

/// The end of the feed, wherever it is.
const NOW: Then = Then::Place(u64::MAX);
/// So many entries of the log are looked through for what happened while a plan was looked at.
const MEANWHILE: u64 = 100;
/// So many of them are shown.
const SHOWN: usize = 10;

pub(crate) fn routes() -> Routes {
    let read = Needs::Role(Permission::Read);
    let people = Needs::Role(Permission::ManagePeople);
    let provisioning = Needs::Role(Permission::ManageProvisioning);
    vec![
        page("/users/{id}/then", read, one::then_user),
        page("/users/{id}/back", people, one::ask_user),
        action("/users/{id}/back", people, one::take_user),
        page("/groups/{id}/then", read, one::then_group),
        page("/groups/{id}/back", people, one::ask_group),
        action("/groups/{id}/back", people, one::take_group),
        page("/history/diff", read, span::differs),
        page("/history/back", read, span::ask),
        action("/history/back", provisioning, span::take),
        page("/history/back/{run}", read, run::look),
    ]
}

/// Reads an instant: as the console links to it, or as a field for date and time sends it, in the organisation's time zone. The end of a
/// span means all of its second.
fn instant(text: &str, zone: &Zone, is_end: bool) -> Result<Option<Timestamp>, String> {
    if text.is_empty() {
        return Ok(None);
    }
    if let Ok(at) = text.parse() {
        return Ok(Some(at));
    }
    let wrong = || format!("`{text}` is no date with a time: write it as 2026-01-31T09:00");
    let local: DateTime = text.parse().map_err(|_| wrong())?;
    let at = zone.time_zone().to_timestamp(local).map_err(|_| wrong())?;
    let rest = SignedDuration::from_micros(if is_end { 999_999 } else { 0 });
    Ok(Some(at.checked_add(rest).map_err(|_| wrong())?))
}

/// Writes an instant with its day, today as well.
fn when(at: Timestamp, zone: &Zone) -> Moment {
    let exact = zone.exact(at);
    if exact.text.contains(' ') {
        return exact;
    }
    Moment {
        text: format!("today, {}", exact.text),
        ..exact
    }
}

/// Writes changed attributes for people; and how many more there are.
fn differences(changes: &[rollcall_scim::patch::Change]) -> (Vec<Difference>, String) {
    let shown = changes.iter().take(DIFFERENCES);
    let shown = shown
        .map(|change| deeds::difference(&change.path, change.old.as_ref(), change.new.as_ref()));
    let rest = changes.len().saturating_sub(DIFFERENCES) as u64;
    let more = if rest > 0 {
        format!("And {} more.", counted(rest, "attribute"))
    } else {
        String::new()
    };
    (shown.collect(), more)
}

/// Says why something is left alone.
fn reason(reason: Reason) -> &'static str {
    match reason {
        Reason::ChangedSince => "Changed again since: only a person can tell what is right now.",
        Reason::SomebodyElse => {
            "Somebody else changed it in that time too: only a person can tell what is right now."
        }
        Reason::Erased => "What it was has been erased.",
        Reason::NewGroup => "A new group: it stays, unless what came is deleted.",
    }
}

/// Says what is done in one word, as a button and a list say it.
fn verb(deed: &Deed) -> &'static str {
    match deed {
        Deed::Restore { .. } => "Change it back",
        Deed::Recreate { .. } => "Create it again",
        Deed::Disable { .. } => "Disable it",
        Deed::Delete { .. } => "Delete it",
        Deed::Leave(_) => "Leave it",
    }
}

fn list(kind: Kind) -> &'static str {
    match kind {
        Kind::User => "users",
        Kind::Group => "groups",
    }
}

impl Console {
    /// Takes the organisation's place among those that read the past, to be kept until that is done.
    ///
    /// # Errors
    /// [`Problem::Busy`] when it is taken, or all are: nobody is kept waiting for as long as others take.
    fn reading(&self, known: &Known) -> Result<Reading, Problem> {
        let organisation = known.visitor.context().tenant().organisation();
        self.past.place(organisation).ok_or(Problem::Busy)
    }
}

/// Returns what was done to people and groups, or to one of them, since an instant: latest first.
async fn meanwhile(
    console: &Console,
    known: &Known,
    object: Option<String>,
    since: Option<Timestamp>,
) -> Result<Vec<Row>, Problem> {
    let context = known.visitor.context();
    let app: &App = &console.app;
    let query = AuditQuery {
        object,
        from: since,
        ..AuditQuery::default()
    };
    let found = app.activity(&context, query, MEANWHILE).await?;
    let parties = app.parties(&context).await?;
    let zone = console.zone(known);
    let of_objects = found.iter().filter(|deed| {
        let action = &deed.entry.action;
        action.starts_with("user.") || action.starts_with("group.")
    });
    let rows = of_objects.map(|deed| deeds::row(deed, &parties, &zone));
    Ok(rows.take(SHOWN).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instant_is_read_in_the_zone_of_the_organisation_and_an_end_is_all_of_its_second() {
        let zone = Zone::new(Some("Europe/Oslo"), Timestamp::UNIX_EPOCH);
        for (text, is_end, expected) in [
            ("2026-01-31T09:00", false, "2026-01-31T08:00:00Z"),
            ("2026-01-31T09:00:07", true, "2026-01-31T08:00:07.999999Z"),
            ("2026-01-31T09:00:07Z", true, "2026-01-31T09:00:07Z"),
        ] {
            let read = instant(text, &zone, is_end).unwrap().unwrap();
            assert_eq!(read.to_string(), expected, "{text}");
        }
        assert_eq!(instant("", &zone, true), Ok(None));
        let wrong = instant("yesterday", &zone, false).unwrap_err();
        assert!(wrong.contains("2026-01-31T09:00"), "{wrong}");
    }
}
