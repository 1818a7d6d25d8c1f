//! The program `git`, run where nothing of the user or of the system has a say. A secret reaches it by the environment and
//! never by an argument, which everybody on the host can read; and what it complains about is shown without it.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

use super::super::{one_line, printable};
use super::GitAddress;
use crate::{Error, ErrorKind, Result};

/// Bytes of what it answers.
const ANSWER_MAX: u64 = 16 << 20;
/// Bytes of what it complains about that are kept.
const COMPLAINT_MAX: usize = 64 << 10;
/// Configuration by the environment is known since this version.
const OLDEST: (u32, u32) = (2, 31);
/// What a proxy or a certificate of the site may be told by.
const KEPT: [&str; 13] = [
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "ALL_PROXY",
    "NO_PROXY",
    "http_proxy",
    "https_proxy",
    "all_proxy",
    "no_proxy",
    "GIT_SSL_CAINFO",
    "GIT_SSL_CAPATH",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "TMPDIR",
];
/// Hooks and helpers are programs that somebody else has written.
const CONFIGURATION: [(&str, &str); 13] = [
    ("core.hooksPath", "/dev/null"),
    ("core.fsmonitor", "false"),
    ("core.logAllRefUpdates", "false"),
    ("core.attributesFile", "/dev/null"),
    ("core.excludesFile", "/dev/null"),
    ("credential.helper", ""),
    ("submodule.recurse", "false"),
    ("fetch.recurseSubmodules", "false"),
    ("gc.auto", "0"),
    ("maintenance.auto", "false"),
    ("safe.directory", "*"),
    // A server that has fallen silent is given up.
    ("http.lowSpeedLimit", "1"),
    ("http.lowSpeedTime", "60"),
];

/// Who asks.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct GitAuth {
    /// What `Authorization` says.
    pub(crate) authorization: Option<String>,
    /// The socket of an agent that has keys.
    pub(crate) agent: Option<PathBuf>,
    /// Keys of hosts that are known, one a line; the first key that a host has is taken otherwise.
    pub(crate) known_hosts: Option<String>,
}

impl GitAuth {
    /// Looks for secrets as `BuildKit` does: a whole header, or a token, each for the host first and for all hosts then.
    /// `header` and `token` are what they are called.
    ///
    /// # Errors
    /// `Invalid` for a secret that no header can have, and those of reading it.
    pub(crate) fn find(
        address: &GitAddress,
        (header, token): (&str, &str),
        secret: &dyn Fn(&str) -> Result<Option<Vec<u8>>>,
    ) -> Result<GitAuth> {
        let of_host = |name: &str| format!("{name}.{}", address.host());
        let names =
            [(of_host(header), false), (of_host(token), true), (header.to_owned(), false), (token.to_owned(), true)];
        for (name, is_token) in names {
            let Some(value) = secret(&name)? else { continue };
            let value = one_line(&name, value)?;
            let authorization = if is_token { image::basic_authorization("x-access-token", &value) } else { value };
            return Ok(GitAuth { authorization: Some(authorization), ..GitAuth::default() });
        }
        Ok(GitAuth::default())
    }
}

impl fmt::Debug for GitAuth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let authorization = self.authorization.as_ref().map(|_| "…");
        f.debug_struct("GitAuth")
            .field("authorization", &authorization)
            .field("agent", &self.agent)
            .finish_non_exhaustive()
    }
}

/// The program, for one repository.
pub(super) struct Git {
    /// Its home, which is empty.
    home: TempDir,
    environment: Vec<(OsString, OsString)>,
    /// What is shown to nobody.
    secrets: Vec<String>,
    /// The repository, without secrets.
    pub(super) remote: String,
    shown: String,
}

