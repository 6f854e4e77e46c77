//! What a store consists of: its tables and columns, as both databases have them.
//!
//! **Is:** one description that reading, writing and comparing share. A test holds it against the schemas of both databases.
//! **Is not:** the schemas themselves; those are the backends' migrations.

/// A table. Its key are its first columns; by that key its rows are in the same order in both databases.
#[derive(Debug)]
pub(crate) struct Table {
    pub(crate) name: &'static str,
    /// How many columns the key has.
    pub(crate) key: usize,
    pub(crate) columns: &'static [Column],
}

/// A column.
#[derive(Debug)]
pub(crate) struct Column {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    /// Whether it may hold nothing.
    pub(crate) optional: bool,
    /// What SQLite computes in its place; absent: it is a column there too.
    pub(crate) computed_in_sqlite: Option<&'static str>,
}

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// An id: 16 bytes in SQLite, a `uuid` in PostgreSQL.
    Id,
    /// An id, or nobody's: an empty blob in SQLite, zeros in PostgreSQL.
    IdOrNobody,
    /// A whole number.
    Integer,
    /// A text.
    Text,
    /// Bytes.
    Bytes,
    /// A truth: 0 or 1 in SQLite.
    Boolean,
}

impl Column {
    const fn of(name: &'static str, kind: Kind) -> Self {
        Self {
            name,
            kind,
            optional: false,
            computed_in_sqlite: None,
        }
    }

    const fn optional(self) -> Self {
        Self {
            optional: true,
            ..self
        }
    }

    const fn computed_in_sqlite(self, expression: &'static str) -> Self {
        Self {
            computed_in_sqlite: Some(expression),
            ..self
        }
    }
}

const fn id(name: &'static str) -> Column {
    Column::of(name, Kind::Id)
}

const fn integer(name: &'static str) -> Column {
    Column::of(name, Kind::Integer)
}

const fn text(name: &'static str) -> Column {
    Column::of(name, Kind::Text)
}

const fn bytes(name: &'static str) -> Column {
    Column::of(name, Kind::Bytes)
}

const fn boolean(name: &'static str) -> Column {
    Column::of(name, Kind::Boolean)
}

const fn table(name: &'static str, key: usize, columns: &'static [Column]) -> Table {
    Table { name, key, columns }
}

/// The tables that belong to one database alone: which schema it has, and who provisions or delivers at present. They are not copied.
#[cfg(test)]
pub(crate) const LEFT_OUT: &[&str] = &["rollcall_schema", "leases", "webhook_leases"];

