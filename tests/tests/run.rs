//! `phial run`: what comes out of a container, and what each flag does to it. The words and the exit codes are
//! docker's (docs.docker.com/reference/cli/docker/container/run).

use end_to_end::{Result, Stage};

#[test]
fn the_exit_code_is_the_processes() -> Result {
    let stage = Stage::busybox()?;
    let cases: [(&[&str], &[&str], i32); 9] = [
        (&[], &["true"], 0),
        (&[], &["false"], 1),
        (&[], &["sh", "-c", "exit 37"], 37),
        (&["--init"], &["sh", "-c", "kill -KILL $$"], 137),
        (&["--init"], &["sh", "-c", "kill -TERM $$"], 143),
        (&[], &["/etc/passwd"], 126),
        (&[], &["/tmp"], 126),
        (&[], &["no-such-program"], 127),
        (&[], &["/bin/no-such-program"], 127),
    ];
    for (flags, command, code) in cases {
        let output = stage.run(flags, command)?.exited(code)?;
        assert!(output.stdout.is_empty(), "{output:?}");
        assert_eq!(output.stderr.is_empty(), !(126..=127).contains(&code), "{output:?}");
    }
    Ok(())
}

#[test]
fn stdout_and_stderr_are_two_streams() -> Result {
    let output = Stage::busybox()?.run(&[], &["sh", "-c", "echo out; echo err >&2; echo more"])?.exited(0)?;
    assert_eq!((output.stdout.as_str(), output.stderr.as_str()), ("out\nmore\n", "err\n"));
    Ok(())
}

#[test]
fn stdin_is_passed_on_when_asked_for() -> Result {
    let stage = Stage::busybox()?;
    // More than every pipe and socket buffer on the way, so that somebody has to wait.
    let input = "0123456789abcde\n".repeat(200_000);
    let echoed =
        stage.phial.run_with_input(&["run", "-i", "--rm", &stage.image, "cat"], input.as_bytes())?.success()?;
    assert!(echoed == input, "{} bytes went in, {} came back", input.len(), echoed.len());
    let unread = stage.phial.run_with_input(&["run", "--rm", &stage.image, "cat"], b"not for you\n")?.success()?;
    assert_eq!(unread, "");
    // A container that does not read ends all the same.
    stage.phial.run_with_input(&["run", "-i", "--rm", &stage.image, "true"], input.as_bytes())?.success()?;
    Ok(())
}

#[test]
fn a_lot_of_output_arrives_whole() -> Result {
    let stage = Stage::busybox()?;
    let output = stage.sh(&[], "seq 1 200000")?;
    assert_eq!(output.lines().count(), 200_000);
    assert_eq!(output.lines().last(), Some("200000"));
    Ok(())
}

#[test]
fn environment() -> Result {
    let stage = Stage::busybox()?;
    let file = stage.phial.scratch().join("env");
    std::fs::write(&file, "# comment\nFROM_FILE=1\nBOTH=file\nFROM_OUTSIDE\n\n")?;
    let file = file.display().to_string();
    let mut command = stage.phial.command(&["run", "--rm", "-e", "SET=a b=c", "-e", "OUTSIDE", "-e", "ABSENT"]);
    command.args(["--env-file", &file, "-e", "BOTH=flag", "--hostname", "vessel", &stage.image, "env"]);
    command.env("OUTSIDE", "yes").env("FROM_OUTSIDE", "too").env_remove("ABSENT");
    let printed = end_to_end::process::run(&mut command)?.success()?;
    let lines: Vec<&str> = printed.lines().collect();
    for line in [
        "SET=a b=c",
        "OUTSIDE=yes",
        "FROM_FILE=1",
        "FROM_OUTSIDE=too",
        "BOTH=flag",
        "FROM_IMAGE=yes",
        "HOSTNAME=vessel",
        "HOME=/root",
    ] {
        assert!(lines.contains(&line), "{line} is not in {lines:?}");
    }
    assert!(!lines.iter().any(|line| line.starts_with("ABSENT") || line.starts_with("PHIAL")), "{lines:?}");
    Ok(())
}

#[test]
fn place_user_and_program() -> Result {
    let stage = Stage::busybox()?;
    let reader = "uid=1000(reader) gid=1000(reader) groups=1000(reader),2000(teachers)";
    stage.check(&[
        (&[], "pwd", "/"),
        (&["-w", "/tmp"], "pwd", "/tmp"),
        (&["-w", "/made/for/this"], "pwd", "/made/for/this"),
        (&["-u", "reader"], "id", reader),
        (&["-u", "reader"], "echo $HOME", "/home/reader"),
        (&["-u", "1000"], "id", reader),
        (&["-u", "reader:teachers"], "id -u; id -g", "1000\n2000"),
        (&["-u", "12345:678"], "id -u; id -g; id -G", "12345\n678\n678"),
        (&["-u", "reader"], "touch /etc/mine 2>/dev/null || echo no", "no"),
        (&["--hostname", "vessel"], "hostname; cat /etc/hostname", "vessel\nvessel"),
        (&["--hostname", "vessel"], "grep -c vessel /etc/hosts", "2"),
    ])?;
    let output = stage.run(&["--entrypoint", "echo"], &["a", "b"])?;
    assert_eq!(output.success()?, "a b\n");
    // An entry point of one's own takes the image's command away.
    assert_eq!(stage.run(&["--entrypoint", "pwd"], &[])?.success()?, "/\n");
    Ok(())
}

