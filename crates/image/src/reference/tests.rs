//! Reference parsing against docker's rules, as one table.

use proptest::prelude::*;

use super::Reference;
use crate::ErrorKind;

const HEX: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

fn check(text: &str, full: &str, familiar: &str, registry: &str) {
    let text = text.replace("HEX", HEX);
    let reference: Reference = text.parse().unwrap_or_else(|error| panic!("{text}: {error}"));
    assert_eq!(reference.to_string(), full.replace("HEX", HEX), "{text}");
    assert_eq!(Reference::familiar_of(&text), familiar.replace("HEX", HEX), "{text}");
    assert_eq!(reference.registry(), registry, "{text}");
    assert_eq!(
        reference.to_string().parse::<Reference>().as_ref().ok(),
        Some(&reference),
        "{text} does not round-trip"
    );
    assert_eq!(reference.familiar().parse::<Reference>().as_ref().ok(), Some(&reference), "{text} is not familiar");
}

#[test]
fn names_are_completed_as_docker_does() {
    let hub = "registry-1.docker.io";
    for (text, full, familiar, registry) in [
        ("alpine", "docker.io/library/alpine:latest", "alpine:latest", hub),
        ("alpine:3.20", "docker.io/library/alpine:3.20", "alpine:3.20", hub),
        ("alpine@sha256:HEX", "docker.io/library/alpine@sha256:HEX", "alpine@sha256:HEX", hub),
        ("alpine:3@sha256:HEX", "docker.io/library/alpine:3@sha256:HEX", "alpine:3@sha256:HEX", hub),
        ("library/alpine", "docker.io/library/alpine:latest", "alpine:latest", hub),
        ("docker.io/alpine", "docker.io/library/alpine:latest", "alpine:latest", hub),
        ("index.docker.io/library/alpine", "docker.io/library/alpine:latest", "alpine:latest", hub),
        ("docker.io/bitnami/redis:7", "docker.io/bitnami/redis:7", "bitnami/redis:7", hub),
        ("docker.io/library/a/b", "docker.io/library/a/b:latest", "library/a/b:latest", hub),
        ("localhost:5000/x", "localhost:5000/x:latest", "localhost:5000/x:latest", "localhost:5000"),
        ("localhost/x", "localhost/x:latest", "localhost/x:latest", "localhost"),
        (
            "127.0.0.1:5000/a/b_c__d-e---f.g:V",
            "127.0.0.1:5000/a/b_c__d-e---f.g:V",
            "127.0.0.1:5000/a/b_c__d-e---f.g:V",
            "127.0.0.1:5000",
        ),
        ("[::1]:5000/x:1", "[::1]:5000/x:1", "[::1]:5000/x:1", "[::1]:5000"),
        ("[fe80::1]/x", "[fe80::1]/x:latest", "[fe80::1]/x:latest", "[fe80::1]"),
        ("quay.io/podman/hello", "quay.io/podman/hello:latest", "quay.io/podman/hello:latest", "quay.io"),
        ("HOST/x", "HOST/x:latest", "HOST/x:latest", "HOST"),
        (
            "host.Example.org:443/x",
            "host.Example.org:443/x:latest",
            "host.Example.org:443/x:latest",
            "host.Example.org:443",
        ),
        ("a:_x.Y-z", "docker.io/library/a:_x.Y-z", "a:_x.Y-z", hub),
        // A colon without a slash is a tag, not a port.
        ("localhost:5000", "docker.io/library/localhost:5000", "localhost:5000", hub),
        ("foo/bar.baz", "docker.io/foo/bar.baz:latest", "foo/bar.baz:latest", hub),
    ] {
        check(text, full, familiar, registry);
    }
}

#[test]
fn what_is_no_name_is_refused_with_the_reason() {
    let long_tag = format!("a:{}", "t".repeat(129));
    let long_name = format!("example.org/{}", "n".repeat(250));
    for (text, reason) in [
        ("", "empty"),
        (HEX, "image id"),
        ("Alpine", "lower case"),
        ("docker.io/Foo/bar", "lower case"),
        ("a//b", "separated"),
        ("a/", "separated"),
        ("-a", "separated"),
        ("a..b", "separated"),
        ("a___b", "separated"),
        ("a-_b", "separated"),
        ("a b", "separated"),
        ("ä", "separated"),
        ("../etc", "host name"),
        ("a:", "a tag is"),
        ("a:.x", "a tag is"),
        ("a:b:c", "a tag is"),
        ("a@sha256:abc", "sha256"),
        ("a@", ""),
        ("a@sha256:../../../../../../../../../../../../../../../../../../../../etc", ""),
        ("a@md5:d41d8cd98f00b204e9800998ecf8427e", ""),
        ("[::1/x", "host"),
        ("[zz]:1/x", "IPv6"),
        ("h:99999/x", "65535"),
        ("h:/x", "65535"),
        ("-h.io/x", "host name"),
        ("h..io/x", "host name"),
        (".io/x", "host name"),
        (&long_tag, "a tag is"),
        (&long_name, "255"),
        ("a\u{1b}[31m", "separated"),
    ] {
        let error = text.parse::<Reference>().expect_err(text);
        assert_eq!(error.kind(), ErrorKind::Syntax, "{text}");
        assert_eq!(Reference::familiar_of(text), text);
        assert!(error.to_string().contains(reason), "{text}: {error}");
        assert!(!error.to_string().contains('\u{1b}'), "{text}: control characters reach the terminal");
    }
}

#[test]
fn the_store_name_has_one_selector() {
    for (text, canonical) in
        [("alpine:3@sha256:HEX", "docker.io/library/alpine@sha256:HEX"), ("alpine:3", "docker.io/library/alpine:3")]
    {
        let reference: Reference = text.replace("HEX", HEX).parse().expect("a valid name");
        assert_eq!(reference.canonical(), canonical.replace("HEX", HEX));
    }
}

proptest! {
    #[test]
    fn any_text_is_parsed_or_refused(text in "\\PC{0,80}") {
        if let Ok(reference) = text.parse::<Reference>() {
            prop_assert_eq!(reference.to_string().parse::<Reference>().ok(), Some(reference.clone()));
            prop_assert_eq!(reference.familiar().parse::<Reference>().ok(), Some(reference));
        }
    }

    #[test]
    fn near_names_are_parsed_or_refused(text in "[a-zA-Z0-9.:/@_\\[\\]-]{0,60}") {
        if let Ok(reference) = text.parse::<Reference>() {
            prop_assert!(!reference.repository().split('/').any(|part| part.is_empty() || part == ".."));
            prop_assert_eq!(reference.to_string().parse::<Reference>().ok(), Some(reference.clone()));
            prop_assert_eq!(reference.familiar().parse::<Reference>().ok(), Some(reference));
        }
    }
}
