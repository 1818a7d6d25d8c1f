//! Further processes in running containers, and the streams of the first one.

use std::fs::{self, File};
use std::os::fd::AsFd;

use image::ImageConfig;
use oci_spec::runtime::Process;
use runtime::protocol::{Attach, CONFIG_FILE, Exec, Kind, VERSION, WindowSize};
use serde::Deserialize;
use store::{ContainerId, ContainerRecord};

use crate::config::{ContainerConfig, ExecConfig, env};
use crate::containers::create::{UPPER, identity};
use crate::containers::lifecycle::{Container, State};
use crate::engine::Engine;
use crate::error::{Context, Error, ErrorKind, Result};
use crate::images::merged::Merged;
use crate::session::{Session, refusal};
use crate::spec::{Identity, exec_process};

/// Of a container's `config.json`, the part about its process.
#[derive(Deserialize)]
struct Bundle {
    process: Process,
}

impl Engine {
    /// Runs a further process in a running container.
    ///
    /// # Errors
    /// `Conflict` when the container does not run, `Start` when the process could not be started, `NotFound` for a user
    /// that the container has not.
    pub fn exec(&self, container: &Container, config: &ExecConfig, window: Option<WindowSize>) -> Result<Session> {
        let connection = self.connect(container)?;
        let process = self.further_process(container, config)?;
        let id = self.tell_exec(container, config)?;
        let request = Exec { version: VERSION, id, process, window };
        Session::exec(&container.record.name, connection, &request, config.open_stdin)
    }

    /// Runs a further process in a running container, with `/dev/null` as its streams, and leaves it there. It gets no
    /// terminal: nobody would hold the other side.
    ///
    /// # Errors
    /// As [`Engine::exec`].
    pub fn exec_detached(&self, container: &Container, config: &ExecConfig) -> Result<()> {
        let name = &container.record.name;
        let mut connection = self.connect(container)?;
        let config = ExecConfig { tty: false, ..config.clone() };
        let process = self.further_process(container, &config)?;
        let id = self.tell_exec(container, &config)?;
        let request = Exec { version: VERSION, id, process, window: None };
        let null = File::options().read(true).write(true).open("/dev/null").context(|| "/dev/null")?;
        let talking = || format!("talking to the supervisor of container {name}");
        connection.send(Kind::Exec, &request, &[null.as_fd(); 3]).context(talking)?;
        match connection.receive().context(talking)? {
            Some((Kind::Started, _)) => Ok(()),
            Some((Kind::Failed, payload)) => Err(refusal(name, &payload)),
            _ => Err(Error::new(ErrorKind::System, format!("the supervisor of container {name} went away"))),
        }
    }

    /// Tells of a further process that is about to be started, and returns what events call it.
    fn tell_exec(&self, container: &Container, config: &ExecConfig) -> Result<String> {
        let id = ContainerId::generate()?.hex();
        let command = config.command.join(" ");
        for action in ["exec_create", "exec_start"] {
            self.tell_container(container, &format!("{action}: {command}"), &[("execID", &id)]);
        }
        Ok(id)
    }

    /// What `exec` runs, whole.
    fn further_process(&self, container: &Container, config: &ExecConfig) -> Result<Process> {
        let main = self.process(container)?;
        let identity = config.user.as_deref().map(|user| self.identity_in(container, user)).transpose()?;
        let home_is_own = match identity {
            Some(_) => !self.sets_home(container)?,
            None => false,
        };
        let identity = identity.as_ref().map(|identity| (identity, home_is_own));
        let all = config.privileged.then(runtime::capability::available).transpose();
        let all = all.context(|| "reading this process's capabilities")?;
        exec_process(&main, config, identity, all)
    }

    /// Joins the streams of a running container's first process. `stdin` tells whether it gets what is typed.
    ///
    /// # Errors
    /// `Conflict` when the container does not run.
    pub fn attach(&self, container: &Container, stdin: bool, window: Option<WindowSize>) -> Result<Session> {
        let request = Attach { version: VERSION, stdin: stdin && container.config.open_stdin, window };
        let name = &container.record.name;
        match container.state {
            State::Paused(_) => {
                return Err(Error::conflict("you cannot attach to a paused container, unpause it first")
                    .with_hint(format!("phial unpause {name}")));
            }
            State::Restarting(_) => {
                return Err(Error::conflict("you cannot attach to a restarting container, wait until it is running"));
            }
            _ => {}
        }
        let session = Session::attach(name, self.connect(container)?, &request)?;
        self.tell_container(container, "attach", &[]);
        Ok(session)
    }

    /// The container's first process, as it was configured.
    pub(crate) fn process(&self, container: &Container) -> Result<Process> {
        self.process_of(&container.record)
    }

    /// The same of the container with this row.
    pub(crate) fn process_of(&self, record: &ContainerRecord) -> Result<Process> {
        let path = self.bundle(record).join(CONFIG_FILE);
        let text = fs::read(&path);
        if text.as_ref().is_err_and(|error| error.kind() == std::io::ErrorKind::NotFound) {
            // Another may have removed it meanwhile.
            self.container(&record.id.hex())?;
        }
        let text = text.context(|| path.display())?;
        let bundle: Bundle = serde_json::from_slice(&text)
            .map_err(|error| Error::new(ErrorKind::Store, format!("{}: {error}", path.display())))?;
        Ok(bundle.process)
    }

    /// Who `user` is in the container as it is now: in what it has written, and in its image below that.
    fn identity_in(&self, container: &Container, user: &str) -> Result<Identity> {
        let image = self.store.image(&container.record.image)?;
        let upper = self.paths().container(&container.record.id).join(UPPER);
        let layers: Vec<_> = [upper].into_iter().chain(self.layers(&image)).collect();
        identity(&Merged::open(&layers)?, user, &container.config.group_add)
    }

    /// Whether the home directory in the container's environment was asked for, by image or user.
    fn sets_home(&self, container: &Container) -> Result<bool> {
        let sets = |variables: &[String]| env::value(variables, "HOME").is_some();
        Ok(sets(&container.config.env) || sets(&self.image_config(container)?.env))
    }

    /// What the container's image says about containers.
    pub(crate) fn image_config(&self, container: &Container) -> Result<image::Config> {
        Ok(ImageConfig::parse(&self.store.blob(&container.record.image)?)?.config)
    }
}

impl Container {
    /// The arguments of the container's first process, of an image that says `image`.
    pub(crate) fn arguments(&self, image: &image::Config) -> Vec<String> {
        let config: &ContainerConfig = &self.config;
        crate::spec::arguments(config, image).unwrap_or_default()
    }
}
