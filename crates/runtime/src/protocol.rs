//! What an engine and a supervisor say to one another, on the wire and in files.
//!
//! A connection is a unix stream socket that carries frames: one byte kind, four bytes little-endian length, then the
//! payload. Control payloads are JSON, data payloads are raw bytes. File descriptors travel with the first byte of the
//! frame they belong to. Both ends come from one build (the engine embeds the supervisor), but a supervisor outlives
//! upgrades of the engine: every control payload and file therefore carries [`VERSION`], and unknown fields are ignored.

use std::io::{Read, Write};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// The journal of events, which both ends write.
pub mod events;
/// Where a container's output is kept.
pub mod log;
/// What a supervisor does by itself: restart policies, health checks, stopping.
pub mod policy;
mod process;

pub use process::first_process;

/// Version of the wire format and of [`Status`] and [`ExitRecord`]. Raised when a reader of the previous one would
/// misunderstand.
pub const VERSION: u32 = 1;

/// Largest data payload of one frame, in bytes.
pub const MAX_DATA: usize = 64 * 1024;

/// Largest control payload, in bytes: bounds what a broken peer can make the other side allocate.
pub const MAX_CONTROL: usize = 16 * 1024 * 1024;

/// Bytes before the payload of a frame.
pub const HEADER: usize = 5;

/// Descriptor under which a supervisor finds its connection to the engine that starts it. The first frame on it is a
/// [`Request`], which comes with the container's lock.
pub const ENGINE_DESCRIPTOR: i32 = 3;
/// Descriptor that the lock becomes, until the container has ended: the lowest that is free.
pub const LOCK_DESCRIPTOR: i32 = 4;

/// File name of the supervisor's socket in the container's run directory.
pub const SOCKET_FILE: &str = "sock";
/// File name of the lock that the supervisor holds while it lives. It says what of the host the container has, from before
/// it has it until it has given it back: whoever removes the container gives that back as well. Its lines are the paths of
/// cgroups, and one that begins with [`NETWORK_NOTE`].
pub const LOCK_FILE: &str = "lock";
/// What begins the line of the lock file that says where the container's addresses are noted; the rest is a `net::Realm`.
pub const NETWORK_NOTE: &str = "network ";
/// File name of [`Status`] in the container's run directory.
pub const STATUS_FILE: &str = "status.json";
/// File name of an empty file in the run directory of a container whose network namespace others have entered.
pub const SHARED_FILE: &str = "shared";
/// File name of the container's name in its run directory: there once it was renamed while it ran.
pub const NAME_FILE: &str = "name";
/// File name of [`ExitRecord`] in the container's persistent directory.
pub const EXIT_FILE: &str = "exit.json";
/// File name of the OCI configuration in the container's persistent directory.
pub const CONFIG_FILE: &str = "config.json";

/// What a frame means. Comments give direction and payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// engine → new supervisor, once, on the inherited socket: [`Request`].
    Request = b'R',
    /// engine → supervisor, first frame on the listening socket: [`Attach`].
    Attach = b'A',
    /// engine → supervisor, first frame: [`Exec`]; without a terminal, three descriptors (stdin, stdout, stderr) come with it.
    Exec = b'X',
    /// engine → supervisor, first frame: answered by [`Kind::Exited`] once the container has ended. No payload.
    Wait = b'W',
    /// engine → supervisor, any time: [`Signal`]. As first frame it is answered by [`Kind::Ok`] or [`Kind::Failed`].
    /// On an attached or exec connection it goes to that process, and is not answered.
    Signal = b'K',
    /// engine → supervisor, first frame: [`policy::Stop`]. Answered by [`Kind::Exited`] once the container has ended and
    /// stays so; the lock comes with it, if that was asked for.
    Stop = b'T',
    /// engine → supervisor, first frame: every process stands still. Answered by [`Kind::Ok`] or [`Kind::Failed`].
    Pause = b'P',
    /// engine → supervisor, first frame: every process goes on. Answered as [`Kind::Pause`].
    Resume = b'U',
    /// engine → supervisor, first frame: [`policy::Update`]. Answered as [`Kind::Pause`].
    Update = b'V',
    /// engine → supervisor, first frame: a further network, as a `net::attach::Joining`. Answered as [`Kind::Pause`].
    Connect = b'N',
    /// engine → supervisor, first frame: [`Disconnect`]. Answered as [`Kind::Pause`].
    Disconnect = b'D',
    /// engine → supervisor, first frame: the registers of its networks are to say once more what it has. No payload. Answered
    /// as [`Kind::Pause`].
    Note = b'M',
    /// engine → supervisor: bytes for the process's stdin.
    Stdin = b'0',
    /// engine → supervisor: no more stdin. No payload.
    StdinEnd = b'z',
    /// engine → supervisor: [`WindowSize`] of the terminal.
    Resize = b'r',
    /// supervisor → engine: the process runs: [`Started`]. An exec with a terminal carries the pty master's descriptor.
    Started = b's',
    /// supervisor → engine: bytes the process wrote to stdout, or to its terminal.
    Stdout = b'1',
    /// supervisor → engine: bytes the process wrote to stderr.
    Stderr = b'2',
    /// supervisor → engine: the process has ended, all its output was sent before: [`ExitRecord`].
    Exited = b'e',
    /// supervisor → engine: what was asked for did not happen: [`Failed`].
    Failed = b'f',
    /// supervisor → engine: done. No payload.
    Ok = b'o',
}

