//! `--ssh`: commands ask an agent of the host to sign, and never see a key.

use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::process::Command;

use end_to_end::process::{self, Running, program, run, server};
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

/// The process of a command with one argument.
fn process_of(program: &str, argument: &str) -> Option<i32> {
    let pids = process::all().into_iter().map(|process| process.pid);
    pids.into_iter().find(|pid| process::arguments(*pid).starts_with(&[program.to_owned(), argument.to_owned()]))
}

/// Asks an agent that says everything again.
fn answers(stream: &mut UnixStream) -> bool {
    let mut answer = [0];
    stream.write_all(b"a").is_ok() && matches!(stream.read(&mut answer), Ok(1))
}

#[test]
fn an_agent_has_so_many_clients_and_no_more() -> Result {
    let word = "1234501";
    let project = Project::new(&format!("FROM base\nRUN --mount=type=ssh sleep {word}\n"))?;
    let socket = project.phial().scratch().join("agent");
    let listener = UnixListener::bind(&socket)?;
    // It ends with the program that tests.
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(std::io::Result::ok) {
            std::thread::spawn(move || {
                let mut reading = &stream;
                std::io::copy(&mut reading, &mut &stream)
            });
        }
    });
    let flag = format!("default={}", socket.display());
    let mut build = Running::start(&mut project.command(&["--progress", "none", "--ssh", &flag]))?;
    let pid = loop {
        assert!(build.is_alive(), "the build has ended before");
        if let Some(pid) = process_of("sleep", word) {
            break pid;
        }
    };
    let inside = format!("/proc/{pid}/root/run/buildkit/ssh_agent.0");
    let connect = || -> Result<Option<UnixStream>> {
        let mut stream = UnixStream::connect(&inside).context(&inside)?;
        Ok(answers(&mut stream).then_some(stream))
    };
    let mut clients = Vec::new();
    while let Some(client) = connect()? {
        clients.push(client);
        assert!(clients.len() <= 64, "there is no end of them");
    }
    assert_eq!(clients.len(), 64);
    assert!(clients.iter_mut().all(answers), "those that were there before stay");
    // One goes, and another one may come, once that is noticed.
    clients.pop();
    while connect()?.is_none() {}
    build.signal(rustix::process::Signal::TERM)?;
    assert_ne!(build.wait()?, 0);
    Ok(())
}
