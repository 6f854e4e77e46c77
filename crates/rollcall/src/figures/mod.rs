//! `/metrics`: every figure of the server under its public name, for Prometheus.
//!
//! **Is:** the only place that knows the names and labels of figures, and reads those that the crates keep. They are explained in
//! `docs/metrics.md`; a test compares both.
//! **Is not:** counting. That happens where the work is done.
//! **Start at** [`Figures::page`].
//!
//! INVARIANT: a label has few values, all of them words of this program or templates of its routes. No organisation, no id, no name of
//! anybody becomes one.

mod process;

use std::sync::Arc;

use axum::extract::State;
use http::header::CONTENT_TYPE;
use rollcall_app::App;
use rollcall_connect::figures::Calls;
use rollcall_engine::{Cycles, Engine, Objects};
use rollcall_observe::{Counter, Kind, Page};
use rollcall_store::Units;
use rollcall_web::table::{Entry, Routes, Table, Watchers};

use crate::traces;

/// Everything that counts in a server.
#[derive(Debug, Clone)]
pub(crate) struct Figures {
    pub(crate) app: App,
    pub(crate) engine: Engine,
    pub(crate) web: Arc<rollcall_web::figures::Figures>,
    pub(crate) mail: Arc<rollcall_mail::Figures>,
    /// Absent: no traces are sent.
    pub(crate) traces: Option<Arc<traces::Figures>>,
}

/// Returns the one route of the address for those who watch.
pub(crate) fn routes(figures: Figures) -> Routes {
    table().guarded(figures, |Watchers, handler| handler)
}

/// Lists it.
#[cfg(test)]
pub(crate) fn route_table() -> Vec<rollcall_web::table::Route> {
    table().list()
}

fn table() -> Table<Figures, Watchers> {
    Table::new(vec![Entry::get("/metrics", Watchers, show)])
}

