//! The job file: read once, with every mistake, its line, and what to write instead.
//!
//! **Is:** the form of the file (TOML). **Is not:** whether what it names exists; see [`super::stage`].
//! **Start at** [`read`].

mod source;

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rollcall_model::Kind;
use rollcall_model::application::{DriftCheck, Leaving, NestedGroups, Principal, Settings};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::cli::Lifetime;
use crate::spelling;
pub(crate) use source::SourceSpec;

/// How often a source is read that cannot tell of changes itself.
const EVERY: Duration = Duration::from_mins(10);

/// The secrets of a job file, and how one says where they are.
const TOKEN: (&str, &str) = (
    "token",
    "write token = { env = \"TARGET_TOKEN\" } or token = { file = \"token.txt\" }",
);
const PASSWORD: (&str, &str) = (
    "password",
    "write password = { env = \"LDAP_PASSWORD\" } or password = { file = \"password.txt\" }",
);
const CLIENT_SECRET: (&str, &str) = (
    "client_secret",
    "write client_secret = { env = \"GRAPH_SECRET\" } or client_secret = { file = \"secret.txt\" }",
);

/// What a job file says.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct JobFile {
    /// The name under which the store keeps the job's state.
    pub(crate) name: String,
    pub(crate) source: SourceSpec,
    pub(crate) url: String,
    pub(crate) token: SecretSpec,
    /// The synchronization schema; absent: the default mappings.
    pub(crate) schema: Option<PathBuf>,
    /// Who is assigned; absent: everybody is in scope.
    pub(crate) assigned: Option<Vec<Principal>>,
    pub(crate) settings: Settings,
    /// How often `job watch` reads the source.
    pub(crate) every: Duration,
    /// Whether a source that has nobody any more is believed.
    pub(crate) accept_empty: bool,
}

/// Where a secret is kept; never in the job file itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum SecretSpec {
    Variable(String),
    File(PathBuf),
}

/// Something wrong in a job file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mistake {
    /// Its line and column, from 1.
    pub(crate) place: (usize, usize),
    pub(crate) message: String,
    pub(crate) help: String,
}

/// What is wrong with a secret that a job file names, if anything is, and what to do about it.
pub(crate) type Judge<'j> = &'j dyn Fn(&SecretSpec) -> Option<(String, &'static str)>;

/// Reads a job file, with every mistake in it. Paths in it start where the file lies. What it says is there also when there are mistakes,
/// as long as nothing that it needs is missing, so that what it names can be looked at together with them.
pub(crate) fn read(text: &str, path: &Path, judge: Judge<'_>) -> (Option<JobFile>, Vec<Mistake>) {
    let (document, errors) = DeTable::parse_recoverable(text);
    let mut reader = Reader {
        text,
        folder: path.parent().unwrap_or(Path::new("")).to_owned(),
        judge,
        mistakes: Vec::new(),
    };
    for error in errors {
        let help = "a job file is TOML: [sections] with lines such as url = \"https://…\"";
        reader.wrong(&error.span().unwrap_or(0..0), error.message(), help);
    }
    let job = reader.job(document.get_ref(), path);
    reader.mistakes.sort_by_key(|mistake| mistake.place);
    (job, reader.mistakes)
}

struct Reader<'t> {
    text: &'t str,
    folder: PathBuf,
    judge: Judge<'t>,
    mistakes: Vec<Mistake>,
}

/// A table of the file, and where its heading or brace stands.
struct Table<'d> {
    entries: &'d DeTable<'d>,
    span: Range<usize>,
    name: &'static str,
}

type Entry<'d> = &'d Spanned<DeValue<'d>>;

