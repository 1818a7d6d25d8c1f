//! Debian's `docker-registry`, the real one, on a port of loopback that the kernel chooses. It is stopped with its
//! value.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};

use tempfile::TempDir;

use crate::process::{Running, program, run, server};
use crate::{Context, Failure, Result};

/// The user name that [`Access::Basic`] lets in.
pub const USER: &str = "amphora";
/// The password of [`USER`].
pub const PASSWORD: &str = "secret";
/// `amphora:secret` in htpasswd's form. The registry takes bcrypt only; the cost is the smallest there is.
const HTPASSWD: &str = "amphora:$2y$05$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0a\n";

/// Who may read.
#[derive(Debug, Clone, Default)]
pub enum Access {
    /// Everybody.
    #[default]
    Anonymous,
    /// [`USER`] with [`PASSWORD`].
    Basic,
    /// Whoever brings a token. Where to get one, as the registry's challenge says.
    Bearer {
        /// Address of the token server.
        realm: String,
    },
}

/// How a registry is started.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Where its content is; None is a new directory that goes with the registry.
    pub storage: Option<PathBuf>,
    /// Whether uploads are refused, so that several registries can serve one storage.
    pub read_only: bool,
    /// Who may read.
    pub access: Access,
    /// With a certificate of an authority of its own: see [`Registry::certificate`].
    pub tls: bool,
}

/// A running registry.
#[derive(Debug)]
pub struct Registry {
    address: SocketAddr,
    access: Access,
    tls: bool,
    log: Arc<Mutex<String>>,
    // Dropped in this order: the process, then what it writes to.
    process: Running,
    files: TempDir,
}

impl Registry {
    /// Starts an empty registry that everybody may read and write.
    ///
    /// # Errors
    /// `docker-registry` is missing or ends at once.
    pub fn start() -> Result<Registry> {
        Registry::with(Options::default())
    }

    /// Starts a registry.
    ///
    /// # Errors
    /// `docker-registry` is missing or ends at once.
    pub fn with(options: Options) -> Result<Registry> {
        let files = tempfile::Builder::new().prefix("phial-registry-").tempdir()?;
        let storage = options.storage.clone().unwrap_or_else(|| files.path().join("storage"));
        std::fs::create_dir_all(&storage).context(storage.display())?;
        std::fs::write(files.path().join("htpasswd"), HTPASSWD)?;
        let config = files.path().join("config.yml");
        std::fs::write(&config, configuration(&options, &storage, files.path()))?;

        if options.tls {
            make_certificate(files.path())?;
        }
        let mut command = server(&program("docker-registry", "docker-registry")?)?;
        command.arg("serve").arg(&config).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut process = Running::start(&mut command)?;
        let output = process.child().stderr.take().context("docker-registry has no stderr")?;
        let log = Arc::new(Mutex::new(String::new()));
        let address = follow(BufReader::new(output), &log)?;
        Ok(Registry { address, access: options.access, tls: options.tls, log, process, files })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The full name of an image in it.
    pub fn name(&self, image: &str) -> String {
        format!("{}/{image}", self.address)
    }

    /// Its process id.
    pub fn pid(&self) -> i32 {
        self.process.pid().as_raw_nonzero().get()
    }

    /// The certificate that it shows, which is its own authority. `SSL_CERT_FILE` makes it one that is believed.
    pub fn certificate(&self) -> Option<PathBuf> {
        self.tls.then(|| self.files.path().join("tls.crt"))
    }

    /// All it has logged, one request a line.
    pub fn log(&self) -> String {
        self.log.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What an upload must carry as `Authorization`.
    pub(crate) fn authorization(&self) -> Option<&'static str> {
        match self.access {
            Access::Anonymous => None,
            // base64 of amphora:secret.
            Access::Basic => Some("Basic YW1waG9yYTpzZWNyZXQ="),
            Access::Bearer { .. } => Some("Bearer upload"),
        }
    }
}

fn configuration(options: &Options, storage: &Path, files: &Path) -> String {
    let Options { read_only, access, tls, .. } = options;
    let mut text = format!(
        "version: 0.1\nlog:\n  level: info\nstorage:\n  filesystem:\n    rootdirectory: {}\n  maintenance:\n    \
         uploadpurging:\n      enabled: false\n    readonly:\n      enabled: {read_only}\nhttp:\n  addr: 127.0.0.1:0\n  \
         secret: loopback\n",
        storage.display()
    );
    if *tls {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "  tls:\n    certificate: {0}/tls.crt\n    key: {0}/tls.key", files.display());
    }
    // Nor can this.
    let _ = match access {
        Access::Anonymous => Ok(()),
        Access::Basic => {
            write!(text, "auth:\n  htpasswd:\n    realm: phial\n    path: {}\n", files.join("htpasswd").display())
        }
        // "silly" challenges like a token server's registry, and takes every token: the client's half is what counts.
        Access::Bearer { realm } => write!(text, "auth:\n  silly:\n    realm: {realm}\n    service: loopback\n"),
    };
    text
}

fn make_certificate(files: &Path) -> Result {
    let mut openssl = std::process::Command::new(program("openssl", "openssl")?);
    openssl.args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]);
    openssl.args(["-subj", "/CN=phial test", "-addext", "subjectAltName=IP:127.0.0.1", "-addext"]);
    openssl.args(["basicConstraints=critical,CA:FALSE", "-keyout"]).arg(files.join("tls.key"));
    run(openssl.arg("-out").arg(files.join("tls.crt")))?.success().map(drop)
}

/// Reads the log until the registry says where it listens, and goes on reading in a thread: a full pipe would stop it.
fn follow(mut lines: BufReader<impl Read + Send + 'static>, log: &Arc<Mutex<String>>) -> Result<SocketAddr> {
    const MARK: &str = "listening on ";
    let mut seen = String::new();
    let address = loop {
        let start = seen.len();
        if lines.read_line(&mut seen)? == 0 {
            return Err(Failure::new(format!("docker-registry ended at once:\n{seen}")));
        }
        if let Some((_, rest)) = seen[start..].split_once(MARK) {
            let text: String = rest.chars().take_while(|c| c.is_ascii_digit() || ".:".contains(*c)).collect();
            break text.parse().context(format!("address `{text}` of docker-registry"))?;
        }
    };
    let log = Arc::clone(log);
    std::thread::spawn(move || {
        for line in lines.lines().map_while(std::io::Result::ok) {
            let mut log = log.lock().unwrap_or_else(PoisonError::into_inner);
            log.push_str(&line);
            log.push('\n');
        }
    });
    Ok(address)
}
