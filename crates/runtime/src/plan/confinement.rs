//! What all processes of a container have in common, the first and those that come later: filter of system calls, rules
//! of Landlock, execution domain, memory policy.

use oci_spec::runtime::{LinuxMemoryPolicy, LinuxPersonality, Spec};

use super::{Source, Step, landlock, schedule};
use crate::error::{Error, ErrorKind, Result};
use crate::{resctrl, seccomp};

/// Taken from a configuration once, kept for as long as the container runs.
#[derive(Debug, Clone, Default)]
pub struct Confinement {
    /// The filter of system calls.
    pub seccomp: Option<seccomp::Filter>,
    /// Rules about files.
    pub landlock: Option<landlock::Rules>,
    resctrl: Option<resctrl::Wanted>,
    personality: Option<LinuxPersonality>,
    memory_policy: Option<LinuxMemoryPolicy>,
}

impl Confinement {
    /// That of a configuration, for the container with this id.
    ///
    /// # Errors
    /// `Invalid` or `Unsupported`, naming the field.
    pub fn of(spec: &Spec, id: &str) -> Result<Confinement> {
        let linux = spec.linux().as_ref();
        let profile = linux.and_then(|linux| linux.seccomp().as_ref());
        let filter = profile.map(seccomp::compile).transpose();
        let filter = filter.map_err(|error| Error::new(error.kind(), format!("linux.seccomp: {error}")))?;
        let served = profile.is_some_and(|profile| profile.listener_path().is_some());
        if filter.as_ref().is_some_and(seccomp::Filter::notifies) && !served {
            let message = "linux.seccomp: SCMP_ACT_NOTIFY needs a listenerPath: nobody would answer";
            return Err(Error::new(ErrorKind::Invalid, message));
        }
        Ok(Confinement {
            seccomp: filter,
            landlock: landlock::Rules::of(spec)?,
            resctrl: resctrl::Wanted::of(spec, id)?,
            personality: linux.and_then(|linux| linux.personality().clone()),
            memory_policy: linux.and_then(|linux| linux.memory_policy().clone()),
        })
    }

    /// Steps that are done where the host is still seen.
    pub(super) fn shares(&self) -> Vec<Step> {
        let Some(wanted) = &self.resctrl else { return Vec::new() };
        // Only who is in the one group can be in the other, which is in it.
        let measured = wanted.is_monitored().then(|| Step::JoinResctrl(Source::ResctrlMonitor(wanted.clone())));
        [Step::JoinResctrl(Source::Resctrl(wanted.clone()))].into_iter().chain(measured).collect()
    }

    /// Steps that need no right that a process may have lost, but must come before a filter that could forbid them.
    pub(super) fn domain(&self, steps: &mut Vec<Step>) -> Result<()> {
        steps.extend(self.personality.as_ref().map(schedule::personality).transpose()?);
        steps.extend(self.memory_policy.as_ref().map(schedule::memory_policy).transpose()?);
        Ok(())
    }
}
