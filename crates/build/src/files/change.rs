//! What is made and removed without a source: files, directories and symlinks that an operation describes.
//!
//! As in `BuildKit`, directories above them must be there, and symlinks are followed inside the root.

use std::io::Write;

use fsroot::{Dir, ErrorKind, Follow, Name, Root, attributes};

use super::attributes::{Made, both, give, time};
use super::resolve::{Spot, no_directory, resolve, without_slashes};
use super::{Ids, not_found, shown, wildcard};
use crate::error::{Error, Result};
use crate::llb::message::file::{MakeDirectory, MakeFile, Remove, Symlink};

/// Makes a file, in the place of what is there.
pub(crate) fn make_file(order: &MakeFile, onto: &Root, owner: Option<Ids>) -> Result<()> {
    let spot = at(onto, &order.path, Follow::Yes)?;
    if spot.is_dir() {
        return Err(Error::invalid(format!("{} is a directory", shown(&spot.path))));
    }
    let name = Name::new(&spot.name)?;
    if spot.found.is_some() {
        spot.dir.unlink(name)?;
    }
    let mode = order.mode.cast_unsigned() & 0o777;
    let mut file = std::fs::File::from(spot.dir.create_file(name, mode)?);
    file.write_all(&order.data).map_err(|error| Error::system(shown(&spot.path), error))?;
    let found = attributes::metadata(&file)?;
    give(&file, &found, owner.unwrap_or((found.uid, found.gid)), mode, &[])?;
    if let Some(time) = time(order.timestamp) {
        attributes::set_times(&file, &both(time))?;
    }
    Ok(())
}

/// Makes a directory. One that is there is fine, and stays as it is.
pub(crate) fn make_directory(order: &MakeDirectory, onto: &Root, owner: Option<Ids>) -> Result<()> {
    let made = Made::new(order.mode, owner, order.timestamp);
    let path = dockerfile::path::clean(&format!("/{}", order.path));
    let above = order.make_parents.then_some(&made);
    let spot = resolve(onto, without_slashes(path.as_bytes()), Follow::Yes, above)?;
    if spot.is_dir() {
        return Ok(());
    }
    if spot.found.is_some() {
        return Err(no_directory(&spot.path));
    }
    made.make(&spot.dir, Name::new(&spot.name)?)?;
    made.finish()
}

/// Removes, with all that is below. A symlink at the end of the path is removed itself.
pub(crate) fn remove(order: &Remove, onto: &Root) -> Result<()> {
    let path = dockerfile::path::clean(&format!("/{}", order.path));
    if path == "/" {
        return Err(Error::invalid("\"/\" cannot be removed"));
    }
    let is_pattern = order.allow_wildcard && dockerfile::ignore::Wildcard::is_in(&path);
    let paths = if is_pattern {
        let found = wildcard::find(onto, &path, Follow::Yes);
        found
            .or_else(|error| if order.allow_not_found && is_not_found(&error) { Ok(Vec::new()) } else { Err(error) })?
    } else {
        vec![without_slashes(path.as_bytes()).to_vec()]
    };
    for path in paths {
        match resolve(onto, &path, Follow::No, None) {
            Ok(Spot { found: None, .. }) if !order.allow_not_found => return Err(not_found(&path)),
            Err(error) if order.allow_not_found && is_not_found(&error) => {}
            spot => {
                let spot = spot?;
                spot.dir.remove_all(Name::new(&spot.name)?)?;
            }
        }
    }
    Ok(())
}

/// Makes a symlink where nothing is.
pub(crate) fn symlink(order: &Symlink, onto: &Root, owner: Option<Ids>) -> Result<()> {
    let spot = at(onto, &order.newpath, Follow::No)?;
    let name = Name::new(&spot.name).map_err(|_| exists(&spot))?;
    match spot.dir.symlink(order.oldpath.as_bytes(), name) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => return Err(exists(&spot)),
        made => made?,
    }
    describe(&spot.dir, name, owner, order.timestamp)
}

fn describe(dir: &Dir, name: Name<'_>, owner: Option<Ids>, timestamp: i64) -> Result<()> {
    if let Some((user, group)) = owner {
        dir.set_owner(name, user, group)?;
    }
    match time(timestamp) {
        Some(time) => Ok(dir.set_times(name, &both(time))?),
        None => Ok(()),
    }
}

fn at(onto: &Root, path: &str, follow: Follow) -> Result<Spot> {
    let path = dockerfile::path::clean(&format!("/{path}"));
    resolve(onto, without_slashes(path.as_bytes()), follow, None)
}

fn exists(spot: &Spot) -> Error {
    Error::invalid(format!("{} is there already", shown(&spot.path)))
}

fn is_not_found(error: &Error) -> bool {
    error.kind() == crate::ErrorKind::NotFound
}
