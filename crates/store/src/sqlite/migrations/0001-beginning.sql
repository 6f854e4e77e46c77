-- The organisation is the first column of every key and of every index. Ids are 16 bytes, instants microseconds since 1970, UTC.

CREATE TABLE installation_secrets (
    name TEXT PRIMARY KEY,
    secret BLOB NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE organisations (
    id BLOB PRIMARY KEY,
    slug TEXT NOT NULL UNIQUE,
    document TEXT NOT NULL,
    -- the last places given in the feed and in the audit log, and what is counted
    last_change INTEGER NOT NULL DEFAULT 0,
    last_audit INTEGER NOT NULL DEFAULT 0,
    -- the hash of the audit log's last entry
    audit_head BLOB NOT NULL DEFAULT (zeroblob(32)),
    users INTEGER NOT NULL DEFAULT 0,
    active_users INTEGER NOT NULL DEFAULT 0,
    groups INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;

-- People (kind 0) and groups (kind 1): a SCIM document, and the columns by which it is found.
CREATE TABLE resources (
    org BLOB NOT NULL REFERENCES organisations (id) ON DELETE CASCADE,
    kind INTEGER NOT NULL,
    id BLOB NOT NULL,
    name_key TEXT NOT NULL,
    external_id TEXT,
    display TEXT,
    display_key TEXT,
    active INTEGER NOT NULL,
    managed_by BLOB,
    -- the canonical key of the manager's id; a client may name a manager whom nobody knows
    manager TEXT,
    created INTEGER NOT NULL,
    modified INTEGER NOT NULL,
    version INTEGER NOT NULL,
    document BLOB NOT NULL,
    PRIMARY KEY (org, kind, id)
) STRICT;
CREATE UNIQUE INDEX resources_by_name ON resources (org, kind, name_key);
CREATE INDEX resources_by_external_id ON resources (org, kind, external_id) WHERE external_id IS NOT NULL;
CREATE INDEX resources_by_display ON resources (org, kind, display_key) WHERE display_key IS NOT NULL;
CREATE INDEX resources_by_manager ON resources (org, manager) WHERE manager IS NOT NULL;
-- most people are active: an index pays for those who are not
CREATE INDEX resources_by_inactivity ON resources (org, kind, id) WHERE active = 0;
CREATE INDEX resources_by_modified ON resources (org, kind, modified);

CREATE TABLE emails (
    org BLOB NOT NULL,
    key TEXT NOT NULL,
    id BLOB NOT NULL,
    PRIMARY KEY (org, key, id),
    FOREIGN KEY (org) REFERENCES organisations (id) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

CREATE TABLE members (
    org BLOB NOT NULL REFERENCES organisations (id) ON DELETE CASCADE,
    group_id BLOB NOT NULL,
    member_id BLOB NOT NULL,
    member_kind INTEGER NOT NULL,
    PRIMARY KEY (org, group_id, member_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX members_by_member ON members (org, member_id, group_id);

CREATE TABLE tombstones (
    org BLOB NOT NULL REFERENCES organisations (id) ON DELETE CASCADE,
    kind INTEGER NOT NULL,
    id BLOB NOT NULL,
    name_key TEXT NOT NULL,
    external_id TEXT,
    managed_by BLOB,
    version INTEGER NOT NULL,
    deleted INTEGER NOT NULL,
    PRIMARY KEY (org, kind, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX tombstones_by_name ON tombstones (org, kind, name_key);
CREATE INDEX tombstones_by_time ON tombstones (org, deleted);
CREATE INDEX tombstones_by_external_id ON tombstones (org, kind, external_id) WHERE external_id IS NOT NULL;

CREATE TABLE changes (
    org BLOB NOT NULL REFERENCES organisations (id) ON DELETE CASCADE,
    sequence INTEGER NOT NULL,
    at INTEGER NOT NULL,
    kind INTEGER NOT NULL,
    id BLOB NOT NULL,
    action TEXT NOT NULL,
    document TEXT,
    membership TEXT,
    -- what may be told of it without values
    summary TEXT,
    PRIMARY KEY (org, sequence)
) STRICT, WITHOUT ROWID;
CREATE INDEX changes_by_object ON changes (org, kind, id, sequence);

CREATE TABLE audit (
    org BLOB NOT NULL REFERENCES organisations (id) ON DELETE CASCADE,
    sequence INTEGER NOT NULL,
    at INTEGER NOT NULL,
    origin TEXT NOT NULL,
    action TEXT NOT NULL,
    object TEXT NOT NULL,
    detail TEXT NOT NULL,
    -- each entry's hash holds the one before, and detail and address by their digest. When these are erased, the salt goes with them, and
    -- the digest stays
    salt BLOB,
    digest BLOB,
    hash BLOB NOT NULL,
    PRIMARY KEY (org, sequence)
) STRICT, WITHOUT ROWID;

CREATE TABLE integrations (
    org BLOB NOT NULL REFERENCES organisations (id) ON DELETE CASCADE,
    id BLOB NOT NULL,
    kind TEXT NOT NULL,
    document TEXT NOT NULL,
    PRIMARY KEY (org, id)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX integrations_by_kind ON integrations (org, kind);

-- Of a token only the SHA-256 is kept.
CREATE TABLE tokens (
    org BLOB NOT NULL REFERENCES organisations (id) ON DELETE CASCADE,
    id BLOB NOT NULL,
    digest BLOB NOT NULL,
    integration BLOB NOT NULL,
    created INTEGER NOT NULL,
    created_by TEXT NOT NULL,
    expires INTEGER,
    revoked INTEGER,
    last_used INTEGER,
    PRIMARY KEY (org, id)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX tokens_by_digest ON tokens (org, digest);

-- Of an API key only the SHA-256 is kept, and its last characters. It is looked up before the organisation is known: it opens its own.
CREATE TABLE api_keys (
    org BLOB NOT NULL REFERENCES organisations (id) ON DELETE CASCADE,
    id BLOB NOT NULL,
    digest BLOB NOT NULL,
    name TEXT NOT NULL,
    role TEXT NOT NULL,
    created INTEGER NOT NULL,
    created_by TEXT NOT NULL,
    expires INTEGER,
    revoked INTEGER,
    last_used INTEGER,
    ending TEXT NOT NULL,
    PRIMARY KEY (org, id)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX api_keys_by_digest ON api_keys (digest);

CREATE TABLE administrators (
    org BLOB NOT NULL REFERENCES organisations (id) ON DELETE CASCADE,
    id BLOB NOT NULL,
    email_key TEXT NOT NULL,
    document TEXT NOT NULL,
    password_hash TEXT,
    PRIMARY KEY (org, id)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX administrators_by_email ON administrators (org, email_key);

CREATE TABLE sign_in_links (
    org BLOB NOT NULL REFERENCES organisations (id) ON DELETE CASCADE,
    administrator BLOB NOT NULL,
    digest BLOB NOT NULL,
    expires INTEGER NOT NULL,
    PRIMARY KEY (org, administrator)
) STRICT, WITHOUT ROWID;

-- The sending end. Secrets of target systems lie here sealed.
CREATE TABLE applications (
    org BLOB NOT NULL REFERENCES organisations (id) ON DELETE CASCADE,
    id BLOB NOT NULL,
    document TEXT NOT NULL,
    sealed_secret BLOB,
    -- what the next cycle has to know
    job TEXT,
    -- the words of administrators in `job`, read before every write of a cycle
    generation INTEGER NOT NULL DEFAULT 0,
    last_log INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (org, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE assignments (
    org BLOB NOT NULL,
    application BLOB NOT NULL,
    kind INTEGER NOT NULL,
    principal BLOB NOT NULL,
    since INTEGER NOT NULL,
    PRIMARY KEY (org, application, kind, principal),
    FOREIGN KEY (org, application) REFERENCES applications (org, id) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

-- Which source object is which target object.
CREATE TABLE links (
    org BLOB NOT NULL,
    application BLOB NOT NULL,
    kind INTEGER NOT NULL,
    object BLOB NOT NULL,
    target_id TEXT,
    attention INTEGER NOT NULL,
    in_use INTEGER NOT NULL,
    document TEXT NOT NULL,
    PRIMARY KEY (org, application, kind, object),
    FOREIGN KEY (org, application) REFERENCES applications (org, id) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX links_by_target ON links (org, application, kind, target_id) WHERE target_id IS NOT NULL;
-- with the condition among the columns a count reads the index alone
CREATE INDEX links_in_use ON links (org, application, in_use) WHERE in_use;
CREATE INDEX links_by_attention ON links (org, application, kind, object) WHERE attention;

-- The memberships that the target is known to have.
CREATE TABLE exported_members (
    org BLOB NOT NULL,
    application BLOB NOT NULL,
    group_id BLOB NOT NULL,
    member_id BLOB NOT NULL,
    PRIMARY KEY (org, application, group_id, member_id),
    FOREIGN KEY (org, application) REFERENCES applications (org, id) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
CREATE INDEX exported_members_by_member ON exported_members (org, application, member_id, group_id);

CREATE TABLE provisioning_log (
    org BLOB NOT NULL,
    application BLOB NOT NULL,
    sequence INTEGER NOT NULL,
    at INTEGER NOT NULL,
    -- the object of the source
    kind INTEGER NOT NULL,
    object TEXT NOT NULL,
    document TEXT NOT NULL,
    PRIMARY KEY (org, application, sequence),
    FOREIGN KEY (org, application) REFERENCES applications (org, id) ON DELETE CASCADE
-- entries are long: in a tree by key each comparison would read the whole of one
) STRICT;
CREATE INDEX provisioning_log_by_object ON provisioning_log (org, application, kind, object, sequence);
