//! Endpoints of other systems that are told what happens, and what is to be delivered to them.
//!
//! **Is:** who wants to know what, how a delivery goes on after a try, and how long is waited in between: plain values and pure functions.
//! **Is not:** the events ([`crate::event`]), signatures, or sending.
//! **Start at** [`Webhook`] and [`Delivery::tried`].

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::clock::{SKEW, is_within};
use crate::{Event, EventType, Randomness, WebhookId};

/// A delivery is tried so often.
pub const TRIES: u32 = 12;
/// The longest pauses between the tries, in seconds; what is waited is drawn from nothing up to that. Half of all of them is three days.
const PAUSES: [i64; 11] = [
    10, 60, 300, 1_800, 7_200, 21_600, 43_200, 86_400, 115_200, 115_200, 115_200,
];
/// The longest of them.
pub const LONGEST_PAUSE: SignedDuration = SignedDuration::from_hours(32);
/// Nobody is left alone for longer at their own word, and an endpoint that fails is tried at least so often.
pub const LONGEST_REST: SignedDuration = SignedDuration::from_hours(1);
/// An endpoint that has answered nothing well for so long is paused.
pub const PATIENCE: SignedDuration = SignedDuration::from_hours(72);
/// So many deliveries of an endpoint that came to an end are kept.
pub const KEPT: u64 = 1_000;
/// What was delivered is kept for so long.
pub const KEPT_DELIVERED: SignedDuration = SignedDuration::from_hours(24);
/// What was given up is kept for so long: somebody may want it sent again.
pub const KEPT_FAILED: SignedDuration = SignedDuration::from_hours(30 * 24);
/// So many deliveries wait at most; what comes after them waits in the feed.
pub const WAITING: u64 = 1_000;
/// The secret before a rotation signs as well for so long.
pub const OVERLAP: SignedDuration = SignedDuration::from_hours(24);
/// Longest name, in characters.
pub const NAME_LENGTH: usize = 100;
/// Longest address, in bytes.
pub const URL_LENGTH: usize = 2_000;
/// An organisation has so many endpoints at most.
pub const MOST: usize = 20;

/// An endpoint of another system.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Webhook {
    /// Its id.
    pub id: WebhookId,
    /// What people call it.
    pub name: String,
    /// Where it is.
    pub url: String,
    /// What it is told.
    pub events: Wanted,
    /// Whether it is told anything.
    pub status: Status,
    /// When it was added.
    pub created: Timestamp,
    /// When its secret was made.
    pub secret_made: Timestamp,
    /// Until when the secret before that one signs as well.
    pub former_until: Option<Timestamp>,
    /// How deliveries went.
    #[serde(default)]
    pub health: Health,
}

/// Which events somebody wants to know of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Wanted {
    /// All, also those that there will be.
    All,
    /// Those of these types.
    Only(BTreeSet<EventType>),
}

impl Wanted {
    /// Tells whether an event is among them.
    pub fn includes(&self, event: &Event) -> bool {
        match self {
            Self::All => true,
            Self::Only(types) => types
                .iter()
                .any(|wanted| *wanted == event.kind || event.is_also(*wanted)),
        }
    }
}

/// Whether an endpoint is told anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Status {
    /// It is.
    On,
    /// It is not, until somebody resumes it. What happens meanwhile stays in the feed.
    Paused {
        /// Since when.
        since: Timestamp,
        /// Why.
        why: Why,
    },
}

/// Why an endpoint is paused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Why {
    /// An administrator said so.
    Asked,
    /// It answered nothing well for days.
    Failing,
    /// It said that it is gone for good (410).
    Gone,
    /// The store was restored from a backup.
    Restored,
}

/// How deliveries to an endpoint went.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Health {
    /// When it was last tried.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_try: Option<Timestamp>,
    /// When it last answered well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_success: Option<Timestamp>,
    /// Since when nothing was answered well; absent: the last try was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failing_since: Option<Timestamp>,
    /// How many rounds in a row failed.
    #[serde(default)]
    pub failures: u32,
    /// Until when it is left alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rest_until: Option<Timestamp>,
    /// What was to be delivered and what was, by the hour (how many after 1970, UTC), for the last day.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub hours: BTreeMap<i64, Hour>,
}

/// What was to be delivered in an hour, and what was.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hour {
    /// Events that were to be delivered.
    pub made: u64,
    /// Events that were delivered.
    pub delivered: u64,
}

