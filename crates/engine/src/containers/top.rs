//! The processes of a container as the host sees them: `top`. The usual columns are read from `/proc` (`proc_pid_stat(5)`);
//! for others the host's `ps` is asked, as docker does, and its lines about other processes are left out.

use std::collections::HashMap;
use std::fs;
use std::process::Command;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use runtime::cgroup::Cgroups;

use crate::containers::lifecycle::{Container, State};
use crate::engine::Engine;
use crate::error::{Error, ErrorKind, Result};
use crate::words::when;

/// A table of processes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Processes {
    /// The headings.
    pub titles: Vec<String>,
    /// As many cells as there are headings.
    pub rows: Vec<Vec<String>>,
}

const TITLES: [&str; 8] = ["UID", "PID", "PPID", "C", "STIME", "TTY", "TIME", "CMD"];

/// `USER_HZ`: 100 on every architecture that is supported (`time(7)`).
const TICKS: u64 = 100;

impl Engine {
    /// The processes of a running container; with options, as `ps` shows them with these.
    ///
    /// # Errors
    /// `Conflict` when it does not run, `Invalid` when `ps` does not say which process a line is about, `System` when
    /// there is no `ps`.
    pub fn top(&self, container: &Container, options: &[String]) -> Result<Processes> {
        let (State::Running(status) | State::Paused(status)) = &container.state else {
            return Err(Error::conflict(format!("container {} is not running", container.record.name)));
        };
        let cgroups = Cgroups::open(&status.cgroups)?;
        let members = || -> Result<Vec<i32>> {
            Ok(cgroups.processes()?.into_iter().map(|process| process.as_raw_nonzero().get()).collect())
        };
        let before = members()?;
        // One that ended meanwhile is left out: somebody else may have had its pid when it was looked at.
        if !options.is_empty() {
            return of_ps(&before, options, members);
        }
        let host = Host::read();
        let found: Vec<_> = before.into_iter().filter_map(|process| Some((process, row(process, &host)?))).collect();
        let after = members()?;
        let rows = found.into_iter().filter(|(process, _)| after.contains(process)).map(|(_, row)| row).collect();
        Ok(Processes { titles: TITLES.map(str::to_owned).into(), rows })
    }
}

/// What all rows need to know.
struct Host {
    /// Names of users.
    users: HashMap<u32, String>,
    /// Now, and seconds since the host was started.
    now: Timestamp,
    uptime: f64,
    zone: TimeZone,
}

impl Host {
    fn read() -> Host {
        let uptime = fs::read_to_string("/proc/uptime").unwrap_or_default();
        Host {
            users: users(&fs::read_to_string("/etc/passwd").unwrap_or_default()),
            now: Timestamp::now(),
            uptime: uptime.split(' ').next().and_then(|seconds| seconds.parse().ok()).unwrap_or_default(),
            zone: when::zone(),
        }
    }
}

fn users(passwd: &str) -> HashMap<u32, String> {
    let user = |line: &str| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        // As ps: a name that does not fit gives way to the number.
        (name.len() <= 8).then_some((fields.nth(1)?.parse().ok()?, name.to_owned()))
    };
    passwd.lines().filter_map(user).collect()
}

fn row(process: i32, host: &Host) -> Option<Vec<String>> {
    let read = |name: &str| fs::read(format!("/proc/{process}/{name}")).ok();
    let (stat, status) = (String::from_utf8_lossy(&read("stat")?).into_owned(), read("status")?);
    let status = String::from_utf8_lossy(&status).into_owned();
    cells(process, &stat, &status, &read("cmdline")?, host)
}

fn cells(process: i32, stat: &str, status: &str, command_line: &[u8], host: &Host) -> Option<Vec<String>> {
    // The name is in parentheses and may hold anything, parentheses as well.
    let (begin, rest) = stat.rsplit_once(')')?;
    let (_, name) = begin.split_once('(')?;
    let fields: Vec<&str> = rest.split_whitespace().collect();
    let number = |field: usize| fields.get(field - 3)?.parse::<u64>().ok();
    // Effective ids come second.
    let user = status.lines().find_map(|line| line.strip_prefix("Uid:"))?.split_whitespace().nth(1)?.parse().ok()?;
    let time = (number(14)? + number(15)?) / TICKS;
    #[expect(clippy::cast_precision_loss, reason = "a fraction of a second is all that matters")]
    let age = (host.uptime - number(22)? as f64 / TICKS as f64).max(0.0);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "seconds since the boot")]
    let age = age as u64;
    let busy = (time * 100).checked_div(age).unwrap_or(0).min(99);
    Some(vec![
        host.users.get(&user).cloned().unwrap_or_else(|| user.to_string()),
        process.to_string(),
        number(4)?.to_string(),
        busy.to_string(),
        started(age, host),
        terminal(number(7)?),
        format!("{:02}:{:02}:{:02}", time / 3600, time / 60 % 60, time % 60),
        command(name, command_line),
    ])
}

/// When a process was started, as ps shortens it: today the minute, else the day, else the year.
fn started(age: u64, host: &Host) -> String {
    let seconds = host.now.as_second().saturating_sub_unsigned(age);
    let started = host.zone.to_datetime(Timestamp::from_second(seconds).unwrap_or_default());
    let now = host.zone.to_datetime(host.now);
    let form = match (now.date() == started.date(), now.year() == started.year()) {
        (true, _) => "%H:%M",
        (false, true) => "%b%d",
        (false, false) => "%Y",
    };
    started.strftime(form).to_string()
}

