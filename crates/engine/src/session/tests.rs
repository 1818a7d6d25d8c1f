//! Sessions against a peer that plays the supervisor, with real pipes, sockets and terminals.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::thread::{JoinHandle, spawn};

use oci_spec::runtime::Process;
use runtime::protocol::{ExitRecord, Started, VERSION, read_frame, write_control, write_frame};
use rustix::pty::{OpenptFlags, grantpt, ioctl_tiocgptpeer, openpt, unlockpt};
use rustix::termios::{LocalModes, Winsize, tcgetattr, tcsetwinsize};

use super::*;

/// The user's side of a pump that runs in a thread of its own.
struct User {
    stdin: Option<OwnedFd>,
    stdout: OwnedFd,
    stderr: OwnedFd,
    tty: bool,
}

fn pump(session: impl FnOnce() -> Result<Session> + Send + 'static, user: User) -> JoinHandle<Result<Outcome>> {
    spawn(move || {
        let signals = Signals::hold().expect("signals can be held");
        let io = Io {
            stdin: user.stdin.as_ref().map(AsFd::as_fd),
            stdout: user.stdout.as_fd(),
            stderr: user.stderr.as_fd(),
            tty: user.tty,
            keys: super::DetachKeys::default(),
            signals,
        };
        session()?.pump(io)
    })
}

fn finish(pump: JoinHandle<Result<Outcome>>) -> Result<Outcome> {
    pump.join().expect("the pump does not panic")
}

fn file_pipe() -> (File, OwnedFd) {
    let (reader, writer) = std::io::pipe().expect("a pipe");
    (OwnedFd::from(reader).into(), writer.into())
}

fn null_file() -> OwnedFd {
    File::options().read(true).write(true).open("/dev/null").expect("/dev/null").into()
}

fn write_started(peer: &mut UnixStream) {
    write_control(peer, Kind::Started, &Started { pid: 7 }).expect("the pump is there");
}

fn write_exited(peer: &mut UnixStream, exit_code: i32) {
    let record = ExitRecord {
        version: VERSION,
        exit_code,
        oom_killed: false,
        error: None,
        started_at: String::new(),
        finished_at: String::new(),
        restarts: 0,
    };
    write_control(peer, Kind::Exited, &record).expect("the pump is there");
}

/// A session on a container that has just been started, and the peer that plays its supervisor.
fn framed(user: User) -> (UnixStream, JoinHandle<Result<Outcome>>) {
    let (ours, mut peer) = UnixStream::pair().expect("a socket pair");
    write_started(&mut peer);
    (peer, pump(move || Session::started("web", Connection::new(ours)), user))
}

/// A session on an exec'd process: the peer, and the request as it came with its descriptors.
fn exec(terminal: bool, stdin: bool, user: User) -> (UnixStream, Vec<OwnedFd>, JoinHandle<Result<Outcome>>) {
    let (ours, peer) = UnixStream::pair().expect("a socket pair");
    let mut process = Process::default();
    process.set_terminal(Some(terminal));
    let request = Exec { version: VERSION, id: String::new(), process, window: None };
    let pump = pump(move || Session::exec("web", Connection::new(ours), &request, stdin), user);
    let mut connection = Connection::new(peer);
    let (kind, payload) = connection.receive().expect("a frame").expect("a frame");
    assert_eq!(kind, Kind::Exec);
    let _: Exec = serde_json::from_slice(&payload).expect("an exec request");
    let descriptors = connection.take_descriptors();
    let peer = UnixStream::from(connection.as_fd().try_clone_to_owned().expect("a descriptor is free"));
    (peer, descriptors, pump)
}

/// A terminal with a size: what the user or the process has, and what is behind it.
fn terminal() -> (File, OwnedFd) {
    let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).expect("a terminal is free");
    grantpt(&master).expect("it is ours");
    unlockpt(&master).expect("it is ours");
    let slave = ioctl_tiocgptpeer(&master, OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC);
    let size = Winsize { ws_row: 24, ws_col: 80, ws_xpixel: 0, ws_ypixel: 0 };
    tcsetwinsize(&master, size).expect("it is a terminal");
    (master.into(), slave.expect("its other side opens"))
}

fn is_raw(terminal: impl AsFd) -> bool {
    !tcgetattr(terminal).expect("it is a terminal").local_modes.contains(LocalModes::ICANON)
}

