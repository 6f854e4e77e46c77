//! What the outgoing client counts: requests by what came of them.

use std::time::Duration;

use rollcall_observe::{Counter, Durations, Gauge};

use crate::reply::{NoReply, Reply, Wants};

/// What a client has sent since it was made.
#[derive(Debug, Default)]
pub struct Figures {
    /// To targets.
    pub targets: Calls,
    /// To SCIM servers that are sources.
    pub sources: Calls,
    /// To endpoints that are told what happens.
    pub webhooks: Calls,
}

/// Requests to one kind of other end. Each attempt is a request of its own.
#[derive(Debug, Default)]
pub struct Calls {
    /// Answered with 2xx.
    pub succeeded: Counter,
    /// Answered with 429, or with 503 and a time to wait for: the other end asks for patience.
    pub throttled: Counter,
    /// Answered with 401 or 403: the credential is not taken.
    pub unauthorised: Counter,
    /// Answered with 404: it is not there, which is often what was to be found out.
    pub missing: Counter,
    /// Answered with another 3xx or 4xx.
    pub refused: Counter,
    /// Answered with 5xx.
    pub failed: Counter,
    /// Not answered in time.
    pub timed_out: Counter,
    /// Not answered at all: no name, no connection, no TLS, or a broken answer.
    pub unreached: Counter,
    /// How long they took, whatever came of them.
    pub time: Durations,
    /// How many are on the way at this moment.
    pub in_flight: Gauge,
}

/// The other end of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    Target,
    Source,
    Webhook,
}

impl End {
    /// Its name among figures and traces.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Target => "target",
            Self::Source => "source",
            Self::Webhook => "webhook",
        }
    }
}

impl End {
    /// Tells how much of its replies is of use.
    pub(crate) fn wants(self) -> Wants {
        match self {
            Self::Target | Self::Source => Wants::Body,
            Self::Webhook => Wants::Status,
        }
    }
}

impl Figures {
    pub(crate) fn of(&self, end: End) -> &Calls {
        match end {
            End::Target => &self.targets,
            End::Source => &self.sources,
            End::Webhook => &self.webhooks,
        }
    }
}

impl Calls {
    pub(crate) fn count(&self, outcome: &Result<Reply, NoReply>, took: Duration) {
        let counter = match outcome {
            Err(no_reply) if no_reply.is_time_out => &self.timed_out,
            Err(_) => &self.unreached,
            Ok(reply) => match reply.status {
                429 => &self.throttled,
                503 if reply.retry_after.is_some() => &self.throttled,
                401 | 403 => &self.unauthorised,
                404 => &self.missing,
                300..=499 => &self.refused,
                500.. => &self.failed,
                _ => &self.succeeded,
            },
        };
        counter.increment();
        self.time.observe(took);
    }
}

#[cfg(test)]
mod tests {
    use reqwest::Method;

    use super::*;

    fn reply(status: u16, retry_after: Option<u64>) -> Reply {
        Reply {
            method: Method::GET,
            status,
            retry_after: retry_after.map(Duration::from_secs),
            etag: None,
            location: None,
            is_page: false,
            body: Vec::new(),
        }
    }

    fn silence(is_time_out: bool) -> NoReply {
        NoReply {
            was_not_sent: false,
            is_time_out,
            retry_after: None,
            message: String::new(),
        }
    }

    #[test]
    fn a_request_is_counted_by_what_came_of_it() {
        type Pick = fn(&Calls) -> &Counter;
        let rows: [(Result<Reply, NoReply>, Pick); 14] = [
            (Ok(reply(200, None)), |calls| &calls.succeeded),
            (Ok(reply(204, None)), |calls| &calls.succeeded),
            (Ok(reply(302, None)), |calls| &calls.refused),
            (Ok(reply(400, None)), |calls| &calls.refused),
            (Ok(reply(401, None)), |calls| &calls.unauthorised),
            (Ok(reply(403, None)), |calls| &calls.unauthorised),
            (Ok(reply(404, None)), |calls| &calls.missing),
            (Ok(reply(409, None)), |calls| &calls.refused),
            (Ok(reply(429, None)), |calls| &calls.throttled),
            (Ok(reply(503, Some(1))), |calls| &calls.throttled),
            (Ok(reply(503, None)), |calls| &calls.failed),
            (Ok(reply(500, None)), |calls| &calls.failed),
            (Err(silence(true)), |calls| &calls.timed_out),
            (Err(silence(false)), |calls| &calls.unreached),
        ];
        for (outcome, expected) in rows {
            let calls = Calls::default();
            calls.count(&outcome, Duration::from_millis(2));

            assert_eq!(expected(&calls).value(), 1, "{outcome:?}");
            assert_eq!(calls.time.read().count, 1);
        }
    }
}
