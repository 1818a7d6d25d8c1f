//! The built program, as people and programs call it, in the host's namespaces and in its own.

use std::fs;
use std::process::{Command, Output};

use serde_json::Value;

const HELLO: &str = env!("CARGO_BIN_EXE_hello");

fn run(program: &str, arguments: &[&str]) -> Output {
    Command::new(program).args(arguments).output().expect("the program runs")
}

fn stdout(output: &Output) -> String {
    assert!(output.status.success(), "{output:?}");
    assert!(output.stderr.is_empty(), "{output:?}");
    String::from_utf8(output.stdout.clone()).expect("UTF-8")
}

#[test]
fn help_names_every_option() {
    for flag in ["--help", "-h"] {
        let help = stdout(&run(HELLO, &[flag]));
        assert!(help.contains("Usage: hello [--json]") && help.contains("phial run hello --json"), "{help}");
    }
}

#[test]
fn an_unknown_argument_is_named_and_exits_2() {
    let output = run(HELLO, &["sh\x1b[2J"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(output.stdout.is_empty());
    let want = "hello: unknown argument `sh\\u{1b}[2J`\nhint: `phial run hello --help` lists them\n";
    assert_eq!(String::from_utf8_lossy(&output.stderr), want);
}

#[test]
fn a_closed_pipe_is_a_failure_without_noise() {
    let output = run("sh", &["-c", &format!("{HELLO} > /dev/full")]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(output.stderr.is_empty(), "{output:?}");
}

#[test]
fn own_namespaces_are_told_from_the_hosts() {
    let unshare = ["--fork", "--pid", "--mount", "--mount-proc", "--uts", "--ipc", "--net", "--cgroup", HELLO];
    let text = stdout(&run("unshare", &unshare));
    assert!(text.contains("process       number 1, and I see no other process"), "{text}");
    assert!(text.contains("network       only lo, which leads back to myself"), "{text}");
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    assert!(!text.contains('\x1b'), "colour in a pipe: {text}");

    let mut json = unshare.to_vec();
    json.push("--json");
    let report: Value = serde_json::from_str(&stdout(&run("unshare", &json))).expect("JSON");
    for kind in ["pid", "mnt", "uts", "ipc", "net", "cgroup"] {
        let here = fs::read_link(format!("/proc/self/ns/{kind}")).expect("a namespace");
        let number = report["namespaces"][kind]["number"].as_u64().expect("a number");
        assert_ne!(format!("{kind}:[{number}]"), here.to_string_lossy(), "{kind}");
        assert_eq!(report["namespaces"][kind]["own"], true, "{kind}");
    }
    assert_eq!(report["pid"], 1);
    assert_eq!(report["processes_seen"], 1);
    assert_eq!(report["network"]["interfaces"], serde_json::json!(["lo"]));
    assert_eq!(report["network"]["outward_addresses"], serde_json::json!([]));
    assert_eq!(report["seccomp"]["mode"], "disabled");
    assert_eq!(report["no_new_privs"], false);
}

#[test]
fn a_root_directory_with_nothing_else_in_it() {
    let root = tempfile::tempdir().expect("a temporary directory");
    fs::copy(HELLO, root.path().join("hello")).expect("a copy");
    let chroot = [root.path().to_str().expect("UTF-8"), "/hello"];
    let text = stdout(&run("chroot", &chroot));
    assert!(text.contains("mounts        cannot see: /proc/self/mountinfo is not there"), "{text}");

    let output = stdout(&run("chroot", &[chroot[0], chroot[1], "--json"]));
    let report: Value = serde_json::from_str(&output).expect("JSON");
    assert_eq!(report["mounts"], Value::Null);
    assert_eq!(report["capabilities"]["effective"], Value::Null);
    let unseen = report["unseen"].as_array().expect("a list");
    assert!(unseen.contains(&"cannot see: /proc/self/status is not there".into()), "{unseen:?}");
}
