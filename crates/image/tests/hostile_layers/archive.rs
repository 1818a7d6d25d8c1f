//! Archives for tests, built byte by byte. Checks nothing: names and numbers go in as they are.

use tar::{EntryType, Header};

/// A tar archive under construction. Nothing is checked: names and numbers go in as they are.
#[derive(Default, Clone)]
pub(crate) struct Archive(pub(crate) Vec<u8>);

/// One entry, as `tar` would write it.
#[derive(Clone, Copy)]
pub(crate) struct Item<'a> {
    pub(crate) name: &'a [u8],
    pub(crate) kind: EntryType,
    pub(crate) link: &'a [u8],
    pub(crate) mode: u32,
    pub(crate) data: &'a [u8],
    pub(crate) device: (u32, u32),
}

pub(crate) fn item(name: &(impl AsRef<[u8]> + ?Sized), kind: EntryType) -> Item<'_> {
    Item { name: name.as_ref(), kind, link: b"", mode: 0o644, data: b"", device: (0, 0) }
}

impl Item<'_> {
    pub(crate) fn header(&self) -> Header {
        let mut header = Header::new_gnu();
        header.as_old_mut().name[..self.name.len()].copy_from_slice(self.name);
        header.as_old_mut().linkname[..self.link.len()].copy_from_slice(self.link);
        header.set_entry_type(self.kind);
        header.set_mode(self.mode);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(1_000_000_000);
        header.set_size(self.data.len() as u64);
        header.set_device_major(self.device.0).expect("a GNU header has devices");
        header.set_device_minor(self.device.1).expect("a GNU header has devices");
        header
    }
}

impl Archive {
    pub(crate) fn raw(mut self, mut header: Header, data: &[u8]) -> Self {
        header.set_cksum();
        self.0.extend_from_slice(header.as_bytes());
        self.0.extend_from_slice(data);
        self.0.resize(self.0.len().next_multiple_of(512), 0);
        self
    }

    pub(crate) fn item(self, item: Item<'_>) -> Self {
        self.raw(item.header(), item.data)
    }

    pub(crate) fn file(self, name: &str, data: &str) -> Self {
        self.item(Item { data: data.as_bytes(), ..item(name, EntryType::Regular) })
    }

    pub(crate) fn dir(self, name: &str) -> Self {
        self.item(Item { mode: 0o755, ..item(name, EntryType::Directory) })
    }

    pub(crate) fn symlink(self, name: &str, target: &str) -> Self {
        self.item(Item { link: target.as_bytes(), mode: 0o777, ..item(name, EntryType::Symlink) })
    }

    pub(crate) fn hardlink(self, name: &str, target: &str) -> Self {
        self.item(Item { link: target.as_bytes(), mode: 0o4777, ..item(name, EntryType::Link) })
    }

    pub(crate) fn pax(self, records: &[(&str, &[u8])]) -> Self {
        self.item(Item { data: &pax_records(records), ..item("pax", EntryType::XHeader) })
    }

    pub(crate) fn end(mut self) -> Vec<u8> {
        self.0.resize(self.0.len() + 1024, 0);
        self.0
    }
}

pub(crate) fn pax_records(records: &[(&str, &[u8])]) -> Vec<u8> {
    let mut data = Vec::new();
    for (key, value) in records {
        let rest = key.len() + value.len() + 3;
        let mut size = rest + 1;
        while rest + size.to_string().len() != size {
            size += 1;
        }
        data.extend_from_slice(format!("{size} {key}=").as_bytes());
        data.extend_from_slice(value);
        data.push(b'\n');
    }
    data
}

pub(crate) fn tar() -> Archive {
    Archive::default()
}
