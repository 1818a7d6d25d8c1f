//! Paths of contexts and images: joined and cleaned by their text alone, because nothing of them is there yet.

/// The path without what means nothing; an absolute one never leads above its root, and nothing is `.`.
pub fn clean(path: &str) -> String {
    let is_absolute = path.starts_with('/');
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => drop(parts.pop()),
            ".." if is_absolute => {}
            part => parts.push(part),
        }
    }
    match (is_absolute, parts.is_empty()) {
        (true, _) => format!("/{}", parts.join("/")),
        (false, true) => ".".to_owned(),
        (false, false) => parts.join("/"),
    }
}

/// A path as it is seen from a directory.
pub fn below(directory: &str, path: &str) -> String {
    if path.starts_with('/') { clean(path) } else { clean(&format!("/{directory}/{path}")) }
}

/// The same for a destination, whose end says whether it is a directory.
pub fn destination(directory: &str, path: &str) -> String {
    let path = if matches!(path, "" | ".") { "./" } else { path };
    let mut whole = below(directory, path);
    if path.ends_with('/') && !whole.ends_with('/') {
        whole.push('/');
    } else if path.ends_with("/.") {
        if whole != "/" {
            whole.push('/');
        }
        whole.push('.');
    }
    whole
}

/// What stands after the last slash.
pub fn base(path: &str) -> String {
    clean(path).rsplit('/').next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths() {
        for (path, expected) in [("/a/../../b/", "/b"), ("a/./b//c", "a/b/c"), ("../a", "../a"), ("", "."), ("/", "/")]
        {
            assert_eq!(clean(path), expected, "{path}");
        }
        for (path, expected) in [("a", "/w/a"), ("/a", "/a"), ("..", "/"), ("", "/w")] {
            assert_eq!(below("/w", path), expected, "{path}");
        }
        let cases =
            [("a", "/w/a"), ("a/", "/w/a/"), (".", "/w/"), ("", "/w/"), ("/a/.", "/a/."), ("/.", "/."), ("/", "/")];
        for (path, expected) in cases {
            assert_eq!(destination("/w", path), expected, "{path}");
        }
        assert_eq!((base("/a/b/"), base("/")), ("b".to_owned(), String::new()));
    }
}
