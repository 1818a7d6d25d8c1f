//! Children that have ended, seen before they are reaped (`waitid(2)`).

use std::mem::MaybeUninit;

use rustix::process::Pid;

/// A child that has ended and is not reaped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ended {
    /// Nobody else's until it is reaped.
    pub pid: Pid,
    /// As a shell gives it: of one that was killed, 128 and the signal's number.
    pub exit_code: i32,
}

/// A child that has ended, if there is one: always the same until it is reaped.
pub fn ended() -> Option<Ended> {
    let mut info = MaybeUninit::<libc::siginfo_t>::zeroed();
    let flags = libc::WEXITED | libc::WNOHANG | libc::WNOWAIT;
    // SAFETY: the kernel writes a siginfo_t to where there is one.
    #[expect(unsafe_code, reason = "the safe wrapper does not give the pid")]
    let answer = unsafe { libc::waitid(libc::P_ALL, 0, info.as_mut_ptr(), flags) };
    if answer != 0 {
        return None;
    }
    // SAFETY: zeros are a value of this structure of numbers, and so is what the kernel wrote over them.
    #[expect(unsafe_code, reason = "initialised by the kernel")]
    let info = unsafe { info.assume_init() };
    // SAFETY: of the union's variants this is the one that waitid fills; it leaves zeros when no child has ended.
    #[expect(unsafe_code, reason = "a field of a union")]
    let pid = Pid::from_raw(unsafe { info.si_pid() })?;
    // SAFETY: as above.
    #[expect(unsafe_code, reason = "a field of a union")]
    let status = unsafe { info.si_status() };
    let exit_code = if info.si_code == libc::CLD_EXITED { status } else { 128 + status };
    Some(Ended { pid, exit_code })
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use rustix::process::{WaitId, WaitIdOptions, waitid};

    use super::*;

    #[test]
    fn who_has_ended_is_seen_until_it_is_reaped() {
        for (script, exit_code) in [("exit 7", 7), ("kill -KILL $$", 137)] {
            let mut child = Command::new("sh").args(["-c", script]).spawn().expect("starts");
            let pid = Pid::from_child(&child);
            waitid(WaitId::Pid(pid), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT).expect("ends");
            for _ in 0..2 {
                assert_eq!(ended(), Some(Ended { pid, exit_code }));
            }
            child.wait().expect("is there still");
            assert_eq!(ended(), None);
        }
    }
}
