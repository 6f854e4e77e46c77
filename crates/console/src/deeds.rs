//! What the activity log tells, in words: one table of everything that is recorded.

use jiff::SignedDuration;
use rollcall_app::activity::Deed;
use rollcall_app::integrations::Parties;
use rollcall_model::{AuditEntry, IntegrationKind};
use serde_json::Value;

use crate::words::{Moment, Zone, capital, counted};

/// A kind of deed: its word in the log, its icon, and what it is called.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Word {
    pub(crate) action: &'static str,
    pub(crate) icon: &'static str,
    pub(crate) title: &'static str,
}

const fn word(action: &'static str, icon: &'static str, title: &'static str) -> Word {
    Word {
        action,
        icon,
        title,
    }
}

/// Everything that is recorded.
pub(crate) const WORDS: &[Word] = &[
    word("user.created", "plus", "Person created"),
    word("user.adopted", "plug", "Person adopted"),
    word("user.updated", "edit", "Person changed"),
    word("user.disabled", "offc", "Person disabled"),
    word("user.enabled", "okc", "Person enabled"),
    word("user.released", "out", "Person released from its directory"),
    word("user.deleted", "trash", "Person deleted"),
    word("user.erased", "trash", "Person erased"),
    word("user.refused", "xc", "A directory was kept from a person"),
    word("user.invited", "mail", "Person invited to activate"),
    word("user.activated", "okc", "Account activated by its owner"),
    word("user.activation_reset", "key", "Activation reset"),
    word("user.address_confirmed", "mail", "New address confirmed"),
    word("group.created", "plus", "Group created"),
    word("group.adopted", "plug", "Group adopted"),
    word("group.updated", "edit", "Group changed"),
    word("group.members", "group", "Group's members changed"),
    word("group.released", "out", "Group released from its directory"),
    word("group.deleted", "trash", "Group deleted"),
    word("group.refused", "xc", "A directory was kept from a group"),
    word(
        "integration.adoption_told",
        "mail",
        "Owners were told that a directory adopts people",
    ),
    word("token.created", "key", "Provisioning token created"),
    word("token.reset", "key", "Provisioning token reset"),
    word("token.revoked", "key", "Provisioning token revoked"),
    word("api_key.created", "key", "API key created"),
    word("api_key.revoked", "key", "API key revoked"),
    word(
        "api_key.expiry_announced",
        "key",
        "End of an API key announced",
    ),
    word(
        "token.expiry_announced",
        "mail",
        "Administrators were told that a token expires",
    ),
    word("application.created", "apps", "Application created"),
    word(
        "application.configured",
        "gear",
        "Application's settings changed",
    ),
    word(
        "application.credentials",
        "key",
        "Application's credential changed",
    ),
    word("application.assigned", "users", "Application assigned"),
    word(
        "application.unassigned",
        "users",
        "Assignment to an application ended",
    ),
    word(
        "application.deletions_allowed",
        "trash",
        "Deletions at an application allowed",
    ),
    word("application.restarted", "sync", "Provisioning restarted"),
    word("application.cycle_asked", "play", "Cycle started by hand"),
    word(
        "application.comparison_asked",
        "sync",
        "Comparison started by hand",
    ),
    word("application.plan_asked", "log", "Plan asked for"),
    word("application.plan_approved", "check", "Plan approved"),
    word("application.plan_discarded", "x", "Plan discarded"),
    word("application.removed", "trash", "Application removed"),
    word("webhook.created", "hook", "Webhook added"),
    word("webhook.changed", "hook", "Webhook changed"),
    word("webhook.paused", "pause", "Webhook paused"),
    word("webhook.resumed", "play", "Webhook resumed"),
    word("webhook.secret_rotated", "key", "Webhook's secret rotated"),
    word("webhook.tested", "hook", "Webhook tested"),
    word("webhook.sent_again", "sync", "Delivery sent again by hand"),
    word("webhook.removed", "trash", "Webhook removed"),
    word("administrator.created", "shield", "Administrator added"),
    word(
        "administrator.role_changed",
        "shield",
        "Administrator's role changed",
    ),
    word(
        "administrator.reset",
        "key",
        "Sign-in link made for an administrator",
    ),
    word("administrator.link_used", "key", "Sign-in link used"),
    word("administrator.password_changed", "key", "Password changed"),
    word("administrator.signed_in", "users", "Signed in"),
    word("administrator.refused", "xc", "Sign-in refused"),
    word("administrator.removed", "trash", "Administrator removed"),
    word("second_factor.added", "shield", "Second factor set up"),
    word("second_factor.removed", "shield", "Second factor removed"),
    word("recovery_codes.renewed", "shield", "Recovery codes renewed"),
    word("session.ended", "out", "Session ended"),
    word("session.others_ended", "out", "Other sessions ended"),
    word("key.rotated", "key", "Keys sealed anew"),
    word("key.replaced", "key", "Key replaced"),
    word("history.begun", "back", "Taking back changes began"),
    word("history.taken_back", "back", "Changes taken back"),
    word("organisation.created", "org", "Organisation created"),
    word("organisation.changed", "org", "Organisation changed"),
    word(
        "organisation.rules_changed",
        "shield",
        "Rules for administrators changed",
    ),
    word("organisation.restored", "sync", "Restored from a backup"),
];

