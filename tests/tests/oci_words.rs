//! What runc says and takes, `phial-runtime` says and takes: both are called alike, side by side. Engines decide by parts of
//! these texts what has happened, and people look for them.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use end_to_end::bundle::Bundle;
use end_to_end::process::{program, run};
use end_to_end::{Context, Result};

/// A bundle for us, and one like it for runc.
struct Both {
    ours: Bundle,
    runcs: Bundle,
    runc: PathBuf,
}

impl Both {
    fn new() -> Result<Both> {
        let mut both = Both { ours: Bundle::new()?, runcs: Bundle::new()?, runc: program("runc", "runc")? };
        both.arguments(&["sleep", "1000"]);
        Ok(both)
    }

    fn arguments(&mut self, arguments: &[&str]) {
        self.ours.arguments(arguments);
        self.runcs.arguments(arguments);
    }

    fn of_runc(&self, arguments: &[&str]) -> Result<Command> {
        // Writes the configuration, too.
        let directory = self.runcs.command(arguments)?.get_current_dir().map(Path::to_owned);
        let directory = directory.context("a bundle has a directory")?;
        let mut command = Command::new(&self.runc);
        command.arg("--root").arg(directory.join("runc")).args(arguments).current_dir(directory);
        Ok(command)
    }

    /// Both succeed, with streams that the processes may keep.
    fn ok(&self, arguments: &[&str]) -> Result {
        self.ours.quiet(arguments)?;
        let mut command = self.of_runc(arguments)?;
        let status = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status()?;
        assert!(status.success(), "runc {arguments:?}: {status}");
        Ok(())
    }

    /// Both end with the same status, and say this among other things, in whatever case: so do those look who look for it.
    fn say(&self, arguments: &[&str], words: &str) -> Result {
        let (ours, runcs) = (self.ours.run(arguments)?, run(&mut self.of_runc(arguments)?)?);
        assert_ne!(ours.code, 0, "{ours:?}");
        assert_eq!(ours.code, runcs.code, "{ours:?}\n{runcs:?}");
        for output in [&ours, &runcs] {
            // runc quotes inside of quotes.
            let said = output.stderr.replace('\\', "").to_lowercase();
            assert!(said.contains(&words.to_lowercase()), "{words:?} is not in {output:?}");
        }
        Ok(())
    }
}

impl Drop for Both {
    fn drop(&mut self) {
        // A test that failed says more than what its clean-up could not do.
        let _ = self.of_runc(&["delete", "--force", "c"]).and_then(|mut command| run(&mut command));
    }
}

#[test]
fn of_a_container_that_there_is_not() -> Result {
    let both = Both::new()?;
    for words in [
        &["state", "c"][..],
        &["kill", "c"],
        &["delete", "c"],
        &["start", "c"],
        &["exec", "c", "true"],
        &["pause", "c"],
        &["resume", "c"],
        &["update", "--memory", "20m", "c"],
        &["events", "c"],
        &["ps", "c"],
        &["checkpoint", "c"],
    ] {
        both.say(words, "container does not exist")?;
    }
    both.ok(&["delete", "--force", "c"])?;
    both.say(&["run", "../x"], "invalid container ID format")
}

