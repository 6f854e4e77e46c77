-- The organisation is the first column of every key and of every index. Instants are microseconds since 1970, UTC. Texts are
-- compared by their bytes, as SQLite does it, whatever the database's own order is.

CREATE TABLE installation_secrets (
    name text COLLATE "C" PRIMARY KEY,
    secret bytea NOT NULL
);

CREATE TABLE organisations (
    id uuid PRIMARY KEY,
    slug text COLLATE "C" NOT NULL,
    document text NOT NULL,
    -- the last places given in the feed, the audit log, the exchanges and the mail, and what is counted
    last_change bigint NOT NULL DEFAULT 0,
    last_audit bigint NOT NULL DEFAULT 0,
    -- the hash of the audit log's last entry
    audit_head bytea NOT NULL DEFAULT decode(repeat('00', 32), 'hex'),
    last_exchange bigint NOT NULL DEFAULT 0,
    last_mail bigint NOT NULL DEFAULT 0,
    users bigint NOT NULL DEFAULT 0,
    active_users bigint NOT NULL DEFAULT 0,
    groups bigint NOT NULL DEFAULT 0
-- every unit that writes counts here: there is room for the new row on the page of the old one
) WITH (fillfactor = 50);
CREATE UNIQUE INDEX organisations_by_slug ON organisations (slug);

-- People (kind 0) and groups (kind 1): a SCIM document, and the columns by which it is found.
CREATE TABLE resources (
    org uuid NOT NULL REFERENCES organisations (id) ON DELETE CASCADE,
    kind smallint NOT NULL,
    id uuid NOT NULL,
    name_key text COLLATE "C" NOT NULL,
    external_id text COLLATE "C",
    display text COLLATE "C",
    display_key text COLLATE "C",
    active boolean NOT NULL,
    managed_by uuid,
    -- the canonical key of the manager's id; a client may name a manager whom nobody knows
    manager text COLLATE "C",
    created bigint NOT NULL,
    modified bigint NOT NULL,
    version bigint NOT NULL,
    document bytea NOT NULL,
    PRIMARY KEY (org, kind, id)
);
CREATE UNIQUE INDEX resources_by_name ON resources (org, kind, name_key);
CREATE INDEX resources_by_external_id ON resources (org, kind, external_id) WHERE external_id IS NOT NULL;
CREATE INDEX resources_by_display ON resources (org, kind, display_key) WHERE display_key IS NOT NULL;
CREATE INDEX resources_by_manager ON resources (org, manager) WHERE manager IS NOT NULL;
-- most people are active: an index pays for those who are not
CREATE INDEX resources_by_inactivity ON resources (org, kind, id) WHERE NOT active;
CREATE INDEX resources_by_modified ON resources (org, kind, modified);
-- which people and groups an integration manages, and how many
CREATE INDEX resources_by_management ON resources (org, managed_by, kind, id, active);

CREATE TABLE emails (
    org uuid NOT NULL REFERENCES organisations (id) ON DELETE CASCADE,
    key text COLLATE "C" NOT NULL,
    id uuid NOT NULL,
    PRIMARY KEY (org, key, id)
);

CREATE TABLE members (
    org uuid NOT NULL REFERENCES organisations (id) ON DELETE CASCADE,
    group_id uuid NOT NULL,
    member_id uuid NOT NULL,
    member_kind smallint NOT NULL,
    PRIMARY KEY (org, group_id, member_id)
);
CREATE INDEX members_by_member ON members (org, member_id, group_id);

CREATE TABLE tombstones (
    org uuid NOT NULL REFERENCES organisations (id) ON DELETE CASCADE,
    kind smallint NOT NULL,
    id uuid NOT NULL,
    name_key text COLLATE "C" NOT NULL,
    external_id text COLLATE "C",
    managed_by uuid,
    version bigint NOT NULL,
    deleted bigint NOT NULL,
    PRIMARY KEY (org, kind, id)
);
CREATE INDEX tombstones_by_name ON tombstones (org, kind, name_key);
CREATE INDEX tombstones_by_time ON tombstones (org, deleted);
CREATE INDEX tombstones_by_external_id ON tombstones (org, kind, external_id) WHERE external_id IS NOT NULL;

