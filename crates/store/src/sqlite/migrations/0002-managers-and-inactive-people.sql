-- Who reports to somebody is found however the id of the manager is written: the column holds its canonical key.
UPDATE resources SET manager = lower(trim(manager)) WHERE manager IS NOT NULL;

-- Most people are active: an index pays for those who are not.
CREATE INDEX resources_by_inactivity ON resources (org, kind, id) WHERE active = 0;
