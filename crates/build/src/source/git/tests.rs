//! Addresses, and repositories that a real server gives: `git daemon`, and a web server that knows nothing of git.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};

use tempfile::TempDir;

use super::*;
use crate::ErrorKind;

fn parse(text: &str) -> GitAddress {
    GitAddress::parse(text).expect(text).expect(text)
}

#[test]
fn addresses() {
    let shown = |text: &str| {
        let address = parse(text);
        let word = |word: &Option<String>| word.clone().unwrap_or_else(|| "-".to_owned());
        format!("{} {} {} {}", address.remote, address.place, word(&address.reference), word(&address.directory))
    };
    let cases = [
        ("https://h/a.git", "https://h/a.git h/a.git - -"),
        ("HTTP://h:80/a/b.git#v1", "http://h:80/a/b.git h:80/a/b.git v1 -"),
        ("https://u:p@h/a.git#main:d//e/.", "https://u:p@h/a.git h/a.git main d/e"),
        ("https://h/a.git#:/d", "https://h/a.git h/a.git - d"),
        ("https://h/a.git?tag=v1&subdir=d", "https://h/a.git h/a.git refs/tags/v1 d"),
        ("https://h/a.git?branch=b#refs/heads/b", "https://h/a.git h/a.git refs/heads/b -"),
        ("https://h/a.git?ref=r", "https://h/a.git h/a.git r -"),
        ("git://h/a", "git://h/a h/a - -"),
        ("ssh://git@h:22/a#r", "ssh://git@h:22/a h:22/a r -"),
        ("git@h:a/b.git#r:d", "git@h:a/b.git h/a/b.git r d"),
        ("git@h:a?ref=r", "git@h:a h/a r -"),
    ];
    for (text, expected) in cases {
        assert_eq!(shown(text), expected, "{text}");
    }
    let address = parse("https://h/a.git?keep-git-dir&submodules=0&checksum=abc&fetch-by-commit=false&mtime=commit");
    assert_eq!((address.keep_git_dir, address.submodules, address.by_commit), (Some(true), Some(false), false));
    assert_eq!((address.checksum.as_deref(), address.times), (Some("abc"), Some(address::Times::Commit)));
    assert_eq!(parse("https://u:secret@h/a.git").shown(), "https://***@h/a.git");
    let context = GitAddress::parse_context("github.com/a/b#r:d").expect("it is one").expect("it is one");
    assert_eq!((context.remote.as_str(), context.reference.as_deref()), ("https://github.com/a/b", Some("r")));
}

#[test]
fn what_is_no_address_of_a_repository() {
    for text in [
        "a",
        "./git@h:a",
        "../a.git",
        "https://h/a",
        "https://h/a.git/",
        "http://h/a.tar?x=.git",
        "file:///a.git",
        "ext::sh -c x",
        "ext::https://h/a.git",
        "fd::17/a",
        "docker-image://a.git",
        "github.com/a/b",
        "@h:a",
        "a b@h:c",
    ] {
        assert_eq!(GitAddress::parse(text).expect(text), None, "{text}");
    }
}

#[test]
fn addresses_that_cannot_be() {
    let cases = [
        ("https://h/a.git#-x", "\"-x\": it is no branch, tag or commit"),
        ("https://h/a.git#--upload-pack=x", "\"--upload-pack=x\": it is no branch, tag or commit"),
        ("https://h/a.git?ref=-x", "\"-x\": it is no branch, tag or commit"),
        ("https://h/a.git#a..b", "\"a..b\": it is no branch, tag or commit"),
        ("https://h/a.git#a*", "\"a*\": it is no branch, tag or commit"),
        ("https://h/a.git#%0a", "no address"),
        ("https://h/a.git#r:../x", "\"../x\": the directory is outside of the repository"),
        ("https://h/a.git#r:a/../..", "\"a/../..\": the directory is outside of the repository"),
        ("https://h/a.git?subdir=a/../b", "\"a/../b\": the directory is outside of the repository"),
        ("https://h/a.git?what=x", "https://h/a.git?what=x: what is no question that is asked of a repository"),
        ("https://h/a.git?ref", "https://h/a.git?ref: ref has no value"),
        ("https://h/a.git?ref=a&ref=a", "https://h/a.git?ref=a&ref=a: ref is said twice"),
        ("https://h/a.git?ref=a#b", "both b and a are asked for"),
        ("https://h/a.git?tag=a&branch=a", "both refs/tags/a and refs/heads/a are asked for"),
        ("https://h/a.git?submodules=x", "submodules=x: it is true or false"),
        ("https://h/a.git?mtime=never", "mtime=never"),
        ("https://h/a.git?commit=xyz", "\"xyz\": it is no beginning of a commit's name"),
        ("ssh://-oProxyCommand=x/a", "ssh://-oProxyCommand=x/a: it is no address of a repository"),
        ("git@-oProxyCommand=x:a", "no address"),
        ("git@h:-a", "git@h:-a: it is no address of a repository"),
        ("-o@h:a", "-o@h:a: it is no address of a repository"),
    ];
    for (text, expected) in cases {
        match GitAddress::parse(text) {
            Ok(None) => assert_eq!(expected, "no address", "{text}"),
            Ok(Some(address)) => panic!("{text}: {address:?}"),
            Err(error) => {
                assert!(error.to_string().contains(expected.trim_end_matches("no address")), "{text}: {error}");
            }
        }
    }
}

