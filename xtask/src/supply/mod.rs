//! What the program is built from: may it come in, and is anything known against it?
//!
//! **Is:** the step `supply`: licences, bans, floors and sources, read from `deny.toml` and compared with `Cargo.lock` and cargo's own word,
//! always and without a network; then cargo-deny and cargo-audit where they and the database of advisories can be had. What could not be
//! checked is said, with the reason.
//! **Start at** [`run`]; the judgement is [`violations`].

pub(crate) mod licence;
pub(crate) mod lock;
mod policy;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::process::Command;

use anyhow::bail;
use serde_json::Value;

use crate::steps::{cargo, root};
use crate::{metadata, need};
use licence::Licence;
use lock::Locked;
use policy::Policy;

/// Where advisories about crates are kept.
const ADVISORIES: &str = "https://github.com/RustSec/advisory-db";

/// A name and a version.
type Key = (String, String);

/// Runs the step.
pub(crate) fn run() -> anyhow::Result<()> {
    let policy = Policy::read(&fs::read_to_string(root().join("deny.toml"))?)?;
    let locked = lock::read(&fs::read_to_string(root().join("Cargo.lock"))?)?;
    let licences = licences(&metadata::of_all()?);
    let wrong = violations(&policy, &locked, &licences);
    for violation in &wrong {
        println!("{violation}");
    }
    for (name, versions) in twins(&locked) {
        println!("note: {name} is there as {}", versions.join(" and "));
    }
    let unseen = locked
        .iter()
        .filter(|one| !licences.contains_key(&key(one)));
    match unseen.count() {
        0 => {}
        count => println!(
            "not checked: the licences of {count} crates for other platforms, which are not here and cannot be downloaded"
        ),
    }
    println!(
        "{} crates: licences, bans, floors and sources are checked",
        locked.len()
    );
    if !wrong.is_empty() {
        bail!("{} things do not agree with deny.toml", wrong.len());
    }
    advisories()
}

/// Asks cargo-deny and cargo-audit what is known against what we use.
fn advisories() -> anyhow::Result<()> {
    let mut look = Command::new("timeout");
    look.args(["20", "git", "ls-remote", ADVISORIES, "HEAD"]);
    if !need::answers(look.env("GIT_TERMINAL_PROMPT", "0")) {
        println!(
            "NOT CHECKED: advisories. {ADVISORIES} cannot be reached from here, so cargo-deny and cargo-audit have nothing to compare with. A \
             release needs this step where it can be reached."
        );
        return Ok(());
    }
    need::cargo_command("deny")?;
    need::cargo_command("audit")?;
    cargo(&["deny", "check"])?;
    cargo(&["audit", "--deny", "unsound", "--deny", "yanked"])
}

fn key(locked: &Locked) -> Key {
    (locked.name.clone(), locked.version.clone())
}

/// Returns the licence that each package states; empty where it states none.
fn licences(metadata: &Value) -> BTreeMap<Key, String> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let packages = metadata["packages"].as_array().into_iter().flatten();
    packages
        .map(|package| {
            let key = (text(&package["name"]), text(&package["version"]));
            (key, text(&package["license"]))
        })
        .collect()
}

/// Says what does not agree with the policy, each in a sentence.
fn violations(policy: &Policy, locked: &[Locked], licences: &BTreeMap<Key, String>) -> Vec<String> {
    let mut wrong = Vec::new();
    let accepted: BTreeSet<&str> = policy.licenses.allow.iter().map(String::as_str).collect();
    for one in locked {
        let Locked {
            name,
            version,
            source,
            checksum,
        } = one;
        if let Some(source) = source {
            if !is_allowed(policy, source) {
                wrong.push(format!("{name} {version} comes from {source}"));
            }
            if source.starts_with("registry+") && checksum.is_none() {
                wrong.push(format!("{name} {version} has no checksum in Cargo.lock"));
            }
        }
        for ban in policy
            .bans
            .deny
            .iter()
            .filter(|ban| ban.hits(name, version))
        {
            wrong.push(format!("{name} {version} is banned: {}", ban.reason));
        }
        let Some(stated) = licences.get(&key(one)) else {
            continue;
        };
        match Licence::read(stated) {
            Some(licence) if licence.is_met_by(&|name| accepted.contains(name)) => {}
            Some(_) => wrong.push(format!("{name} {version} is under {stated}")),
            None => wrong.push(format!(
                "{name} {version} states no licence that is understood: `{stated}`"
            )),
        }
    }
    wrong
}

fn is_allowed(policy: &Policy, source: &str) -> bool {
    let is_of = |kind: &str, allowed: &[String]| {
        let place = source.strip_prefix(kind);
        // cargo writes a commit behind the address of a repository
        let place = place.map(|place| place.split(['#', '?']).next().unwrap_or(place));
        place.is_some_and(|place| allowed.iter().any(|one| one == place))
    };
    is_of("registry+", &policy.sources.allow_registry) || is_of("git+", &policy.sources.allow_git)
}

