//! The configuration: flags, then `ROLLCALL_*` variables, then the file, then defaults. Read once; every value knows where it
//! came from.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use anyhow::Context;
use rollcall_connect::destinations::Destinations;
use rollcall_connect::guard::Reach;
use rollcall_model::{Region, Secret};
use rollcall_store::Location;
use rollcall_web::proxies::Proxies;
use serde::Deserialize;

use crate::cli::{Common, Serve};
use crate::outcome::Trouble;

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Source {
    Flag(&'static str),
    Variable(&'static str),
    File(PathBuf),
    Default,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(name) => write!(f, "{name}"),
            Self::Variable(name) => write!(f, "${name}"),
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Default => f.write_str("default"),
        }
    }
}

/// A value and where it came from.
#[derive(Debug, Clone)]
pub(crate) struct Setting<T> {
    pub(crate) value: T,
    pub(crate) source: Source,
}

/// The configuration in force.
#[derive(Debug, Clone)]
pub(crate) struct Config {
    /// Where the data is.
    pub(crate) store: Setting<Location>,
    /// Where to listen.
    pub(crate) listen: Setting<String>,
    /// Where figures are shown; absent: nowhere.
    pub(crate) metrics_listen: Setting<Option<String>>,
    /// The base URL of the collector that traces are sent to; absent: none are made.
    pub(crate) otlp_endpoint: Setting<Option<String>>,
    /// The URL under which clients reach this server; without a slash at the end.
    pub(crate) public_url: Setting<String>,
    /// The region that this installation serves.
    pub(crate) region: Setting<Region>,
    /// The public URLs of other regions.
    pub(crate) regions: Setting<BTreeMap<Region, String>>,
    /// Requests per second and token.
    pub(crate) rate: Setting<u32>,
    /// The proxies that may say for whom they ask.
    pub(crate) trusted_proxies: Setting<Proxies>,
    /// The file with the keys that seal what is sealed in the store; made when it is not there.
    pub(crate) key_file: Setting<PathBuf>,
    /// These keys themselves, where there is no file; from the environment alone.
    pub(crate) key: Setting<Option<Secret>>,
    /// Which targets may be reached by http and in private networks.
    pub(crate) allow_private_targets: Setting<Reach>,
    /// Files with certificates (PEM) of authorities that targets and sources may have besides those of the machine.
    pub(crate) authorities: Setting<Vec<PathBuf>>,
    /// Files with SCIM schemas (JSON) that extend the User.
    pub(crate) user_extensions: Setting<Vec<PathBuf>>,
    /// The mail server, as an address that may hold a password; absent: mail goes nowhere, or into a folder.
    pub(crate) smtp_url: Setting<Option<Secret>>,
    /// The folder into which mail is written where there is no server.
    pub(crate) mail_dir: Setting<Option<PathBuf>>,
    /// The sender of mail.
    pub(crate) mail_from: Setting<String>,
}

/// What a configuration file may hold.
#[derive(Debug, Default, Deserialize)]
#[expect(clippy::struct_field_names, reason = "the names are those of the keys")]
#[serde(deny_unknown_fields)]
struct File {
    store: Option<String>,
    listen: Option<String>,
    metrics_listen: Option<String>,
    otlp_endpoint: Option<String>,
    public_url: Option<String>,
    region: Option<String>,
    #[serde(default)]
    regions: BTreeMap<String, String>,
    rate: Option<u32>,
    #[serde(default)]
    trusted_proxies: Vec<String>,
    key_file: Option<String>,
    allow_private_targets: Option<Allowed>,
    #[serde(default)]
    authorities: Vec<PathBuf>,
    #[serde(default)]
    user_extensions: Vec<PathBuf>,
    smtp_url: Option<String>,
    mail_dir: Option<String>,
    mail_from: Option<String>,
}

/// Which private targets a file allows.
#[derive(Debug, Deserialize)]
#[serde(
    untagged,
    expecting = "`allow_private_targets` is true, false, or a list such as [\"10.20.0.0/16\", \"app.internal\"]"
)]
enum Allowed {
    All(bool),
    Listed(Vec<String>),
}

