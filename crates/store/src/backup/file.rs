//! The file of a backup: a SQLite database, and behind it one line with the SHA-256 of all that is before.
//!
//! Anybody can look into it with `sqlite3`, which does not mind the line. The line covers every byte, also those that no row uses.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use ring::digest::{Context, SHA256};

use crate::copy::{Existing, NotCopied, Print, TABLES};
use crate::sqlite::{archive, copying};
use crate::{Error, Finding, Location};

/// The version of the file's format.
const FORMAT: u32 = 1;
/// How the last line begins; then come the format's version and the SHA-256.
const LINE: &str = "\nrollcall backup ";
const SUM: &str = ", sha256 ";
/// No last line is longer.
const LONGEST_LINE: u64 = 128;

/// What a backup says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contents {
    /// When it was made.
    pub made: Timestamp,
    /// Which version of Rollcall has made it.
    pub rollcall: String,
    /// Of which kind the store was: `sqlite` or `postgres`.
    pub store: String,
    /// The version of the file's format.
    pub format: u32,
    /// The version of the schema of its tables.
    pub schema: u32,
    /// What each table has.
    pub tables: Vec<TableContents>,
    /// The SHA-256 of the file but for its last line, in hexadecimal.
    pub sha256: String,
    /// How many bytes the file has.
    pub bytes: u64,
}

/// What a table of a backup has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableContents {
    /// Its name.
    pub name: String,
    /// How many rows.
    pub rows: u64,
    /// The SHA-256 of them all, in the order of their keys, in hexadecimal.
    pub sha256: String,
}

impl Contents {
    /// Makes sure that a table has what it is said to have.
    pub(super) fn confirms(&self, table: &str, print: Print, file: &Path) -> Result<(), NotCopied> {
        let said = self.tables.iter().find(|one| one.name == table);
        let is_same =
            said.is_some_and(|said| said.rows == print.rows && said.sha256 == hex(&print.digest));
        if is_same {
            return Ok(());
        }
        let what = format!("the rows of `{table}` are not those that were written");
        Err(damaged(file, what))
    }
}

/// Describes the tables that have these prints.
pub(super) fn described(prints: &[Print]) -> Vec<(String, u64, String)> {
    let tables = TABLES.iter().zip(prints);
    tables
        .map(|(table, print)| (table.name.to_owned(), print.rows, hex(&print.digest)))
        .collect()
}

fn hex(bytes: &[u8]) -> String {
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits
        .filter_map(|digit| char::from_digit(digit.into(), 16))
        .collect()
}

fn unreadable(path: &Path) -> impl Fn(io::Error) -> NotCopied {
    of(path, "read")
}

fn unwritable(path: &Path) -> impl Fn(io::Error) -> NotCopied {
    of(path, "written")
}

fn of(path: &Path, deed: &'static str) -> impl Fn(io::Error) -> NotCopied {
    let path = path.to_owned();
    move |source| NotCopied::File {
        path: path.clone(),
        deed,
        source,
    }
}

/// Says of what the database said while a file was written that the file could not be.
pub(super) fn unwritten(file: &Path, error: NotCopied) -> NotCopied {
    match error {
        NotCopied::Store(source @ Error::Unreachable(_)) | NotCopied::Refused { source, .. } => {
            unwritable(file)(io::Error::other(source))
        }
        error => error,
    }
}

pub(super) fn damaged(file: &Path, what: String) -> NotCopied {
    let file = file.to_owned();
    NotCopied::DamagedBackup { file, what }
}

/// Makes sure that a backup may be written to a file: nothing is there, or it may be replaced and is not the store's own.
pub(super) fn is_writable(
    file: &Path,
    store: &Location,
    apart: &[PathBuf],
    existing: Existing,
) -> Result<(), NotCopied> {
    let mut own = apart.to_vec();
    if let Location::Sqlite(path) = store {
        own.extend(copying::files(path));
    }
    if own.iter().any(|own| is_same(own, file)) {
        return Err(NotCopied::OwnFile(file.to_owned()));
    }
    match std::fs::symlink_metadata(file) {
        Ok(there) if there.is_dir() => Err(unwritable(file)(io::ErrorKind::IsADirectory.into())),
        Ok(_) if existing == Existing::Keep => Err(NotCopied::Exists(file.to_owned())),
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(unwritable(file)(error)),
    }
}

