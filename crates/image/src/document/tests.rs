//! Documents of strangers: which of the two they are, what is refused, and that nothing panics.

use proptest::prelude::*;

use super::{DOCKER_LIST, DOCKER_MANIFEST, Document, OCI_INDEX, OCI_MANIFEST};
use crate::{ErrorKind, ImageConfig};

const DIGEST: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/// A manifest with one layer of this media type, and more fields.
fn manifest(layer_type: &str, more: &str) -> String {
    format!(
        r#"{{"schemaVersion":2,"config":{{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"{DIGEST}","size":7}},
        "layers":[{{"mediaType":"{layer_type}","digest":"{DIGEST}","size":9}}]{more}}}"#
    )
}

fn index(more: &str) -> String {
    format!(
        r#"{{"schemaVersion":2,"manifests":[{{"mediaType":"{OCI_MANIFEST}","digest":"{DIGEST}","size":7,
        "platform":{{"os":"linux","architecture":"arm64","variant":"v8"}}}}]{more}}}"#
    )
}

fn check(text: &str, served: &str, expected: Result<&str, (ErrorKind, &str)>) {
    let found = Document::parse(text.as_bytes(), served);
    match (found, expected) {
        (Ok(Document::Manifest(_)), Ok("manifest")) | (Ok(Document::Index(_)), Ok("index")) => {}
        (Err(error), Err((kind, part))) => {
            assert_eq!(error.kind(), kind, "{error} for {text} as {served}");
            assert!(error.to_string().contains(part), "{error} lacks {part:?}");
        }
        (found, expected) => panic!("{text} as {served}: {found:?}, not {expected:?}"),
    }
}

const GZIP: &str = "application/vnd.oci.image.layer.v1.tar+gzip";

