//! What a fresh machine lacks: Debian packages, the Rust target, tools of cargo. Installs only what is missing, and
//! says what and why, one line each. Never starts a service.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use end_to_end::process::{find, run};
use end_to_end::{Context, Failure, Result};

use crate::say;

/// A Debian package, the file or program that shows that it is there, and what it is for.
pub(crate) struct Package {
    name: &'static str,
    shows: &'static str,
    reason: &'static str,
}

const fn package(name: &'static str, shows: &'static str, reason: &'static str) -> Package {
    Package { name, shows, reason }
}

/// What the build needs.
pub(crate) const BUILD: &[Package] = &[
    package("musl-tools", "musl-gcc", "the C compiler for musl: SQLite, zstd and ring have C parts"),
    package("make", "make", "builds the memory allocator, jemalloc"),
];

/// What the demo needs besides.
pub(crate) const DEMO: &[Package] = &[
    package("docker-registry", "docker-registry", "a real registry on loopback to pull from"),
    package("skopeo", "skopeo", "looks at what was pushed"),
    package("openssl", "openssl", "makes the certificates of registries"),
    package("busybox-static", "busybox", "what is in the small image"),
    package("iproute2", "ip", "makes hosts of their own, and takes links away"),
    package("nftables", "nft", "shows the firewall, and takes tables away"),
];

/// What the tests need besides.
pub(crate) const TESTS: &[Package] = &[
    package("mmdebstrap", "mmdebstrap", "makes the Debian image that the tests run"),
    package("zstd", "zstd", "compresses layers of test images"),
    package("libarchive-tools", "bsdtar", "a second tar, whose archives are unpacked"),
    package("runc", "runc", "writes configurations that must run here"),
    package("crun", "crun", "writes configurations that must run here"),
    package("strace", "strace", "answers system calls as an older kernel would"),
    package("uidmap", "newuidmap", "gives ranges of ids to containers of other users than root"),
    package("zsh", "zsh", "a shell whose completion is tested"),
    package("fish", "fish", "likewise"),
    package("mandoc", "mandoc", "checks manual pages"),
    package("iptables", "iptables-nft", "rules of others beside those of Phial"),
    package("bind9-dnsutils", "dig", "asks for names"),
    package("dnsmasq-base", "dnsmasq", "a real server of names"),
    package("git", "git", "repositories that images are built from"),
    package("openssh-client", "ssh-agent", "an agent whose keys builds use"),
    package("xz-utils", "xz", "archives that builds unpack"),
    package("bzip2", "bzip2", "likewise"),
    package("libseccomp-dev", "/usr/include/seccomp.h", "the seccomp compiler is held equal to it"),
];

/// What the virtual machine of the tests needs besides.
pub(crate) const VM: &[Package] = &[
    package("qemu-system-x86", "qemu-system-x86_64", "boots a Debian 12 with its own kernel, to test there"),
    package("e2fsprogs", "mke2fs", "makes the disks of that machine"),
];

/// What runs `phial-runtime` in the tests, and what the bench compares with.
pub(crate) const ENGINES: &[Package] = &[
    package("containerd", "containerd", "an engine that phial-runtime is the runtime of"),
    package("docker.io", "dockerd", "likewise"),
    package("podman", "podman", "likewise"),
    package("catatonit", "catatonit", "podman's init, and the first process of its pods"),
];

/// What the bench compares with besides.
pub(crate) const RUNTIMES: &[Package] = &[
    package("runc", "runc", "the runtime of docker and containerd"),
    package("crun", "crun", "the runtime of podman"),
];

/// What the bench of networks needs besides.
pub(crate) const NETWORK: &[Package] = &[
    package("iperf3", "iperf3", "counts what goes through in a second"),
    package("containernetworking-plugins", "/usr/lib/cni/bridge", "podman's networks"),
];

/// The C compiler's target and the standard library for it.
const TARGET: &str = "x86_64-unknown-linux-musl";

/// A subcommand of cargo that is compiled from crates.io: no distribution has it.
struct Tool {
    name: &'static str,
    version: &'static str,
    features: &'static [&'static str],
    reason: &'static str,
}

const TOOLS: [Tool; 2] = [
    Tool {
        name: "nextest",
        version: "0.9.143",
        features: &["--no-default-features", "--features", "default-no-update"],
        reason: "runs every test in a process of its own",
    },
    Tool { name: "deny", version: "0.20.2", features: &[], reason: "checks licenses and sources of dependencies" },
];

/// Everything that build and tests need.
pub(crate) fn all() -> Result {
    build()?;
    tests()
}

/// What the build needs.
pub(crate) fn build() -> Result {
    packages(BUILD)?;
    target()
}

/// What the tests need besides the build.
pub(crate) fn tests() -> Result {
    packages(DEMO)?;
    packages(TESTS)?;
    packages(ENGINES)?;
    TOOLS.iter().try_for_each(tool)
}

