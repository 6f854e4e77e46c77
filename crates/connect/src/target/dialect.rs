//! What is learned of the dialect that a target speaks: by asking, and from its answers to everything else.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use reqwest::Method;
use rollcall_model::Kind;
use rollcall_model::profile::{Profile, Rate, Row, Updates};
use rollcall_sync::target_path::member;
use rollcall_sync::task::{Extent, INCOMPATIBLE, Trouble};
use serde_json::{Map, Value};

use super::Target;
use super::send::rounded;
use crate::pace::present;
use crate::reply::Reply;

/// What a target was found to be like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Probed {
    /// The lines of the profile that changed.
    pub changes: Vec<Row>,
    /// How long a small list took.
    pub latency: Duration,
    /// What is worth knowing, and no failure.
    pub notes: Vec<String>,
}

impl Target {
    /// Returns what is known of the target by now.
    pub fn profile(&self) -> Profile {
        let mut profile = locked(&self.shared.profile).clone();
        // the pace rises by itself
        let rate = self.shared.pace.rhythm().rate();
        if let (Some(known), Some(rate)) = (&mut profile.rate, rate) {
            known.value = Rate::from(rounded(rate));
        }
        profile
    }

    /// Asks the target what it can do, and tries a small list. A target that says nothing of itself keeps the defaults.
    ///
    /// # Errors
    /// A [`Trouble`] when it cannot be reached, or refuses the credential.
    pub async fn probe(&self) -> Result<Probed, Trouble> {
        let before = self.profile();
        let mut notes = Vec::new();
        let url = self.url_of("ServiceProviderConfig");
        if let Ok(reply) = self.exchange(Method::GET, url).await
            && reply.status == 200
            && let Some(config) = reply.object()
        {
            state(&mut locked(&self.shared.profile), &config);
        }
        let begun = present();
        let page = self.page(Kind::User, 1, 1).await;
        let latency = present().saturating_duration_since(begun);
        match page {
            Ok(page) if page.resources.is_empty() && page.total > 0 => notes.push(format!(
                "a list counts {} users and shows none: it cannot be read what the target holds",
                page.total
            )),
            Ok(page) if page.resources.len() > 1 => {
                notes.push(
                    "a list ignores `count`: it shows more users than were asked for".to_owned(),
                );
            }
            Ok(_) => {}
            Err(trouble) if trouble.extent == Extent::Target && trouble.code != INCOMPATIBLE => {
                return Err(trouble);
            }
            Err(trouble) => notes.push(format!(
                "users cannot be listed: {}; provisioning does without lists",
                trouble.message
            )),
        }
        notes.extend(self.notes(latency));
        Ok(Probed {
            changes: self.profile().changes_since(&before),
            latency,
            notes,
        })
    }

    /// Remembers what an answer showed. `learn` returns whether it was news.
    pub(super) fn learn(
        &self,
        what: &str,
        observation: String,
        learn: impl FnOnce(&mut Profile, Timestamp, String) -> bool,
    ) {
        let at = self.shared.surroundings.clock.now();
        if learn(&mut locked(&self.shared.profile), at, observation.clone()) {
            tracing::info!(what, "learned of the target: {observation}");
        }
    }

    /// Notices groups that came with members though those were to be left out.
    pub(super) fn notice_members(&self, kind: Kind, resources: &[Map<String, Value>]) {
        let has_members = |resource: &Map<String, Value>| {
            let members = member(resource, "members").and_then(Value::as_array);
            members.is_some_and(|members| !members.is_empty())
        };
        if kind == Kind::Group && resources.iter().any(has_members) {
            let observation = "a group came with its members".to_owned();
            self.learn(
                "excludedAttributes",
                observation,
                |profile, at, observation| profile.excludes_members.learn(false, at, observation),
            );
        }
    }

    /// Notices that a request held too many members: half of them may do.
    pub(super) fn notice_size(&self, operations: &[Value], reply: &Reply) {
        let is_too_large = match reply.status {
            413 => true,
            400 => reason(reply).is_some_and(|reason| speaks_of_size(&reason)),
            _ => false,
        };
        let (added, removed) = members_in(operations);
        if !is_too_large || added + removed < 2 {
            return;
        }
        let half = |count: usize, known: usize| known.min((count / 2).max(1));
        if added > 0 {
            let observation = format!("{} to {added} members at once", reply.status);
            self.learn("members added", observation, |profile, at, observation| {
                let known = &mut profile.members_added;
                known.learn(half(added, known.value), at, observation)
            });
        }
        if removed > 0 {
            let observation = format!("{} to {removed} removals at once", reply.status);
            self.learn(
                "members removed",
                observation,
                |profile, at, observation| {
                    let known = &mut profile.members_removed;
                    known.learn(half(removed, known.value), at, observation)
                },
            );
        }
    }
}

