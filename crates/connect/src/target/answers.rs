//! Replies put into the words of a task, and what went wrong into words for people: what it is, and what to do.

use std::collections::HashSet;

use rollcall_sync::target_path::member;
use rollcall_sync::task::{Answer, INCOMPATIBLE, INSUFFICIENT_RIGHTS, Trouble, UNAUTHORIZED};
use serde_json::{Map, Value};
use url::Url;

use super::Page;
use super::send::LONGEST_PAUSE;
use crate::reply::{NoReply, Reply};

/// Longest text of the target's own words that is passed on, in characters.
const WORDS: usize = 300;

/// What to do when an address is not that of a SCIM endpoint.
const CHECK_PATH: &str =
    "check the path of the Tenant URL, which often ends in `/scim/v2` or `/scim`";

/// Reads a list.
pub(super) fn page(reply: &Reply) -> Result<Page, Trouble> {
    match reply.status {
        200 => {}
        404 | 405 => {
            let message = format!(
                "the endpoint answers {} to a search: the path of the Tenant URL is not that of a SCIM endpoint, or this kind of object \
                 does not exist there; {CHECK_PATH}{}",
                reply.status,
                said(reply)
            );
            return Err(Trouble::of_target(INCOMPATIBLE, message));
        }
        501 => {
            let message = format!(
                "the endpoint answers 501 to a search: it has to support `filter` with `eq`, without which nobody can be found there{}",
                said(reply)
            );
            return Err(Trouble::of_target(INCOMPATIBLE, message));
        }
        _ => return Err(refusal(reply)),
    }
    let unlike = || unlike(reply, "a search result that is not a SCIM ListResponse");
    let list = reply.object().ok_or_else(unlike)?;
    let total = member(&list, "totalResults")
        .and_then(Value::as_u64)
        .ok_or_else(unlike)?;
    let resources: Vec<Map<String, Value>> = match member(&list, "Resources") {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::Array(resources)) => resources
            .iter()
            .map(|resource| resource.as_object().cloned())
            .collect::<Option<_>>()
            .ok_or_else(unlike)?,
        Some(_) => return Err(unlike()),
    };
    let mut ids = HashSet::new();
    for resource in &resources {
        if let Some(id) = id_of(resource)?
            && !ids.insert(id)
        {
            let id: String = id.chars().take(WORDS).collect();
            let message = format!("a search result that shows the resource `{id}` twice");
            return Err(incompatible(&message));
        }
    }
    if u64::try_from(resources.len()).is_ok_and(|shown| shown > total) {
        return Err(incompatible(
            "a search result that shows more than it counts",
        ));
    }
    Ok(Page { resources, total })
}

/// Reads how a change ended.
pub(super) fn done(outcome: Result<Reply, NoReply>) -> Answer {
    let reply = match outcome {
        Ok(reply) => reply,
        Err(no_reply) => return not_answered(&no_reply),
    };
    match reply.status {
        // a proxy or a sign-in page answers so, and nobody knows whether the request came through; some servers call nothing a page
        200..=202 if reply.is_page && !reply.body.is_empty() => {
            Answer::Unknown(unlike(&reply, "a page for people instead of an answer"))
        }
        200..=202 | 204 => Answer::Done,
        404 => Answer::Missing,
        409 => Answer::Conflict(conflict(&reply)),
        408 | 500..=599 => Answer::Unknown(refusal(&reply)),
        _ => Answer::Failed(refusal(&reply)),
    }
}

pub(super) fn not_answered(no_reply: &NoReply) -> Answer {
    if no_reply.was_not_sent {
        Answer::Failed(unreached(no_reply))
    } else {
        Answer::Unknown(unreached(no_reply))
    }
}

/// Returns the id of a resource; absent: it has none. An id that is not a text is refused: a number would come back in another spelling
/// than it was sent, such as `1e3`, and nobody could tell whether it is the same.
pub(super) fn id_of(resource: &Map<String, Value>) -> Result<Option<&str>, Trouble> {
    match member(resource, "id") {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(id)) => Ok(Some(id.as_str()).filter(|id| !id.is_empty())),
        Some(other) => {
            let shown: String = other.to_string().chars().take(60).collect();
            let what = format!(
                "a resource whose `id` is {shown}, where SCIM demands a string such as \"{}\" (RFC 7643 §3.1)",
                if other.is_number() { &shown } else { "7" }
            );
            let message = format!("the endpoint sent {what}: its maker has to mend that");
            Err(Trouble::of_object(INCOMPATIBLE, message, true))
        }
    }
}

