//! What is written to /proc, and what hides it.

use std::fs;
use std::io::Write;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use end_to_end::process::Running;
use end_to_end::{Context, Result};
use serde_json::json;

use crate::harness::{Row, Scene, Verdict};
use crate::mounts::masks_hold;

/// A setting of the host.
const CORE_PATTERN: &str = "/proc/sys/kernel/core_pattern";

/// A process of the host whose name in proc must not change: a file of proc that can be written without harm.
pub(crate) struct Decoy {
    process: Running,
    name: String,
}

impl Decoy {
    /// Starts it.
    ///
    /// # Errors
    /// `cat` is missing.
    pub(crate) fn new() -> Result<Decoy> {
        // It waits for the end of its input, which comes with this value's end.
        let mut process = Running::spawn(Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::piped()))?;
        // Once it answers, it is cat, and no longer a copy of this process that is about to be.
        process.child().stdin.as_mut().context("cat has no stdin")?.write_all(b"x")?;
        let mut answer = [0];
        std::io::Read::read_exact(process.child().stdout.as_mut().context("cat has no stdout")?, &mut answer)?;
        let mut decoy = Decoy { process, name: String::new() };
        decoy.name = fs::read_to_string(decoy.file())?;
        Ok(decoy)
    }

    /// `/proc/PID/comm` of the host.
    pub(crate) fn file(&self) -> PathBuf {
        PathBuf::from(format!("/proc/{}/comm", self.process.pid().as_raw_nonzero()))
    }

    /// Held, if nothing was written to it.
    ///
    /// # Errors
    /// It is gone.
    pub(crate) fn verdict(&self) -> Result<Verdict> {
        let now = fs::read_to_string(self.file())?;
        Ok(Verdict::held_if(now == self.name, || format!("{:?} was written to another file of proc", now.trim_end())))
    }
}

/// Mechanism: a mount of the configuration lands on a file of proc, through a link of the image, and what the runtime
/// writes to that file goes to what was mounted. As that is a file of proc as well, a look at the type of the file
/// system does not tell.
#[test]
fn cve_2025_52881_writes_to_proc_are_redirected() -> Result {
    Row { name: "CVE-2025-52881, CVE-2025-62596", attack: "writes to /proc are redirected" }.probe(|runtime| {
        let decoy = Decoy::new()?;
        let ways =
            [("link", "proc/sys/net/ipv4"), ("link", "/proc/sys/net/ipv4"), ("link", "proc/self/../sys/net/ipv4")];
        for (name, target) in ways {
            let mut scene = Scene::new(runtime)?;
            symlink(target, scene.inside(name))?;
            scene.config["linux"]["sysctl"] = json!({"net.ipv4.ping_group_range": "1 2"});
            scene.bind(&decoy.file(), "/link/ping_group_range");
            scene.run()?;
            let verdict = decoy.verdict()?;
            if verdict != Verdict::Held {
                return Ok(verdict);
            }
        }
        // The score is written as well, and so is what a label would be.
        for (destination, oom) in [("/link/oom_score_adj", Some(100)), ("/link/attr/exec", None)] {
            let mut scene = Scene::new(runtime)?;
            symlink("proc/self", scene.inside("link"))?;
            scene.config["process"]["oomScoreAdj"] = json!(oom);
            scene.bind(&decoy.file(), destination);
            scene.run()?;
            let verdict = decoy.verdict()?;
            if verdict != Verdict::Held {
                return Ok(verdict);
            }
        }
        Ok(Verdict::Held)
    })
}

/// Mechanism: files of /proc and /sys show what the host and other containers do, or change the host.
#[test]
fn cve_2020_8694_what_is_masked_is_hidden() -> Result {
    let name = "CVE-2020-8694, GHSA-6fw5-f8r9-fgfm, GHSA-jq35-85cj-fj4p";
    Row { name, attack: "masked paths, by all their names" }.probe(|runtime| {
        for readonly in [false, true] {
            let mut scene = Scene::new(runtime)?;
            scene.config["root"]["readonly"] = json!(readonly);
            let verdict = masks_hold(&mut scene)?;
            if verdict != Verdict::Held {
                return Ok(verdict);
            }
        }
        Ok(Verdict::Held)
    })
}

/// Mechanism: the classic switches of the host: sysrq, `core_pattern`, hotplug, memory. Opened for writing, nothing more.
#[test]
fn no_cve_switches_of_the_host() -> Result {
    Row { name: "(no CVE) switches of the host", attack: "sysrq, core_pattern, uevent_helper, kcore, /dev/mem" }.probe(
        |runtime| {
            let mut scene = Scene::new(runtime)?;
            scene.script(
                "for path in /proc/sysrq-trigger /proc/sys/kernel/core_pattern /proc/sys/kernel/modprobe \
                 /proc/sys/vm/panic_on_oom /proc/sys/kernel/hostname /sys/kernel/uevent_helper /sys/power/state \
                 /sys/kernel/mm/transparent_hugepage/enabled; do \
                   test -e $path && (: >> $path) 2>/dev/null && echo open: $path can be written; \
                 done; \
                 (: < /proc/kcore) 2>/dev/null && test -n \"$(head -c 1 /proc/kcore)\" && echo open: kcore; \
                 for device in 'mem c 1 1' 'kmsg c 1 11' 'vda b 254 0' 'sda b 8 0' 'loop0 b 7 0' 'port c 1 4' 'tty0 c 4 0'; do \
                   mknod /tmp/$device 2>/dev/null; \
                   (: < /tmp/${device%% *}) 2>/tmp/why && echo open: device $device; \
                   grep -q 'not permitted' /tmp/why || echo open: device $device: $(cat /tmp/why); \
                 done; true",
            );
            let told = scene.run()?.success()?;
            let open = told.lines().find(|line| line.starts_with("open: ")).map(str::to_owned);
            Ok(open.map_or(Verdict::Held, Verdict::Broken))
        },
    )
}

/// Mechanism: a kernel parameter of the host is set by a key that looks like one of a namespace, or by a value that has
/// another assignment in it.
#[test]
fn cve_2022_0811_sysctls_of_the_host() -> Result {
    Row { name: "CVE-2022-0811", attack: "sysctls of the host, smuggled in keys and values" }.probe(|runtime| {
        let before = fs::read_to_string(CORE_PATTERN)?;
        // What it is now: where a runtime writes it, the host stays as it is.
        let same = before.trim_end();
        let settings = [
            ("kernel.shm_rmid_forced", "1+kernel.core_pattern=|/bin/x"),
            ("kernel.shm_rmid_forced", "1\nkernel.core_pattern=|/bin/x"),
            ("kernel.core_pattern", same),
            ("kernel/core_pattern", same),
            ("net.ipv4/../../kernel/core_pattern", same),
            ("net/../kernel/core_pattern", same),
            ("net.....kernel.core_pattern", same),
            ("fs.mqueue/../../kernel/core_pattern", same),
        ];
        for (key, value) in settings {
            let mut scene = Scene::new(runtime)?;
            scene.config["linux"]["sysctl"] = json!({key: value});
            let told = scene.run()?;
            if fs::read_to_string(CORE_PATTERN)? != before {
                return Ok(Verdict::Broken(format!("{key}={value:?} has set core_pattern")));
            }
            if told.is_done() && value == same {
                return Ok(Verdict::Broken(format!("a container starts with the sysctl {key}")));
            }
        }
        Ok(Verdict::Held)
    })
}
