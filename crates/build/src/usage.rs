//! What the cache takes, and making room in it: `docker builder du` and `prune`. Owns what is told of a record, and which goes
//! first; the records are rows of the store, volumes, and files.
//!
//! A build that runs need not be asked. It has looked results up under its lease, and as long as anybody holds one, no layer is
//! collected: what it has found stays until its image has it, whether the row is there or not. A cache mount that a command has
//! is held by it, and whoever removes a volume must have that alone.

/// What there is.
mod entries;

use std::path::Path;
use std::time::{Duration, SystemTime};

use engine::Engine;
use entries::{Entry, Kept, entries};

use crate::error::{Error, Result};

/// What nobody has used for so long goes after a build.
const LONGEST: Duration = Duration::from_hours(60 * 24);
/// The cache is no larger after a build, in bytes, and no larger than so many hundredths of the file system.
const MOST: u64 = 100_000_000_000;
const MOST_OF_DISK: u64 = 80;

/// What a record can be, by `BuildKit`'s names; there is none of `frontend` here.
pub const CACHE_KINDS: [&str; 6] =
    ["regular", "source.local", "source.git.checkout", "exec.cachemount", "internal", "frontend"];

/// Something that a build has left so that another one need not make it again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CacheRecord {
    /// What it is called.
    pub id: String,
    /// What it is: one of [`CACHE_KINDS`].
    pub kind: String,
    /// What has made it: `[build 2/5] RUN make`. A stranger's text.
    pub description: String,
    /// How many bytes it takes.
    pub size: u64,
    /// When it was made.
    pub created: SystemTime,
    /// When it was last used, if it was.
    pub last_used: Option<SystemTime>,
    /// How often it was used.
    pub uses: u64,
    /// Whether an image has it as well: removing it makes no room.
    pub shared: bool,
    /// Whether a build uses it now.
    pub in_use: bool,
}

/// What is removed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PruneOptions {
    /// Also what images have as well, and what the builder needs for itself.
    pub all: bool,
    /// What was used within this time stays.
    pub unused_for: Option<Duration>,
    /// So many bytes of the cache stay, those that were used last.
    pub reserved: Option<u64>,
    /// No more than so many bytes stay.
    pub most: Option<u64>,
    /// It ends once so many bytes are free.
    pub free: Option<u64>,
    /// Only records with these ids, if there are any; the beginning of one is enough.
    pub ids: Vec<String>,
    /// Only records of these kinds, if there are any.
    pub kinds: Vec<String>,
    /// Only those that are shared with an image, or are not.
    pub shared: Option<bool>,
}

/// What has gone.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pruned {
    /// The records.
    pub records: Vec<CacheRecord>,
    /// How much room that makes, in bytes.
    pub bytes: u64,
}

/// What is in the cache, cache mounts included: these are walked through.
///
/// # Errors
/// When the store cannot be read.
pub fn usage(engine: &Engine) -> Result<Vec<CacheRecord>> {
    Ok(entries(engine)?.into_iter().map(|entry| entry.record).collect())
}

/// Removes from the cache what no build uses now, what was not used for longest first.
///
/// # Errors
/// When the store cannot be written.
pub fn prune(engine: &Engine, options: &PruneOptions) -> Result<Pruned> {
    let mut all = entries(engine)?;
    let mut left: u64 = all.iter().filter(|entry| !entry.record.shared).map(|entry| entry.record.size).sum();
    let keep = keeps(options, left, free(engine.paths().root())?);
    // Of those that were last used at the same time, those that were made upon others go first: these go on needing theirs.
    all.sort_by_key(|entry| {
        (entry.record.last_used.unwrap_or(entry.record.created), std::cmp::Reverse(entry.number()))
    });
    let (mut pruned, mut results) = (Pruned::default(), Vec::new());
    let now = SystemTime::now();
    let mut stays = Vec::new();
    for entry in all {
        let is_enough = keep.is_some_and(|keep| left <= keep);
        if is_enough || !goes(&entry.record, options, now) || !remove(engine, &entry, &mut results)? {
            stays.push(entry);
            continue;
        }
        left = left.saturating_sub(if entry.record.shared { 0 } else { entry.record.size });
        if !matches!(entry.kept, Kept::Result { .. }) {
            pruned.bytes = pruned.bytes.saturating_add(entry.record.size);
        }
        pruned.records.push(entry.record);
    }
    if !results.is_empty() {
        engine.store().forget_steps(&results)?;
    }
    // A layer goes only if nobody else is made upon it, and images keep theirs. With them goes what builds have left that were
    // killed, or that still needed it the last time.
    pruned.bytes = pruned.bytes.saturating_add(engine.store().collect().bytes);
    Ok(pruned)
}

/// Sees to it after a build that the cache does not grow for ever. Usually that is one question to the database. What goes wrong
/// is told by `builder prune`; the build has come to its end.
pub(crate) fn keep_within_bounds(engine: &Engine) {
    let (Ok(size), Ok(most)) = (engine.store().cache_size(), most(engine.paths().root())) else { return };
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    if size.oldest.is_some_and(|oldest| oldest.saturating_add(LONGEST.as_secs()) < now.as_secs()) {
        let old = PruneOptions { all: true, unused_for: Some(LONGEST), ..PruneOptions::default() };
        prune(engine, &old).ok();
    }
    if size.bytes > most && own_bytes(engine).is_ok_and(|bytes| bytes > most) {
        prune(engine, &PruneOptions { most: Some(most), ..PruneOptions::default() }).ok();
    }
}