CREATE TABLE changes (
    org uuid NOT NULL REFERENCES organisations (id) ON DELETE CASCADE,
    sequence bigint NOT NULL,
    at bigint NOT NULL,
    kind smallint NOT NULL,
    id uuid NOT NULL,
    action text NOT NULL,
    document text,
    membership text,
    -- what may be told of it without values
    summary text,
    PRIMARY KEY (org, sequence)
);
CREATE INDEX changes_by_object ON changes (org, kind, id, sequence);

CREATE TABLE audit (
    org uuid NOT NULL REFERENCES organisations (id) ON DELETE CASCADE,
    sequence bigint NOT NULL,
    at bigint NOT NULL,
    origin text NOT NULL,
    action text COLLATE "C" NOT NULL,
    object text COLLATE "C" NOT NULL,
    detail text NOT NULL,
    -- as in the tallies
    actor text COLLATE "C" NOT NULL,
    -- each entry's hash holds the one before, and detail and address by their digest. When these are erased, the salt goes with them, and
    -- the digest stays
    salt bytea,
    digest bytea,
    hash bytea NOT NULL,
    PRIMARY KEY (org, sequence)
);
-- the activity log is filtered by what was done by whom, and to what
CREATE INDEX audit_by_deed ON audit (org, action, actor, at, sequence);
CREATE INDEX audit_by_object ON audit (org, object, at, sequence);

-- How often each thing was done on each day (UTC), by whom: `actor` is a kind of actor and, for one of several, its id.
CREATE TABLE tallies (
    org uuid NOT NULL REFERENCES organisations (id) ON DELETE CASCADE,
    day bigint NOT NULL,
    action text COLLATE "C" NOT NULL,
    actor text COLLATE "C" NOT NULL,
    count bigint NOT NULL,
    PRIMARY KEY (org, day, action, actor)
);

CREATE TABLE integrations (
    org uuid NOT NULL REFERENCES organisations (id) ON DELETE CASCADE,
    id uuid NOT NULL,
    kind text COLLATE "C" NOT NULL,
    document text NOT NULL,
    PRIMARY KEY (org, id)
);
CREATE UNIQUE INDEX integrations_by_kind ON integrations (org, kind);

-- Of a token only the SHA-256 is kept, and its last characters, by which people tell tokens apart.
CREATE TABLE tokens (
    org uuid NOT NULL REFERENCES organisations (id) ON DELETE CASCADE,
    id uuid NOT NULL,
    digest bytea NOT NULL,
    integration uuid NOT NULL,
    created bigint NOT NULL,
    created_by text NOT NULL,
    expires bigint,
    revoked bigint,
    last_used bigint,
    ending text,
    PRIMARY KEY (org, id)
);
CREATE UNIQUE INDEX tokens_by_digest ON tokens (org, digest);

-- Of an API key only the SHA-256 is kept, and its last characters. It is looked up before the organisation is known: it opens its own.
CREATE TABLE api_keys (
    org uuid NOT NULL REFERENCES organisations (id) ON DELETE CASCADE,
    id uuid NOT NULL,
    digest bytea NOT NULL,
    name text NOT NULL,
    role text NOT NULL,
    created bigint NOT NULL,
    created_by text NOT NULL,
    expires bigint,
    revoked bigint,
    last_used bigint,
    ending text NOT NULL,
    PRIMARY KEY (org, id)
);
CREATE UNIQUE INDEX api_keys_by_digest ON api_keys (digest);

