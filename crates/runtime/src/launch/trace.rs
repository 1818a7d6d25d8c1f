//! How long each step took, as the child tells it (`run --trace`). No allocation.

use std::os::fd::BorrowedFd;
use std::time::Duration;

use rustix::time::{ClockId, Timespec, clock_gettime};

/// The child's clock: runs from the end of one step to the end of the next.
pub(super) struct Clock(Timespec);

impl Clock {
    pub(super) fn start() -> Clock {
        Clock(clock_gettime(ClockId::Monotonic))
    }

    /// Tells the parent that a step is done. A parent that does not listen any more is no reason to fail.
    pub(super) fn tell(&mut self, parent: BorrowedFd<'_>, step: usize) {
        let now = clock_gettime(ClockId::Monotonic);
        let took = Duration::try_from(now - self.0).unwrap_or_default();
        self.0 = now;
        sys::fdpass::send(parent, &Done { step, took }.to_bytes(), &[]).ok();
    }
}

/// A step that is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Done {
    pub(super) step: usize,
    pub(super) took: Duration,
}

impl Done {
    /// Bytes on the wire: twice as many as those of a failure.
    pub(super) const SIZE: usize = 16;

    fn to_bytes(self) -> [u8; Done::SIZE] {
        let nanoseconds = u64::try_from(self.took.as_nanos()).unwrap_or(u64::MAX);
        (u128::from(nanoseconds) << u64::BITS | self.step as u128).to_le_bytes()
    }

    pub(super) fn from_bytes(bytes: [u8; Done::SIZE]) -> Done {
        let value = u128::from_le_bytes(bytes);
        let low = |value: u128| u64::try_from(value & u128::from(u64::MAX)).unwrap_or_default();
        let step = usize::try_from(low(value)).unwrap_or(usize::MAX);
        Done { step, took: Duration::from_nanos(low(value >> u64::BITS)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_survives_the_wire() {
        for done in [
            Done { step: 0, took: Duration::ZERO },
            Done { step: 70_000, took: Duration::from_millis(5) },
            Done { step: 3, took: Duration::from_nanos(u64::MAX) },
        ] {
            assert_eq!(Done::from_bytes(done.to_bytes()), done);
        }
    }
}