impl Git {
    pub(super) fn new(address: &GitAddress, auth: &GitAuth) -> Result<Git> {
        let home = tempfile::Builder::new().prefix("phial-git-").tempdir();
        let home = home.map_err(|error| Error::system("a directory for git", error))?;
        let (remote, credentials) = address.without_credentials();
        let mut secrets: Vec<String> = Vec::new();
        let of_address = credentials.map(|(name, password)| {
            secrets.extend([name.clone(), password.clone()]);
            image::basic_authorization(&name, &password)
        });
        let authorization = of_address.or_else(|| auth.authorization.clone()).filter(|_| !address.by_ssh);
        let mut configuration: Vec<(String, String)> =
            CONFIGURATION.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        if let Some(authorization) = authorization {
            // git itself would send it to whoever it is redirected to.
            configuration.push(("http.followRedirects".to_owned(), "false".to_owned()));
            let header = format!("Authorization: {authorization}");
            configuration.push((format!("http.{}.extraHeader", scope(&remote)), header));
            secrets.extend(authorization.split(' ').map(ToOwned::to_owned));
            secrets.push(authorization);
        }
        let mut environment: Vec<(OsString, OsString)> =
            KEPT.iter().filter_map(|name| Some((OsString::from(name), std::env::var_os(name)?))).collect();
        let mut set = |name: &str, value: &OsStr| environment.push((OsString::from(name), value.to_owned()));
        set("PATH", &std::env::var_os("PATH").unwrap_or_else(|| dockerfile::evaluate::PATH.into()));
        set("HOME", home.path().as_os_str());
        for (name, value) in [
            ("GIT_CONFIG_NOSYSTEM", "1"),
            ("GIT_CONFIG_GLOBAL", "/dev/null"),
            ("GIT_ATTR_NOSYSTEM", "1"),
            ("GIT_TERMINAL_PROMPT", "0"),
            ("GIT_ALLOW_PROTOCOL", "http:https:ssh:git"),
            ("GIT_SSH_VARIANT", "ssh"),
            ("LC_ALL", "C"),
        ] {
            set(name, OsStr::new(value));
        }
        set("GIT_SSH_COMMAND", OsStr::new(&ssh(home.path(), auth)?));
        if let Some(agent) = &auth.agent {
            set("SSH_AUTH_SOCK", agent.as_os_str());
        }
        set("GIT_CONFIG_COUNT", OsStr::new(&configuration.len().to_string()));
        for (number, (name, value)) in configuration.iter().enumerate() {
            set(&format!("GIT_CONFIG_KEY_{number}"), OsStr::new(name));
            set(&format!("GIT_CONFIG_VALUE_{number}"), OsStr::new(value));
        }
        secrets.retain(|secret| secret.len() > 3 && !secret.eq_ignore_ascii_case("basic"));
        let git = Git { home, environment, secrets, remote, shown: address.shown() };
        git.check_version()?;
        Ok(git)
    }

    fn check_version(&self) -> Result<()> {
        let answer = self.run(None, &["version"])?;
        let text = String::from_utf8_lossy(&answer);
        let mut numbers = text.trim_start_matches("git version ").split('.').map(|part| part.trim().parse::<u32>());
        if let (Some(Ok(major)), Some(Ok(minor))) = (numbers.next(), numbers.next())
            && (major, minor) < OLDEST
        {
            let (major, minor) = OLDEST;
            return Err(Error::invalid(format!("{}: it is too old", printable(text.trim())))
                .with_hint(format!("git {major}.{minor} can be told what it must not run")));
        }
        Ok(())
    }

    /// What it answers.
    ///
    /// # Errors
    /// With what it complains about.
    pub(super) fn run(&self, directory: Option<&Path>, arguments: &[&str]) -> Result<Vec<u8>> {
        self.tried(directory, arguments)?.map_err(|complaint| self.error(&complaint))
    }

