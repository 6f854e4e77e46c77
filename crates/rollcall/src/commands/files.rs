//! What `rollcall doctor` sees of files: who may read them, and how much room there is beside them.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rollcall_store::{Finding, Location};

use crate::config::Config;
use crate::key;

/// Less room than this is trouble, however small the store is: a log that cannot grow ends every write.
const LEAST: u64 = 256 * 1024 * 1024;

/// Looks at the files of the store and at its key.
pub(super) fn look(config: &Config) -> Vec<Finding> {
    let mut findings = Vec::new();
    findings.extend(open_to_others(&config.key_file.value, key::widest_mode));
    if let Location::Sqlite(path) = &config.store.value {
        let private = ["", "-wal", "-shm"].map(|end| with_end(path, end));
        let open = |path: &PathBuf| open_to_others(path, |_| 0o600);
        findings.extend(private.iter().filter_map(open));
        findings.extend(room(path));
    }
    findings
}

fn with_end(path: &Path, end: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(end);
    name.into()
}

/// Finds a file that others may read or write, beyond what is right for a file of its owner.
fn open_to_others(path: &Path, widest: impl Fn(u32) -> u32) -> Option<Finding> {
    let file = std::fs::metadata(path).ok()?;
    let (mode, widest) = (file.mode() & 0o777, widest(file.uid()));
    (mode & 0o077 & !widest != 0).then(|| Finding {
        trouble: format!(
            "{} can be used by other users of this machine (mode {mode:o})",
            path.display(),
        ),
        remedy: format!("chmod {widest:o} {}", path.display()),
    })
}

/// Finds that there is little room on the volume of a file.
fn room(path: &Path) -> Option<Finding> {
    let file = std::fs::metadata(path).ok()?.len();
    let volume = rustix::fs::statvfs(path).ok()?;
    let free = volume.f_bavail.saturating_mul(volume.f_frsize);
    is_short(free, file).then(|| Finding {
        trouble: format!(
            "{} MiB are free where {} is, and the store has {} MiB",
            mebibytes(free),
            path.display(),
            mebibytes(file)
        ),
        remedy: "make room, or move the store: without room nothing can be written, and a copy or a backup beside it needs as much again".to_owned(),
    })
}

/// Tells whether so many free bytes are little for a store of this size.
fn is_short(free: u64, file: u64) -> bool {
    free < LEAST.max(file)
}

fn mebibytes(bytes: u64) -> u64 {
    bytes / (1024 * 1024)
}