impl Allowed {
    /// Writes it as a variable would hold it.
    fn into_text(self) -> String {
        match self {
            Self::All(all) => all.to_string(),
            Self::Listed(listed) => listed.join(","),
        }
    }
}

impl Config {
    /// Reads the configuration for a command. `variable` reads the environment; tests give their own.
    #[expect(clippy::too_many_lines, reason = "one setting after the other")]
    pub(crate) fn read(
        common: &Common,
        serve: Option<&Serve>,
        variable: &dyn Fn(&str) -> Option<String>,
    ) -> anyhow::Result<Self> {
        let path = common
            .config
            .clone()
            .or_else(|| variable("ROLLCALL_CONFIG").map(PathBuf::from));
        let file = path
            .as_deref()
            .map(read_file)
            .transpose()?
            .unwrap_or_default();
        let layers = Layers {
            variable,
            path: path.as_deref(),
        };

        let store = layers.pick(
            ("--store", common.store.clone()),
            "ROLLCALL_STORE",
            file.store,
            || "sqlite:rollcall.db".into(),
        );
        let listen = layers.pick(
            ("--listen", serve.and_then(|serve| serve.listen.clone())),
            "ROLLCALL_LISTEN",
            file.listen,
            || "127.0.0.1:8080".into(),
        );
        let metrics_listen = layers.pick_optional(
            (
                "--metrics-listen",
                serve.and_then(|serve| serve.metrics_listen.clone()),
            ),
            "ROLLCALL_METRICS_LISTEN",
            file.metrics_listen,
        );
        let otlp_endpoint = layers.pick_optional(
            (
                "--otlp-endpoint",
                serve.and_then(|serve| serve.otlp_endpoint.clone()),
            ),
            // the name that every program with OpenTelemetry knows
            "OTEL_EXPORTER_OTLP_ENDPOINT",
            file.otlp_endpoint,
        );
        let public_url = layers.pick(
            (
                "--public-url",
                serve.and_then(|serve| serve.public_url.clone()),
            ),
            "ROLLCALL_PUBLIC_URL",
            file.public_url,
            || format!("http://{}", listen.value),
        );
        let region = layers.pick(("", None), "ROLLCALL_REGION", file.region, || {
            Region::default().to_string()
        });
        let rate = layers.pick(
            ("", None),
            "ROLLCALL_RATE",
            file.rate.map(|rate| rate.to_string()),
            || rollcall_web::limits::TOKEN_RATE.to_string(),
        );
        let trusted_proxies = layers.pick(
            (
                "--trusted-proxies",
                serve.and_then(|serve| serve.trusted_proxies.clone()),
            ),
            "ROLLCALL_TRUSTED_PROXIES",
            (!file.trusted_proxies.is_empty()).then(|| file.trusted_proxies.join(",")),
            String::new,
        );
        let store: Setting<Location> = store.parse("store")?;
        let key_file = layers.pick(("", None), "ROLLCALL_KEY_FILE", file.key_file, || {
            store.value.key_file().display().to_string()
        });
        let allow_private_targets = layers.pick(
            ("", None),
            "ROLLCALL_ALLOW_PRIVATE_TARGETS",
            file.allow_private_targets.map(Allowed::into_text),
            || "false".into(),
        );
        let smtp_url = layers.pick_optional(("", None), "ROLLCALL_SMTP_URL", file.smtp_url);
        let mail_dir = layers.pick_optional(
            ("--mail-dir", serve.and_then(|serve| serve.mail_dir.clone())),
            "ROLLCALL_MAIL_DIR",
            file.mail_dir,
        );
        let mail_from = layers.pick(("", None), "ROLLCALL_MAIL_FROM", file.mail_from, || {
            "Rollcall <rollcall@localhost>".into()
        });
        let listed = |files: Vec<PathBuf>| Setting {
            source: match &path {
                Some(path) if !files.is_empty() => Source::File(path.clone()),
                _ => Source::Default,
            },
            value: files,
        };
        let authorities = listed(file.authorities);
        let user_extensions = listed(file.user_extensions);
        let regions = file
            .regions
            .into_iter()
            .map(|(region, url)| {
                let place = || format!("`regions.{region}`");
                let parsed = region.parse::<Region>().with_context(place)?;
                Ok((parsed, url_of(&url).with_context(place)?))
            })
            .collect::<anyhow::Result<BTreeMap<_, _>>>()?;
        let regions_source = match (&path, regions.is_empty()) {
            (Some(path), false) => Source::File(path.clone()),
            _ => Source::Default,
        };
        Ok(Self {
            store,
            listen: listen.try_map("listen", address_of)?,
            metrics_listen: metrics_listen.try_map("metrics_listen", address_of)?,
            otlp_endpoint: otlp_endpoint.try_map("otlp_endpoint", |text| url_of(&text))?,
            public_url: public_url.try_map("public_url", |text| url_of(&text))?,
            region: region.parse("region")?,
            regions: Setting {
                value: regions,
                source: regions_source,
            },
            rate: rate.try_map("rate", rate_of)?,
            trusted_proxies: trusted_proxies.parse("trusted_proxies")?,
            authorities,
            user_extensions,
            smtp_url: smtp_url.map(Secret::new),
            mail_dir: mail_dir.map(PathBuf::from),
            mail_from,
            key_file: key_file.parse("key_file")?,
            key: layers
                .pick_optional(("", None), "ROLLCALL_KEY", None)
                .map(Secret::new),
            allow_private_targets: allow_private_targets
                .try_map("allow_private_targets", reach_of)?,
        })
    }

