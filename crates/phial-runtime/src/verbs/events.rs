//! `events`: what a container uses, and notices of processes killed for want of memory, one JSON object a line.

use std::os::fd::AsFd;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use runtime::cgroup::stats::Stats;
use runtime::cgroup::{Cgroups, OomWatch};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use serde::Serialize;

use crate::command_line::{Global, Words};
use crate::container::Container;
use crate::failure::{Failure, Result, print};

/// How often the use is told unless it is asked for.
const INTERVAL: Duration = Duration::from_secs(5);

/// One line.
#[derive(Serialize)]
struct Event<'a> {
    r#type: &'static str,
    id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<Stats>,
}

/// Prints events until the container's process has ended, or with `--stats` one.
pub(crate) fn run(global: &Global, words: &Words) -> Result<ExitCode> {
    let container = Container::load(global, words.argument(0)?)?;
    let interval = interval(words)?;
    let id = &container.saved.id;
    let process = container.process().ok_or_else(|| Failure::new(format!("container with id {id} is not running")))?;
    let cgroups = container.cgroups()?;
    if words.has("stats") {
        tell_stats(id, &cgroups)?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut watch = cgroups.watch_oom()?;
    let mut next = Instant::now() + interval;
    loop {
        // Asked before what it has to say is read: what it died of is told.
        let ended = wait(&watch, &process, next)?;
        tell_oom(id, &mut watch)?;
        if ended || watch.is_over() {
            return Ok(ExitCode::SUCCESS);
        }
        if Instant::now() >= next {
            tell_stats(id, &cgroups)?;
            next += interval;
        }
    }
}

fn interval(words: &Words) -> Result<Duration> {
    let Some(text) = words.text("interval")? else { return Ok(INTERVAL) };
    let interval = notation::duration::nanoseconds(text)
        .ok_or_else(|| Failure::new(format!("--interval {text:?}: is no duration such as 5s, 500ms or 1m30s")))?;
    match u64::try_from(interval) {
        Ok(nanoseconds @ 1..) => Ok(Duration::from_nanos(nanoseconds)),
        _ => Err(Failure::new("duration interval must be greater than 0")),
    }
}

/// Waits until there is something to be told, the time has come, or the process has ended; says whether that is so.
fn wait(watch: &OomWatch, process: &impl AsFd, until: Instant) -> Result<bool> {
    let rest = until.saturating_duration_since(Instant::now());
    let rest = Timespec::try_from(rest).map_err(|error| Failure::system("--interval", error))?;
    let mut list = [PollFd::new(process, PollFlags::IN), PollFd::new(watch, PollFlags::IN)];
    match poll(&mut list, Some(&rest)) {
        Ok(_) | Err(Errno::INTR) => Ok(!list[0].revents().is_empty()),
        Err(errno) => Err(Failure::system("poll", errno)),
    }
}

fn tell_oom(id: &str, watch: &mut OomWatch) -> Result<()> {
    for _ in 0..watch.read()? {
        tell(&Event { r#type: "oom", id, data: None })?;
    }
    Ok(())
}

fn tell_stats(id: &str, cgroups: &Cgroups) -> Result<()> {
    tell(&Event { r#type: "stats", id, data: Some(cgroups.stats()?) })
}

fn tell(event: &Event<'_>) -> Result<()> {
    let text = serde_json::to_string(event).map_err(|error| Failure::system("JSON", error))?;
    print(&format!("{text}\n"))
}