/// The nouns by which the log is filtered, with what they are called.
pub(crate) const NOUNS: &[(&str, &str)] = &[
    ("user.", "People"),
    ("group.", "Groups"),
    ("token.", "Provisioning tokens"),
    ("api_key.", "API keys"),
    ("application.", "Applications"),
    ("webhook.", "Webhooks"),
    ("administrator.", "Administrators and sign-in"),
    ("second_factor.", "Second factors"),
    ("session.", "Sessions"),
    ("key.", "Keys"),
    ("history.", "Going back"),
    ("organisation.", "The organisation"),
];

/// Returns the word of an action.
pub(crate) fn of(action: &str) -> Option<&'static Word> {
    WORDS.iter().find(|word| word.action == action)
}

/// Returns what an action is called; what is not in the table, by its own word.
pub(crate) fn title(action: &str) -> &str {
    of(action).map_or(action, |word| word.title)
}

/// A difference: path, old, new.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Difference {
    pub(crate) path: String,
    pub(crate) old: Option<String>,
    pub(crate) new: Option<String>,
}

/// An entry of the log as pages show it.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    pub(crate) icon: &'static str,
    pub(crate) title: String,
    pub(crate) name: String,
    /// Where it is; empty: nowhere.
    pub(crate) link: String,
    pub(crate) by: String,
    pub(crate) at: Moment,
    pub(crate) exact: Moment,
    pub(crate) object: String,
    pub(crate) request: String,
    pub(crate) address: String,
    /// More about it in a few words.
    pub(crate) more: String,
    pub(crate) differences: Vec<Difference>,
    /// Where its object is shown as it was; absent: the entry is no change of a person or a group.
    pub(crate) then: Option<Then>,
}

/// The way to what a person or a group was when a change had been made, or before one that ended it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Then {
    pub(crate) words: &'static str,
    /// Where it is looked at, and where going back to it begins.
    pub(crate) look: String,
    pub(crate) back: String,
}

/// What is done to people and groups that changes them.
const CHANGES: [&str; 8] = [
    "created", "adopted", "updated", "disabled", "enabled", "released", "members", "deleted",
];

fn then(entry: &AuditEntry) -> Option<Then> {
    let (noun, verb) = entry.action.split_once('.')?;
    let list = match noun {
        "user" => "users",
        "group" => "groups",
        _ => return None,
    };
    // what was erased is nowhere any more
    if entry.detail.is_null() || !CHANGES.contains(&verb) {
        return None;
    }
    let (words, at) = match verb {
        "deleted" => (
            "As it was before",
            entry.at.checked_sub(SignedDuration::from_micros(1)).ok()?,
        ),
        _ => ("As it was then", entry.at),
    };
    let to = |page: &str| format!("/{list}/{}/{page}?at={at}", entry.object);
    Some(Then {
        words,
        look: to("then"),
        back: to("back"),
    })
}

/// So many differences of an entry are shown.
pub(crate) const DIFFERENCES: usize = 20;
/// So long a value is shown.
const VALUE: usize = 200;

/// Makes the row of an entry.
pub(crate) fn row(deed: &Deed, parties: &Parties, zone: &Zone) -> Row {
    let entry = &deed.entry;
    let noun = entry.action.split('.').next().unwrap_or_default();
    let gone = deed.name.is_none();
    let link = match noun {
        "user" if !gone => format!("/users/{}", entry.object),
        "group" if !gone => format!("/groups/{}", entry.object),
        "application" if !gone && entry.action != "application.removed" => {
            format!("/applications/{}", entry.object)
        }
        "history" => format!("/history/back/{}", entry.object),
        _ => String::new(),
    };
    let name = deed.name.clone().unwrap_or_else(|| match noun {
        "user" | "group" => "deleted meanwhile".to_owned(),
        _ => String::new(),
    });
    Row {
        icon: of(&entry.action).map_or("info", |word| word.icon),
        title: title(&entry.action).to_owned(),
        name,
        link,
        by: capital(parties.name(&entry.origin.actor)),
        at: zone.short(entry.at),
        exact: zone.exact(entry.at),
        object: entry.object.clone(),
        request: match entry.origin.actor {
            rollcall_model::Actor::Integration { .. } => entry.origin.request.to_string(),
            _ => String::new(),
        },
        address: entry.origin.address.clone().unwrap_or_default(),
        more: more(entry),
        differences: differences(&entry.detail),
        then: then(entry),
    }
}

