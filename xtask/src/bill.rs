//! The bill of materials of a release: every crate in the program, as `CycloneDX` 1.5.
//!
//! **Is:** what `cargo metadata` and `Cargo.lock` say, put into that form: the same text for the same lock file and platform, so without a
//! time and a serial number, both of which `CycloneDX` leaves optional. Crates that only build the program are there as `excluded`, those
//! that only test it are not. **Is not:** exact about features: cargo resolves those of the whole workspace together, so a crate too many
//! may be listed, and none too few.
//! **Start at** [`write`]; the document is [`bill`].
//! **Source:** `CycloneDX` 1.5, JSON; package URLs of the type `cargo`.

#![expect(
    clippy::indexing_slicing,
    reason = "a missing field of a JSON value reads as null"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use anyhow::Context;
use serde_json::{Value, json};

use crate::metadata;
use crate::steps::root;
use crate::supply::licence::Licence;
use crate::supply::lock::{self, Locked};

/// The package of which the bill is.
const PROGRAM: &str = "rollcall";

/// Writes the bill of what is built for this machine into a file, or to the terminal.
pub(crate) fn write(file: Option<&str>) -> anyhow::Result<()> {
    let locked = lock::read(&fs::read_to_string(root().join("Cargo.lock"))?)?;
    let bill = bill(&metadata::of_host()?, &locked, &metadata::host()?)?;
    let text = format!("{bill:#}\n");
    match file {
        Some(file) => {
            fs::write(file, text).with_context(|| format!("{file} cannot be written"))?;
            let count = bill["components"].as_array().map_or(0, Vec::len);
            println!("{count} components are in {file}");
        }
        None => print!("{text}"),
    }
    Ok(())
}

/// Makes the document.
fn bill(metadata: &Value, locked: &[Locked], platform: &str) -> anyhow::Result<Value> {
    let graph = Graph::read(metadata)?;
    let program = graph.program().context("there is no such program")?;
    let in_program = graph.reached(program, &["normal"]);
    let all = graph.reached(program, &["normal", "build"]);
    let mut components: Vec<(&str, Value)> = Vec::new();
    for id in all.iter().filter(|id| **id != program) {
        let package = graph.packages.get(id).context("a package without an id")?;
        let mut component = described(package, locked);
        component["type"] = "library".into();
        let is_in_program = in_program.contains(id) && !is_macro(package);
        let scope = if is_in_program {
            "required"
        } else {
            "excluded"
        };
        component["scope"] = scope.into();
        components.push((id, component));
    }
    components.sort_by_key(|(_, component)| component["bom-ref"].to_string());
    let mut itself = described(graph.packages[program], locked);
    itself["type"] = "application".into();
    let reference = |id: &str| Some(reference(graph.packages.get(id)?));
    let ids = std::iter::once(program).chain(components.iter().map(|(id, _)| *id));
    let dependencies: Vec<Value> = ids
        .map(|id| {
            let on = graph.edges(id, &["normal", "build"]).filter_map(reference);
            let on: BTreeSet<String> = on.collect();
            json!({"ref": reference(id), "dependsOn": on})
        })
        .collect();
    let components: Vec<Value> = components.into_iter().map(|(_, one)| one).collect();
    Ok(json!({
        "$schema": "http://cyclonedx.org/schema/bom-1.5.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {
            "tools": {"components": [{"type": "application", "name": "cargo xtask sbom"}]},
            "component": itself,
            "properties": [{"name": "rollcall:platform", "value": platform}],
        },
        "components": components,
        "dependencies": dependencies,
    }))
}

/// Describes a package, without its type and scope.
fn described(package: &Value, locked: &[Locked]) -> Value {
    let (name, version) = (text(&package["name"]), text(&package["version"]));
    let mut component = json!({
        "type": null,
        "bom-ref": reference(package),
        "name": name,
        "version": version,
    });
    if let Some(licence) = Licence::read(text(&package["license"])) {
        component["licenses"] = json!([{"expression": licence.to_string()}]);
    }
    // a package URL means the archive of that name at crates.io; ours are not there
    if !package["source"].is_null() {
        component["purl"] = package_url(name, version).into();
        let of = |one: &&Locked| one.name == name && one.version == version;
        let checksum = locked.iter().find(of).and_then(|one| one.checksum.as_ref());
        if let Some(checksum) = checksum {
            component["hashes"] = json!([{"alg": "SHA-256", "content": checksum}]);
        }
    }
    if let Some(repository) = package["repository"].as_str() {
        component["externalReferences"] = json!([{"type": "vcs", "url": repository}]);
    }
    component
}

/// Returns the name by which the parts of the document speak of a package.
fn reference(package: &Value) -> String {
    let (name, version) = (text(&package["name"]), text(&package["version"]));
    if package["source"].is_null() {
        format!("{name}@{version}")
    } else {
        package_url(name, version)
    }
}

