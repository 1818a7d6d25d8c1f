//! `--ssh`: commands ask an agent of the host to sign, and never see a key.

use std::process::Command;

use end_to_end::process::{Running, program, run, server};
use end_to_end::{Context, Project, Result};

/// An agent with one key, which ends with its value.
struct Agent {
    socket: String,
    fingerprint: String,
    _process: Running,
}

impl Agent {
    fn start(directory: &std::path::Path) -> Result<Agent> {
        let socket = directory.join("agent").display().to_string();
        let mut command = server(&program("ssh-agent", "openssh-client")?)?;
        let process = Running::start(command.args(["-D", "-a", &socket]).stdout(std::process::Stdio::null()))?;
        let key = directory.join("key");
        let mut keygen = Command::new(program("ssh-keygen", "openssh-client")?);
        run(keygen.args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(&key))?.success()?;
        let add = |arguments: &[&str]| -> Result<end_to_end::Output> {
            run(Command::new(program("ssh-add", "openssh-client")?).args(arguments).env("SSH_AUTH_SOCK", &socket))
        };
        let key = key.display().to_string();
        // It listens a moment after it was started.
        while add(&["-q", &key])?.code != 0 {}
        let listed = add(&["-l"])?.success()?;
        let fingerprint = listed.split_whitespace().nth(1).context("a fingerprint")?.to_owned();
        Ok(Agent { socket, fingerprint, _process: process })
    }
}

/// The host's ssh-add, with the libraries that it wants.
fn put_client(project: &Project) -> Result {
    let client = program("ssh-add", "openssh-client")?;
    let listed = run(Command::new("ldd").arg(&client))?.success()?;
    let libraries = listed.split_whitespace().filter(|word| word.starts_with('/'));
    for file in std::iter::once(client.display().to_string()).chain(libraries.map(str::to_owned)) {
        let to = project.dir().join("root").join(file.trim_start_matches('/'));
        std::fs::create_dir_all(to.parent().context("a file is in a directory")?)?;
        std::fs::copy(&file, &to)?;
    }
    Ok(())
}

#[test]
fn an_agent_answers_root_and_others() -> Result {
    let project = Project::new(
        "FROM base\nCOPY root /\n\
         RUN --mount=type=ssh ssh-add -l > /seen; echo $SSH_AUTH_SOCK >> /seen; chmod 666 /seen\n\
         USER reader\n\
         RUN --mount=type=ssh,uid=1000,mode=0600,target=/tmp/agent ssh-add -l >> /seen; echo $SSH_AUTH_SOCK >> /seen\n\
         RUN --mount=type=ssh,id=other,uid=1000 ssh-add -l >> /seen\n\
         RUN echo \"no $SSH_AUTH_SOCK\" >> /seen; ls -d /run/buildkit /tmp/agent >> /seen 2>/dev/null || true\n",
    )?;
    put_client(&project)?;
    let agent = Agent::start(project.phial().scratch())?;
    let other = format!("other={}", agent.socket);
    let mut command = project.command(&["-t", "app", "--ssh", "default", "--ssh", &other]);
    run(command.env("SSH_AUTH_SOCK", &agent.socket))?.exited(0)?;
    let seen = project.in_image("app", "cat /seen")?;
    let lines: Vec<&str> = seen.lines().collect();
    assert_eq!(seen.matches(&agent.fingerprint).count(), 3, "{seen}");
    assert_eq!(
        (lines[1], lines[3], lines[5..].join("")),
        ("/run/buildkit/ssh_agent.0", "/tmp/agent", "no ".to_owned())
    );
    Ok(())
}

#[test]
fn an_agent_that_is_not_there() -> Result {
    let project = Project::new("FROM base\nRUN --mount=type=ssh,required true\n")?;
    let refused = project.build(&[])?.exited(1)?;
    assert!(refused.stderr.contains("the agent default is not given"), "{refused:?}");
    let mut command = project.command(&["--ssh", "default"]);
    let refused = run(command.env_remove("SSH_AUTH_SOCK"))?.exited(1)?;
    assert!(refused.stderr.contains("SSH_AUTH_SOCK is not set"), "{refused:?}");
    project.write("Dockerfile", "FROM base\nRUN --mount=type=ssh test -e $SSH_AUTH_SOCK || echo none > /seen\n")?;
    assert_eq!(project.in_image(&project.id(&[])?, "cat /seen")?, "none");
    Ok(())
}