#[test]
fn operations_say_what_addresses_say() {
    for text in [
        "https://h/a.git",
        "https://h/a%20b.git#r:d",
        "git://h/a#v1",
        "git@h:a/b#r",
        "ssh://git@h:22/a",
        "https://h/a.git?keep-git-dir=true&submodules=false&checksum=abc&mtime=commit&ref=r",
    ] {
        let address = parse(text);
        let read = GitAddress::of_source(&address.source()).expect(text);
        assert_eq!(read.source(), address.source(), "{text}");
        assert_eq!(
            (&read.remote, &read.reference, &read.directory),
            (&address.remote, &address.reference, &address.directory)
        );
    }
    let bare = crate::llb::message::SourceOp { identifier: "git://h/a#r".to_owned(), ..Default::default() };
    assert_eq!(GitAddress::of_source(&bare).expect("it is one").remote, "https://h/a");
    let hostile = crate::llb::message::SourceOp { identifier: "git://h/a#-r".to_owned(), ..Default::default() };
    assert!(GitAddress::of_source(&hostile).is_err());
}

#[test]
fn secrets_are_found_for_the_host_first() {
    let address = parse("https://h:8443/a.git");
    let find = |known: &[(&str, &str)]| {
        let secret =
            |name: &str| Ok(known.iter().find(|(key, _)| *key == name).map(|(_, value)| value.as_bytes().to_vec()));
        GitAuth::find(&address, ("GIT_AUTH_HEADER", "GIT_AUTH_TOKEN"), &secret)
    };
    let basic = |token: &str| Some(image::basic_authorization("x-access-token", token));
    let header = [("GIT_AUTH_HEADER", "H x"), ("GIT_AUTH_TOKEN.h:8443", "t\n"), ("GIT_AUTH_TOKEN", "u")];
    assert_eq!(find(&header).expect("it is one").authorization, basic("t"));
    assert_eq!(find(&header[..1]).expect("it is one").authorization.as_deref(), Some("H x"));
    assert_eq!(find(&[]).expect("there is none"), GitAuth::default());
    assert!(find(&[("GIT_AUTH_TOKEN", "a\r\nX-Evil: b")]).is_err());
    let unreadable = |_: &str| Err(crate::Error::invalid("it cannot be read"));
    GitAuth::find(&address, ("GIT_AUTH_HEADER", "GIT_AUTH_TOKEN"), &unreadable).expect_err("it is not left out");
    assert!(!format!("{:?}", find(&header).expect("it is one")).contains("eC1"), "it shows a secret");
}

/// Repositories below a directory, and a server for them.
struct Server {
    base: TempDir,
    /// `127.0.0.1:port`
    host: String,
}

fn git(directory: &Path, arguments: &[&str]) -> String {
    let output = Command::new("git")
        .args([
            "-c",
            "user.name=n",
            "-c",
            "user.email=e",
            "-c",
            "init.defaultBranch=main",
            "-c",
            "protocol.file.allow=always",
        ])
        .args(arguments)
        .current_dir(directory)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_AUTHOR_DATE", "2001-02-03T04:05:06Z")
        .env("GIT_COMMITTER_DATE", "2001-02-03T04:05:06Z")
        .output()
        .expect("git is there");
    assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("it is text").trim().to_owned()
}

