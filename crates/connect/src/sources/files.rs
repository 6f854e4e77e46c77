//! Files as a source: CSV with a header or JSON lines, people and groups.
//!
//! **Is:** whole files, looked at together: what is wrong with their form refuses all of them, with every mistake; a value that SCIM
//! does not accept refuses its record alone. A person of whom a file does not say whether they are active (no column, an empty cell)
//! is active: who is in the list is there.
//! **Is not:** a watcher; each reading reads everything. A CSV file that was cut off at the end of a cell of its last column looks
//! whole; one cut off elsewhere does not. Whoever writes a file writes it under another name and renames it.
//! **Start at** [`Files::new`].

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use rollcall_model::Kind;
use rollcall_scim::key::canonical;
use rollcall_scim::limits::Limits;
use rollcall_scim::schema::Registry;
use rollcall_sync::target_path::member;
use serde_json::Value;

use super::ready::{Ready, Taken};
use super::{
    Batch, Completeness, Line, Mistake, Pointer, Refusal, Source, SourceRecord, Text, Unread, read,
};

/// A file longer than this is not read, in bytes.
pub const LONGEST: u64 = 256 * 1024 * 1024;

/// Files, to be read once.
#[derive(Debug)]
pub struct Files {
    paths: Vec<(Kind, PathBuf)>,
    registry: Registry,
    limits: Limits,
    /// Absent before the first batch.
    ready: Option<Ready>,
}

impl Files {
    /// Makes a source of files, each with the kind of its records (a JSON line may say otherwise).
    pub fn new(paths: Vec<(Kind, PathBuf)>, registry: Registry, limits: Limits) -> Self {
        Self {
            paths,
            registry,
            limits,
            ready: None,
        }
    }

    async fn read(&self) -> Result<Ready, Unread> {
        let mut texts = Vec::new();
        for (kind, path) in &self.paths {
            let bytes = bytes(path).await?;
            let text = read(*kind, &self.registry, &bytes, &self.limits);
            texts.push((name(path), text));
        }
        taken(texts)
    }
}

#[async_trait]
impl Source for Files {
    async fn next(&mut self) -> Result<Batch, Unread> {
        let mut ready = match self.ready.take() {
            Some(ready) => ready,
            None => self.read().await?,
        };
        let batch = ready.next();
        self.ready = Some(ready);
        Ok(batch)
    }
}

/// Reads a file that nobody writes meanwhile.
async fn bytes(path: &Path) -> Result<Vec<u8>, Unread> {
    let shown = path.display();
    let help = "check the path, and that this server may read the file";
    let failed = |error: std::io::Error| {
        Unread::out_of_reach(format!("{shown} cannot be read: {error}"), help)
    };
    let before = tokio::fs::metadata(path).await.map_err(failed)?;
    if before.len() > LONGEST {
        let message = format!("{shown} is longer than {} MiB", LONGEST / (1024 * 1024));
        return Err(Unread::wrong(message, "split it"));
    }
    let bytes = tokio::fs::read(path).await.map_err(failed)?;
    let after = tokio::fs::metadata(path).await.map_err(failed)?;
    let is_steady = after.len() == bytes.len() as u64
        && before.len() == after.len()
        && before.modified().ok() == after.modified().ok();
    if !is_steady {
        let message = format!("{shown} was written while it was read");
        let help = "write it under another name and rename it when it is whole";
        return Err(Unread::out_of_reach(message, help));
    }
    Ok(bytes)
}

fn name(path: &Path) -> String {
    let name = path.file_name().unwrap_or(path.as_os_str());
    name.to_string_lossy().into_owned()
}

