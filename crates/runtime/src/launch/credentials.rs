//! Ids and capabilities of the process (`credentials(7)`, `capabilities(7)`). No allocation.

use rustix::io::Errno;
use rustix::thread::{CapabilitySet, CapabilitySets, Gid, Uid};

use crate::plan::Credentials;

/// Drops to the given ids and capabilities; nothing can be regained afterwards.
///
/// The order matters: the bounding set is reduced while `CAP_SETPCAP` lasts, groups and ids while `CAP_SETGID` and
/// `CAP_SETUID` do, and the permitted set is kept over the change of user to be reduced last.
///
/// Where a user who is not privileged has given the namespace its only group, nobody may set groups there any more
/// (`user_namespaces(7)`, `/proc/PID/setgroups`): then those that were there stay, as long as none is asked for.
pub(super) fn drop_to(ids: &Credentials, in_user_namespace: bool) -> rustix::io::Result<()> {
    let sets = ids.capabilities;
    for number in 0..u64::BITS {
        let one = CapabilitySet::from_bits_retain(1 << number);
        if sets.bounding >> number & 1 == 1 {
            continue;
        }
        match rustix::thread::remove_capability_from_bounding_set(one) {
            // The kernel knows none of this number or above.
            Err(Errno::INVAL) => break,
            other => other?,
        }
    }
    // Root stays root, and keeps them anyway.
    let keep = ids.uid != 0;
    if keep {
        rustix::thread::set_keep_capabilities(true)?;
    }
    match rustix::thread::set_thread_groups(&ids.groups) {
        Err(Errno::PERM) if in_user_namespace && ids.groups.iter().all(|group| group.as_raw() == ids.gid) => {}
        other => other?,
    }
    let (uid, gid) = (Uid::from_raw(ids.uid), Gid::from_raw(ids.gid));
    rustix::thread::set_thread_res_gid(gid, gid, gid)?;
    rustix::thread::set_thread_res_uid(uid, uid, uid)?;
    if keep {
        rustix::thread::set_keep_capabilities(false)?;
    }
    set_capabilities(ids)
}

/// Becomes the root of a user namespace whose maps were just written.
pub(super) fn become_root() -> rustix::io::Result<()> {
    rustix::thread::set_thread_res_gid(Gid::ROOT, Gid::ROOT, Gid::ROOT)?;
    rustix::thread::set_thread_res_uid(Uid::ROOT, Uid::ROOT, Uid::ROOT)?;
    // A change of ids makes a process visible again.
    rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable)
}

fn set_capabilities(ids: &Credentials) -> rustix::io::Result<()> {
    let sets = ids.capabilities;
    rustix::thread::clear_ambient_capability_set()?;
    let bits = CapabilitySet::from_bits_retain;
    rustix::thread::set_capabilities(
        None,
        CapabilitySets {
            effective: bits(sets.effective),
            permitted: bits(sets.permitted),
            inheritable: bits(sets.inheritable),
        },
    )?;
    for number in 0..u64::BITS {
        if sets.ambient >> number & 1 == 1 {
            rustix::thread::configure_capability_in_ambient_set(bits(1 << number), true)?;
        }
    }
    Ok(())
}
