//! A host around a layer. Owns the listing that proves that nothing outside of the layer was touched.

use std::fmt::Write as _;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt, symlink};
use std::path::{Path, PathBuf};

use image::layer::{Error, Limits, Unpacked, unpack};
use tempfile::TempDir;

/// A host with sentinels all around the directory of the layer.
pub(crate) struct Scene {
    pub(crate) host: TempDir,
    before: String,
}

impl Scene {
    pub(crate) fn new() -> Self {
        let host = TempDir::new().expect("a temporary directory");
        let at = |path: &str| host.path().join(path);
        for dir in ["victim", "victim/sub", "layers", "layers/1", "layers/2"] {
            fs::create_dir(at(dir)).expect(dir);
        }
        for file in ["shadow", "victim/shadow", "victim/sub/shadow", "layers/shadow", "layers/2/shadow"] {
            fs::write(at(file), "secret").expect(file);
        }
        symlink("shadow", at("victim/link")).expect("link");
        let mut scene = Self { host, before: String::new() };
        scene.before = scene.outside();
        scene
    }

    pub(crate) fn layer(&self) -> PathBuf {
        self.host.path().join("layers/1")
    }

    /// All that is outside of the layer: names, types, modes, owners, numbers of links, times, contents.
    pub(crate) fn outside(&self) -> String {
        listing(self.host.path(), &self.layer(), true)
    }

    pub(crate) fn unpack(&self, archive: &[u8]) -> Result<Unpacked, Error> {
        self.unpack_within(archive, &Limits::default())
    }

    pub(crate) fn unpack_within(&self, archive: &[u8], limits: &Limits) -> Result<Unpacked, Error> {
        let root = fsroot::Root::open(self.layer()).expect("the layer's directory");
        let answer = unpack(archive, &root, limits);
        assert_eq!(self.outside(), self.before, "something outside was touched");
        answer
    }

    /// What became of the layer, a line for each file.
    pub(crate) fn inside(&self) -> String {
        listing(&self.layer(), Path::new(""), false)
    }
}

pub(crate) fn listing(top: &Path, without: &Path, all: bool) -> String {
    let mut lines = String::new();
    let mut rest = vec![top.to_owned()];
    while let Some(path) = rest.pop() {
        if path == without {
            continue;
        }
        let found = fs::symlink_metadata(&path).expect("it is there");
        let name = path.strip_prefix(top).expect("below the top").as_os_str().as_bytes().escape_ascii();
        let kind = found.file_type();
        let what = if kind.is_symlink() {
            format!("-> {}", fs::read_link(&path).expect("a symlink").display())
        } else if kind.is_dir() {
            let mut entries: Vec<_> =
                fs::read_dir(&path).expect("a directory").map(|entry| entry.expect("an entry").path()).collect();
            entries.sort();
            rest.extend(entries.into_iter().rev());
            "dir".to_owned()
        } else if kind.is_file() {
            format!("{:?}", fs::read_to_string(&path).unwrap_or_default().chars().take(40).collect::<String>())
        } else if kind.is_fifo() {
            "fifo".to_owned()
        } else {
            let number = found.rdev();
            format!("{} {}:{}", if kind.is_char_device() { "char" } else { "block" }, number >> 8, number & 255)
        };
        if all {
            let (owner, count) = ((found.uid(), found.gid()), found.nlink());
            let (seconds, nanoseconds) = (found.mtime(), found.mtime_nsec());
            writeln!(lines, "{name} {what} {:o} {owner:?} {count} {seconds} {nanoseconds}", found.mode())
        } else {
            writeln!(lines, "{name} {what}")
        }
        .expect("a string takes all");
    }
    lines.trim_start_matches(" dir\n").to_owned()
}