/// Installs those that are missing.
///
/// # Errors
/// apt is missing, has no network, or does not know a package.
pub(crate) fn packages(wanted: &[Package]) -> Result {
    let missing: Vec<&Package> = wanted.iter().filter(|package| !is_there(package)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let names: Vec<&str> = missing.iter().map(|package| package.name).collect();
    if find("apt-get").is_none() {
        let names = names.join(", ");
        return Err(Failure::new(format!("apt-get is missing: install what these Debian packages have: {names}")));
    }
    for package in &missing {
        say::line(&format!("installing {} with apt: {}", package.name, package.reason));
    }
    let _quiet = NoServices::start()?;
    if have_lists() && install(&names).is_ok() {
        return Ok(());
    }
    say::line("apt's lists are missing or old: apt-get update");
    apt(&["update"]).and_then(|()| install(&names)).context(format!("installing {} with apt", names.join(", ")))
}

fn is_there(package: &Package) -> bool {
    if package.shows.starts_with('/') { Path::new(package.shows).exists() } else { find(package.shows).is_some() }
}

fn have_lists() -> bool {
    let entries = fs::read_dir("/var/lib/apt/lists").into_iter().flatten().flatten();
    entries.into_iter().any(|entry| entry.file_name().to_string_lossy().contains("_Packages"))
}

fn install(names: &[&str]) -> Result {
    apt(&[&["install", "--yes", "--no-install-recommends"], names].concat())
}

fn apt(arguments: &[&str]) -> Result {
    let mut command = Command::new("apt-get");
    command.args(["-qq", "-o", "DPkg::Lock::Timeout=600"]).args(arguments).env("DEBIAN_FRONTEND", "noninteractive");
    let output = run(&mut command)?;
    if output.code == 0 {
        return Ok(());
    }
    // apt's own words name the host that cannot be reached or the package that does not exist.
    let said: Vec<&str> = output.stderr.lines().filter(|line| line.starts_with("E:")).collect();
    Err(Failure::new(if said.is_empty() { output.stderr.clone() } else { said.join("; ") }))
}

/// As long as it lives, packages that are installed start no service (invoke-rc.d(8), policy-rc.d): this machine's
/// owner did not ask for a running docker.
struct NoServices(Option<PathBuf>);

impl NoServices {
    fn start() -> Result<NoServices> {
        let policy = PathBuf::from("/usr/sbin/policy-rc.d");
        if policy.exists() {
            return Ok(NoServices(None));
        }
        fs::write(&policy, "#!/bin/sh\nexit 101\n").context(policy.display())?;
        fs::set_permissions(&policy, fs::Permissions::from_mode(0o755))?;
        Ok(NoServices(Some(policy)))
    }
}

impl Drop for NoServices {
    fn drop(&mut self) {
        // A policy that cannot be removed is harmless and in plain sight.
        let _ = self.0.take().map(fs::remove_file);
    }
}

fn target() -> Result {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let root = run(Command::new(rustc).args(["--print", "sysroot"]))?.success()?;
    if Path::new(root.trim()).join("lib/rustlib").join(TARGET).join("lib").is_dir() {
        return Ok(());
    }
    say::line(&format!("installing the Rust target {TARGET} with rustup: Phial's programs are static"));
    let mut rustup = Command::new("rustup");
    let status = rustup.args(["target", "add", TARGET]).stdin(Stdio::null()).status();
    match status.context(format!("rustup is missing, and so is the target {TARGET}"))? {
        status if status.success() => Ok(()),
        status => Err(Failure::new(format!("rustup target add {TARGET}: {status}"))),
    }
}

fn tool(tool: &Tool) -> Result {
    let Tool { name, version, features, reason } = tool;
    if run(cargo().arg(name).arg("--version"))?.code == 0 {
        return Ok(());
    }
    say::line(&format!("installing cargo-{name} {version} from crates.io, which takes minutes: it {reason}"));
    let mut install = cargo();
    // Without optimisation: what it takes longer to run is less than what it takes longer to compile. Not from this
    // directory: the configuration in `.cargo` is for Phial's own programs.
    install.args(["install", "--locked", "--debug", "--quiet"]).arg(format!("cargo-{name}@{version}")).args(*features);
    install.current_dir("/").env("CARGO_PROFILE_DEV_DEBUG", "0").env_remove("CARGO_TARGET_DIR").stdin(Stdio::null());
    let status = install.status().context("cargo install")?;
    if status.success() { Ok(()) } else { Err(Failure::new(format!("installing cargo-{name} {version}: {status}"))) }
}

/// The cargo that runs this.
pub(crate) fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(end_to_end::workspace());
    // What the cargo that started xtask says about xtask: build scripts that look at it would run again, and what
    // depends on them would be compiled again, by every other cargo.
    let about_xtask =
        ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_", "CARGO_CRATE_", "CARGO_PRIMARY_", "LD_LIBRARY_PATH"];
    for (name, _) in std::env::vars_os() {
        if about_xtask.iter().any(|prefix| name.to_string_lossy().starts_with(prefix)) {
            command.env_remove(name);
        }
    }
    command
}
