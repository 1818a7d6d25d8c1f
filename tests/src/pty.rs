//! A command on a pseudo-terminal (pty(7)), driven like a person does it: read what is there, then type.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::process::Command;

use rustix::fs::{Mode, OFlags, open};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

use crate::process::{Running, program};
use crate::{Context, Failure, Result};

/// A command and the other side of its terminal.
#[derive(Debug)]
pub struct Pty {
    process: Running,
    master: File,
    seen: String,
    // What lies before this was waited for already.
    position: usize,
}

impl Pty {
    /// Starts a command whose stdin, stdout, stderr and controlling terminal are a new pseudo-terminal of this size.
    ///
    /// # Errors
    /// The kernel's.
    pub fn start(command: &Command, rows: u16, columns: u16) -> Result<Pty> {
        let (master, terminal) = pair()?;
        resize(&master, rows, columns)?;
        // setsid(1) makes the terminal the controlling one and becomes the command: same pid, same exit status.
        let mut setsid = Command::new(program("setsid", "util-linux")?);
        setsid.arg("--ctty").arg(command.get_program()).args(command.get_args()).env("TERM", "xterm");
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => setsid.env(name, value),
                None => setsid.env_remove(name),
            };
        }
        setsid.stdin(terminal.try_clone()?).stdout(terminal.try_clone()?).stderr(terminal);
        let process = Running::spawn(&mut setsid)?;
        // `setsid` still holds the terminal: until it goes, the end of the command would not be seen here.
        drop(setsid);
        Ok(Pty { process, master: File::from(master), seen: String::new(), position: 0 })
    }

    /// Types.
    ///
    /// # Errors
    /// The kernel's.
    pub fn send(&mut self, text: &str) -> Result {
        self.master.write_all(text.as_bytes()).context("typing")
    }

    /// Changes the size of the window.
    ///
    /// # Errors
    /// The kernel's.
    pub fn resize(&self, rows: u16, columns: u16) -> Result {
        resize(&self.master, rows, columns)
    }

    /// Reads until the output has this text, after what was waited for before. Returns what came before the text.
    ///
    /// # Errors
    /// The command ended without it: the message has all of its output.
    pub fn wait_for(&mut self, text: &str) -> Result<String> {
        loop {
            if let Some(at) = self.seen[self.position..].find(text) {
                let before = self.seen[self.position..self.position + at].to_owned();
                self.position += at + text.len();
                return Ok(before);
            }
            if !self.read_more()? {
                let seen = &self.seen;
                return Err(Failure::new(format!("the command ended without printing {text:?}; it printed:\n{seen}")));
            }
        }
    }

    /// Reads to the end and returns the exit status as a shell gives it, and all output.
    ///
    /// # Errors
    /// The kernel's.
    pub fn finish(mut self) -> Result<(i32, String)> {
        while self.read_more()? {}
        Ok((self.process.wait()?, std::mem::take(&mut self.seen)))
    }

    /// Its process id.
    pub fn pid(&self) -> rustix::process::Pid {
        self.process.pid()
    }

    fn read_more(&mut self) -> Result<bool> {
        let mut buffer = [0; 4096];
        match self.master.read(&mut buffer) {
            Ok(0) => Ok(false),
            Ok(count) => {
                self.seen.push_str(&String::from_utf8_lossy(&buffer[..count]));
                Ok(true)
            }
            // EIO on the master: nobody has the other side open any more.
            Err(error) if error.raw_os_error() == Some(rustix::io::Errno::IO.raw_os_error()) => Ok(false),
            Err(error) => Err(error).context("reading the terminal"),
        }
    }
}

fn pair() -> Result<(OwnedFd, OwnedFd)> {
    let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)?;
    grantpt(&master)?;
    unlockpt(&master)?;
    let name = ptsname(&master, Vec::new())?;
    let path = name.to_str().context("name of the terminal")?;
    let terminal = open(path, OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC, Mode::empty()).context(path)?;
    Ok((master, terminal))
}

fn resize(master: impl std::os::fd::AsFd, rows: u16, columns: u16) -> Result {
    let size = Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
    tcsetwinsize(master, size).context("size of the terminal")
}