impl Kind {
    /// The kind with this byte, if there is one.
    pub fn from_byte(byte: u8) -> Option<Kind> {
        const ALL: [Kind; 21] = [
            Kind::Request,
            Kind::Attach,
            Kind::Exec,
            Kind::Wait,
            Kind::Signal,
            Kind::Stop,
            Kind::Pause,
            Kind::Resume,
            Kind::Update,
            Kind::Connect,
            Kind::Disconnect,
            Kind::Note,
            Kind::Stdin,
            Kind::StdinEnd,
            Kind::Resize,
            Kind::Started,
            Kind::Stdout,
            Kind::Stderr,
            Kind::Exited,
            Kind::Failed,
            Kind::Ok,
        ];
        ALL.into_iter().find(|kind| *kind as u8 == byte)
    }

    /// Largest payload this kind may carry.
    pub fn limit(self) -> usize {
        match self {
            Kind::Stdin | Kind::Stdout | Kind::Stderr => MAX_DATA,
            _ => MAX_CONTROL,
        }
    }
}

/// Everything a new supervisor needs to start its container and stay with it.
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Request {
    /// [`VERSION`] of the sender.
    pub version: u32,
    /// Container id, 64 hex digits.
    pub id: String,
    /// The directory of `config.json`.
    pub bundle: PathBuf,
    /// The container's persistent directory: `exit.json` is written here.
    pub directory: PathBuf,
    /// The container's directory below /run: holds lock, status and socket.
    pub run_dir: PathBuf,
    /// What becomes `/` of the container.
    pub rootfs: Rootfs,
    /// Initial size of the terminal, when `process.terminal` is set.
    pub window: Option<WindowSize>,
    /// What happens with stdin.
    pub stdin: StdinMode,
    /// Whether the connection that carries this request gets the output (a foreground run).
    pub attach: bool,
    /// Where the log goes. None: no log.
    pub log: Option<log::Log>,
    /// Where the container's events are told. None: nowhere.
    #[serde(default)]
    pub events: Option<events::Subject>,
    /// Whether the container's files go when it ends; its row is collected by the next command.
    pub auto_remove: bool,
    /// Whether it is killed when nobody is attached to it any more: what a build runs ends with the build.
    #[serde(default)]
    pub leashed: bool,
    /// Whether a small init of ours is pid 1, forwarding signals and reaping, with the process as its child.
    pub init: bool,
    /// Whether it has run before, or stays although it has not: there may be files of an earlier run.
    #[serde(default)]
    pub again: bool,
    /// What happens when the process ends by itself.
    #[serde(default)]
    pub restart: policy::RestartPolicy,
    /// How often the policy has started it before this supervisor.
    #[serde(default)]
    pub restarts: u32,
    /// How to learn whether it is well.
    #[serde(default)]
    pub health: Option<policy::HealthCheck>,
    /// What stops it when nobody says otherwise; SIGTERM if there is none.
    #[serde(default)]
    pub stop_signal: Option<i32>,
    /// Seconds between that and SIGKILL; 10 if there is none.
    #[serde(default)]
    pub stop_timeout: Option<u32>,
    /// Namespaces of other containers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub joins: Vec<Join>,
    /// Its networks, as a `net::Plan`. None: none but its own loopback interface, or somebody else's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network: Option<serde_json::Value>,
}

