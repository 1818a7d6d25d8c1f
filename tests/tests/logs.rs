//! Log drivers and `phial logs`: what is kept, and what is found again, while files are rotated, compressed and removed.

use std::collections::BTreeMap;
use std::io::Read;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::{Command, Stdio};

use end_to_end::process::{self, Running};
use end_to_end::{Phial, Result, Stage, supervisor};

/// A script that writes so many numbered lines.
fn count_to(lines: usize) -> String {
    format!("i=0; while [ $i -lt {lines} ]; do echo line $i; i=$((i+1)); done")
}

/// A container with this waits until it is told to go on: `touch /go` in it.
const WAIT: &str = "until [ -e /go ]; do usleep 1000; done;";

fn numbered(from: usize, to: usize) -> String {
    let lines: Vec<String> = (from..to).map(|number| format!("line {number}\n")).collect();
    lines.concat()
}

/// The files of a container's log, by the ends of their names.
fn files(phial: &Phial, id: &str) -> Vec<String> {
    let directory = phial.root().join("containers").join(id);
    let names =
        std::fs::read_dir(directory).expect("the container's directory").flatten().map(|entry| entry.file_name());
    let names = names.filter_map(|name| name.to_str()?.strip_prefix("container.log").map(str::to_owned));
    let mut names: Vec<String> = names.collect();
    names.sort();
    names
}

#[test]
fn one_who_follows_a_rotated_log_sees_every_line_once() -> Result {
    let stage = Stage::busybox()?;
    let lines = 20_000;
    for driver in ["json-file", "local", "k8s-file"] {
        let options = ["max-size=60k", "max-file=1000", "compress=true"].map(|option| ["--log-opt", option]).concat();
        let flags = [&["--log-driver", driver][..], &options, &["--name", driver]].concat();
        // It begins to write when it is told to, so that the follower is there before.
        let id = stage.start(&flags, &["sh", "-c", &format!("{WAIT} {}", count_to(lines))])?;
        let mut follow = stage.phial.command(&["logs", "-f", driver]);
        let mut follower = Running::spawn(follow.stdin(Stdio::null()).stdout(Stdio::piped()))?;
        let mut output = follower.child().stdout.take().expect("is piped");
        stage.phial.ok(&["exec", driver, "touch", "/go"])?;
        let mut text = String::new();
        output.read_to_string(&mut text)?;
        assert_eq!(follower.wait()?, 0, "{driver}");
        assert!(
            text == numbered(0, lines),
            "{driver}: {} lines, the last {:?}",
            text.lines().count(),
            text.lines().last()
        );
        assert!(files(&stage.phial, &id).len() > 5, "{driver}: {:?}", files(&stage.phial, &id));
        assert!(stage.phial.ok(&["logs", driver])? + "\n" == numbered(0, lines), "{driver}");
        for tail in [0, 1, 700, 5000, 50_000] {
            let expected = numbered(lines.saturating_sub(tail), lines);
            let found = stage.phial.run(&["logs", "-n", &tail.to_string(), driver])?.success()?;
            assert!(found == expected, "{driver} -n {tail}: {} lines", found.lines().count());
        }
    }
    Ok(())
}

#[test]
fn the_oldest_files_go_and_finished_ones_are_compressed() -> Result {
    let stage = Stage::busybox()?;
    let options = ["max-size=20k", "max-file=3", "compress=true"].map(|option| ["--log-opt", option]).concat();
    stage.phial.ok(&[&["run", "--name", "web"][..], &options, &[&stage.image, "sh", "-c", &count_to(3000)]].concat())?;
    let id = stage.phial.inspect("web")?["Id"].as_str().expect("an id").to_owned();
    let found = stage.phial.ok(&["logs", &id])? + "\n";
    let kept = found.lines().count();
    assert!(found == numbered(3000 - kept, 3000), "{found}");
    // Three files of 20 kB with lines of about 75 bytes.
    assert!((400..900).contains(&kept), "{kept}");
    let names = files(&stage.phial, &id);
    assert_eq!(names.len(), 3, "{names:?}");
    assert!(names[0].is_empty());
    Ok(())
}