#[test]
fn documents_are_what_header_and_content_agree_on() {
    let plain = manifest(GZIP, "");
    let named = manifest(GZIP, &format!(r#","mediaType":"{OCI_MANIFEST}""#));
    for served in [OCI_MANIFEST, DOCKER_MANIFEST, "", "application/json", "text/plain; charset=utf-8"] {
        check(&plain, served, Ok("manifest"));
    }
    check(&named, "application/vnd.oci.image.manifest.v1+json; charset=utf-8", Ok("manifest"));
    for served in [OCI_INDEX, DOCKER_LIST, "", "application/octet-stream"] {
        check(&index(""), served, Ok("index"));
    }
    check(&index(r#","annotations":null"#), OCI_INDEX, Ok("index"));
}

#[test]
fn what_means_two_things_is_refused() {
    use ErrorKind::Invalid;
    let both = manifest(GZIP, r#","manifests":[]"#);
    for served in [OCI_MANIFEST, OCI_INDEX, ""] {
        check(&both, served, Err((Invalid, "CVE-2021-41190")));
    }
    check(&index(r#","layers":[]"#), OCI_INDEX, Err((Invalid, "CVE-2021-41190")));
    check(&index(r#","config":{"digest":"x","size":1}"#), OCI_INDEX, Err((Invalid, "sha256")));
    check(&manifest(GZIP, r#","fsLayers":[]"#), OCI_MANIFEST, Err((Invalid, "two things")));
    check(&manifest(GZIP, ""), OCI_INDEX, Err((Invalid, "contradicts")));
    check(&index(""), OCI_MANIFEST, Err((Invalid, "contradicts")));
    check(&manifest(GZIP, &format!(r#","mediaType":"{OCI_INDEX}""#)), OCI_MANIFEST, Err((Invalid, "calls itself")));
    check(&manifest(GZIP, r#","layers":[]"#), OCI_MANIFEST, Err((Invalid, "duplicate")));
}

#[test]
fn what_no_container_can_be_made_from_is_refused() {
    use ErrorKind::{Invalid, Limit, Unsupported};
    check("", "", Err((Invalid, "not readable")));
    check("[]", "", Err((Invalid, "not readable")));
    check(r#"{"schemaVersion":2}"#, OCI_MANIFEST, Err((Invalid, "neither")));
    check(r#"{"schemaVersion":3,"manifests":[]}"#, "", Err((Invalid, "schemaVersion 3")));
    check(r#"{"schemaVersion":1,"fsLayers":[]}"#, "", Err((Unsupported, "schema 1")));
    check("{}", "application/vnd.docker.distribution.manifest.v1+prettyjws", Err((Unsupported, "schema 1")));
    check(&index(r#","mediaType":"text/\u001b[31mred""#), "", Err((Unsupported, "neither an image")));
    let chart = manifest(GZIP, "").replace("vnd.oci.image.config", "vnd.cncf.helm.config");
    check(&chart, OCI_MANIFEST, Err((Unsupported, "helm")));
    for (layer, why) in [
        ("application/vnd.docker.image.rootfs.foreign.diff.tar.gzip", "vendor"),
        ("application/vnd.oci.image.layer.nondistributable.v1.tar+gzip", "vendor"),
        ("application/vnd.oci.image.layer.v1.tar+gzip+encrypted", "encrypted"),
        ("application/vnd.in-toto+json", "no tar"),
        ("", "no tar"),
    ] {
        check(&manifest(layer, ""), OCI_MANIFEST, Err((Unsupported, why)));
    }
    let elsewhere = manifest(GZIP, "").replace(r#""size":9"#, r#""size":9,"urls":["https://evil.example/"]"#);
    check(&elsewhere, OCI_MANIFEST, Err((Unsupported, "other servers")));
    check(&manifest(GZIP, "").replace("sha256:e3", "sha256:../e3"), OCI_MANIFEST, Err((Invalid, "digest")));
    check(&manifest(GZIP, "").replace(r#""size":9"#, r#""size":-9"#), OCI_MANIFEST, Err((Invalid, "-9")));
    let layer = format!(r#"{{"mediaType":"{GZIP}","digest":"{DIGEST}","size":9}}"#);
    let many = manifest(GZIP, "").replace(&layer, &vec![layer.as_str(); 501].join(","));
    check(&many, OCI_MANIFEST, Err((Limit, "501")));
}

#[test]
fn layers_of_both_families_are_accepted() {
    for layer in [
        "application/vnd.oci.image.layer.v1.tar",
        "application/vnd.oci.image.layer.v1.tar+gzip",
        "application/vnd.oci.image.layer.v1.tar+zstd",
        "application/vnd.docker.image.rootfs.diff.tar",
        "application/vnd.docker.image.rootfs.diff.tar.gzip",
        "application/vnd.docker.image.rootfs.diff.tar.zstd",
    ] {
        check(&manifest(layer, ""), DOCKER_MANIFEST, Ok("manifest"));
    }
}

#[test]
fn configs_of_go_programs_are_read_with_their_nulls() {
    let text = format!(
        r#"{{"created":"2024-01-02T03:04:05.6Z","architecture":"arm64","os":"linux","variant":"v8","history":null,
        "config":{{"User":"1000:1000","ExposedPorts":{{"80/tcp":{{}}}},"Env":null,"Entrypoint":null,"Cmd":["sh","-c","x"],
        "Volumes":null,"WorkingDir":"/srv","Labels":null,"StopSignal":"SIGQUIT","OnBuild":["RUN y"],"Shell":["/bin/ash"],
        "Healthcheck":{{"Test":["CMD","true"],"Interval":30000000000,"Retries":3}},"ArgsEscaped":true}},
        "rootfs":{{"type":"layers","diff_ids":["{DIGEST}"]}},"container_config":{{}}}}"#
    );
    let config = ImageConfig::parse(text.as_bytes()).expect("a config");
    assert_eq!(config.platform().to_string(), "linux/arm64");
    assert_eq!(
        (config.config.user.as_str(), config.config.exposed_ports.as_slice()),
        ("1000:1000", &["80/tcp".to_owned()][..])
    );
    assert_eq!(
        config.config.healthcheck.as_ref().map(|check| (check.interval, check.retries)),
        Some((30_000_000_000, 3))
    );
    assert_eq!(config.config.shell.as_deref(), Some(&["/bin/ash".to_owned()][..]));
    assert_eq!(config.rootfs.diff_ids.len(), 1);
    let shown = serde_json::to_value(&config.config).expect("plain data");
    assert_eq!(shown["ExposedPorts"], serde_json::json!({"80/tcp": {}}));
    for text in ["", "{}", r#"{"rootfs":{"diff_ids":["sha256:x"]}}"#, r#"{"rootfs":{"diff_ids":7}}"#] {
        assert_eq!(ImageConfig::parse(text.as_bytes()).map_err(|error| error.kind()).err(), Some(ErrorKind::Invalid));
    }
}

proptest! {
    #[test]
    fn any_bytes_end(bytes: Vec<u8>) {
        let _document = Document::parse(&bytes, "");
        let _config = ImageConfig::parse(&bytes);
    }

    #[test]
    fn damaged_documents_end(at in 0usize..400, byte: u8, which: bool) {
        let mut bytes = if which { manifest(GZIP, "") } else { index("") }.into_bytes();
        let at = at % bytes.len();
        bytes[at] = byte;
        let _document = Document::parse(&bytes, OCI_MANIFEST);
    }
}
