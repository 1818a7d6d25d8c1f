//! Stopping a container and starting it once more. Its lock passes from the supervisor that ends to this process, and
//! from here to the one that begins: nobody else can start or remove the container in between, and one with `--rm` does
//! not go. Where this process is killed, the supervisor starts the container by itself.

use runtime::protocol::policy::Reason;

use super::state::Container;
use super::stop::StopOptions;
use crate::engine::Engine;
use crate::error::Result;

impl Engine {
    /// Stops a container, if it runs, and starts it.
    ///
    /// # Errors
    /// Those of [`Engine::stop`], [`Engine::ready`] and [`Engine::start_detached`].
    pub fn restart(&self, container: &Container, options: StopOptions) -> Result<()> {
        let container = &*self.settled(container)?;
        let lock = if container.state.is_running() {
            self.stopped(container, &options.request(Reason::Restart, true))?
        } else {
            None
        };
        let created = match lock {
            Some(lock) => {
                self.tell_container(container, "stop", &[]);
                Some(self.ready_with(container, lock, 0)?)
            }
            // It has ended meanwhile, or another was faster.
            None => self.ready(&self.container(&container.record.id.hex())?)?,
        };
        if let Some(created) = created {
            self.start_detached(created)?;
        }
        self.tell_container(container, "restart", &[]);
        Ok(())
    }
}
