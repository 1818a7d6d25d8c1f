-- Format 3. Which blobs the archive of a layer has been seen as, and in which repositories (`localhost:5000/app`) they were
-- seen: what a push need not send. Size is that of the blob. Memory, not truth: a registry may have lost it since.
CREATE TABLE layer_blobs (
    diff_id TEXT NOT NULL,
    digest TEXT NOT NULL,
    repository TEXT NOT NULL,
    size INTEGER NOT NULL,
    media_type TEXT NOT NULL,
    seen INTEGER NOT NULL,
    PRIMARY KEY (diff_id, digest, repository)
) STRICT, WITHOUT ROWID;
