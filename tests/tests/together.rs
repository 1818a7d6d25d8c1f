//! Eight users of one store, each a process at a time, for a minute: they create, start, execute, stop and remove, some
//! of them the same container. Nobody is refused without a reason, and in the end nothing is left.

use std::process::Stdio;
use std::time::{Duration, Instant};

use end_to_end::faults::whole;
use end_to_end::process::Running;
use end_to_end::{Context, Phial, Result, Stage, supervisor};
use rustix::process::{Pid, Resource, Rlimit, prlimit};

/// Users at once.
const USERS: usize = 8;
/// How long they go on.
const MINUTE: Duration = Duration::from_mins(1);

/// One container from its creation to its removal, of one's own.
fn one_life(phial: &Phial, image: &str, name: &str) -> Result {
    phial.ok(&["create", "--name", name, image, "sleep", "1000"])?;
    phial.ok(&["start", name])?;
    assert_eq!(phial.ok(&["exec", name, "echo", "alive"])?, "alive");
    phial.ok(&["stop", "--time", "0", name])?;
    let listed = phial.ok(&["ps", "-a"])?;
    assert!(listed.lines().any(|line| line.ends_with(name) && line.contains("Exited (137)")), "{listed}");
    phial.ok(&["rm", name]).map(drop)
}

/// What everybody does with the one container that all know: any step may come too late or too early, and says so.
fn of_all(phial: &Phial, image: &str, step: usize) -> Result {
    let words: &[&str] = match step % 5 {
        0 => &["run", "-d", "--name", "ours", image, "sleep", "1000"],
        1 => &["exec", "ours", "true"],
        2 => &["stop", "--time", "0", "ours"],
        3 => &["start", "ours"],
        _ => &["rm", "-f", "ours"],
    };
    let output = phial.run(words)?;
    let reasons = ["no such container", "is already in use", "is not running", "is running", "is being"];
    let is_reason = reasons.iter().any(|reason| output.stderr.to_lowercase().contains(reason));
    // 137: the command that was executed was killed with its container.
    assert!(output.code == 0 || output.code == 137 || is_reason, "{output:?}");
    Ok(())
}

#[test]
fn eight_on_one_store() -> Result {
    let stage = Stage::busybox()?;
    let (phial, image) = (&stage.phial, stage.image.as_str());
    let end = Instant::now() + MINUTE;
    let live = |user: usize| -> Result<usize> {
        let mut lives = 0;
        while Instant::now() < end {
            one_life(phial, image, &format!("user-{user}-{lives}"))?;
            of_all(phial, image, lives + user)?;
            lives += 1;
        }
        Ok(lives)
    };
    let lives = std::thread::scope(|scope| {
        let users: Vec<_> = (0..USERS).map(|user| scope.spawn(move || live(user))).collect();
        users.into_iter().map(|user| user.join().expect("a user does not panic")).sum::<Result<usize>>()
    })?;
    phial.run(&["rm", "-f", "ours"])?;
    assert!(lives > USERS, "{lives} containers only");
    assert_eq!(phial.containers()?, Vec::<String>::new());
    whole(phial)
}

/// How much processor time a process has had, in ticks of the kernel's clock (`proc_pid_stat(5)`).
fn ticks(pid: Pid) -> Result<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero()))?;
    let (_, fields) = stat.rsplit_once(')').context("a name in parentheses")?;
    let times = fields.split_whitespace().skip(11).take(2).map(str::parse::<u64>);
    times.sum::<std::result::Result<u64, _>>().context(stat)
}

#[test]
fn a_supervisor_without_descriptors_listens_again_when_it_has_some() -> Result {
    let stage = Stage::busybox()?;
    let phial = &stage.phial;
    let id = stage.start(&["--name", "web"], &["sleep", "1000"])?;
    let supervisor = supervisor::pid(phial, &id)?;
    let none = |given: Rlimit| Rlimit { current: Some(0), ..given };
    let given = prlimit(Some(supervisor), Resource::Nofile, none(rustix::process::getrlimit(Resource::Nofile)))?;
    let before = ticks(supervisor)?;
    let mut late = Running::start(phial.command(&["exec", "web", "true"]).stdout(Stdio::null()))?;
    assert!(!late.ends_within(Duration::from_millis(1500))?, "{:?}", late.wait());
    // It has not asked the kernel all the time.
    let spent = ticks(supervisor)? - before;
    assert!(spent < 20, "{spent} ticks");
    prlimit(Some(supervisor), Resource::Nofile, given)?;
    assert_eq!(late.wait()?, 0);
    assert_eq!(phial.ok(&["exec", "web", "echo", "there"])?, "there");
    Ok(())
}
