//! `--on-error=shell`: a shell in what a command has left when it failed.

use end_to_end::pty::Pty;
use end_to_end::{Project, Result};

#[test]
fn a_shell_opens_where_a_command_has_failed() -> Result {
    let project = Project::new(
        "FROM base\nRUN cat /proc/uptime > /before\nENV WHERE=there\nWORKDIR /work\n\
         RUN --mount=type=cache,target=/cache --mount=type=secret,id=s echo half > left; exit 3\n",
    )?;
    let mut pty = Pty::start(&project.command(&["--on-error=shell", "--secret", "id=s,src=/etc/hostname"]), 40, 120)?;
    pty.wait_for("# ")?;
    pty.send(
        "echo \"[$(cat left) $WHERE $(pwd) $(ls -d /cache) $(id -u) $(test -s /run/secrets/s && echo secret)]\"\n",
    )?;
    pty.wait_for("[half there /work /cache 0 secret]")?;
    // What is done there is nothing of the image, and the build has failed all the same.
    pty.send("touch /fixed; stty size; exit 0\n")?;
    pty.wait_for("40 120")?;
    let (code, said) = pty.finish()?;
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("exit code 3"), "{said}");
    end_to_end::faults::whole(project.phial())?;
    // What was done before is there, and what failed is not.
    let again = project.build(&[])?.exited(1)?;
    assert!(again.stderr.contains("CACHED") && again.stderr.contains("exit code 3"), "{again:?}");
    Ok(())
}

#[test]
fn a_shell_needs_a_terminal() -> Result {
    let project = Project::new("FROM base\nRUN exit 3\n")?;
    let output = project.build(&["--on-error=shell"])?;
    assert!(output.code != 0 && output.stderr.contains("terminal"), "{output:?}");
    end_to_end::faults::whole(project.phial())
}

/// Two commands fail at once: one has the terminal, and the build ends with its shell.
#[test]
fn one_terminal_for_two_that_fail() -> Result {
    let project = Project::new(
        "FROM base AS one\nRUN exit 3\nFROM base AS two\nRUN exit 4\nFROM base\nCOPY --from=one / /1\nCOPY --from=two / /2\n",
    )?;
    let mut pty = Pty::start(&project.command(&["--on-error=shell"]), 40, 120)?;
    pty.wait_for("# ")?;
    pty.send("echo a-$((1+1))-b\n")?;
    pty.wait_for("a-2-b")?;
    pty.send("exit\n")?;
    let (code, said) = pty.finish()?;
    assert_eq!(code, 1, "{said}");
    end_to_end::faults::whole(project.phial())
}
