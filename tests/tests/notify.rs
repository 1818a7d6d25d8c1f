//! `SCMP_ACT_NOTIFY`: system calls of a container that a program of the host answers.

use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::thread::JoinHandle;

use end_to_end::bundle::Bundle;
use end_to_end::{Context, Result};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use serde_json::{Value, json};
use sys::listener::{Answer, answer, receive};

/// What arrives for one process: its state, and the calls that were answered.
struct Served {
    state: Value,
    calls: usize,
}

/// Serves the next process: every other directory is said to be made, the rest cannot be.
fn serve(listener: &UnixListener) -> JoinHandle<Result<Served>> {
    let listener = listener.try_clone().expect("a descriptor");
    std::thread::spawn(move || {
        let (socket, _) = listener.accept()?;
        let (state, descriptor) = hear(&socket)?;
        let mut calls = 0;
        loop {
            let mut ready = [PollFd::new(&descriptor, PollFlags::IN)];
            poll(&mut ready, None)?;
            if ready[0].revents().contains(PollFlags::HUP) {
                return Ok(Served { state, calls });
            }
            let call = receive(descriptor.as_fd())?;
            let result = if calls % 2 == 0 { Answer::Value(0) } else { Answer::Error(Errno::DQUOT) };
            answer(descriptor.as_fd(), &call, result)?;
            calls += 1;
        }
    })
}

/// The whole message, and its descriptor.
fn hear(socket: &UnixStream) -> Result<(Value, OwnedFd)> {
    let (mut text, mut descriptors) = (Vec::new(), Vec::new());
    loop {
        let mut block = [0; 8192];
        let (count, more) = sys::fdpass::receive(socket, &mut block)?;
        text.extend_from_slice(block.get(..count).unwrap_or_default());
        descriptors.extend(more);
        if count == 0 {
            return Ok((serde_json::from_slice(&text)?, descriptors.pop().context("a descriptor")?));
        }
    }
}

fn bundle() -> Result<(Bundle, UnixListener)> {
    let mut bundle = Bundle::new()?;
    let path = bundle.path().join("listener");
    bundle.config["root"]["readonly"] = json!(false);
    bundle.config["annotations"] = json!({"long": "x".repeat(300_000)});
    bundle.config["linux"]["seccomp"] = json!({
        "defaultAction": "SCMP_ACT_ALLOW", "listenerPath": path, "listenerMetadata": "from the test",
        "syscalls": [{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_NOTIFY"}]
    });
    Ok((bundle, UnixListener::bind(path)?))
}

const SCRIPT: &str = "busybox mkdir /dream && echo made; ls -d /dream; busybox mkdir /other; true";

#[test]
fn calls_of_all_processes_of_a_container_are_answered_on_the_host() -> Result {
    let (mut bundle, listener) = bundle()?;
    for no_new_privileges in [true, false] {
        bundle.config["process"]["noNewPrivileges"] = json!(no_new_privileges);
        bundle.arguments(&["sh", "-c", SCRIPT]);
        let served = serve(&listener);
        let output = bundle.run(&["run", "c"])?.exited(0)?;
        assert_eq!(output.stdout, "made\n", "{output:?}");
        assert!(output.stderr.contains("'/other': Disk quota exceeded"), "{output:?}");
        let Served { state, calls } = served.join().expect("does not panic")?;
        assert_eq!(calls, 2);
        assert_eq!((&state["fds"], &state["metadata"]), (&json!(["seccompFd"]), &json!("from the test")));
        assert_eq!((&state["state"]["id"], &state["state"]["status"]), (&json!("c"), &json!("creating")));
        assert_eq!((&state["state"]["pid"], &state["ociVersion"]), (&state["pid"], &json!("1.3.0")));
    }

    bundle.arguments(&["sleep", "1000"]);
    let first = serve(&listener);
    bundle.create(&["c"])?;
    bundle.ok(&["start", "c"])?;
    let served = serve(&listener);
    assert_eq!(bundle.run(&["exec", "c", "sh", "-c", SCRIPT])?.exited(0)?.stdout, "made\n");
    let Served { state, calls } = served.join().expect("does not panic")?;
    assert_eq!((calls, &state["state"]["status"]), (2, &json!("running")));
    assert_ne!(state["pid"], state["state"]["pid"]);
    bundle.ok(&["delete", "--force", "c"])?;
    assert_eq!(first.join().expect("does not panic")?.calls, 0);
    Ok(())
}

#[test]
fn without_who_answers_nothing_is_started() -> Result {
    let (mut bundle, listener) = bundle()?;
    bundle.arguments(&["true"]);
    drop(listener);
    let output = bundle.run(&["run", "c"])?.exited(1)?;
    let expected =
        format!("linux.seccomp.listenerPath {}: Connection refused", bundle.path().join("listener").display());
    assert!(output.stderr.contains(&expected), "{output:?}");
    bundle.config["linux"]["seccomp"]["listenerPath"] = Value::Null;
    let output = bundle.run(&["run", "c"])?.exited(1)?;
    assert!(output.stderr.contains("linux.seccomp: SCMP_ACT_NOTIFY needs a listenerPath"), "{output:?}");
    for call in ["write", "sendmsg"] {
        bundle.config["linux"]["seccomp"]["syscalls"][0]["names"] = json!([call]);
        let output = bundle.run(&["run", "c"])?.exited(1)?;
        assert!(output.stderr.contains(&format!("SCMP_ACT_NOTIFY cannot be used for {call}")), "{output:?}");
    }
    assert_eq!(bundle.ok(&["list", "-q"])?, "");
    Ok(())
}
