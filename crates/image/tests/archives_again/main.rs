//! Archives that are written again from what the store has of them.

use tar::{Builder, EntryType, Header};

/// Of archives that have one name twice.
mod replaced;
/// Of trees that were made here.
mod trees;

/// An archive of these entries: kind, name, what a link leads to, contents. Of those that do not go together, as `is_archive` says,
/// the later is left out.
fn archive_of<'a>(
    entries: impl Iterator<Item = (EntryType, &'a str, &'a str, Vec<u8>)>,
    is_archive: impl Fn(&[u8]) -> bool,
) -> Vec<u8> {
    let mut whole = Builder::new(Vec::new());
    for (kind, name, link, data) in entries {
        let mut with = Builder::new(whole.get_ref().clone());
        entry(&mut with, kind, name, link, &data);
        if is_archive(&with.into_inner().expect("memory")) {
            entry(&mut whole, kind, name, link, &data);
        }
    }
    whole.into_inner().expect("memory")
}

/// Adds an entry to an archive.
fn entry(archive: &mut Builder<Vec<u8>>, kind: EntryType, name: &str, link: &str, data: &[u8]) {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(0o755);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(1_000_000_000);
    header.set_size(data.len() as u64);
    header.set_path(name).expect("a short name");
    if !link.is_empty() {
        header.set_link_name(link).expect("a short name");
    }
    header.set_cksum();
    archive.append(&header, data).expect("memory");
}