CREATE TABLE administrators (
    org uuid NOT NULL REFERENCES organisations (id) ON DELETE CASCADE,
    id uuid NOT NULL,
    email_key text COLLATE "C" NOT NULL,
    document text NOT NULL,
    password_hash text,
    PRIMARY KEY (org, id)
);
CREATE UNIQUE INDEX administrators_by_email ON administrators (org, email_key);
-- an address is looked up before it is known to which organisation its owner belongs
CREATE INDEX administrators_by_address ON administrators (email_key, org);

CREATE TABLE sign_in_links (
    org uuid NOT NULL REFERENCES organisations (id) ON DELETE CASCADE,
    administrator uuid NOT NULL,
    digest bytea NOT NULL,
    expires bigint NOT NULL,
    PRIMARY KEY (org, administrator)
);

-- Of a session's cookie only the SHA-256 is kept.
CREATE TABLE sessions (
    org uuid NOT NULL,
    digest bytea NOT NULL,
    id uuid NOT NULL,
    administrator uuid NOT NULL,
    -- the last instant at which it can be in use
    ends bigint NOT NULL,
    document text NOT NULL,
    PRIMARY KEY (org, digest),
    FOREIGN KEY (org, administrator) REFERENCES administrators (org, id) ON DELETE CASCADE
);
CREATE INDEX sessions_by_administrator ON sessions (org, administrator, id);

CREATE TABLE second_factors (
    org uuid NOT NULL,
    administrator uuid NOT NULL,
    sealed_secret bytea NOT NULL,
    since bigint NOT NULL,
    -- the last time step whose code was used: each code is good once
    last_step bigint NOT NULL,
    PRIMARY KEY (org, administrator),
    FOREIGN KEY (org, administrator) REFERENCES administrators (org, id) ON DELETE CASCADE
);

CREATE TABLE recovery_codes (
    org uuid NOT NULL,
    administrator uuid NOT NULL,
    digest bytea NOT NULL,
    PRIMARY KEY (org, administrator, digest),
    FOREIGN KEY (org, administrator) REFERENCES administrators (org, id) ON DELETE CASCADE
);

-- What directories asked lately, and how much by the hour. `integration` is all zeros for what was refused.
CREATE TABLE exchanges (
    org uuid NOT NULL REFERENCES organisations (id) ON DELETE CASCADE,
    sequence bigint NOT NULL,
    request uuid NOT NULL,
    integration uuid NOT NULL,
    failed boolean NOT NULL,
    document text NOT NULL,
    PRIMARY KEY (org, sequence)
);
CREATE INDEX exchanges_by_request ON exchanges (org, request);
CREATE INDEX exchanges_by_integration ON exchanges (org, integration, sequence);
CREATE INDEX exchanges_by_failure ON exchanges (org, sequence) WHERE failed;
CREATE INDEX exchanges_by_failure_and_integration ON exchanges (org, integration, sequence) WHERE failed;

CREATE TABLE traffic (
    org uuid NOT NULL REFERENCES organisations (id) ON DELETE CASCADE,
    hour bigint NOT NULL,
    integration uuid NOT NULL,
    requests bigint NOT NULL,
    failed bigint NOT NULL,
    PRIMARY KEY (org, hour, integration)
);

-- Mail that waits to be sent, sealed, for it may hold a link that signs in; what was sent is forgotten.
CREATE TABLE mail (
    org uuid NOT NULL REFERENCES organisations (id) ON DELETE CASCADE,
    sequence bigint NOT NULL,
    due bigint NOT NULL,
    attempts bigint NOT NULL DEFAULT 0,
    sealed bytea NOT NULL,
    PRIMARY KEY (org, sequence)
);
CREATE INDEX mail_by_due ON mail (org, due);

-- The keys that seal an organisation's secrets, themselves sealed with a key that is not in the store. The one with the highest number
-- seals; the others open what was sealed before.
CREATE TABLE data_keys (
    org uuid NOT NULL REFERENCES organisations (id) ON DELETE CASCADE,
    number bigint NOT NULL,
    since bigint NOT NULL,
    sealed bytea NOT NULL,
    PRIMARY KEY (org, number)
);

