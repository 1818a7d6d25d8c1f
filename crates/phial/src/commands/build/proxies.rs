//! Proxies of docker's `config.json`, which every build is given: <https://docs.docker.com/engine/cli/proxy/>.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::Value;

/// Keys of the file, and what commands know them as, in small letters as well.
const KEYS: [(&str, &str); 5] = [
    ("httpProxy", "HTTP_PROXY"),
    ("httpsProxy", "HTTPS_PROXY"),
    ("noProxy", "NO_PROXY"),
    ("ftpProxy", "FTP_PROXY"),
    ("allProxy", "ALL_PROXY"),
];

/// A file that is larger is none of docker's.
const LARGEST: u64 = 1 << 20;

/// Adds what nobody has said otherwise. Without such a file there is nothing to add; what is wrong with it, whoever logs in is told.
pub(super) fn add(
    arguments: &mut BTreeMap<String, String>,
    directory: Option<&Path>,
    environment: &dyn Fn(&str) -> Option<String>,
) {
    let usual = || {
        let of_variable = environment("DOCKER_CONFIG").filter(|path| !path.is_empty()).map(PathBuf::from);
        of_variable.or_else(|| environment("HOME").map(|home| Path::new(&home).join(".docker")))
    };
    let Some(path) = directory.map(Path::to_owned).or_else(usual).map(|found| found.join("config.json")) else {
        return;
    };
    let is_small = std::fs::metadata(&path).is_ok_and(|found| found.is_file() && found.len() <= LARGEST);
    let Some(text) = is_small.then(|| std::fs::read(&path).ok()).flatten() else { return };
    for (name, value) in proxies(&text) {
        let is_said = arguments.keys().any(|known| known.eq_ignore_ascii_case(&name));
        if !is_said {
            arguments.insert(name.to_ascii_lowercase(), value.clone());
            arguments.insert(name, value);
        }
    }
}

/// The proxies in such a file, those of every daemon.
fn proxies(text: &[u8]) -> Vec<(String, String)> {
    let Ok(file) = serde_json::from_slice::<Value>(text) else { return Vec::new() };
    let of_all = &file["proxies"]["default"];
    let value = |key: &str| of_all[key].as_str().filter(|value| !value.is_empty());
    KEYS.iter().filter_map(|(key, name)| value(key).map(|value| ((*name).to_owned(), value.to_owned()))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_has_said_is_added() {
        let directory = tempfile::tempdir().expect("a directory");
        let text = r#"{"proxies":{"default":{"httpProxy":"http://p:1","noProxy":"a,b","httpsProxy":""}}}"#;
        std::fs::write(directory.path().join("config.json"), text).expect("room");
        let mut arguments = BTreeMap::from([("no_proxy".to_owned(), "own".to_owned())]);
        add(&mut arguments, Some(directory.path()), &|_| None);
        let expected = [("HTTP_PROXY", "http://p:1"), ("http_proxy", "http://p:1"), ("no_proxy", "own")];
        assert_eq!(arguments, expected.map(|(name, value)| (name.to_owned(), value.to_owned())).into());
        for nothing in ["", "[]", "{\"proxies\":7}"] {
            assert!(proxies(nothing.as_bytes()).is_empty(), "{nothing}");
        }
    }
}
