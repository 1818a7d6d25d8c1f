//! The image with a shell, made of Debian's `busybox-static` package.
//!
//! To know which commands this busybox has, it is asked: the program is started once on the host. It comes from the
//! host's package manager, whose packages run as root whenever one is installed, so that trusts nobody new.

use std::os::fd::AsRawFd;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

use fsroot::{Follow, Root};
use jiff::Timestamp;
use serde_json::json;
use store::{ImageRecord, Store};

use super::apt::{Apt, Package, succeeded};
use super::archive::Archive;
use super::assemble::{Recipe, assemble};
use crate::error::{Context, Error, ErrorKind, Result};

/// Canonical name of the image.
pub const TOOLBOX: &str = "docker.io/phial/toolbox:latest";

const PACKAGE: &str = "busybox-static";
/// Where the program is in the image.
const BUSYBOX: &str = "bin/busybox";
/// Where Debian's releases have it in the package.
const IN_PACKAGE: [&str; 2] = ["bin/busybox", "usr/bin/busybox"];
const COPYRIGHT: &str = "usr/share/doc/busybox-static/copyright";
/// Two MiB are usual.
const LARGEST: u64 = 64 << 20;

/// Directories of the image with their modes, each after the one it is in.
const DIRECTORIES: [(&str, u32); 12] = [
    ("bin", 0o755),
    ("etc", 0o755),
    ("home", 0o755),
    ("root", 0o700),
    ("sbin", 0o755),
    ("tmp", 0o1777),
    ("usr", 0o755),
    ("usr/bin", 0o755),
    ("usr/sbin", 0o755),
    ("usr/share", 0o755),
    ("usr/share/doc", 0o755),
    ("usr/share/doc/busybox-static", 0o755),
];

const PASSWD: &str = "\
root:x:0:0:root:/root:/bin/sh
nobody:x:65534:65534:nobody:/:/bin/false
";
const GROUP: &str = "\
root:x:0:
nogroup:x:65534:
";

/// Makes the image [`TOOLBOX`]: a shell and some 270 commands in 2 MB, without a registry. The same version of the
/// package gives the same image. `progress` is told each step in a line.
///
/// # Errors
/// `Unsupported` where there is no `apt-get`; `System` with what `apt-get` said last, for example that no mirror can be
/// reached; `Invalid` if the package is not as expected; `Store` when the store refuses.
pub fn bootstrap_toolbox(store: &Store, progress: &dyn Fn(&str)) -> Result<ImageRecord> {
    let package = Apt::of_host().fetch(PACKAGE, progress)?;
    let busybox = Busybox::of(&package.files)?;
    let applets = busybox.applets()?;
    progress(&format!("making {TOOLBOX}: busybox and {} commands", applets.len()));
    assemble(store, &recipe(&package, &busybox, &applets)?)
}

/// The program in the package.
struct Busybox {
    content: Vec<u8>,
    /// Seconds since 1970: when the package was built.
    built: u64,
}

impl Busybox {
    fn of(package: &Root) -> Result<Busybox> {
        let missing = || Error::invalid(format!("the package {PACKAGE} has no {}", IN_PACKAGE.join(" and no ")));
        let unreadable = |error: fsroot::Error| Error::new(ErrorKind::System, format!("package {PACKAGE}: {error}"));
        let is_there = |path: &&str| package.metadata(path, Follow::No).is_ok_and(|metadata| metadata.is_file());
        let path = IN_PACKAGE.into_iter().find(is_there).ok_or_else(missing)?;
        let metadata = package.metadata(path, Follow::No).map_err(unreadable)?;
        Ok(Busybox {
            content: package.read_regular(path, LARGEST).map_err(unreadable)?,
            built: u64::try_from(metadata.modified.tv_sec).unwrap_or(0),
        })
    }

