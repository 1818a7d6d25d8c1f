//! Opening the database: where it is made, which format it has, how it is brought to ours.
//!
//! Write-ahead logging lets readers and one writer work at once, and costs a commit no `fsync(2)`. After a power failure
//! the last commits may be missing, the database is whole; what must not be lost says so ([`Durability::Synced`]).

use std::path::Path;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags, Transaction, TransactionBehavior};

use crate::lock::{self, Want};
use crate::{Error, ErrorKind, Paths, Result, integrity, tree};

/// The format of the database that this version writes: `PRAGMA user_version`.
pub const FORMAT: u32 = 6;

/// What leads from each format to the next; the first makes a new database.
const MIGRATIONS: [&str; FORMAT as usize] = [
    include_str!("schema/1.sql"),
    include_str!("schema/2.sql"),
    include_str!("schema/3.sql"),
    include_str!("schema/4.sql"),
    include_str!("schema/5.sql"),
    include_str!("schema/6.sql"),
];

/// First and longest pause of one who waits for another writer. A transaction takes a tenth of a millisecond, and the
/// pauses that the database would make on its own begin at a whole one.
const PAUSES: (Duration, Duration) = (Duration::from_micros(50), Duration::from_millis(2));
/// How many pauses a waiter makes before it gives up: 30 seconds and a little more.
const PATIENCE: i32 = 15_000;

/// When a commit is safe from a power failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Durability {
    /// When the kernel writes back, or with the next [`Durability::Synced`].
    Lazy,
    /// When the transaction returns.
    Synced,
}