impl Server {
    fn start() -> Server {
        let base = tempfile::tempdir().expect("there is room");
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
        let host = listener.local_addr().expect("it is bound").to_string();
        let path = base.path().to_owned();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let path = path.clone();
                std::thread::spawn(move || daemon(stream, &path));
            }
        });
        Server { base, host }
    }

    /// A repository with two commits on `main`; says both.
    fn repository(&self, name: &str) -> (PathBuf, String, String) {
        let path = self.base.path().join(name);
        fs::create_dir(&path).expect("there is room");
        git(&path, &["init", "--quiet"]);
        let one = Server::commit(&path, "file", "one");
        git(&path, &["tag", "light"]);
        git(&path, &["tag", "-a", "-m", "words", "heavy"]);
        fs::create_dir(path.join("dir")).expect("there is room");
        fs::write(path.join("dir/run"), "#!/bin/sh\n").expect("there is room");
        std::os::unix::fs::symlink("../file", path.join("dir/link")).expect("there is room");
        fs::set_permissions(path.join("dir/run"), fs::Permissions::from_mode(0o755)).expect("it is ours");
        let two = Server::commit(&path, "file", "two");
        (path, one, two)
    }

    fn commit(path: &Path, name: &str, content: &str) -> String {
        fs::write(path.join(name), content).expect("there is room");
        git(path, &["add", "--all", "."]);
        git(path, &["commit", "--quiet", "-m", content]);
        git(path, &["rev-parse", "HEAD"])
    }

    fn address(&self, rest: &str) -> GitAddress {
        parse(&format!("git://{}/{rest}", self.host))
    }
}

fn daemon(stream: TcpStream, base: &Path) {
    let Ok(output) = stream.try_clone() else { return };
    let base_path = format!("--base-path={}", base.display());
    let status = Command::new("git")
        .args(["-c", "safe.directory=*", "daemon", "--inetd", "--export-all", &base_path])
        .stdin(Stdio::from(OwnedFd::from(stream)))
        .stdout(Stdio::from(OwnedFd::from(output)))
        .stderr(Stdio::null())
        .status();
    drop(status);
}

fn checked_out(address: &GitAddress, keep: bool) -> crate::Result<(TempDir, Commit)> {
    let auth = GitAuth::default();
    let commit = resolve(address, &auth)?;
    let into = tempfile::tempdir().expect("there is room");
    checkout(address, &commit, &auth, into.path(), keep)?;
    Ok((into, commit))
}