    /// Returns every value as text with where it came from; a secret shows as `…`.
    pub(crate) fn rows(&self) -> Vec<[String; 3]> {
        let regions: Vec<String> = self
            .regions
            .value
            .iter()
            .map(|(region, url)| format!("{region}={url}"))
            .collect();
        let paths = |files: &[PathBuf]| {
            let files: Vec<String> = files
                .iter()
                .map(|path| path.display().to_string())
                .collect();
            files.join(" ")
        };
        let row = |name: &str, value: String, source: &Source| {
            [name.to_owned(), value, source.to_string()]
        };
        vec![
            row("store", self.store.value.to_string(), &self.store.source),
            row("listen", self.listen.value.clone(), &self.listen.source),
            row(
                "metrics_listen",
                self.metrics_listen.value.clone().unwrap_or_default(),
                &self.metrics_listen.source,
            ),
            row(
                "otlp_endpoint",
                self.otlp_endpoint.value.clone().unwrap_or_default(),
                &self.otlp_endpoint.source,
            ),
            row(
                "public_url",
                self.public_url.value.clone(),
                &self.public_url.source,
            ),
            row("region", self.region.value.to_string(), &self.region.source),
            row("regions", regions.join(" "), &self.regions.source),
            row("rate", self.rate.value.to_string(), &self.rate.source),
            row(
                "trusted_proxies",
                self.trusted_proxies.value.to_string(),
                &self.trusted_proxies.source,
            ),
            row(
                "key_file",
                self.key_file.value.display().to_string(),
                &self.key_file.source,
            ),
            row(
                "key",
                self.key
                    .value
                    .as_ref()
                    .map_or_else(String::new, |_| "…".to_owned()),
                &self.key.source,
            ),
            row(
                "authorities",
                paths(&self.authorities.value),
                &self.authorities.source,
            ),
            row(
                "user_extensions",
                paths(&self.user_extensions.value),
                &self.user_extensions.source,
            ),
            row(
                "allow_private_targets",
                match &self.allow_private_targets.value {
                    Reach::Public => "false".to_owned(),
                    Reach::Besides(listed) => listed.to_string(),
                    Reach::Anywhere => "true".to_owned(),
                },
                &self.allow_private_targets.source,
            ),
            row(
                "smtp_url",
                self.smtp_url
                    .value
                    .as_ref()
                    .map_or_else(String::new, |_| "…".to_owned()),
                &self.smtp_url.source,
            ),
            row(
                "mail_dir",
                self.mail_dir
                    .value
                    .as_ref()
                    .map_or_else(String::new, |path| path.display().to_string()),
                &self.mail_dir.source,
            ),
            row(
                "mail_from",
                self.mail_from.value.clone(),
                &self.mail_from.source,
            ),
        ]
    }
}

struct Layers<'a> {
    variable: &'a dyn Fn(&str) -> Option<String>,
    path: Option<&'a Path>,
}