/// A version's `+` would be read as a space.
fn package_url(name: &str, version: &str) -> String {
    format!("pkg:cargo/{name}@{}", version.replace('+', "%2B"))
}

/// Tells whether a package runs in the compiler alone.
fn is_macro(package: &Value) -> bool {
    let targets = package["targets"].as_array().into_iter().flatten();
    let mut kinds = targets.flat_map(|target| target["kind"].as_array().into_iter().flatten());
    kinds.any(|kind| kind == "proc-macro")
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// Packages by their ids, and which needs which for what.
struct Graph<'m> {
    packages: BTreeMap<&'m str, &'m Value>,
    nodes: BTreeMap<&'m str, &'m Value>,
}

impl<'m> Graph<'m> {
    fn read(metadata: &'m Value) -> anyhow::Result<Self> {
        let by_id = |list: &'m Value| -> Option<BTreeMap<&'m str, &'m Value>> {
            let list = list.as_array()?.iter();
            list.map(|one| Some((one["id"].as_str()?, one))).collect()
        };
        let nodes = by_id(&metadata["resolve"]["nodes"]);
        Ok(Self {
            packages: by_id(&metadata["packages"]).context("cargo metadata without packages")?,
            nodes: nodes.context("cargo metadata without a graph")?,
        })
    }

    /// Returns the id of the program: a package of that name that is ours.
    fn program(&self) -> Option<&'m str> {
        let mut packages = self.packages.iter();
        let program =
            packages.find(|(_, package)| package["name"] == PROGRAM && package["source"].is_null());
        program.map(|(id, _)| *id)
    }

    /// Returns what a package needs for these purposes: `normal`, `build`, `dev`.
    fn edges(&self, id: &str, purposes: &'m [&str]) -> impl Iterator<Item = &'m str> + use<'_, 'm> {
        let node = self.nodes.get(id).copied();
        let needed = node.and_then(|node| node["deps"].as_array());
        needed.into_iter().flatten().filter_map(move |one| {
            let mut kinds = one["dep_kinds"].as_array()?.iter();
            let is_meant = kinds.any(|kind| {
                let purpose = kind["kind"].as_str().unwrap_or("normal");
                purposes.contains(&purpose)
            });
            is_meant.then(|| one["pkg"].as_str())?
        })
    }

    /// Returns what a package needs for these purposes, however deep, and itself.
    fn reached(&self, from: &'m str, purposes: &'m [&str]) -> BTreeSet<&'m str> {
        let mut seen = BTreeSet::new();
        let mut open = vec![from];
        while let Some(next) = open.pop() {
            if seen.insert(next) {
                open.extend(self.edges(next, purposes));
            }
        }
        seen
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CRATES_IO: &str = "registry+https://github.com/rust-lang/crates.io-index";

    fn package(name: &str, source: Option<&str>, kind: &str) -> Value {
        json!({
            "id": format!("{name}#1"), "name": name, "version": "1.0.0+x", "source": source,
            "license": "MIT/Apache-2.0", "targets": [{"kind": [kind]}],
            "repository": "https://example.com/code",
        })
    }

    fn node(name: &str, needs: &[(&str, &[Option<&str>])]) -> Value {
        let needs = needs.iter().map(|(name, kinds)| {
            let kinds: Vec<Value> = kinds.iter().map(|kind| json!({"kind": kind})).collect();
            json!({"pkg": format!("{name}#1"), "dep_kinds": kinds})
        });
        json!({"id": format!("{name}#1"), "deps": needs.collect::<Vec<_>>()})
    }

    /// The program, a crate of ours, one of others in it, one that builds it, a macro, and one that tests it.
    fn sample() -> (Value, Vec<Locked>) {
        let metadata = json!({
            "packages": [
                package("rollcall", None, "bin"), package("ours", None, "lib"), package("inside", Some(CRATES_IO), "lib"),
                package("builder", Some(CRATES_IO), "lib"), package("macros", Some(CRATES_IO), "proc-macro"),
                package("tester", Some(CRATES_IO), "lib"),
            ],
            "resolve": {"nodes": [
                node("rollcall", &[("ours", &[None]), ("builder", &[Some("build")]), ("tester", &[Some("dev")])]),
                node("ours", &[("inside", &[None, Some("dev")]), ("macros", &[None])]),
                node("inside", &[]), node("builder", &[("inside", &[None])]), node("macros", &[]),
                node("tester", &[("inside", &[None])]),
            ]},
        });
        let locked = lock::read(&format!(
            "[[package]]\nname = \"inside\"\nversion = \"1.0.0+x\"\nsource = \"{CRATES_IO}\"\nchecksum = \"{}\"\n",
            "0a".repeat(32)
        ));
        (metadata, locked.unwrap())
    }

    /// Says what in a document is not as `CycloneDX` 1.5 wants it.
    fn flaws(bill: &Value) -> Vec<String> {
        let mut flaws = Vec::new();
        let mut must = |holds: bool, what: String| {
            if !holds {
                flaws.push(what);
            }
        };
        must(bill["bomFormat"] == "CycloneDX", "bomFormat".into());
        must(bill["specVersion"] == "1.5", "specVersion".into());
        must(bill["version"].is_u64(), "version".into());
        let itself = &bill["metadata"]["component"];
        let components = bill["components"].as_array().unwrap();
        let mut references = BTreeSet::new();
        for component in components.iter().chain([itself]) {
            let shown = component.to_string();
            let reference = component["bom-ref"].as_str().unwrap_or_default();
            must(
                !reference.is_empty() && references.insert(reference),
                format!("a reference of its own: {shown}"),
            );
            let is_type = ["application", "library"].contains(&text(&component["type"]));
            must(is_type, format!("type: {shown}"));
            must(component["name"].is_string(), format!("name: {shown}"));
            must(
                component["version"].is_string(),
                format!("version: {shown}"),
            );
            let scope = &component["scope"];
            must(
                scope.is_null() || ["required", "excluded"].contains(&text(scope)),
                format!("scope: {shown}"),
            );
            for hash in component["hashes"].as_array().into_iter().flatten() {
                let content = text(&hash["content"]);
                let is_hash = content.len() == 64 && content.bytes().all(|b| b.is_ascii_hexdigit());
                must(
                    is_hash && hash["alg"] == "SHA-256",
                    format!("hash: {shown}"),
                );
            }
            for licence in component["licenses"].as_array().into_iter().flatten() {
                let expression = text(&licence["expression"]);
                must(
                    Licence::read(expression).is_some() && !expression.contains('/'),
                    format!("licence: {shown}"),
                );
            }
            if let Some(url) = component["purl"].as_str() {
                must(
                    url.starts_with("pkg:cargo/") && !url.contains('+') && url == reference,
                    format!("purl: {shown}"),
                );
            }
        }
        let dependencies = bill["dependencies"].as_array().unwrap();
        let described: BTreeSet<&str> = dependencies.iter().map(|one| text(&one["ref"])).collect();
        must(
            described == references && dependencies.len() == references.len(),
            "everything has its dependencies, once".into(),
        );
        for one in dependencies
            .iter()
            .flat_map(|one| one["dependsOn"].as_array().unwrap())
        {
            must(references.contains(text(one)), format!("unknown: {one}"));
        }
        flaws
    }

    #[test]
    fn a_bill_lists_what_is_in_the_program_and_what_builds_it_but_not_what_tests_it() {
        let (metadata, locked) = sample();

        let bill = bill(&metadata, &locked, "some-platform").unwrap();

        assert_eq!(flaws(&bill), [""; 0]);
        let scopes: Vec<(&str, &str)> = bill["components"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| (text(&one["name"]), text(&one["scope"])))
            .collect();
        let expected = [
            ("ours", "required"),
            ("builder", "excluded"),
            ("inside", "required"),
            ("macros", "excluded"),
        ];
        assert_eq!(scopes, expected);
        let inside = &bill["components"][2];
        assert_eq!(inside["purl"], "pkg:cargo/inside@1.0.0%2Bx");
        assert_eq!(inside["hashes"][0]["content"], "0a".repeat(32));
        assert_eq!(inside["licenses"][0]["expression"], "MIT OR Apache-2.0");
        assert_eq!(
            bill["dependencies"][0],
            json!({"ref": "rollcall@1.0.0+x", "dependsOn": ["ours@1.0.0+x", "pkg:cargo/builder@1.0.0%2Bx"]})
        );
    }

    #[test]
    fn the_bill_of_this_program_is_whole_and_the_same_every_time() {
        let locked = lock::read(&fs::read_to_string(root().join("Cargo.lock")).unwrap()).unwrap();
        let platform = metadata::host().unwrap();
        let mut metadata = metadata::of_host().unwrap();

        let first = bill(&metadata, &locked, &platform).unwrap();
        // the order of what cargo says is no promise
        metadata["packages"].as_array_mut().unwrap().reverse();
        metadata["resolve"]["nodes"]
            .as_array_mut()
            .unwrap()
            .reverse();
        let second = bill(&metadata, &locked, &platform).unwrap();

        assert_eq!(flaws(&first), [""; 0]);
        assert_eq!(first.to_string(), second.to_string());
        let components = first["components"].as_array().unwrap();
        let of = |name: &str| components.iter().find(|one| one["name"] == name);
        assert!(components.len() > 100, "{}", components.len());
        assert_eq!(of("rustls").unwrap()["scope"], "required");
        assert_eq!(of("serde_derive").unwrap()["scope"], "excluded");
        assert!(of("rollcall-store").is_some());
        assert!(of("rollcall-testkit").is_none());
        assert!(of("proptest").is_none());
        let unhashed = components
            .iter()
            .filter(|one| one["purl"].is_string() && one["hashes"].is_null());
        assert_eq!(unhashed.count(), 0);
    }
}
