//! How fast a target is asked.
//!
//! **Is:** no limit until the target asks for patience; then half of what was sent, and slowly more while it stays calm (additive
//! increase, multiplicative decrease). What is urgent goes first. One pace per target, shared by everybody who asks it.
//! **Is not:** retries; those are in [`crate::target`].
//! **Start at** [`Rhythm`], which decides and takes instants as arguments; [`Pace`] only waits.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// For how long a target has to be calm before more is tried.
const CALM: Duration = Duration::from_secs(10);
/// The slowest rate, in requests per second. A target that bears less says so with `Retry-After`.
const SLOWEST: f64 = 0.5;
/// How much of the rate after a slowdown is added per calm period, and how much at least, in requests per second: who was slowed down in
/// a bad minute must not be slow for hours.
const STEP: f64 = 0.1;
const LEAST_STEP: f64 = 0.25;
/// The time over which it is counted what was sent.
const WINDOW: Duration = Duration::from_secs(1);

/// Which requests go first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Urgency {
    /// In turn.
    #[default]
    Normal,
    /// Before all that are normal: who left must not keep access because others arrive.
    Urgent,
}

/// When a request may be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Turn {
    /// At once; it counts as sent.
    Now,
    /// Not before this instant; it has to ask again then.
    NotBefore(Instant),
}

/// Decides when requests may be sent.
#[derive(Debug, Default)]
pub(crate) struct Rhythm {
    /// Requests per second; absent: no limit.
    rate: Option<f64>,
    /// What is added to the rate after a calm period.
    step: f64,
    /// Until when the target asked for silence.
    held_until: Option<Instant>,
    /// When the next request may be sent.
    next: Option<Instant>,
    /// When requests were sent within the last second.
    sent: VecDeque<Instant>,
    /// Since when it is calm.
    calm_since: Option<Instant>,
    /// Whether somebody had to wait for the rate since then. A rate that nobody needs proves nothing.
    is_needed: bool,
    /// When it was last slowed down.
    slowed: Option<Instant>,
    /// How many urgent requests wait.
    urgent: usize,
}

impl Rhythm {
    /// Starts with the rate that is known from before.
    pub(crate) fn new(rate: Option<f64>) -> Self {
        let rate = rate.map(|rate| rate.max(SLOWEST));
        Self {
            rate,
            step: step(rate.unwrap_or_default()),
            ..Self::default()
        }
    }

    /// Returns the rate, in requests per second; absent: the target never asked for patience.
    pub(crate) fn rate(&self) -> Option<f64> {
        self.rate
    }

    /// Says when a request may be sent.
    pub(crate) fn turn(&mut self, now: Instant, urgency: Urgency) -> Turn {
        if let Some(until) = self.held_until.filter(|until| now < *until) {
            return Turn::NotBefore(until);
        }
        self.rise(now);
        if let Some(rate) = self.rate {
            let interval = Duration::from_secs_f64(1.0 / rate);
            let next = self.next.unwrap_or(now);
            if now < next {
                self.is_needed = true;
                return Turn::NotBefore(next);
            }
            if urgency == Urgency::Normal && self.urgent > 0 {
                self.is_needed = true;
                return Turn::NotBefore(now + interval);
            }
            // who is woken a little late does not slow the others down
            let following = next + interval;
            self.next = Some(if following > now {
                following
            } else {
                now + interval
            });
        }
        self.forget(now);
        self.sent.push_back(now);
        Turn::Now
    }

