//! systemd's manager, of the system or of the user (`org.freedesktop.systemd1(5)`).

use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use super::bus::{Connection, Message, Peer, Value, Writer, exists, socket_of};
use crate::error::{Error, ErrorKind, Result};

const SERVICE: &str = "org.freedesktop.systemd1";
const PATH: &str = "/org/freedesktop/systemd1";
const MANAGER: &str = "org.freedesktop.systemd1.Manager";
const SIGNALS: &str = "type='signal',path='/org/freedesktop/systemd1',\
                       interface='org.freedesktop.systemd1.Manager',member='JobRemoved'";

/// Its own socket, for root alone, and the bus of the system.
const PRIVATE: &[u8] = b"/run/systemd/private";
const SYSTEM_BUS: &[u8] = b"/run/dbus/system_bus_socket";

/// Which manager there is for this process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Which {
    /// PID 1.
    System,
    /// That of the user.
    User,
}

impl Which {
    /// Root speaks to PID 1, everybody else to his own, and so does root of a user namespace, for whom PID 1 does nothing.
    pub(super) fn of_this_process() -> Which {
        let root = rustix::process::geteuid().is_root();
        if root && !crate::idmap::in_user_namespace() { Which::System } else { Which::User }
    }

    /// The slice that units without one are in.
    pub(super) fn slice(self) -> &'static str {
        match self {
            Which::System => "system.slice",
            Which::User => "user.slice",
        }
    }
}

/// A connection to a manager.
#[derive(Debug)]
pub(super) struct Manager {
    connection: Connection,
    /// 252, say.
    pub(super) version: u32,
}

impl Manager {
    /// Connects.
    ///
    /// # Errors
    /// `Unsupported` where there is no systemd, else `System`.
    pub(super) fn connect(which: Which) -> Result<Manager> {
        let (path, peer) = match which {
            Which::System if exists(PRIVATE) => (PRIVATE.to_vec(), Peer::Direct),
            Which::System => (SYSTEM_BUS.to_vec(), Peer::Bus),
            Which::User => match user_socket() {
                Some(socket) => (socket, Peer::Direct),
                None => (user_bus()?, Peer::Bus),
            },
        };
        if !exists(&path) {
            let error =
                Error::new(ErrorKind::Unsupported, "systemd: neither its socket nor the bus of the system exist");
            return Err(error.with_hint("this host was not booted with systemd: use the cgroupfs driver"));
        }
        let mut manager = Manager { connection: Connection::open(&path, peer, SERVICE)?, version: 0 };
        manager.connection.subscribe(SIGNALS)?;
        manager.ask("Subscribe", "", Writer::default())?;
        let version = manager.property(PATH, MANAGER, "Version")?;
        let digits = version.trim_start_matches('v').split(|letter: char| !letter.is_ascii_digit()).next();
        manager.version = digits.and_then(|digits| digits.parse().ok()).unwrap_or(0);
        Ok(manager)
    }

    /// Starts a unit that exists only in memory, and waits until that is done. One of the same name that has failed gives
    /// way.
    ///
    /// # Errors
    /// `Invalid` for a property that systemd refuses, else `System`, naming the unit.
    pub(super) fn start_unit(&mut self, unit: &str, properties: &[(String, Value)]) -> Result<()> {
        let body = || {
            let mut body = Writer::default();
            body.text(unit);
            body.text("replace");
            body.properties(properties);
            // Units that it needs: none.
            body.array(8, &[] as &[()], |_, ()| {});
            body
        };
        let signature = "ssa(sv)a(sa(sv))";
        let mut started = self.try_ask("StartTransientUnit", signature, body())?;
        if started.as_ref().is_err_and(|failure| failure.error.ends_with(".UnitExists")) {
            self.reset_failed(unit);
            started = self.try_ask("StartTransientUnit", signature, body())?;
        }
        let job = started.map_err(|failure| refused("start", unit, &failure))?;
        self.await_job(&job, "start", unit)
    }

    /// Changes properties of a unit until the machine is started anew.
    ///
    /// # Errors
    /// As of [`Manager::start_unit`].
    pub(super) fn set_properties(&mut self, unit: &str, properties: &[(String, Value)]) -> Result<()> {
        let mut body = Writer::default();
        body.text(unit);
        body.bool(true);
        body.properties(properties);
        let set = self.try_ask("SetUnitProperties", "sba(sv)", body)?;
        set.map(drop).map_err(|failure| refused("change", unit, &failure))
    }

    /// Stops a unit, and waits until that is done. One that does not exist is stopped.
    ///
    /// # Errors
    /// `System`, naming the unit.
    pub(super) fn stop_unit(&mut self, unit: &str) -> Result<()> {
        let mut body = Writer::default();
        body.text(unit);
        body.text("replace");
        let stopped = match self.try_ask("StopUnit", "ss", body)? {
            Ok(job) => self.await_job(&job, "stop", unit),
            Err(failure) if failure.error.ends_with(".NoSuchUnit") => Ok(()),
            Err(failure) => Err(refused("stop", unit, &failure)),
        };
        // A failed one stays until somebody has taken note.
        self.reset_failed(unit);
        stopped
    }

