//! `ps`: the processes of a container, as `ps(1)` of the host shows them.

use std::process::{Command, ExitCode};

use crate::command_line::{Global, Words};
use crate::container::Container;
use crate::failure::{Failure, Result, print_json, print_lines};

/// Lists them.
pub(crate) fn run(global: &Global, words: &Words) -> Result<ExitCode> {
    let container = Container::load(global, words.argument(0)?)?;
    if container.saved.cgroups.is_empty() {
        return Err(Failure::new("the container has no cgroup to list the processes of"));
    }
    let pids: Vec<i32> =
        container.cgroups()?.processes()?.iter().map(|process| process.as_raw_nonzero().get()).collect();
    match words.text("format")? {
        Some("json") => print_json(&pids)?,
        None | Some("table") => print_lines(&table(&pids, words)?)?,
        Some(other) => return Err(Failure::new(format!("--format {other}: is neither table nor json"))),
    }
    Ok(ExitCode::SUCCESS)
}

/// The lines of `ps` (`-ef` unless other options are given) that are about these processes.
fn table(pids: &[i32], words: &Words) -> Result<Vec<String>> {
    let mut command = Command::new("ps");
    match &words.arguments[1..] {
        [] => command.arg("-ef"),
        options => command.args(options),
    };
    let output = command.output().map_err(|error| Failure::system("ps", error))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr).trim_end().to_owned();
        return Err(Failure::new(format!("ps: {said}")));
    }
    let text = String::from_utf8_lossy(&output.stdout);
    let (head, rest) = text.split_once('\n').unwrap_or((&text, ""));
    let column = head.split_whitespace().position(|name| name == "PID");
    let column = column.ok_or_else(|| Failure::new("ps: prints no column PID with these options"))?;
    let ours = |line: &&str| {
        line.split_whitespace().nth(column).and_then(|pid| pid.parse().ok()).is_some_and(|pid| pids.contains(&pid))
    };
    Ok(std::iter::once(head).chain(rest.lines().filter(ours)).map(str::to_owned).collect())
}
