//! The images that the tests run: made from Debian's own packages, once, and kept below `target/test-images` in the
//! storage of a registry. Every test serves that storage with a registry of its own, read-only.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::fs::{FlockOperation, flock};
use serde_json::json;

use crate::image::{Compression, Dialect, Image, Layer, Pushed, push_index};
use crate::process::{program, run};
use crate::registry::{Access, Options, Registry};
use crate::{Context, Result};

/// Changes whenever an image is made otherwise, so that an old one is not used.
const RECIPE: &str = "2";

/// Two small layers: Debian's static busybox with all its applets, and a change on top.
pub const BUSYBOX: &str = "busybox:latest";
/// The same files with Docker's media types.
pub const BUSYBOX_DOCKER: &str = "busybox:docker";
/// The same files in plain tars.
pub const BUSYBOX_PLAIN: &str = "busybox:plain";
/// The same files compressed with zstd.
pub const BUSYBOX_ZSTD: &str = "busybox:zstd";
/// An index of amd64 and arm64, whose `/etc/motd` differ.
pub const BUSYBOX_INDEX: &str = "busybox:index";
/// Docker's form of an index.
pub const BUSYBOX_LIST: &str = "busybox:list";
/// A Debian 12 with apt and bash in three layers: the system, additions and removals, more of both.
pub const DEBIAN: &str = "debian:12";
/// The lowest of these layers alone: a Debian in which packages can be installed.
pub const DEBIAN_PLAIN: &str = "debian:plain";

/// A registry with all the images, for one test.
///
/// # Errors
/// A tool is missing, or an image cannot be made.
pub fn registry() -> Result<Registry> {
    registry_with(Access::Anonymous)
}

/// The same, with a say in who may read.
///
/// # Errors
/// A tool is missing, or an image cannot be made.
pub fn registry_with(access: Access) -> Result<Registry> {
    Registry::with(Options { storage: Some(prepare()?), read_only: true, access, ..Options::default() })
}

/// Makes the images if they are not there, and returns the registry storage they are in.
///
/// # Errors
/// A tool is missing, or an image cannot be made.
pub fn prepare() -> Result<PathBuf> {
    let base = crate::target().join("test-images");
    fs::create_dir_all(&base).context(base.display())?;
    let lock = fs::File::create(base.join("lock"))?;
    // Tests are processes of their own: the first one makes the images, the others wait for it.
    flock(&lock, FlockOperation::LockExclusive)?;
    let finished = base.join(format!("recipe-{RECIPE}"));
    if !finished.exists() {
        let work = tempfile::Builder::new().prefix("making-").tempdir_in(&base)?;
        let storage = work.path().join("storage");
        make_all(work.path(), &storage)?;
        fs::rename(&storage, &finished)?;
    }
    Ok(finished)
}

fn make_all(work: &Path, storage: &Path) -> Result {
    let registry = Registry::with(Options { storage: Some(storage.to_owned()), ..Options::default() })?;
    let busybox = busybox(work)?;
    busybox.push(&registry, BUSYBOX)?;
    Image { dialect: Dialect::Docker, ..busybox.clone() }.push(&registry, BUSYBOX_DOCKER)?;
    for (name, compression) in [(BUSYBOX_PLAIN, Compression::None), (BUSYBOX_ZSTD, Compression::Zstd)] {
        let layers = busybox_layers(&work.join(name.replace(':', "-")), compression, "amd64")?;
        Image { layers, ..busybox.clone() }.push(&registry, name)?;
    }
    for (name, dialect) in [(BUSYBOX_INDEX, Dialect::Oci), (BUSYBOX_LIST, Dialect::Docker)] {
        let of_each = both_architectures(&registry, &busybox, dialect, &work.join(name.replace(':', "-")))?;
        push_index(&registry, name, dialect, &of_each)?;
    }
    let debian = debian(work)?;
    debian.push(&registry, DEBIAN)?;
    Image { layers: debian.layers[..1].to_vec(), ..debian }.push(&registry, DEBIAN_PLAIN).map(drop)
}

fn both_architectures(registry: &Registry, like: &Image, dialect: Dialect, work: &Path) -> Result<Vec<Pushed>> {
    // The foreign one first: whoever takes the first entry of an index is found out.
    let architectures = ["arm64", "amd64"];
    let push = |architecture: &str| {
        let layers = busybox_layers(&work.join(architecture), Compression::Gzip, architecture)?;
        let image = Image { layers, architecture: architecture.to_owned(), dialect, ..like.clone() };
        image.push(registry, &format!("busybox:{architecture}-{dialect:?}"))
    };
    architectures.into_iter().map(push).collect()
}

