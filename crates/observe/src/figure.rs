//! Figures: numbers that only grow, numbers that go up and down, and how long or how large things are.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

/// A number that only grows.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Counts one.
    pub fn increment(&self) {
        self.add(1);
    }

    /// Counts so many.
    pub fn add(&self, many: u64) {
        self.0.fetch_add(many, Ordering::Relaxed);
    }

    /// Returns how many were counted.
    pub fn value(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// A number that goes up and down.
#[derive(Debug, Default)]
pub struct Gauge(AtomicI64);

impl Gauge {
    /// Says what it is now.
    pub fn set(&self, value: u64) {
        self.0
            .store(i64::try_from(value).unwrap_or(i64::MAX), Ordering::Relaxed);
    }

    /// Makes it one more.
    pub fn rise(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    /// Makes it one less.
    pub fn fall(&self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }

    /// Makes it one more, until what is returned is dropped.
    pub fn raise(&self) -> Raised<'_> {
        self.rise();
        Raised(self)
    }

    /// Returns what it is now.
    pub fn value(&self) -> i64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Keeps a [`Gauge`] one higher as long as it lives.
#[derive(Debug)]
#[must_use = "the gauge falls when this is dropped"]
pub struct Raised<'a>(&'a Gauge);

impl Drop for Raised<'_> {
    fn drop(&mut self) {
        self.0.fall();
    }
}

/// How long things take.
#[derive(Debug)]
pub struct Durations(Histogram);

/// Upper bounds in microseconds: from a look-up in memory to a request that is given up.
const MICROSECONDS: &[u64] = &[
    500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000,
    2_500_000, 5_000_000, 10_000_000, 30_000_000, 60_000_000,
];

/// Likewise, for work that takes minutes.
const LONG_MICROSECONDS: &[u64] = &[
    100_000,
    1_000_000,
    5_000_000,
    15_000_000,
    60_000_000,
    300_000_000,
    900_000_000,
    3_600_000_000,
    14_400_000_000,
];

impl Default for Durations {
    fn default() -> Self {
        Self(Histogram::new(MICROSECONDS))
    }
}

impl Durations {
    /// Makes one for what takes between a tenth of a second and hours.
    pub fn long() -> Self {
        Self(Histogram::new(LONG_MICROSECONDS))
    }

    /// Counts something that took so long.
    pub fn observe(&self, took: Duration) {
        self.0
            .observe(u64::try_from(took.as_micros()).unwrap_or(u64::MAX));
    }

    /// Reads it; bounds and sum are in seconds.
    pub fn read(&self) -> Reading {
        self.0.read(1e-6)
    }
}

/// How large things are.
#[derive(Debug)]
pub struct Sizes(Histogram);

/// Upper bounds: how many share something.
const MANY: &[u64] = &[1, 2, 4, 8, 16, 32, 64, 128, 256, 512];

impl Default for Sizes {
    fn default() -> Self {
        Self(Histogram::new(MANY))
    }
}

impl Sizes {
    /// Counts something of this size.
    pub fn observe(&self, size: u64) {
        self.0.observe(size);
    }

    /// Reads it.
    pub fn read(&self) -> Reading {
        self.0.read(1.0)
    }
}

/// A histogram at one moment.
#[derive(Debug, Clone, PartialEq)]
pub struct Reading {
    /// Its buckets, by growing bound. What is larger than the last bound is in [`Reading::count`] only.
    pub buckets: Vec<Bucket>,
    /// How many things were counted.
    pub count: u64,
    /// Their sum.
    pub sum: f64,
}

/// A bucket of a histogram.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bucket {
    /// The largest value that belongs to it.
    pub bound: f64,
    /// How many are not larger.
    pub count: u64,
}

#[derive(Debug)]
struct Histogram {
    bounds: &'static [u64],
    /// One more than there are bounds: the last is for what is larger than all of them.
    counts: Box<[AtomicU64]>,
    sum: AtomicU64,
}

impl Histogram {
    fn new(bounds: &'static [u64]) -> Self {
        Self {
            bounds,
            counts: (0..=bounds.len()).map(|_| AtomicU64::new(0)).collect(),
            sum: AtomicU64::new(0),
        }
    }

    fn observe(&self, value: u64) {
        let at = self.bounds.partition_point(|bound| *bound < value);
        if let Some(count) = self.counts.get(at) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        self.sum.fetch_add(value, Ordering::Relaxed);
    }

    #[expect(
        clippy::cast_precision_loss,
        reason = "sums and bounds are shown, not counted with"
    )]
    fn read(&self, scale: f64) -> Reading {
        let mut count = 0;
        let mut buckets = Vec::with_capacity(self.bounds.len());
        let mut counts = self.counts.iter();
        for (bound, own) in self.bounds.iter().zip(counts.by_ref()) {
            count += own.load(Ordering::Relaxed);
            let bound = *bound as f64 * scale;
            buckets.push(Bucket { bound, count });
        }
        // INVARIANT: the count is the sum of the buckets, whatever is counted meanwhile
        count += counts.map(|own| own.load(Ordering::Relaxed)).sum::<u64>();
        Reading {
            buckets,
            count,
            sum: self.sum.load(Ordering::Relaxed) as f64 * scale,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gauge_falls_when_what_raised_it_ends() {
        let gauge = Gauge::default();
        let first = gauge.raise();
        let second = gauge.raise();
        assert_eq!(gauge.value(), 2);

        drop(first);
        assert_eq!(gauge.value(), 1);
        drop(second);
        assert_eq!(gauge.value(), 0);
    }

    #[test]
    fn a_value_on_a_bound_belongs_to_its_bucket() {
        let sizes = Sizes::default();
        for size in [1, 2, 3, 512, 513] {
            sizes.observe(size);
        }

        let read = sizes.read();

        let up_to = |bound: f64| {
            let bucket = read.buckets.iter().find(|bucket| bucket.bound >= bound);
            bucket.unwrap().count
        };
        assert_eq!(
            [1.0, 2.0, 4.0, 256.0, 512.0].map(up_to),
            [1, 2, 3, 3, 4],
            "{read:?}"
        );
        assert_eq!((read.count, read.sum.round()), (5, 1_031.0));
    }

    #[test]
    fn durations_are_read_in_seconds() {
        let durations = Durations::default();
        durations.observe(Duration::from_millis(1_500));

        let read = durations.read();

        assert!((read.sum - 1.5).abs() < 1e-9, "{read:?}");
        let first = read.buckets.iter().find(|bucket| bucket.count == 1);
        assert!((first.unwrap().bound - 2.5).abs() < 1e-9, "{read:?}");
    }

    #[test]
    fn what_many_threads_count_is_all_there() {
        let (counter, sizes) = (Counter::default(), Sizes::default());

        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for size in 0..1_000 {
                        counter.increment();
                        sizes.observe(size);
                    }
                });
            }
        });

        assert_eq!((counter.value(), sizes.read().count), (4_000, 4_000));
    }
}