/// Looks at all files together: people first, references between all of them, no one twice.
fn taken(texts: Vec<(String, Text)>) -> Result<Ready, Unread> {
    let mut mistakes = Vec::new();
    let (mut reasons, mut empty) = (Vec::new(), Vec::new());
    let mut lines: Vec<(String, Line)> = Vec::new();
    for (file, text) in texts {
        let place = |line: u64| format!("{file}, line {line}");
        mistakes.extend(text.mistakes.into_iter().map(|mistake| Mistake {
            place: place(mistake.line),
            reason: mistake.reason,
        }));
        if let Some(cut) = text.cut {
            mistakes.push(Mistake {
                place: place(cut.line),
                reason: cut.reason,
            });
        } else if text.lines.is_empty() {
            empty.push(format!("{file} is empty"));
        }
        lines.extend(
            text.lines
                .into_iter()
                .map(|line| (place(line.number), line)),
        );
    }
    lines.sort_by_key(|(_, line)| line.kind);
    mistakes.extend(twins(&lines));
    if !mistakes.is_empty() {
        let count = match mistakes.len() {
            1 => "a mistake".to_owned(),
            count => format!("{count} mistakes"),
        };
        return Err(Unread {
            mistakes,
            ..Unread::wrong(
                format!("{count} in the files; nothing was taken"),
                "mend the lines that are named",
            )
        });
    }
    let keys: HashSet<String> = lines
        .iter()
        .filter_map(|(_, line)| line.key.clone())
        .collect();
    let taken: Vec<Taken> = lines
        .into_iter()
        .map(|(place, line)| record(place, line, &keys))
        .collect();
    let nameless = taken
        .iter()
        .filter_map(|one| one.as_ref().err().filter(|refusal| refusal.key.is_none()));
    reasons.extend(
        nameless
            .map(|refusal| format!("{} does not say who it is", refusal.place))
            .take(1),
    );
    Ok(Ready::new(taken, Completeness::of(&reasons, &empty)))
}

/// Finds records of a kind with the same name, or the same key.
fn twins(lines: &[(String, Line)]) -> Vec<Mistake> {
    let mut names: HashMap<(Kind, String), &str> = HashMap::new();
    let mut keys: HashMap<(Kind, String), &str> = HashMap::new();
    let mut mistakes = Vec::new();
    for (place, line) in lines {
        let of = |value: Option<String>| value.map(|value| (line.kind, value));
        let name = of(line.name.as_deref().map(canonical));
        let namesake = name.clone().and_then(|name| names.insert(name, place));
        let key = of(key(line));
        let twin = key.clone().and_then(|key| keys.insert(key, place));
        let columns = line.columns.as_ref();
        // who has no identity is known by the name
        let of_key = columns.filter(|_| line.key.is_some());
        let of_key = of_key.or(columns).map(|(key, _)| key);
        let (what, first, value, column) = match (namesake, twin) {
            (Some(first), _) => ("name", first, name, columns.map(|(_, name)| name)),
            (None, Some(first)) => ("id", first, key, of_key),
            (None, None) => continue,
        };
        let shown: String = value
            .map(|(_, value)| value)
            .unwrap_or_default()
            .chars()
            .take(200)
            .collect();
        let column = column
            .map(|column| format!("{column}: "))
            .unwrap_or_default();
        let reason =
            format!("{column}the {what} `{shown}` is that of {first} too: keep one of the two");
        mistakes.push(Mistake {
            place: place.clone(),
            reason,
        });
    }
    mistakes
}

fn key(line: &Line) -> Option<String> {
    line.key
        .clone()
        .or_else(|| line.name.as_deref().map(canonical))
}

fn record(place: String, line: Line, keys: &HashSet<String>) -> Taken {
    let key = key(&line);
    let refused = |reason: String, key: Option<String>| Refusal {
        kind: line.kind,
        place: place.clone(),
        reason,
        key,
        name: line.name.clone(),
    };
    let mut body = line.body.map_err(|reason| refused(reason, key.clone()))?;
    let Some(key) = key else {
        return Err(refused("it has neither an id nor a name".to_owned(), None));
    };
    if let (Kind::User, Some(body)) = (line.kind, body.as_object_mut())
        && member(body, "active").is_none_or(Value::is_null)
    {
        body.retain(|name, _| !name.eq_ignore_ascii_case("active"));
        body.insert("active".to_owned(), Value::Bool(true));
    }
    let pointer = |text: String| {
        if keys.contains(&text) {
            Pointer::Key(text)
        } else {
            Pointer::Name(text)
        }
    };
    Ok(SourceRecord {
        kind: line.kind,
        key,
        place,
        body,
        attributes: line.attributes,
        members: line.members.into_iter().map(pointer).collect(),
        manager: line.manager.map(pointer),
    })
}

impl Completeness {
    /// Makes one of the reasons why a reading may have left some out, and of what shows nobody.
    pub(super) fn of(reasons: &[String], empty: &[String]) -> Self {
        match (reasons, empty) {
            ([], []) => Self::Complete,
            ([], empty) => Self::Empty(empty.join("; ")),
            (reasons, empty) => Self::Incomplete([reasons, empty].concat().join("; ")),
        }
    }
}