impl Reader<'_> {
    fn job(&mut self, document: &DeTable<'_>, path: &Path) -> Option<JobFile> {
        let whole = Table {
            entries: document,
            span: 0..0,
            name: "the file",
        };
        let known = [
            "name", "source", "target", "mapping", "scope", "safety", "drift", "watch",
        ];
        self.only(&whole, &known);
        let name = match self.text(&whole, "name") {
            Some(name) if name.trim().is_empty() => None,
            Some(name) => Some(name),
            None => path
                .file_stem()
                .map(|stem| stem.to_string_lossy().into_owned()),
        };
        let source = self.required_table(&whole, "source");
        let source = source.and_then(|table| self.source(&table));
        let target = self.required_table(&whole, "target");
        let target = target.map(|table| {
            self.only(&table, &["url", "token"]);
            let url = self.required_text(
                &table,
                "url",
                "the SCIM base URL of the application: \"https://app.example.com/scim/v2\"",
            );
            (url, self.required_secret(&table, "token"))
        });
        let schema = self.table(&whole, "mapping").and_then(|table| {
            self.only(&table, &["schema"]);
            self.path(&table, "schema")
        });
        let mut settings = Settings::default();
        let assigned = self.scope(&whole, &mut settings);
        let accept_empty = self.safety(&whole, &mut settings);
        self.drift(&whole, &mut settings);
        let every = self.table(&whole, "watch").and_then(|table| {
            self.only(&table, &["every"]);
            self.time(&table, "every")
        });
        let (Some(url), Some(token)) = target? else {
            return None;
        };
        Some(JobFile {
            name: name?,
            source: source?,
            url,
            token,
            schema,
            assigned,
            settings,
            every: every.unwrap_or(EVERY),
            accept_empty: accept_empty.unwrap_or(false),
        })
    }

    fn scope(&mut self, whole: &Table<'_>, settings: &mut Settings) -> Option<Vec<Principal>> {
        let table = self.table(whole, "scope")?;
        self.only(&table, &["assigned", "nested_groups"]);
        let nested = self.choice(
            &table,
            "nested_groups",
            &[
                ("direct", NestedGroups::Direct),
                ("keep", NestedGroups::Keep),
                ("flatten", NestedGroups::Flatten),
            ],
        );
        settings.nested_groups = nested.unwrap_or_default();
        let entry = table.entries.get("assigned")?;
        let help = "a list such as [\"group:Sales\", \"user:adele@example.com\"]";
        let Some(list) = entry.get_ref().as_array() else {
            self.wrong(&entry.span(), "`assigned` is not a list", help);
            return None;
        };
        let mut principals = Vec::new();
        for one in list {
            match one.get_ref().as_str().map(str::parse::<Principal>) {
                Some(Ok(principal)) => principals.push(principal),
                Some(Err(message)) => self.wrong(&one.span(), &message, help),
                None => self.wrong(&one.span(), "it is not a text", help),
            }
        }
        Some(principals)
    }

    /// Reads the section; returns whether a source may be empty.
    fn safety(&mut self, whole: &Table<'_>, settings: &mut Settings) -> Option<bool> {
        let table = self.table(whole, "safety")?;
        self.only(
            &table,
            &[
                "max_deletions",
                "max_deletions_percent",
                "leaving",
                "accept_empty",
            ],
        );
        settings.max_deletions = self.number(&table, "max_deletions", u64::MAX);
        let percent = self.number(&table, "max_deletions_percent", 100);
        settings.max_deletions_percent = percent.and_then(|percent| u8::try_from(percent).ok());
        let leaving = self.choice(
            &table,
            "leaving",
            &[
                ("disable", Leaving::Disable),
                ("delete", Leaving::Delete),
                ("unlink", Leaving::Unlink),
            ],
        );
        settings.leaving = leaving.unwrap_or_default();
        self.flag(&table, "accept_empty")
    }

    fn drift(&mut self, whole: &Table<'_>, settings: &mut Settings) {
        let Some(table) = self.table(whole, "drift") else {
            return;
        };
        self.only(&table, &["every", "repair"]);
        let every = self.time(&table, "every");
        if every.is_none() && !table.entries.contains_key("every") {
            self.missing(&table, "every", "how often both ends are compared: \"24h\"");
        }
        let repair = self.flag(&table, "repair");
        settings.drift = every.map(|every| DriftCheck {
            every_hours: u32::try_from(every.as_secs().div_ceil(3_600)).unwrap_or(u32::MAX),
            repair: repair.unwrap_or(false),
        });
    }

    fn table<'d>(&mut self, within: &Table<'d>, name: &'static str) -> Option<Table<'d>> {
        let entry = within.entries.get(name)?;
        let Some(entries) = entry.get_ref().as_table() else {
            self.wrong(
                &entry.span(),
                &format!("`{name}` is not a section"),
                &format!("write [{name}] on a line of its own"),
            );
            return None;
        };
        Some(Table {
            entries,
            span: entry.span(),
            name,
        })
    }

    fn required_table<'d>(&mut self, within: &Table<'d>, name: &'static str) -> Option<Table<'d>> {
        if !within.entries.contains_key(name) {
            self.wrong(
                &(0..0),
                &format!("there is no section [{name}]"),
                &format!("add [{name}]; `rollcall job check --help` shows a whole file"),
            );
        }
        self.table(within, name)
    }

    fn text(&mut self, table: &Table<'_>, key: &str) -> Option<String> {
        let entry = table.entries.get(key)?;
        let text = entry.get_ref().as_str().map(str::to_owned);
        if text.is_none() {
            self.not(entry, key, "a text", "put it between quotes");
        }
        text
    }

    fn required_text(&mut self, table: &Table<'_>, key: &str, help: &str) -> Option<String> {
        if !table.entries.contains_key(key) {
            self.missing(table, key, help);
        }
        let text = self.text(table, key)?;
        if text.trim().is_empty() {
            self.wrong_value(table, key, &format!("`{key}` is empty"), help);
            return None;
        }
        Some(text)
    }

    fn path(&mut self, table: &Table<'_>, key: &str) -> Option<PathBuf> {
        let text = self.text(table, key)?;
        Some(self.folder.join(text))
    }

    /// Reads a list of texts; none when there is no list.
    fn texts(&mut self, table: &Table<'_>, key: &str) -> Vec<String> {
        let Some(entry) = table.entries.get(key) else {
            return Vec::new();
        };
        let help = format!("write {key} = [\"one\", \"another\"]");
        let Some(list) = entry.get_ref().as_array() else {
            self.not(entry, key, "a list", &help);
            return Vec::new();
        };
        let mut texts = Vec::new();
        for one in list {
            match one
                .get_ref()
                .as_str()
                .filter(|text| !text.trim().is_empty())
            {
                Some(text) => texts.push(text.to_owned()),
                None => self.wrong(&one.span(), "it is not a text", &help),
            }
        }
        texts
    }

    fn required_secret(&mut self, table: &Table<'_>, key: &'static str) -> Option<SecretSpec> {
        let (_, help) = [TOKEN, PASSWORD, CLIENT_SECRET]
            .into_iter()
            .find(|(known, _)| *known == key)
            .unwrap_or(TOKEN);
        let Some(entry) = table.entries.get(key) else {
            self.missing(table, key, help);
            return None;
        };
        let Some(inner) = entry.get_ref().as_table() else {
            let message =
                format!("a job file holds no secrets, so `{key}` says where the secret is");
            self.wrong(&entry.span(), &message, help);
            return None;
        };
        let inner = Table {
            entries: inner,
            span: entry.span(),
            name: key,
        };
        self.only(&inner, &["env", "file"]);
        let spec = match (self.text(&inner, "env"), self.path(&inner, "file")) {
            (Some(variable), None) => SecretSpec::Variable(variable),
            (None, Some(file)) => SecretSpec::File(file),
            (Some(_), Some(_)) => {
                self.wrong(&inner.span, &format!("`{key}` is in two places"), help);
                return None;
            }
            (None, None) => {
                self.wrong(
                    &inner.span,
                    &format!("`{key}` does not say where it is"),
                    help,
                );
                return None;
            }
        };
        if let Some((message, help)) = (self.judge)(&spec) {
            self.wrong(&inner.span, &message, help);
        }
        Some(spec)
    }

    fn flag(&mut self, table: &Table<'_>, key: &str) -> Option<bool> {
        let entry = table.entries.get(key)?;
        let flag = entry.get_ref().as_bool();
        if flag.is_none() {
            let message = format!("`{key}` is neither true nor false");
            self.wrong(&entry.span(), &message, &format!("write {key} = true"));
        }
        flag
    }

    fn number(&mut self, table: &Table<'_>, key: &str, most: u64) -> Option<u64> {
        let entry = table.entries.get(key)?;
        let number = entry
            .get_ref()
            .as_integer()
            .and_then(|integer| u64::from_str_radix(integer.as_str(), integer.radix()).ok())
            .filter(|number| *number <= most);
        if number.is_none() {
            let what = if most == u64::MAX {
                "a whole number".to_owned()
            } else {
                format!("a whole number up to {most}")
            };
            self.not(entry, key, &what, &format!("write {key} = 10"));
        }
        number
    }

    fn time(&mut self, table: &Table<'_>, key: &str) -> Option<Duration> {
        let entry = table.entries.get(key)?;
        let text = self.text(table, key)?;
        match text.parse::<Lifetime>() {
            Ok(Lifetime(time)) => Duration::try_from(time).ok(),
            Err(message) => {
                self.wrong(&entry.span(), &message, &format!("write {key} = \"10m\""));
                None
            }
        }
    }

    fn choice<T: Copy>(
        &mut self,
        table: &Table<'_>,
        key: &str,
        choices: &[(&str, T)],
    ) -> Option<T> {
        let text = self.text(table, key)?;
        let found = choices.iter().find(|(word, _)| *word == text);
        if found.is_none() {
            let words: Vec<&str> = choices.iter().map(|(word, _)| *word).collect();
            let help = format!("use one of {}", words.join(", "));
            self.wrong_value(table, key, &format!("`{text}` is not known here"), &help);
        }
        found.map(|(_, value)| *value)
    }

    /// Names the keys that mean nothing: a misspelt setting must not be ignored.
    fn only(&mut self, table: &Table<'_>, known: &[&str]) {
        for key in table.entries.keys() {
            if !known.contains(&key.get_ref().as_ref()) {
                let message = format!("{} has nothing called `{}`", table.name, key.get_ref());
                let help = match spelling::nearest(key.get_ref(), known) {
                    Some(meant) => format!("did you mean `{meant}`?"),
                    None => format!("it may have {}", known.join(", ")),
                };
                self.wrong(&key.span(), &message, &help);
            }
        }
    }

    fn missing(&mut self, table: &Table<'_>, key: &str, help: &str) {
        self.wrong(
            &table.span.clone(),
            &format!("{} needs `{key}`", table.name),
            help,
        );
    }

    fn not(&mut self, entry: Entry<'_>, key: &str, what: &str, help: &str) {
        self.wrong(&entry.span(), &format!("`{key}` is not {what}"), help);
    }

    fn wrong_value(&mut self, table: &Table<'_>, key: &str, message: &str, help: &str) {
        let span = table
            .entries
            .get(key)
            .map_or(table.span.clone(), Spanned::span);
        self.wrong(&span, message, help);
    }

    fn wrong(&mut self, span: &Range<usize>, message: &str, help: &str) {
        let before = self.text.get(..span.start).unwrap_or(self.text);
        let line = before.matches('\n').count() + 1;
        let column = before.chars().rev().take_while(|c| *c != '\n').count() + 1;
        self.mistakes.push(Mistake {
            place: (line, column),
            message: message.to_owned(),
            help: help.to_owned(),
        });
    }
}

