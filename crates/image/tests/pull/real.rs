//! Against Debian's `docker-registry`: anonymous, with htpasswd, and with TLS.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use image::{Credentials, CredentialsSource, ErrorKind, PullOptions, pull};

use crate::content::{Image, Place, noise, options, reference};

/// `user:s3cret`, bcrypt.
const HTPASSWD: &str = "user:$2b$04$abcdefghijklmnopqrstuuLZYjhNQAOdpbzt4WxWlUHjv1wsyH5DG\n";
const BASIC: &str = "Authorization: Basic dXNlcjpzM2NyZXQ=\r\n";

struct Registry {
    child: Child,
    host: String,
    directory: tempfile::TempDir,
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _gone = self.child.wait();
    }
}

impl Registry {
    /// Starts one on a port of the kernel's choice; `more` is added to its configuration.
    fn start(more: &str, prepare: impl FnOnce(&Path)) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        prepare(directory.path());
        let place = directory.path().display().to_string();
        let config = format!(
            "version: 0.1\nlog: {{level: info, accesslog: {{disabled: true}}}}\nstorage: {{filesystem: {{rootdirectory: {place}/data}}}}\n{}",
            more.replace("DIR", &place)
        );
        let path = directory.path().join("config.yml");
        std::fs::write(&path, config).expect("a writable directory");
        let mut child = Command::new("docker-registry")
            .arg("serve")
            .arg(path)
            .stderr(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .expect("docker-registry is installed");
        let lines = BufReader::new(child.stderr.take().expect("it was piped"));
        let mut lines = lines.lines().map_while(Result::ok);
        let host = lines.find_map(|line| {
            let (_, rest) = line.split_once("listening on ")?;
            Some(rest.split(['"', ',', ' ']).next()?.to_owned())
        });
        // It must not block when its pipe is full.
        std::thread::spawn(move || lines.for_each(drop));
        Self { child, host: host.expect("it says where it listens"), directory }
    }

    /// Uploads `image` as `app:latest`, the way clients do: blob by blob, then the manifest.
    fn push(&self, image: &Image, authorization: &str) {
        for (digest, blob) in &image.blobs {
            let answer = self.ask("POST", "/v2/app/blobs/uploads/", authorization, "", b"");
            let location = answer.lines().find_map(|line| line.strip_prefix("Location: ")).expect("an upload");
            let path = location.split_once("/v2/").map(|(_, rest)| format!("/v2/{rest}")).expect("a path of the API");
            let kind = "Content-Type: application/octet-stream\r\n";
            let answer = self.ask("PUT", &format!("{path}&digest={digest}"), authorization, kind, blob);
            assert!(answer.starts_with("HTTP/1.1 201"), "{answer}");
        }
        let (media_type, bytes) = &image.manifests["latest"];
        let kind = format!("Content-Type: {media_type}\r\n");
        let answer = self.ask("PUT", "/v2/app/manifests/latest", authorization, &kind, bytes);
        assert!(answer.starts_with("HTTP/1.1 201"), "{answer}");
    }

    fn ask(&self, method: &str, path: &str, authorization: &str, headers: &str, body: &[u8]) -> String {
        let mut stream = TcpStream::connect(&self.host).expect("the registry listens");
        let (host, length) = (&self.host, body.len());
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nContent-Length: {length}\r\n{authorization}{headers}\r\n"
        );
        stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body)).expect("the registry reads");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("the registry answers");
        answer
    }

    fn app(&self) -> image::Reference {
        reference(&format!("{}/app", self.host))
    }
}

fn with_password(password: &str) -> PullOptions {
    let credentials = Credentials::Password { username: "user".to_owned(), password: password.to_owned() };
    PullOptions { credentials: CredentialsSource::Given(credentials), ..options() }
}

#[test]
fn anonymous() {
    let registry = Registry::start("http: {addr: '127.0.0.1:0'}\n", |_| ());
    registry.push(&Image::large(), "");
    let place = Place::new();
    let image = pull(&place.store, &registry.app(), &options(), &()).expect("it is there");
    assert_eq!(place.file(&image, 0, "noise"), noise(3 << 20, 7));
    let again = pull(&place.store, &registry.app(), &options(), &()).expect("it is still there");
    assert_eq!(again, image);

    let nope = reference(&format!("{}/nope", registry.host));
    let error = pull(&place.store, &nope, &options(), &()).expect_err("not there");
    assert_eq!(error.kind(), ErrorKind::NotFound);
    let host = &registry.host;
    assert_eq!(error.to_string(), format!("{host}/nope:latest: not found in {host}: manifest unknown"));
}

#[test]
fn with_htpasswd() {
    let config = "http: {addr: '127.0.0.1:0'}\nauth: {htpasswd: {realm: here, path: DIR/htpasswd}}\n";
    let registry = Registry::start(config, |directory| {
        std::fs::write(directory.join("htpasswd"), HTPASSWD).expect("a writable directory");
    });
    registry.push(&Image::small(), BASIC);
    for (options, kind) in [(options(), ErrorKind::Unauthorized), (with_password("wrong"), ErrorKind::Unauthorized)] {
        let error = pull(&Place::new().store, &registry.app(), &options, &()).expect_err("not for us");
        assert_eq!(error.kind(), kind, "{error}");
    }
    pull(&Place::new().store, &registry.app(), &with_password("s3cret"), &()).expect("the right password");
}

#[test]
fn with_tls() {
    let config = "http: {addr: '127.0.0.1:0', tls: {certificate: DIR/c.pem, key: DIR/k.pem}}\n";
    let registry = Registry::start(config, |directory| {
        let status = Command::new("openssl")
            .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"])
            .args(["-subj", "/CN=test", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", "k.pem", "-out", "c.pem"])
            .current_dir(directory)
            .stderr(Stdio::null())
            .status();
        assert!(status.expect("openssl is installed").success());
    });
    let place = Place::new();
    let error = pull(&place.store, &registry.app(), &options(), &()).expect_err("nobody signed this");
    assert_eq!(error.kind(), ErrorKind::Tls, "{error}");
    // It is empty, but it is spoken to: without verification, or with the certificate the administrator put down.
    let certificates = tempfile::tempdir().expect("a directory");
    let of_host = certificates.path().join(&registry.host);
    std::fs::create_dir(&of_host).expect("a writable directory");
    std::fs::copy(registry.directory.path().join("c.pem"), of_host.join("ca.crt")).expect("a writable directory");
    let insecure = PullOptions { insecure: true, ..options() };
    let trusting = PullOptions { certificates: Some(certificates.path().to_owned()), ..options() };
    for options in [insecure, trusting.clone()] {
        let error = pull(&place.store, &registry.app(), &options, &()).expect_err("nothing there");
        assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
    }
    // The same certificate is not good for another name, nor for another registry.
    let (_, port) = registry.host.split_once(':').expect("a port");
    let localhost = format!("localhost:{port}");
    std::fs::rename(&of_host, certificates.path().join(&localhost)).expect("a writable directory");
    for host in [&localhost, &registry.host] {
        let error = pull(&place.store, &reference(&format!("{host}/app")), &trusting, &()).expect_err("not for it");
        assert_eq!(error.kind(), ErrorKind::Tls, "{error}");
    }
}
