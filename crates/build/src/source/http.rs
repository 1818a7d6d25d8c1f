//! A file from a web server, with what a later build needs to know whether it has changed.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use image::{Answer, Download};
use ring::digest::{Context, SHA256};

use super::one_line;
use super::url::{Address, shown};
use crate::{Error, ErrorKind, Result};

/// A file that was fetched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fetched {
    /// Where it is.
    pub(crate) file: PathBuf,
    /// Its digest.
    pub(crate) sha256: [u8; 32],
    /// When it was last changed, if the server says that; the file says so, too.
    pub(crate) modified: Option<SystemTime>,
    /// What the server calls it as it is now, if it does.
    pub(crate) etag: Option<String>,
}

/// Fetches what is at `url` into the new file `into`, of mode 0600. `headers` are for the server of the URL, and for nobody
/// whom it redirects to. More than `most` bytes are refused.
///
/// # Errors
/// `NotFound` if the server has no such file, `Invalid` for what is no URL and for more bytes, and whatever goes wrong on the
/// way. The file is not there then.
pub(crate) fn fetch(url: &str, headers: &[(String, String)], into: &Path, most: u64) -> Result<Fetched> {
    let fetched = fetch_changed(url, headers, None, into, most)?;
    fetched.ok_or_else(|| Error::invalid(format!("{}: the server answers what was not asked", shown(url))))
}

/// The same if it is no longer what the server has called `etag`; None if it is.
///
/// # Errors
/// As of [`fetch`].
pub(crate) fn fetch_changed(
    url: &str,
    headers: &[(String, String)],
    etag: Option<&str>,
    into: &Path,
    most: u64,
) -> Result<Option<Fetched>> {
    let mut headers = headers.to_vec();
    let parts = Address::parse(url).ok_or_else(|| Error::invalid(format!("{}: it is no address", shown(url))))?;
    let mut address = url.to_owned();
    // Who asks is no part of what is asked for.
    if let Some((name, password)) = parts.credentials() {
        let query = if parts.query.is_empty() { String::new() } else { format!("?{}", parts.query) };
        address = format!("{}{query}", parts.without_credentials());
        // A secret counts more.
        if !headers.iter().any(|(name, _)| name == "authorization") {
            headers.push(("authorization".to_owned(), image::basic_authorization(&name, &password)));
        }
    }
    let failed = |error: image::Error| {
        let kind = match error.kind() {
            image::ErrorKind::NotFound => ErrorKind::NotFound,
            image::ErrorKind::Syntax => ErrorKind::Invalid,
            _ => ErrorKind::System,
        };
        let own = Error::new(kind, format!("{}: {error}", shown(url)));
        match error.kind() {
            image::ErrorKind::Unauthorized | image::ErrorKind::Denied => own.with_hint(
                "it asks who you are: give the secret HTTP_AUTH_TOKEN_HOST, with its host, or check the address",
            ),
            _ => own,
        }
    };
    match image::download_changed(&address, &headers, etag).map_err(failed)? {
        Answer::Unchanged => Ok(None),
        Answer::Changed(download) => {
            let fetched = keep(url, download, into, most);
            if fetched.is_err() {
                // The error that matters is the first one.
                let _ = std::fs::remove_file(into);
            }
            fetched.map(Some)
        }
    }
}

/// `Authorization`, from a secret that is called as the host is: a whole header, or a token.
///
/// # Errors
/// `Invalid` for a secret that no header can have, and those of reading it.
pub(crate) fn authorization(
    url: &str,
    secret: &dyn Fn(&str) -> Result<Option<Vec<u8>>>,
) -> Result<Option<(String, String)>> {
    let Some(address) = Address::parse(url) else { return Ok(None) };
    let host = match address.host.strip_prefix('[') {
        Some(host) => host.split(']').next().unwrap_or_default(),
        None => address.host.split(':').next().unwrap_or_default(),
    };
    for (name, before) in [("HTTP_AUTH_HEADER_", ""), ("HTTP_AUTH_TOKEN_", "Bearer ")] {
        let name = format!("{name}{host}");
        if let Some(value) = secret(&name)? {
            return Ok(Some(("authorization".to_owned(), format!("{before}{}", one_line(&name, value)?))));
        }
    }
    Ok(None)
}

fn keep(url: &str, mut download: Download, into: &Path, most: u64) -> Result<Fetched> {
    let failed = |error| Error::system(into.display(), error);
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(into).map_err(failed)?;
    let sha256 = copy(url, &mut download, &mut file, most)?;
    let (modified, etag) = (download.modified(), download.etag().map(ToOwned::to_owned));
    if let Some(modified) = modified {
        file.set_modified(modified).map_err(failed)?;
    }
    Ok(Fetched { file: into.to_owned(), sha256, modified, etag })
}

fn copy(url: &str, from: &mut Download, to: &mut File, most: u64) -> Result<[u8; 32]> {
    let mut context = Context::new(&SHA256);
    let mut piece = vec![0; 64 << 10];
    let mut bytes = 0_u64;
    loop {
        let count = from.read(&mut piece).map_err(|error| Error::system(shown(url), error))?;
        if count == 0 {
            break;
        }
        bytes += count as u64;
        if bytes > most {
            return Err(Error::invalid(format!("{}: it has more than {most} bytes", shown(url))));
        }
        context.update(&piece[..count]);
        to.write_all(&piece[..count]).map_err(|error| Error::system("a file that is fetched", error))?;
    }
    let mut sum = [0; 32];
    sum.copy_from_slice(context.finish().as_ref());
    Ok(sum)
}

#[cfg(test)]
mod tests;
