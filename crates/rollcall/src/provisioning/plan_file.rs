//! The plan as a file on a disk.

use std::io::Write as _;
use std::path::Path;

use rollcall_sync::plan::{Plan, document};

use crate::outcome::Trouble;

/// The longest plan that is read, in bytes.
const LONGEST: u64 = 1024 * 1024 * 1024;

/// Writes a plan for its owner's eyes only: people's data is in it. What was there is replaced when the new one is whole.
pub(crate) fn save(path: &Path, plan: &Plan) -> Result<(), Trouble> {
    write(path, plan).map_err(|error| {
        Trouble::wrong(format!(
            "the plan cannot be written to `{}`: {error}",
            path.display()
        ))
    })
}

fn write(path: &Path, plan: &Plan) -> std::io::Result<()> {
    let text = document::write(plan);
    if std::fs::metadata(path).is_ok_and(|there| !there.is_file()) {
        // a pipe or a device stays what it is
        return std::fs::OpenOptions::new()
            .write(true)
            .open(path)?
            .write_all(text.as_bytes());
    }
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(text.as_bytes())?;
    file.persist(path)?;
    Ok(())
}

/// Reads a plan.
pub(crate) fn read(path: &Path) -> anyhow::Result<Plan> {
    let wrong = |reason: String| {
        Trouble::wrong(format!("the plan `{}`: {reason}", path.display()))
            .hint("`rollcall app plan --out FILE`, or `rollcall job plan`, makes one")
    };
    let length = std::fs::metadata(path).map(|data| data.len());
    if length.map_err(|error| wrong(error.to_string()))? > LONGEST {
        return Err(wrong("it is longer than 1 GiB".to_owned()).into());
    }
    let text = std::fs::read_to_string(path).map_err(|error| wrong(error.to_string()))?;
    Ok(document::read(&text).map_err(|error| wrong(error.to_string()))?)
}