    /// The same, and what it complains about if it fails.
    pub(super) fn tried(&self, directory: Option<&Path>, arguments: &[&str]) -> Result<Result<Vec<u8>, String>> {
        let directory = directory.unwrap_or(self.home.path());
        let mut command = Command::new("git");
        command.args(arguments).current_dir(directory).env_clear().envs(self.environment.iter().cloned());
        // Whatever lies above is no repository of ours.
        command.env("GIT_CEILING_DIRECTORIES", directory.parent().unwrap_or(directory));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => Error::new(ErrorKind::NotFound, "git: there is no such program in PATH")
                .with_hint("install git: what is in a repository is fetched with it"),
            _ => Error::system("git", error),
        })?;
        let complaints = child.stderr.take();
        let reading = std::thread::spawn(move || complaints.map(last_words).unwrap_or_default());
        let mut answer = Vec::new();
        let mut out = child.stdout.take().into_iter();
        let read = out.try_for_each(|out| out.take(ANSWER_MAX + 1).read_to_end(&mut answer).map(drop));
        let is_too_long = answer.len() as u64 > ANSWER_MAX;
        if is_too_long || read.is_err() {
            // It may have ended meanwhile.
            let _ = child.kill();
        }
        let status = child.wait().map_err(|error| Error::system("git", error))?;
        let complaint = reading.join().unwrap_or_default();
        read.map_err(|error| Error::system("git", error))?;
        if is_too_long {
            return Err(Error::invalid(format!("{}: it answers more than {ANSWER_MAX} bytes", self.shown)));
        }
        Ok(if status.success() { Ok(answer) } else { Err(complaint) })
    }

    /// What it complains about, for people.
    pub(super) fn error(&self, complaint: &str) -> Error {
        let hidden = self.secrets.iter().fold(complaint.to_owned(), |text, secret| text.replace(secret, "***"));
        let lines = hidden.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with("hint:"));
        let tail: Vec<&str> = lines.rev().take(3).collect();
        let why: Vec<&str> = tail.into_iter().rev().map(|line| line.trim_start_matches("fatal: ")).collect();
        let why = if why.is_empty() { "git fails and does not say why".to_owned() } else { why.join("; ") };
        let error = Error::new(ErrorKind::System, format!("{}: {}", self.shown, printable(&why)));
        match hint(&hidden) {
            Some(hint) => error.with_hint(hint),
            None => error,
        }
    }

    pub(super) fn shown(&self) -> &str {
        &self.shown
    }
}

/// Where a secret is good for. Repositories of GitHub are one site, so that those within others can be had with one token.
fn scope(remote: &str) -> &str {
    const SITE: &str = "https://github.com/";
    if remote.starts_with(SITE) { SITE } else { remote }
}

/// ssh without the user's configuration and keys: only an agent that was handed in is asked. Hosts that nobody knows are
/// believed once, and never against what the user knows of them.
fn ssh(home: &Path, auth: &GitAuth) -> Result<String> {
    let file = home.join("known_hosts");
    let known = auth.known_hosts.as_deref();
    std::fs::write(&file, known.unwrap_or_default()).map_err(|error| Error::system("keys of known hosts", error))?;
    // ssh splits what it is given at spaces, and replaces percent signs.
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "/._-".contains(letter);
    let file = file.to_str().filter(|path| path.chars().all(is_plain)).unwrap_or("/dev/null");
    let (strict, files) = match known {
        Some(_) => ("yes", file.to_owned()),
        None => ("accept-new", format!("{file} ~/.ssh/known_hosts")),
    };
    let agent = if auth.agent.is_some() { "" } else { " -o IdentityAgent=none" };
    Ok(format!(
        "ssh -F /dev/null -o BatchMode=yes -o IdentityFile=none -o StrictHostKeyChecking={strict} \
         -o 'UserKnownHostsFile={files}'{agent}"
    ))
}

/// The end of what is written, whatever its length.
fn last_words(mut from: impl Read) -> String {
    let mut kept: Vec<u8> = Vec::new();
    let mut piece = [0; 8192];
    while let Ok(count @ 1..) = from.read(&mut piece) {
        kept.extend_from_slice(&piece[..count]);
        kept.drain(..kept.len().saturating_sub(COMPLAINT_MAX));
    }
    String::from_utf8_lossy(&kept).into_owned()
}

fn hint(complaint: &str) -> Option<&'static str> {
    let says = |text: &str| complaint.contains(text);
    if says("could not read Username") || says("Authentication failed") || says("HTTP Basic: Access denied") {
        return Some("it asks who you are: give the secret GIT_AUTH_TOKEN, or check the address");
    }
    if says("Permission denied (publickey") {
        return Some("it asks for a key: --ssh default hands in the agent of SSH_AUTH_SOCK");
    }
    if says("Host key verification failed") {
        return Some("the host has another key than the one that is known");
    }
    if says("redirect") || says("error: 301") || says("error: 302") {
        return Some("a password goes nowhere else: give the address that it redirects to");
    }
    None
}
