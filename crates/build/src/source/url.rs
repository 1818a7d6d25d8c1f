//! Addresses by their parts (RFC 3986), as Go's `net/url` takes them apart: what it makes of an address stands in operations,
//! whose digests are to be the same. Pure.

use super::printable;

/// `scheme://[user@]host[:port]/path?query#fragment`
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Address {
    /// In lower case.
    pub(super) scheme: String,
    /// What stands before the `@`, as it is written.
    pub(super) user: Option<String>,
    /// With the port.
    pub(super) host: String,
    /// As it is written, or encoded if what is written cannot stand in an address.
    pub(super) path: String,
    /// The path that this means.
    pub(super) decoded_path: String,
    /// As it is written.
    pub(super) query: String,
    /// What it means.
    pub(super) fragment: String,
}

impl Address {
    /// None if it is none.
    pub(super) fn parse(text: &str) -> Option<Address> {
        if text.chars().any(char::is_control) {
            return None;
        }
        let (scheme, rest) = text.split_once("://")?;
        let is_scheme = !scheme.is_empty() && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric());
        let (rest, fragment) = rest.split_once('#').unwrap_or((rest, ""));
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let slash = rest.find('/').unwrap_or(rest.len());
        let (authority, path) = rest.split_at(slash);
        let (user, host) = match authority.rsplit_once('@') {
            Some((user, host)) => (Some(user), host),
            None => (None, authority),
        };
        if !is_scheme || !is_host(host) || !user.is_none_or(is_user) {
            return None;
        }
        let decoded_path = decoded(path, false)?;
        let path = if path.bytes().all(stays) { path.to_owned() } else { encoded(&decoded_path) };
        Some(Address {
            scheme: scheme.to_ascii_lowercase(),
            user: user.map(ToOwned::to_owned),
            host: host.to_owned(),
            path,
            decoded_path,
            query: query.to_owned(),
            fragment: decoded(fragment, false)?,
        })
    }

    /// Name and password, as they are meant.
    pub(super) fn credentials(&self) -> Option<(String, String)> {
        let user = self.user.as_deref()?;
        let (name, password) = user.split_once(':').unwrap_or((user, ""));
        Some((decoded(name, false)?, decoded(password, false)?))
    }

    /// The address without what stands after its path, and with nobody's password.
    pub(super) fn without_credentials(&self) -> String {
        format!("{}://{}{}", self.scheme, self.host, self.path)
    }

    /// The same with whoever it names.
    pub(super) fn remote(&self) -> String {
        let user = self.user.as_ref().map(|user| format!("{user}@")).unwrap_or_default();
        format!("{}://{user}{}{}", self.scheme, self.host, self.path)
    }
}

/// Names and numbers; no host begins as an option does (CVE-2017-1000117).
fn is_host(host: &str) -> bool {
    let (name, port) = match host.rfind(']') {
        Some(end) => (&host[..=end], host[end + 1..].strip_prefix(':').or(Some("")).filter(|_| host.starts_with('['))),
        None => match host.split_once(':') {
            Some((name, port)) => (name, Some(port)),
            None => (host, Some("")),
        },
    };
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~[]:".contains(&byte) || !byte.is_ascii();
    !name.is_empty()
        && !name.starts_with('-')
        && name.bytes().all(is_name)
        && port.is_some_and(|port| port.bytes().all(|byte| byte.is_ascii_digit()))
}

fn is_user(user: &str) -> bool {
    let stays = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:~!$&'()*+,;=%@".contains(&byte);
    !user.starts_with('-') && user.bytes().all(stays) && decoded(user, false).is_some()
}

/// Whether a byte of a path may stand as it is written.
fn stays(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-_.~$&+,/:;=@!'()*[]%".contains(&byte)
}

fn encoded(path: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~$&+,/:;=@".contains(&byte);
    path.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

/// What percent signs stand for; None for what they cannot, and for what is no text then.
fn decoded(text: &str, plus_is_space: bool) -> Option<String> {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => {
                let digit =
                    |byte: Option<u8>| char::from(byte?).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
                digit(rest.next())? << 4 | digit(rest.next())?
            }
            b'+' if plus_is_space => b' ',
            byte => byte,
        });
    }
    String::from_utf8(bytes).ok().filter(|text| !text.chars().any(char::is_control))
}