/// The tables, each after those that it refers to.
pub(crate) const TABLES: &[Table] = &[
    table("installation_secrets", 1, &[text("name"), bytes("secret")]),
    table(
        "organisations",
        1,
        &[
            id("id"),
            text("slug"),
            text("document"),
            integer("last_change"),
            integer("last_audit"),
            bytes("audit_head"),
            integer("last_exchange"),
            integer("last_mail"),
            integer("users"),
            integer("active_users"),
            integer("groups"),
        ],
    ),
    table(
        "resources",
        3,
        &[
            id("org"),
            integer("kind"),
            id("id"),
            text("name_key"),
            text("external_id").optional(),
            text("display").optional(),
            text("display_key").optional(),
            boolean("active"),
            id("managed_by").optional(),
            text("manager").optional(),
            integer("created"),
            integer("modified"),
            integer("version"),
            bytes("document"),
        ],
    ),
    table("emails", 3, &[id("org"), text("key"), id("id")]),
    table(
        "members",
        3,
        &[
            id("org"),
            id("group_id"),
            id("member_id"),
            integer("member_kind"),
        ],
    ),
    table(
        "tombstones",
        3,
        &[
            id("org"),
            integer("kind"),
            id("id"),
            text("name_key"),
            text("external_id").optional(),
            id("managed_by").optional(),
            integer("version"),
            integer("deleted"),
        ],
    ),
    table(
        "changes",
        2,
        &[
            id("org"),
            integer("sequence"),
            integer("at"),
            integer("kind"),
            id("id"),
            text("action"),
            text("document").optional(),
            text("membership").optional(),
            text("summary").optional(),
        ],
    ),
    table(
        "audit",
        2,
        &[
            id("org"),
            integer("sequence"),
            integer("at"),
            text("origin"),
            text("action"),
            text("object"),
            text("detail"),
            text("actor"),
            bytes("salt").optional(),
            bytes("digest").optional(),
            bytes("hash"),
        ],
    ),
    table(
        "tallies",
        4,
        &[
            id("org"),
            integer("day"),
            text("action"),
            text("actor"),
            integer("count"),
        ],
    ),
    table(
        "integrations",
        2,
        &[id("org"), id("id"), text("kind"), text("document")],
    ),
    table(
        "tokens",
        2,
        &[
            id("org"),
            id("id"),
            bytes("digest"),
            id("integration"),
            integer("created"),
            text("created_by"),
            integer("expires").optional(),
            integer("revoked").optional(),
            integer("last_used").optional(),
            text("ending").optional(),
        ],
    ),
    table(
        "api_keys",
        2,
        &[
            id("org"),
            id("id"),
            bytes("digest"),
            text("name"),
            text("role"),
            integer("created"),
            text("created_by"),
            integer("expires").optional(),
            integer("revoked").optional(),
            integer("last_used").optional(),
            text("ending"),
        ],
    ),
    table(
        "administrators",
        2,
        &[
            id("org"),
            id("id"),
            text("email_key"),
            text("document"),
            text("password_hash").optional(),
        ],
    ),
    table(
        "sign_in_links",
        2,
        &[
            id("org"),
            id("administrator"),
            bytes("digest"),
            integer("expires"),
        ],
    ),
    table(
        "sessions",
        2,
        &[
            id("org"),
            bytes("digest"),
            id("id"),
            id("administrator"),
            integer("ends"),
            text("document"),
        ],
    ),
    table(
        "second_factors",
        2,
        &[
            id("org"),
            id("administrator"),
            bytes("sealed_secret"),
            integer("since"),
            integer("last_step"),
        ],
    ),
    table(
        "recovery_codes",
        3,
        &[id("org"), id("administrator"), bytes("digest")],
    ),
    table(
        "exchanges",
        2,
        &[
            id("org"),
            integer("sequence"),
            id("request"),
            Column::of("integration", Kind::IdOrNobody),
            boolean("failed"),
            text("document"),
        ],
    ),
    table(
        "traffic",
        3,
        &[
            id("org"),
            integer("hour"),
            Column::of("integration", Kind::IdOrNobody),
            integer("requests"),
            integer("failed"),
        ],
    ),
    table(
        "mail",
        2,
        &[
            id("org"),
            integer("sequence"),
            integer("due"),
            integer("attempts"),
            bytes("sealed"),
        ],
    ),
    table(
        "data_keys",
        2,
        &[
            id("org"),
            integer("number"),
            integer("since"),
            bytes("sealed"),
        ],
    ),
    table(
        "activations",
        2,
        &[
            id("org"),
            id("person"),
            bytes("link").optional(),
            integer("link_expires").optional(),
            boolean("activated"),
            text("document"),
        ],
    ),
    table(
        "applications",
        2,
        &[
            id("org"),
            id("id"),
            text("document"),
            bytes("sealed_secret").optional(),
            text("job").optional(),
            integer("generation"),
            integer("runner"),
            integer("last_log"),
            integer("last_plan"),
            text("progress").optional(),
        ],
    ),
    table(
        "webhooks",
        2,
        &[
            id("org"),
            id("id"),
            text("document"),
            bytes("sealed_secret"),
            integer("position"),
            integer("runner"),
            integer("last_delivery"),
            boolean("active"),
            integer("rest").optional(),
        ],
    ),
    table(
        "webhook_deliveries",
        3,
        &[
            id("org"),
            id("webhook"),
            integer("sequence"),
            integer("due").optional(),
            integer("kept_until").optional(),
            text("document"),
        ],
    ),
    table(
        "assignments",
        4,
        &[
            id("org"),
            id("application"),
            integer("kind"),
            id("principal"),
            integer("since"),
        ],
    ),
    table(
        "links",
        4,
        &[
            id("org"),
            id("application"),
            integer("kind"),
            id("object"),
            text("target_id").optional(),
            boolean("attention"),
            boolean("in_use"),
            text("document"),
        ],
    ),
    table(
        "exported_members",
        4,
        &[
            id("org"),
            id("application"),
            id("group_id"),
            id("member_id"),
        ],
    ),
    table(
        "provisioning_log",
        3,
        &[
            id("org"),
            id("application"),
            integer("sequence"),
            integer("at"),
            integer("kind"),
            text("object"),
            boolean("failed")
                .computed_in_sqlite("coalesce(\"document\" ->> '$.status' = 'failure', 0)"),
            text("document"),
        ],
    ),
    table(
        "cycles",
        3,
        &[
            id("org"),
            id("application"),
            integer("sequence"),
            text("document"),
        ],
    ),
    table(
        "plans",
        3,
        &[
            id("org"),
            id("application"),
            integer("sequence"),
            integer("at"),
            text("document"),
            bytes("plan"),
        ],
    ),
    table(
        "plan_pages",
        4,
        &[
            id("org"),
            id("application"),
            integer("sequence"),
            integer("page"),
            bytes("body"),
        ],
    ),
];

/// Returns names as SQL lists them.
pub(crate) fn listed<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let quoted: Vec<String> = names.map(|name| format!("\"{name}\"")).collect();
    quoted.join(", ")
}

impl Table {
    /// Returns the columns of the key, as SQL lists them.
    pub(crate) fn listed_key(&self) -> String {
        listed(self.columns.iter().take(self.key).map(|column| column.name))
    }
}