    /// Names of its commands and the directories they belong in, such as `usr/bin/env`; sorted. Started from memory,
    /// because directories for temporary files may be mounted `noexec`.
    fn applets(&self) -> Result<Vec<String>> {
        let file = sys::memfd::sealed("busybox", &self.content).context(|| "copying busybox into memory")?;
        let output = Command::new(format!("/proc/self/fd/{}", file.as_raw_fd()))
            .arg0("busybox")
            .arg("--list-full")
            .env_clear()
            .stdin(Stdio::null())
            .output()
            .context(|| "starting busybox")?;
        succeeded("busybox --list-full", &output)?;
        applets(&String::from_utf8_lossy(&output.stdout))
    }
}

/// Those in directories that the image has. A busybox that writes anything but plain names here is not believed.
fn applets(list: &str) -> Result<Vec<String>> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"[]_.+-/".contains(&byte);
    let mut applets = Vec::new();
    for line in list.lines() {
        if !line.bytes().all(plain) || line.split('/').any(|part| matches!(part, "" | "." | "..")) {
            return Err(Error::invalid(format!("busybox lists a command {line:?}")));
        }
        let directory = line.rsplit_once('/').map(|(directory, _)| directory);
        if line != BUSYBOX && DIRECTORIES.iter().any(|(name, _)| Some(*name) == directory) {
            applets.push(line.to_owned());
        }
    }
    applets.sort_unstable();
    applets.dedup();
    if applets.iter().any(|applet| applet == "bin/sh") {
        return Ok(applets);
    }
    Err(Error::invalid("busybox lists no command bin/sh".to_owned()))
}

fn recipe(package: &Package, busybox: &Busybox, applets: &[String]) -> Result<Recipe<'static>> {
    let mut archive = Archive::new(busybox.built);
    for (name, mode) in DIRECTORIES {
        archive.directory(name, mode)?;
    }
    archive.file(BUSYBOX, 0o755, &busybox.content)?;
    for applet in applets {
        archive.symlink(applet, "/bin/busybox")?;
    }
    archive.file("etc/passwd", 0o644, PASSWD.as_bytes())?;
    archive.file("etc/group", 0o644, GROUP.as_bytes())?;
    // A package without it is no reason to have no shell.
    if let Ok(copyright) = package.files.read_regular(COPYRIGHT, LARGEST) {
        archive.file(COPYRIGHT, 0o644, &copyright)?;
    }
    let built = i64::try_from(busybox.built).ok().and_then(|seconds| Timestamp::from_second(seconds).ok());
    Ok(Recipe {
        reference: TOOLBOX,
        archive: archive.finish(),
        config: json!({
            "Cmd": ["sh"],
            "Env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"],
            "Labels": {
                "org.opencontainers.image.title": "toolbox",
                "org.opencontainers.image.description": "A shell and the usual commands, to look around in a container",
                "org.opencontainers.image.version": package.version,
                "org.opencontainers.image.licenses": "GPL-2.0-only",
            },
        }),
        created: built.map(|time| time.to_string()),
        created_by: format!("phial: Debian's package {PACKAGE} {}", package.version),
    })
}

#[cfg(test)]
mod tests {
    use super::applets;

    #[test]
    fn lists() {
        let check = |list: &str, want: Option<&[&str]>| {
            let got = applets(list).ok();
            assert_eq!(got, want.map(|names| names.iter().map(ToString::to_string).collect()), "{list:?}");
        };
        check("usr/bin/[\nbin/sh\nbin/busybox\nbin/ash\n", Some(&["bin/ash", "bin/sh", "usr/bin/["]));
        check("linuxrc\nopt/x/y\nbin/sh\nbin/sh\n", Some(&["bin/sh"]));
        check("bin/ls\n", None);
        check("", None);
        check("bin/sh\n../etc/passwd\n", None);
        check("bin/sh\nbin/../../x\n", None);
        check("bin/sh\n/bin/x\n", None);
        check("bin/sh\nbin/a b\n", None);
        check("bin/sh\nbin/\u{1b}[2J\n", None);
        check("bin/sh\n\n", None);
    }
}