    /// The target asked for patience, in the answer to a request that was sent at `sent`. Returns how many requests per second were too
    /// many, when that is news: requests that were under way together are refused together, and count once.
    pub(crate) fn throttled(
        &mut self,
        now: Instant,
        sent: Instant,
        retry_after: Option<Duration>,
    ) -> Option<f64> {
        if let Some(until) = retry_after.and_then(|wait| now.checked_add(wait)) {
            self.held_until = self.held_until.max(Some(until));
        }
        if self.slowed.is_some_and(|slowed| sent <= slowed) {
            return None;
        }
        self.forget(now);
        let in_window = u32::try_from(self.sent.len()).unwrap_or(u32::MAX);
        let before = self.rate.unwrap_or_else(|| f64::from(in_window.max(1)));
        let rate = (before / 2.0).max(SLOWEST);
        self.rate = Some(rate);
        self.step = step(rate);
        self.next = Some(now + Duration::from_secs_f64(1.0 / rate));
        self.slowed = Some(now);
        self.calm_since = Some(now);
        self.is_needed = false;
        Some(before)
    }

    fn rise(&mut self, now: Instant) {
        let since = *self.calm_since.get_or_insert(now);
        if now.saturating_duration_since(since) < CALM {
            return;
        }
        self.calm_since = Some(now);
        if let Some(rate) = self.rate.as_mut().filter(|_| self.is_needed) {
            *rate += self.step;
        }
        self.is_needed = false;
    }

    fn forget(&mut self, now: Instant) {
        while let Some(first) = self.sent.front()
            && now.saturating_duration_since(*first) >= WINDOW
        {
            self.sent.pop_front();
        }
    }
}

fn step(rate: f64) -> f64 {
    (rate * STEP).max(LEAST_STEP)
}

/// Waits as the rhythm says.
#[derive(Debug)]
pub(crate) struct Pace(Mutex<Rhythm>);

/// An urgent request that waits; normal ones stand back as long as it exists.
struct Waiting<'p>(&'p Pace);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let mut rhythm = self.0.rhythm();
        rhythm.urgent = rhythm.urgent.saturating_sub(1);
    }
}

impl Pace {
    pub(crate) fn new(rate: Option<f64>) -> Self {
        Self(Mutex::new(Rhythm::new(rate)))
    }

    pub(crate) fn rhythm(&self) -> MutexGuard<'_, Rhythm> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until a request may be sent; returns the instant.
    ///
    /// # Errors
    /// How long it would have to wait, when that is longer than `longest`.
    pub(crate) async fn turn(
        &self,
        urgency: Urgency,
        longest: Duration,
    ) -> Result<Instant, Duration> {
        let waiting = (urgency == Urgency::Urgent).then(|| {
            self.rhythm().urgent += 1;
            Waiting(self)
        });
        loop {
            let now = present();
            let turn = self.rhythm().turn(now, urgency);
            let at = match turn {
                Turn::Now => {
                    drop(waiting);
                    return Ok(now);
                }
                Turn::NotBefore(at) => at,
            };
            let wait = at.saturating_duration_since(now);
            if wait > longest {
                return Err(wait);
            }
            tokio::time::sleep_until(at.into()).await;
        }
    }
}

