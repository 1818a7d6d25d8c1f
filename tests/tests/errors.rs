//! What a user does wrong: one line that names the thing and the value, a hint where there is one, and docker's exit
//! code; never a panic, and nothing done by halves.

use end_to_end::{Phial, Result, Stage};

#[test]
fn wrong_words_are_named() -> Result {
    let stage = Stage::busybox()?;
    let image = stage.image.as_str();
    let cases: [(&[&str], i32, &str); 22] = [
        (&["run"], 1, "IMAGE"),
        (&["run", "--no-such-flag", image], 125, "--no-such-flag"),
        (&["run", "-m", "much", image], 125, "much"),
        (&["run", "-m", "1k", image], 125, "1k"),
        (&["run", "--cpus", "-1", image], 125, "-1"),
        (&["run", "--cpus", "1e9", image], 125, "1e9"),
        (&["run", "--pids-limit", "x", image], 125, "x"),
        (&["run", "--network", "nowhere", image], 125, "nowhere"),
        (&["run", "-v", "a:b:c:d", image], 125, "a:b:c:d"),
        (&["run", "-v", "/tmp:relative", image], 125, "relative"),
        (&["run", "--mount", "type=nothing,target=/x", image], 125, "nothing"),
        (&["run", "--env-file", "/no/such/file", image], 125, "/no/such/file"),
        (&["run", "-e", "=x", image], 125, "=x"),
        (&["run", "-u", "nobody-here", image], 125, "nobody-here"),
        (&["run", "--ulimit", "speed=1", image], 125, "speed"),
        (&["run", "--name=-wrong", image], 125, "-wrong"),
        (&["run", "UPPER/case", "true"], 125, "UPPER/case"),
        (&["exec", "absent", "true"], 1, "absent"),
        (&["logs", "absent"], 1, "absent"),
        (&["rm", "absent"], 1, "absent"),
        (&["inspect", "absent"], 1, "absent"),
        (&["pull", "registry/with space"], 1, "registry/with space"),
    ];
    let mut wrong = Vec::new();
    for (arguments, code, named) in cases {
        let output = stage.phial.run(arguments)?;
        let fine = output.code == code
            && output.stderr.contains(named)
            && !output.stderr.contains("panicked")
            && (output.stdout.is_empty() || arguments[0] == "inspect");
        if !fine {
            wrong.push(format!("phial {} (expected {code} and {named}): {output:?}", arguments.join(" ")));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(stage.phial.containers()?, Vec::<String>::new(), "a container was made all the same");
    Ok(())
}

#[test]
fn a_hint_says_what_to_do() -> Result {
    let phial = Phial::new()?;
    let output = phial.run(&["rm", "absent"])?.exited(1)?;
    let first = output.stderr.lines().next().unwrap_or_default();
    assert!(first.starts_with("phial: cannot "), "{output:?}");
    assert!(output.stderr.lines().skip(1).all(|line| line.starts_with("hint: ")), "{output:?}");
    Ok(())
}

#[test]
fn names_of_files_that_are_no_text() -> Result {
    use std::os::unix::ffi::OsStringExt;
    let stage = Stage::busybox()?;
    let strange = std::ffi::OsString::from_vec(b"strange-\xff".to_vec());
    let host = stage.phial.scratch().join(&strange);
    std::fs::write(&host, "x\n")?;
    let mut command = stage.phial.command(&["run", "--rm", "-v"]);
    let mut volume = host.into_os_string();
    volume.push(":/strange");
    let output = end_to_end::process::run(command.arg(volume).args([&stage.image, "cat", "/strange"]))?;
    // Either is fine: to mount it, or to say in one's own words that it cannot be done.
    let mounted = output.code == 0 && output.stdout == "x\n";
    assert!(mounted || output.code != 0 && output.stderr.starts_with("phial: "), "{output:?}");
    assert!(!output.stderr.contains("panicked"), "{output:?}");
    Ok(())
}

#[test]
fn roots_are_taken_from_the_command_line() -> Result {
    let phial = Phial::new()?;
    let (root, run) = (phial.scratch().join("other-root"), phial.scratch().join("other-run"));
    let (root, run) = (root.display().to_string(), run.display().to_string());
    let mut command = phial.command(&["--root", &root, "--run", &run, "run", "--rm", "--network", "none", "hello"]);
    end_to_end::process::run(&mut command)?.success()?;
    assert!(std::path::Path::new(&root).join("phial.db").exists());
    assert!(!phial.root().exists());
    Ok(())
}

#[test]
fn a_long_run_directory_is_no_obstacle() -> Result {
    // The path of a unix socket has 107 bytes at most; a container's own part has 77 of them.
    let phial = Phial::new()?;
    let run = phial.scratch().join("a-directory-with-quite-a-long-name/".repeat(4));
    let run = run.display().to_string();
    let mut command = phial.command(&["--run", &run, "run", "--rm", "hello"]);
    end_to_end::process::run(&mut command)?.success().map(drop)
}