#[test]
fn times_bound_what_is_shown() -> Result {
    let stage = Stage::busybox()?;
    for driver in ["json-file", "local", "k8s-file"] {
        let options = ["max-size=300", "max-file=20"].map(|option| ["--log-opt", option]).concat();
        let script = "for i in 0 1 2 3 4 5 6 7 8 9 10 11; do echo line $i; usleep 2000; done";
        let flags = [&["--log-driver", driver, "--name", driver][..], &options].concat();
        stage.phial.ok(&[&["run"][..], &flags, &[&stage.image, "sh", "-c", script]].concat())?;
        let with_times = stage.phial.ok(&["logs", "-t", driver])?;
        let times: Vec<&str> = with_times.lines().filter_map(|line| line.split(' ').next()).collect();
        assert_eq!(times.len(), 12, "{driver}: {with_times}");
        assert!(times.iter().all(|time| time.len() == "2026-08-05T12:00:00.000000000Z".len()), "{with_times}");
        let check = |flags: &[&str], from: usize, to: usize| -> Result {
            let found = stage.phial.run(&[&["logs"], flags, &[driver]].concat())?.success()?;
            assert_eq!(found, numbered(from, to), "{driver} {flags:?}");
            Ok(())
        };
        // Lines that the supervisor gets at once have one time.
        let from = |number: usize| times.iter().position(|time| *time == times[number]).unwrap_or_default();
        let to = |number: usize| times.iter().rposition(|time| *time == times[number]).unwrap_or_default() + 1;
        check(&["--since", times[4]], from(4), 12)?;
        check(&["--until", times[4]], 0, to(4))?;
        check(&["--since", times[2], "--until", times[7]], from(2), to(7))?;
        check(&["--since", times[2], "-n", "3"], 9, 12)?;
        check(&["--since", "1h"], 0, 12)?;
        check(&["--since", "0"], 0, 12)?;
        check(&["--until", "1h"], 0, 0)?;
        check(&["--since", "2999-01-01"], 0, 0)?;
        check(&["-f", "--until", times[4]], 0, to(4))?;
    }
    let refused = stage.phial.run(&["logs", "--since", "soon", "local"])?.exited(1)?;
    assert!(refused.stderr.contains("--since soon: not a time"), "{}", refused.stderr);
    Ok(())
}

#[test]
fn streams_and_details_are_kept_apart() -> Result {
    let stage = Stage::busybox()?;
    for driver in ["json-file", "local", "k8s-file"] {
        let script = "printf 'out\\nno end'; echo err >&2";
        stage.phial.ok(&["run", "--log-driver", driver, "--name", driver, &stage.image, "sh", "-c", script])?;
        let output = stage.phial.run(&["logs", driver])?.exited(0)?;
        assert!(output.stdout.starts_with("out\nno end") && output.stderr == "err\n", "{driver}: {output:?}");
    }
    let options =
        ["tag={{.Name}}/{{.ImageName}}", "labels=tier", "env=WHO"].map(|option| ["--log-opt", option]).concat();
    let flags = [&options[..], &["--name", "web", "-l", "tier=a b", "-e", "WHO=me", "-e", "NOT=x"]].concat();
    stage.phial.ok(&[&["run"][..], &flags, &[&stage.image, "echo", "hi"]].concat())?;
    let tag = format!("web%2F{}", stage.image.replace(':', "%3A").replace('/', "%2F"));
    assert_eq!(stage.phial.ok(&["logs", "--details", "web"])?, format!("WHO=me,tag={tag},tier=a+b hi"));
    assert_eq!(stage.phial.inspect("web")?["HostConfig"]["LogConfig"]["Config"]["labels"], "tier");
    Ok(())
}

