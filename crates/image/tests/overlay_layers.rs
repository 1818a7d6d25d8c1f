//! Whiteouts as overlayfs itself sees them: layers are unpacked, stacked, and looked at through a real mount.

use std::path::Path;
use std::process::Command;

use image::layer::{Limits, unpack};
use tar::{Builder, EntryType, Header};
use tempfile::TempDir;

/// A layer of files (`name`), directories (`name/`), hard links (`name = target`) and symlinks (`name -> target`).
fn layer(top: &Path, number: usize, entries: &[&str]) -> String {
    let mut archive = Builder::new(Vec::new());
    for entry in entries {
        let mut header = Header::new_gnu();
        header.set_mode(0o755);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(0);
        let data = format!("{number}\n");
        let (name, kind, link) = match (entry.split_once(" -> "), entry.split_once(" = ")) {
            (Some((name, target)), _) => (name, EntryType::Symlink, target),
            (_, Some((name, target))) => (name, EntryType::Link, target),
            _ if entry.ends_with('/') => (*entry, EntryType::Directory, ""),
            _ => (*entry, EntryType::Regular, ""),
        };
        let data = if kind == EntryType::Regular { data.as_bytes() } else { b"" };
        header.set_entry_type(kind);
        header.set_size(data.len() as u64);
        header.set_path(name).expect("a short name");
        if !link.is_empty() {
            header.set_link_name(link).expect("a short target");
        }
        header.set_cksum();
        archive.append(&header, data).expect("memory");
    }
    let bytes = archive.into_inner().expect("memory");
    let dir = top.join(number.to_string());
    std::fs::create_dir(&dir).expect("the layer's directory");
    let root = fsroot::Root::open(&dir).expect("the layer's directory");
    unpack(bytes.as_slice(), &root, &Limits::default()).unwrap_or_else(|error| panic!("layer {number}: {error}"));
    dir.display().to_string()
}

/// Checks what the stack of `layers`, the lowest first, looks like: every file with the number of its layer.
fn check(what: &str, layers: &[&[&str]], want: &[&str]) {
    let host = TempDir::new().expect("a temporary directory");
    let mut dirs: Vec<_> =
        layers.iter().enumerate().map(|(index, entries)| layer(host.path(), index + 1, entries)).collect();
    dirs.reverse();
    let merged = host.path().join("merged");
    std::fs::create_dir(&merged).expect("the mount point");
    // In a mount namespace of its own, so that nothing is left mounted whatever happens.
    let script = r#"mount -t overlay overlay -o "lowerdir=$1" "$2" && cd "$2" && find . -mindepth 1 \
        \( -type d -printf '%P/\n' -o -type l -printf '%P -> %l\n' -o -type f -printf '%P ' -exec cat {} \; -o -printf '%P ?\n' \) | sort"#;
    let output = Command::new("unshare")
        .args(["--mount", "sh", "-c", script, "sh", &dirs.join(":")])
        .arg(&merged)
        .output()
        .expect("unshare runs");
    assert!(output.status.success(), "{what}: {}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(String::from_utf8_lossy(&output.stdout).lines().collect::<Vec<_>>(), want, "{what}");
}

#[test]
fn whiteouts_hide_lower_files() {
    check("a file", &[&["a", "b"], &[".wh.a"]], &["b 1"]);
    check("a directory", &[&["d/x", "b"], &[".wh.d"]], &["b 1"]);
    check("in a directory", &[&["d/x", "d/y"], &["d/", "d/.wh.x"]], &["d/", "d/y 1"]);
    check("and it comes back", &[&["a"], &[".wh.a"], &["a"]], &["a 3"]);
    check("what never was", &[&["a"], &[".wh.b"]], &["a 1"]);
    check("a symlink", &[&["s -> a", "a"], &[".wh.s"]], &["a 1"]);
}

#[test]
fn opaque_directories_hide_lower_contents() {
    check("opaque", &[&["d/x", "d/e/y"], &["d/", "d/.wh..wh..opq", "d/z"]], &["d/", "d/z 2"]);
    check("marked last", &[&["d/x"], &["d/z", "d/.wh..wh..opq"]], &["d/", "d/z 2"]);
    check("not opaque", &[&["d/x"], &["d/z"]], &["d/", "d/x 1", "d/z 2"]);
    check("whiteout and directory", &[&["d/x"], &[".wh.d", "d/", "d/z"]], &["d/", "d/z 2"]);
    check("directory and whiteout", &[&["d/x"], &["d/", "d/z", ".wh.d"]], &["d/", "d/z 2"]);
    check("whiteout and implied directory", &[&["d/x"], &[".wh.d", "d/z"]], &["d/", "d/z 2"]);
}

#[test]
fn a_type_that_changes_hides_what_was() {
    check("file over directory", &[&["d/x"], &["d"]], &["d 2"]);
    check("directory over file", &[&["d"], &["d/x"]], &["d/", "d/x 2"]);
    check("symlink over directory", &[&["d/x", "e/"], &["d -> e"]], &["d -> e", "e/"]);
    check("hard link", &[&["a"], &["b", "a = b"]], &["a 2", "b 2"]);
}
