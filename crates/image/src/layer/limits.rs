//! How much a layer may ask for. Owns the numbers; they are checked where the things are counted.

/// Bounds for one layer. The defaults are far above every honest image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of the uncompressed stream, headers and what follows the end of the archive included: a bomb in
    /// any form has to come through here. Holes of sparse files are not in it, and cost nothing on disk.
    pub stream_bytes: u64,
    /// Entries, extension headers not counted.
    pub entries: u64,
    /// Directories, also those that only the names of other entries imply. Each takes some 200 bytes of memory.
    pub directories: usize,
    /// Bytes of one name, and of one link target.
    pub name_bytes: usize,
    /// Bytes of all extended attributes of one entry, names included.
    pub xattr_bytes: usize,
    /// Bytes of the extension headers (PAX, GNU long names, sparse maps) of one entry: they are held in memory.
    pub header_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            stream_bytes: 256 << 30,
            entries: 10_000_000,
            directories: 1_000_000,
            // PATH_MAX: nothing longer could be named in a container.
            name_bytes: 4096,
            xattr_bytes: 1 << 20,
            header_bytes: 4 << 20,
        }
    }
}
