//! OCI runtimes: phial-runtime, crun and runc on one bundle, without any engine above them.
//!
//! crun 1.8 refuses a host with cgroup v1 that has a cgroup v2 mount as well, so all of them are measured in a mount
//! namespace without that one. Only what is started in it is in it: this program starts itself once more there.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use end_to_end::process::{find, run};
use end_to_end::{Context, Failure, Result};
use serde_json::{Value, json};

use super::report::{Report, Series, Table, Unit};
use super::rounds::{rounds_of, time};
use crate::{programs, say, setup};

/// The verb of the second start, which no help lists.
pub(crate) const INSIDE: &str = "bench-runtimes-inside";

const PEERS: [&str; 2] = ["crun", "runc"];

/// A host that has it both ways has the second one here.
const UNIFIED: &str = "/sys/fs/cgroup/unified";

/// How often each runtime runs in one round of CPU time, which the kernel tells in hundredths of a second.
const BATCH: usize = 20;

/// Measures in a mount namespace of its own, and adds the tables.
pub(super) fn measure(report: &mut Report, rounds: usize, dir: &Path) -> Result {
    let (plain, filtered) = (dir.join("plain"), dir.join("filtered"));
    bundle(&plain, None)?;
    bundle(&filtered, Some(default_profile()?))?;
    for peer in PEERS {
        let version = run(Command::new(peer).arg("--version"))?.success()?;
        report.peer(peer, version.lines().next().unwrap_or_default());
    }
    let own = std::env::current_exe()?;
    let script = format!("umount -l {UNIFIED} 2>/dev/null; exec \"$@\"");
    let mut inside = Command::new("unshare");
    inside.args(["--mount", "--propagation", "private", "sh", "-c", &script, "sh"]);
    inside.arg(own).arg(INSIDE).args([&plain, &filtered]).arg(program()).arg(rounds.to_string());
    let output = inside.stdin(Stdio::null()).stderr(Stdio::inherit()).output()?;
    if !output.status.success() {
        return Err(Failure::new(format!("the bench of runtimes: {}", output.status)));
    }
    let said = String::from_utf8_lossy(&output.stdout);
    // Its other lines are about what it is doing.
    let tables: Vec<Value> = serde_json::from_str(said.lines().last().unwrap_or_default())?;
    tables.iter().try_for_each(|table| {
        report.add(Table::from_json(table, &NAMES)?);
        Ok(())
    })
}

/// The second start: what is printed is JSON for the first one.
///
/// # Errors
/// A runtime could not run the bundle.
pub(crate) fn inside(words: &[String]) -> Result {
    let [plain, filtered, program, rounds] = words else { return Err(Failure::new("four words are expected")) };
    let rounds = rounds.parse().context("rounds")?;
    let runtimes = [(NAMES[0], program.as_str()), (NAMES[1], NAMES[1]), (NAMES[2], NAMES[2])];
    let tables = [
        wall(&runtimes, "runtime: run of true, default spec", plain, rounds)?,
        wall(&runtimes, "runtime: run of true, default seccomp profile", filtered, rounds)?,
        processor(&runtimes, "runtime: CPU of run of true, default spec", plain, rounds)?,
        processor(&runtimes, "runtime: CPU of run of true, default seccomp profile", filtered, rounds)?,
        counted(&runtimes, "runtime: system calls, default spec", plain, calls)?,
        counted(&runtimes, "runtime: execve calls, default spec", plain, executions)?,
        peak(&runtimes, plain)?,
    ];
    let tables: Vec<Value> = tables.iter().map(Table::json).collect();
    say::line(&serde_json::to_string(&tables)?);
    Ok(())
}

/// Columns of the tables.
const NAMES: [&str; 3] = ["phial", "crun", "runc"];

type Runtime<'a> = (&'static str, &'a str);

fn program() -> PathBuf {
    programs::path().with_file_name("phial-runtime")
}

/// A bundle of busybox's `true`, with the configuration that phial-runtime's `spec` writes, of a version that all know.
fn bundle(dir: &Path, seccomp: Option<Value>) -> Result {
    let bin = dir.join("rootfs/bin");
    fs::create_dir_all(&bin)?;
    fs::copy(find("busybox").context("busybox is missing")?, bin.join("true"))?;
    run(Command::new(program()).arg("spec").current_dir(dir))?.success()?;
    let file = dir.join("config.json");
    let mut config: Value = serde_json::from_slice(&fs::read(&file)?)?;
    config["ociVersion"] = json!("1.0.0");
    config["process"]["terminal"] = json!(false);
    config["process"]["args"] = json!(["/bin/true"]);
    if let Some(seccomp) = seccomp {
        config["linux"]["seccomp"] = seccomp;
    }
    fs::write(&file, serde_json::to_vec(&config)?)?;
    Ok(())
}

