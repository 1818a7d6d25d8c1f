//! Networks: their rows. What lives on them is in files below RUN, which are not the store's.
//!
//! The database does not say which containers use a network, and does not keep it for them: as in docker, a network goes
//! while containers that do not run name it, and these are told so when they are started. So there is nothing here that a
//! killed process could leave half done: each operation is one transaction.

use rusqlite::{OptionalExtension, Row, Transaction, params};
use serde::{Deserialize, Serialize};

use crate::containers::unreadable;
use crate::database::{Durability, Failure};
use crate::images::is_hex_prefix;
use crate::{Error, ErrorKind, Result, Store, names};

/// A network.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NetworkRecord {
    /// Its id: 64 lower-case hex digits.
    pub id: String,
    /// What people call it; no other network has it.
    pub name: String,
    /// When it was created: RFC 3339 with nanoseconds, UTC.
    pub created: String,
    /// What it is, which means nothing to the store.
    pub definition: serde_json::Value,
}

/// Columns in the order of [`network_row`].
const COLUMNS: &str = "id, name, created, definition";

impl Store {
    /// Lists a new network, which `make` makes of those that are there: nobody else makes one meanwhile, so what it finds
    /// free is free. The row is committed durably: containers come to rely on its addresses.
    ///
    /// # Errors
    /// [`ErrorKind::Conflict`] if there is one of that name, [`ErrorKind::Invalid`] for what cannot be a name or an id;
    /// `Ok(Err(…))` is what `make` said.
    pub fn create_network<E>(
        &self,
        name: &str,
        make: impl FnOnce(&[NetworkRecord]) -> std::result::Result<NetworkRecord, E>,
    ) -> Result<std::result::Result<NetworkRecord, E>> {
        names::validate_network(name)?;
        self.write(Durability::Synced, &format!("creating network {name}"), |transaction| {
            let known = all(transaction)?;
            if let Some(taken) = known.iter().find(|network| network.name == name) {
                let message = format!("network with name {name} already exists (id {})", short(&taken.id));
                return Err(Error::new(ErrorKind::Conflict, message).into());
            }
            match make(&known) {
                Err(refused) => Ok(Err(refused)),
                Ok(network) => insert(transaction, name, &network).map(|()| Ok(network)),
            }
        })
    }

    /// All networks, by name.
    ///
    /// # Errors
    /// Those of the database.
    pub fn networks(&self) -> Result<Vec<NetworkRecord>> {
        self.read("listing networks", all)
    }

    /// The network with this id, name, or unique beginning of an id.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`]; [`ErrorKind::Ambiguous`] if the beginning fits several.
    pub fn network(&self, key: &str) -> Result<NetworkRecord> {
        self.read(&format!("looking for network {key}"), |transaction| {
            for column in ["id", "name"] {
                let mut statement =
                    transaction.prepare_cached(&format!("SELECT {COLUMNS} FROM networks WHERE {column} = ?1"))?;
                if let Some(network) = statement.query_row([key], network_row).optional()? {
                    return Ok(network);
                }
            }
            by_prefix(transaction, key)
        })
    }

    /// Removes a network. Whether anything lives on it is for the caller to know.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] if there is none with this id.
    pub fn remove_network(&self, id: &str) -> Result<()> {
        self.write(Durability::Synced, &format!("removing network {id}"), |transaction| {
            match transaction.execute("DELETE FROM networks WHERE id = ?1", [id])? {
                0 => Err(missing(id).into()),
                _ => Ok(()),
            }
        })
    }
}

fn all(transaction: &Transaction<'_>) -> std::result::Result<Vec<NetworkRecord>, Failure> {
    let mut statement = transaction.prepare_cached(&format!("SELECT {COLUMNS} FROM networks ORDER BY name"))?;
    Ok(statement.query_map([], network_row)?.collect::<rusqlite::Result<_>>()?)
}

fn insert(transaction: &Transaction<'_>, name: &str, network: &NetworkRecord) -> std::result::Result<(), Failure> {
    if network.name != name || network.id.len() != 64 || !is_hex_prefix(&network.id) {
        let message = format!("network {name} cannot have the name {:?} and the id {:?}", network.name, network.id);
        return Err(Error::new(ErrorKind::Invalid, message).into());
    }
    transaction.execute(
        &format!("INSERT INTO networks ({COLUMNS}) VALUES (?1, ?2, ?3, ?4)"),
        params![network.id, network.name, network.created, network.definition.to_string()],
    )?;
    Ok(())
}

fn by_prefix(transaction: &Transaction<'_>, key: &str) -> std::result::Result<NetworkRecord, Failure> {
    if !is_hex_prefix(key) {
        return Err(missing(key).into());
    }
    // 'g' is the character after 'f', so the range is all ids that begin so.
    let mut statement = transaction.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM networks WHERE id >= ?1 AND id < ?1 || 'g' ORDER BY id LIMIT 2"
    ))?;
    let mut networks = statement.query_map([key], network_row)?.collect::<rusqlite::Result<Vec<_>>>()?;
    if networks.len() > 1 {
        return Err(Error::new(ErrorKind::Ambiguous, format!("network id {key} fits several networks")).into());
    }
    networks.pop().ok_or_else(|| missing(key).into())
}

fn missing(key: &str) -> Error {
    Error::new(ErrorKind::NotFound, format!("network {key} not found"))
}

fn short(id: &str) -> &str {
    id.get(..12).unwrap_or(id)
}

fn network_row(row: &Row<'_>) -> rusqlite::Result<NetworkRecord> {
    Ok(NetworkRecord {
        id: row.get(0)?,
        name: row.get(1)?,
        created: row.get(2)?,
        definition: serde_json::from_str(row.get_ref(3)?.as_str()?).map_err(|error| unreadable(3, error))?,
    })
}