/// What results take that no image has, too: to forget one of those makes no room.
fn own_bytes(engine: &Engine) -> Result<u64> {
    let (results, shared) = (engine.store().step_results()?, engine.store().layers_of_images()?);
    let is_own = |result: &&store::StepResult| !result.own.iter().any(|layer| shared.contains(layer));
    Ok(results.iter().filter(is_own).map(|result| result.size).sum())
}

/// Whether a record is one of those that are meant.
fn goes(record: &CacheRecord, options: &PruneOptions, now: SystemTime) -> bool {
    let is_meant = |meant: &[String], is_it: &dyn Fn(&String) -> bool| meant.is_empty() || meant.iter().any(is_it);
    let used = record.last_used.unwrap_or(record.created);
    let unused = now.duration_since(used).unwrap_or_default();
    !record.in_use
        && (options.all || !(record.shared || record.kind == entries::INTERNAL))
        && options.unused_for.is_none_or(|longest| unused > longest)
        && options.shared.is_none_or(|shared| record.shared == shared)
        && is_meant(&options.ids, &|id| record.id.starts_with(id.as_str()))
        && is_meant(&options.kinds, &|kind| record.kind == *kind)
}

/// How many bytes may stay; None if nothing has to.
fn keeps(options: &PruneOptions, total: u64, free: u64) -> Option<u64> {
    let most = match (options.most, options.free) {
        (None, None) => return options.reserved,
        (most, None) => most,
        (most, Some(wanted)) => Some(most.unwrap_or(total).min(total.saturating_sub(wanted.saturating_sub(free)))),
    };
    most.map(|most| most.max(options.reserved.unwrap_or_default()))
}

/// Removes it, or notes that its row is to go. False if somebody uses it, or it has gone already.
fn remove(engine: &Engine, entry: &Entry, results: &mut Vec<i64>) -> Result<bool> {
    match &entry.kept {
        Kept::Result { id } => {
            results.push(*id);
            Ok(true)
        }
        Kept::Volume { name } => match engine.remove_volume(name) {
            Ok(()) => Ok(true),
            Err(error) if matches!(error.kind(), engine::ErrorKind::Conflict | engine::ErrorKind::NotFound) => {
                Ok(false)
            }
            Err(error) => Err(error.into()),
        },
        Kept::Sums { file } => match std::fs::remove_file(file) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(Error::system(file.display(), error)),
        },
    }
}

fn free(root: &Path) -> Result<u64> {
    let found = rustix::fs::statvfs(root).map_err(|errno| Error::system(root.display(), errno))?;
    Ok(found.f_bavail.saturating_mul(found.f_frsize))
}

/// How large the cache may be after a build.
fn most(root: &Path) -> Result<u64> {
    let found = rustix::fs::statvfs(root).map_err(|errno| Error::system(root.display(), errno))?;
    Ok((found.f_blocks.saturating_mul(found.f_frsize) / 100 * MOST_OF_DISK).min(MOST))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(id: &str, kind: &str, unused: u64, shared: bool) -> CacheRecord {
        CacheRecord {
            id: id.to_owned(),
            kind: kind.to_owned(),
            description: String::new(),
            size: 1,
            created: SystemTime::UNIX_EPOCH,
            last_used: Some(SystemTime::UNIX_EPOCH + Duration::from_secs(1000 - unused)),
            uses: 1,
            shared,
            in_use: id == "used",
        }
    }

    #[test]
    fn what_is_meant_goes() {
        let records = [
            record("a1", "regular", 10, false),
            record("a2", "regular", 500, true),
            record("b", "exec.cachemount", 500, false),
            record("c", entries::INTERNAL, 500, false),
            record("used", "regular", 500, false),
        ];
        let check = |options: PruneOptions, expected: &[&str]| {
            let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1000);
            let going = records.iter().filter(|record| goes(record, &options, now)).map(|record| record.id.as_str());
            assert_eq!(going.collect::<Vec<_>>(), expected, "{options:?}");
        };
        let nothing = PruneOptions::default;
        check(nothing(), &["a1", "b"]);
        check(PruneOptions { all: true, ..nothing() }, &["a1", "a2", "b", "c"]);
        check(PruneOptions { all: true, unused_for: Some(Duration::from_secs(100)), ..nothing() }, &["a2", "b", "c"]);
        check(PruneOptions { all: true, shared: Some(true), ..nothing() }, &["a2"]);
        check(PruneOptions { ids: vec!["a".to_owned(), "c".to_owned()], ..nothing() }, &["a1"]);
        check(PruneOptions { kinds: vec!["exec.cachemount".to_owned()], ..nothing() }, &["b"]);
    }

    #[test]
    fn so_much_stays() {
        let (total, free) = (100, 30);
        let check = |most, wanted, reserved, expected| {
            let options = PruneOptions { most, free: wanted, reserved, ..PruneOptions::default() };
            assert_eq!(keeps(&options, total, free), expected, "{options:?}");
        };
        check(None, None, None, None);
        check(None, None, Some(10), Some(10));
        check(Some(50), None, None, Some(50));
        check(Some(50), None, Some(70), Some(70));
        check(None, Some(20), None, Some(100));
        check(None, Some(50), None, Some(80));
        check(Some(50), Some(50), None, Some(50));
        check(Some(90), Some(50), None, Some(80));
        check(None, Some(500), Some(5), Some(5));
    }
}
