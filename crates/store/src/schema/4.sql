-- Format 4. A volume is a directory that outlives containers. Anonymous: nobody gave it a name, so that it goes with its
-- last container if that is asked for. Labels and options are JSON objects of strings.
CREATE TABLE volumes (
    name TEXT PRIMARY KEY,
    driver TEXT NOT NULL,
    created TEXT NOT NULL,
    anonymous INTEGER NOT NULL,
    labels TEXT NOT NULL,
    options TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- Which containers use which volumes. Owned: the container did not name the volume, and may take it along when it goes.
CREATE TABLE container_volumes (
    container TEXT NOT NULL REFERENCES containers (id) ON DELETE CASCADE,
    volume TEXT NOT NULL REFERENCES volumes (name),
    owned INTEGER NOT NULL,
    PRIMARY KEY (container, volume)
) STRICT, WITHOUT ROWID;
CREATE INDEX container_volumes_by_volume ON container_volumes (volume);

-- Images that a container mounts, beside the one it is made from.
CREATE TABLE container_images (
    container TEXT NOT NULL REFERENCES containers (id) ON DELETE CASCADE,
    image TEXT NOT NULL REFERENCES images (id),
    PRIMARY KEY (container, image)
) STRICT, WITHOUT ROWID;
CREATE INDEX container_images_by_image ON container_images (image);