/// Until when an endpoint may rest, and a delivery be put off: what lies further ahead was noted by a clock that was ahead, and counts as come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Beyond {
    /// No endpoint rests for longer.
    pub rests: Timestamp,
    /// No delivery is put off for longer.
    pub deliveries: Timestamp,
}

impl Beyond {
    /// Returns how it is at an instant.
    pub fn of(now: Timestamp) -> Self {
        let after = |longest: SignedDuration| {
            let longest = longest.saturating_add(SKEW);
            now.saturating_add(longest).unwrap_or(Timestamp::MAX)
        };
        Self {
            rests: after(LONGEST_REST),
            deliveries: after(LONGEST_PAUSE),
        }
    }
}

const HOUR: i64 = 3_600;
/// A day, and the hour that has begun.
const HOURS: i64 = 25;

impl Health {
    /// Counts events that are to be delivered.
    pub fn made(&mut self, now: Timestamp, count: u64) {
        self.hour(now).made += count;
    }

    /// Returns what was to be delivered in the last day, and what was.
    pub fn last_day(&self, now: Timestamp) -> Hour {
        let from = hour_of(now) - HOURS;
        let recent = self.hours.range(from + 1..);
        recent.fold(Hour::default(), |sum, (_, hour)| Hour {
            made: sum.made + hour.made,
            delivered: sum.delivered + hour.delivered,
        })
    }

    /// Tells whether it is left alone at present.
    pub fn rests(&self, now: Timestamp) -> bool {
        self.rest_until
            .is_some_and(|until| until > now && until <= Beyond::of(now).rests)
    }

    /// Notes what a round of tries came to: whether any was answered well, and for how long the endpoint asked to be left alone. One that has
    /// too much to do is left alone also when something arrived.
    pub fn noted(&mut self, round: Round, now: Timestamp, randomness: &dyn Randomness) {
        self.last_try = Some(now);
        if round.delivered > 0 {
            self.hour(now).delivered += round.delivered;
            self.last_success = Some(now);
            self.failing_since = None;
            self.failures = 0;
            let asked = round.overloaded.filter(SignedDuration::is_positive);
            self.rest_until =
                asked.and_then(|asked| now.saturating_add(asked.min(LONGEST_REST)).ok());
        } else if round.failed > 0 {
            // what a clock noted that was ahead counts from now on
            let since = self.failing_since.filter(|since| *since <= now);
            self.failing_since = Some(since.unwrap_or(now));
            self.failures = self.failures.saturating_add(1);
            let rest = drawn(self.failures, randomness).min(LONGEST_REST);
            let rest = round.retry_after.map_or(rest, |asked| asked.max(rest));
            self.rest_until = now.saturating_add(rest.min(LONGEST_REST)).ok();
        }
    }

    /// Tells whether nothing was answered well for longer than anybody's patience.
    pub fn has_failed_for_days(&self, now: Timestamp) -> bool {
        self.failing_since
            .is_some_and(|since| now.duration_since(since) >= PATIENCE)
    }

    /// Forgets that it failed: somebody has looked after it.
    pub fn forgive(&mut self) {
        self.failing_since = None;
        self.failures = 0;
        self.rest_until = None;
    }

    fn hour(&mut self, now: Timestamp) -> &mut Hour {
        let hour = hour_of(now);
        // also what a clock noted that was ahead
        self.hours
            .retain(|known, _| *known > hour - HOURS && *known <= hour);
        self.hours.entry(hour).or_default()
    }
}

fn hour_of(now: Timestamp) -> i64 {
    now.as_second().div_euclid(HOUR)
}

/// What a round of tries came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Round {
    /// How many were answered well.
    pub delivered: u64,
    /// How many were not.
    pub failed: u64,
    /// For how long the endpoint asked to be left alone.
    pub retry_after: Option<SignedDuration>,
    /// For how long it asked for that because it has too much to do: what others say may concern a single event.
    pub overloaded: Option<SignedDuration>,
}

/// An event that is to be delivered to an endpoint, or was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Delivery {
    /// The event.
    pub event: Event,
    /// How often it was tried.
    pub tries: u32,
    /// How far it is.
    pub state: State,
    /// What came of the last try.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<Answer>,
}

/// How far a delivery is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum State {
    /// It waits.
    Waiting {
        /// When it is tried next.
        next: Timestamp,
    },
    /// It was answered well.
    Delivered {
        /// When.
        at: Timestamp,
    },
    /// It was tried often enough.
    Failed {
        /// When that was said.
        at: Timestamp,
    },
}

