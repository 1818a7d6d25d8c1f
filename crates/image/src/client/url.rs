//! URLs: which origin one belongs to (credentials stay within it), where a redirect leads, and what may go
//! unencrypted. Pure.

use std::fmt;
use std::net::IpAddr;

use http::Uri;

use crate::error::{Error, ErrorKind, Result, printable};

/// Scheme, host and port: what credentials are bound to.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Origin {
    pub(crate) encrypted: bool,
    /// Lower case; IPv6 in brackets.
    pub(crate) host: String,
    pub(crate) port: u16,
}

impl Origin {
    pub(crate) fn of(url: &Uri) -> Result<Self> {
        let refuse = |why: &str| Error::new(ErrorKind::Invalid, format!("URL {:?} {why}", printable(&url.to_string())));
        let encrypted = match url.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            _ => return Err(refuse("is neither http nor https")),
        };
        let authority = url.authority().ok_or_else(|| refuse("has no host"))?;
        if authority.as_str().contains('@') {
            return Err(refuse("carries a user name"));
        }
        let port = authority.port_u16().unwrap_or(if encrypted { 443 } else { 80 });
        let host = authority.host().to_ascii_lowercase();
        if host.is_empty() {
            return Err(refuse("has no host"));
        }
        Ok(Self { encrypted, host, port })
    }

    /// `host[:port]` as in names of images, for people and for /etc/docker/certs.d.
    pub(crate) fn authority(&self) -> String {
        let usual = if self.encrypted { 443 } else { 80 };
        if self.port == usual { self.host.clone() } else { format!("{}:{}", self.host, self.port) }
    }

    /// Whether nobody but this host hears what is sent: `localhost`, 127.0.0.0/8, `::1`.
    pub(crate) fn is_loopback(&self) -> bool {
        is_loopback(&self.host)
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}:{}", self.host, self.port)
    }
}

/// Whether `host` (without port) is this host.
pub(crate) fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost") || bare.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// The host in `host[:port]`, brackets kept.
pub(crate) fn host_of(authority: &str) -> &str {
    match authority.rfind(']') {
        Some(end) => &authority[..=end],
        None => authority.split(':').next().unwrap_or(authority),
    }
}

/// Where `location`, answered by `base`, leads (RFC 3986, section 5.2, without dot segments: servers resolve those).
pub(crate) fn redirect(base: &Uri, location: &str) -> Result<Uri> {
    let bad = || Error::new(ErrorKind::Invalid, format!("redirect to {:?}, which is no URL", printable(location)));
    let location = location.trim().split('#').next().unwrap_or_default();
    let scheme = base.scheme_str().unwrap_or("https");
    let authority = base.authority().map_or("", |authority| authority.as_str());
    let absolute = if location.contains("://") && !location.starts_with(['/', '?']) {
        location.to_owned()
    } else if location.starts_with("//") {
        format!("{scheme}:{location}")
    } else if location.starts_with('/') {
        format!("{scheme}://{authority}{location}")
    } else if location.starts_with('?') {
        format!("{scheme}://{authority}{}{location}", base.path())
    } else if location.is_empty() {
        return Err(bad());
    } else {
        let directory = base.path().rsplit_once('/').map_or("", |(directory, _)| directory);
        format!("{scheme}://{authority}{directory}/{location}")
    };
    let url: Uri = absolute.parse().map_err(|_| bad())?;
    Origin::of(&url).map(|_| url)
}

/// `text` as one value of a query string or form.
pub(crate) fn encode(text: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b'~');
    text.bytes().map(|b| if plain(b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn redirects_are_resolved_against_the_request() {
        let base: Uri = "https://r.example:5000/v2/a/blobs/x?y=z".parse().expect("a URL");
        for (location, expected) in [
            ("https://cdn.example/b", Some("https://cdn.example/b")),
            ("http://cdn.example:80/b?c=//d", Some("http://cdn.example:80/b?c=//d")),
            ("//cdn.example/b", Some("https://cdn.example/b")),
            ("/b?c", Some("https://r.example:5000/b?c")),
            ("b", Some("https://r.example:5000/v2/a/blobs/b")),
            ("?q", Some("https://r.example:5000/v2/a/blobs/x?q")),
            ("/b#fragment", Some("https://r.example:5000/b")),
            ("", None),
            ("ftp://x/", None),
            ("file:///etc/passwd", None),
            ("https://user:secret@x/", None),
            ("https://", None),
            ("https://x y/", None),
        ] {
            assert_eq!(redirect(&base, location).ok().map(|url| url.to_string()).as_deref(), expected, "{location}");
        }
    }

    #[test]
    fn origins_and_loopback() {
        for (url, authority, loopback) in [
            ("https://R.example/", "r.example", false),
            ("https://r.example:443/", "r.example", false),
            ("http://r.example:443/", "r.example:443", false),
            ("http://[::1]:5000/", "[::1]:5000", true),
            ("http://127.8.9.1/", "127.8.9.1", true),
            ("http://localhost:1/", "localhost:1", true),
            ("http://localhost.example/", "localhost.example", false),
            ("http://127.0.0.1.example/", "127.0.0.1.example", false),
        ] {
            let origin = Origin::of(&url.parse().expect("a URL")).expect("an origin");
            assert_eq!((origin.authority().as_str(), origin.is_loopback()), (authority, loopback), "{url}");
        }
        assert_eq!((host_of("[::1]:5000"), host_of("a:1"), host_of("a")), ("[::1]", "a", "a"));
    }

    proptest! {
        #[test]
        fn any_location_is_resolved_or_refused(location in "\\PC{0,60}|(https?://|//|/|\\?|#|@|\\.\\.|x|:){0,12}") {
            let base: Uri = "https://r.example/v2/".parse().expect("a URL");
            if let Ok(url) = redirect(&base, &location) {
                prop_assert!(Origin::of(&url).is_ok());
            }
        }
    }
}