-- The sending end. Secrets of target systems lie here sealed.
CREATE TABLE applications (
    org uuid NOT NULL REFERENCES organisations (id) ON DELETE CASCADE,
    id uuid NOT NULL,
    document text NOT NULL,
    sealed_secret bytea,
    -- what the next cycle has to know
    job text,
    -- the words of administrators in `job`, read before every write of a cycle
    generation bigint NOT NULL DEFAULT 0,
    -- the number of the latest claim, read with it
    runner bigint NOT NULL DEFAULT 0,
    last_log bigint NOT NULL DEFAULT 0,
    last_plan bigint NOT NULL DEFAULT 0,
    -- how far a running cycle is, for whoever looks; absent: none is running
    progress text,
    PRIMARY KEY (org, id)
) WITH (fillfactor = 50);

-- Endpoints of other systems that are told what happens. Their secrets lie here sealed.
CREATE TABLE webhooks (
    org uuid NOT NULL REFERENCES organisations (id) ON DELETE CASCADE,
    id uuid NOT NULL,
    document text NOT NULL,
    sealed_secret bytea NOT NULL,
    -- up to which place of the feed deliveries were made of it
    position bigint NOT NULL,
    -- the number of the latest claim, read before every write of who delivers
    runner bigint NOT NULL DEFAULT 0,
    last_delivery bigint NOT NULL DEFAULT 0,
    -- whether it is told anything, and until when it is left alone
    active boolean NOT NULL,
    rest bigint,
    PRIMARY KEY (org, id)
) WITH (fillfactor = 50);

-- What is to be delivered to them, and what was lately.
CREATE TABLE webhook_deliveries (
    org uuid NOT NULL,
    webhook uuid NOT NULL,
    sequence bigint NOT NULL,
    -- when it is tried next, or until when it is kept: one of the two
    due bigint,
    kept_until bigint,
    document text NOT NULL,
    PRIMARY KEY (org, webhook, sequence),
    FOREIGN KEY (org, webhook) REFERENCES webhooks (org, id) ON DELETE CASCADE
);
CREATE INDEX webhook_deliveries_by_due ON webhook_deliveries (org, webhook, due) WHERE due IS NOT NULL;
CREATE INDEX webhook_deliveries_by_end ON webhook_deliveries (org, webhook, kept_until) WHERE kept_until IS NOT NULL;

-- Who delivers to an endpoint at present, and until when it is theirs without a further word.
CREATE TABLE webhook_leases (
    org uuid NOT NULL,
    webhook uuid NOT NULL,
    runner bigint NOT NULL,
    until timestamptz NOT NULL,
    PRIMARY KEY (org, webhook),
    FOREIGN KEY (org, webhook) REFERENCES webhooks (org, id) ON DELETE CASCADE
) WITH (fillfactor = 50);

-- Who provisions an application at present, and until when it is theirs without a further word.
CREATE TABLE leases (
    org uuid NOT NULL,
    application uuid NOT NULL,
    runner bigint NOT NULL,
    until timestamptz NOT NULL,
    PRIMARY KEY (org, application),
    FOREIGN KEY (org, application) REFERENCES applications (org, id) ON DELETE CASCADE
) WITH (fillfactor = 50);

CREATE TABLE assignments (
    org uuid NOT NULL,
    application uuid NOT NULL,
    kind smallint NOT NULL,
    principal uuid NOT NULL,
    since bigint NOT NULL,
    PRIMARY KEY (org, application, kind, principal),
    FOREIGN KEY (org, application) REFERENCES applications (org, id) ON DELETE CASCADE
);

