//! What of a container comes from outside: bind mounts, namespaces that it was put into, pipes. criu does not write these,
//! and must be told of them, on a restore with what is there then.

use std::fs::File;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use oci_spec::runtime::{LinuxNamespaceType, Mount, Spec};
use runtime::mountinfo;
use rustix::io::{FdFlags, fcntl_setfd};

use super::criu::Options;
use crate::failure::{Failure, Result};

/// Where a checkpoint keeps what the streams were, as a JSON list.
const STREAMS: &str = "descriptors.json";
/// What hides files.
const NULL: &str = "/dev/null";

/// Tells of mounts that a dump leaves out. Masks are in place where the table of the container's mounts says so.
pub(super) fn leave_mounts(options: &mut Options, spec: &Spec, table: &[u8]) {
    for place in bind_mounts(spec).map(place) {
        options.mount(&place, &place);
    }
    // Of what is hidden by a file, the mount's root is one.
    let is_masked = |path: &Path| {
        mountinfo::mounts(table).find(|mount| mount.point() == path).is_some_and(|mount| mount.root().ends_with("null"))
    };
    for path in masked(spec).iter().filter(|path| is_masked(Path::new(path))) {
        options.mount(path, NULL);
    }
}

/// Tells of the mounts that a restore puts in their places.
pub(super) fn give_mounts(options: &mut Options, spec: &Spec, bundle: &Path) {
    for mount in bind_mounts(spec) {
        let source = mount.source().clone().unwrap_or_default();
        options.mount(&place(mount), &bundle.join(source).to_string_lossy());
    }
    if !masked(spec).is_empty() {
        options.mount(NULL, NULL);
    }
}

fn masked(spec: &Spec) -> Vec<String> {
    spec.linux().as_ref().and_then(|linux| linux.masked_paths().clone()).unwrap_or_default()
}

fn bind_mounts(spec: &Spec) -> impl Iterator<Item = &Mount> {
    let is_bind = |mount: &&Mount| {
        let options = mount.options().as_deref().unwrap_or_default();
        mount.typ().as_deref() == Some("bind") || options.iter().any(|option| option == "bind" || option == "rbind")
    };
    spec.mounts().as_deref().unwrap_or_default().iter().filter(is_bind)
}

fn place(mount: &Mount) -> String {
    Path::new("/").join(mount.destination()).to_string_lossy().into_owned()
}

/// Namespaces by their files, in criu's words.
fn namespaces(spec: &Spec) -> impl Iterator<Item = (&'static str, &'static str, PathBuf)> + '_ {
    let list = spec.linux().as_ref().and_then(|linux| linux.namespaces().as_deref()).unwrap_or_default();
    list.iter().filter_map(|one| {
        let path = one.path().clone()?;
        match one.typ() {
            LinuxNamespaceType::Network => Some(("net", "extRootNetNS", path)),
            LinuxNamespaceType::Pid => Some(("pid", "extRootPidNS", path)),
            _ => None,
        }
    })
}

/// Tells of namespaces that a dump leaves out.
pub(super) fn leave_namespaces(options: &mut Options, spec: &Spec) -> Result<()> {
    for (kind, key, path) in namespaces(spec) {
        let inode = std::fs::metadata(&path).map_err(|error| Failure::system(path.display(), error))?.ino();
        options.external(&format!("{kind}[{inode}]:{key}"));
    }
    Ok(())
}

/// Tells of the namespaces that a restore uses. What comes back must be open until criu has them.
pub(super) fn give_namespaces(options: &mut Options, spec: &Spec) -> Result<Vec<OwnedFd>> {
    let mut open = Vec::new();
    for (_kind, key, path) in namespaces(spec) {
        let failed = |error: &dyn std::fmt::Display| Failure::system(path.display(), error);
        let file = OwnedFd::from(File::open(&path).map_err(|error| failed(&error))?);
        fcntl_setfd(&file, FdFlags::empty()).map_err(|errno| failed(&errno))?;
        options.inherit(key, file.as_raw_fd());
        open.push(file);
    }
    Ok(open)
}

/// Writes down what the streams of a process are.
pub(super) fn note_streams(options: &Options, process: i32) -> Result<()> {
    let stream = |number: u32| std::fs::read_link(format!("/proc/{process}/fd/{number}")).unwrap_or_default();
    let streams = [0, 1, 2].map(stream);
    let path = options.images.join(STREAMS);
    let failed = |error: &dyn std::fmt::Display| Failure::system(path.display(), error);
    let text = serde_json::to_vec(&streams).map_err(|error| failed(&error))?;
    std::fs::write(&path, text).map_err(|error| failed(&error))
}

/// Gives the process our streams in place of pipes.
pub(super) fn give_streams(options: &mut Options) -> Result<()> {
    let path = options.images.join(STREAMS);
    let failed = |error: &dyn std::fmt::Display| {
        Failure::system(path.display(), error)
            .with_hint("--image-path names the directory that 'checkpoint' has written")
    };
    let text = std::fs::read(&path).map_err(|error| failed(&error))?;
    let streams: Vec<String> = serde_json::from_slice(&text).map_err(|error| failed(&error))?;
    for (number, stream) in (0..).zip(&streams).take(3).filter(|(_, stream)| stream.starts_with("pipe:")) {
        options.inherit(stream, number);
    }
    Ok(())
}
