//! What may come in: `deny.toml`, as far as it can be checked without cargo-deny.

use anyhow::{Context, bail};
use serde::Deserialize;

/// The parts of `deny.toml` that are checked here. Its other keys are cargo-deny's alone.
#[derive(Debug, Deserialize)]
pub(crate) struct Policy {
    pub(crate) licenses: Licences,
    pub(crate) bans: Bans,
    pub(crate) sources: Sources,
}

/// Which licences are accepted.
#[derive(Debug, Deserialize)]
pub(crate) struct Licences {
    pub(crate) allow: Vec<String>,
}

/// Which crates are not.
#[derive(Debug, Deserialize)]
pub(crate) struct Bans {
    pub(crate) deny: Vec<Ban>,
}

/// A crate that is not accepted, and why.
#[derive(Debug, Deserialize)]
pub(crate) struct Ban {
    #[serde(rename = "crate")]
    spec: String,
    pub(crate) reason: String,
}

/// Where crates may come from.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Sources {
    pub(crate) allow_registry: Vec<String>,
    pub(crate) allow_git: Vec<String>,
}

/// A version as it is compared: three numbers, and whether it is the release of that name rather than one before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Version([u64; 3], bool);

impl Policy {
    /// Reads the file.
    pub(crate) fn read(text: &str) -> anyhow::Result<Self> {
        let policy: Self = toml::from_str(text).context("deny.toml")?;
        for ban in &policy.bans.deny {
            ban.parts()?;
        }
        Ok(policy)
    }
}

impl Ban {
    /// Returns the crate's name, and the version from which on it is accepted; absent: never.
    pub(crate) fn parts(&self) -> anyhow::Result<(&str, Option<Version>)> {
        let Some((name, requirement)) = self.spec.split_once(':') else {
            return Ok((&self.spec, None));
        };
        let floor = requirement.strip_prefix('<').and_then(Version::read);
        match floor {
            Some(floor) => Ok((name, Some(floor))),
            None => bail!(
                "deny.toml: `{}` is not understood here: write a crate's name, or `name:<1.2.3` for a floor",
                self.spec
            ),
        }
    }

    /// Tells whether it speaks of this version of this crate.
    pub(crate) fn hits(&self, name: &str, version: &str) -> bool {
        match self.parts() {
            Ok((banned, floor)) if banned == name => {
                // a version that is not understood is not above any floor
                floor.is_none_or(|floor| Version::read(version).is_none_or(|it| it < floor))
            }
            _ => false,
        }
    }
}

impl Version {
    /// Reads `1.2.3`, with what may stand behind it; absent: it is no version.
    pub(crate) fn read(text: &str) -> Option<Self> {
        let (text, _build) = text.split_once('+').unwrap_or((text, ""));
        let (numbers, is_release) = match text.split_once('-') {
            Some((numbers, _)) => (numbers, false),
            None => (text, true),
        };
        let numbers: Option<Vec<u64>> = numbers.split('.').map(|one| one.parse().ok()).collect();
        Some(Self(numbers?.try_into().ok()?, is_release))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ban(spec: &str) -> Ban {
        Ban {
            spec: spec.to_owned(),
            reason: "because".to_owned(),
        }
    }

    #[test]
    fn a_floor_hits_what_is_below_it_alone() {
        let floor = ban("h2:<0.4.16");

        for (version, expected) in [
            ("0.4.15", true),
            ("0.3.99", true),
            ("0.4.16-rc.1", true),
            ("nonsense", true),
            ("0.4.16", false),
            ("0.4.16+build.1", false),
            ("0.10.0", false),
            ("1.0.0", false),
        ] {
            assert_eq!(floor.hits("h2", version), expected, "{version}");
        }
        assert!(!floor.hits("h3", "0.1.0"));
        assert!(ban("openssl").hits("openssl", "99.0.0"));
        assert!(!ban("openssl").hits("openssl-probe", "0.2.0"));
    }

    #[test]
    fn a_ban_that_is_not_understood_is_an_error_and_bans_nothing_in_silence() {
        let text = |spec: &str| {
            format!(
                "[licenses]\nallow = []\n[bans]\ndeny = [{{ crate = \"{spec}\", reason = \"x\" }}]\n[sources]\nallow-registry = []\nallow-git = []\n"
            )
        };

        assert!(Policy::read(&text("h2:<0.4.16")).is_ok());
        for spec in ["h2:>0.4", "h2:<0.4", "h2:^1.0.0", "h2:<0.4.16, >=0.3.0"] {
            let error = Policy::read(&text(spec)).unwrap_err().to_string();
            assert!(error.contains("is not understood"), "{spec}: {error}");
        }
    }
}
