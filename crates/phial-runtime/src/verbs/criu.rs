//! criu, which writes processes into files and makes them again: started for one request, spoken to over a socket
//! (`criu swrk`; messages of its `images/rpc.proto`).

/// What options of `checkpoint` and `restore` ask of it.
mod options;
/// Protocol buffers.
mod wire;

use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use rustix::io::{Errno, FdFlags, fcntl_setfd};
use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};
use rustix::process::Pid;

pub(super) use options::{Kind, Options};
use wire::{Message, Value, fields};

use crate::command_line::Global;
use crate::failure::{Failure, Result};

/// Numbers of messages.
const NOTIFY: u64 = 6;

/// criu as a child of ours that waits for its request.
pub(super) struct Criu {
    child: Child,
    socket: OwnedFd,
}

/// What it tells on its way.
#[derive(Debug)]
pub(super) struct Notice {
    /// `post-restore`, `setup-namespaces`, `orphan-pts-master`, …
    pub(super) name: String,
    /// The process it is about.
    pub(super) process: Option<Pid>,
    /// A terminal's master.
    pub(super) descriptor: Option<OwnedFd>,
}

impl Criu {
    /// Starts it.
    ///
    /// # Errors
    /// It is not installed.
    pub(super) fn start(global: &Global) -> Result<Criu> {
        let failed = |errno: Errno| Failure::system("criu: socket", errno);
        let (ours, theirs) =
            socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None).map_err(failed)?;
        fcntl_setfd(&theirs, FdFlags::empty()).map_err(failed)?;
        let program = global.criu.as_deref().unwrap_or(Path::new("criu"));
        let mut command = Command::new(program);
        command.arg("swrk").arg(theirs.as_raw_fd().to_string());
        // What it has to say goes to its log. The process that it makes again has our streams.
        let child = command.stdin(Stdio::inherit()).spawn().map_err(|error| missing(program, &error))?;
        Ok(Criu { child, socket: ours })
    }

    /// Its process.
    pub(super) fn process(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    /// Asks, lets `hear` answer what it tells on its way, and waits for its end.
    ///
    /// # Errors
    /// It failed: the message has its own words.
    pub(super) fn ask(mut self, options: &Options, hear: &mut dyn FnMut(Notice) -> Result<()>) -> Result<()> {
        let result = self.exchange(options, hear);
        // Whoever waits for us gives up when nobody is there any more.
        drop(self.socket);
        self.child.wait().map_err(|error| Failure::system("criu", error))?;
        result
    }

    fn exchange(&self, options: &Options, hear: &mut dyn FnMut(Notice) -> Result<()>) -> Result<()> {
        let mut request = Message::default();
        request.number(1, options.kind.number()).message(2, options.message());
        self.send(&request)?;
        let mut first = Ok(());
        loop {
            let mut buffer = vec![0; 64 * 1024];
            let (count, descriptors) = sys::fdpass::receive(self.socket.as_fd(), &mut buffer)
                .map_err(|errno| Failure::system("criu: answer", errno))?;
            let answer = Answer::read(&buffer[..count]);
            if count == 0 || !answer.success {
                return first.and_then(|()| Err(failed(options, &answer)));
            }
            if answer.kind != NOTIFY {
                return first;
            }
            let told = hear(Notice {
                name: answer.notice,
                process: answer.process,
                descriptor: descriptors.into_iter().next(),
            });
            let mut reply = Message::default();
            reply.number(1, NOTIFY).flag(3, told.is_ok());
            first = first.and(told);
            self.send(&reply)?;
        }
    }

    fn send(&self, message: &Message) -> Result<()> {
        sys::fdpass::send(&self.socket, message.as_bytes(), &[])
            .map(drop)
            .map_err(|errno| Failure::system("criu: request", errno))
    }
}

/// An answer, as far as it is of use here.
#[derive(Debug, Default)]
struct Answer {
    kind: u64,
    success: bool,
    notice: String,
    process: Option<Pid>,
    errno: i32,
    message: String,
}

impl Answer {
    fn read(bytes: &[u8]) -> Answer {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let mut answer = Answer::default();
        for field in fields(bytes) {
            match field {
                (1, Value::Number(kind)) => answer.kind = kind,
                (2, Value::Number(success)) => answer.success = success != 0,
                (5, Value::Bytes(notice)) => {
                    for field in fields(notice) {
                        match field {
                            (1, Value::Bytes(name)) => answer.notice = text(name),
                            (2, Value::Number(pid)) => answer.process = i32::try_from(pid).ok().and_then(Pid::from_raw),
                            _ => {}
                        }
                    }
                }
                (7, Value::Number(errno)) => answer.errno = i32::try_from(errno).unwrap_or_default(),
                (9, Value::Bytes(message)) => answer.message = text(message),
                _ => {}
            }
        }
        answer
    }
}

fn missing(program: &Path, error: &std::io::Error) -> Failure {
    let failure = match error.kind() {
        std::io::ErrorKind::NotFound => {
            Failure::new(format!("exec: {:?}: executable file not found in $PATH", program.display()))
        }
        _ => Failure::system(program.display(), error),
    };
    failure.with_hint("checkpoint and restore are done by criu: install it, or name it with --criu")
}

/// What went wrong: its own words, and the first error in its log.
fn failed(options: &Options, answer: &Answer) -> Failure {
    let log = options.log();
    let text = std::fs::read_to_string(&log).unwrap_or_default();
    let line = text.lines().find(|line| line.contains("Error")).map(str::trim).unwrap_or_default();
    let mut message = format!("criu failed: type {} errno {}", options.kind.name(), answer.errno);
    for part in [answer.message.trim(), line].into_iter().filter(|part| !part.is_empty()) {
        message = format!("{message}: {part}");
    }
    Failure::new(message).with_hint(format!("all that it says is in {}", log.display()))
}

/// The directory that an option names, made if it is not there.
fn directory(path: PathBuf) -> Result<PathBuf> {
    use std::os::unix::fs::DirBuilderExt;
    let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&path);
    made.map_err(|error| Failure::system(path.display(), error))?;
    Ok(path)
}