/// A terminal's device number as a name (`devices.txt` of the kernel): pseudo-terminals and consoles.
fn terminal(device: u64) -> String {
    let (major, minor) = (device >> 8 & 0xfff, device & 0xff | device >> 12 & 0xfff00);
    match major {
        136..=143 => format!("pts/{}", (major - 136) * 256 + minor),
        4 if minor < 64 => format!("tty{minor}"),
        4 => format!("ttyS{}", minor - 64),
        5 if minor == 1 => "console".to_owned(),
        _ => "?".to_owned(),
    }
}

fn command(name: &str, command_line: &[u8]) -> String {
    let words: Vec<_> = command_line.split(|byte| *byte == 0).map(String::from_utf8_lossy).collect();
    let line = words.join(" ");
    if line.trim().is_empty() { format!("[{name}]") } else { line.trim_end().to_owned() }
}

fn of_ps(before: &[i32], options: &[String], after: impl Fn() -> Result<Vec<i32>>) -> Result<Processes> {
    let output = Command::new("ps").args(options).output().map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => {
            Error::new(ErrorKind::System, "there is no ps on this host").with_hint("without options none is needed")
        }
        _ => Error::system("running ps", error),
    })?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        let line = said.lines().find(|line| !line.trim().is_empty()).unwrap_or("it says nothing").trim();
        return Err(Error::invalid(format!("ps {}: {line}", options.join(" "))));
    }
    let members: Vec<i32> = after()?.into_iter().filter(|process| before.contains(process)).collect();
    rows_of(&String::from_utf8_lossy(&output.stdout), &members).ok_or_else(|| {
        let message = format!("ps {}: there is no column PID, which tells whose process it is", options.join(" "));
        Error::invalid(message).with_hint("add pid to the columns that are asked for")
    })
}

/// Of what ps has printed, the lines about these processes; None if it does not say which process a line is about. The
/// last column takes the rest of a line.
fn rows_of(text: &str, members: &[i32]) -> Option<Processes> {
    let mut lines = text.lines();
    let titles: Vec<String> = lines.next()?.split_whitespace().map(str::to_owned).collect();
    let own = titles.iter().position(|title| title == "PID")?;
    let row = |line: &str| {
        let mut cells: Vec<String> = Vec::new();
        let mut rest = line.trim_start();
        while cells.len() + 1 < titles.len() {
            let (cell, after) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
            cells.push(cell.to_owned());
            rest = after.trim_start();
        }
        cells.push(rest.trim_end().to_owned());
        cells
    };
    let is_member = |cells: &Vec<String>| cells[own].parse().is_ok_and(|process| members.contains(&process));
    let rows = lines.map(row).filter(is_member).collect();
    Some(Processes { titles, rows })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host() -> Host {
        Host {
            users: users("root:x:0:0::/:/bin/sh\nsystemd-network:x:998:998::/:/bin/sh\nnonsense\n"),
            now: "2026-08-05T12:00:00Z".parse().expect("is a time"),
            uptime: 200_000.0,
            zone: TimeZone::UTC,
        }
    }

    #[test]
    fn columns_are_those_of_ps() {
        let stat = "7 (a) (b c) S 6 7 7 34816 7 0 0 0 0 0 360000 12345 0 0 20 0 1 0 19990000 0";
        let cells =
            |user: u32, stat: &str, line: &[u8]| cells(7, stat, &format!("Uid:\t0\t{user}\t0\t0\n"), line, &host());
        let expected = ["root", "7", "6", "99", "11:58", "pts/0", "01:02:03", "sh -c x"].map(str::to_owned);
        assert_eq!(cells(0, stat, b"sh\0-c\0x\0"), Some(expected.to_vec()));
        let found = cells(998, stat, b"").expect("is a process");
        assert_eq!((found[0].as_str(), found[7].as_str()), ("998", "[a) (b c]"));
        assert_eq!(cells(0, "7 (sh", b""), None);
        assert_eq!(cells(0, "7 (sh) S 6", b""), None);
    }

    #[test]
    fn starts_are_shortened() {
        for (age, expected) in [(0, "12:00"), (12 * 3600, "00:00"), (13 * 3600, "Aug04"), (400 * 24 * 3600, "2025")] {
            assert_eq!(started(age, &host()), expected);
        }
    }

    #[test]
    fn lines_of_ps_about_others_are_left_out() {
        let text = "  PID USER     COMMAND\n    1 root     /sbin/init splash\n   71 root     sh -c  a  b \n   7 me x\n   72 root\n";
        let found = rows_of(text, &[71, 72]).expect("has PID");
        assert_eq!(found.titles, ["PID", "USER", "COMMAND"]);
        assert_eq!(found.rows, [["71", "root", "sh -c  a  b"], ["72", "root", ""]]);
        assert_eq!(rows_of("USER COMMAND\nroot x\n", &[1]), None);
        assert_eq!(rows_of("", &[1]), None);
    }

    proptest::proptest! {
        #[test]
        fn no_process_makes_it_panic(stat in "(.|[() 0-9]){0,80}", status in ".{0,20}", line: Vec<u8>, text in "(PID )?(.|[ \n0-9]){0,60}") {
            let _ = cells(1, &stat, &format!("Uid:\t0\t0\n{status}"), &line, &host());
            let _ = rows_of(&text, &[1]);
        }
    }
}
