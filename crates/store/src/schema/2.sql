-- Format 2. unsynced: the content may still be in memory only. The value names the boot it was written in (36
-- characters) and that writing itself; NULL once a sync has come after it.
ALTER TABLE images ADD COLUMN unsynced TEXT;
CREATE INDEX images_unsynced ON images (id) WHERE unsynced IS NOT NULL;