/// A namespace of another container, which this one enters whenever it is started.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Join {
    /// Which.
    pub namespace: oci_spec::runtime::LinuxNamespaceType,
    /// The other container's directory below /run.
    pub run_dir: PathBuf,
    /// Its name, for errors.
    pub name: String,
}

/// What becomes `/` of a container.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Rootfs {
    /// An overlay of layer directories, mounted only in the container's own mount namespace.
    Overlay {
        /// Layer directories, the topmost first.
        lower: Vec<PathBuf>,
        /// Where changes go.
        upper: PathBuf,
        /// Overlayfs's work directory, on the file system of `upper`.
        work: PathBuf,
        /// Skip syncing (for containers that are removed when they end).
        volatile: bool,
    },
    /// A directory as it is.
    Directory(PathBuf),
}

/// What happens with a container's stdin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StdinMode {
    /// /dev/null.
    Closed,
    /// Open until the first attached client is gone (`run -i`).
    Once,
    /// Open as long as the container lives (`run -d -i`).
    Keep,
}

/// Rows and columns of a terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct WindowSize {
    /// Lines.
    pub rows: u16,
    /// Characters per line.
    pub columns: u16,
}

/// Asks for the streams of the container's main process.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Attach {
    /// [`VERSION`] of the sender.
    pub version: u32,
    /// Whether this client's stdin frames are passed on.
    pub stdin: bool,
    /// Size of the client's terminal.
    pub window: Option<WindowSize>,
}

/// Asks for a further process in a running container.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Exec {
    /// [`VERSION`] of the sender.
    pub version: u32,
    /// What events call it: 64 hex digits.
    #[serde(default)]
    pub id: String,
    /// The process, as `process` of an OCI configuration, whole: ids, capabilities, environment are already decided.
    pub process: oci_spec::runtime::Process,
    /// Size of the terminal when `process.terminal` is set.
    pub window: Option<WindowSize>,
}

/// A network that the container is to leave.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Disconnect {
    /// The network's id.
    pub network: String,
}

/// A signal for a process.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Signal {
    /// Signal number of this architecture.
    pub signal: i32,
}

/// The process runs.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Started {
    /// Its pid as the host sees it.
    pub pid: i32,
}

/// Why something did not happen.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Failed {
    /// One line, a lower-case fragment: which step, which thing, why.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
    /// The exit status docker gives this failure: 125, 126 (found, cannot be executed) or 127 (not found).
    pub exit_code: i32,
}

/// Liveness of a running container, written by its supervisor by atomic rename.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Status {
    /// [`VERSION`] of the writer.
    pub version: u32,
    /// Pid of the container's first process, as the host sees it; 0 while it waits to be started again. See
    /// [`first_process`].
    pub pid: i32,
    /// Pid of the supervisor.
    pub supervisor: i32,
    /// When the process was started, RFC 3339 with nanoseconds, UTC.
    pub started_at: String,
    /// Directories of the container's cgroups on the host; one with cgroup v2, one per hierarchy with v1.
    pub cgroups: Vec<PathBuf>,
    /// Where its addresses are noted: what stands behind [`NETWORK_NOTE`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network: Option<String>,
    /// What it does.
    #[serde(default, skip_serializing_if = "Phase::is_running")]
    pub phase: Phase,
    /// How often its policy has started it again.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub restarts: u32,
    /// What its health checks say; [`policy::Health`] has the details.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub health: Option<policy::HealthStatus>,
    /// Whether the kernel has killed something in it because its memory limit was reached.
    #[serde(default, skip_serializing_if = "is_false")]
    pub oom_killed: bool,
    /// How its last run has ended: the one before this, or, while it waits to be started again, the one behind it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<ExitRecord>,
}

/// What a container with a supervisor does.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// It runs.
    #[default]
    Running,
    /// All its processes stand still.
    Paused,
    /// It has ended, and will be started again.
    Restarting,
}

