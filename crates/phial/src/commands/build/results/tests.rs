//! What each flag takes and refuses.

use build::AttestationRequest;

use super::*;

fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

fn flags(words: &[&str]) -> Flags {
    use clap::{Command, FromArgMatches};
    let command = Flags::augment_args(Command::new("build").no_binary_name(true));
    let matches = command.try_get_matches_from(words).expect("these are flags");
    Flags::from_arg_matches(&matches).expect("these are flags")
}

#[test]
fn outputs() {
    let image = |names: &[&str], push, store, pairs: &[(&str, &str)]| Export::Image {
        names: names.iter().map(ToString::to_string).collect(),
        push,
        store,
        attributes: map(pairs),
    };
    let archive =
        |oci, to: Option<&str>, tar| Export::Archive { oci, to: to.map(Into::into), tar, attributes: map(&[]) };
    let cases = [
        ("out", Export::Local { to: "out".into(), attributes: map(&[]) }),
        (
            "type=local,dest=out,platform-split=false",
            Export::Local { to: "out".into(), attributes: map(&[("platform-split", "false")]) },
        ),
        ("-", Export::Tar { to: None }),
        ("type=tar,dest=a.tar", Export::Tar { to: Some("a.tar".into()) }),
        ("type=tar", Export::Tar { to: None }),
        ("type=image,\"name=a,b:1\",push=true", image(&["a", "b:1"], true, true, &[])),
        ("type=registry,name=a,store=false", image(&["a"], true, false, &[])),
        ("type=image,push-by-digest=true", image(&[], true, true, &[("push-by-digest", "true")])),
        ("type=docker", image(&[], false, true, &[])),
        ("type=docker,dest=-", archive(false, None, true)),
        ("type=oci,dest=a.tar", archive(true, Some("a.tar"), true)),
        ("type=oci,dest=dir,tar=false", archive(true, Some("dir"), false)),
        ("type=cacheonly", Export::CacheOnly),
        (
            "type=image,annotation-manifest[linux/amd64].A=b",
            image(&[], false, true, &[("annotation-manifest[linux/amd64].a", "b")]),
        ),
    ];
    for (text, expected) in cases {
        assert_eq!(export::parse(text).expect("it is one"), expected, "{text}");
    }
}

#[test]
fn outputs_that_make_no_sense() {
    let cases = [
        ("", "it is empty", Some("give a directory, or type=TYPE")),
        (
            "type=loacl,dest=x",
            "type=loacl is none of image, registry, docker, oci, local, tar, cacheonly",
            Some("did you mean local?"),
        ),
        ("type=local", "it has no dest", Some("give dest=DIRECTORY")),
        ("type=local,dest=-", "files cannot go to standard output", Some("give type=tar")),
        ("type=tar,dst=x", "there is no key 'dst' here", Some("did you mean dest?")),
        ("dest=x", "it has no type", Some("give type=local,dest=DIR")),
        ("type=image,push=yes", "push=yes is neither true nor false", None),
        ("type=oci,tar=false", "a directory needs a dest", Some("give dest=DIRECTORY")),
        ("type=image,dest=x", "an image goes into the store or a registry", Some("type=oci,dest=FILE is a file")),
        ("type=image,out", "'out' is not KEY=VALUE", None),
    ];
    for (text, why, hint) in cases {
        let failure = export::parse(text).expect_err(text);
        assert_eq!(failure.said(), (format!("cannot build: --output {text}: {why}").as_str(), hint), "{text}");
    }
    export::parse("type=image,name=UPPER CASE").expect_err("it is no name");
}

#[test]
fn short_forms_of_outputs() {
    let exports = |words: &[&str], tags: &[&str]| {
        let tags: Vec<String> = tags.iter().map(ToString::to_string).collect();
        flags(words).exports(&tags)
    };
    assert!(exports(&[], &[]).expect("nothing is said").is_empty());
    assert_eq!(exports(&["--load"], &[]).expect("it is one"), [export::listed()]);
    assert_eq!(exports(&["--load", "--push"], &["a"]).expect("it is one"), [export::pushed()]);
    assert_eq!(exports(&["-o", "type=docker", "--load"], &[]).expect("it is one"), [export::listed()]);
    let failure = exports(&["--push"], &[]).expect_err("it has no name");
    assert_eq!(failure.said().1, Some("give -t REGISTRY/NAME"));
    exports(&["-o", "-", "-o", "type=oci"], &[]).expect_err("there is one standard output");
}

#[test]
fn attestations() {
    let request = |pairs: &[(&str, &str)]| Some(AttestationRequest { attributes: map(pairs) });
    let all = |long: &[&str], provenance, sbom| {
        attest::all(&long.iter().map(ToString::to_string).collect::<Vec<_>>(), provenance, sbom)
    };
    let cases = [
        (all(&[], None, None), (None, None)),
        (all(&[], Some("true"), Some("1")), (request(&[]), request(&[]))),
        (
            all(&[], Some("mode=max"), Some("generator=a")),
            (request(&[("mode", "max")]), request(&[("generator", "a")])),
        ),
        (all(&["type=provenance,mode=min", "type=sbom"], Some("false"), None), (None, request(&[]))),
        (all(&["type=sbom,disabled=true"], None, None), (None, None)),
        (all(&["Type=sbom,Generator=a,WITH=b"], None, None), (None, request(&[("generator", "a"), ("WITH", "b")]))),
    ];
    for (found, expected) in cases {
        assert_eq!(found.expect("they are"), expected);
    }
    for (found, hint) in [
        (all(&["type=sbon"], None, None), Some("did you mean sbom?")),
        (all(&["mode=max"], None, None), Some("give type=provenance or type=sbom")),
    ] {
        assert_eq!(found.expect_err("it makes no sense").said().1, hint);
    }
}

#[test]
fn names_and_annotations() {
    assert_eq!(tag("a/b:c").expect("it is one"), "a/b:c");
    tag(&format!("a@sha256:{}", "0".repeat(64))).expect_err("it has a digest");
    tag("A").expect_err("it is no name");
    for (text, key) in [
        ("a=b", "a"),
        ("manifest:a=b", "a"),
        ("manifest[linux/amd64]:a=b", "manifest[linux/amd64]:a"),
        ("index:a=b", "index:a"),
    ] {
        assert_eq!(annotation(text).expect("it is one"), (key.to_owned(), "b".to_owned()), "{text}");
    }
    for text in ["a", "=b", "index:=b"] {
        annotation(text).expect_err(text);
    }
}

#[test]
fn files_are_written_once_there_is_something_to_say() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("id");
    let text = path.to_string_lossy();
    let flags = flags(&["--iidfile", &text]);
    flags.write(&Built::default()).expect_err("there is no image");
    assert!(!path.exists());
    flags.write(&Built { image: Some("sha256:0".to_owned()), ..Built::default() }).expect("there is one");
    assert_eq!(std::fs::read_to_string(&path).expect("it is there"), "sha256:0");
    flags.forget().expect("it is there");
    flags.forget().expect("it is not there any more");
    assert!(!path.exists());
}