fn default_profile() -> Result<Value> {
    let mut cargo = setup::cargo();
    cargo.args(["run", "--quiet", "--release", "--locked", "-p", "runtime", "--example", "default_profile"]);
    Ok(serde_json::from_str(&run(&mut cargo)?.success()?)?)
}

fn run_true(program: &str, bundle: &str) -> Command {
    let mut command = Command::new(program);
    command.args(["run", &super::mark()]).current_dir(bundle);
    command
}

fn wall(runtimes: &[Runtime<'_>], title: &str, bundle: &str, rounds: usize) -> Result<Table> {
    let samples = rounds_of(title, rounds, |_, sample| {
        for (name, program) in runtimes {
            sample(name, time(&mut run_true(program, bundle))?);
        }
        Ok(())
    })?;
    Ok(samples)
}

/// User and system time of everything that a run starts, in milliseconds.
fn processor(runtimes: &[Runtime<'_>], title: &str, bundle: &str, rounds: usize) -> Result<Table> {
    rounds_of(title, rounds.div_ceil(4), |_, sample| {
        for (name, program) in runtimes {
            let before = children()?;
            for _ in 0..BATCH {
                time(&mut run_true(program, bundle))?;
            }
            let batch = u32::try_from(BATCH).context("a batch")?;
            sample(name, (children()? - before) / f64::from(batch));
        }
        Ok(())
    })
}

/// Milliseconds that children which have ended have used (`proc_pid_stat(5)`, cutime and cstime).
fn children() -> Result<f64> {
    const MILLISECONDS_PER_TICK: f64 = 10.0;
    let text = fs::read_to_string("/proc/self/stat")?;
    let fields = text.rsplit_once(')').context("/proc/self/stat")?.1.split_ascii_whitespace();
    let ticks: Vec<u32> = fields.skip(13).take(2).filter_map(|field| field.parse().ok()).collect();
    Ok(f64::from(ticks.iter().sum::<u32>()) * MILLISECONDS_PER_TICK)
}

/// Counts in what strace writes of one run.
fn counted(runtimes: &[Runtime<'_>], title: &str, bundle: &str, count: fn(&str) -> u32) -> Result<Table> {
    let file = Path::new(bundle).join("strace");
    let mut series = Vec::new();
    for (name, program) in runtimes {
        let mut strace = Command::new("strace");
        strace.args(["-f", "-o"]).arg(&file).args([program, "run", &super::mark()]).current_dir(bundle);
        run(&mut strace)?.success()?;
        series.push(Series { name, samples: vec![f64::from(count(&fs::read_to_string(&file)?))] });
    }
    Ok(Table { title: title.to_owned(), unit: Unit::Calls, series })
}

/// Lines that begin a call: not its end after another process's line, nor a signal or an exit.
fn calls(trace: &str) -> u32 {
    let call = |line: &&str| !line.contains("<... ") && !line.contains(" +++ ") && !line.contains(" --- ");
    u32::try_from(trace.lines().filter(call).count()).unwrap_or(u32::MAX)
}

/// Programs that were started after the runtime itself.
fn executions(trace: &str) -> u32 {
    let started = trace.lines().filter(|line| line.contains(" execve(") || line.contains(" execveat("));
    u32::try_from(started.count().saturating_sub(1)).unwrap_or(u32::MAX)
}

/// The most memory that one process of a run had, as GNU time tells.
fn peak(runtimes: &[Runtime<'_>], bundle: &str) -> Result<Table> {
    let title = "runtime: peak memory of run of true (largest process)";
    let mut series = Vec::new();
    for (name, program) in runtimes {
        let mut command = Command::new("time");
        command.args(["-f", "%M", program, "run", &super::mark()]).current_dir(bundle);
        let output = run(&mut command)?;
        let last = output.stderr.lines().last().and_then(|line| line.trim().parse().ok());
        series.push(Series { name, samples: vec![last.context("time tells no memory")?] });
    }
    Ok(Table { title: title.to_owned(), unit: Unit::Kibibytes, series })
}
