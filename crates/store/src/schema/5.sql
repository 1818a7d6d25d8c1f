-- Format 5. A network is its definition, a JSON object that means nothing to the store. Which networks a container is on is in
-- its configuration; nothing here keeps one from being removed that a container which does not run names.
CREATE TABLE networks (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    created TEXT NOT NULL,
    definition TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- Until now what nobody asked for was no network, and what is as by default is not written down. From now on the default is
-- a network: containers that were made without one stay without.
UPDATE containers SET config = json_set(config, '$.network', 'none') WHERE json_type(config, '$.network') IS NULL;