async fn show(State(figures): State<Figures>) -> ([(http::HeaderName, &'static str); 1], String) {
    ([(CONTENT_TYPE, Page::MEDIA_TYPE)], figures.page())
}

impl Figures {
    /// Writes all figures.
    pub(crate) fn page(&self) -> String {
        let mut page = Page::default();
        page.family(
            "rollcall_build_info",
            Kind::Gauge,
            "Which version runs; always 1.",
        )
        .value(&[("version", env!("CARGO_PKG_VERSION"))], 1);
        self.requests(&mut page);
        self.storage(&mut page);
        self.provisioning(&mut page);
        self.outgoing(&mut page);
        self.mail(&mut page);
        if let Some(traces) = &self.traces {
            page.family(
                "rollcall_trace_exports_total",
                Kind::Counter,
                "Batches of spans that were sent to the collector.",
            );
            counters(
                &mut page,
                &[],
                "outcome",
                &[("sent", &traces.sent), ("failed", &traces.failed)],
            );
        }
        process::write(&mut page);
        page.finish()
    }

    fn requests(&self, page: &mut Page) {
        page.family(
            "rollcall_http_requests_total",
            Kind::Counter,
            "Requests that were answered, by class of status; aborted: their sender went away.",
        );
        for asked in self.web.requests() {
            let surface = asked.surface.word();
            for (class, many) in asked.classes {
                if many.value() > 0 {
                    let labels = [
                        ("surface", surface),
                        ("route", asked.route),
                        ("method", asked.method),
                        ("status", class),
                    ];
                    page.value(&labels, many.value());
                }
            }
        }
        page.family(
            "rollcall_http_request_duration_seconds",
            Kind::Histogram,
            "How long requests took, from their head to the answer.",
        );
        for asked in self.web.requests() {
            let labels = [
                ("surface", asked.surface.word()),
                ("route", asked.route),
                ("method", asked.method),
            ];
            page.durations(&labels, asked.time);
        }
        page.family(
            "rollcall_http_requests_in_flight",
            Kind::Gauge,
            "Requests that are being answered.",
        );
        for (surface, many) in self.web.in_flight() {
            page.value(&[("surface", surface.word())], many);
        }
        page.family(
            "rollcall_http_refused_total",
            Kind::Counter,
            "Requests that were turned away, by reason.",
        );
        let refused = &self.web.refused;
        let reasons = [
            ("unauthenticated", &refused.unauthenticated),
            ("rate", &refused.rate),
            ("body_too_large", &refused.body),
            ("head_too_large", &refused.head),
            ("body_too_slow", &refused.slow),
            ("time_up", &refused.time),
            ("store", &refused.store),
        ];
        counters(page, &[], "reason", &reasons);
    }

    fn storage(&self, page: &mut Page) {
        let figures = self.app.store().figures();
        let kinds = [("read", &figures.reads), ("write", &figures.writes)];
        page.family(
            "rollcall_store_units_total",
            Kind::Counter,
            "Units of work that storage was given, by what became of them.",
        );
        for (kind, units) in kinds {
            let Units {
                done,
                busy,
                unreachable,
                failed,
                ..
            } = units;
            let outcomes = [
                ("done", done),
                ("busy", busy),
                ("unreachable", unreachable),
                ("failed", failed),
            ];
            counters(page, &[("kind", kind)], "outcome", &outcomes);
        }
        page.family(
            "rollcall_store_unit_duration_seconds",
            Kind::Histogram,
            "How long units of work took, with the wait and the commit.",
        );
        for (kind, units) in kinds {
            page.durations(&[("kind", kind)], &units.time);
        }
        page.family(
            "rollcall_store_wait_duration_seconds",
            Kind::Histogram,
            "How long units of work waited for their turn.",
        );
        for (kind, units) in kinds {
            page.durations(&[("kind", kind)], &units.wait);
        }
        page.family(
            "rollcall_store_units_waiting",
            Kind::Gauge,
            "Units of work that wait for their turn.",
        );
        for (kind, units) in kinds {
            page.value(&[("kind", kind)], units.waiting.value());
        }
        page.family(
            "rollcall_store_commit_units",
            Kind::Histogram,
            "How many units of work shared a commit; the count is that of commits.",
        )
        .sizes(&[], &figures.commits);
        page.family(
            "rollcall_store_commit_duration_seconds",
            Kind::Histogram,
            "How long commits took to be durable.",
        )
        .durations(&[], &figures.commit_time);
        if let Some(occupancy) = self.app.store().occupancy() {
            page.family(
                "rollcall_store_connections",
                Kind::Gauge,
                "Connections to PostgreSQL.",
            )
            .value(&[("state", "in_use")], occupancy.in_use)
            .value(&[("state", "idle")], occupancy.idle);
            page.family(
                "rollcall_store_connections_max",
                Kind::Gauge,
                "How many connections to PostgreSQL this node opens at most.",
            )
            .value(&[], occupancy.most);
        }
    }

    fn provisioning(&self, page: &mut Page) {
        let figures = self.engine.figures();
        let kinds: [(&str, &Cycles); 2] = [
            ("initial", &figures.initial),
            ("incremental", &figures.incremental),
        ];
        page.family(
            "rollcall_cycles_total",
            Kind::Counter,
            "Cycles that ended, by outcome.",
        );
        for (kind, cycles) in kinds {
            counters(page, &[("kind", kind)], "outcome", &cycles.outcomes());
        }
        page.family(
            "rollcall_cycle_duration_seconds",
            Kind::Histogram,
            "How long cycles took.",
        );
        for (kind, cycles) in kinds {
            page.durations(&[("kind", kind)], &cycles.time);
        }
        page.family(
            "rollcall_cycles_running",
            Kind::Gauge,
            "Cycles that run at this moment.",
        )
        .value(&[], figures.running.value());
        page.family(
            "rollcall_jobs_in_quarantine",
            Kind::Gauge,
            "Applications that are switched on and in quarantine.",
        )
        .value(&[], figures.quarantined.value());
        page.family(
            "rollcall_objects_total",
            Kind::Counter,
            "What cycles decided about people and groups.",
        );
        for (kind, objects) in [("user", &figures.users), ("group", &figures.groups)] {
            let Objects {
                created,
                adopted,
                updated,
                disabled,
                deleted,
                kept,
                skipped,
                held,
                failed,
            } = objects;
            let decisions = [
                ("create", created),
                ("adopt", adopted),
                ("update", updated),
                ("disable", disabled),
                ("delete", deleted),
                ("keep", kept),
                ("skip", skipped),
                ("hold", held),
                ("fail", failed),
            ];
            counters(page, &[("kind", kind)], "decision", &decisions);
        }
    }

    fn outgoing(&self, page: &mut Page) {
        let figures = self.engine.client().figures();
        let ends = [
            ("target", &figures.targets),
            ("source", &figures.sources),
            ("webhook", &figures.webhooks),
        ];
        page.family(
            "rollcall_outgoing_requests_total",
            Kind::Counter,
            "Requests to targets, SCIM sources and webhooks, by what came of them.",
        );
        for (end, calls) in ends {
            let Calls {
                succeeded,
                throttled,
                unauthorised,
                missing,
                refused,
                failed,
                timed_out,
                unreached,
                ..
            } = calls;
            let outcomes = [
                ("succeeded", succeeded),
                ("throttled", throttled),
                ("unauthorised", unauthorised),
                ("missing", missing),
                ("refused", refused),
                ("failed", failed),
                ("timed_out", timed_out),
                ("unreached", unreached),
            ];
            counters(page, &[("end", end)], "outcome", &outcomes);
        }
        page.family(
            "rollcall_outgoing_request_duration_seconds",
            Kind::Histogram,
            "How long requests to targets, SCIM sources and webhooks took.",
        );
        for (end, calls) in ends {
            page.durations(&[("end", end)], &calls.time);
        }
        page.family(
            "rollcall_outgoing_requests_in_flight",
            Kind::Gauge,
            "Requests to targets, SCIM sources and webhooks that are on the way.",
        );
        for (end, calls) in ends {
            page.value(&[("end", end)], calls.in_flight.value());
        }
    }

    fn mail(&self, page: &mut Page) {
        let figures = &self.mail;
        page.family(
            "rollcall_mail_total",
            Kind::Counter,
            "Attempts to send a letter, by what came of them.",
        );
        let outcomes = [
            ("sent", &figures.sent),
            ("deferred", &figures.deferred),
            ("given_up", &figures.given_up),
        ];
        counters(page, &[], "outcome", &outcomes);
        page.family(
            "rollcall_mail_waiting",
            Kind::Gauge,
            "Letters that wait to be sent.",
        )
        .value(&[], figures.waiting.value());
    }
}

/// Writes counters that differ in one label.
fn counters(
    page: &mut Page,
    labels: &[(&str, &str)],
    differing: &str,
    counters: &[(&str, &Counter)],
) {
    for (word, counter) in counters {
        let labels: Vec<(&str, &str)> =
            labels.iter().copied().chain([(differing, *word)]).collect();
        page.value(&labels, counter.value());
    }
}
