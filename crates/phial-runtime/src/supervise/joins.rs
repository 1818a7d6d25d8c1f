//! Namespaces of other containers, entered at each start of this one.
//!
//! The configuration lists them as new: a container whose peer cannot be found has its own, or rather is not started, and
//! never those of whoever has the peer's pid by now.

use std::os::fd::{AsRawFd, OwnedFd};
use std::path::PathBuf;

use oci_spec::runtime::{LinuxNamespaceType, Spec};
use runtime::plan::{Links, Plan, Source, Step};
use runtime::protocol::{Join, SHARED_FILE, first_process};
use runtime::{Error, ErrorKind, Result};
use rustix::fs::{Mode, OFlags, openat};
use rustix::io::Errno;

/// Where System V's and POSIX's shared memory lies.
const SHM: &std::ffi::CStr = c"/dev/shm";

/// What is open until the container runs.
#[derive(Debug, Default)]
pub(super) struct Joined {
    open: Vec<OwnedFd>,
    /// The mount namespace of the container whose `/dev/shm` this one has.
    mounts: Option<PathBuf>,
}

/// Puts the namespaces of other containers into the configuration.
pub(super) fn enter(spec: &mut Spec, joins: &[Join]) -> Result<Joined> {
    let mut joined = Joined::default();
    for join in joins {
        let path = joined.open(join, join.namespace)?;
        if join.namespace == LinuxNamespaceType::Ipc {
            joined.mounts = Some(joined.open(join, LinuxNamespaceType::Mount)?);
        }
        let linux = spec.linux_mut().as_mut();
        let namespaces = linux.and_then(|linux| linux.namespaces_mut().as_mut());
        for namespace in namespaces.into_iter().flatten().filter(|namespace| namespace.typ() == join.namespace) {
            namespace.set_path(Some(path.clone()));
        }
    }
    Ok(joined)
}

impl Joined {
    fn open(&mut self, join: &Join, namespace: LinuxNamespaceType) -> Result<PathBuf> {
        let not_running = || {
            let message = format!("{namespace} of container {}: it is not running", join.name);
            Error::new(ErrorKind::Invalid, message).with_hint(format!("phial start {}", join.name))
        };
        let name = match namespace {
            LinuxNamespaceType::Network => "net",
            LinuxNamespaceType::Mount => "mnt",
            LinuxNamespaceType::Pid => "pid",
            _ => "ipc",
        };
        let failed = |error: std::io::Error| Error::system(format!("{namespace} of container {}", join.name), error);
        if namespace == LinuxNamespaceType::Network {
            // Made before the namespace is open: whose it is looks for the file when its first process has ended.
            let shared = join.run_dir.join(SHARED_FILE);
            std::fs::write(&shared, []).map_err(|error| match error.kind() {
                std::io::ErrorKind::NotFound => not_running(),
                _ => Error::system(shared.display(), error),
            })?;
        }
        let process = first_process(&join.run_dir).map_err(failed)?.ok_or_else(not_running)?;
        let flags = OFlags::RDONLY | OFlags::CLOEXEC;
        let file = openat(process, format!("ns/{name}"), flags, Mode::empty()).map_err(|errno| match errno {
            // It has ended just now.
            Errno::NOENT | Errno::SRCH => not_running(),
            errno => failed(errno.into()),
        })?;
        let path = PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd()));
        self.open.push(file);
        Ok(path)
    }

    /// Gives the container the `/dev/shm` of the one whose IPC it shares, unless it has another one.
    pub(super) fn share_memory(&self, plan: &mut Plan) {
        let Some(namespace) = &self.mounts else { return };
        let of_shm = |step: &&mut Step| matches!(step, Step::Mount(mount) if mount.target.as_c_str() == SHM);
        if let Some(step) = plan.steps.iter_mut().find(of_shm) {
            let source = Source::OfNamespace { namespace: namespace.clone(), path: SHM.to_owned() };
            *step = Step::Attach { source, target: SHM.to_owned(), links: Links::Follow };
        }
    }
}