#[test]
fn details_are_chosen_by_expressions() -> Result {
    let stage = Stage::busybox()?;
    let options = ["labels-regex=^(tier|area)$", "env-regex=^APP_"].map(|option| ["--log-opt", option]).concat();
    let labels = ["-l", "tier=web", "-l", "area=x", "-l", "tiers=3"];
    let flags =
        [&options[..], &labels, &["-e", "APP_A=1", "-e", "APP_B=2", "-e", "MY_APP_=3", "--name", "web"]].concat();
    stage.phial.ok(&[&["run"][..], &flags, &[&stage.image, "echo", "hi"]].concat())?;
    assert_eq!(stage.phial.ok(&["logs", "--details", "web"])?, "APP_A=1,APP_B=2,area=x,tier=web hi");
    Ok(())
}

#[test]
fn what_cannot_be_is_refused_and_leaves_nothing() -> Result {
    let stage = Stage::busybox()?;
    let cases: [(&[&str], &str); 6] = [
        (&["--log-driver", "syslog"], "--log-driver syslog: this log driver is not supported"),
        (&["--log-driver", "nosuch"], "--log-driver nosuch: there is no such log driver"),
        (&["--log-opt", "colour=red"], "unknown log opt 'colour' for json-file log driver"),
        (&["--log-opt", "max-size=many"], "--log-opt max-size=many: not a size"),
        (&["--log-opt", "max-file=2"], "only one file without a max-size"),
        (&["--log-opt", "mode=fast"], "--log-opt mode=fast: neither blocking nor non-blocking"),
    ];
    for (flags, expected) in cases {
        let output = stage.run(flags, &["true"])?.exited(125)?;
        assert!(output.stderr.contains(expected), "{flags:?}: {}", output.stderr);
    }
    assert_eq!(stage.phial.containers()?, [""; 0]);
    stage.phial.ok(&["run", "--log-driver", "none", "--name", "quiet", &stage.image, "echo", "hi"])?;
    let output = stage.phial.run(&["logs", "quiet"])?.exited(1)?;
    assert!(output.stderr.contains("configured logging driver does not support reading"), "{}", output.stderr);
    Ok(())
}

#[test]
fn a_log_that_does_not_block_is_whole_when_the_container_has_ended() -> Result {
    let stage = Stage::busybox()?;
    let options = ["mode=non-blocking", "max-buffer-size=64m"].map(|option| ["--log-opt", option]).concat();
    stage
        .phial
        .ok(&[&["run", "-d", "--name", "web"][..], &options, &[&stage.image, "sh", "-c", &count_to(20_000)]].concat())?;
    stage.phial.ok(&["wait", "web"])?;
    assert!(stage.phial.ok(&["logs", "web"])? + "\n" == numbered(0, 20_000));
    Ok(())
}

#[test]
fn a_log_whose_writer_is_stopped_does_not_stop_the_container() -> Result {
    let stage = Stage::busybox()?;
    let options = ["mode=non-blocking", "max-buffer-size=64k"].map(|option| ["--log-opt", option]).concat();
    let script = format!("{WAIT} {}; echo done > /done; sleep 100", count_to(100_000));
    let id = stage.start(&[&["--name", "web"][..], &options].concat(), &["sh", "-c", &script])?;
    let supervisor = supervisor::pid(&stage.phial, &id)?.as_raw_nonzero().get();
    let writer = process::all().into_iter().find(|process| {
        process.parent == supervisor && process::arguments(process.pid).iter().any(|word| word == "write-log")
    });
    let writer = rustix::process::Pid::from_raw(writer.expect("there is a writer").pid).expect("has a number");
    rustix::process::kill_process(writer, rustix::process::Signal::STOP)?;
    stage.phial.ok(&["exec", "web", "touch", "/go"])?;
    // The container gets there although nobody takes what it writes.
    stage.phial.ok(&["exec", "web", "sh", "-c", "until [ -e /done ]; do usleep 1000; done"])?;
    rustix::process::kill_process(writer, rustix::process::Signal::CONT)?;
    stage.phial.ok(&["stop", "-t", "0", "web"])?;
    let kept = stage.phial.ok(&["logs", "web"])?.lines().count();
    assert!((1..100_000).contains(&kept), "{kept}");
    Ok(())
}

