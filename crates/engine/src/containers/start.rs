//! Starting a container: a supervisor is told what to do, and answers. It gets the container's lock with that, and keeps it as
//! long as the container lives.

use std::os::fd::AsFd;

use runtime::protocol::{Kind, Request, Rootfs, StdinMode, VERSION, WindowSize};

use crate::config::{Healthcheck, Signal};
use crate::containers::create::{Created, UPPER, WORK};
use crate::engine::Engine;
use crate::error::{Context, Result};
use crate::events;
use crate::networks::start::Leased;
use crate::session::{Connection, Session};

impl Engine {
    /// Starts a container and stays with it: what comes back carries its output, and its input if it was created with
    /// `-i` and `stdin` is set. `window` is the size of the user's terminal.
    ///
    /// # Errors
    /// `Start` when the supervisor could not start it; one with `--rm` is then removed.
    pub fn start(&self, created: Created, stdin: bool, window: Option<WindowSize>) -> Result<Session> {
        self.started(created, Some(stdin), window)
    }

    /// Starts a container and leaves it to its supervisor.
    ///
    /// # Errors
    /// As [`Engine::start`].
    pub fn start_detached(&self, created: Created) -> Result<()> {
        let goes_with_its_end = created.record.auto_remove;
        self.started(created, None, None)?;
        // Nobody stays to remove its row when it has ended. So each of its kind removes the rows of those before it.
        if goes_with_its_end {
            self.store.collect_ended();
        }
        Ok(())
    }

    /// `attach` tells whether the caller stays, and then whether it has input.
    fn started(&self, created: Created, attach: Option<bool>, window: Option<WindowSize>) -> Result<Session> {
        let session = self.asked(&created, attach, window).and_then(|connection| {
            // The supervisor is busy for milliseconds: time for what somebody has to do now and then.
            self.store.checkpoint_if_due().ok();
            Session::started(&created.record.name, connection)
        });
        if session.is_ok() {
            self.tell_mounts(&created.record.id, &created.config);
        }
        if session.is_err() && created.record.auto_remove {
            // The error that matters is why it was not started; what stays here is found by the next command.
            self.store.remove_container(created.lock).ok();
            self.tell(&events::about_container(&created.record, &created.config, "destroy"));
        }
        session
    }

    /// Asks a supervisor to start the container, which has its volumes and its addresses then.
    fn asked(&self, created: &Created, attach: Option<bool>, window: Option<WindowSize>) -> Result<Connection> {
        self.settle_volumes(&created.config)?;
        let request = self.request(created, attach, window)?;
        let leased = self.lease_networks(created)?;
        if attach.is_some() {
            self.tell(&events::about_container(&created.record, &created.config, "attach"));
        }
        let asked = self.supervise(created, request, leased.as_ref());
        if let (Err(_), Some(leased)) = (&asked, &leased) {
            // The error that matters is why there is no supervisor; what stays is found by its note.
            leased.give_back().ok();
        }
        asked
    }

    pub(super) fn supervise(
        &self,
        created: &Created,
        mut request: Request,
        leased: Option<&Leased>,
    ) -> Result<Connection> {
        if let Some(leased) = leased {
            self.write_names(&created.record, &created.config, &leased.names)?;
            request.network = Some(leased.plan()?);
        }
        let mut connection = Connection::new(self.supervisor()?);
        let lock = [created.lock.as_fd()];
        connection.send(Kind::Request, &request, &lock).context(|| "talking to the supervisor")?;
        sys::fault::point("start: supervisor asked");
        Ok(connection)
    }

    pub(super) fn request(
        &self,
        created: &Created,
        attach: Option<bool>,
        window: Option<WindowSize>,
    ) -> Result<Request> {
        let (id, config) = (&created.record.id, &created.config);
        let directory = self.paths().container(id);
        Ok(Request {
            version: VERSION,
            id: id.hex(),
            rootfs: Rootfs::Overlay {
                lower: self.lower(created.layers.clone())?,
                upper: directory.join(UPPER),
                work: directory.join(WORK),
                volatile: config.auto_remove,
            },
            run_dir: self.paths().run_container(id),
            window,
            stdin: match (config.open_stdin, attach) {
                (false, _) => StdinMode::Closed,
                (true, Some(true)) => StdinMode::Once,
                (true, Some(false) | None) => StdinMode::Keep,
            },
            attach: attach.is_some(),
            log: self.log_target(&created.record, config)?,
            events: Some(self.subject(&created.record, config)),
            auto_remove: config.auto_remove,
            leashed: false,
            init: config.init,
            again: created.again,
            restart: config.restart,
            restarts: created.restarts,
            health: config.health.as_ref().and_then(Healthcheck::resolve),
            stop_signal: config.stop_signal.map(Signal::number),
            stop_timeout: config.stop_timeout,
            joins: self.joins(Some(&created.record.id), config)?,
            network: None,
            bundle: self.bundle(&created.record),
            directory,
        })
    }
}
