//! What this process asks of the system before it does anything else.

use rustix::fs::Mode;
use rustix::process::{Resource, getrlimit, setrlimit, umask};

/// As many files as this may be open at once, where the system allows it: connections, and then some.
const FILES: u64 = 65_536;

/// Makes what is written its owner's alone, keeps memory out of core files, and takes as many open files as are allowed: many systems give
/// 1 024 at first, and a server has places for more connections than that.
pub(crate) fn begin() {
    umask(Mode::from_raw_mode(0o077));
    let mut core = getrlimit(Resource::Core);
    core.current = Some(0);
    let mut files = getrlimit(Resource::Nofile);
    let wanted = files.maximum.map_or(FILES, |most| most.min(FILES));
    // no limit is more than any
    files.current = files.current.map(|now| now.max(wanted));
    for (resource, limit) in [(Resource::Core, core), (Resource::Nofile, files)] {
        // the system may refuse; then it stays as it was
        setrlimit(resource, limit).ok();
    }
}