/// `phial ARGUMENTS` on a host whose /run has nothing but a journal in `directory`, and a `journalctl` in `bin`.
fn with_journal(phial: &Phial, directory: &Path, arguments: &[&str]) -> Command {
    let inner = phial.command(arguments);
    let script = "mount -t tmpfs none /run && mkdir -p /run/systemd && ln -s \"$1\" /run/systemd/journal && PATH=\"$1:$PATH\" && shift && exec \"$@\"";
    let mut command = Command::new("unshare");
    command.args(["--mount", "sh", "-c", script, "sh"]).arg(directory).arg(inner.get_program()).args(inner.get_args());
    for (name, value) in inner.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    command
}

/// The fields of a datagram for the journal.
fn fields(datagram: &[u8]) -> BTreeMap<String, String> {
    let mut fields = BTreeMap::new();
    let mut rest = datagram;
    while !rest.is_empty() {
        let end = rest.iter().position(|byte| *byte == b'\n').expect("a line's end");
        let line = String::from_utf8_lossy(&rest[..end]).into_owned();
        rest = &rest[end + 1..];
        if let Some((name, value)) = line.split_once('=') {
            fields.insert(name.to_owned(), value.to_owned());
        } else {
            let length = usize::try_from(u64::from_le_bytes(rest[..8].try_into().expect("8 bytes"))).expect("is short");
            fields.insert(line, String::from_utf8_lossy(&rest[8..8 + length]).into_owned());
            rest = &rest[8 + length + 1..];
        }
    }
    fields
}

#[test]
fn the_journal_gets_dockers_fields_and_is_read_back() -> Result {
    let stage = Stage::busybox()?;
    let directory = stage.phial.scratch().join("journal");
    std::fs::create_dir(&directory)?;
    let journal = UnixDatagram::bind(directory.join("socket"))?;
    let script = "echo out; echo err >&2; head -c 20000 /dev/zero | tr '\\0' x; echo";
    let flags = [
        "--log-driver",
        "journald",
        "--name",
        "web",
        "-l",
        "com.a=two\nlines",
        "--log-opt",
        "labels=com.a",
        "--log-opt",
        "tag=t/{{.Name}}",
    ];
    let arguments = [&["run"][..], &flags, &[&stage.image, "sh", "-c", script]].concat();
    let writer = std::thread::spawn({
        let mut command = with_journal(&stage.phial, &directory, &arguments);
        move || process::run(&mut command)
    });
    let mut entries = Vec::new();
    let mut buffer = vec![0; 1 << 20];
    while entries.len() < 4 {
        let length = journal.recv(&mut buffer)?;
        entries.push(fields(&buffer[..length]));
    }
    writer.join().expect("does not panic")?.success()?;
    let id = stage.phial.inspect("web")?["Id"].as_str().expect("an id").to_owned();
    for entry in &entries {
        let expected = [
            ("CONTAINER_NAME", "web"),
            ("CONTAINER_ID_FULL", id.as_str()),
            ("CONTAINER_ID", &id[..12]),
            ("CONTAINER_TAG", "t/web"),
            ("SYSLOG_IDENTIFIER", "t/web"),
            ("IMAGE_NAME", stage.image.as_str()),
            ("COM_A", "two\nlines"),
        ];
        for (name, value) in expected {
            assert_eq!(entry.get(name).map(String::as_str), Some(value), "{name}: {entry:?}");
        }
    }
    let of = |message: &str| entries.iter().find(|entry| entry["MESSAGE"] == message).expect("is there");
    assert_eq!((of("out")["PRIORITY"].as_str(), of("err")["PRIORITY"].as_str()), ("6", "3"));
    let part = of(&"x".repeat(16 * 1024));
    let last = of(&"x".repeat(20_000 - 16 * 1024));
    assert_eq!(part["CONTAINER_PARTIAL_MESSAGE"], "true");
    assert_eq!((last.get("CONTAINER_PARTIAL_MESSAGE"), last["CONTAINER_PARTIAL_LAST"].as_str()), (None, "true"));
    assert_eq!(part["CONTAINER_PARTIAL_ID"], last["CONTAINER_PARTIAL_ID"]);

    // What systemd's own program would print, printed by one of ours.
    let json = r#"{"__CURSOR":"c","MESSAGE":"out","PRIORITY":"6","SYSLOG_TIMESTAMP":"2026-08-05T12:00:00Z"}"#;
    let program = format!("#!/bin/sh\necho \"$@\" > {}/asked\necho '{json}'\n", directory.display());
    std::fs::write(directory.join("journalctl"), program)?;
    std::fs::set_permissions(directory.join("journalctl"), std::os::unix::fs::PermissionsExt::from_mode(0o755))?;
    let read =
        process::run(&mut with_journal(&stage.phial, &directory, &["logs", "-t", "-n", "3", "web"]))?.success()?;
    assert_eq!(read, "2026-08-05T12:00:00.000000000Z out\n");
    let asked = std::fs::read_to_string(directory.join("asked"))?;
    assert!(asked.contains("--lines=3") && asked.trim_end().ends_with(&format!("CONTAINER_ID_FULL={id}")), "{asked}");
    Ok(())
}