#[test]
fn output_comes_out_whole_on_its_own_side() {
    let ((mut out, stdout), (mut err, stderr)) = (file_pipe(), file_pipe());
    let (mut peer, pump) = framed(User { stdin: None, stdout, stderr, tty: false });
    // More than the pipe, the socket and the buffers between them hold, so that the pump has to wait for its reader.
    let large: Vec<u8> = (0..2_000_000_u32).flat_map(u32::to_le_bytes).collect();
    let sent = large.clone();
    let supervisor = spawn(move || {
        write_frame(&mut peer, Kind::Stderr, b"warning\n").expect("the pump is there");
        for piece in sent.chunks(runtime::protocol::MAX_DATA) {
            write_frame(&mut peer, Kind::Stdout, piece).expect("the pump is there");
        }
        write_exited(&mut peer, 3);
    });
    let (mut got, mut warning) = (Vec::new(), String::new());
    out.read_to_end(&mut got).expect("the pipe is read");
    err.read_to_string(&mut warning).expect("the pipe is read");
    supervisor.join().expect("the supervisor does not panic");
    assert_eq!(finish(pump).expect("exited"), Outcome::Exited(3));
    assert!(got == large, "{} of {} bytes", got.len(), large.len());
    assert_eq!(warning, "warning\n");
}

#[test]
fn output_goes_to_files_and_sockets_as_well() {
    let mut file = tempfile::tempfile().expect("a file");
    let (socket, mut reader) = UnixStream::pair().expect("a socket pair");
    let stdout = file.try_clone().expect("a descriptor is free").into();
    let (mut peer, pump) = framed(User { stdin: None, stdout, stderr: socket.into(), tty: false });
    write_frame(&mut peer, Kind::Stdout, b"one\n").expect("the pump is there");
    write_frame(&mut peer, Kind::Stderr, b"two\n").expect("the pump is there");
    write_frame(&mut peer, Kind::Stdout, b"three\n").expect("the pump is there");
    write_exited(&mut peer, 0);
    assert_eq!(finish(pump).expect("exited"), Outcome::Exited(0));
    let (mut out, mut err) = (String::new(), String::new());
    std::io::Seek::rewind(&mut file).expect("a file seeks");
    file.read_to_string(&mut out).expect("the file is read");
    reader.read_to_string(&mut err).expect("the socket is read");
    assert_eq!((out.as_str(), err.as_str()), ("one\nthree\n", "two\n"));
}

#[test]
fn input_arrives_and_ends() {
    let (stdin, mut typed) = std::io::pipe().expect("a pipe");
    let user = User { stdin: Some(stdin.into()), stdout: null_file(), stderr: null_file(), tty: false };
    let (mut peer, pump) = framed(user);
    typed.write_all(b"\x10\x11 is no key without a terminal").expect("the pump reads");
    let first = read_frame(&mut peer).expect("a frame");
    assert_eq!(first, Some((Kind::Stdin, b"\x10\x11 is no key without a terminal".to_vec())));
    drop(typed);
    assert_eq!(read_frame(&mut peer).expect("a frame"), Some((Kind::StdinEnd, Vec::new())));
    write_exited(&mut peer, 0);
    assert_eq!(finish(pump).expect("exited"), Outcome::Exited(0));
}

#[test]
fn a_supervisor_that_goes_away_is_an_error() {
    let (peer, pump) = framed(User { stdin: None, stdout: null_file(), stderr: null_file(), tty: false });
    drop(peer);
    let error = finish(pump).expect_err("nobody told how it ended");
    assert_eq!(error.to_string(), "the supervisor of container web went away");
}

#[test]
fn a_refusal_keeps_its_words_and_its_exit_code() {
    let (ours, mut peer) = UnixStream::pair().expect("a socket pair");
    let failed = Failed { message: "exec /x: not found".into(), hint: Some("look".into()), exit_code: 127 };
    write_control(&mut peer, Kind::Failed, &failed).expect("the socket takes it");
    let error = Session::started("web", Connection::new(ours)).expect_err("it was refused");
    assert_eq!(
        (error.to_string().as_str(), error.hint(), error.exit_code()),
        ("exec /x: not found", Some("look"), 127)
    );
    assert_eq!(error.kind(), ErrorKind::Start);
}

#[test]
fn without_a_reader_the_session_ends() {
    let (reader, stdout) = file_pipe();
    let (mut peer, pump) = framed(User { stdin: None, stdout, stderr: null_file(), tty: false });
    drop(reader);
    write_frame(&mut peer, Kind::Stdout, b"y\n").expect("the pump is there");
    assert_eq!(finish(pump).expect("left"), Outcome::OutputClosed);
}