/// Tells whether two names are of one file, or would be.
fn is_same(one: &Path, other: &Path) -> bool {
    if let (Ok(one), Ok(other)) = (one.metadata(), other.metadata()) {
        return (one.dev(), one.ino()) == (other.dev(), other.ino());
    }
    let whole = |path: &Path| {
        let parent = path.parent().filter(|parent| *parent != Path::new(""));
        let folder = parent.unwrap_or(Path::new(".")).canonicalize().ok()?;
        Some(folder.join(path.file_name()?))
    };
    matches!((whole(one), whole(other)), (Some(one), Some(other)) if one == other)
}

/// Ends a file with its last line, and has the disk keep it.
pub(super) fn seal(path: &Path) -> Result<(), NotCopied> {
    let failed = unwritable(path);
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .open(path)
        .map_err(&failed)?;
    let bytes = file.metadata().map_err(&failed)?.len();
    let sum = sum(&mut file, bytes).map_err(&failed)?;
    let line = format!("{LINE}{FORMAT}{SUM}{sum}\n");
    file.seek(SeekFrom::End(0)).map_err(&failed)?;
    file.write_all(line.as_bytes()).map_err(&failed)?;
    file.sync_all().map_err(&failed)
}

/// Takes the SHA-256 of the first bytes of a file.
fn sum(file: &mut File, bytes: u64) -> io::Result<String> {
    let mut context = Context::new(&SHA256);
    let mut buffer = vec![0; 1024 * 1024];
    file.seek(SeekFrom::Start(0))?;
    let mut rest = file.take(bytes);
    loop {
        let read = rest.read(&mut buffer)?;
        let Some(part) = buffer.get(..read).filter(|part| !part.is_empty()) else {
            break;
        };
        context.update(part);
    }
    Ok(hex(context.finish().as_ref()))
}

/// Reads what a backup says of itself, after it was made sure that every byte is as it was.
pub(super) fn inspect(path: &Path) -> Result<Contents, NotCopied> {
    let failed = unreadable(path);
    let mut file = File::open(path).map_err(&failed)?;
    let bytes = file.metadata().map_err(&failed)?.len();
    file.seek(SeekFrom::Start(bytes.saturating_sub(LONGEST_LINE)))
        .map_err(&failed)?;
    let mut end = Vec::new();
    (&mut file)
        .take(LONGEST_LINE)
        .read_to_end(&mut end)
        .map_err(&failed)?;
    let line = last_line(&end).ok_or_else(|| NotCopied::NoBackup(path.to_owned()))?;
    let later = |what, found, known| NotCopied::LaterBackup {
        file: path.to_owned(),
        what,
        found,
        known,
    };
    if line.format != FORMAT {
        return Err(later("format", line.format, FORMAT));
    }
    let found = sum(&mut file, bytes - line.length).map_err(&failed)?;
    if found != line.sum {
        let what = "its SHA-256 is not the one with which it was made";
        return Err(damaged(path, what.to_owned()));
    }
    let head = archive::head(path)?.ok_or_else(|| NotCopied::NoBackup(path.to_owned()))?;
    let known = copying::known();
    if head.schema > known {
        return Err(later("schema", head.schema, known));
    }
    let tables = head.tables.into_iter();
    Ok(Contents {
        made: head
            .made
            .parse()
            .map_err(|_| damaged(path, "it does not say when it was made".to_owned()))?,
        rollcall: head.rollcall,
        store: head.store,
        format: line.format,
        schema: head.schema,
        tables: tables
            .map(|(name, rows, sha256)| TableContents { name, rows, sha256 })
            .collect(),
        sha256: line.sum,
        bytes,
    })
}

