//! Debian packages through `apt-get`, unpacked without being installed.
//!
//! The host's own package manager knows which mirror, proxy and keys its owner wants, and checks what it fetches
//! against the signed lists. So no address and no digest is kept here that would grow old.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use fsroot::Root;
use image::layer::{self, Limits};
use tempfile::TempDir;

use crate::error::{Context, Error, ErrorKind, Result};

/// The user as whom apt fetches when it runs as root.
const SANDBOX_USER: &str = "_apt:";

/// The host's package manager.
pub(super) struct Apt {
    program: &'static str,
    config: Option<PathBuf>,
}

/// A package that was fetched and unpacked. Its files go with the value.
pub(super) struct Package {
    /// As `dpkg` writes it: `1:1.35.0-4+deb12u1`.
    pub(super) version: String,
    /// Its files.
    pub(super) files: Root,
    _directory: TempDir,
}

impl Apt {
    pub(super) fn of_host() -> Apt {
        Apt { program: "apt-get", config: None }
    }

    /// Fetches the newest version that the host knows of `package`. If that does not work, the lists of packages are
    /// missing or too old: they are fetched once, and it is tried again.
    ///
    /// # Errors
    /// `Unsupported` where there is no `apt-get`; `System` with the last line that it said.
    pub(super) fn fetch(&self, package: &str, progress: &dyn Fn(&str)) -> Result<Package> {
        let directory = private_directory()?;
        progress(&format!("fetching Debian's package {package} (apt-get download)"));
        if self.download(package, directory.path()).is_err_and(|error| error.kind() != ErrorKind::Unsupported) {
            progress("refreshing the lists of packages first (apt-get update)");
            self.run(directory.path(), &["update", "-qq"])?;
        }
        let file = match downloaded(directory.path())? {
            Some(file) => file,
            None => self.download(package, directory.path())?,
        };
        let version = checked_version(&file, package)?;
        progress(&format!("unpacking {package} {version} (it is not installed)"));
        let files = unpack(&file, &directory.path().join("files"))?;
        Ok(Package { version, files, _directory: directory })
    }

    fn download(&self, package: &str, directory: &Path) -> Result<PathBuf> {
        self.run(directory, &["download", "-qq", package])?;
        downloaded(directory)?.ok_or_else(|| {
            Error::new(ErrorKind::System, format!("apt-get download {package} left no file in {}", directory.display()))
        })
    }

    fn run(&self, directory: &Path, arguments: &[&str]) -> Result<()> {
        let mut command = Command::new(self.program);
        command.args(arguments).current_dir(directory);
        if let Some(config) = &self.config {
            command.env("APT_CONFIG", config);
        }
        let output = output(&mut command).map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => absent(self.program),
            _ => Error::system(format_args!("starting {}", self.program), error),
        })?;
        succeeded(&format!("{} {}", self.program, arguments.join(" ")), &output)
    }
}

fn absent(program: &str) -> Error {
    Error::unsupported(format!("{program} is not on this host: the toolbox is made of a package of Debian"))
        .with_hint("pull any image from a registry instead, for example `phial pull busybox`")
}

/// A directory that nobody can look into but root and the user as whom apt fetches.
fn private_directory() -> Result<TempDir> {
    let directory = tempfile::Builder::new().prefix("phial-").tempdir().context(|| "making a temporary directory")?;
    let describe = || format!("giving {} to apt", directory.path().display());
    let passwd = fs::read_to_string("/etc/passwd").unwrap_or_default();
    let user = passwd.lines().find_map(|line| line.strip_prefix(SANDBOX_USER));
    // Where there is no such user, apt fetches as root.
    if let Some(uid) = user.and_then(|rest| rest.split(':').nth(1)?.parse().ok()) {
        chown(directory.path(), Some(uid), None).context(describe)?;
    }
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o700)).context(describe)?;
    Ok(directory)
}

fn downloaded(directory: &Path) -> Result<Option<PathBuf>> {
    let describe = || format!("reading {}", directory.display());
    for entry in fs::read_dir(directory).context(describe)? {
        let path = entry.context(describe)?.path();
        if path.extension().is_some_and(|extension| extension == "deb") {
            return Ok(Some(path));
        }
    }
    Ok(None)
}

/// The version in the package's control data, which also says that it is a package and the right one.
fn checked_version(file: &Path, package: &str) -> Result<String> {
    let mut command = Command::new("dpkg-deb");
    command.arg("--show").arg("--showformat=${Package} ${Version}").arg(file);
    let output = output(&mut command).context(|| "starting dpkg-deb")?;
    succeeded("dpkg-deb --show", &output)?;
    let answer = String::from_utf8_lossy(&output.stdout);
    match answer.split_once(' ') {
        Some((name, version)) if name == package => Ok(version.to_owned()),
        _ => Err(Error::invalid(format!("{} is the package {answer:?} and not {package}", file.display()))),
    }
}