/// Says in a few words what the details of an entry are.
fn more(entry: &AuditEntry) -> String {
    let detail = &entry.detail;
    let number = |field: &str| detail.get(field).and_then(Value::as_u64).unwrap_or(0);
    let text = |field: &str| {
        detail
            .get(field)
            .and_then(Value::as_str)
            .unwrap_or_default()
    };
    if detail.is_null() {
        return "details erased".to_owned();
    }
    let mut parts = Vec::new();
    for (field, word) in [
        ("done", "done"),
        ("refused", "refused"),
        ("left", "left alone"),
    ] {
        if number(field) > 0 {
            parts.push(format!("{} {word}", crate::words::number(number(field))));
        }
    }
    let (added, removed) = (number("added"), number("removed"));
    if added > 0 {
        parts.push(format!("{} in", counted(added, "member")));
    }
    if removed > 0 {
        parts.push(format!("{} out", counted(removed, "member")));
    }
    let changed = detail.get("changes").and_then(Value::as_array);
    if let Some(count) = changed.map(Vec::len).filter(|count| *count > 0) {
        parts.push(counted(count as u64, "attribute"));
    }
    if let Ok(kind) = text("from").parse::<IntegrationKind>() {
        parts.push(format!("from {}", kind.short()));
    }
    let reason = text("reason");
    if !reason.is_empty() {
        parts.push(shortened(reason));
    }
    parts.join(", ")
}

/// Reads the changed attributes of an entry.
pub(crate) fn differences(detail: &Value) -> Vec<Difference> {
    let changes = detail.get("changes").and_then(Value::as_array);
    changes
        .into_iter()
        .flatten()
        .take(DIFFERENCES)
        .map(|change| {
            let value = |field: &str| change.get(field).filter(|value| !value.is_null());
            let path = change.get("path").and_then(Value::as_str);
            difference(path.unwrap_or_default(), value("old"), value("new"))
        })
        .collect()
}

/// Writes one changed attribute for people.
pub(crate) fn difference(path: &str, old: Option<&Value>, new: Option<&Value>) -> Difference {
    // the URN of an extension says little and is long
    let short = path
        .strip_prefix("urn:")
        .map_or(path, |urn| urn.rsplit(':').next().unwrap_or_default());
    Difference {
        path: shortened(short),
        old: old.map(shown),
        new: new.map(shown),
    }
}

/// Writes a value for people: texts plain, anything else as JSON.
pub(crate) fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => shortened(text),
        Value::Bool(true) => "yes".to_owned(),
        Value::Bool(false) => "no".to_owned(),
        other => shortened(&other.to_string()),
    }
}

fn shortened(text: &str) -> String {
    let mut short: String = text.chars().take(VALUE).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use serde_json::json;

    use super::*;

    /// Collects what looks like an action in the source of the use cases.
    fn recorded(folder: &Path, found: &mut Vec<String>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                recorded(&path, found);
                continue;
            }
            let text = std::fs::read_to_string(&path).unwrap_or_default();
            for word in text.split('"').skip(1) {
                let Some((noun, verb)) = word.split_once('.') else {
                    continue;
                };
                let is_word = |word: &str| {
                    !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase() || b == b'_')
                };
                let is_noun = NOUNS
                    .iter()
                    .any(|(known, _)| known.trim_end_matches('.') == noun)
                    || noun == "recovery_codes";
                if is_noun && is_word(verb) {
                    found.push(word.to_owned());
                }
            }
        }
    }

    #[test]
    fn everything_that_is_recorded_has_words() {
        let mut found = Vec::new();
        for source in ["../app/src", "../engine/src"] {
            let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(source);
            recorded(&folder, &mut found);
        }
        assert!(found.len() > 20, "{found:?}");
        for action in found {
            assert!(of(&action).is_some(), "`{action}` has no words");
        }
    }

    #[test]
    fn differences_are_read_whatever_they_are() {
        let detail = json!({"changes": [
            {"path": "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department", "old": null, "new": "Sales"},
            {"path": "active", "old": true, "new": false},
            {"path": 7}, "odd",
        ]});
        let read = differences(&detail);
        assert_eq!(read[0].path, "department");
        assert_eq!(
            (read[0].old.as_deref(), read[0].new.as_deref()),
            (None, Some("Sales"))
        );
        assert_eq!(read[1].old.as_deref(), Some("yes"));
        assert_eq!(read.len(), 4);
        assert!(differences(&json!(null)).is_empty());
    }
}
