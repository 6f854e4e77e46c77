//! Checks of the repository itself: its crates and their arrows, the heads of its files, the numbers of its decisions.

#![expect(
    clippy::indexing_slicing,
    reason = "a missing field of a JSON value reads as null"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use serde_json::Value;

use crate::metadata;
use crate::steps::{fuzz_targets, root};

/// What a pure crate must not reach, however deep: whatever waits or touches the outside.
const IMPURE: [&str; 6] = ["tokio", "axum", "hyper", "reqwest", "rusqlite", "ring"];
/// The pure crates.
const PURE: [&str; 5] = [
    "rollcall-observe",
    "rollcall-scim",
    "rollcall-expression",
    "rollcall-model",
    "rollcall-sync",
];

/// Runs all checks and tells every mistake.
pub(crate) fn check() -> anyhow::Result<()> {
    let mut mistakes = Vec::new();
    let metadata = metadata::of_host()?;
    arrows(&metadata, &mut mistakes)?;
    purity(&metadata, &mut mistakes)?;
    for path in sources(&root())? {
        heads(&path, &mut mistakes)?;
    }
    decisions(&mut mistakes)?;
    fuzzing(&mut mistakes)?;
    let threats = fs::read_to_string(root().join("SECURITY.md"))?;
    mistakes.extend(lost_places(&threats, &root()));
    for mistake in &mistakes {
        println!("{mistake}");
    }
    match mistakes.len() {
        0 => Ok(()),
        count => bail!("{count} things are untidy"),
    }
}

/// The crate table of ARCHITECTURE.md lists exactly the crates there are, and allows every arrow between them.
fn arrows(metadata: &Value, mistakes: &mut Vec<String>) -> anyhow::Result<()> {
    let allowed = crate_table(&fs::read_to_string(root().join("ARCHITECTURE.md"))?);
    let actual = workspace_arrows(metadata);
    for (name, arrows) in &actual {
        let Some(allowed) = allowed.get(name) else {
            mistakes.push(format!(
                "ARCHITECTURE.md: the crate table does not list `{name}`"
            ));
            continue;
        };
        for to in arrows.iter().filter(|to| !allowed.contains(*to)) {
            mistakes.push(format!(
                "ARCHITECTURE.md: `{name}` may not depend on `{to}`"
            ));
        }
        for to in allowed.iter().filter(|to| !arrows.contains(*to)) {
            mistakes.push(format!(
                "ARCHITECTURE.md: `{name}` does not depend on `{to}`, though the table says so"
            ));
        }
    }
    for name in allowed.keys().filter(|name| !actual.contains_key(*name)) {
        mistakes.push(format!("ARCHITECTURE.md: there is no crate `{name}`"));
    }
    Ok(())
}

/// Reads rows of the form `` | `crate` | purpose | `crate`, `crate` | ``.
fn crate_table(text: &str) -> BTreeMap<String, BTreeSet<String>> {
    let names = |cell: &str| -> Vec<String> {
        cell.split('`')
            .skip(1)
            .step_by(2)
            .map(str::to_owned)
            .collect()
    };
    text.lines()
        .filter_map(|line| {
            let cells: Vec<&str> = line.strip_prefix("| `")?.split('|').collect();
            let name = cells.first()?.trim_end().strip_suffix('`')?;
            Some((name.to_owned(), names(cells.get(2)?).into_iter().collect()))
        })
        .collect()
}

