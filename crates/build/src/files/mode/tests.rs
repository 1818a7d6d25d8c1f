//! Modes, held against `chmod(1)`.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use proptest::prelude::{Strategy, any, prop};
use proptest::test_runner::{Config, TestRunner};

use super::Mode;

#[test]
fn modes_in_words() {
    let cases = [
        ("0755", 0o600, 0o755),
        ("7", 0o600, 0o7),
        ("u+x", 0o644, 0o744),
        ("+x", 0o644, 0o755),
        ("a=rX", 0o755, 0o555),
        ("a=rX", 0o644, 0o444),
        ("go-w,u=rwx", 0o666, 0o744),
        ("g=u", 0o740, 0o770),
        ("o=g-w", 0o770, 0o775),
        ("u+s,g+s,+t", 0o755, 0o7755),
        ("=", 0o7777, 0),
        ("u=", 0o4755, 0o055),
        ("u+rw-x", 0o100, 0o600),
    ];
    for (text, own, expected) in cases {
        let mode = Mode::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(mode.of(own, false), expected, "{text} of {own:o}, not {expected:o}");
    }
    assert_eq!(Mode::parse("u=rwX").expect("a mode").of(0o2600, true), 0o2700);
    for text in ["", "u", "z+x", "u+z", "8", "10000", "u+x,", "u+ug", ",", "+rug"] {
        assert!(Mode::parse(text).is_err(), "{text:?}");
    }
}

/// Clauses as `chmod` takes them.
fn modes() -> impl Strategy<Value = String> {
    let change = "[-+=]([rwxXst]{0,4}|[ugo])";
    let clause = format!("[ugoa]{{0,3}}({change}){{1,2}}");
    prop::collection::vec(proptest::string::string_regex(&clause).expect("an expression"), 1..4)
        .prop_map(|clauses| clauses.join(","))
}

#[test]
fn as_chmod_does() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let (file, inside) = (directory.path().join("f"), directory.path().join("d"));
    fs::write(&file, "").expect("writes");
    fs::create_dir(&inside).expect("made");
    let mut runner = TestRunner::new(Config { cases: 200, failure_persistence: None, ..Config::default() });
    let cases = (modes(), 0..0o10000_u32, any::<bool>());
    let answer = runner.run(&cases, |(text, own, is_dir)| {
        let path = if is_dir { &inside } else { &file };
        fs::set_permissions(path, fs::Permissions::from_mode(own)).expect("sets");
        let script = "umask 0; exec chmod -- \"$1\" \"$2\"";
        let status = Command::new("sh").args(["-c", script, "sh", &text]).arg(path).status().expect("runs");
        assert!(status.success(), "chmod {text}");
        let expected = fs::metadata(path).expect("is there").permissions().mode() & 0o7777;
        let found = Mode::parse(&text).expect("chmod takes it").of(own, is_dir);
        proptest::prop_assert_eq!(found, expected, "{} of {:o}: {:o}, not {:o}", text, own, found, expected);
        Ok(())
    });
    answer.unwrap_or_else(|error| panic!("{error}"));
}
