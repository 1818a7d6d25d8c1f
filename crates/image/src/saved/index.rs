//! The table of a tar archive: names, and where their contents lie. Owns what a name in such an archive may lead to: another name in the
//! same table, and nothing else.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fs::File;
use std::os::unix::fs::FileExt;

use crate::error::{Error, ErrorKind, Result, printable};
use crate::layer::tar::{Next, Reader};

/// Entries of an archive. Docker's has three for each layer, an OCI layout one.
const ENTRIES: usize = 100_000;
/// As many links as an honest archive has in one name: older dockers write one for a layer that occurs twice.
const LINKS: usize = 8;

/// What an archive has.
pub(super) struct Index(HashMap<Vec<u8>, Item>);

enum Item {
    /// Offset and length of its contents.
    File(u64, u64),
    /// The name that it leads to.
    Link(Vec<u8>),
}

impl Index {
    /// Reads the headers, passing over the contents.
    ///
    /// # Errors
    /// `Invalid` for what is no tar archive, `Limit` for one with too many entries.
    pub(super) fn read(file: &File) -> Result<Index> {
        let length = file.metadata().map_err(|error| invalid(error.to_string()))?.len();
        let read = |offset, buffer: &mut [u8]| file.read_exact_at(buffer, offset);
        let mut reader = Reader::new(read, length);
        let mut items = HashMap::new();
        while let Some(next) = reader.next().map_err(|error| invalid(error.to_string()).caused_by(error))? {
            if items.len() >= ENTRIES {
                let message = format!("the archive has more than {ENTRIES} entries: it is none of images");
                return Err(Error::new(ErrorKind::Limit, message));
            }
            let Next { path, link, is_file, offset, size } = next;
            let Some(name) = normal(b"", &path) else { return Err(outside(&path)) };
            let item = match (is_file, link) {
                (true, _) => Item::File(offset, size),
                (false, Some((base, target))) => match normal(&base, &target) {
                    Some(target) => Item::Link(target),
                    None => return Err(outside(&path)),
                },
                (false, None) => continue,
            };
            match items.entry(name) {
                Entry::Vacant(vacant) => drop(vacant.insert(item)),
                Entry::Occupied(twice) => {
                    let name = shown(twice.key());
                    return Err(invalid(format!("{name} is in the archive twice, so it means two things")));
                }
            }
        }
        Ok(Index(items))
    }

    /// Where the contents of `name` are, and their length; None if nothing has that name.
    pub(super) fn find(&self, name: &[u8]) -> Result<Option<(u64, u64)>> {
        let Some(mut name) = normal(b"", name) else { return Err(outside(name)) };
        for _ in 0..=LINKS {
            match self.0.get(&name) {
                Some(Item::File(offset, size)) => return Ok(Some((*offset, *size))),
                Some(Item::Link(target)) => name.clone_from(target),
                None => return Ok(None),
            }
        }
        Err(invalid(format!("{} leads through too many links", shown(&name))))
    }
}

/// `path`, as seen from the directory `base`, without `.` and `..`; None if it leads out of the archive.
fn normal(base: &[u8], path: &[u8]) -> Option<Vec<u8>> {
    let base = if path.first() == Some(&b'/') { b"" } else { base };
    let mut names: Vec<&[u8]> = Vec::new();
    for name in base.split(|byte| *byte == b'/').chain(path.split(|byte| *byte == b'/')) {
        match name {
            b"" | b"." => {}
            b".." => drop(names.pop()?),
            name => names.push(name),
        }
    }
    Some(names.join(&b'/'))
}

fn outside(path: &[u8]) -> Error {
    invalid(format!("{} leads out of the archive", shown(path)))
}

fn shown(path: &[u8]) -> String {
    printable(&path.escape_ascii().to_string())
}

fn invalid(message: String) -> Error {
    Error::new(ErrorKind::Invalid, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stay_in_the_archive() {
        let check = |base: &str, path: &str, want: Option<&str>| {
            let found = normal(base.as_bytes(), path.as_bytes());
            assert_eq!(found.as_deref(), want.map(str::as_bytes), "{base} {path}");
        };
        check("", "a/b", Some("a/b"));
        check("", "./a//b/", Some("a/b"));
        check("", "/a", Some("a"));
        check("a", "../b/layer.tar", Some("b/layer.tar"));
        check("a", "/b", Some("b"));
        check("", "..", None);
        check("a", "../../etc/passwd", None);
        check("", "a/../../b", None);
    }
}