#[test]
fn bind_mounts() -> Result {
    let stage = Stage::busybox()?;
    let data = stage.phial.scratch().join("data");
    std::fs::create_dir(&data)?;
    std::fs::write(data.join("file"), "from the host\n")?;
    let data = data.display().to_string();
    let (volume, read_only) = (format!("{data}:/data"), format!("{data}:/data:ro"));
    let mount = format!("type=bind,source={data},target=/data,readonly");
    let one_file = format!("{data}/file:/etc/one");
    let missing = format!("{data}/made/by/run:/data");
    stage.check(&[
        (&["-v", &volume], "cat /data/file; echo from inside > /data/new", "from the host"),
        (&["-v", &read_only], "cat /data/new; echo x 2>/dev/null > /data/no || echo refused", "from inside\nrefused"),
        (&["--mount", &mount], "cat /data/file; touch /data/no 2>/dev/null || echo refused", "from the host\nrefused"),
        (&["-v", &one_file], "cat /etc/one", "from the host"),
        (&["-v", &missing], "ls -A /data", ""),
    ])?;
    assert_eq!(std::fs::read_to_string(format!("{data}/new"))?, "from inside\n");
    assert!(std::path::Path::new(&format!("{data}/made/by/run")).is_dir());
    assert!(!std::path::Path::new(&format!("{data}/no")).exists());
    let nowhere = format!("type=bind,source={data}/absent,target=/data");
    let output = stage.run(&["--mount", &nowhere], &["true"])?.exited(125)?;
    assert!(output.stderr.contains("absent"), "{output:?}");
    Ok(())
}

#[test]
fn tmpfs_and_a_read_only_root() -> Result {
    let stage = Stage::busybox()?;
    let sized = "type=tmpfs,target=/scratch,tmpfs-size=1m,tmpfs-mode=1770";
    stage.check(&[
        (&["--mount", sized], "df -k /scratch | tail -n 1 | awk '{print $2}'", "1024"),
        (&["--mount", sized], "stat -c %a /scratch", "1770"),
        (&["--read-only"], "touch /etc/x 2>/dev/null || echo refused", "refused"),
        (&["--read-only"], "echo kept > /dev/shm/x && cat /dev/shm/x", "kept"),
        (&["--read-only", "--mount", "type=tmpfs,target=/tmp"], "echo kept > /tmp/x && cat /tmp/x", "kept"),
        (&[], "echo kept > /etc/x && cat /etc/x", "kept"),
    ])
}

#[test]
fn the_images_layers_are_laid_over_one_another() -> Result {
    let stage = Stage::busybox()?;
    stage.check(&[
        (&[], "cat /etc/motd", "a small vessel for amd64"),
        (&[], "ls /etc/removed 2>/dev/null || echo gone", "gone"),
        (&[], "readlink /var/run; stat -c %a /tmp", "../run\n1777"),
        (&[], "stat -c %u:%g /home/reader", "1000:1000"),
        // What one container writes, no other one sees.
        (&[], "rm /etc/motd; echo x > /etc/new", ""),
        (&[], "cat /etc/motd; ls /etc/new 2>/dev/null || echo gone", "a small vessel for amd64\ngone"),
    ])
}

#[test]
fn names_and_labels_are_kept() -> Result {
    let stage = Stage::busybox()?;
    stage.start(&["--name", "named", "--label", "a=1", "--label", "b"], &["true"])?;
    let inspected = stage.phial.inspect("named")?;
    assert_eq!(inspected["Name"], "/named");
    let labels = &inspected["Config"]["Labels"];
    assert_eq!((&labels["a"], &labels["b"]), (&"1".into(), &"".into()), "{labels}");
    assert_eq!(labels["org.opencontainers.image.title"], "busybox for tests");
    let output = stage.run(&["--name", "named"], &["true"])?.exited(125)?;
    assert!(output.stderr.contains("named"), "{output:?}");
    Ok(())
}

/// What goes with its end need not wait for the disk (kernel documentation, `overlayfs.rst`, "Volatile mount").
#[test]
fn only_what_is_removed_at_its_end_is_volatile() -> Result {
    let stage = Stage::busybox()?;
    // Newer kernels write `fsync=volatile`.
    let script = "grep -c ' / / .* overlay .*[,=]volatile' /proc/self/mountinfo";
    assert_eq!(stage.sh(&[], script)?, "1");
    let kept = stage.phial.run(&["run", &stage.image, "sh", "-c", script])?;
    assert_eq!((kept.code, kept.stdout.as_str()), (1, "0\n"));
    Ok(())
}
