//! Changes of a container that is there: another name, another configuration. Each is one transaction; a process that
//! has read the row before goes on with what it read.

use rusqlite::{OptionalExtension, Transaction};

use crate::containers::name_taken;
use crate::database::{Durability, Failure};
use crate::{ContainerId, Error, ErrorKind, Result, Store, names};

impl Store {
    /// Gives a container another name.
    ///
    /// # Errors
    /// [`ErrorKind::Conflict`] if another container has it (the message names that one), [`ErrorKind::Invalid`] for what
    /// cannot be a name, [`ErrorKind::NotFound`] if the container is gone.
    pub fn rename_container(&self, id: &ContainerId, name: &str) -> Result<()> {
        names::validate(name)?;
        self.write(Durability::Lazy, &format!("renaming container {id}"), |transaction| {
            let holder: Option<String> = transaction
                .query_row("SELECT id FROM containers WHERE name = ?1", [name], |row| row.get(0))
                .optional()?;
            if let Some(holder) = holder {
                return Err(name_taken(name, &holder).into());
            }
            let changed = transaction.execute("UPDATE containers SET name = ?2 WHERE id = ?1", [&id.hex(), name])?;
            if changed == 0 { Err(gone(id)) } else { Ok(()) }
        })
    }

    /// Changes a container's configuration: `change` gets what it is now, and nobody else can change it meanwhile. What
    /// `change` refuses stays as it is. Returns what `change` returns.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] if the container is gone; `Ok(Err(…))` is what `change` said.
    pub fn change_container<T, E>(
        &self,
        id: &ContainerId,
        change: impl FnOnce(&mut serde_json::Value) -> std::result::Result<T, E>,
    ) -> Result<std::result::Result<T, E>> {
        self.write(Durability::Lazy, &format!("changing container {id}"), |transaction| {
            let mut config = config_of(transaction, id)?;
            let changed = match change(&mut config) {
                Ok(changed) => changed,
                Err(refused) => return Ok(Err(refused)),
            };
            transaction.execute("UPDATE containers SET config = ?2 WHERE id = ?1", [id.hex(), config.to_string()])?;
            Ok(Ok(changed))
        })
    }
}

fn config_of(transaction: &Transaction<'_>, id: &ContainerId) -> std::result::Result<serde_json::Value, Failure> {
    let text: Option<String> = transaction
        .query_row("SELECT config FROM containers WHERE id = ?1", [id.hex()], |row| row.get(0))
        .optional()?;
    let unreadable = |error| Error::new(ErrorKind::Corrupt, format!("the configuration of container {id}: {error}"));
    Ok(serde_json::from_str(&text.ok_or_else(|| gone(id))?).map_err(unreadable)?)
}

fn gone(id: &ContainerId) -> Failure {
    Error::new(ErrorKind::NotFound, format!("no such container: {id}")).into()
}