fn workspace_arrows(metadata: &Value) -> BTreeMap<String, BTreeSet<String>> {
    let packages = metadata["packages"]
        .as_array()
        .map(Vec::as_slice)
        .unwrap_or_default();
    let members: BTreeSet<&str> = metadata["workspace_members"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    let own: Vec<&Value> = packages
        .iter()
        .filter(|package| {
            package["id"]
                .as_str()
                .is_some_and(|id| members.contains(id))
        })
        .collect();
    let names: BTreeSet<&str> = own
        .iter()
        .filter_map(|package| package["name"].as_str())
        .collect();
    own.iter()
        .map(|package| {
            let arrows = package["dependencies"].as_array().into_iter().flatten();
            let arrows = arrows.filter(|dependency| dependency["kind"].is_null());
            let arrows = arrows.filter_map(|dependency| dependency["name"].as_str());
            let arrows = arrows
                .filter(|name| names.contains(name))
                .map(str::to_owned)
                .collect();
            (
                package["name"].as_str().unwrap_or_default().to_owned(),
                arrows,
            )
        })
        .collect()
}

/// A pure crate reaches nothing that waits or touches the outside.
fn purity(metadata: &Value, mistakes: &mut Vec<String>) -> anyhow::Result<()> {
    let nodes = metadata["resolve"]["nodes"]
        .as_array()
        .context("cargo metadata without a graph")?;
    let name_of: BTreeMap<&str, &str> = metadata["packages"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|package| Some((package["id"].as_str()?, package["name"].as_str()?)))
        .collect();
    let graph: BTreeMap<&str, Vec<&str>> = nodes
        .iter()
        .filter_map(|node| {
            let reached = node["deps"].as_array()?.iter().filter(|dependency| {
                dependency["dep_kinds"]
                    .as_array()
                    .is_some_and(|kinds| kinds.iter().any(|kind| kind["kind"].is_null()))
            });
            Some((
                node["id"].as_str()?,
                reached
                    .filter_map(|dependency| dependency["pkg"].as_str())
                    .collect(),
            ))
        })
        .collect();
    for (id, name) in name_of.iter().filter(|(_, name)| PURE.contains(*name)) {
        let mut seen = BTreeSet::new();
        let mut open = vec![*id];
        while let Some(next) = open.pop() {
            if seen.insert(next) {
                open.extend(graph.get(next).into_iter().flatten());
            }
        }
        for reached in seen
            .iter()
            .filter_map(|id| name_of.get(id))
            .filter(|reached| IMPURE.contains(*reached))
        {
            mistakes.push(format!("`{name}` is pure, but reaches `{reached}`"));
        }
    }
    Ok(())
}

/// Every source file begins with what it is.
fn heads(path: &Path, mistakes: &mut Vec<String>) -> anyhow::Result<()> {
    let text = fs::read_to_string(path)?;
    if !text.starts_with("//!") {
        mistakes.push(format!(
            "{}: begins without a `//!` that says what it is",
            path.display()
        ));
    }
    Ok(())
}

/// Decision records are numbered without gaps.
fn decisions(mistakes: &mut Vec<String>) -> anyhow::Result<()> {
    let mut names: Vec<String> = fs::read_dir(root().join("docs/decisions"))?
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .collect();
    names.sort();
    for (number, name) in (1..).zip(&names) {
        if !name.starts_with(&format!("{number:04}-")) {
            mistakes.push(format!(
                "docs/decisions/{name}: expected number {number:04}"
            ));
        }
    }
    Ok(())
}

/// Every fuzz target is built, and has a corpus, which the tests replay; no corpus is left over.
fn fuzzing(mistakes: &mut Vec<String>) -> anyhow::Result<()> {
    let targets = fuzz_targets()?;
    let manifest = fs::read_to_string(root().join("fuzz/Cargo.toml"))?;
    for target in &targets {
        if !manifest.contains(&format!("name = \"{target}\"")) {
            mistakes.push(format!("fuzz/Cargo.toml: there is no target `{target}`"));
        }
        if !root().join("fuzz/corpus").join(target).is_dir() {
            mistakes.push(format!("fuzz/corpus: there is none of `{target}`"));
        }
    }
    for entry in fs::read_dir(root().join("fuzz/corpus"))? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if !targets.contains(&name) {
            mistakes.push(format!("fuzz/corpus/{name}: there is no such target"));
        }
    }
    Ok(())
}

/// Returns what is said of places that are gone: of paths in back ticks, with the name of a test behind `::` or without.
fn lost_places(text: &str, folder: &Path) -> Vec<String> {
    let quoted = text.split('`').skip(1).step_by(2);
    let is_place = |place: &&str| {
        let mut roots = ["crates/", "xtask/", "fuzz/", "packaging/"].into_iter();
        roots.any(|root| place.starts_with(root))
    };
    let mut lost = Vec::new();
    for place in quoted.filter(is_place) {
        let (path, test) = place.split_once("::").unwrap_or((place, ""));
        let path = folder.join(path);
        let is_there = if test.is_empty() {
            path.exists()
        } else {
            let source = fs::read_to_string(&path).unwrap_or_default();
            source.contains(&format!("fn {test}("))
        };
        if !is_there {
            lost.push(format!("SECURITY.md: there is no `{place}`"));
        }
    }
    lost
}

fn sources(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path
            .file_name()
            .and_then(|name| name.to_str())
            .unwrap_or_default();
        if path.is_dir() && name != "target" && name != "node_modules" && !name.starts_with('.') {
            found.extend(sources(&path)?);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_that_is_gone_is_told() {
        let text = "`xtask/src/tidy.rs`, `xtask/src/tidy.rs::a_place_that_is_gone_is_told`, `no/path`, ``` ``` `xtask/src/gone.rs` and \
            `xtask/src/tidy.rs::gone`";

        let lost = lost_places(text, &root());

        assert_eq!(
            lost,
            [
                "SECURITY.md: there is no `xtask/src/gone.rs`",
                "SECURITY.md: there is no `xtask/src/tidy.rs::gone`"
            ]
        );
    }

    #[test]
    fn the_crate_table_is_read_with_its_arrows() {
        let table = crate_table(
            "| crate | purpose | may depend on |\n| `a` | does `x` | – |\n| `b` | more | `a`, `c` |\n",
        );

        assert_eq!(table.len(), 2);
        assert!(table["a"].is_empty());
        assert_eq!(
            table["b"].iter().map(String::as_str).collect::<Vec<_>>(),
            ["a", "c"]
        );
    }
}