#[test]
fn in_each_state() -> Result {
    let both = Both::new()?;
    both.ok(&["create", "c"])?;
    both.say(&["create", "c"], "container with given ID already exists")?;
    both.say(&["checkpoint", "c"], "Container cannot be checkpointed in created state")?;
    both.ok(&["pause", "c"])?;
    both.say(&["exec", "c", "true"], "cannot exec in a paused container (use --ignore-paused to override)")?;
    both.say(&["start", "c"], "cannot start a container in the paused state")?;
    both.say(&["delete", "c"], "cannot delete container c that is not stopped: paused")?;
    both.say(&["pause", "c"], "container not running")?;
    both.ok(&["resume", "c"])?;
    both.ok(&["start", "c"])?;
    both.say(&["start", "c"], "cannot start an already running container")?;
    both.say(&["delete", "c"], "cannot delete container c that is not stopped: running")?;
    both.say(&["resume", "c"], "container not paused")?;
    both.say(&["kill", "c", "NOSUCH"], "unknown signal \"nosuch\"")?;
    both.say(&["update", "--memory", "much", "c"], "invalid value for memory")?;
    both.say(&["update", "--cpu-share", "x", "c"], "invalid value for cpu-share")?;
    both.say(&["events", "--interval", "0", "c"], "duration interval must be greater than 0")?;
    both.say(&["exec", "--cgroup", "../x", "c", "true"], "is not a sub cgroup path")?;
    both.ok(&["kill", "c", "KILL"])?;
    while both.ours.state("c")?["status"] != "stopped" {}
    while !run(&mut both.of_runc(&["state", "c"])?)?.stdout.contains("stopped") {}
    both.say(&["kill", "c"], "container not running")?;
    both.say(&["exec", "c", "true"], "cannot exec in a stopped container")?;
    both.say(&["start", "c"], "cannot start a container that has stopped")?;
    both.say(&["pause", "c"], "container not running")?;
    both.say(&["resume", "c"], "container not paused")?;
    both.say(&["update", "--memory", "20m", "c"], "container not running")?;
    both.say(&["events", "--stats", "c"], "container with id c is not running")?;
    both.ok(&["delete", "c"])
}

#[test]
fn of_programs_that_cannot_be_executed() -> Result {
    let mut both = Both::new()?;
    both.ok(&["run", "-d", "c"])?;
    both.say(&["exec", "c", "nope"], "exec: \"nope\": executable file not found in $PATH")?;
    both.say(&["exec", "c", "/nope"], "no such file or directory")?;
    both.say(&["exec", "c", "/bin"], "permission denied")?;
    both.say(&["exec", "c"], "process args cannot be empty")?;
    both.say(&["exec", "--cwd", "/nope", "c", "true"], "no such file or directory")?;
    both.say(&["exec", "--process", "/nope", "c"], "/nope: no such file or directory")?;
    both.ok(&["delete", "--force", "c"])?;
    both.arguments(&["nope"]);
    both.say(&["run", "c"], "exec: \"nope\": executable file not found in $PATH")?;
    both.say(&["create", "c"], "exec: \"nope\": executable file not found in $PATH")
}

/// The long options in a help text.
fn options(help: &str) -> BTreeSet<&str> {
    let words = help.split(|letter: char| letter.is_whitespace() || letter == ',' || letter == '=');
    words.filter(|word| word.starts_with("--") && word.len() > 2).collect()
}

#[test]
fn every_option_is_there() -> Result {
    /// Options that came after the runc that is installed.
    const LATER: [(&str, &[&str]); 6] = [
        ("run", &["--pidfd-socket"]),
        ("create", &["--pidfd-socket"]),
        ("exec", &["--pidfd-socket"]),
        ("update", &["--cpu-burst", "--cpu-idle"]),
        ("checkpoint", &["--tcp-skip-in-flight", "--link-remap"]),
        ("features", &[]),
    ];
    const VERBS: [&str; 18] = [
        "checkpoint",
        "create",
        "delete",
        "events",
        "exec",
        "features",
        "kill",
        "list",
        "pause",
        "ps",
        "restore",
        "resume",
        "run",
        "spec",
        "start",
        "state",
        "update",
        "",
    ];
    let both = Both::new()?;
    for verb in VERBS {
        let words: Vec<&str> = [verb, "--help"].into_iter().filter(|word| !word.is_empty()).collect();
        let help = both.ours.ok(&words)?;
        let runcs = run(Command::new(&both.runc).args(&words))?.stdout;
        // Below that line are options; above it are examples.
        let (_, runcs) = runcs.split_once("OPTIONS:").unwrap_or_default();
        let later = LATER.iter().filter(|(later, _)| *later == verb).flat_map(|(_, options)| options.iter().copied());
        let wanted: BTreeSet<&str> = options(runcs).into_iter().chain(later).collect();
        let there = options(&help);
        let lacking: Vec<&&str> = wanted.difference(&there).collect();
        assert_eq!(lacking, [] as [&&str; 0], "of runc {verb}");
    }
    Ok(())
}