/// The endpoint said something that SCIM does not know. One such answer may be about one object; the engine counts them.
pub(super) fn incompatible(what: &str) -> Trouble {
    let message = format!(
        "the endpoint sent {what}: it does not speak SCIM 2.0 at this address; {CHECK_PATH}"
    );
    Trouble::of_object(INCOMPATIBLE, message, true)
}

/// As [`incompatible`], unless the reply shows by itself what it is.
pub(super) fn unlike(reply: &Reply, what: &str) -> Trouble {
    if !reply.is_page {
        return incompatible(what);
    }
    let message = format!(
        "the endpoint sent a web page: the Tenant URL is an address for people, not that of the SCIM interface; {CHECK_PATH}"
    );
    Trouble::of_object(INCOMPATIBLE, message, true)
}

pub(super) fn unreached(no_reply: &NoReply) -> Trouble {
    if no_reply.retry_after.is_some() {
        return Trouble::of_target("TooManyRequests", &no_reply.message)
            .after(no_reply.retry_after);
    }
    if no_reply.was_not_sent {
        return Trouble::of_target("WebExceptionProtocolError", &no_reply.message);
    }
    let code = if no_reply.is_time_out {
        "Timeout"
    } else {
        "WebExceptionProtocolError"
    };
    Trouble::of_object(code, &no_reply.message, true)
}

pub(super) fn conflict(reply: &Reply) -> String {
    let said = said(reply);
    format!("the target has another object with a unique value of this one (409){said}")
}

/// Puts a refusal into words.
pub(super) fn refusal(reply: &Reply) -> Trouble {
    let (status, said) = (reply.status, said(reply));
    let trouble = match status {
        401 => Trouble::of_target(
            UNAUTHORIZED,
            format!(
                "the target refuses the credential (401): create a new token there and enter it here{said}"
            ),
        ),
        403 => Trouble::of_object(
            INSUFFICIENT_RIGHTS,
            format!(
                "the target does not allow this (403): give the token's owner there the right to read and change users and groups{said}"
            ),
            true,
        ),
        429 if reply.retry_after.is_some_and(|wait| wait > LONGEST_PAUSE) => Trouble::of_target(
            "TooManyRequests",
            format!("the target takes no more requests for a while (429){said}"),
        ),
        300..=399 => Trouble::of_target(INCOMPATIBLE, redirected(reply)),
        status => {
            let code = match status {
                404 => "InvalidAnchor",
                405 => "MethodNotAllowed",
                408 | 504 => "Timeout",
                429 => "TooManyRequests",
                501 => "NotImplemented",
                500..=599 => "InternalServerError",
                _ => "UnprocessableEntity",
            };
            let what_to_do = match status {
                405 => format!(
                    " to {}, which it does not take at this address",
                    reply.method
                ),
                500..=599 => ": look into its log, or ask whoever runs it".to_owned(),
                _ => String::new(),
            };
            let may_pass = matches!(status, 408 | 425 | 429 | 500..=599);
            let message = format!("the target answered {status}{what_to_do}{said}");
            Trouble::of_object(code, message, may_pass)
        }
    };
    let asked = reply
        .retry_after
        .filter(|_| matches!(status, 429 | 500..=599));
    trouble.after(asked)
}

/// Says where a redirect leads, without what may be secret of the address.
fn redirected(reply: &Reply) -> String {
    let status = reply.status;
    let leads = reply.location.as_deref().and_then(|location| {
        let mut url = Url::parse(location).ok()?;
        url.set_query(None);
        url.set_fragment(None);
        url.set_password(None).ok()?;
        url.set_username("").ok()?;
        Some(url.as_str().chars().take(WORDS).collect::<String>())
    });
    match leads {
        Some(url) => format!(
            "the target redirects to `{url}` ({status}), which is not followed: enter the address to which it leads as Tenant URL, without `/Users` or `/Groups` at its end"
        ),
        None => format!(
            "the target redirects ({status}), which is not followed: enter the address to which it leads as Tenant URL"
        ),
    }
}

/// Returns what a SCIM error says.
fn detail(reply: &Reply) -> Option<String> {
    let error = reply.object()?;
    let schemas = member(&error, "schemas")?.to_string();
    let detail = member(&error, "detail")?.as_str()?;
    schemas
        .contains("api:messages:2.0:Error")
        .then(|| detail.chars().take(WORDS).collect())
}

/// Returns what a SCIM error says, after a colon; nothing of a body that is no SCIM error.
pub(super) fn said(reply: &Reply) -> String {
    detail(reply)
        .map(|detail| format!(": {detail}"))
        .unwrap_or_default()
}