    /// Moves a process into a unit that is delegated.
    ///
    /// # Errors
    /// As of [`Manager::start_unit`].
    pub(super) fn attach(&mut self, unit: &str, process: u32) -> Result<()> {
        let mut body = Writer::default();
        body.text(unit);
        body.text("/");
        body.array(4, &[process], |body, process| body.u32(*process));
        let attached = self.try_ask("AttachProcessesToUnit", "ssau", body)?;
        attached.map(drop).map_err(|failure| refused("join", unit, &failure))
    }

    /// Where a scope's cgroup is, below the root of the hierarchies.
    ///
    /// # Errors
    /// `System`, naming the unit.
    pub(super) fn control_group(&mut self, unit: &str) -> Result<PathBuf> {
        let mut body = Writer::default();
        body.text(unit);
        let found = self.ask("GetUnit", "s", body)?;
        let path = found.values().text().ok_or_else(|| unreadable("GetUnit"))?.to_owned();
        self.property(&path, "org.freedesktop.systemd1.Scope", "ControlGroup").map(PathBuf::from)
    }

    fn property(&mut self, path: &str, interface: &str, name: &str) -> Result<String> {
        let mut body = Writer::default();
        body.text(interface);
        body.text(name);
        let answer = self.connection.call(path, "org.freedesktop.DBus.Properties", "Get", "ss", body)?;
        let answer = answer.map_err(|failure| Error::system(format!("systemd: {name}"), failure.message()))?;
        let mut values = answer.values();
        let text = if values.signature() == Some("s") { values.text() } else { None };
        text.map(str::to_owned).ok_or_else(|| unreadable(name))
    }

    fn reset_failed(&mut self, unit: &str) {
        let mut body = Writer::default();
        body.text(unit);
        // It is an error where nothing has failed.
        self.try_ask("ResetFailedUnit", "s", body).ok();
    }

    fn ask(&mut self, member: &str, signature: &str, body: Writer) -> Result<Message> {
        let answer = self.try_ask(member, signature, body)?;
        answer.map_err(|failure| Error::system(format!("systemd: {member}"), failure.message()))
    }

    fn try_ask(
        &mut self,
        member: &str,
        signature: &str,
        body: Writer,
    ) -> Result<std::result::Result<Message, Message>> {
        self.connection.call(PATH, MANAGER, member, signature, body)
    }

    /// Waits for the signal `JobRemoved` (number, path, unit, result) of the job that an answer names.
    fn await_job(&mut self, answer: &Message, what: &str, unit: &str) -> Result<()> {
        let job = answer.values().text().ok_or_else(|| unreadable("job"))?.to_owned();
        loop {
            let signal = self.connection.signal()?;
            if signal.member != "JobRemoved" || signal.signature != "uoss" {
                continue;
            }
            let mut values = signal.values();
            let (_number, path) = (values.u32(), values.text());
            let (_unit, result) = (values.text(), values.text());
            match result {
                _ if path != Some(job.as_str()) => {}
                Some("done") => return Ok(()),
                result => {
                    let message = format!("{what} of unit {unit}: {}", result.unwrap_or_default());
                    return Err(Error::system("systemd", message).with_hint(format!("see journalctl -u {unit}")));
                }
            }
        }
    }
}

fn refused(what: &str, unit: &str, failure: &Message) -> Error {
    let invalid = [".InvalidArgs", ".PropertyReadOnly", ".BadUnitSetting"];
    let kind =
        if invalid.iter().any(|name| failure.error.ends_with(name)) { ErrorKind::Invalid } else { ErrorKind::System };
    Error::new(kind, format!("systemd: {what} of unit {unit}: {}", failure.message()))
}

fn unreadable(what: &str) -> Error {
    Error::system("systemd", format!("an answer that cannot be read ({what})"))
}

/// The own socket of the user's manager, which is there without any bus. In a user namespace one does not know the number
/// that it wants to be told.
fn user_socket() -> Option<Vec<u8>> {
    let directory = std::env::var_os("XDG_RUNTIME_DIR").filter(|directory| !directory.is_empty())?;
    let socket = PathBuf::from(directory).join("systemd/private").as_os_str().as_bytes().to_vec();
    (!crate::idmap::in_user_namespace() && exists(&socket)).then_some(socket)
}

/// Where the user's bus listens.
fn user_bus() -> Result<Vec<u8>> {
    if let Some(path) = std::env::var("DBUS_SESSION_BUS_ADDRESS").ok().and_then(|address| socket_of(&address)) {
        return Ok(path);
    }
    let directory = std::env::var_os("XDG_RUNTIME_DIR").filter(|directory| !directory.is_empty());
    let directory = directory.map(|directory| PathBuf::from(directory).join("bus"));
    let path = directory.map(|path| path.as_os_str().as_bytes().to_vec()).filter(|path| exists(path));
    path.ok_or_else(|| {
        let error = Error::new(ErrorKind::Unsupported, "systemd: the user has no bus");
        error.with_hint("log in anew with dbus-user-session installed, or use the cgroupfs driver")
    })
}