impl Layers<'_> {
    fn pick(
        &self,
        (flag, typed): (&'static str, Option<String>),
        variable: &'static str,
        filed: Option<String>,
        default: impl FnOnce() -> String,
    ) -> Setting<String> {
        if let Some(value) = typed {
            return Setting {
                value,
                source: Source::Flag(flag),
            };
        }
        if let Some(value) = (self.variable)(variable) {
            return Setting {
                value,
                source: Source::Variable(variable),
            };
        }
        match (filed, self.path) {
            (Some(value), Some(path)) => Setting {
                value,
                source: Source::File(path.to_owned()),
            },
            _ => Setting {
                value: default(),
                source: Source::Default,
            },
        }
    }
}

impl Layers<'_> {
    /// Likewise, for a value that may be absent.
    fn pick_optional(
        &self,
        typed: (&'static str, Option<String>),
        variable: &'static str,
        filed: Option<String>,
    ) -> Setting<Option<String>> {
        let Setting { value, source } = self.pick(typed, variable, filed, String::new);
        Setting {
            value: Some(value).filter(|value| !value.is_empty()),
            source,
        }
    }
}

impl Setting<Option<String>> {
    fn try_map(
        self,
        name: &str,
        convert: impl FnOnce(String) -> anyhow::Result<String>,
    ) -> anyhow::Result<Self> {
        let Self { value, source } = self;
        let value = value.map(convert).transpose();
        let value = value.with_context(|| format!("`{name}` (from {source})"))?;
        Ok(Self { value, source })
    }

    fn map<T>(self, convert: impl FnOnce(String) -> T) -> Setting<Option<T>> {
        Setting {
            value: self.value.map(convert),
            source: self.source,
        }
    }
}

impl Setting<String> {
    fn parse<T>(self, name: &str) -> anyhow::Result<Setting<T>>
    where
        T: std::str::FromStr,
        T::Err: std::error::Error + Send + Sync + 'static,
    {
        self.try_map(name, |text| Ok(text.parse::<T>()?))
    }

    fn try_map<T>(
        self,
        name: &str,
        convert: impl FnOnce(String) -> anyhow::Result<T>,
    ) -> anyhow::Result<Setting<T>> {
        let Self { value, source } = self;
        let value = convert(value).with_context(|| format!("`{name}` (from {source})"))?;
        Ok(Setting { value, source })
    }
}

fn read_file(path: &Path) -> anyhow::Result<File> {
    let text = std::fs::read_to_string(path).map_err(|error| {
        Trouble::wrong(format!(
            "the configuration {} cannot be read: {error}",
            path.display()
        ))
    })?;
    toml::from_str(&text).map_err(|error| {
        Trouble::wrong(format!(
            "the configuration {} is wrong: {}",
            path.display(),
            error.to_string().trim_end()
        ))
        .hint(
            "the keys are store, listen, metrics_listen, otlp_endpoint, public_url, region, regions, rate, trusted_proxies, key_file, allow_private_targets, authorities, user_extensions, smtp_url, mail_dir and mail_from",
        )
        .into()
    })
}

/// Checks an address to listen on: a host, which may be a name, and a port.
fn address_of(text: String) -> anyhow::Result<String> {
    let parts = text.rsplit_once(':');
    if parts.is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok()) {
        return Ok(text);
    }
    anyhow::bail!("`{text}` is not an address and a port such as 127.0.0.1:8080")
}

fn rate_of(text: String) -> anyhow::Result<u32> {
    match text.parse() {
        Ok(rate) if rate > 0 => Ok(rate),
        _ => anyhow::bail!("`{text}` is not a number of requests per second"),
    }
}

/// Reads which private targets are allowed: all, none, or those of a list.
fn reach_of(text: String) -> anyhow::Result<Reach> {
    match text.as_str() {
        "true" | "1" => Ok(Reach::Anywhere),
        "false" | "0" => Ok(Reach::Public),
        _ => match text.parse::<Destinations>()? {
            listed if listed == Destinations::default() => Ok(Reach::Public),
            listed => Ok(Reach::Besides(listed)),
        },
    }
}

