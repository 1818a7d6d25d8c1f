//! Credential helpers: programs that keep secrets for docker. Owns their protocol; a helper's name is never a path.
//!
//! <https://github.com/docker/docker-credential-helpers>

use std::io::Write;
use std::process::{Command, Stdio};

use serde::{Deserialize, Serialize};

use crate::auth::credentials::Credentials;
use crate::error::{Error, ErrorKind, Result, printable};

/// A user name that says: the secret is an identity token.
const TOKEN_USER: &str = "<token>";
/// What helpers print, with exit status 1, when they have nothing.
const HAS_NOTHING: &str = "credentials not found in native keychain";

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    username: String,
    secret: String,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Entry<'a> {
    #[serde(rename = "ServerURL")]
    server_url: &'a str,
    username: &'a str,
    secret: &'a str,
}

/// What `helper` keeps for `server`.
pub(crate) fn get(helper: &str, server: &str) -> Result<Option<Credentials>> {
    let Some(output) = run(helper, "get", server, server.as_bytes())? else { return Ok(None) };
    // Not the parser's message: it could quote the secret.
    let answer: Answer =
        serde_json::from_slice(&output).map_err(|_| unusable(helper, server, "its answer is not readable"))?;
    Ok(match (answer.username, answer.secret) {
        (_, secret) if secret.is_empty() => None,
        (username, secret) if username == TOKEN_USER => Some(Credentials::Identity(secret)),
        (username, password) => Some(Credentials::Password { username, password }),
    })
}

/// Gives `credentials` for `server` to `helper`.
pub(crate) fn store(helper: &str, server: &str, credentials: &Credentials) -> Result<()> {
    let (username, secret) = match credentials {
        Credentials::Password { username, password } => (username.as_str(), password),
        Credentials::Identity(token) | Credentials::Bearer(token) => (TOKEN_USER, token),
    };
    let entry = serde_json::to_vec(&Entry { server_url: server, username, secret });
    let entry = entry.map_err(|_| unusable(helper, server, "the credentials make no JSON"))?;
    run(helper, "store", server, &entry).map(drop)
}

/// Makes `helper` forget what it keeps for `server`.
pub(crate) fn erase(helper: &str, server: &str) -> Result<()> {
    run(helper, "erase", server, server.as_bytes()).map(drop)
}

/// None if the helper says that it has nothing.
fn run(helper: &str, verb: &str, server: &str, input: &[u8]) -> Result<Option<Vec<u8>>> {
    let refuse = |why: &str| unusable(helper, server, why);
    if helper.contains('/') {
        return Err(refuse("a helper's name has no '/'"));
    }
    let mut command = Command::new(format!("docker-credential-{helper}"));
    let started = command.arg(verb).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
    let mut child = started.map_err(|error| refuse(&error.to_string()))?;
    if let Some(mut pipe) = child.stdin.take() {
        // A helper that does not read its input says why with its exit status.
        let _unread = pipe.write_all(input);
    }
    let output = child.wait_with_output().map_err(|error| refuse(&error.to_string()))?;
    if output.status.success() {
        return Ok(Some(output.stdout));
    }
    let text = String::from_utf8_lossy(&output.stdout);
    if text.trim() == HAS_NOTHING { Ok(None) } else { Err(refuse(&format!("{}: {}", output.status, printable(&text)))) }
}

fn unusable(helper: &str, server: &str, why: &str) -> Error {
    let program = printable(&format!("docker-credential-{helper}"));
    Error::new(ErrorKind::Credentials, format!("{program} (for {server}): {why}"))
}