-- Which source object is which target object.
CREATE TABLE links (
    org uuid NOT NULL,
    application uuid NOT NULL,
    kind smallint NOT NULL,
    object uuid NOT NULL,
    target_id text COLLATE "C",
    attention boolean NOT NULL,
    in_use boolean NOT NULL,
    document text NOT NULL,
    PRIMARY KEY (org, application, kind, object),
    FOREIGN KEY (org, application) REFERENCES applications (org, id) ON DELETE CASCADE
);
CREATE UNIQUE INDEX links_by_target ON links (org, application, kind, target_id) WHERE target_id IS NOT NULL;
CREATE INDEX links_in_use ON links (org, application) WHERE in_use;
CREATE INDEX links_by_attention ON links (org, application, kind, object) WHERE attention;

-- The memberships that the target is known to have.
CREATE TABLE exported_members (
    org uuid NOT NULL,
    application uuid NOT NULL,
    group_id uuid NOT NULL,
    member_id uuid NOT NULL,
    PRIMARY KEY (org, application, group_id, member_id),
    FOREIGN KEY (org, application) REFERENCES applications (org, id) ON DELETE CASCADE
);
CREATE INDEX exported_members_by_member ON exported_members (org, application, member_id, group_id);

CREATE TABLE provisioning_log (
    org uuid NOT NULL,
    application uuid NOT NULL,
    sequence bigint NOT NULL,
    at bigint NOT NULL,
    -- the object of the source
    kind smallint NOT NULL,
    object text COLLATE "C" NOT NULL,
    -- the log is looked through for failures
    failed boolean NOT NULL,
    document text NOT NULL,
    PRIMARY KEY (org, application, sequence),
    FOREIGN KEY (org, application) REFERENCES applications (org, id) ON DELETE CASCADE
);
CREATE INDEX provisioning_log_by_object ON provisioning_log (org, application, kind, object, sequence);
CREATE INDEX provisioning_log_failures ON provisioning_log (org, application, sequence) WHERE failed;

-- How people whom a directory created become active. Nothing here opens anybody's vault.
CREATE TABLE activations (
    org uuid NOT NULL REFERENCES organisations (id) ON DELETE CASCADE,
    person uuid NOT NULL,
    -- of the link only the SHA-256 is kept
    link bytea,
    link_expires bigint,
    activated boolean NOT NULL,
    document text NOT NULL,
    PRIMARY KEY (org, person)
);
CREATE UNIQUE INDEX activations_by_link ON activations (org, link) WHERE link IS NOT NULL;

-- The latest cycles that did or met something.
CREATE TABLE cycles (
    org uuid NOT NULL,
    application uuid NOT NULL,
    sequence bigint NOT NULL,
    document text NOT NULL,
    PRIMARY KEY (org, application, sequence),
    FOREIGN KEY (org, application) REFERENCES applications (org, id) ON DELETE CASCADE
);

-- Plans that wait for somebody to approve them.
CREATE TABLE plans (
    org uuid NOT NULL,
    application uuid NOT NULL,
    sequence bigint NOT NULL,
    at bigint NOT NULL,
    -- who made it, whether it was carried out; the plan itself is apart, for it may be large
    document text NOT NULL,
    plan bytea NOT NULL,
    PRIMARY KEY (org, application, sequence),
    FOREIGN KEY (org, application) REFERENCES applications (org, id) ON DELETE CASCADE
);

-- The same plans in pieces that a page shows.
CREATE TABLE plan_pages (
    org uuid NOT NULL,
    application uuid NOT NULL,
    sequence bigint NOT NULL,
    page bigint NOT NULL,
    body bytea NOT NULL,
    PRIMARY KEY (org, application, sequence, page),
    FOREIGN KEY (org, application, sequence) REFERENCES plans (org, application, sequence) ON DELETE CASCADE
);

-- The second fence around an organisation: whatever a statement says, a transaction sees and changes only the rows of the
-- organisation that it was opened for (`rollcall.org`), unless it was opened for the installation (`rollcall.scope`). The owner of
-- the tables stands behind the fence as well; only a superuser, or a role with BYPASSRLS, does not.
DO $$
DECLARE
    fenced text;
    own text;
