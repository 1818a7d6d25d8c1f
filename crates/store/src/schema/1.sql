-- Format 1. Digests and ids are 64 hex digits, without "sha256:".

-- An image is its configuration; id is that blob's digest. A hidden image was deleted while containers still use its
-- layers: nothing lists or finds it, and it goes with the last of them.
CREATE TABLE images (
    id TEXT PRIMARY KEY,
    manifest TEXT NOT NULL,
    created TEXT,
    size INTEGER NOT NULL,
    platform TEXT NOT NULL,
    hidden INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;

-- Position 0 is the lowest layer. Size is that of the unpacked tree, in bytes.
CREATE TABLE image_layers (
    image TEXT NOT NULL REFERENCES images (id) ON DELETE CASCADE,
    position INTEGER NOT NULL,
    diff_id TEXT NOT NULL,
    digest TEXT NOT NULL,
    size INTEGER NOT NULL,
    PRIMARY KEY (image, position)
) STRICT, WITHOUT ROWID;
CREATE INDEX image_layers_by_diff_id ON image_layers (diff_id);

-- Canonical references, each of which names one image.
CREATE TABLE tags (
    name TEXT PRIMARY KEY,
    image TEXT NOT NULL REFERENCES images (id) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
CREATE INDEX tags_by_image ON tags (image);

-- keep_unstarted: made by `create`, so it stays although nobody started it. The configuration is last, because it is
-- long and most readers do not want it.
CREATE TABLE containers (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    image TEXT NOT NULL REFERENCES images (id),
    image_name TEXT NOT NULL,
    created TEXT NOT NULL,
    boot_id TEXT NOT NULL,
    auto_remove INTEGER NOT NULL,
    keep_unstarted INTEGER NOT NULL,
    config TEXT NOT NULL
) STRICT;
-- Every command asks which of these have ended; it must not read through the configurations of all others.
CREATE INDEX containers_auto_remove ON containers (id) WHERE auto_remove;