fn read(path: &Path, name: &str) -> String {
    fs::read_to_string(path.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

#[test]
fn references_mean_commits() {
    let server = Server::start();
    let (path, one, two) = server.repository("a");
    git(&path, &["branch", "both", &one]);
    git(&path, &["tag", "both", &two]);
    git(&path, &["update-ref", "refs/pull/1/head", &one]);
    let meant = |rest: &str| resolve(&server.address(rest), &GitAuth::default());
    let cases = [
        ("a", &two, "refs/heads/main"),
        ("a#HEAD", &two, "refs/heads/main"),
        ("a#main", &two, "refs/heads/main"),
        ("a#refs/heads/main", &two, "refs/heads/main"),
        ("a#light", &one, "refs/tags/light"),
        ("a?tag=both", &two, "refs/tags/both"),
        ("a#both", &one, "refs/heads/both"),
        ("a#pull/1/head", &one, "refs/pull/1/head"),
    ];
    for (rest, object, reference) in cases {
        let found = meant(rest).unwrap_or_else(|error| panic!("{rest}: {error}"));
        assert_eq!((&found.object, found.reference.as_str()), (object, reference), "{rest}");
    }
    let heavy = meant("a#heavy").expect("it is there");
    assert_eq!((heavy.peeled.as_ref(), heavy.object != one), (Some(&one), true));
    assert_eq!(heavy.key(&server.address("a#heavy"), false), one);
    assert!(meant(&format!("a?checksum={}#heavy", &one[..9])).is_ok(), "the tag is for it");
    let error = meant(&format!("a?checksum={}", &one[..9])).expect_err("it is another one");
    assert_eq!(error.kind(), ErrorKind::Changed, "{error}");
    let error = meant("a#none").expect_err("there is none");
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(error.to_string().ends_with("/a: it has no branch and no tag none"), "{error}");
    let error = meant("nothing").expect_err("there is none");
    assert!(error.to_string().contains("/nothing: "), "{error}");
}

#[test]
fn files_are_those_of_the_commit_and_the_same_each_time() {
    let server = Server::start();
    let (_, one, two) = server.repository("a");
    let (into, _) = checked_out(&server.address("a"), false).expect("it is there");
    assert_eq!(read(into.path(), "file"), "two");
    assert!(!into.path().join(".git").exists());
    for (name, mode) in [("file", 0o644), ("dir", 0o755), ("dir/run", 0o755), ("dir/link", 0o777), (".", 0o755)] {
        let found = fs::symlink_metadata(into.path().join(name)).expect(name);
        assert_eq!((found.mode() & 0o7777, found.mtime()), (mode, 981_173_106), "{name}");
    }
    for rest in ["a#light".to_owned(), "a#heavy".to_owned(), format!("a#{one}")] {
        let (into, _) = checked_out(&server.address(&rest), false).unwrap_or_else(|error| panic!("{rest}: {error}"));
        assert_eq!(read(into.path(), "file"), "one", "{rest}");
    }
    let (into, _) =
        checked_out(&server.address(&format!("a?fetch-by-commit=1&commit={two}")), false).expect("it is there");
    assert_eq!(read(into.path(), "file"), "two");
    let missing = "0123456789012345678901234567890123456789";
    let error = checked_out(&server.address(&format!("a#{missing}")), false).expect_err("there is none");
    assert!(error.to_string().contains(missing) || error.kind() == ErrorKind::NotFound, "{error}");
}

#[test]
fn a_repository_that_is_kept_has_one_commit_and_its_name() {
    let server = Server::start();
    let (_, _, two) = server.repository("a");
    let (into, commit) = checked_out(&server.address("a#main"), true).expect("it is there");
    assert!(git(into.path(), &["log", "--format=%H", "main"]).starts_with(&two));
    assert_eq!(git(into.path(), &["rev-list", "--count", "HEAD"]), "1");
    assert_eq!(git(into.path(), &["remote", "get-url", "origin"]), format!("git://{}/a", server.host));
    assert_eq!(git(into.path(), &["status", "--porcelain"]), "");
    assert!(!into.path().join(".git/FETCH_HEAD").exists() && !into.path().join(".git/logs").exists());
    assert_eq!(commit.key(&server.address("a"), true), format!("{two}.git#refs/heads/main"));
}

#[test]
fn a_directory_is_taken_and_no_symlink_is() {
    let server = Server::start();
    let (path, ..) = server.repository("a");
    std::os::unix::fs::symlink("/etc", path.join("out")).expect("there is room");
    fs::create_dir_all(path.join("deep/er/deep")).expect("there is room");
    Server::commit(&path, "deep/er/x", "x");
    let (into, _) = checked_out(&server.address("a#:dir"), true).expect("it is there");
    let mut names: Vec<_> =
        fs::read_dir(into.path()).expect("it is there").flatten().map(|entry| entry.file_name()).collect();
    names.sort();
    assert_eq!(names, ["link", "run"]);
    let (into, _) = checked_out(&server.address("a#main:deep/er"), false).expect("it is there");
    assert_eq!(read(into.path(), "x"), "x");
    for (rest, why) in [("out", "is no directory of it"), ("file", "is no directory of it"), ("none", "is not in it")] {
        let error = checked_out(&server.address(&format!("a#:{rest}")), false).expect_err(rest);
        assert!(error.to_string().ends_with(&format!("{rest} {why}")), "{error}");
    }
}

#[test]
fn repositories_in_repositories_are_fetched_and_none_of_this_host() {
    let server = Server::start();
    server.repository("inner");
    let (path, ..) = server.repository("outer");
    let inner = server.base.path().join("inner").display().to_string();
    git(&path, &["submodule", "add", "--quiet", &inner, "sub"]);
    git(&path, &["config", "--file", ".gitmodules", "submodule.sub.url", &format!("git://{}/inner", server.host)]);
    Server::commit(&path, "more", "x");
    let (into, _) = checked_out(&server.address("outer"), false).expect("it is there");
    assert_eq!(read(into.path(), "sub/file"), "two");
    assert!(!into.path().join("sub/.git").exists());
    let (into, _) = checked_out(&server.address("outer"), true).expect("it is there");
    assert_eq!(git(&into.path().join("sub"), &["status", "--porcelain"]), "");
    let (into, _) = checked_out(&server.address("outer?submodules=false"), false).expect("it is there");
    assert_eq!(fs::read_dir(into.path().join("sub")).expect("it is there").count(), 0);
    git(&path, &["config", "--file", ".gitmodules", "submodule.sub.url", &inner]);
    Server::commit(&path, "more", "y");
    let error = checked_out(&server.address("outer"), false).expect_err("it is a path of this host");
    assert!(error.to_string().contains("transport 'file' not allowed"), "{error}");
}

/// A web server for the files below a directory, for whoever sends the header; what it was asked for.
fn web(base: &Path, authorization: &'static str, elsewhere: Option<String>) -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    let host = listener.local_addr().expect("it is bound").to_string();
    let asked = Arc::new(Mutex::new(Vec::new()));
    let (base, log) = (base.to_owned(), Arc::clone(&asked));
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let mut lines = BufReader::new(&stream).lines().map_while(Result::ok).take_while(|line| !line.is_empty());
            let target = lines.next().unwrap_or_default().split(' ').nth(1).unwrap_or_default().to_owned();
            let headers: Vec<String> = lines.collect();
            let sent = headers.iter().find_map(|line| line.strip_prefix("Authorization: ")).unwrap_or_default();
            log.lock().expect("nobody panics").push(format!("{target} {sent}"));
            let path = target.split('?').next().unwrap_or_default().trim_start_matches('/');
            let (status, body) = match (fs::read(base.join(path)), &elsewhere) {
                (_, Some(elsewhere)) => (format!("302 Found\r\nLocation: http://{elsewhere}{target}"), Vec::new()),
                _ if sent != authorization => {
                    ("401 Unauthorized\r\nWWW-Authenticate: Basic realm=x".to_owned(), Vec::new())
                }
                (Ok(body), _) => ("200 OK".to_owned(), body),
                _ => ("404 Not Found".to_owned(), Vec::new()),
            };
            let head = format!("HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {}\r\n\r\n", body.len());
            // Whoever goes away early has what it wants.
            let _ = (&stream).write_all(head.as_bytes()).and_then(|()| (&stream).write_all(&body));
        }
    });
    (host, asked)
}