#[test]
fn a_journal_that_never_answers_does_not_stop_the_container() -> Result {
    let stage = Stage::busybox()?;
    let directory = stage.phial.scratch().join("journal");
    std::fs::create_dir(&directory)?;
    // Bound, and never read from.
    let journal = UnixDatagram::bind(directory.join("socket"))?;
    let arguments = ["run", "--rm", "--log-driver", "journald", &stage.image, "sh", "-c", &count_to(5000)];
    let output = process::run(&mut with_journal(&stage.phial, &directory, &arguments))?.success()?;
    assert!(output == numbered(0, 5000));
    drop(journal);
    std::fs::remove_file(directory.join("socket"))?;
    let refused = process::run(&mut with_journal(&stage.phial, &directory, &arguments))?.exited(125)?;
    assert!(refused.stderr.contains("the journal does not run on this host"), "{}", refused.stderr);
    Ok(())
}

#[test]
fn a_full_disk_loses_whole_lines_and_nothing_else() -> Result {
    let stage = Stage::busybox()?;
    for driver in ["json-file", "local", "k8s-file"] {
        let script = format!("{}; echo the end >&2", count_to(20_000));
        stage.phial.ok(&["create", "--log-driver", driver, "--name", driver, &stage.image, "sh", "-c", &script])?;
        let id = stage.phial.inspect(driver)?["Id"].as_str().expect("an id").to_owned();
        let log = stage.phial.root().join("containers").join(&id).join("container.log");
        // On a file system of 64 kB, which nobody but this container's supervisor sees.
        let small = stage.phial.scratch().join(driver);
        std::fs::create_dir(&small)?;
        let script = "mount -t tmpfs -o size=64k none \"$1\" && touch \"$1/log\" \"$2\" && mount --bind \"$1/log\" \"$2\" && \
            \"$3\" start -a \"$4\" >/dev/null && exec \"$3\" logs \"$4\"";
        let inner = stage.phial.command(&[]);
        let mut command = Command::new("unshare");
        command.args(["--mount", "sh", "-c", script, "sh"]).arg(&small).arg(&log).arg(inner.get_program()).arg(driver);
        for (name, value) in inner.get_envs() {
            command.env(name, value.unwrap_or_default());
        }
        let output = process::run(&mut command)?.exited(0)?;
        let kept = output.stdout.lines().count();
        assert!(kept > 300 && kept < 20_000, "{driver}: {kept}");
        // Where there was room again for a shorter one, it was kept.
        let numbers = output.stdout.lines().map(|line| line.strip_prefix("line ").and_then(|rest| rest.parse().ok()));
        let numbers: Option<Vec<u32>> = numbers.collect();
        assert!(numbers.is_some_and(|numbers| numbers.is_sorted_by(|one, next| one < next)), "{driver}: {output:?}");
        assert_eq!(stage.phial.inspect(driver)?["State"]["ExitCode"], 0);
    }
    Ok(())
}