BEGIN
    FOREACH fenced IN ARRAY ARRAY[
        'installation_secrets', 'organisations', 'resources', 'emails', 'members', 'tombstones', 'changes', 'audit', 'tallies',
        'integrations', 'tokens', 'api_keys', 'administrators', 'sign_in_links', 'sessions', 'second_factors', 'recovery_codes', 'exchanges',
        'traffic', 'mail', 'data_keys', 'applications', 'leases', 'assignments', 'links', 'exported_members', 'provisioning_log', 'cycles', 'plans',
        'plan_pages', 'activations', 'webhooks', 'webhook_deliveries', 'webhook_leases'
    ] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', fenced);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', fenced);
        -- the audit log has policies of its own, below
        CONTINUE WHEN fenced = 'audit';
        -- in a query of its own each setting is read once, not once for every row
        EXECUTE format(
            'CREATE POLICY installation ON %I USING ((SELECT current_setting(''rollcall.scope'', true)) = ''installation'')', fenced);
        IF fenced <> 'installation_secrets' THEN
            own := CASE fenced WHEN 'organisations' THEN 'id' ELSE 'org' END;
            EXECUTE format(
                'CREATE POLICY organisation ON %I USING (%I = (SELECT nullif(current_setting(''rollcall.org'', true), '''')::uuid))',
                fenced, own);
        END IF;
    END LOOP;
END
$$;

-- The audit log is only appended to. No statement of this role meets an entry to change or remove it, but for an erasure, which has to say
-- that it is one (`rollcall.erasing`). An organisation's entries go with the organisation: such a deletion stands behind the fence.
CREATE POLICY installation_reads ON audit FOR SELECT
    USING ((SELECT current_setting('rollcall.scope', true)) = 'installation');
CREATE POLICY installation_appends ON audit FOR INSERT
    WITH CHECK ((SELECT current_setting('rollcall.scope', true)) = 'installation');
CREATE POLICY organisation_reads ON audit FOR SELECT
    USING (org = (SELECT nullif(current_setting('rollcall.org', true), '')::uuid));
CREATE POLICY organisation_appends ON audit FOR INSERT
    WITH CHECK (org = (SELECT nullif(current_setting('rollcall.org', true), '')::uuid));
CREATE POLICY organisation_erases ON audit FOR UPDATE
    USING (org = (SELECT nullif(current_setting('rollcall.org', true), '')::uuid)
        AND (SELECT current_setting('rollcall.erasing', true)) = 'on');

-- Whoever stands above the fence, or takes it away, is stopped here: an erasure takes away detail and address, and leaves their digest.
CREATE FUNCTION audit_stays() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' AND pg_trigger_depth() > 1 THEN
        RETURN OLD; -- with its organisation
    END IF;
    IF TG_OP = 'UPDATE' THEN
        IF OLD.salt IS NOT NULL AND NEW.salt IS NULL AND length(NEW.digest) = 32 AND NEW.detail = 'null'
            AND (NEW.org, NEW.sequence, NEW.at, NEW.action, NEW.object, NEW.actor, NEW.hash)
                = (OLD.org, OLD.sequence, OLD.at, OLD.action, OLD.object, OLD.actor, OLD.hash)
            AND NEW.origin::jsonb - 'address' = OLD.origin::jsonb - 'address' THEN
            RETURN NEW;
        END IF;
    END IF;
    RAISE EXCEPTION 'the audit log is only appended to' USING ERRCODE = 'insufficient_privilege';
END
$$;
CREATE TRIGGER audit_stays BEFORE UPDATE OR DELETE ON audit FOR EACH ROW EXECUTE FUNCTION audit_stays();
CREATE TRIGGER audit_stays_whole BEFORE TRUNCATE ON audit FOR EACH STATEMENT EXECUTE FUNCTION audit_stays();