/// Tells of which kind a principal is, for messages.
pub(crate) fn noun(kind: Kind) -> &'static str {
    match kind {
        Kind::User => "person",
        Kind::Group => "group",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_text(text: &str) -> Result<JobFile, Vec<Mistake>> {
        match read(text, Path::new("/jobs/people.toml"), &|_| None) {
            (Some(job), mistakes) if mistakes.is_empty() => Ok(job),
            (_, mistakes) => Err(mistakes),
        }
    }

    #[test]
    fn a_whole_file_is_understood_and_paths_start_where_it_lies() {
        let job = read_text(
            r#"
[source]
kind = "csv"
users = "people.csv"
groups = "/data/groups.csv"

[target]
url = "https://app.example.com/scim/v2"
token = { env = "TARGET_TOKEN" }

[mapping]
schema = "schema.json"

[scope]
assigned = ["group:Sales", "user:adele@example.com"]
nested_groups = "flatten"

[safety]
max_deletions = 50
max_deletions_percent = 5
leaving = "unlink"

[drift]
every = "36h"
repair = true

[watch]
every = "5m"
"#,
        )
        .unwrap();

        assert_eq!(job.name, "people");
        assert_eq!(
            job.source,
            SourceSpec::Files {
                users: "/jobs/people.csv".into(),
                groups: Some("/data/groups.csv".into()),
            }
        );
        assert_eq!(job.token, SecretSpec::Variable("TARGET_TOKEN".into()));
        assert_eq!(job.schema, Some("/jobs/schema.json".into()));
        assert_eq!(job.assigned.unwrap().len(), 2);
        assert_eq!(job.settings.max_deletions, Some(50));
        assert_eq!(job.settings.max_deletions_percent, Some(5));
        assert_eq!(job.settings.leaving, Leaving::Unlink);
        assert_eq!(job.settings.nested_groups, NestedGroups::Flatten);
        assert_eq!(
            job.settings.drift,
            Some(DriftCheck {
                every_hours: 36,
                repair: true,
            })
        );
        assert_eq!(job.every, Duration::from_mins(5));
    }

    #[test]
    fn a_small_file_is_enough() {
        let job = read_text(
            "name = \"night\"\nsource = { kind = \"directory\", org = \"northwind\" }\n\
             target = { url = \"https://a.example/scim\", token = { file = \"t\" } }",
        )
        .unwrap();

        assert_eq!((job.name.as_str(), job.assigned), ("night", None));
        assert_eq!(job.token, SecretSpec::File("/jobs/t".into()));
    }

    #[test]
    fn all_mistakes_are_told_at_once_with_place_and_help() {
        let mistakes = read_text(
            r#"
[source]
kind = "cvs"
[target]
url = 7
token = "rc_main_secret"
[scope]
assigned = ["Sales", 3]
nested_groups = "deep"
[safety]
max_deletion = 5
max_deletions_percent = 200
[drift]
repair = "yes"
[extra]
"#,
        )
        .unwrap_err();

        let lines: Vec<String> = mistakes
            .iter()
            .map(|one| {
                format!(
                    "{}:{} {} | {}",
                    one.place.0, one.place.1, one.message, one.help
                )
            })
            .collect();
        insta::assert_snapshot!(lines.join("\n"));
    }

    #[test]
    fn directories_and_tenants_are_described_and_what_is_missing_is_named() {
        let target = "[target]\nurl = \"https://a.example/scim\"\ntoken = { file = \"t\" }\n";
        let ldap = read_text(&format!(
            "[source]\nkind = \"ldap\"\nurl = \"ldaps://ldap.example.com\"\nbase = \"dc=x\"\nbind = \"cn=r\"\n\
             password = {{ env = \"P\" }}\nattributes = [\"carLicense\"]\n{target}"
        ));
        let SourceSpec::Ldap(ldap) = ldap.unwrap().source else {
            panic!("it is one")
        };
        assert_eq!(
            ldap.bind,
            Some(("cn=r".into(), SecretSpec::Variable("P".into())))
        );
        assert_eq!(
            (ldap.starts_tls, ldap.attributes),
            (false, vec!["carLicense".to_owned()])
        );
        let graph = read_text(&format!(
            "[source]\nkind = \"graph\"\ntenant = \"t.example\"\nclient_id = \"7\"\nclient_secret = {{ env = \"S\" }}\n{target}"
        ));
        let graph = graph.unwrap().source;
        assert_eq!(graph.secret(), Some(&SecretSpec::Variable("S".into())));

        for (source, parts) in [
            (
                "kind = \"ldap\"\nbind = \"cn=r\"",
                &["needs `url`", "needs `base`", "needs `password`"][..],
            ),
            (
                "kind = \"ldap\"\npassword = \"s\"\nattributes = \"x\"",
                &["needs `bind`", "`attributes` is not a list"],
            ),
            (
                "kind = \"graph\"\nclient_secret = \"s\"",
                &["needs `tenant`", "needs `client_id`", "holds no secrets"],
            ),
        ] {
            let mistakes = read_text(&format!("[source]\n{source}\n{target}")).unwrap_err();
            let said: Vec<&str> = mistakes.iter().map(|one| one.message.as_str()).collect();
            for part in parts {
                assert!(
                    said.iter().any(|one| one.contains(part)),
                    "{part}: {said:?}"
                );
            }
        }
    }

    #[test]
    fn an_empty_or_broken_file_says_what_is_missing() {
        for (text, part) in [
            ("", "there is no section [source]"),
            ("[source", "TOML"),
            ("source = 3\n[target]\n", "`source` is not a section"),
        ] {
            let mistakes = read_text(text).unwrap_err();
            let all: Vec<String> = mistakes
                .iter()
                .map(|one| format!("{} {}", one.message, one.help))
                .collect();
            assert!(all.join("; ").contains(part), "{text}: {all:?}");
        }
    }
}
