//! What waits for a decision of an administrator.

use jiff::{SignedDuration, Timestamp};
use rollcall_model::provisioning::{Quarantine, QuarantineReason};
use rollcall_model::{Application, IntegrationKind, TokenId};

use crate::directory::Context;
use crate::{App, Failure};

/// So long before its end a token is said to expire.
const EXPIRES_SOON: SignedDuration = SignedDuration::from_hours(14 * 24);

/// Something that waits for a decision.
#[derive(Debug, Clone, PartialEq)]
pub enum Attention {
    /// The deletion guard holds people back.
    Held {
        /// Where.
        application: Box<Application>,
        /// What the guard said.
        quarantine: Quarantine,
    },
    /// An application's job has stopped.
    Quarantine {
        /// Where.
        application: Box<Application>,
        /// Why.
        quarantine: Quarantine,
    },
    /// The last token of an integration ends soon, or has ended.
    TokenExpires {
        /// The integration.
        kind: IntegrationKind,
        /// The token.
        token: TokenId,
        /// When.
        at: Timestamp,
    },
    /// The trial ends soon, or has ended.
    TrialEnds {
        /// When.
        at: Timestamp,
    },
    /// Nearly all seats are taken, or all.
    Seats {
        /// How many are taken.
        taken: u64,
        /// How many there are.
        seats: u32,
    },
}

impl App {
    /// Lists what waits for a decision, the most pressing first.
    pub async fn attention(&self, context: &Context) -> Result<Vec<Attention>, Failure> {
        let now = self.now();
        context
            .tenant()
            .read(move |reader| {
                let (mut held, mut stopped, mut later) = (Vec::new(), Vec::new(), Vec::new());
                for application in reader.applications()? {
                    let Some(quarantine) = reader.job(application.id)?.quarantine else {
                        continue;
                    };
                    let application = Box::new(application);
                    if quarantine.reason == QuarantineReason::TooManyDeletes {
                        held.push(Attention::Held {
                            application,
                            quarantine,
                        });
                    } else {
                        stopped.push(Attention::Quarantine {
                            application,
                            quarantine,
                        });
                    }
                }
                let tokens = reader.tokens()?;
                for integration in reader.integrations()? {
                    let last = tokens
                        .iter()
                        .filter(|token| token.integration == integration.id)
                        .max_by_key(|token| token.expires.unwrap_or(Timestamp::MAX));
                    // one that was never used and has ended was revoked, not forgotten
                    let ends = last.and_then(|token| {
                        let at = token.expires?;
                        let is_due = at.duration_since(now) < EXPIRES_SOON;
                        let was_in_use = at > now || token.last_used.is_some();
                        (is_due && was_in_use).then_some((token.id, at))
                    });
                    if let Some((token, at)) = ends {
                        later.push(Attention::TokenExpires {
                            kind: integration.kind,
                            token,
                            at,
                        });
                    }
                }
                let organisation = reader.organisation()?;
                if let rollcall_model::Plan::Trial { until } = organisation.plan
                    && until.duration_since(now) < EXPIRES_SOON
                {
                    later.push(Attention::TrialEnds { at: until });
                }
                if let Some(seats) = organisation.seats {
                    let taken = reader.counts()?.active_users;
                    if taken * 100 >= u64::from(seats) * 98 {
                        later.push(Attention::Seats { taken, seats });
                    }
                }
                Ok([held, stopped, later].into_iter().flatten().collect())
            })
            .await
    }
}