impl Phase {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
    fn is_running(&self) -> bool {
        *self == Phase::Running
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(number: &u32) -> bool {
    *number == 0
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_false(value: &bool) -> bool {
    !value
}

/// How a process ended. Of a container's main process it is kept as `exit.json`.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct ExitRecord {
    /// [`VERSION`] of the writer.
    pub version: u32,
    /// The exit status as a shell gives it: 128 + n after signal n.
    pub exit_code: i32,
    /// Whether the kernel killed something in the container because its memory limit was reached.
    pub oom_killed: bool,
    /// Why the container could not be started, if so.
    pub error: Option<String>,
    /// RFC 3339 with nanoseconds, UTC; empty if it was never started.
    pub started_at: String,
    /// RFC 3339 with nanoseconds, UTC.
    pub finished_at: String,
    /// How often its policy has started it again.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub restarts: u32,
}

/// The header of a frame of `length` payload bytes.
pub fn header(kind: Kind, length: usize) -> [u8; HEADER] {
    let length = u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes();
    [kind as u8, length[0], length[1], length[2], length[3]]
}

/// Reads a header: the kind and the payload's length.
///
/// # Errors
/// `InvalidData` for an unknown kind or a length above the kind's limit.
pub fn parse_header(bytes: [u8; HEADER]) -> std::io::Result<(Kind, usize)> {
    let kind = Kind::from_byte(bytes[0]).ok_or_else(|| invalid("unknown frame kind"))?;
    let length = u32::from_le_bytes([bytes[1], bytes[2], bytes[3], bytes[4]]) as usize;
    if length > kind.limit() {
        return Err(invalid("frame too long"));
    }
    Ok((kind, length))
}

/// Writes one frame with a raw payload.
///
/// # Errors
/// Those of the writer.
pub fn write_frame(to: &mut impl Write, kind: Kind, payload: &[u8]) -> std::io::Result<()> {
    let mut frame = Vec::with_capacity(HEADER + payload.len());
    frame.extend_from_slice(&header(kind, payload.len()));
    frame.extend_from_slice(payload);
    to.write_all(&frame)
}

/// Writes one frame with a JSON payload.
///
/// # Errors
/// Those of the writer.
pub fn write_control(to: &mut impl Write, kind: Kind, payload: &impl Serialize) -> std::io::Result<()> {
    write_frame(to, kind, &serde_json::to_vec(payload)?)
}

/// Reads one frame; None when the peer has closed between frames.
///
/// # Errors
/// Those of the reader, and `InvalidData` for what is not a frame.
pub fn read_frame(from: &mut impl Read) -> std::io::Result<Option<(Kind, Vec<u8>)>> {
    let mut bytes = [0; HEADER];
    if from.read(&mut bytes[..1])? == 0 {
        return Ok(None);
    }
    from.read_exact(&mut bytes[1..])?;
    let (kind, length) = parse_header(bytes)?;
    let mut payload = vec![0; length];
    from.read_exact(&mut payload)?;
    Ok(Some((kind, payload)))
}

fn invalid(what: &str) -> std::io::Error {
    std::io::Error::new(std::io::ErrorKind::InvalidData, what)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_survives_the_wire() {
        let mut wire = Vec::new();
        write_control(&mut wire, Kind::Signal, &Signal { signal: 15 }).expect("a Vec takes every write");
        write_frame(&mut wire, Kind::Stdout, b"bytes").expect("a Vec takes every write");
        let mut reader = wire.as_slice();
        let (kind, payload) = read_frame(&mut reader).expect("reads").expect("is there");
        let signal: Signal = serde_json::from_slice(&payload).expect("is JSON");
        assert_eq!((kind, signal.signal), (Kind::Signal, 15));
        assert_eq!(read_frame(&mut reader).expect("reads"), Some((Kind::Stdout, b"bytes".to_vec())));
        assert_eq!(read_frame(&mut reader).expect("reads"), None);
    }

    #[test]
    fn what_is_no_frame_is_refused() {
        for bytes in [[b'?', 0, 0, 0, 0], [b'1', 1, 0, 1, 0], [b'R', 255, 255, 255, 255]] {
            assert!(parse_header(bytes).is_err(), "{bytes:?}");
        }
    }
}
