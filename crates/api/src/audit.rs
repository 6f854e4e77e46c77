//! `/audit`: who did what.

use jiff::Timestamp;
use rollcall_app::AuditQuery;
use rollcall_app::activity::Deed;
use rollcall_model::{Actor, KeyRole};
use serde_json::Value;

use crate::described::Nothing;
use crate::listing::count;
use crate::operation::{Call, GET, Operation};
use crate::problem::Problem;

words! {
    /// What kind of actor acts.
    pub(crate) enum ActorType {
        /// A foreign directory.
        Integration "integration",
        /// An administrator in the console.
        Administrator "administrator",
        /// Whoever ran a command on the server.
        Command "command",
        /// Rollcall itself.
        System "system",
        /// A program with an API key.
        Key "key",
    }
}

described! {
    /// Who acted.
    pub(crate) struct Who {
        /// What kind of actor it was.
        r#type: ActorType,
        /// Which one; null where there is only one of the kind.
        id: Option<String>,
        /// What they are called, for people.
        name: String,
    }
}

described! {
    /// An entry of the audit log.
    pub(crate) struct AuditEntry {
        /// Its place in the log, from 1, without gaps.
        sequence: u64,
        /// When it happened.
        at: Timestamp,
        /// What was done, such as `user.disabled` or `token.reset`.
        action: String,
        /// The id of what it was done to.
        object: String,
        /// Its name; null: it is gone, or has none.
        object_name: Option<String>,
        /// Who did it.
        actor: Who,
        /// The address from which the request came; null: it did not come over the network.
        address: Option<String>,
        /// The request or command, as answers and logs name it.
        request_id: String,
        /// More about it: the attributes that changed with their old and new values, counts, reasons. Null: it was erased.
        detail: Value,
    }
}

described! {
    /// A page of the audit log.
    pub(crate) struct AuditLog {
        /// The entries, the latest first.
        entries: Vec<AuditEntry>,
        /// The `cursor` of the next page; null: this is the last.
        next: Option<String>,
    }
}

described! {
    /// Which entries are wanted.
    pub(crate) struct Asked {
        /// Only what was done so: an action such as `user.created`, or all of a noun, `user.`.
        action: Option<String>,
        /// Only what was done to the object with this id.
        object: Option<String>,
        /// The page that begins here: `next` of the page before, asked with the same conditions; good for an hour.
        cursor: Option<String>,
        /// How many at most, 1 to 1000; 100 when absent.
        limit: Option<u64>,
    }
}

pub(crate) fn operations() -> Vec<Operation> {
    vec![Operation::new(
        (GET, "/audit"),
        KeyRole::Read,
        ("listAudit", "Lists the audit log, the latest entries first"),
        list,
    )]
}

async fn list(call: Call<Asked, Nothing>) -> Result<AuditLog, Problem> {
    let Asked {
        action,
        object,
        cursor,
        limit,
    } = call.query.clone();
    let question = format!(
        "audit {} {}",
        action.as_deref().unwrap_or_default(),
        object.as_deref().unwrap_or_default()
    );
    let before = call.opened(cursor.as_deref(), &question)?;
    let many = count(limit);
    let query = AuditQuery {
        action: action.filter(|action| !action.is_empty()),
        object: object.filter(|object| !object.is_empty()),
        before: before.map(u64::from_be_bytes),
        ..AuditQuery::default()
    };
    let (app, context) = (&call.api.app, call.context());
    let parties = app.parties(&context).await?;
    let mut deeds = app
        .activity(&context, query, many.saturating_add(1))
        .await?;
    let more = deeds.len() as u64 > many;
    deeds.truncate(usize::try_from(many).unwrap_or(usize::MAX));
    let last = deeds.last().map(|deed| deed.entry.sequence);
    Ok(AuditLog {
        entries: deeds
            .into_iter()
            .map(|deed| shown(deed, &parties))
            .collect(),
        next: last
            .filter(|_| more)
            .map(|last| call.sealed(&last.to_be_bytes(), &question)),
    })
}

fn shown(deed: Deed, parties: &rollcall_app::integrations::Parties) -> AuditEntry {
    let Deed { entry, name } = deed;
    let actor = &entry.origin.actor;
    let (kind, id) = match actor {
        Actor::Integration { id, .. } => (ActorType::Integration, Some(id.to_string())),
        Actor::Administrator { id } => (ActorType::Administrator, Some(id.to_string())),
        Actor::Command => (ActorType::Command, None),
        Actor::System => (ActorType::System, None),
        Actor::Key { id } => (ActorType::Key, Some(id.to_string())),
    };
    AuditEntry {
        sequence: entry.sequence,
        at: entry.at,
        object_name: name,
        actor: Who {
            r#type: kind,
            id,
            name: parties.name(actor).to_owned(),
        },
        action: entry.action,
        object: entry.object,
        address: entry.origin.address,
        request_id: entry.origin.request.to_string(),
        detail: entry.detail,
    }
}