/// What came of a try. What the answer said besides is not kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Answer {
    /// When it was sent.
    pub at: Timestamp,
    /// The status of the answer; absent: there was none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// How long it took.
    pub milliseconds: u64,
    /// Why there was no answer, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trouble: Option<String>,
    /// For how long the endpoint asked to be left alone, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after: Option<i64>,
}

impl Answer {
    /// Tells whether it says that the event has arrived: 2xx.
    pub fn is_good(&self) -> bool {
        self.status
            .is_some_and(|status| (200..300).contains(&status))
    }

    /// Tells whether it says that nobody will ever take events there: 410.
    pub fn is_gone(&self) -> bool {
        self.status == Some(410)
    }

    /// Tells whether it says that the endpoint has too much to do: 429 or 503.
    pub fn is_overload(&self) -> bool {
        matches!(self.status, Some(429 | 503))
    }

    /// For how long the endpoint is left alone at its own word: an hour at most.
    pub fn patience(&self) -> Option<SignedDuration> {
        let asked = SignedDuration::from_secs(self.retry_after?.max(0));
        Some(asked.min(LONGEST_REST))
    }
}

impl Delivery {
    /// Makes one that is to be tried at once.
    pub fn new(event: Event, now: Timestamp) -> Self {
        Self {
            event,
            tries: 0,
            state: State::Waiting { next: now },
            last: None,
        }
    }

    /// Goes on after a try.
    #[must_use]
    pub fn tried(mut self, answer: Answer, now: Timestamp, randomness: &dyn Randomness) -> Self {
        self.tries = self.tries.saturating_add(1);
        self.state = if answer.is_good() {
            State::Delivered { at: now }
        } else if self.tries >= TRIES {
            State::Failed { at: now }
        } else {
            let pause = drawn(self.tries, randomness);
            let pause = answer.patience().map_or(pause, |asked| asked.max(pause));
            State::Waiting {
                next: now.saturating_add(pause).unwrap_or(Timestamp::MAX),
            }
        };
        self.last = Some(answer);
        self
    }

    /// Ends after one try, whatever came of it: a test is not repeated.
    #[must_use]
    pub fn tested(mut self, answer: Answer, now: Timestamp) -> Self {
        self.tries = 1;
        self.state = if answer.is_good() {
            State::Delivered { at: now }
        } else {
            State::Failed { at: now }
        };
        self.last = Some(answer);
        self
    }

    /// Goes on although it was tried often enough: nothing at all arrives there at present, which is not for this delivery to pay.
    #[must_use]
    pub fn kept_up(mut self, now: Timestamp, randomness: &dyn Randomness) -> Self {
        let pause = drawn(self.tries, randomness);
        self.state = State::Waiting {
            next: now.saturating_add(pause).unwrap_or(Timestamp::MAX),
        };
        self
    }

    /// Is tried at this instant, if that is earlier than when it would be.
    #[must_use]
    pub fn no_later_than(mut self, at: Timestamp) -> Self {
        if let State::Waiting { next } = &mut self.state {
            *next = at.min(*next);
        }
        self
    }

    /// Ends without a further try: somebody wants it left out. It can be sent again.
    #[must_use]
    pub fn left_out(self, now: Timestamp) -> Self {
        Self {
            state: State::Failed { at: now },
            ..self
        }
    }

    /// Begins again, at once.
    #[must_use]
    pub fn again(self, now: Timestamp) -> Self {
        Self {
            tries: 0,
            state: State::Waiting { next: now },
            ..self
        }
    }

    /// Returns when it is tried next; absent: it is not.
    pub fn due(&self) -> Option<Timestamp> {
        match self.state {
            State::Waiting { next } => Some(next),
            _ => None,
        }
    }

    /// Returns until when it is kept; absent: until it has come to an end.
    pub fn kept_until(&self) -> Option<Timestamp> {
        let (at, time) = match self.state {
            State::Waiting { .. } => return None,
            State::Delivered { at } => (at, KEPT_DELIVERED),
            State::Failed { at } => (at, KEPT_FAILED),
        };
        Some(at.saturating_add(time).unwrap_or(Timestamp::MAX))
    }
}

impl Webhook {
    /// Tells whether it is told anything.
    pub fn is_on(&self) -> bool {
        self.status == Status::On
    }

    /// Tells whether the secret before the present one still signs as well.
    pub fn overlaps(&self, now: Timestamp) -> bool {
        self.former_until.is_some_and(|until| {
            until > now && is_within(OVERLAP, until.saturating_sub(OVERLAP).unwrap_or(now), now)
        })
    }