/// Returns the present instant of the clock by which the runtime sleeps.
pub(crate) fn present() -> Instant {
    tokio::time::Instant::now().into_std()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    const SECOND: Duration = Duration::from_secs(1);

    /// Sends as many requests as are let through within a time, asking every millisecond.
    fn sent_within(rhythm: &mut Rhythm, from: Instant, time: Duration) -> u32 {
        let mut sent = 0;
        for millisecond in 0..u32::try_from(time.as_millis()).unwrap() {
            let now = from + Duration::from_millis(1) * millisecond;
            sent += u32::from(rhythm.turn(now, Urgency::Normal) == Turn::Now);
        }
        sent
    }

    fn is_near(rate: Option<f64>, expected: f64) -> bool {
        rate.is_some_and(|rate| (rate - expected).abs() < 1e-9)
    }

    #[test]
    fn there_is_no_limit_until_the_target_asks_for_patience() {
        let (mut rhythm, now) = (Rhythm::default(), Instant::now());

        for _ in 0..1_000 {
            assert_eq!(rhythm.turn(now, Urgency::Normal), Turn::Now);
        }

        assert_eq!(rhythm.rate(), None);
    }

    #[test]
    fn the_first_refusal_halves_what_was_sent_in_the_last_second_and_holds_everybody() {
        let (mut rhythm, start) = (Rhythm::default(), Instant::now());
        for tenth in 0..20 {
            rhythm.turn(start + SECOND / 10 * tenth, Urgency::Normal);
        }
        let now = start + SECOND * 2;

        let before = rhythm.throttled(now, now, Some(SECOND * 3));

        assert!(is_near(before, 9.0), "{before:?}");
        assert!(is_near(rhythm.rate(), 4.5));
        for urgency in [Urgency::Normal, Urgency::Urgent] {
            assert_eq!(
                rhythm.turn(now + SECOND, urgency),
                Turn::NotBefore(now + SECOND * 3)
            );
        }
        let sent = sent_within(&mut rhythm, now + SECOND * 3, SECOND * 4);
        assert!((17..=19).contains(&sent), "{sent}");
    }

    #[test]
    fn requests_that_were_under_way_together_slow_down_once() {
        let (mut rhythm, start) = (Rhythm::default(), Instant::now());
        for _ in 0..16 {
            rhythm.turn(start, Urgency::Normal);
        }
        let now = start + SECOND / 2;

        let news: Vec<bool> = (0..16)
            .map(|_| rhythm.throttled(now, start, None).is_some())
            .collect();

        assert_eq!(news.iter().filter(|news| **news).count(), 1);
        assert!(is_near(rhythm.rate(), 8.0));
        let later = now + SECOND;
        assert!(is_near(rhythm.throttled(later, later, None), 8.0));
        assert!(is_near(rhythm.rate(), 4.0));
    }

    #[test]
    fn the_rate_rises_slowly_while_it_is_calm_and_somebody_needs_it() {
        let (mut rhythm, start) = (Rhythm::new(Some(10.0)), Instant::now());

        sent_within(&mut rhythm, start, CALM * 3 + SECOND);
        assert!(is_near(rhythm.rate(), 13.0), "{:?}", rhythm.rate());

        for minute in 1..60 {
            let now = start + CALM * 4 + SECOND * 60 * minute;
            rhythm.turn(now, Urgency::Normal);
        }
        let idle = rhythm.rate().unwrap();
        assert!(idle <= 14.0 + 1e-9, "{idle}");
    }

    #[test]
    fn a_longer_silence_is_never_cut_short_by_a_shorter_one() {
        let (mut rhythm, now) = (Rhythm::default(), Instant::now());

        rhythm.throttled(now, now, Some(SECOND * 5));
        rhythm.throttled(now, now, Some(SECOND));

        assert_eq!(
            rhythm.turn(now + SECOND * 2, Urgency::Urgent),
            Turn::NotBefore(now + SECOND * 5)
        );
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_urgent_takes_the_next_slot() {
        let pace = Arc::new(Pace::new(Some(1.0)));
        let order = Arc::new(Mutex::new(Vec::new()));
        pace.turn(Urgency::Normal, SECOND).await.unwrap();
        let mut tasks = Vec::new();
        for (name, urgency) in [
            ("creation 1", Urgency::Normal),
            ("creation 2", Urgency::Normal),
            ("deactivation", Urgency::Urgent),
        ] {
            let (pace, order) = (Arc::clone(&pace), Arc::clone(&order));
            tasks.push(tokio::spawn(async move {
                pace.turn(urgency, SECOND * 10).await.unwrap();
                order.lock().unwrap().push(name);
            }));
        }
        for task in tasks {
            task.await.unwrap();
        }

        assert_eq!(order.lock().unwrap()[0], "deactivation");
        assert_eq!(order.lock().unwrap().len(), 3);
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_waits_longer_than_allowed_and_who_gives_up_leaves_the_queue() {
        let pace = Pace::new(None);
        let now = present();
        pace.rhythm().throttled(now, now, Some(SECOND * 3_600));

        let refused = pace.turn(Urgency::Urgent, SECOND * 60).await;

        assert_eq!(refused, Err(SECOND * 3_600));
        assert_eq!(pace.rhythm().urgent, 0);
    }
}
