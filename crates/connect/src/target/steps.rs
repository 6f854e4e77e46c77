//! The connection test, told step by step: reached, encrypted, signed in, speaks SCIM, searches.
//!
//! Each step is tried once and in order; behind the first that fails nothing is tried.

use std::time::Duration;

use reqwest::Method;
use rollcall_model::Kind;
use rollcall_sync::target_path::member;
use rollcall_sync::task::{Answer, Trouble};
use serde_json::Value;

use super::Target;
use crate::figures::End;
use crate::pace::present;
use crate::reply::send;

/// How long a connection may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long a look-up may take, however often it is tried.
const LOOK_UP: Duration = Duration::from_secs(25);

/// A step of the connection test.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    /// The name is known, and something listens at the address.
    Reach,
    /// The connection is encrypted, and the certificate is good.
    Encrypt,
    /// The credential is accepted.
    SignIn,
    /// The endpoint speaks SCIM.
    Speak,
    /// The endpoint filters.
    Search,
}

impl Step {
    /// All steps, in order.
    pub const ALL: [Self; 5] = [
        Self::Reach,
        Self::Encrypt,
        Self::SignIn,
        Self::Speak,
        Self::Search,
    ];
}

/// How a step of the connection test ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stepped {
    /// Which.
    pub step: Step,
    /// What was seen, or why it failed and what to do.
    pub seen: Result<String, String>,
    /// How long it took.
    pub took: Duration,
}

impl Target {
    /// Tests the connection step by step. The look-up is for a value that nobody has, of the attribute by which objects of the kind are
    /// matched.
    pub async fn steps(&self, (kind, attribute): (Kind, &str), nobody: &str) -> Vec<Stepped> {
        let mut steps = Vec::new();
        let begun = present();
        let reached = self.reach().await;
        let failed = reached.is_err();
        steps.push(Stepped {
            step: Step::Reach,
            seen: reached,
            took: present().saturating_duration_since(begun),
        });
        if failed {
            return steps;
        }
        let begun = present();
        let (encrypted, abilities) = self.encrypt().await;
        let failed = encrypted.is_err();
        steps.push(Stepped {
            step: Step::Encrypt,
            seen: encrypted,
            took: present().saturating_duration_since(begun),
        });
        if failed {
            return steps;
        }
        let begun = present();
        let search = self.find(kind, attribute, nobody);
        let answer = tokio::time::timeout(LOOK_UP, search).await;
        let answer = answer.unwrap_or_else(|_| {
            let message =
                "the endpoint did not answer a search in time: look there whether it is overloaded";
            Answer::Failed(Trouble::of_target("Timeout", message))
        });
        let took = present().saturating_duration_since(begun);
        let mut add = |step, seen| steps.push(Stepped { step, seen, took });
        let accepted = "the token is accepted".to_owned();
        let speaks = abilities.unwrap_or_else(|| "a search is answered as SCIM 2.0 demands".into());
        match answer {
            Answer::Found(found) if found.is_empty() => {
                add(Step::SignIn, Ok(accepted));
                add(Step::Speak, Ok(speaks));
                let seen =
                    format!("asked for a `{attribute}` that nobody has, and got an empty list");
                add(Step::Search, Ok(seen));
            }
            Answer::Failed(trouble) | Answer::Unknown(trouble) if is_about_credential(&trouble) => {
                add(Step::SignIn, Err(trouble.message));
            }
            Answer::Failed(trouble) | Answer::Unknown(trouble)
                if trouble.code != "DuplicateTargetEntries" =>
            {
                add(Step::SignIn, Ok(accepted));
                add(Step::Speak, Err(trouble.message));
            }
            _ => {
                add(Step::SignIn, Ok(accepted));
                add(Step::Speak, Ok(speaks));
                let seen = format!(
                    "the endpoint ignores filters: it found somebody whose `{attribute}` is a value that nobody has; it has to support \
                     `filter={attribute} eq \"…\"`, or another matching attribute has to be chosen"
                );
                add(Step::Search, Err(seen));
            }
        }
        steps
    }

    /// Looks the name up, and opens a connection to one of its addresses that may be called.
    async fn reach(&self) -> Result<String, String> {
        let base = &self.shared.base;
        let host = base.host_str().unwrap_or_default();
        let name = host.trim_start_matches('[').trim_end_matches(']');
        let port = base.port_or_known_default().unwrap_or(443);
        let found = self.shared.client.resolve(name, port).await?;
        let mut last = format!("`{host}` has no address");
        for address in found {
            let connection = tokio::net::TcpStream::connect(address);
            match tokio::time::timeout(PATIENCE, connection).await {
                Ok(Ok(_)) => {
                    let shown = address.ip().to_string();
                    return Ok(if shown == name {
                        format!("port {port} of {shown} takes connections")
                    } else {
                        format!("{name} is {shown}, and takes connections at port {port}")
                    });
                }
                Ok(Err(error)) if error.kind() == std::io::ErrorKind::ConnectionRefused => {
                    last = format!(
                        "`{host}` refuses connections: nothing listens at port {port}; check address and port"
                    );
                }
                Ok(Err(_)) => {
                    last = format!("`{host}` cannot be reached: check address, port and firewall");
                }
                Err(_) => {
                    last = format!(
                        "`{host}` did not accept a connection in time: check address, port and firewall"
                    );
                }
            }
        }
        Err(last)
    }

    /// Makes a first request, without the credential; returns what the endpoint says of its abilities, too.
    async fn encrypt(&self) -> (Result<String, String>, Option<String>) {
        let url = self.url_of("ServiceProviderConfig");
        let request = self.shared.client.request(Method::GET, url);
        let request = request.header("accept", "application/scim+json");
        let now = self.shared.surroundings.clock.now();
        let client = &self.shared.client;
        match send((client, End::Target), Method::GET, request, now).await {
            Err(no_reply) => (Err(no_reply.message), None),
            Ok(reply) => {
                let config = (reply.status == 200).then(|| reply.object()).flatten();
                let seen = if self.shared.base.scheme() == "https" {
                    "TLS, and a certificate that is valid for this name"
                } else {
                    "not encrypted: the address is http, and the token and people's data can be read on the way; use https outside of tests"
                };
                let abilities = config.map(|config| abilities(&config));
                (Ok(seen.to_owned()), abilities)
            }
        }
    }
}

fn is_about_credential(trouble: &Trouble) -> bool {
    matches!(trouble.code.as_str(), "Unauthorized" | "InsufficientRights")
}

/// Says what an endpoint supports by its own words (RFC 7643 §5).
fn abilities(config: &serde_json::Map<String, Value>) -> String {
    let has = |name: &str| {
        let ability = member(config, name).and_then(Value::as_object);
        let supported = ability.and_then(|ability| member(ability, "supported"));
        supported.and_then(Value::as_bool).unwrap_or_default()
    };
    let (mut can, mut cannot) = (Vec::new(), Vec::new());
    for (name, word) in [("patch", "PATCH"), ("filter", "filter"), ("bulk", "bulk")] {
        if has(name) {
            can.push(word);
        } else {
            cannot.push(word);
        }
    }
    match (can.is_empty(), cannot.is_empty()) {
        (true, _) => {
            "SCIM 2.0; it says of itself that it supports neither PATCH nor filters".into()
        }
        (false, true) => format!("SCIM 2.0 with {}", can.join(", ")),
        (false, false) => format!(
            "SCIM 2.0 with {}, without {}",
            can.join(", "),
            cannot.join(", ")
        ),
    }
}