#[test]
fn a_terminal_is_raw_until_the_keys_detach() {
    let (mut keyboard, screen) = terminal();
    let end = || Some(screen.try_clone().expect("a descriptor is free"));
    let user = User { stdin: end(), stdout: end().expect("some"), stderr: null_file(), tty: true };
    assert!(!is_raw(&screen));
    let (mut peer, pump) = framed(user);
    write_frame(&mut peer, Kind::Stdout, b"$ \n").expect("the pump is there");
    let mut shown = [0; 3];
    keyboard.read_exact(&mut shown).expect("the terminal shows it");
    assert_eq!(&shown, b"$ \n", "not translated, as the terminal is raw");
    assert!(is_raw(&screen));
    keyboard.write_all(b"\x03\x1a\r").expect("typed");
    assert_eq!(read_frame(&mut peer).expect("a frame"), Some((Kind::Stdin, b"\x03\x1a\r".to_vec())));
    keyboard.write_all(b"\x10").expect("typed");
    keyboard.write_all(b"\x11").expect("typed");
    assert_eq!(finish(pump).expect("left"), Outcome::Detached);
    assert!(!is_raw(&screen));
}

#[test]
fn an_execed_process_has_pipes_of_its_own() {
    let ((mut out, stdout), (mut err, stderr)) = (file_pipe(), file_pipe());
    let (stdin, mut typed) = std::io::pipe().expect("a pipe");
    let (mut peer, fds, pump) = exec(false, true, User { stdin: Some(stdin.into()), stdout, stderr, tty: false });
    let [mut its_in, mut its_out, mut its_err] = <[OwnedFd; 3]>::try_from(fds).expect("three").map(File::from);
    write_started(&mut peer);
    typed.write_all(b"in").expect("typed");
    drop(typed);
    let mut input = String::new();
    its_in.read_to_string(&mut input).expect("the process reads");
    assert_eq!(input, "in");
    its_err.write_all(b"err").expect("the process writes");
    its_out.write_all("o".repeat(60_000).as_bytes()).expect("the process writes");
    // The ends stay open, as with a child of the process in the background: they must not delay the end.
    write_exited(&mut peer, 9);
    let (mut output, mut errors) = (Vec::new(), Vec::new());
    out.read_to_end(&mut output).expect("read");
    err.read_to_end(&mut errors).expect("read");
    assert_eq!(finish(pump).expect("exited"), Outcome::Exited(9));
    assert_eq!((output.len(), errors.as_slice()), (60_000, &b"err"[..]));
}

#[test]
fn an_execed_process_with_a_terminal_is_pumped_directly() {
    let (mut keyboard, screen) = terminal();
    let end = || Some(screen.try_clone().expect("a descriptor is free"));
    let user = User { stdin: end(), stdout: end().expect("some"), stderr: null_file(), tty: true };
    let (mut peer, fds, pump) = exec(true, true, user);
    assert!(fds.is_empty());
    let (master, its) = terminal();
    let mut frame = Vec::new();
    write_control(&mut frame, Kind::Started, &Started { pid: 7 }).expect("a Vec takes every write");
    sys::fdpass::send(&peer, &frame, &[master.as_fd()]).expect("sent");
    drop(master);
    let mut its = File::from(its);
    its.write_all(b"$ ").expect("the process writes");
    let mut prompt = [0; 2];
    keyboard.read_exact(&mut prompt).expect("the terminal shows it");
    keyboard.write_all(b"ls\r").expect("typed");
    let mut line = [0; 3];
    its.read_exact(&mut line).expect("the process reads");
    assert_eq!(&line, b"ls\n");
    its.write_all(b"bye").expect("the process writes");
    drop(its);
    write_exited(&mut peer, 0);
    assert_eq!(finish(pump).expect("exited"), Outcome::Exited(0));
    let mut shown = [0; 7];
    keyboard.read_exact(&mut shown).expect("the terminal shows it");
    assert_eq!(&shown, b"ls\r\nbye");
}

#[test]
fn sizes() {
    let (_keyboard, screen) = terminal();
    assert_eq!(window_size(&screen), Some(WindowSize { rows: 24, columns: 80 }));
    assert_eq!(window_size(null_file()), None);
    assert!(is_terminal(&screen) && !is_terminal(null_file()));
}
