//! What a server counts of the requests that it answers.
//!
//! Labels are the templates of routes, never paths: who asks for nonsense is counted under one word, however much of it there is.

use std::time::Instant;

use http::{Method, StatusCode};
use rollcall_observe::{Counter, Durations, Gauge, Raised, Slots};

/// So many routes have figures of their own.
const ROUTES: usize = 512;
/// What a request is called that no route takes.
pub const UNMATCHED: &str = "unmatched";
/// The methods that have figures of their own; the last stands for all others.
const METHODS: [&str; 6] = ["GET", "POST", "PUT", "PATCH", "DELETE", "other"];
/// The classes of answers; the last stands for requests whose sender went away before there was one.
const CLASSES: [&str; 6] = ["1xx", "2xx", "3xx", "4xx", "5xx", "aborted"];

/// What a server has answered since it was started.
#[derive(Debug, Default)]
pub struct Figures {
    routes: Slots<Methods, ROUTES>,
    unmatched: [Methods; 4],
    in_flight: [Gauge; 4],
    /// Requests that were turned away.
    pub refused: Refusals,
}

/// Who is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Surface {
    /// Directories ask for people and groups.
    Scim,
    /// Programs ask for JSON.
    Api,
    /// Administrators ask for pages.
    Console,
    /// Machines ask whether the server is up.
    Health,
}

impl Surface {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Scim, Self::Api, Self::Console, Self::Health];

    /// Tells whose a path, or the template of one, is.
    pub fn of(path: &str) -> Self {
        match path {
            "/healthz" | "/readyz" => Self::Health,
            path if path.starts_with("/scim/") => Self::Scim,
            path if path.starts_with("/api/") => Self::Api,
            _ => Self::Console,
        }
    }

    /// Its name among the figures.
    pub fn word(self) -> &'static str {
        match self {
            Self::Scim => "scim",
            Self::Api => "api",
            Self::Console => "console",
            Self::Health => "health",
        }
    }
}

/// Requests that were turned away, by reason.
#[derive(Debug, Default)]
pub struct Refusals {
    /// 401: without a credential, or with one that is not valid.
    pub unauthenticated: Counter,
    /// 429: too often.
    pub rate: Counter,
    /// 413: a body that is too large.
    pub body: Counter,
    /// 414 and 431: a head that is too large.
    pub head: Counter,
    /// 408: a body that came too slowly.
    pub slow: Counter,
    /// 503: not answered in time.
    pub time: Counter,
    /// 503: the store has too much to do, or is out of reach.
    pub store: Counter,
}

impl Refusals {
    /// Counts an answer, if it turns somebody away.
    fn count(&self, status: StatusCode, is_late: bool) {
        let counter = match status {
            StatusCode::UNAUTHORIZED => &self.unauthenticated,
            StatusCode::TOO_MANY_REQUESTS => &self.rate,
            StatusCode::PAYLOAD_TOO_LARGE => &self.body,
            StatusCode::URI_TOO_LONG | StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE => &self.head,
            StatusCode::REQUEST_TIMEOUT => &self.slow,
            StatusCode::SERVICE_UNAVAILABLE if is_late => &self.time,
            StatusCode::SERVICE_UNAVAILABLE => &self.store,
            _ => return,
        };
        counter.increment();
    }
}

#[derive(Debug, Default)]
struct Methods([Answers; METHODS.len()]);

#[derive(Debug, Default)]
struct Answers {
    classes: [Counter; CLASSES.len()],
    time: Durations,
}

/// The requests of one route and method.
#[derive(Debug)]
pub struct Requests<'a> {
    /// Whose route it is.
    pub surface: Surface,
    /// Its template, such as `/scim/v2/{organisation}/Users/{id}`.
    pub route: &'a str,
    /// The method.
    pub method: &'static str,
    /// How many were answered with each class of status.
    pub classes: [(&'static str, &'a Counter); CLASSES.len()],
    /// How long they took.
    pub time: &'a Durations,
}

impl Figures {
    /// Notes that a request came. `route` is the template of its route; absent: there is none.
    pub(crate) fn begin(&self, route: Option<&str>, path: &str, method: &Method) -> Asked<'_> {
        let surface = Surface::of(route.unwrap_or(path));
        let methods = match route {
            Some(route) => self.routes.of(route),
            None => own(&self.unmatched, surface),
        };
        let Methods([get, post, put, patch, delete, other]) = methods;
        let answers = match *method {
            Method::GET => get,
            Method::POST => post,
            Method::PUT => put,
            Method::PATCH => patch,
            Method::DELETE => delete,
            _ => other,
        };
        Asked {
            refused: &self.refused,
            answers,
            begun: Instant::now(),
            status: None,
            _in_flight: own(&self.in_flight, surface).raise(),
        }
    }

    /// Returns the requests of every route that was asked for.
    pub fn requests(&self) -> impl Iterator<Item = Requests<'_>> {
        let unmatched = Surface::ALL.into_iter().zip(&self.unmatched);
        let unmatched = unmatched.map(|(surface, methods)| (surface, UNMATCHED, methods));
        let matched = self.routes.all();
        matched
            .map(|(route, methods)| (Surface::of(route), route, methods))
            .chain(unmatched)
            .flat_map(|(surface, route, Methods(methods))| {
                let methods = METHODS.into_iter().zip(methods);
                methods.map(move |(method, answers)| Requests {
                    surface,
                    route,
                    method,
                    classes: std::array::from_fn(|at| classed(&answers.classes, at)),
                    time: &answers.time,
                })
            })
            .filter(|requests| requests.classes.iter().any(|(_, many)| many.value() > 0))
    }

    /// Returns how many requests are being answered at this moment.
    pub fn in_flight(&self) -> impl Iterator<Item = (Surface, i64)> {
        let all = Surface::ALL.into_iter().zip(&self.in_flight);
        all.map(|(surface, gauge)| (surface, gauge.value()))
    }
}

