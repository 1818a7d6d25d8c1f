//! The system of the virtual machine: a Debian 12 as its own packages make it, kernel and initrd included. Made once by
//! mmdebstrap and kept below `target/vm` as kernel, initrd and an ext4 image, under a name that changes with the recipe.
//! Nothing is mounted for it: `mke2fs -d` fills a file system by itself. The machine writes to copies of the image only.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use end_to_end::image::digest_of;
use end_to_end::process::{program, run};
use end_to_end::{Context, Failure, Result, target};
use rustix::fs::{FlockOperation, flock};

use crate::say;

/// What a Debian has that is more than a container, and the tools of the tests.
const PACKAGES: &str = "linux-image-cloud-amd64,initramfs-tools,systemd-sysv,udev,kmod,procps,\
                        docker-registry,busybox-static,zstd,libarchive-tools,criu,iproute2,iptables,nftables,apparmor";

/// Documentation and translations: a third of the files, none of which is read.
const LEFT_OUT: [&str; 3] = ["/usr/share/doc/*", "/usr/share/locale/*", "/usr/share/man/*"];

/// The unit that the machine boots into, with what it needs and nothing else: no other service is started.
pub(super) const UNIT: &str = "phial-tests.service";

/// Files that are added. The tests are on a disk of their own; what they print goes to the second serial port, so that
/// the kernel's and systemd's words, on the first one, do not come in between.
const FILES: [(&str, &str); 2] = [
    ("etc/fstab", "/dev/vda / ext4 defaults 0 0\n/dev/vdb /tests ext4 defaults 0 0\n"),
    ("etc/systemd/system/phial-tests.service", include_str!("phial-tests.service")),
];

/// Kernel, initrd and root file system.
pub(super) struct Debian(PathBuf);

impl Debian {
    pub(super) fn kernel(&self) -> PathBuf {
        self.0.join("vmlinuz")
    }

    pub(super) fn initrd(&self) -> PathBuf {
        self.0.join("initrd.img")
    }

    pub(super) fn root(&self) -> PathBuf {
        self.0.join("root.ext4")
    }
}

/// Makes the system if it is not there.
pub(super) fn prepare() -> Result<Debian> {
    let base = target().join("vm");
    fs::create_dir_all(&base).context(base.display())?;
    let lock = fs::File::create(base.join("lock"))?;
    flock(&lock, FlockOperation::LockExclusive)?;
    let recipe = digest_of(format!("{PACKAGES} {LEFT_OUT:?} {FILES:?}").as_bytes())?;
    let finished = base.join(format!("debian-{}", &recipe["sha256:".len()..][..16]));
    if !finished.exists() {
        say::line("making a Debian 12 for the virtual machine with mmdebstrap, which takes minutes, once");
        let work = tempfile::Builder::new().prefix("making-").tempdir_in(&base)?;
        let made = work.path().join("made");
        make(work.path(), &made)?;
        fs::rename(&made, &finished)?;
    }
    Ok(Debian(finished))
}

fn make(work: &Path, made: &Path) -> Result {
    let tree = work.join("tree");
    let mut mmdebstrap = Command::new(program("mmdebstrap", "mmdebstrap")?);
    mmdebstrap.args(["--quiet", "--mode=root", "--variant=minbase"]).arg(format!("--include={PACKAGES}"));
    mmdebstrap.args(LEFT_OUT.map(|files| format!("--dpkgopt=path-exclude={files}")));
    run(mmdebstrap.arg("bookworm").arg(&tree))?.success()?;
    for (name, content) in FILES {
        let file = tree.join(name);
        fs::write(&file, content).context(file.display())?;
    }
    fs::create_dir_all(made)?;
    for name in ["vmlinuz", "initrd.img"] {
        let source = in_boot(&tree, name)?;
        fs::copy(&source, made.join(name)).context(source.display())?;
    }
    ext4(&tree, &made.join("root.ext4"))
}

/// The one file in `/boot` whose name begins with this and a version.
fn in_boot(tree: &Path, name: &str) -> Result<PathBuf> {
    let boot = tree.join("boot");
    let mut entries = fs::read_dir(&boot).context(boot.display())?.flatten();
    let found = entries.find(|entry| entry.file_name().to_string_lossy().starts_with(&format!("{name}-")));
    found.map(|entry| entry.path()).ok_or_else(|| Failure::new(format!("{} has no {name}", boot.display())))
}

/// A file with an ext4 of 3 GiB that has everything in this directory. It is sparse: what is free takes no room.
pub(super) fn ext4(tree: &Path, image: &Path) -> Result {
    let mut mke2fs = Command::new(program("mke2fs", "e2fsprogs")?);
    run(mke2fs.args(["-q", "-t", "ext4", "-d"]).arg(tree).arg(image).arg("3G"))?.success().map(drop)
}
