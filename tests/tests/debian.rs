//! A whole Debian in several layers: its own tools run, its files are as its makers left them, and somebody can work
//! in it at a terminal.

use end_to_end::pty::Pty;
use end_to_end::{Result, Stage};

#[test]
fn its_own_tools_run() -> Result {
    let stage = Stage::debian()?;
    let apt = stage.run(&[], &["apt-get", "--version"])?.success()?;
    assert!(apt.starts_with("apt 2."), "{apt}");
    let bash = stage.run(&[], &["bash", "-c", "set -o pipefail; echo {1..5} | tr ' ' + | sed 's/$/;/'"])?;
    assert_eq!(bash.success()?, "1+2+3+4+5;\n");
    let piped = stage.phial.run_with_input(&["run", "--rm", "-i", &stage.image, "sort", "-n"], b"10\n9\n1\n")?;
    assert_eq!(piped.success()?, "1\n9\n10\n");
    stage.run(&[], &["bash", "-c", "exit 42"])?.exited(42).map(drop)
}

#[test]
fn files_are_as_they_were_packed() -> Result {
    Stage::debian()?.check(&[
        (
            &[],
            "stat -c '%A %U:%G' /usr/bin/passwd /tmp /etc/shadow",
            "-rwsr-xr-x root:root\ndrwxrwxrwt root:root\n-rw-r----- root:shadow",
        ),
        (&[], "readlink /bin /var/run", "usr/bin\n/run"),
        (&[], "stat -c %h /usr/bin/perl /opt/phial/script", "2\n2"),
        (&[], "test /opt/phial/script -ef /opt/phial/same && /opt/phial/same a b", "/opt/phial/same a b"),
        // The second layer removed a directory, and hid all of another one but a file of its own.
        (&[], "ls -d /usr/share/doc 2>/dev/null || echo gone", "gone"),
        (&[], "ls /usr/share/perl5", "kept"),
        (&[], "ls /opt/phial", "same\nscript\nstays"),
        (&[], "stat -c %Y /etc/debian_version | grep -c '^1[0-9]\\{9\\}$'", "1"),
        (&[], "dpkg --verify libc6 libc-bin bash coreutils 2>&1 | grep -v /usr/share/ || echo unchanged", "unchanged"),
    ])
}

#[test]
fn packages_can_be_removed_and_configured() -> Result {
    // The package manager exercises renames, links, chown and fsync over layers as nothing else does.
    let stage = Stage::debian()?;
    let script = "dpkg --purge --force-depends mawk >/dev/null 2>&1; dpkg -s mawk 2>&1 | grep -c 'not installed'";
    stage.check(&[(&[], script, "1")])
}

/// A line that is printed by the shell, but does not stand in what was typed.
fn say(word: &str) -> String {
    let (first, rest) = word.split_at(1);
    format!("echo {first}''{rest}\n")
}

#[test]
fn a_terminal_session() -> Result {
    let stage = Stage::debian()?;
    let mut pty = Pty::start(&stage.phial.command(&["run", "--rm", "-it", &stage.image]), 24, 80)?;
    pty.send("tty; stty size\n")?;
    pty.wait_for("/dev/pts/0")?;
    pty.wait_for("24 80")?;

    // Job control: stop what runs, see it, bring it back, interrupt it. It says itself when it has the terminal again:
    // what is typed before that would reach the shell.
    pty.send("bash -c \"trap 'echo b''ack' CONT; echo st''art; while :; do sleep 1000 & wait; done\"\n")?;
    pty.wait_for("start")?;
    pty.send("\x1a")?;
    pty.wait_for("Stopped")?;
    pty.send("jobs; fg\n")?;
    pty.wait_for("Stopped")?;
    pty.wait_for("\nback")?;
    pty.send("\x03")?;
    pty.wait_for("^C")?;
    pty.send(&say("interrupted"))?;
    pty.wait_for("interrupted")?;

    // The line editor: what is deleted is not run.
    pty.send("echo wrong\x15")?;
    pty.send(&say("right"))?;
    assert!(!pty.wait_for("right")?.contains("\rwrong"));
    pty.send("exit 7\n")?;
    let (code, output) = pty.finish()?;
    assert_eq!(code, 7, "{output}");
    Ok(())
}

#[test]
fn the_window_is_the_containers_window() -> Result {
    let stage = Stage::debian()?;
    let script = "trap 'stty size; exit 5' WINCH; echo ready; while :; do sleep 1000 & wait; done";
    let mut pty =
        Pty::start(&stage.phial.command(&["run", "--rm", "-it", &stage.image, "bash", "-c", script]), 24, 80)?;
    pty.wait_for("ready")?;
    pty.resize(50, 132)?;
    pty.wait_for("50 132")?;
    let (code, output) = pty.finish()?;
    assert_eq!(code, 5, "{output}");
    Ok(())
}

#[test]
fn detaching_leaves_it_running() -> Result {
    let stage = Stage::debian()?;
    let mut pty = Pty::start(&stage.phial.command(&["run", "-it", "--name", "shell", &stage.image]), 24, 80)?;
    pty.send(&say("here"))?;
    pty.wait_for("here")?;
    pty.send("\x10\x11")?;
    let (code, output) = pty.finish()?;
    assert_eq!(code, 0, "{output}");
    assert_eq!(stage.phial.inspect("shell")?["State"]["Running"], true);

    let mut pty = Pty::start(&stage.phial.command(&["attach", "shell"]), 24, 80)?;
    // A single Ctrl-P still reaches the shell: it brings back the last line.
    pty.send("\x10\n")?;
    pty.wait_for("here")?;
    pty.send("exit 9\n")?;
    let (code, output) = pty.finish()?;
    assert_eq!(code, 9, "{output}");
    assert_eq!(stage.phial.ok(&["wait", "shell"])?, "9");
    Ok(())
}

#[test]
fn the_terminal_is_given_back_as_it_was() -> Result {
    let stage = Stage::debian()?;
    // A shell around the program sees the terminal before and after.
    let program = stage.phial.command(&[]);
    let script = "stty -g; \"$0\" run --rm -it \"$1\" bash -c 'kill -KILL $$ || exit 3'; echo code $?; stty -g";
    let mut shell = std::process::Command::new("sh");
    shell.args(["-c", script]).arg(program.get_program()).arg(&stage.image);
    shell.env("PHIAL_ROOT", stage.phial.root()).env("PHIAL_RUN", stage.phial.run_dir());
    let (_, output) = Pty::start(&shell, 24, 80)?.finish()?;
    let lines: Vec<&str> = output.lines().collect();
    assert_eq!(lines.first(), lines.last(), "{output}");
    assert!(lines.len() >= 3, "{output}");
    Ok(())
}