fn own<T>([scim, api, console, health]: &[T; 4], surface: Surface) -> &T {
    match surface {
        Surface::Scim => scim,
        Surface::Api => api,
        Surface::Console => console,
        Surface::Health => health,
    }
}

#[expect(
    clippy::indexing_slicing,
    reason = "both have as many places as there are classes"
)]
fn classed(counters: &[Counter; CLASSES.len()], at: usize) -> (&'static str, &Counter) {
    (CLASSES[at], &counters[at])
}

/// A request that is being answered. It is counted when this is dropped, as aborted unless it was answered.
#[derive(Debug)]
pub(crate) struct Asked<'a> {
    refused: &'a Refusals,
    answers: &'a Answers,
    begun: Instant,
    status: Option<StatusCode>,
    _in_flight: Raised<'a>,
}

impl Asked<'_> {
    /// Notes the answer; `is_late` says that it is about the time that was up.
    pub(crate) fn answered(mut self, status: StatusCode, is_late: bool) {
        self.status = Some(status);
        self.refused.count(status, is_late);
    }
}

impl Drop for Asked<'_> {
    fn drop(&mut self) {
        let [first, second, third, fourth, fifth, aborted] = &self.answers.classes;
        match self.status.map(|status| status.as_u16()) {
            None => aborted,
            Some(..200) => first,
            Some(200..300) => second,
            Some(300..400) => third,
            Some(400..500) => fourth,
            Some(500..) => fifth,
        }
        .increment();
        self.answers.time.observe(self.begun.elapsed());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const USERS: &str = "/scim/v2/{organisation}/Users";

    fn counted(figures: &Figures) -> Vec<String> {
        let mut counted: Vec<String> = figures
            .requests()
            .flat_map(|asked| {
                let Requests {
                    surface,
                    route,
                    method,
                    classes,
                    ..
                } = asked;
                classes
                    .into_iter()
                    .filter(|(_, many)| many.value() > 0)
                    .map(move |(class, many)| {
                        format!(
                            "{} {route} {method} {class} {}",
                            surface.word(),
                            many.value()
                        )
                    })
            })
            .collect();
        counted.sort();
        counted
    }

    #[test]
    fn a_request_is_counted_once_when_it_ends_however_it_ends() {
        let figures = Figures::default();
        let scim = |figures: &Figures| figures.in_flight().next().unwrap().1;

        let asked = figures.begin(Some(USERS), "/scim/v2/one/Users", &Method::POST);
        assert_eq!(scim(&figures), 1);
        assert!(counted(&figures).is_empty());
        asked.answered(StatusCode::CREATED, false);
        drop(figures.begin(Some(USERS), "/scim/v2/one/Users", &Method::POST));
        for path in ["/wp-login.php", "/.env"] {
            let asked = figures.begin(None, path, &Method::GET);
            asked.answered(StatusCode::NOT_FOUND, false);
        }

        assert_eq!(scim(&figures), 0);
        assert_eq!(
            counted(&figures),
            [
                "console unmatched GET 4xx 2",
                "scim /scim/v2/{organisation}/Users POST 2xx 1",
                "scim /scim/v2/{organisation}/Users POST aborted 1",
            ]
        );
    }

    #[test]
    fn who_is_turned_away_is_counted_by_the_reason() {
        let figures = Figures::default();
        for (status, is_late) in [
            (401, false),
            (413, false),
            (414, false),
            (429, false),
            (431, false),
            (503, false),
            (503, true),
            (503, true),
            (404, false),
            (200, false),
        ] {
            let asked = figures.begin(Some(USERS), "/", &Method::GET);
            asked.answered(StatusCode::from_u16(status).unwrap(), is_late);
        }

        let refused = &figures.refused;
        let counts = [
            &refused.unauthenticated,
            &refused.body,
            &refused.head,
            &refused.rate,
            &refused.store,
            &refused.time,
            &refused.slow,
        ];
        assert_eq!(counts.map(Counter::value), [1, 1, 2, 1, 1, 2, 0]);
    }
}