/// Checks a base URL and takes the slash off its end.
fn url_of(text: &str) -> anyhow::Result<String> {
    let rest = text
        .strip_prefix("https://")
        .or_else(|| text.strip_prefix("http://"));
    match rest {
        Some(rest) if !rest.is_empty() && !rest.contains(['?', '#', ' ', '@']) => {
            Ok(text.trim_end_matches('/').to_owned())
        }
        _ => Err(Trouble::wrong(format!(
            "`{text}` is not a base URL such as https://rollcall.example.com"
        ))
        .into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn common(store: Option<&str>, config: Option<PathBuf>) -> Common {
        Common {
            store: store.map(str::to_owned),
            config,
            json: false,
        }
    }

    #[test]
    fn a_flag_beats_a_variable_beats_the_file_beats_the_default() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rollcall.toml");
        std::fs::write(&path, "store = \"sqlite:file.db\"\nlisten = \"127.0.0.1:1\"\n[regions]\nus = \"https://us.example.com/\"\n").unwrap();
        let variable =
            |name: &str| (name == "ROLLCALL_STORE").then(|| "sqlite:variable.db".to_owned());

        let flagged = Config::read(
            &common(Some("sqlite:flag.db"), Some(path.clone())),
            None,
            &variable,
        )
        .unwrap();
        let variabled = Config::read(&common(None, Some(path.clone())), None, &variable).unwrap();
        let filed = Config::read(&common(None, Some(path.clone())), None, &|_| None).unwrap();

        assert_eq!(flagged.store.value.to_string(), "sqlite:flag.db");
        assert_eq!(variabled.store.value.to_string(), "sqlite:variable.db");
        assert_eq!(variabled.store.source.to_string(), "$ROLLCALL_STORE");
        assert_eq!(filed.store.value.to_string(), "sqlite:file.db");
        assert_eq!(filed.listen.source, Source::File(path));
        assert_eq!(filed.rate.source, Source::Default);
        assert_eq!(
            filed.regions.value.values().next().unwrap(),
            "https://us.example.com"
        );
    }

    #[test]
    fn private_targets_are_allowed_all_or_by_name_in_the_file_and_in_the_variable() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rollcall.toml");
        let of = |line: Option<&str>, variable: Option<&str>| {
            std::fs::write(&path, line.unwrap_or_default()).unwrap();
            let read = Config::read(&common(None, Some(path.clone())), None, &|name| {
                (name == "ROLLCALL_ALLOW_PRIVATE_TARGETS").then(|| variable.map(str::to_owned))?
            });
            read.map(|config| {
                let rows = config.rows().into_iter();
                let mut rows = rows.filter(|[name, ..]| name == "allow_private_targets");
                rows.next().unwrap()[1].clone()
            })
        };
        for (line, variable, expected) in [
            (None, None, "false"),
            (Some("allow_private_targets = true"), None, "true"),
            (Some("allow_private_targets = false"), None, "false"),
            (Some("allow_private_targets = []"), None, "false"),
            (
                Some("allow_private_targets = [\"10.20.0.0/16\", \"app.internal\"]"),
                None,
                "10.20.0.0/16,app.internal",
            ),
            (None, Some("1"), "true"),
            (
                None,
                Some("app.internal, 10.0.0.7"),
                "app.internal,10.0.0.7/32",
            ),
        ] {
            assert_eq!(of(line, variable).unwrap(), expected, "{line:?}");
        }
        for (line, variable, expected) in [
            (
                Some("allow_private_targets = 3"),
                None,
                "true, false, or a list",
            ),
            (
                Some("allow_private_targets = [\"10.0.0.1/8\"]"),
                None,
                "first address",
            ),
            (None, Some("https://app.internal"), "neither a host"),
        ] {
            let error = format!("{:#}", of(line, variable).unwrap_err());
            assert!(error.contains(expected), "{error}");
        }
    }

    #[test]
    fn an_unknown_key_in_the_file_is_an_error_that_names_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rollcall.toml");
        std::fs::write(&path, "stroe = \"sqlite:file.db\"\n").unwrap();

        let error = Config::read(&common(None, Some(path)), None, &|_| None).unwrap_err();

        assert!(error.to_string().contains("stroe"), "{error}");
    }
}