pub(super) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Takes over what a `ServiceProviderConfig` states (RFC 7643 §5, RFC 9865 §4). What it does not mention stays.
fn state(profile: &mut Profile, config: &Map<String, Value>) {
    let part = |name: &str, part: &str| member(member(config, name)?.as_object()?, part);
    let flag = |name: &str, of: &str| match part(name, of)? {
        Value::Bool(flag) => Some(*flag),
        Value::String(text) => text.to_ascii_lowercase().parse().ok(),
        _ => None,
    };
    let count = |name: &str, of: &str| part(name, of)?.as_u64().filter(|count| *count > 0);
    if let Some(patch) = flag("patch", "supported") {
        let updates = if patch { Updates::Patch } else { Updates::Put };
        profile.updates.state(updates);
    }
    if let Some(filters) = flag("filter", "supported") {
        profile.filters.state(filters);
    }
    if let Some(bulk) = flag("bulk", "supported") {
        profile.bulk.state(bulk);
    }
    if let Some(cursors) = flag("pagination", "cursor") {
        profile.cursors.state(cursors);
    }
    let caps = [
        count("filter", "maxResults"),
        count("pagination", "maxPageSize"),
    ];
    let default = Profile::default().page_size.value;
    if let Some(cap) = caps
        .into_iter()
        .flatten()
        .min()
        .filter(|cap| *cap < default)
    {
        profile.page_size.state(cap);
    }
}

/// Counts the members that operations add, and those that they take out.
fn members_in(operations: &[Value]) -> (usize, usize) {
    let (mut added, mut removed) = (0, 0);
    for operation in operations {
        let path = operation.get("path").and_then(Value::as_str);
        match path {
            Some("members") => {
                added += operation
                    .get("value")
                    .and_then(Value::as_array)
                    .map_or(0, Vec::len);
            }
            Some(path) if path.starts_with("members[") => removed += 1,
            _ => {}
        }
    }
    (added, removed)
}

/// Returns the reason of a refusal, also of one that lacks the form of a SCIM error: it is looked at here, not passed on.
fn reason(reply: &Reply) -> Option<String> {
    let error = reply.object()?;
    let parts = ["scimType", "detail", "message"];
    let parts = parts.map(|name| member(&error, name).and_then(Value::as_str));
    Some(parts.into_iter().flatten().collect::<Vec<_>>().join(" "))
}

/// Tells whether a refusal is about how much was sent at once.
fn speaks_of_size(detail: &str) -> bool {
    let detail = detail.to_lowercase();
    let much = [
        "too many",
        "toomany",
        "too large",
        "too big",
        "too long",
        "maximum",
        "exceed",
        "limit",
        "at most",
    ];
    let what = [
        "operation",
        "member",
        "value",
        "size",
        "payload",
        "request",
        "body",
        "element",
        "entries",
        "items",
    ];
    much.iter().any(|word| detail.contains(word)) && what.iter().any(|word| detail.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rollcall_model::profile::Evidence;
    use rollcall_sync::task::member_patch;
    use serde_json::json;

    fn stated(config: Value) -> Profile {
        let mut profile = Profile::default();
        state(&mut profile, config.as_object().unwrap());
        profile
    }

    #[test]
    fn what_an_endpoint_states_is_taken_over() {
        let profile = stated(json!({
            "patch": {"supported": false},
            "Filter": {"supported": true, "maxResults": 50},
            "bulk": {"supported": "True"},
            "pagination": {"cursor": true, "maxPageSize": 20},
        }));

        assert_eq!(profile.updates.value, Updates::Put);
        assert_eq!(profile.updates.evidence, Evidence::Stated);
        assert_eq!(profile.filters.evidence, Evidence::Stated);
        assert_eq!(profile.page_size.value, 20);
        assert!(profile.bulk.value && profile.cursors.value);
    }

    #[test]
    fn what_is_missing_or_makes_no_sense_leaves_the_defaults() {
        for config in [
            json!({}),
            json!({"patch": true, "filter": {"maxResults": 0}, "bulk": {"supported": 1}}),
            json!({"filter": {"maxResults": 10_000}, "pagination": null}),
        ] {
            assert_eq!(stated(config.clone()), Profile::default(), "{config}");
        }
    }

    #[test]
    fn a_refusal_for_its_size_is_told_from_others() {
        for (detail, expected) in [
            ("Too many operations in one request", true),
            ("The maximum number of members is 100", true),
            ("request body size exceeds the limit", true),
            ("member 17 does not exist", false),
            ("invalid path", false),
        ] {
            assert_eq!(speaks_of_size(detail), expected, "{detail}");
        }
    }

    #[test]
    fn members_are_counted_as_they_are_sent() {
        let operations = member_patch(&["a".into(), "b".into()], &["c".into()]);

        assert_eq!(members_in(&operations), (2, 1));
        assert_eq!(
            members_in(&[json!({"op": "add", "path": "title", "value": "x"})]),
            (0, 0)
        );
    }
}
