//! `phial login`.

use std::io::{BufRead, IsTerminal, Read, Write};
use std::process::ExitCode;

use clap::Args;
use image::{Access, Credentials, Kept};
use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};

use super::flags::TlsFlag;
use super::{Execute, access};
use crate::context::Context;
use crate::failure::{Failure, Result, say};
use crate::output;

const EXAMPLES: &str = "\
Examples:
  phial login                                     Docker Hub
  phial login registry.example:5000
  pass registry | phial login -u joe --password-stdin registry.example";

/// More than any token is.
const PASSWORD_MAX: u64 = 1 << 20;

/// What `phial login` takes.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Login {
    /// The registry: HOST or HOST:PORT. Docker Hub if it is left out
    #[arg(value_name = "SERVER")]
    server: Option<String>,
    /// The user's name; asked for if it is left out
    #[arg(short, long, value_name = "NAME")]
    username: Option<String>,
    /// The password. Other users of this host can read it: --password-stdin is better
    #[arg(short, long, value_name = "PASSWORD")]
    password: Option<String>,
    /// Read the password from standard input
    #[arg(long)]
    password_stdin: bool,
    #[command(flatten)]
    tls: TlsFlag,
}

impl Execute for Login {
    fn execute(self, context: &Context) -> Result<ExitCode> {
        let cannot = |error: image::Error| Failure::new(format!("cannot log in: {error}"));
        let domain = image::login_domain(self.server.as_deref()).map_err(cannot)?;
        let access = access(context, self.tls.insecure(), "log in")?;
        if self.username.is_none() && self.password.is_none() && !self.password_stdin && again(&domain, &access)? {
            output::print_line("Login Succeeded")?;
            return Ok(ExitCode::SUCCESS);
        }
        let credentials = self.credentials()?;
        let kept = image::login(&domain, &credentials, &access).map_err(cannot)?;
        if let Kept::File(path) = kept {
            say(&format!("WARNING! Your credentials are stored unencrypted in '{}'.", path.display()));
            say("Configure a credential helper to remove this warning: credsStore in that file.");
        }
        output::print_line("Login Succeeded")?;
        Ok(ExitCode::SUCCESS)
    }
}

/// Whether what is kept for the registry is still good, as docker tries before it asks.
fn again(domain: &str, access: &Access) -> Result<bool> {
    match image::login_again(domain, access) {
        Ok(true) => {
            say("Authenticating with existing credentials...");
            Ok(true)
        }
        Ok(false) => Ok(false),
        // Whoever can be asked is asked for others.
        Err(error) if error.kind() == image::ErrorKind::Unauthorized && std::io::stdin().is_terminal() => {
            say(&format!("Login did not succeed: {error}"));
            Ok(false)
        }
        Err(error) => Err(Failure::new(format!("cannot log in: {error}"))),
    }
}

impl Login {
    fn credentials(&self) -> Result<Credentials> {
        let refuse = |why: &str| Failure::new(format!("cannot log in: {why}"));
        if self.password.is_some() && self.password_stdin {
            return Err(refuse("--password and --password-stdin are mutually exclusive"));
        }
        if self.password_stdin && self.username.as_deref().is_none_or(str::is_empty) {
            return Err(refuse("must provide --username with --password-stdin"));
        }
        if self.password.is_some() {
            say("WARNING! Using --password via the CLI is insecure. Use --password-stdin.");
        }
        let must_ask = self.username.is_none() || (self.password.is_none() && !self.password_stdin);
        if must_ask && !std::io::stdin().is_terminal() {
            return Err(refuse("cannot perform an interactive login from a non TTY device")
                .with_hint("give --username and --password-stdin"));
        }
        let username = match &self.username {
            Some(name) => name.clone(),
            None => ask("Username: ", true)?,
        };
        let password = match &self.password {
            Some(word) => word.clone(),
            None if self.password_stdin => from_stdin()?,
            None => ask("Password: ", false)?,
        };
        match (username.trim(), password.as_str()) {
            ("", _) => Err(refuse("username is empty")),
            (_, "") => Err(refuse("password is empty")),
            (username, _) if username.contains(':') => Err(refuse("a user name has no ':'")),
            (username, _) => Ok(Credentials::Password { username: username.to_owned(), password }),
        }
    }
}

/// All of standard input but the end of its line.
fn from_stdin() -> Result<String> {
    let mut text = String::new();
    let read = std::io::stdin().lock().take(PASSWORD_MAX).read_to_string(&mut text);
    read.map_err(|error| Failure::new(format!("cannot read the password from standard input: {error}")))?;
    let text = text.strip_suffix('\n').unwrap_or(&text);
    Ok(text.strip_suffix('\r').unwrap_or(text).to_owned())
}

/// A line from the terminal, which is not shown while it is typed if it is a secret.
fn ask(prompt: &str, shown: bool) -> Result<String> {
    let failed = |error: std::io::Error| Failure::new(format!("cannot read from the terminal: {error}"));
    let stdin = std::io::stdin();
    let before = if shown { None } else { Some(tcgetattr(&stdin).map_err(|errno| failed(errno.into()))?) };
    // Before anybody is asked, and what was typed already stays: an answer that comes at once is neither shown nor lost.
    if let Some(before) = &before {
        let mut silent = before.clone();
        silent.local_modes.remove(LocalModes::ECHO);
        silent.local_modes.insert(LocalModes::ECHONL);
        tcsetattr(&stdin, OptionalActions::Now, &silent).map_err(|errno| failed(errno.into()))?;
    }
    let mut out = std::io::stderr();
    let asked = write!(out, "{prompt}").and_then(|()| out.flush());
    let mut line = String::new();
    let read = asked.and_then(|()| stdin.lock().read_line(&mut line));
    if let Some(before) = &before {
        tcsetattr(&stdin, OptionalActions::Now, before).map_err(|errno| failed(errno.into()))?;
    }
    read.map_err(failed)?;
    Ok(line.trim_end_matches(['\n', '\r']).to_owned())
}
