-- Format 6. What steps of builds have made. The outputs of a step are trees of files, each a list of names of layers, the lowest
-- first (`a,b;a,c`); `own` are those that the step has written itself. `inputs` means nothing to the store.
CREATE TABLE step_results (
    id INTEGER PRIMARY KEY,
    outputs TEXT NOT NULL,
    own TEXT NOT NULL,
    kind TEXT NOT NULL,
    description TEXT NOT NULL,
    size INTEGER NOT NULL,
    created INTEGER NOT NULL,
    used INTEGER NOT NULL,
    uses INTEGER NOT NULL,
    took INTEGER NOT NULL,
    inputs BLOB NOT NULL,
    unsynced TEXT
) STRICT;
CREATE INDEX step_results_description ON step_results (description);

-- By which keys a result is found.
CREATE TABLE step_keys (
    key TEXT PRIMARY KEY,
    result INTEGER NOT NULL REFERENCES step_results (id) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
CREATE INDEX step_keys_result ON step_keys (result);

-- Sums of parts of trees, which never change: what they are made of says so. Losing one costs the time to read the files again.
CREATE TABLE tree_sums (
    tree TEXT NOT NULL,
    part TEXT NOT NULL,
    sum TEXT NOT NULL,
    PRIMARY KEY (tree, part)
) STRICT, WITHOUT ROWID;