#[test]
fn a_password_is_for_one_server_and_shown_to_nobody() {
    let server = Server::start();
    let (path, one, _) = server.repository("a");
    git(server.base.path(), &["clone", "--quiet", "--bare", &path.display().to_string(), "a.git"]);
    git(&server.base.path().join("a.git"), &["update-server-info"]);
    let authorization = "Basic eC1hY2Nlc3MtdG9rZW46c2VjcmV0";
    let (host, _) = web(server.base.path(), authorization, None);
    let auth = GitAuth { authorization: Some(authorization.to_owned()), ..GitAuth::default() };
    let of = |host: &str, auth: &GitAuth, user: &str| {
        let address = parse(&format!("http://{user}{host}/a.git#{one}"));
        let into = tempfile::tempdir().expect("there is room");
        let commit = resolve(&address, auth)?;
        checkout(&address, &commit, auth, into.path(), true).map(|()| into)
    };
    // A server that knows nothing of git has no shallow commits: all of it is fetched.
    let into = of(&host, &auth, "").expect("it is there");
    assert_eq!(read(into.path(), "file"), "one");
    let into = of(&host, &GitAuth::default(), "x-access-token:secret@").expect("it is there");
    let config = read(into.path(), ".git/config");
    assert!(config.contains(&format!("http://{host}/a.git")) && !config.contains("secret"), "{config}");
    let error = of(&host, &GitAuth::default(), "").expect_err("nobody says who asks");
    assert!(error.hint().is_some_and(|hint| hint.contains("GIT_AUTH_TOKEN")), "{error} {:?}", error.hint());
    let error = of(&host, &GitAuth::default(), "name:wrongpass@").expect_err("it is another one");
    assert!(!error.to_string().contains("wrongpass"), "{error}");

    let (other, asked) = web(server.base.path(), "", Some(host));
    let error = of(&other, &auth, "").expect_err("it redirects");
    assert!(!error.to_string().contains("eC1hY2"), "{error}");
    assert_eq!(asked.lock().expect("nobody panics").len(), 1);
}

#[test]
fn nothing_of_a_repository_is_run() {
    let server = Server::start();
    let (path, ..) = server.repository("a");
    let ran = server.base.path().join("ran");
    let touch = format!("touch {}", ran.display());
    fs::write(path.join(".gitattributes"), "* filter=evil diff=evil\n").expect("there is room");
    let modules = format!("[submodule \"s\"]\n\tpath = s\n\turl = ext::sh -c \"{touch}\"\n\tupdate = !{touch}\n");
    fs::write(path.join(".gitmodules"), modules).expect("there is room");
    let (_, _, inner) = server.repository("s");
    git(&path, &["update-index", "--add", "--cacheinfo", &format!("160000,{inner},s")]);
    git(&path, &["add", ".gitmodules", ".gitattributes"]);
    git(&path, &["commit", "--quiet", "-m", "evil"]);
    let refused = checked_out(&server.address("a"), false);
    assert!(refused.is_err(), "it has a repository that nobody may reach");
    let (into, _) = checked_out(&server.address("a?submodules=false"), false).expect("it is there");
    assert_eq!(read(into.path(), "file"), "two");
    assert!(!ran.exists());
}