/// Inside a transaction, either the database refuses or the request makes no sense.
#[derive(Debug)]
pub(crate) enum Failure {
    Database(rusqlite::Error),
    Request(Error),
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Failure {
        Failure::Database(error)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Failure {
        Failure::Request(error)
    }
}

impl Failure {
    fn doing(self, doing: &str) -> Error {
        match self {
            Failure::Database(error) => Error::database(doing, &error),
            Failure::Request(error) => error,
        }
    }
}

/// Opens a store's database, which is made or migrated if need be. One that is as it should be costs no more than its
/// opening and one statement.
///
/// # Errors
/// [`ErrorKind::Unsupported`] for a format of a newer version.
pub(crate) fn open(paths: &Paths) -> Result<Connection> {
    let path = paths.database();
    let connection = match connect(&path, OpenFlags::empty()) {
        Err(error) if error.sqlite_error_code() == Some(ErrorCode::CannotOpen) => None,
        other => Some(other.map_err(|error| refused(&path, &error))?),
    };
    if let Some(connection) = connection
        && version(&connection, &path)? == FORMAT
    {
        return Ok(connection);
    }
    prepare(paths)
}

/// One transaction that only reads: all its statements see the same state.
pub(crate) fn read<T>(
    connection: &Connection,
    doing: &str,
    body: impl FnOnce(&Transaction<'_>) -> std::result::Result<T, Failure>,
) -> Result<T> {
    let run = || {
        let transaction = Transaction::new_unchecked(connection, TransactionBehavior::Deferred)?;
        let value = body(&transaction)?;
        transaction.commit()?;
        Ok(value)
    };
    run().map_err(|failure: Failure| failure.doing(doing))
}

/// One transaction that writes. It takes the write lock at its beginning, so nothing it reads can change before it
/// commits.
pub(crate) fn write<T>(
    connection: &Connection,
    durability: Durability,
    doing: &str,
    body: impl FnOnce(&Transaction<'_>) -> std::result::Result<T, Failure>,
) -> Result<T> {
    let run = || {
        let transaction = Transaction::new_unchecked(connection, TransactionBehavior::Immediate)?;
        let value = body(&transaction)?;
        sys::fault::point("database: before a commit");
        transaction.commit()?;
        sys::fault::point("database: committed");
        Ok(value)
    };
    let result = match durability {
        Durability::Lazy => run(),
        Durability::Synced => synced(connection, run),
    };
    result.map_err(|failure: Failure| failure.doing(doing))
}

/// Runs a transaction whose commit is synced. The database takes the change only between transactions.
fn synced<T>(
    connection: &Connection,
    run: impl FnOnce() -> std::result::Result<T, Failure>,
) -> std::result::Result<T, Failure> {
    connection.execute_batch("PRAGMA synchronous=FULL")?;
    let result = run();
    connection.execute_batch("PRAGMA synchronous=NORMAL")?;
    result
}

/// Moves what was committed from the log into the database and empties the log, unless anybody is in the way: then as
/// much as can be is moved, and the log stays.
///
/// Whoever writes first to an empty log syncs its header. So that this is not a command that somebody waits for, it is
/// done here, by writing what is there already.
pub(crate) fn checkpoint(connection: &mut Connection) -> Result<()> {
    let mut run = || {
        connection.busy_handler(None::<fn(i32) -> bool>)?;
        let result = connection
            .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
            .and_then(|()| connection.pragma_update(None, "user_version", FORMAT));
        connection.busy_handler(Some(wait_for_other))?;
        result
    };
    match run() {
        Err(error) if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) => Ok(()),
        other => other.map_err(|error| Error::database("emptying the log", &error)),
    }
}

fn connect(path: &Path, more: OpenFlags) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX | more;
    let mut connection = Connection::open_with_flags(path, flags)?;
    connection.busy_handler(Some(wait_for_other))?;
    // A checkpoint syncs. The last command to leave must not pay for all that went before.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_FKEY, true)?;
    connection.execute_batch("PRAGMA synchronous=NORMAL")?;
    Ok(connection)
}

/// Called again and again while another process holds the lock that is wanted. False: give up.
fn wait_for_other(pauses_made: i32) -> bool {
    let doublings = u32::try_from(pauses_made).unwrap_or(0).min(8);
    std::thread::sleep((PAUSES.0 * (1 << doublings)).min(PAUSES.1));
    pauses_made < PATIENCE
}

/// The format of what is there. 0: nothing yet.
fn version(connection: &Connection, path: &Path) -> Result<u32> {
    let version: u32 =
        connection.query_row("PRAGMA user_version", [], |row| row.get(0)).map_err(|error| refused(path, &error))?;
    if version > FORMAT {
        return Err(Error::new(
            ErrorKind::Unsupported,
            format!(
                "{} has format {version}, made by a newer version of phial; this one knows formats up to {FORMAT}",
                path.display()
            ),
        ));
    }
    Ok(version)
}

/// Makes or migrates the database, one process at a time: the database does not arbitrate the change to write-ahead logging.
fn prepare(paths: &Paths) -> Result<Connection> {
    for directory in [paths.blobs(), paths.layers(), paths.tmp(), paths.containers()] {
        tree::make_private(&directory)?;
    }
    tree::spread(&paths.tmp());
    let _alone = lock::acquire(&paths.lock(), Want::Exclusive)?;
    if integrity::is_database_lost(paths) {
        // Asked before anything opens it: of an empty database, the log of the lost one would be deleted.
        integrity::refuse_to_forget(paths)?;
    }
    let path = paths.database();
    let connection = connect(&path, OpenFlags::SQLITE_OPEN_CREATE).map_err(|error| refused(&path, &error))?;
    let version = version(&connection, &path)?;
    if version == 0 {
        integrity::refuse_to_forget(paths)?;
        connection.query_row("PRAGMA journal_mode=WAL", [], |_| Ok(())).map_err(|error| refused(&path, &error))?;
    }
    write(&connection, Durability::Synced, &format!("preparing {}", path.display()), |transaction| {
        for statements in MIGRATIONS.iter().skip(version as usize) {
            transaction.execute_batch(statements)?;
        }
        transaction.pragma_update(None, "user_version", FORMAT)?;
        Ok(())
    })?;
    Ok(connection)
}

fn refused(path: &Path, error: &rusqlite::Error) -> Error {
    Error::database(format_args!("opening {}", path.display()), error)
}