    /// Returns what becomes another text when somebody changes what can be changed of it: name, address, events, secret.
    pub fn version(&self) -> String {
        let shown = serde_json::json!([self.name, self.url, self.events, self.secret_made]);
        let digest: [u8; 32] = Sha256::digest(shown.to_string().as_bytes()).into();
        digest
            .iter()
            .take(8)
            .fold(String::new(), |text, byte| format!("{text}{byte:02x}"))
    }

    /// Returns its scheme, host and port. What follows may be a secret of its own, also in the path: of that there are the first digits of
    /// its SHA-256, which tell several of a host apart.
    pub fn place(&self) -> String {
        let (scheme, after) = self.url.split_once("://").unwrap_or(("", &self.url));
        let end = after.find(['/', '?', '#']).unwrap_or(after.len());
        let (authority, rest) = after.split_at(end);
        let host = authority.rsplit('@').next().unwrap_or_default();
        let path = rest.split(['?', '#']).next().unwrap_or_default();
        if matches!(path, "" | "/") {
            return format!("{scheme}://{host}");
        }
        let digest: [u8; 32] = Sha256::digest(rest.as_bytes()).into();
        let [first, second, third, ..] = digest;
        format!("{scheme}://{host}/\u{2026}{first:02x}{second:02x}{third:02x}")
    }

    /// Holds it because the store was restored from a backup.
    pub fn restore(&mut self, at: Timestamp) {
        if self.is_on() {
            self.status = Status::Paused {
                since: at,
                why: Why::Restored,
            };
        }
    }
}

