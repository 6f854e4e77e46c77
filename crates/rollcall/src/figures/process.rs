//! What the operating system says of this process, under the names that every Prometheus client uses. Linux only; elsewhere there is
//! nothing to read, and nothing is written.

use std::fs;

use rollcall_observe::{Kind, Page};

/// Ticks per second in `/proc/self/stat`: the kernel shows 100 to programs whatever its own clock does (proc(5), `USER_HZ`).
const TICKS: f64 = 100.0;

pub(super) fn write(page: &mut Page) {
    let stat = fs::read_to_string("/proc/self/stat").ok();
    let stat = stat.as_deref().and_then(Stat::read);
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let limits = fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let booted = fs::read_to_string("/proc/stat").unwrap_or_default();
    if let Some(stat) = &stat {
        page.family(
            "process_cpu_seconds_total",
            Kind::Counter,
            "Time that the processor spent on this process.",
        )
        .value(&[], stat.cpu);
    }
    if let (Some(stat), Some(booted)) = (&stat, seconds_of_boot(&booted)) {
        page.family(
            "process_start_time_seconds",
            Kind::Gauge,
            "When this process began, in seconds since 1970.",
        )
        .value(&[], booted + stat.begun);
    }
    if let Some(bytes) = kibibytes(&status, "VmRSS:") {
        page.family(
            "process_resident_memory_bytes",
            Kind::Gauge,
            "Memory that this process occupies.",
        )
        .value(&[], bytes);
    }
    if let Ok(files) = fs::read_dir("/proc/self/fd") {
        page.family(
            "process_open_fds",
            Kind::Gauge,
            "Open files and connections.",
        )
        // one of them is the folder that is read
        .value(&[], files.count().saturating_sub(1));
    }
    if let Some(most) = most_files(&limits) {
        page.family(
            "process_max_fds",
            Kind::Gauge,
            "How many open files and connections there may be.",
        )
        .value(&[], most);
    }
}

/// What is of interest in `/proc/self/stat`, in seconds.
struct Stat {
    cpu: f64,
    /// After the machine booted.
    begun: f64,
}

impl Stat {
    fn read(text: &str) -> Option<Self> {
        // the second field is the program's name, which may hold anything
        let (_, fields) = text.rsplit_once(") ")?;
        // the third field of the line is the first of these
        let fields: Vec<&str> = fields.split_whitespace().collect();
        let ticks = |at: usize| fields.get(at - 3)?.parse::<f64>().ok();
        Some(Self {
            cpu: (ticks(14)? + ticks(15)?) / TICKS,
            begun: ticks(22)? / TICKS,
        })
    }
}

fn seconds_of_boot(text: &str) -> Option<f64> {
    let line = text.lines().find_map(|line| line.strip_prefix("btime "))?;
    line.trim().parse().ok()
}

fn kibibytes(status: &str, name: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    let many: u64 = line.split_whitespace().next()?.parse().ok()?;
    Some(many * 1_024)
}

fn most_files(limits: &str) -> Option<u64> {
    let line = limits
        .lines()
        .find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_words_are_understood() {
        let stat = "42 (a) name) S 1 42 42 0 -1 4194560 900 0 3 0 250 50 0 0 20 0 9 0 12345 \
            1000 200 18446744073709551615 1 1 0 0 0 0 0";

        let stat = Stat::read(stat).unwrap();

        assert!((stat.cpu - 3.0).abs() < 1e-9);
        assert!((stat.begun - 123.45).abs() < 1e-9);
        assert_eq!(
            kibibytes("VmSize:\t  9 kB\nVmRSS:\t   12 kB\n", "VmRSS:"),
            Some(12_288)
        );
        let limits = "Limit  Soft Limit  Hard Limit  Units\nMax open files  1024  524288  files\n";
        assert_eq!(most_files(limits), Some(1_024));
        assert_eq!(
            seconds_of_boot("cpu 1 2\nbtime 1700000000\n").map(f64::to_bits),
            Some(1.7e9_f64.to_bits())
        );
        assert!(Stat::read("").is_none());
    }
}
