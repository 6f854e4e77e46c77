//! `/events`: what happened, in order and without a gap; and waiting for what happens next.

use std::time::Duration;

use rollcall_app::event_feed::{After, Place, Told};
use rollcall_model::{Event, KeyRole};
use rollcall_web::limits;
use tokio::time::Instant;

use crate::described::Nothing;
use crate::listing::count;
use crate::operation::{Call, GET, Operation};
use crate::problem::Problem;

/// How often whoever waits looks: also what another server has written is seen so.
const LOOKED_EVERY: Duration = Duration::from_millis(500);
/// The word for the end of the feed.
const END: &str = "end";

described! {
    /// A part of what happened.
    pub(crate) struct EventFeed {
        /// The events, the oldest first. Between two of them nothing was left out.
        events: Vec<Event>,
        /// What to ask with as `after` for what comes next. It never grows old.
        cursor: String,
        /// Whether more follow already.
        more: bool,
    }
}

described! {
    /// Which events are wanted.
    pub(crate) struct Asked {
        /// Those after this `cursor`; absent: from the very beginning; `end`: only what happens from now on.
        after: Option<String>,
        /// How many at most, 1 to 1000; 100 when absent.
        limit: Option<u64>,
        /// When there is none, wait for one, up to so many seconds, 25 at most; absent: do not wait.
        wait: Option<u64>,
    }
}

pub(crate) fn operations() -> Vec<Operation> {
    vec![Operation::new(
        (GET, "/events"),
        KeyRole::Read,
        (
            "listEvents",
            "Returns what happened to people and groups, in order and without a gap; waits for the next event if asked to",
        ),
        list,
    )]
}

async fn list(call: Call<Asked, Nothing>) -> Result<EventFeed, Problem> {
    let (app, context) = (&call.api.app, call.context());
    let after = match call.query.after.as_deref() {
        None | Some("") => After::Place(Place::default()),
        Some(END) => After::End,
        Some(cursor) => After::Place(cursor.parse().map_err(|_| {
            Problem::Wrong(format!(
                "`after` is no cursor of events: take `cursor` of an earlier answer, `{END}`, or leave it out to begin at the beginning"
            ))
        })?),
    };
    let many = count(call.query.limit);
    let told = app.events(&context, after, many).await?;
    let mut told = told.ok_or_else(restored)?;
    let wait = call.query.wait.unwrap_or_default().min(limits::EVENTS_WAIT);
    if told.events.is_empty() && wait > 0 {
        told = waited(&call, told.until, many, Duration::from_secs(wait)).await?;
    }
    Ok(EventFeed {
        more: told.until.at() < told.last,
        cursor: told.until.to_string(),
        events: told.events,
    })
}

fn restored() -> Problem {
    Problem::Wrong(format!(
        "the store was restored from a backup since, and what `after` names happened differently: read people and groups anew, and go on from `after={END}`"
    ))
}

/// Waits until something happens, the time is up, or the server stops; then tells what there is.
async fn waited(
    call: &Call<Asked, Nothing>,
    after: Place,
    many: u64,
    wait: Duration,
) -> Result<Told, Problem> {
    let (app, context) = (&call.api.app, call.context());
    let place = call.api.waiting.place(call.holder.organisation.id);
    let _place = place.ok_or(Problem::Crowded)?;
    let end = Instant::now() + wait;
    loop {
        let next = (Instant::now() + LOOKED_EVERY).min(end);
        tokio::select! {
            () = tokio::time::sleep_until(next) => {}
            () = call.api.stopping.cancelled() => break,
        }
        if next == end || app.end_of_feed(&context).await? != after.at() {
            break;
        }
    }
    let told = app.events(&context, After::Place(after), many).await?;
    told.ok_or_else(restored)
}
