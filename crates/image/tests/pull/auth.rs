//! Credentials: what is sent for which challenge, and to whom it is never sent.

use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use image::{Credentials, CredentialsSource, ErrorKind, PullOptions, pull};

use crate::content::{Image, Place, options};
use crate::server::{Answer, Asked, Server, is_blob};

/// `user:secret`
const BASIC: &str = "Basic dXNlcjpzZWNyZXQ=";

fn with(credentials: Credentials) -> PullOptions {
    PullOptions { credentials: CredentialsSource::Given(credentials), ..options() }
}

fn user() -> Credentials {
    Credentials::Password { username: "user".to_owned(), password: "secret".to_owned() }
}

fn demand(challenge: &str) -> Answer {
    Answer::new(401, r#"{"errors":[{"code":"UNAUTHORIZED","message":"authentication required"}]}"#)
        .with("WWW-Authenticate", challenge)
}

/// A registry that wants `expected` in `Authorization`, and says so with `challenge`.
fn guarded(challenge: String, expected: &'static str) -> Server {
    Server::start(Image::small(), move |asked, answer| match asked.header("authorization") {
        Some(given) if given == expected => answer,
        _ => demand(&challenge),
    })
}

/// A token server that gives `T1`, then `T2`, ….
fn token_server(accepts: impl Fn(&Asked) -> bool + Send + Sync + 'static) -> (Server, Arc<AtomicUsize>) {
    let given = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&given);
    let server = Server::start(Image::default(), move |asked, _| {
        if !asked.target.starts_with("/token") {
            return Answer::new(404, "");
        }
        if !accepts(asked) {
            return Answer::new(401, r#"{"details":"incorrect username or password"}"#);
        }
        let number = counter.fetch_add(1, Ordering::SeqCst) + 1;
        let name = if asked.method == "POST" { "access_token" } else { "token" };
        Answer::new(200, format!(r#"{{"{name}":"T{number}","expires_in":300}}"#))
    });
    (server, given)
}

fn bearer(tokens: &Server) -> String {
    format!("Bearer realm=\"http://{}/token\",service=\"a service\",scope=\"repository:app:pull,push\"", tokens.host())
}

#[test]
fn basic_credentials_go_to_a_registry_that_asks_for_them() {
    let server = guarded("Basic realm=\"x\"".to_owned(), BASIC);
    let place = Place::new();
    pull(&place.store, &server.app(), &with(user()), &()).expect("the right password");
    // Not before it asked, and then every time without being asked again.
    let log = server.log();
    assert_eq!(log.iter().map(|asked| asked.header("authorization")).filter(Option::is_none).count(), 1, "{log:?}");

    let wrong = Credentials::Password { username: "user".to_owned(), password: "wrong".to_owned() };
    let error = pull(&Place::new().store, &server.app(), &with(wrong), &()).expect_err("the wrong password");
    assert_eq!(error.kind(), ErrorKind::Unauthorized);
    assert!(!error.to_string().contains("wrong"), "{error}");
    let error = pull(&Place::new().store, &server.app(), &options(), &()).expect_err("no password");
    let host = server.host();
    let expected = format!("{host}/app:latest: {host} asks for credentials, and there are none for {host}: log in");
    assert_eq!((error.kind(), error.to_string()), (ErrorKind::Unauthorized, expected));
}

#[test]
fn a_token_is_fetched_once_and_renewed_when_it_expires() {
    let (tokens, given) = token_server(|asked| asked.header("authorization").is_none());
    // T1 is good for manifests and the config, then it has expired.
    let registry = {
        let challenge = bearer(&tokens);
        Server::start(Image::small(), move |asked, answer| {
            let layer = is_blob(asked) && !answer.body.starts_with(b"{");
            let expected = if layer { "Bearer T2" } else { "Bearer T1" };
            match asked.header("authorization") {
                Some(token) if token == expected || token == "Bearer T3" => answer,
                _ => demand(&challenge),
            }
        })
    };
    let place = Place::new();
    pull(&place.store, &registry.app(), &options(), &()).expect("anonymous tokens");
    // Both layers meet the expiry at the same time; the second may find the new token or ask for one itself.
    assert!((2..=3).contains(&given.load(Ordering::SeqCst)), "{given:?}");
    let first = &tokens.log()[0];
    // Reading only, whatever the registry suggests.
    assert_eq!(first.target, "/token?service=a%20service&scope=repository%3Aapp%3Apull");
}

type Accepts = Box<dyn Fn(&Asked) -> bool + Send + Sync>;

#[test]
fn credentials_are_exchanged_for_tokens() {
    let form = "grant_type=refresh_token&client_id=phial&service=a%20service&scope=repository%3Aapp%3Apull&refresh_token=r%26f";
    let cases: [(Credentials, Accepts); 2] = [
        (
            user(),
            Box::new(|asked| asked.header("authorization") == Some(BASIC) && asked.target.ends_with("&account=user")),
        ),
        (
            Credentials::Identity("r&f".to_owned()),
            Box::new(move |asked| {
                asked.method == "POST" && asked.body == form && asked.header("authorization").is_none()
            }),
        ),
    ];
    for (credentials, accepts) in cases {
        let (tokens, given) = token_server(accepts);
        let registry = guarded(bearer(&tokens), "Bearer T1");
        pull(&Place::new().store, &registry.app(), &with(credentials), &()).expect("accepted");
        assert_eq!(given.load(Ordering::SeqCst), 1);
        // The registry itself never sees what is exchanged.
        assert!(
            registry.log().iter().all(|asked| asked.header("authorization").is_none_or(|given| given == "Bearer T1"))
        );
    }
    let (tokens, given) = token_server(|_| true);
    let registry = guarded(bearer(&tokens), "Bearer mine");
    pull(&Place::new().store, &registry.app(), &with(Credentials::Bearer("mine".to_owned())), &()).expect("accepted");
    assert_eq!(given.load(Ordering::SeqCst), 0);

    let (tokens, _) = token_server(|_| false);
    let registry = guarded(bearer(&tokens), "Bearer T1");
    let error = pull(&Place::new().store, &registry.app(), &with(user()), &()).expect_err("refused");
    assert_eq!(error.kind(), ErrorKind::Unauthorized);
    assert!(error.to_string().contains("refuses the credentials"), "{error}");
}

#[test]
fn strangers_are_told_that_it_may_be_private() {
    let (tokens, _) = token_server(|_| true);
    let registry = guarded(bearer(&tokens), "Bearer of someone else");
    let error = pull(&Place::new().store, &registry.app(), &options(), &()).expect_err("not for us");
    let host = registry.host();
    let expected = format!("{host}/app:latest: not found in {host} (or it is private: log in)");
    assert_eq!((error.kind(), error.to_string()), (ErrorKind::NotFound, expected));
}

#[test]
fn a_token_server_without_encryption_is_not_spoken_to() {
    // 192.0.2.0/24 is for documentation: were it contacted, the test would not end this soon.
    for realm in ["http://192.0.2.1/token", "http://tokens.example/", "ftp://x/", "no url", "https://user@x/"] {
        let registry = guarded(format!("Bearer realm=\"{realm}\""), "Bearer x");
        let error = pull(&Place::new().store, &registry.app(), &with(user()), &()).expect_err(realm);
        let expected = if realm.starts_with("http:") { ErrorKind::Insecure } else { ErrorKind::Invalid };
        assert_eq!(error.kind(), expected, "{error}");
    }
}

#[test]
fn answers_of_a_token_server_that_hold_no_token_are_refused() {
    for body in ["", "[]", "{}", r#"{"token":""}"#, r#"{"token":"a\r\nInjected: x"}"#, r#"{"token":7}"#] {
        let tokens = Server::start(Image::default(), move |_, _| Answer::new(200, body));
        let registry = guarded(bearer(&tokens), "Bearer x");
        let error = pull(&Place::new().store, &registry.app(), &options(), &()).expect_err(body);
        assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
        assert!(!error.to_string().contains("Injected"), "{error}");
    }
}

#[test]
fn no_other_origin_gets_the_credentials() {
    // CVE-2020-15157. The other server is another port: another origin.
    let image = Image::small();
    let stranger = Server::honest(image.clone());
    let target = stranger.host();
    let registry = Server::start(image, move |asked, answer| match asked.header("authorization") {
        Some(BASIC) if is_blob(asked) => {
            Answer::new(307, "").with("Location", format!("http://{target}{}", asked.target))
        }
        Some(BASIC) => answer,
        _ => demand("Basic realm=\"x\""),
    });
    let place = Place::new();
    pull(&place.store, &registry.app(), &with(user()), &()).expect("the stranger has the blobs");
    let log = stranger.log();
    assert_eq!(log.len(), 3);
    assert!(log.iter().all(|asked| asked.header("authorization").is_none()), "{log:?}");

    // A stranger that asks for credentials gets none, and one that sends us back does not speak for us.
    let back = Arc::new(OnceLock::new());
    let registry_host = Arc::clone(&back);
    let asking = Server::start(Image::default(), move |asked, _| match asked.before {
        0 => demand("Basic realm=\"give\""),
        _ => Answer::new(302, "")
            .with("Location", format!("http://{}/v2/app/manifests/latest", back.get().expect("set below"))),
    });
    let target = asking.host();
    let registry = Server::start(Image::small(), move |asked, answer| match asked.header("authorization") {
        Some(BASIC) if is_blob(asked) => Answer::new(302, "").with("Location", format!("http://{target}/x")),
        Some(BASIC) => answer,
        _ => demand("Basic realm=\"x\""),
    });
    registry_host.set(registry.host()).expect("set once");
    for part in ["to which no credentials are given", "does not accept the credentials"] {
        let error = pull(&Place::new().store, &registry.app(), &with(user()), &()).expect_err("no blobs");
        assert_eq!(error.kind(), ErrorKind::Unauthorized, "{error}");
        assert!(error.to_string().contains(part), "{error}");
    }
    assert_eq!(asking.log().len(), 3);
    assert!(asking.log().iter().all(|asked| asked.header("authorization").is_none()), "{:?}", asking.log());
}

#[test]
fn a_helper_is_asked_by_its_protocol() {
    let server = guarded("Basic realm=\"x\"".to_owned(), BASIC);
    let directory = tempfile::tempdir().expect("a directory");
    let helper = directory.path().join("docker-credential-test");
    let script = format!(
        "#!/bin/sh\nread -r server\n[ \"$1 $server\" = 'get {}' ] || {{ echo 'credentials not found in native keychain'; exit 1; }}\necho '{{\"ServerURL\":\"x\",\"Username\":\"user\",\"Secret\":\"secret\"}}'\n",
        server.host()
    );
    std::fs::write(&helper, script).expect("a writable directory");
    std::fs::set_permissions(&helper, std::fs::Permissions::from_mode(0o755)).expect("our own file");
    std::fs::write(directory.path().join("config.json"), r#"{"credsStore":"test"}"#).expect("a writable directory");
    // PATH and DOCKER_CONFIG are of the whole process, so another one pulls.
    let status = Command::new(std::env::current_exe().expect("this program"))
        .args(["--exact", "auth::child_pulls_with_docker_config", "--include-ignored"])
        .env("PATH", directory.path().display().to_string() + ":/usr/bin:/bin")
        .env("DOCKER_CONFIG", directory.path())
        .env("PULL_FROM", server.host())
        .status();
    assert!(status.expect("this program runs").success());
    assert!(!server.layer_requests().is_empty());
}

#[test]
#[ignore = "runs as the child of a_helper_is_asked_by_its_protocol"]
fn child_pulls_with_docker_config() {
    let Ok(host) = std::env::var("PULL_FROM") else { return };
    let reference = crate::content::reference(&format!("{host}/app"));
    let options = PullOptions { credentials: CredentialsSource::Docker, ..options() };
    pull(&Place::new().store, &reference, &options, &()).expect("the helper knows");
}
