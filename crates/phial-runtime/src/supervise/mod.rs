//! The supervisor of one container: starts it, owns its streams, log, status and exit, and starts further processes in
//! it. It works with no other process of ours alive, and survives any of them.
//!
//! It is single-threaded by design: it clones itself to make processes, which is sound only without threads, and one
//! loop that takes every event leaves no order of events to lock against.

mod client;
mod descriptors;
mod dispatch;
mod frames;
mod further;
mod health;
mod joins;
mod life;
mod log;
mod network;
mod output;
mod poll;
mod record;
mod start;
mod tell;

use std::io::Read;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::process::ExitCode;

use net::attach::Attached;
use runtime::cgroup::{self, Hierarchy};
use runtime::protocol::{self, ENGINE_DESCRIPTOR, Failed, Kind, Request};

use start::Started;

pub(crate) use log::{
    COMPRESS as COMPRESS_LOG, WRITE as WRITE_LOG, compress as compress_log, write_for_another as write_log,
};

/// Serves one container from start to end.
pub(crate) fn run() -> ExitCode {
    rustix::thread::set_name(c"phial-runtime").ok();
    sys::signal::reset_ignored();
    sys::signal::Set::full().block();
    // The container sees some of what is made here: its cgroups. The rest lies in directories of root's alone.
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o022));
    descriptors::raise();
    let Ok(engine) = sys::exec::inherited(ENGINE_DESCRIPTOR) else { return ExitCode::FAILURE };
    let mut engine = UnixStream::from(engine);
    // The engine is still busy making the container.
    let hierarchies = cgroup::detect();
    let (request, lock) = match request(&mut engine) {
        Ok(Some(asked)) => asked,
        Ok(None) => return ExitCode::SUCCESS,
        Err(error) => return refuse(&mut engine, &error),
    };
    match started(&request, hierarchies, &lock) {
        Ok((started, network)) => match dispatch::Dispatcher::new(request, started, network, lock) {
            // An engine that cannot be told is gone; what it has started is not.
            Ok(mut dispatcher) => {
                dispatcher.announce(engine).ok();
                dispatcher.run()
            }
            Err(error) => refuse(&mut engine, &error),
        },
        Err(error) => {
            record::not_started(&request, &error);
            refuse(&mut engine, &error)
        }
    }
}

/// The container runs, and has its networks; or there is nothing of either.
fn started(
    request: &Request,
    hierarchies: runtime::Result<Vec<Hierarchy>>,
    lock: &OwnedFd,
) -> runtime::Result<(Started, Option<Attached>)> {
    let mut network = network::reserve(request)?;
    match hierarchies.and_then(|hierarchies| start::start(request, hierarchies, lock, network.as_mut())) {
        Ok(started) => Ok((started, network)),
        Err(error) => {
            network.as_mut().map(Attached::release);
            Err(error)
        }
    }
}

/// What is to be done, and the container's lock. None: there is nothing to do after all.
fn request(engine: &mut UnixStream) -> runtime::Result<Option<(Request, OwnedFd)>> {
    let invalid = |message: String| runtime::Error::new(runtime::ErrorKind::Invalid, message);
    let mut first = [0];
    let received = rustix::io::retry_on_intr(|| sys::fdpass::receive(&*engine, &mut first));
    let (count, descriptors) = received.map_err(|errno| invalid(format!("request: {errno}")))?;
    if count == 0 {
        return Ok(None);
    }
    let frame = protocol::read_frame(&mut first.as_slice().chain(engine));
    let frame = frame.map_err(|error| invalid(format!("request: {error}")))?;
    let Some((Kind::Request, payload)) = frame else { return Err(invalid("request: the first frame is none".into())) };
    let Ok([lock]) = <[OwnedFd; 1]>::try_from(descriptors) else {
        return Err(invalid("request: it comes without the container's lock".into()));
    };
    let request: Request = serde_json::from_slice(&payload).map_err(|error| invalid(format!("request: {error}")))?;
    if request.version != protocol::VERSION {
        return Err(invalid(format!("request: version {} is not {}", request.version, protocol::VERSION)));
    }
    Ok(Some((request, lock)))
}

fn refuse(engine: &mut UnixStream, error: &runtime::Error) -> ExitCode {
    protocol::write_control(engine, Kind::Failed, &failed(error)).ok();
    ExitCode::FAILURE
}

/// An error of the runtime as it goes to a client.
fn failed(error: &runtime::Error) -> Failed {
    Failed { message: error.to_string(), hint: error.hint().map(str::to_owned), exit_code: error.exit_code() }
}

/// Makes a descriptor non-blocking.
fn set_nonblocking(descriptor: BorrowedFd<'_>) -> rustix::io::Result<()> {
    rustix::io::ioctl_fionbio(descriptor, true)
}
