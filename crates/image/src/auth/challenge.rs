//! What a 401 demands: the `WWW-Authenticate` header. Parses only; the text is a stranger's.
//!
//! RFC 9110, section 11.6.1; distribution's token authentication specification.

/// A demand this client can meet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Challenge {
    /// User name and password with every request.
    Basic,
    /// A token from the server at `realm`.
    Bearer { realm: String, service: Option<String>, scope: Option<String> },
}

/// All demands that can be met in the values of `WWW-Authenticate`; whatever does not parse ends its value.
pub(crate) fn parse<'a>(values: impl Iterator<Item = &'a str>) -> Vec<Challenge> {
    values.flat_map(|value| Scanner { rest: value }.challenges()).collect()
}

struct Scanner<'a> {
    rest: &'a str,
}

impl<'a> Scanner<'a> {
    fn challenges(mut self) -> Vec<Challenge> {
        let mut found = Vec::new();
        while let Some(scheme) = self.scheme() {
            let parameters = self.parameters();
            let get = |name: &str| {
                parameters.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.clone())
            };
            if scheme.eq_ignore_ascii_case("basic") {
                found.push(Challenge::Basic);
            } else if let (true, Some(realm)) = (scheme.eq_ignore_ascii_case("bearer"), get("realm")) {
                found.push(Challenge::Bearer { realm, service: get("service"), scope: get("scope") });
            }
        }
        found
    }

    fn scheme(&mut self) -> Option<&'a str> {
        self.rest = self.rest.trim_start_matches([' ', '\t', ',']);
        self.token()
    }

    fn token(&mut self) -> Option<&'a str> {
        let end = self.rest.find(|c: char| !is_token_char(c)).unwrap_or(self.rest.len());
        let (token, rest) = self.rest.split_at(end);
        self.rest = rest;
        (!token.is_empty()).then_some(token)
    }

    /// `key=value` pairs up to the next scheme: a token that no `=` follows.
    fn parameters(&mut self) -> Vec<(&'a str, String)> {
        let mut found = Vec::new();
        loop {
            let before = self.rest;
            self.rest = self.rest.trim_start_matches([' ', '\t', ',']);
            let Some(key) = self.token() else { return found };
            let Some(rest) = self.rest.trim_start().strip_prefix('=') else {
                self.rest = before;
                return found;
            };
            self.rest = rest.trim_start();
            let Some(value) = self.value() else {
                self.rest = "";
                return found;
            };
            found.push((key, value));
        }
    }

    fn value(&mut self) -> Option<String> {
        let Some(quoted) = self.rest.strip_prefix('"') else { return self.token().map(str::to_owned) };
        let mut value = String::new();
        let mut chars = quoted.char_indices();
        while let Some((at, c)) = chars.next() {
            match c {
                '"' => {
                    self.rest = &quoted[at + 1..];
                    return Some(value);
                }
                '\\' => value.push(chars.next()?.1),
                c => value.push(c),
            }
        }
        None
    }
}

fn is_token_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Challenge, parse};

    fn bearer(realm: &str, service: Option<&str>, scope: Option<&str>) -> Challenge {
        Challenge::Bearer {
            realm: realm.to_owned(),
            service: service.map(str::to_owned),
            scope: scope.map(str::to_owned),
        }
    }

    #[test]
    fn what_registries_send() {
        let hub =
            bearer("https://auth.docker.io/token", Some("registry.docker.io"), Some("repository:library/alpine:pull"));
        for (values, expected) in [
            (
                &[
                    "Bearer realm=\"https://auth.docker.io/token\",service=\"registry.docker.io\",scope=\"repository:library/alpine:pull\"",
                ][..],
                vec![hub],
            ),
            (&["Basic realm=\"Registry Realm\""], vec![Challenge::Basic]),
            (&["basic"], vec![Challenge::Basic]),
            (&["bearer REALM = x , Service=y"], vec![bearer("x", Some("y"), None)]),
            (&["Bearer realm=\"a,b\\\"c\""], vec![bearer("a,b\"c", None, None)]),
            (&["Negotiate", "Basic realm=x"], vec![Challenge::Basic]),
            (
                &["Basic realm=\"x\", Bearer realm=\"y\",scope=\"a b\""],
                vec![Challenge::Basic, bearer("y", None, Some("a b"))],
            ),
            (&["Digest realm=x, nonce=\"1\", Basic"], vec![Challenge::Basic]),
            (&["Bearer service=x"], vec![]),
            (&["Bearer realm=\"never closed"], vec![]),
            (&["", ",,,", "===", "\"\""], vec![]),
        ] {
            assert_eq!(parse(values.iter().copied()), expected, "{values:?}");
        }
    }

    proptest! {
        #[test]
        fn any_text_ends(text in "\\PC{0,200}") {
            parse(std::iter::once(text.as_str()));
        }

        #[test]
        fn near_challenges_end(text in "(Basic|Bearer|realm|=|\"|,| |\\\\|x){0,40}") {
            parse(std::iter::once(text.as_str()));
        }
    }
}
