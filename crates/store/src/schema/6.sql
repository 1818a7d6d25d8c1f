-- Format 6. What steps of builds have made. The outputs of a step are trees of files, each a list of names of layers, the lowest
-- first (`a,b;a,c`); `own` are those that the step has written itself. `inputs` means nothing to the store.
CREATE TABLE step_results (
    -- Never that of another one again: who has it in hand must not meet a stranger.
    id INTEGER PRIMARY KEY AUTOINCREMENT,
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
CREATE INDEX step_results_own ON step_results (own);
CREATE INDEX step_results_unsynced ON step_results (id) WHERE unsynced IS NOT NULL;

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
