//! The section [source] of a job file: where people and groups come from. A part of [`super`].

use std::path::PathBuf;

use rollcall_model::Slug;
use toml::Spanned;

use super::{PASSWORD, Reader, SecretSpec, Table};

/// Where people and groups come from.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum SourceSpec {
    /// Files: CSV or JSON lines.
    Files {
        users: PathBuf,
        groups: Option<PathBuf>,
    },
    /// Another SCIM server.
    Scim { url: String, token: SecretSpec },
    /// A directory that speaks LDAP.
    Ldap(LdapSpec),
    /// Entra ID.
    Graph(GraphSpec),
    /// The directory of an organisation of this store.
    Directory { org: Slug },
}

impl SourceSpec {
    /// The secret with which it is read.
    pub(crate) fn secret(&self) -> Option<&SecretSpec> {
        match self {
            Self::Files { .. } | Self::Directory { .. } => None,
            Self::Scim { token, .. } => Some(token),
            Self::Ldap(ldap) => ldap.bind.as_ref().map(|(_, password)| password),
            Self::Graph(graph) => Some(&graph.client_secret),
        }
    }

    /// Tells whether another server is asked.
    pub(crate) fn calls_somebody(&self) -> bool {
        matches!(self, Self::Scim { .. } | Self::Ldap(_) | Self::Graph(_))
    }
}

/// A directory that speaks LDAP; what is absent has its usual value.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct LdapSpec {
    pub(crate) url: String,
    pub(crate) starts_tls: bool,
    pub(crate) bind: Option<(String, SecretSpec)>,
    pub(crate) base: String,
    pub(crate) users: Option<String>,
    pub(crate) groups: Option<String>,
    pub(crate) user_name: Option<String>,
    pub(crate) key: Option<String>,
    pub(crate) attributes: Vec<String>,
}

/// A tenant of Entra ID; what is absent has its usual value.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct GraphSpec {
    pub(crate) tenant: String,
    pub(crate) client_id: String,
    pub(crate) client_secret: SecretSpec,
    pub(crate) url: Option<String>,
    pub(crate) login: Option<String>,
    pub(crate) attributes: Vec<String>,
}

impl Reader<'_> {
    pub(super) fn source(&mut self, table: &Table<'_>) -> Option<SourceSpec> {
        const KINDS: &str = "csv, jsonl, ldap, graph, scim or directory";
        let entry = table.entries.get("kind");
        let kind = self.required_text(table, "kind", &format!("one of {KINDS}"))?;
        match kind.as_str() {
            "csv" | "jsonl" => {
                self.only(table, &["kind", "users", "groups"]);
                let users = self.path(table, "users");
                if users.is_none() && !table.entries.contains_key("users") {
                    self.missing(table, "users", "the file with the people: \"people.csv\"");
                }
                let groups = self.path(table, "groups");
                users.map(|users| SourceSpec::Files { users, groups })
            }
            "scim" => {
                self.only(table, &["kind", "url", "token"]);
                let url = self.required_text(
                    table,
                    "url",
                    "the SCIM base URL of the source: \"https://hr.example.com/scim/v2\"",
                );
                let token = self.required_secret(table, "token");
                Some(SourceSpec::Scim {
                    url: url?,
                    token: token?,
                })
            }
            "directory" => {
                self.only(table, &["kind", "org"]);
                let help =
                    "the organisation of this store whose directory is the source: \"northwind\"";
                let text = self.required_text(table, "org", help)?;
                match text.parse() {
                    Ok(org) => Some(SourceSpec::Directory { org }),
                    Err(error) => {
                        self.wrong_value(table, "org", &format!("{error}"), help);
                        None
                    }
                }
            }
            "ldap" => self.ldap(table),
            "graph" => self.graph(table),
            other => {
                let span = entry.map_or(table.span.clone(), Spanned::span);
                let message = format!("`{other}` is no kind of source");
                self.wrong(&span, &message, &format!("use {KINDS}"));
                None
            }
        }
    }

    fn ldap(&mut self, table: &Table<'_>) -> Option<SourceSpec> {
        let known = [
            "kind",
            "url",
            "starttls",
            "bind",
            "password",
            "base",
            "users",
            "groups",
            "user_name",
            "key",
            "attributes",
        ];
        self.only(table, &known);
        let help = "where the directory is: \"ldaps://ldap.example.com\"";
        let url = self.required_text(table, "url", help);
        let help = "below what people and groups are: \"dc=example,dc=com\"";
        let base = self.required_text(table, "base", help);
        let has = |key| table.entries.contains_key(key);
        let bind = match (has("bind"), has("password")) {
            (false, false) => Some(None),
            (true, true) => {
                let help = "the name of whoever reads: \"cn=reader,dc=example,dc=com\"";
                let name = self.required_text(table, "bind", help);
                name.zip(self.required_secret(table, "password")).map(Some)
            }
            (true, false) => {
                self.missing(table, "password", PASSWORD.1);
                None
            }
            (false, true) => {
                let help =
                    "the name to which the password belongs: \"cn=reader,dc=example,dc=com\"";
                self.missing(table, "bind", help);
                None
            }
        };
        let spec = LdapSpec {
            starts_tls: self.flag(table, "starttls").unwrap_or(false),
            users: self.text(table, "users"),
            groups: self.text(table, "groups"),
            user_name: self.text(table, "user_name"),
            key: self.text(table, "key"),
            attributes: self.texts(table, "attributes"),
            url: url?,
            base: base?,
            bind: bind?,
        };
        Some(SourceSpec::Ldap(spec))
    }

    fn graph(&mut self, table: &Table<'_>) -> Option<SourceSpec> {
        let known = [
            "kind",
            "tenant",
            "client_id",
            "client_secret",
            "url",
            "login",
            "attributes",
        ];
        self.only(table, &known);
        let help = "the tenant's id, or one of its domains: \"contoso.onmicrosoft.com\"";
        let tenant = self.required_text(table, "tenant", help);
        let help = "the Application (client) ID of the app registration that reads";
        let client_id = self.required_text(table, "client_id", help);
        let client_secret = self.required_secret(table, "client_secret");
        let spec = GraphSpec {
            url: self.text(table, "url"),
            login: self.text(table, "login"),
            attributes: self.texts(table, "attributes"),
            tenant: tenant?,
            client_id: client_id?,
            client_secret: client_secret?,
        };
        Some(SourceSpec::Graph(spec))
    }
}
