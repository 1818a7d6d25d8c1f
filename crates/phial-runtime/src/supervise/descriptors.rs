//! How many descriptors the supervisor may have: as many as the host lets it, as each client takes one. Programs that it
//! starts in the container get the limit that it was given itself: some of them do something for each possible one.

use std::sync::OnceLock;

use oci_spec::runtime::{PosixRlimitBuilder, PosixRlimitType, Process};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// What it was given, if that was less.
static GIVEN: OnceLock<Rlimit> = OnceLock::new();

/// Raises the limit of this process.
pub(super) fn raise() {
    let given = getrlimit(Resource::Nofile);
    if given.current == given.maximum {
        return;
    }
    let raised = Rlimit { current: given.maximum, maximum: given.maximum };
    if setrlimit(Resource::Nofile, raised).is_ok() {
        GIVEN.set(given).ok();
    }
}

/// Has a process get the limit that was given, unless it is to have one of its own.
pub(super) fn restore(process: &mut Process) {
    let Some(Rlimit { current: Some(soft), maximum: Some(hard) }) = GIVEN.get() else { return };
    let mut limits = process.rlimits().clone().unwrap_or_default();
    if limits.iter().any(|limit| limit.typ() == PosixRlimitType::RlimitNofile) {
        return;
    }
    let limit = PosixRlimitBuilder::default().typ(PosixRlimitType::RlimitNofile).soft(*soft).hard(*hard).build();
    limits.extend(limit);
    process.set_rlimits(Some(limits));
}