/// What a query says, in its order; None if it is no query.
pub(super) fn query(text: &str) -> Option<Vec<(String, String)>> {
    let parts = text.split('&').filter(|part| !part.is_empty());
    let pair = |part: &str| {
        let (key, value) = part.split_once('=').unwrap_or((part, ""));
        let is_pair = !part.contains(';');
        decoded(key, true).zip(decoded(value, true)).filter(|_| is_pair)
    };
    parts.map(pair).collect()
}

/// An address without the name and the password that may be in it; what is no address stays as it is.
pub(crate) fn without_credentials(address: &str) -> String {
    let Some((scheme, rest)) = address.split_once("://") else { return address.to_owned() };
    let (host, path) = rest.find(['/', '?', '#']).map_or((rest, ""), |end| rest.split_at(end));
    let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
    format!("{scheme}://{host}{path}")
}

/// An address for people: nobody's password.
pub(super) fn shown(text: &str) -> String {
    let hidden = text.split_once("://").and_then(|(scheme, rest)| {
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (user, host) = rest[..end].rsplit_once('@')?;
        // A token may stand where the name does, but of ssh it is one.
        let user = if scheme == "ssh" { user.split(':').next().unwrap_or_default() } else { "***" };
        Some(format!("{scheme}://{user}@{host}{}", &rest[end..]))
    });
    printable(&hidden.unwrap_or_else(|| text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts() {
        let address = Address::parse("HTTPS://u:p%40@h.example:8443/a%20b/c.git?x=1#r:d%2Fe").expect("it is one");
        assert_eq!((address.scheme.as_str(), address.host.as_str()), ("https", "h.example:8443"));
        assert_eq!(address.credentials(), Some(("u".to_owned(), "p@".to_owned())));
        assert_eq!((address.path.as_str(), address.decoded_path.as_str()), ("/a%20b/c.git", "/a b/c.git"));
        assert_eq!((address.query.as_str(), address.fragment.as_str()), ("x=1", "r:d/e"));
        assert_eq!(address.without_credentials(), "https://h.example:8443/a%20b/c.git");
        assert_eq!(address.remote(), "https://u:p%40@h.example:8443/a%20b/c.git");
        let written = Address::parse("https://h/a b/ä").expect("it is one");
        assert_eq!(written.path, "/a%20b/%C3%A4");
        assert_eq!(Address::parse("http://[::1]:80/x").expect("it is one").host, "[::1]:80");
    }

    #[test]
    fn what_is_none() {
        for text in [
            "h/a",
            "://h/a",
            "a b://h/",
            "https:///a",
            "https://h:x/a",
            "https://-oProxyCommand=x/a",
            "https://-u@h/a",
            "https://h/%",
            "https://h/%zz",
            "https://h/a%00",
            "https://h/a\nb",
            "https://h h/a",
            "https://h/#%f",
            "https://]/",
            "https://h/%ff",
        ] {
            assert_eq!(Address::parse(text), None, "{text}");
        }
    }

    #[test]
    fn queries() {
        let pairs = |text: &str| {
            query(text).map(|pairs| pairs.into_iter().map(|(a, b)| format!("{a}={b}")).collect::<Vec<_>>())
        };
        assert_eq!(pairs("a=1&b&c=x+y%2Bz&&").as_deref(), Some(&["a=1", "b=", "c=x y+z"].map(str::to_owned)[..]));
        assert_eq!((pairs("a=1;b=2"), pairs("a=%")), (None, None));
        assert_eq!(pairs(""), Some(Vec::new()));
    }

    #[test]
    fn addresses_lose_their_passwords() {
        for (address, expected) in [
            ("https://me:word@host/a.git#main", "https://host/a.git#main"),
            ("https://host/a@b", "https://host/a@b"),
            ("git://me@host", "git://host"),
            ("no address", "no address"),
        ] {
            assert_eq!(without_credentials(address), expected);
        }
    }
}
