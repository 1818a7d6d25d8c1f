//! Docker's credentials file: what is found for which registry, and that secrets stay out of messages.

use base64::Engine as _;
use proptest::prelude::*;

use super::{BASE64, ConfigFile, Credentials, CredentialsSource};
use crate::ErrorKind;

fn password(username: &str, password: &str) -> Credentials {
    Credentials::Password { username: username.to_owned(), password: password.to_owned() }
}

fn find(file: &str, domain: &str) -> crate::Result<Option<Credentials>> {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("config.json");
    std::fs::write(&path, file).expect("a writable directory");
    CredentialsSource::File(path).find(domain)
}

#[test]
fn entries_are_found_under_every_spelling_of_a_registry() {
    let auth = |text: &str| format!(r#"{{"auth":"{}"}}"#, BASE64.encode(text));
    let hub = format!(r#"{{"auths":{{"https://index.docker.io/v1/":{}}}}}"#, auth("joe:s:e"));
    let own = format!(
        r#"{{"auths":{{"https://r.example:5000/v2/":{},"r.example:5000":{},"other":null,"empty":{{}}}}}}"#,
        auth("old:x"),
        auth("new:y")
    );
    let tokens = r#"{"auths":{"a":{"identitytoken":"i"},"b":{"registrytoken":"r","auth":"bad"},"c":{"username":"u","password":"p"}}}"#;
    let padded = format!(r#"{{"auths":{{"z":{{"auth":"{}"}}}}}}"#, BASE64.encode("u:p\0\0").trim_end_matches('='));
    for (file, domain, expected) in [
        (hub.as_str(), "docker.io", Some(password("joe", "s:e"))),
        (&hub, "index.docker.io", Some(password("joe", "s:e"))),
        (&hub, "docker.io.example", None),
        (&own, "r.example:5000", Some(password("new", "y"))),
        (&own, "R.example:5000", Some(password("new", "y"))),
        (&own, "r.example", None),
        (&own, "other", None),
        (&own, "empty", None),
        (tokens, "a", Some(Credentials::Identity("i".into()))),
        (tokens, "b", Some(Credentials::Bearer("r".into()))),
        (tokens, "c", Some(password("u", "p"))),
        (&padded, "z", Some(password("u", "p"))),
        ("{}", "docker.io", None),
        (" \n", "docker.io", None),
        (r#"{"auths":null,"credHelpers":null,"credsStore":""}"#, "docker.io", None),
        (r#"{"credHelpers":{"else.example":"missing"}}"#, "docker.io", None),
    ] {
        assert_eq!(find(file, domain).expect(file), expected, "{domain} in {file}");
    }
}

#[test]
fn unusable_files_are_named_and_secrets_are_not() {
    for (file, part) in [
        ("{", "config.json"),
        (r#"{"auths":{"docker.io":{"auth":"c2VjcmV0"}}}"#, "user:password"),
        (r#"{"auths":{"docker.io":{"auth":"!secret!"}}}"#, "base64"),
        (r#"{"credsStore":"no-such-helper-here"}"#, "docker-credential-no-such-helper-here"),
        (r#"{"credsStore":"../../bin/sh"}"#, "'/'"),
    ] {
        let error = find(file, "docker.io").expect_err(file);
        assert_eq!(error.kind(), ErrorKind::Credentials);
        assert!(error.to_string().contains(part), "{error}");
        assert!(!error.to_string().contains("secret"), "{error}");
    }
    assert!(!format!("{:?}", password("joe", "secret")).contains("secret"));
}

proptest! {
    #[test]
    fn any_file_ends(file in "\\PC{0,100}|(\\{|\\}|\"auths\"|\"auth\"|:|,|null|\"x\"){0,20}", domain in "\\PC{0,20}") {
        let parsed = serde_json::from_str::<ConfigFile>(&file).ok();
        // A helper that the file names would be run.
        if let Some(parsed) = parsed.filter(|file| file.creds_store.is_none() && file.cred_helpers.is_none()) {
            let _found = parsed.find(&domain, std::path::Path::new("x"));
        }
    }
}
