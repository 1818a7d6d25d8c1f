//! Docker's `config.json`, written: what docker and others have in it stays, only the entry of one registry changes. The new
//! file takes the old one's place by a rename; it is readable by its owner only, who stays the same.

use std::fs::{self, File};
use std::io::{ErrorKind as IoErrorKind, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, fchown};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use rustix::fs::{FlockOperation, flock};
use serde_json::{Map, Value, json};

use crate::auth::credentials::{ConfigFile, Credentials, CredentialsSource, names, read_file, server_key};
use crate::auth::helper;
use crate::error::{Error, ErrorKind, Result, printable};

/// Where credentials are kept now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kept {
    /// In this file, where whoever can read it can read them.
    File(PathBuf),
    /// With this helper.
    Helper(String),
}

/// The file that logging in and out changes.
pub(crate) struct CredentialsFile {
    path: PathBuf,
}

impl CredentialsFile {
    pub(crate) fn of(source: &CredentialsSource) -> Result<Self> {
        let none = || Error::new(ErrorKind::Credentials, "there is no file for credentials: HOME is not set");
        let path = source.config_file().ok_or_else(none)?;
        // A link is followed, so that the file it leads to is replaced and not the link.
        Ok(Self { path: fs::canonicalize(&path).unwrap_or(path) })
    }

    /// Keeps `credentials` for `domain`. `username` is whose identity token it is.
    pub(crate) fn store(&self, domain: &str, username: Option<&str>, credentials: &Credentials) -> Result<Kept> {
        let key = server_key(domain);
        let helper = self.helper(domain)?;
        if let Some(helper) = &helper {
            helper::store(helper, key, credentials)?;
        }
        let entry = if helper.is_some() { json!({}) } else { entry(username, credentials) };
        self.change(|file| {
            let auths = auths(file, &self.path)?;
            // Another spelling of the same registry would be found as well.
            auths.retain(|other, _| !names(other, domain));
            auths.insert(key.to_owned(), entry);
            Ok(true)
        })?;
        Ok(helper.map_or_else(|| Kept::File(self.path.clone()), Kept::Helper))
    }

    /// Forgets what is kept for `domain`; whether there was anything.
    pub(crate) fn erase(&self, domain: &str) -> Result<bool> {
        if !self.path.exists() {
            return Ok(false);
        }
        let helper = self.helper(domain)?;
        let mut known = false;
        if let Some(helper) = helper {
            known = helper::get(&helper, server_key(domain))?.is_some();
            if known {
                helper::erase(&helper, server_key(domain))?;
            }
        }
        self.change(|file| {
            let auths = auths(file, &self.path)?;
            let before = auths.len();
            auths.retain(|key, _| !names(key, domain));
            known |= auths.len() < before;
            Ok(auths.len() < before)
        })?;
        Ok(known)
    }

    /// The helper that keeps the credentials of `domain`, if the file names one.
    fn helper(&self, domain: &str) -> Result<Option<String>> {
        let file: Option<ConfigFile> = read_file(&self.path)?;
        Ok(file.and_then(|file| file.helper(domain).map(str::to_owned)))
    }

    /// Changes the file under a lock, so that of two who log in at once both are in it. `change` says whether it did.
    fn change(&self, change: impl FnOnce(&mut Map<String, Value>) -> Result<bool>) -> Result<()> {
        let directory = self.path.parent().unwrap_or(Path::new("/"));
        let io = |what: &str, error: std::io::Error| self.unusable(&format!("{what}: {error}"));
        if !directory.exists() {
            let mut builder = fs::DirBuilder::new();
            std::os::unix::fs::DirBuilderExt::mode(builder.recursive(true), 0o700);
            builder.create(directory).map_err(|error| io("making its directory", error))?;
        }
        let lock = File::open(directory).map_err(|error| io("opening its directory", error))?;
        flock(&lock, FlockOperation::LockExclusive).map_err(|errno| io("locking its directory", errno.into()))?;
        let mut file = self.read()?;
        if !change(&mut file)? {
            return Ok(());
        }
        self.write(directory, &file).map_err(|error| io("writing", error))?;
        // The rename itself.
        lock.sync_all().map_err(|error| io("syncing its directory", error))
    }

    fn read(&self) -> Result<Map<String, Value>> {
        let bytes = match fs::read(&self.path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == IoErrorKind::NotFound => return Ok(Map::new()),
            Err(error) => return Err(self.unusable(&error.to_string())),
        };
        if bytes.iter().all(u8::is_ascii_whitespace) {
            return Ok(Map::new());
        }
        serde_json::from_slice(&bytes).map_err(|error| self.unusable(&error.to_string()))
    }

    fn write(&self, directory: &Path, file: &Map<String, Value>) -> std::io::Result<()> {
        let name = format!(".config.json.{}", std::process::id());
        let temporary = directory.join(name);
        // What a process of the same number left behind when it was killed.
        let _absent = fs::remove_file(&temporary);
        let mut text = Vec::new();
        let formatter = serde_json::ser::PrettyFormatter::with_indent(b"\t");
        let mut serializer = serde_json::Serializer::with_formatter(&mut text, formatter);
        serde::Serialize::serialize(file, &mut serializer)?;
        let write = || {
            let mut out = File::options().write(true).create_new(true).mode(0o600).open(&temporary)?;
            out.write_all(&text)?;
            self.keep_owner(directory, &out)?;
            out.sync_all()?;
            fs::rename(&temporary, &self.path)
        };
        write().inspect_err(|_| {
            let _gone = fs::remove_file(&temporary);
        })
    }