/// `dpkg-deb` knows the compression of each version of the format; what it gives is unpacked as a layer of a stranger.
fn unpack(file: &Path, directory: &Path) -> Result<Root> {
    fs::create_dir(directory).context(|| format!("making {}", directory.display()))?;
    let unusable =
        |error: &dyn std::error::Error| Error::new(ErrorKind::System, format!("unpacking {}: {error}", file.display()));
    let root = Root::open(directory).map_err(|error| unusable(&error))?;
    let mut child = Command::new("dpkg-deb")
        .arg("--fsys-tarfile")
        .arg(file)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .context(|| "starting dpkg-deb")?;
    let archive = child.stdout.take().expect("stdout was made a pipe three lines above");
    let unpacked = layer::unpack(archive, &root, &Limits::default());
    let output = child.wait_with_output().context(|| "waiting for dpkg-deb")?;
    // An exit status is a reason of its own; death by SIGPIPE only means that we gave up.
    if output.status.code().is_some() {
        succeeded("dpkg-deb --fsys-tarfile", &output)?;
    }
    unpacked.map_err(|error| unusable(&error))?;
    Ok(root)
}

fn output(command: &mut Command) -> std::io::Result<Output> {
    command.env("LC_ALL", "C").env("DEBIAN_FRONTEND", "noninteractive").stdin(Stdio::null()).output()
}

/// The reason of a failure is the last thing that these programs say.
pub(super) fn succeeded(what: &str, output: &Output) -> Result<()> {
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let last = said.lines().rev().map(str::trim).find(|line| !line.is_empty()).unwrap_or("it said nothing");
    let last = last.strip_prefix("E: ").unwrap_or(last);
    Err(Error::new(ErrorKind::System, format!("{what}: {last} ({})", output.status)))
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::net::TcpListener;

    use super::{Apt, downloaded};
    use crate::error::ErrorKind;

    #[test]
    fn without_apt_the_hint_says_what_to_do_instead() {
        let apt = Apt { program: "apt-get-that-is-not-there", config: None };
        let error = apt.fetch("busybox-static", &|_| {}).err().expect("there is no such program");
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        assert!(error.to_string().starts_with("apt-get-that-is-not-there is not on this host: "), "{error}");
        assert!(error.hint().is_some_and(|hint| hint.contains("phial pull")), "{error:?}");
    }

    /// The real apt, with no lists of packages and a mirror where nobody listens.
    #[test]
    fn what_apt_says_last_is_passed_on() {
        let place = tempfile::tempdir().expect("a temporary directory");
        // A port that was free a moment ago; apt would hang on one that listens and never answers.
        let port = TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.local_addr()).expect("a port").port();
        let at = place.path().display();
        let sources = format!("deb http://127.0.0.1:{port}/debian stable main\n");
        std::fs::write(place.path().join("sources"), sources).expect("a file");
        std::fs::create_dir_all(place.path().join("state/lists/partial")).expect("a directory");
        let config = place.path().join("apt.conf");
        let text = format!(
            "Dir::Etc::SourceList \"{at}/sources\";\nDir::Etc::SourceParts \"/dev/null\";\n\
             Dir::State \"{at}/state\";\nDir::Cache \"{at}/cache\";\nAcquire::Retries \"0\";\nAcquire::http::Proxy \"DIRECT\";\n\
             APT::Sandbox::User \"root\";\nAPT::Update::Error-Mode \"any\";\n"
        );
        std::fs::write(&config, text).expect("a file");

        let said = RefCell::new(Vec::new());
        let apt = Apt { program: "apt-get", config: Some(config) };
        let tell = |line: &str| said.borrow_mut().push(line.to_owned());
        let error = apt.fetch("busybox-static", &tell).err().expect("nobody answers");
        assert_eq!(error.kind(), ErrorKind::System);
        assert!(error.to_string().starts_with("apt-get "), "{error}");
        assert!(!error.to_string().contains("E: "), "{error}");
        assert!(said.borrow().iter().any(|line| line.contains("apt-get update")), "{said:?}");
    }

    #[test]
    fn only_packages_count_as_downloaded() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        std::fs::write(directory.path().join("lock"), "").expect("a file");
        assert_eq!(downloaded(directory.path()).expect("it can be read"), None);
        let package = directory.path().join("x_1%3a2_amd64.deb");
        std::fs::write(&package, "").expect("a file");
        assert_eq!(downloaded(directory.path()).expect("it can be read"), Some(package));
    }
}
