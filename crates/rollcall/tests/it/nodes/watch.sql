-- Watches from inside who writes what provisioning remembers, and in whose name. A node says its name as `application_name`.

CREATE TABLE claims (runner bigint, node text, PRIMARY KEY (runner, node));
CREATE TABLE watched (what text, node text, runner bigint, is_doubt boolean);
GRANT SELECT, INSERT ON claims, watched TO PUBLIC;

CREATE FUNCTION claimed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO claims VALUES (NEW.runner, current_setting('application_name')) ON CONFLICT DO NOTHING;
    RETURN NULL;
END
$$;
CREATE TRIGGER claimed AFTER INSERT OR UPDATE ON leases FOR EACH ROW EXECUTE FUNCTION claimed();

-- A doubt says only that an object is to be compared once more: a node that was replaced may still say that.
CREATE FUNCTION watched() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    is_doubt boolean := false;
    current bigint;
BEGIN
    IF TG_TABLE_NAME = 'links' THEN
        is_doubt := (NEW.document::json ->> 'digest') IS NULL AND (NEW.document::json ->> 'waiting') = 'true';
    END IF;
    SELECT runner INTO current FROM applications WHERE org = NEW.org AND id = NEW.application;
    INSERT INTO watched VALUES (TG_TABLE_NAME, current_setting('application_name'), current, is_doubt);
    RETURN NULL;
END
$$;
CREATE TRIGGER watched AFTER INSERT OR UPDATE ON links FOR EACH ROW EXECUTE FUNCTION watched();
CREATE TRIGGER watched AFTER INSERT ON provisioning_log FOR EACH ROW EXECUTE FUNCTION watched();
CREATE TRIGGER watched AFTER INSERT ON exported_members FOR EACH ROW EXECUTE FUNCTION watched();
CREATE TRIGGER watched AFTER INSERT ON cycles FOR EACH ROW EXECUTE FUNCTION watched();