    /// Under `sudo -E` the file is that of whoever called it: it stays theirs, or they could no longer read it. A first file
    /// goes to the owner of its directory.
    fn keep_owner(&self, directory: &Path, out: &File) -> std::io::Result<()> {
        let is_absent = |error: &std::io::Error| error.kind() == IoErrorKind::NotFound;
        let old = match fs::metadata(&self.path) {
            Err(error) if is_absent(&error) => fs::metadata(directory)?,
            old => old?,
        };
        let new = out.metadata()?;
        if (old.uid(), old.gid()) == (new.uid(), new.gid()) {
            return Ok(());
        }
        match fchown(out, Some(old.uid()), Some(old.gid())) {
            // Only root can give files away; whoever else may write here keeps it.
            Err(error) if error.kind() == IoErrorKind::PermissionDenied => Ok(()),
            given => given,
        }
    }

    fn unusable(&self, why: &str) -> Error {
        Error::new(ErrorKind::Credentials, format!("credentials file {}: {why}", self.path.display()))
    }
}

/// The object of all registries, made if it is not there.
fn auths<'a>(file: &'a mut Map<String, Value>, path: &Path) -> Result<&'a mut Map<String, Value>> {
    let auths = file.entry("auths").or_insert_with(|| json!({}));
    if auths.is_null() {
        *auths = json!({});
    }
    auths.as_object_mut().ok_or_else(|| {
        Error::new(ErrorKind::Credentials, format!("credentials file {}: auths is no object", path.display()))
    })
}

fn entry(username: Option<&str>, credentials: &Credentials) -> Value {
    match credentials {
        Credentials::Password { username, password } => {
            json!({ "auth": BASE64.encode(format!("{username}:{password}")) })
        }
        Credentials::Identity(token) => {
            json!({ "auth": BASE64.encode(format!("{}:", printable(username.unwrap_or_default()))), "identitytoken": token })
        }
        Credentials::Bearer(token) => json!({ "registrytoken": token }),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn password(word: &str) -> Credentials {
        Credentials::Password { username: "joe".to_owned(), password: word.to_owned() }
    }

    #[test]
    fn what_others_keep_in_the_file_stays() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("config.json");
        let source = CredentialsSource::Directory(directory.path().to_owned());
        let before = r#"{"HttpHeaders":{"X":"y"},"auths":{"a.example":{"auth":"am9lOm9sZA=="},"https://r.example/v2/":{"auth":"am9lOm9sZA=="}},"n":1.5}"#;
        fs::write(&path, before).expect("a writable directory");
        let file = CredentialsFile::of(&source).expect("there is one");
        assert_eq!(file.store("r.example", None, &password("new")).expect("is kept"), Kept::File(path.clone()));
        assert_eq!(fs::metadata(&path).expect("is there").permissions().mode() & 0o777, 0o600);
        assert_eq!(source.find("r.example").expect("is read"), Some(password("new")));
        assert_eq!(source.find("a.example").expect("is read"), Some(password("old")));
        assert!(file.erase("r.example").expect("is changed"));
        assert!(!file.erase("r.example").expect("is left alone"));
        let after: Value = serde_json::from_slice(&fs::read(&path).expect("is there")).expect("is JSON");
        let expected = json!({ "HttpHeaders": {"X": "y"}, "auths": {"a.example": {"auth": "am9lOm9sZA=="}}, "n": 1.5 });
        assert_eq!(after, expected);
        assert_eq!(fs::read_dir(directory.path()).expect("is there").count(), 1, "something is left");
    }

    #[test]
    fn whose_the_file_was_it_stays() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("config.json");
        let source = CredentialsSource::Directory(directory.path().to_owned());
        let file = CredentialsFile::of(&source).expect("there is one");
        let look = || fs::metadata(&path).map(|found| (found.uid(), found.gid())).expect("it is there");
        // Only root can give it away.
        let given = std::os::unix::fs::chown(directory.path(), Some(1234), Some(2345)).is_ok();
        file.store("r.example", None, &password("first")).expect("is kept");
        let directory = fs::metadata(directory.path()).expect("it is there");
        assert_eq!(look(), (directory.uid(), directory.gid()));
        if given {
            std::os::unix::fs::chown(&path, Some(3456), Some(4567)).expect("root can");
        }
        let before = look();
        file.store("r.example", None, &password("second")).expect("is kept");
        assert_eq!(look(), before);
    }

    #[test]
    fn an_identity_token_is_found_again() {
        let directory = tempfile::tempdir().expect("a directory");
        let source = CredentialsSource::Directory(directory.path().join("not/there/yet"));
        let file = CredentialsFile::of(&source).expect("there is one");
        let token = Credentials::Identity("token".to_owned());
        file.store("docker.io", Some("joe"), &token).expect("is kept");
        assert_eq!(source.find("index.docker.io").expect("is read"), Some(token));
        assert!(file.erase("docker.io").expect("is changed"));
        assert_eq!(source.find("docker.io").expect("is read"), None);
    }

    #[test]
    fn a_broken_file_is_left_as_it_is() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("config.json");
        let source = CredentialsSource::Directory(directory.path().to_owned());
        for broken in ["{", "[]", r#"{"auths":7}"#] {
            fs::write(&path, broken).expect("a writable directory");
            let file = CredentialsFile::of(&source).expect("there is one");
            let error = file.store("r.example", None, &password("secret")).expect_err(broken);
            assert_eq!(error.kind(), ErrorKind::Credentials);
            assert_eq!(fs::read_to_string(&path).expect("is there"), broken);
        }
    }
}