/// The last line of a backup.
struct LastLine {
    format: u32,
    sum: String,
    length: u64,
}

fn last_line(end: &[u8]) -> Option<LastLine> {
    let begin = (0..end.len()).rev().find(|at| {
        end.get(*at..)
            .is_some_and(|end| end.starts_with(LINE.as_bytes()))
    })?;
    let line = end.get(begin..)?;
    let text = std::str::from_utf8(line).ok()?.strip_prefix(LINE)?;
    let (format, sum) = text.strip_suffix('\n')?.split_once(SUM)?;
    let is_sum = sum.len() == 64
        && sum
            .bytes()
            .all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
    is_sum.then_some(LastLine {
        format: format.parse().ok()?,
        sum: sum.to_owned(),
        length: line.len() as u64,
    })
}

/// Reads all rows of a backup that was just made again, and makes sure that they are those that were read; returns what damage is among
/// them.
pub(super) fn compare(path: &Path, expected: &[Print]) -> Result<Vec<Finding>, NotCopied> {
    let (found, findings) = archive::read_again(path)?;
    for ((table, expected), found) in TABLES.iter().zip(expected).zip(found) {
        crate::copy::compare(table, *expected, found)?;
    }
    Ok(findings)
}

/// A file that is being written; removed when it is dropped before it became what it is meant to be.
#[derive(Debug)]
pub(super) struct Unfinished(PathBuf);

impl Unfinished {
    /// Makes one beside a file, empty, and for its owner alone.
    pub(super) fn beside(file: &Path) -> Result<Self, NotCopied> {
        let mut name = file.as_os_str().to_owned();
        name.push(format!(".unfinished-{}", std::process::id()));
        Self::at(name.into(), file)
    }

    /// Copies a backup to where there is room to change it: beside the store that it becomes, or where temporary files are.
    pub(super) fn copy_of(file: &Path, to: &Location) -> Result<Self, NotCopied> {
        let copy = match to {
            Location::Sqlite(path) => Self::beside(path)?,
            Location::Postgres(_) => {
                let name = format!("rollcall-restore-{}", std::process::id());
                let path = std::env::temp_dir().join(name);
                Self::beside(&path)?
            }
        };
        // into the file that is there, which nobody else can read
        let mut from = File::open(file).map_err(unreadable(file))?;
        let written = OpenOptions::new()
            .write(true)
            .open(&copy.0)
            .and_then(|mut into| io::copy(&mut from, &mut into));
        written.map_err(unwritable(&copy.0))?;
        Ok(copy)
    }

    fn at(path: PathBuf, named: &Path) -> Result<Self, NotCopied> {
        // one that is there was left by a process of this number that was killed: in a container numbers come again
        drop(std::fs::remove_file(&path));
        let made = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path);
        made.map_err(unwritable(named))?;
        Ok(Self(path))
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    /// Gives it its name, at once and for good.
    pub(super) fn becomes(self, file: &Path, existing: Existing) -> Result<(), NotCopied> {
        let failed = unwritable(file);
        let named = match existing {
            Existing::Replace => std::fs::rename(&self.0, file),
            // unlike a rename, it fails when there is something by now; the other name goes when this is dropped
            Existing::Keep => std::fs::hard_link(&self.0, file),
        };
        named.map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => NotCopied::Exists(file.to_owned()),
            _ => failed(error),
        })?;
        let folder = file.parent().filter(|parent| *parent != Path::new(""));
        let folder = File::open(folder.unwrap_or(Path::new("."))).map_err(&failed)?;
        folder.sync_all().map_err(&failed)
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        drop(std::fs::remove_file(&self.0));
        let mut journal = self.0.as_os_str().to_owned();
        journal.push("-journal");
        drop(std::fs::remove_file(PathBuf::from(journal)));
    }
}