/// Returns the crates that are there in several versions.
fn twins(locked: &[Locked]) -> Vec<(&str, Vec<&str>)> {
    let mut versions: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for one in locked {
        versions.entry(&one.name).or_default().push(&one.version);
    }
    let several = versions.into_iter();
    several.filter(|(_, versions)| versions.len() > 1).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const CRATES_IO: &str = "registry+https://github.com/rust-lang/crates.io-index";

    fn policy() -> Policy {
        Policy::read(&fs::read_to_string(root().join("deny.toml")).unwrap()).unwrap()
    }

    fn locked(name: &str, version: &str, source: Option<&str>) -> Locked {
        Locked {
            name: name.to_owned(),
            version: version.to_owned(),
            source: source.map(str::to_owned),
            checksum: Some("00".to_owned()),
        }
    }

    fn judged(locked: Locked, licence: &str) -> Vec<String> {
        let licences = BTreeMap::from([(key(&locked), licence.to_owned())]);
        violations(&policy(), &[locked], &licences)
    }

    #[test]
    fn a_licence_that_is_not_listed_is_found() {
        let of = |licence| judged(locked("some", "1.0.0", Some(CRATES_IO)), licence);

        assert!(of("MIT OR GPL-3.0-only").is_empty());
        assert_eq!(of("GPL-3.0-only"), ["some 1.0.0 is under GPL-3.0-only"]);
        assert!(of("")[0].contains("states no licence"));
        assert!(of("ask me!")[0].contains("states no licence"));
    }

    #[test]
    fn our_own_crates_are_under_a_listed_licence_too() {
        assert_eq!(
            judged(locked("rollcall", "0.1.0", None), "SSPL-1.0").len(),
            1
        );
    }

    #[test]
    fn a_source_beside_crates_io_is_found() {
        for source in [
            "registry+https://crates.example.com/index",
            "registry+https://github.com/rust-lang/crates.io-index.example.com",
            "git+https://github.com/somebody/some?branch=main#0123456789",
            "git+https://github.com/rust-lang/crates.io-index#0123456789",
            "sparse+https://crates.example.com/",
        ] {
            let wrong = judged(locked("some", "1.0.0", Some(source)), "MIT");
            assert_eq!(wrong, [format!("some 1.0.0 comes from {source}")]);
        }
    }

    #[test]
    fn an_archive_without_a_checksum_is_found() {
        let unsure = Locked {
            checksum: None,
            ..locked("some", "1.0.0", Some(CRATES_IO))
        };

        assert!(judged(unsure, "MIT")[0].contains("no checksum"));
    }

    #[test]
    fn banned_crates_and_those_below_their_floor_are_found() {
        for (name, version) in [
            ("openssl", "0.10.70"),
            ("openssl-sys", "0.9.100"),
            ("native-tls", "0.2.14"),
            ("aws-lc-rs", "1.12.0"),
            ("h2", "0.4.15"),
            ("h2", "0.3.26"),
            ("rustls", "0.23.17"),
            ("rustls-webpki", "0.103.12"),
            ("tokio-postgres", "0.7.17"),
            ("postgres-protocol", "0.6.11"),
            ("time", "0.3.46"),
            ("tracing-subscriber", "0.3.19"),
            ("idna", "0.5.0"),
        ] {
            let wrong = judged(locked(name, version, Some(CRATES_IO)), "MIT");
            assert!(
                wrong.len() == 1 && wrong[0].contains("is banned"),
                "{name} {version}: {wrong:?}"
            );
        }
        for (name, version) in [
            ("openssl-probe", "0.2.0"),
            ("h2", "0.4.16"),
            ("rustls", "0.23.18"),
            ("rustls-webpki", "0.103.13"),
            ("tokio-postgres", "0.7.18"),
            ("postgres-protocol", "0.6.12"),
            ("time", "0.3.47"),
            ("tracing-subscriber", "0.3.20"),
            ("idna", "1.0.0"),
        ] {
            let wrong = judged(locked(name, version, Some(CRATES_IO)), "MIT");
            assert!(wrong.is_empty(), "{wrong:?}");
        }
    }

    #[test]
    fn two_versions_of_a_crate_are_told() {
        let there = [
            locked("a", "1.0.0", None),
            locked("b", "1.0.0", None),
            locked("a", "2.0.0", None),
        ];

        assert_eq!(twins(&there), [("a", vec!["1.0.0", "2.0.0"])]);
    }

    #[test]
    fn what_is_locked_today_agrees_with_the_policy() {
        let text = fs::read_to_string(root().join("Cargo.lock")).unwrap();

        let wrong = violations(&policy(), &lock::read(&text).unwrap(), &BTreeMap::new());

        assert_eq!(wrong, [""; 0]);
    }
}
