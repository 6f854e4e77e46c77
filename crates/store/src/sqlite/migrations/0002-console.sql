-- What the console needs: sessions and second factors, what directories asked, what is counted, mail that waits.

-- an address is looked up before it is known to which organisation its owner belongs
CREATE INDEX administrators_by_address ON administrators (email_key, org);

-- Of a session's cookie only the SHA-256 is kept.
CREATE TABLE sessions (
    org BLOB NOT NULL,
    digest BLOB NOT NULL,
    id BLOB NOT NULL,
    administrator BLOB NOT NULL,
    -- the last instant at which it can be in use
    ends INTEGER NOT NULL,
    document TEXT NOT NULL,
    PRIMARY KEY (org, digest),
    FOREIGN KEY (org, administrator) REFERENCES administrators (org, id) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
CREATE INDEX sessions_by_administrator ON sessions (org, administrator, id);

CREATE TABLE second_factors (
    org BLOB NOT NULL,
    administrator BLOB NOT NULL,
    sealed_secret BLOB NOT NULL,
    since INTEGER NOT NULL,
    -- the last time step whose code was used: each code is good once
    last_step INTEGER NOT NULL,
    PRIMARY KEY (org, administrator),
    FOREIGN KEY (org, administrator) REFERENCES administrators (org, id) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

CREATE TABLE recovery_codes (
    org BLOB NOT NULL,
    administrator BLOB NOT NULL,
    digest BLOB NOT NULL,
    PRIMARY KEY (org, administrator, digest),
    FOREIGN KEY (org, administrator) REFERENCES administrators (org, id) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

-- What directories asked lately, and how much by the hour. `integration` is empty for what was refused.
CREATE TABLE exchanges (
    org BLOB NOT NULL REFERENCES organisations (id) ON DELETE CASCADE,
    sequence INTEGER NOT NULL,
    request BLOB NOT NULL,
    integration BLOB NOT NULL,
    failed INTEGER NOT NULL,
    document TEXT NOT NULL,
    PRIMARY KEY (org, sequence)
) STRICT, WITHOUT ROWID;
CREATE INDEX exchanges_by_request ON exchanges (org, request);
CREATE INDEX exchanges_by_integration ON exchanges (org, integration, sequence);
CREATE INDEX exchanges_by_failure ON exchanges (org, sequence) WHERE failed;
CREATE INDEX exchanges_by_failure_and_integration ON exchanges (org, integration, sequence) WHERE failed;
ALTER TABLE organisations ADD COLUMN last_exchange INTEGER NOT NULL DEFAULT 0;

CREATE TABLE traffic (
    org BLOB NOT NULL REFERENCES organisations (id) ON DELETE CASCADE,
    hour INTEGER NOT NULL,
    integration BLOB NOT NULL,
    requests INTEGER NOT NULL,
    failed INTEGER NOT NULL,
    PRIMARY KEY (org, hour, integration)
) STRICT, WITHOUT ROWID;

-- the last characters of a token, by which people tell tokens apart
ALTER TABLE tokens ADD COLUMN ending TEXT;

-- How often each thing was done on each day (UTC), by whom: `actor` is a kind of actor and, for one of several, its id.
CREATE TABLE tallies (
    org BLOB NOT NULL REFERENCES organisations (id) ON DELETE CASCADE,
    day INTEGER NOT NULL,
    action TEXT NOT NULL,
    actor TEXT NOT NULL,
    count INTEGER NOT NULL,
    PRIMARY KEY (org, day, action, actor)
) STRICT, WITHOUT ROWID;
ALTER TABLE audit ADD COLUMN actor TEXT NOT NULL DEFAULT '';
UPDATE audit SET actor = origin ->> '$.actor.type' || coalesce(':' || (origin ->> '$.actor.id'), '');
INSERT INTO tallies (org, day, action, actor, count)
    SELECT org, at / 86400000000, action, actor, count(*) FROM audit GROUP BY 1, 2, 3, 4;

-- the activity log is filtered by what was done by whom, and to what
CREATE INDEX audit_by_deed ON audit (org, action, actor, at);
CREATE INDEX audit_by_object ON audit (org, object, at);
-- which people and groups an integration manages, and how many
CREATE INDEX resources_by_management ON resources (org, managed_by, kind, id, active);

-- Mail that waits to be sent, sealed, for it may hold a link that signs in; what was sent is forgotten.
CREATE TABLE mail (
    org BLOB NOT NULL REFERENCES organisations (id) ON DELETE CASCADE,
    sequence INTEGER NOT NULL,
    due INTEGER NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    sealed BLOB NOT NULL,
    PRIMARY KEY (org, sequence)
) STRICT, WITHOUT ROWID;
CREATE INDEX mail_by_due ON mail (org, due);
ALTER TABLE organisations ADD COLUMN last_mail INTEGER NOT NULL DEFAULT 0;

-- The keys that seal an organisation's secrets, themselves sealed with a key that is not in the store. The one with the highest number
-- seals; the others open what was sealed before.
CREATE TABLE data_keys (
    org BLOB NOT NULL REFERENCES organisations (id) ON DELETE CASCADE,
    number INTEGER NOT NULL,
    since INTEGER NOT NULL,
    sealed BLOB NOT NULL,
    PRIMARY KEY (org, number)
) STRICT, WITHOUT ROWID;

-- Plans that wait for somebody to approve them.
CREATE TABLE plans (
    org BLOB NOT NULL,
    application BLOB NOT NULL,
    sequence INTEGER NOT NULL,
    at INTEGER NOT NULL,
    -- who made it, whether it was carried out; the plan itself is apart, for it may be large
    document TEXT NOT NULL,
    plan BLOB NOT NULL,
    PRIMARY KEY (org, application, sequence),
    FOREIGN KEY (org, application) REFERENCES applications (org, id) ON DELETE CASCADE
-- not WITHOUT ROWID: in a tree by key each comparison, also that of a reference to a plan, would read the whole of one
) STRICT;
ALTER TABLE applications ADD COLUMN last_plan INTEGER NOT NULL DEFAULT 0;

-- The same plans in pieces that a page shows.
CREATE TABLE plan_pages (
    org BLOB NOT NULL,
    application BLOB NOT NULL,
    sequence INTEGER NOT NULL,
    page INTEGER NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (org, application, sequence, page),
    FOREIGN KEY (org, application, sequence) REFERENCES plans (org, application, sequence) ON DELETE CASCADE
) STRICT;

-- Endpoints of other systems that are told what happens. Their secrets lie here sealed.
CREATE TABLE webhooks (
    org BLOB NOT NULL REFERENCES organisations (id) ON DELETE CASCADE,
    id BLOB NOT NULL,
    document TEXT NOT NULL,
    sealed_secret BLOB NOT NULL,
    -- up to which place of the feed deliveries were made of it
    position INTEGER NOT NULL,
    -- the number of the latest claim, read before every write of who delivers
    runner INTEGER NOT NULL DEFAULT 0,
    last_delivery INTEGER NOT NULL DEFAULT 0,
    -- whether it is told anything, and until when it is left alone
    active INTEGER NOT NULL,
    rest INTEGER,
    PRIMARY KEY (org, id)
) STRICT, WITHOUT ROWID;

-- What is to be delivered to them, and what was lately.
CREATE TABLE webhook_deliveries (
    org BLOB NOT NULL,
    webhook BLOB NOT NULL,
    sequence INTEGER NOT NULL,
    -- when it is tried next, or until when it is kept: one of the two
    due INTEGER,
    kept_until INTEGER,
    document TEXT NOT NULL,
    PRIMARY KEY (org, webhook, sequence),
    FOREIGN KEY (org, webhook) REFERENCES webhooks (org, id) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
CREATE INDEX webhook_deliveries_by_due ON webhook_deliveries (org, webhook, due) WHERE due IS NOT NULL;
CREATE INDEX webhook_deliveries_by_end ON webhook_deliveries (org, webhook, kept_until) WHERE kept_until IS NOT NULL;

-- How far a running cycle is, for whoever looks; absent: none is running.
ALTER TABLE applications ADD COLUMN progress TEXT;

-- The log is looked through for failures.
CREATE INDEX provisioning_log_failures ON provisioning_log (org, application, sequence) WHERE document ->> '$.status' = 'failure';

-- How people whom a directory created become active. Nothing here opens anybody's vault.
CREATE TABLE activations (
    org BLOB NOT NULL REFERENCES organisations (id) ON DELETE CASCADE,
    person BLOB NOT NULL,
    -- of the link only the SHA-256 is kept
    link BLOB,
    link_expires INTEGER,
    activated INTEGER NOT NULL,
    document TEXT NOT NULL,
    PRIMARY KEY (org, person)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX activations_by_link ON activations (org, link) WHERE link IS NOT NULL;

-- The latest cycles that did or met something.
CREATE TABLE cycles (
    org BLOB NOT NULL,
    application BLOB NOT NULL,
    sequence INTEGER NOT NULL,
    document TEXT NOT NULL,
    PRIMARY KEY (org, application, sequence),
    FOREIGN KEY (org, application) REFERENCES applications (org, id) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

-- the number of the latest claim, read before every write of a cycle
ALTER TABLE applications ADD COLUMN runner INTEGER NOT NULL DEFAULT 0;