/// The busybox image, its layers below `work`.
///
/// # Errors
/// A tool is missing.
pub fn busybox(work: &Path) -> Result<Image> {
    let layers = busybox_layers(&work.join("busybox"), Compression::Gzip, "amd64")?;
    let config = json!({
        "Cmd": ["sh"],
        "Env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "FROM_IMAGE=yes"],
        "WorkingDir": "/",
        "Labels": {"org.opencontainers.image.title": "busybox for tests"},
    });
    Ok(Image::new(layers, config))
}

fn busybox_layers(work: &Path, compression: Compression, architecture: &str) -> Result<Vec<Layer>> {
    let base = work.join("base");
    busybox_tree(&base)?;
    let change = work.join("change");
    fs::create_dir_all(change.join("etc"))?;
    fs::write(change.join("etc/motd"), format!("a small vessel for {architecture}\n"))?;
    fs::write(change.join("etc/.wh.removed"), "")?;
    [base, change].iter().map(|tree| Layer::from_directory(tree, work, compression)).collect()
}

fn busybox_tree(tree: &Path) -> Result {
    for dir in ["bin", "dev", "etc", "home/reader", "proc", "root", "sys", "tmp", "usr/bin", "var/tmp", "run"] {
        fs::create_dir_all(tree.join(dir))?;
    }
    fs::set_permissions(tree.join("tmp"), fs::Permissions::from_mode(0o1777))?;
    let source = program("busybox", "busybox-static")?;
    fs::copy(&source, tree.join("bin/busybox")).context(source.display())?;
    for applet in run(Command::new(&source).arg("--list"))?.success()?.lines().filter(|name| *name != "busybox") {
        symlink("busybox", tree.join("bin").join(applet))?;
    }
    symlink("../run", tree.join("var/run"))?;
    let passwd = "root:x:0:0:root:/root:/bin/sh\nreader:x:1000:1000:reader:/home/reader:/bin/sh\n";
    fs::write(tree.join("etc/passwd"), passwd)?;
    fs::write(tree.join("etc/group"), "root:x:0:\nreader:x:1000:\nteachers:x:2000:reader\n")?;
    fs::write(tree.join("etc/removed"), "the layer above removes this\n")?;
    std::os::unix::fs::chown(tree.join("home/reader"), Some(1000), Some(1000)).map_err(Into::into)
}

fn debian(work: &Path) -> Result<Image> {
    let work = work.join("debian");
    fs::create_dir_all(&work)?;
    let base = work.join("base.tar");
    let mut mmdebstrap = Command::new(program("mmdebstrap", "mmdebstrap")?);
    mmdebstrap.args(["--quiet", "--mode=root", "--variant=minbase", "--dpkgopt=path-exclude=/usr/share/locale/*"]);
    run(mmdebstrap.arg("bookworm").arg(&base))?.success()?;

    let second = work.join("second");
    fs::create_dir_all(second.join("usr/share/perl5"))?;
    fs::write(second.join("usr/share/.wh.doc"), "")?;
    fs::write(second.join("usr/share/perl5/.wh..wh..opq"), "")?;
    fs::write(second.join("usr/share/perl5/kept"), "the only file of an opaque directory\n")?;
    fs::create_dir_all(second.join("opt/phial"))?;
    fs::write(second.join("opt/phial/stays"), "stays\n")?;
    fs::write(second.join("opt/phial/goes"), "goes\n")?;

    let third = work.join("third");
    fs::create_dir_all(third.join("opt/phial"))?;
    fs::write(third.join("opt/phial/.wh.goes"), "")?;
    fs::write(third.join("opt/phial/script"), "#!/bin/bash\necho \"$0 $*\"\n")?;
    fs::set_permissions(third.join("opt/phial/script"), fs::Permissions::from_mode(0o755))?;
    fs::hard_link(third.join("opt/phial/script"), third.join("opt/phial/same"))?;

    let mut layers = vec![Layer::from_tar(base, Compression::Gzip)?];
    for tree in [second, third] {
        layers.push(Layer::from_directory(&tree, &work, Compression::Gzip)?);
    }
    let config = json!({"Cmd": ["bash"], "Env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"]});
    Ok(Image::new(layers, config))
}