/// Draws a pause after so many failures: full jitter, so that what failed together does not come back together.
fn drawn(failures: u32, randomness: &dyn Randomness) -> SignedDuration {
    let place = usize::try_from(failures.max(1) - 1).unwrap_or(usize::MAX);
    let longest = PAUSES.get(place).or(PAUSES.last()).copied();
    let mut bytes = [0; 2];
    randomness.fill(&mut bytes);
    let share = i64::from(u16::from_be_bytes(bytes));
    SignedDuration::from_millis(longest.unwrap_or_default() * 1_000 * share / (1 << 16))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ActorKind, RequestId};

    struct Always(u8);
    impl Randomness for Always {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.fill(self.0);
        }
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).unwrap()
    }

    fn event() -> Event {
        let request = RequestId::from_bytes([1; 16]);
        Event::test(
            request,
            &"vault".parse().unwrap(),
            at(0),
            ActorKind::Command,
        )
    }

    fn answer(status: Option<u16>, retry_after: Option<i64>) -> Answer {
        Answer {
            at: at(0),
            status,
            milliseconds: 5,
            trouble: None,
            retry_after,
        }
    }

    #[test]
    fn a_delivery_is_tried_twelve_times_over_about_three_days_and_then_given_up() {
        let mut delivery = Delivery::new(event(), at(0));
        let mut now = at(0);
        let mut tries = 0;
        while let Some(next) = delivery.due() {
            now = next;
            // the middle of what may be drawn
            delivery = delivery.tried(answer(Some(503), None), now, &Always(0x80));
            tries += 1;
        }

        assert_eq!(tries, TRIES);
        assert_eq!(delivery.state, State::Failed { at: now });
        let days = now.duration_since(at(0)).as_hours();
        assert!((66..=78).contains(&days), "{days} hours");
        assert_eq!(
            SignedDuration::from_secs(PAUSES.into_iter().max().unwrap()),
            LONGEST_PAUSE
        );
    }

    #[test]
    fn a_pause_is_drawn_from_nothing_up_to_its_longest() {
        for failures in [1, 2, 12, u32::MAX] {
            assert_eq!(drawn(failures, &Always(0)), SignedDuration::ZERO);
            assert!(drawn(failures, &Always(0xff)) <= LONGEST_PAUSE);
        }
        assert!(drawn(3, &Always(0xff)) > SignedDuration::from_secs(290));
    }

    #[test]
    fn what_the_endpoint_asks_for_is_kept_to_up_to_an_hour() {
        let next = |retry_after| {
            let delivery = Delivery::new(event(), at(0));
            let tried = delivery.tried(answer(Some(429), Some(retry_after)), at(0), &Always(0));
            tried.due().unwrap().duration_since(at(0)).as_secs()
        };

        assert_eq!(next(120), 120);
        assert_eq!(next(86_400), 3_600);
        assert_eq!(next(-5), 0);
    }

    #[test]
    fn an_endpoint_that_fails_rests_and_one_success_ends_that() {
        let mut health = Health::default();
        let failed = Round {
            failed: 3,
            ..Round::default()
        };
        for n in 0..20 {
            health.noted(failed, at(n), &Always(0xff));
            let rest = health.rest_until.unwrap().duration_since(at(n));
            assert!(rest <= LONGEST_REST, "{rest}");
        }
        assert!(health.rests(at(20)));
        assert!(!health.has_failed_for_days(at(71 * HOUR)));
        assert!(health.has_failed_for_days(at(72 * HOUR)));

        let delivered = Round {
            delivered: 1,
            failed: 9,
            ..Round::default()
        };
        health.noted(delivered, at(72 * HOUR), &Always(0xff));
        assert!(!health.rests(at(72 * HOUR)));
        assert_eq!(health.failing_since, None);
    }

    #[test]
    fn an_endpoint_that_has_too_much_to_do_rests_though_something_arrived() {
        let mut health = Health::default();
        let some = |overloaded| Round {
            delivered: 1,
            failed: 7,
            retry_after: Some(SignedDuration::from_mins(30)),
            overloaded,
        };
        health.noted(
            some(Some(SignedDuration::from_mins(30))),
            at(0),
            &Always(0xff),
        );
        assert!(health.rests(at(1_799)) && !health.rests(at(1_800)));
        assert_eq!((health.failures, health.failing_since), (0, None));

        // another failure asks for its own event alone
        health.noted(some(None), at(1_800), &Always(0xff));
        assert!(!health.rests(at(1_800)));
        assert!(answer(Some(429), None).is_overload() && answer(Some(503), None).is_overload());
        assert!(!answer(Some(500), None).is_overload() && !answer(None, None).is_overload());
    }

    #[test]
    fn of_an_address_its_host_is_shown_and_nothing_that_may_be_a_secret() {
        let place = |url: &str| {
            let webhook = Webhook {
                id: WebhookId::from_bytes([1; 16]),
                name: "siem".to_owned(),
                url: url.to_owned(),
                events: Wanted::All,
                status: Status::On,
                created: at(0),
                secret_made: at(0),
                former_until: None,
                health: Health::default(),
            };
            webhook.place()
        };
        assert_eq!(
            place("https://siem.example.com/"),
            "https://siem.example.com"
        );
        assert_eq!(
            place("https://siem.example.com/?key=canary"),
            "https://siem.example.com"
        );
        let slack = "https://hooks.example.com:8443/services/T0/B0/canary?key=canary#canary";
        let shown = place(slack);
        let digits = shown.strip_prefix("https://hooks.example.com:8443/\u{2026}");
        assert_eq!(digits.map(str::len), Some(6), "{shown}");
        assert!(!shown.contains("canary") && !shown.contains("services"));
        assert_ne!(
            shown,
            place("https://hooks.example.com:8443/services/T0/B0/other")
        );
        assert_eq!(
            place("https://canary:canary@siem.example.com"),
            "https://siem.example.com"
        );
    }

    #[test]
    fn after_a_clock_went_a_year_ahead_and_back_an_endpoint_does_not_rest_for_that_year() {
        let year = 365 * 24 * HOUR;
        let health = Health {
            rest_until: Some(at(year)),
            ..Health::default()
        };
        assert!(!health.rests(at(0)));
    }

    #[test]
    fn a_day_is_counted_by_the_hour_and_what_is_older_is_forgotten() {
        let mut health = Health::default();
        let one = Round {
            delivered: 1,
            ..Round::default()
        };
        for hour in 0..100 {
            health.made(at(hour * HOUR), 2);
            health.noted(one, at(hour * HOUR), &Always(0));
        }

        let day = health.last_day(at(99 * HOUR));

        assert_eq!((day.made, day.delivered), (50, 25));
        assert!(health.hours.len() <= 25);
    }

    #[test]
    fn somebody_who_wants_some_types_is_told_of_those() {
        let only = Wanted::Only(BTreeSet::from([EventType::UserUpdated]));
        let mut told = event();
        told.kind = EventType::UserDisabled;
        told.changed = vec!["active".to_owned()];
        assert!(!only.includes(&told));
        assert!(Wanted::All.includes(&told));
        told.changed.push("title".to_owned());
        assert!(only.includes(&told));
    }
}
