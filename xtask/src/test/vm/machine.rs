//! QEMU with software emulation: a machine that is started, listened to, and ended with its value at the latest. It has
//! no network. What it writes to its disks goes to files that vanish with it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{ChildStdout, Stdio};
use std::time::Duration;

use end_to_end::process::{Running, program, server};
use end_to_end::{Context, Result, target};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::Signal;

use super::debian::{self, Debian};

/// After this much silence it is taken to hang. The longest single test takes a fifth of it.
const SILENCE: Duration = Duration::from_mins(5);

/// How a machine ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// By itself.
    Off,
    /// It printed nothing for too long and was ended.
    Silent,
}

/// A machine that runs.
pub(super) struct Machine {
    process: Running,
    output: ChildStdout,
}

impl Machine {
    /// Starts it with this system and, as second disk, what it is to run.
    pub(super) fn start(debian: &Debian, tests: &Path) -> Result<Machine> {
        let mut qemu = server(&program("qemu-system-x86_64", "qemu-system-x86")?)?;
        // Named, because the default takes KVM where it is: the same machine everywhere.
        qemu.args(["-accel", "tcg,thread=multi", "-M", "q35", "-cpu", "max", "-smp", "2", "-m", "2048"]);
        qemu.args(["-nographic", "-monitor", "none", "-nic", "none", "-no-reboot"]);
        qemu.arg("-kernel").arg(debian.kernel()).arg("-initrd").arg(debian.initrd());
        // Emulated processors leak nothing by speculation. A kernel that panics reboots, which -no-reboot makes an end.
        let words = "root=/dev/vda rw console=ttyS0 mitigations=off panic=-1 systemd.unit=";
        qemu.arg("-append").arg(format!("{words}{}", debian::UNIT));
        for image in [debian.root().as_path(), tests] {
            qemu.arg("-drive");
            qemu.arg(format!("file={},format=raw,if=virtio,snapshot=on,cache=unsafe", image.display()));
        }
        // The first serial port is the console, the second one is for the tests.
        qemu.arg("-serial").arg(format!("file:{}", console().display())).args(["-serial", "stdio"]);
        let mut process = Running::start(qemu.stdout(Stdio::piped()))?;
        let output = process.child().stdout.take().context("qemu has no stdout")?;
        Ok(Machine { process, output })
    }

    /// Hands every line of the second serial port on, until the machine ends or hangs.
    pub(super) fn follow(&mut self, mut on_line: impl FnMut(&str)) -> Result<End> {
        let (mut rest, mut buffer) = (Vec::new(), [0; 4096]);
        let limit = Timespec::try_from(SILENCE).context("the time of silence")?;
        loop {
            let mut output = [PollFd::new(&self.output, PollFlags::IN)];
            if rustix::io::retry_on_intr(|| poll(&mut output, Some(&limit)))? == 0 {
                // Not asked: one that hangs may not listen either.
                self.process.signal(Signal::KILL)?;
                self.process.wait()?;
                return Ok(End::Silent);
            }
            let count = rustix::io::retry_on_intr(|| rustix::io::read(&self.output, &mut buffer))?;
            if count == 0 {
                self.process.wait()?;
                return Ok(End::Off);
            }
            rest.extend_from_slice(&buffer[..count]);
            while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = rest.drain(..=end).collect();
                on_line(String::from_utf8_lossy(&line).trim_end());
            }
        }
    }
}

/// Where the first serial port is kept.
fn console() -> PathBuf {
    target().join("vm/console.log")
}

/// The end of what kernel and systemd said.
pub(super) fn last_words() -> String {
    const LINES: usize = 30;
    let file = console();
    let text = fs::read(&file).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    let last = &lines[lines.len().saturating_sub(LINES)..];
    format!("the end of its console, all of which is in {}:\n{}", file.display(), last.join("\n"))
}
