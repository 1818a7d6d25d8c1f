//! An adversary in another container that has the same volume: he exchanges two names in it as fast as the kernel can,
//! while a runtime works there.

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use end_to_end::Result;
use rustix::fs::{CWD, RenameFlags, renameat_with};

use super::Verdict;

/// How often a race is run.
const ROUNDS: usize = 250;
/// How often, with a runtime that has refused to run anything: there is nothing to race with.
const ROUNDS_REFUSED: usize = 10;

/// Set for a runtime that has refused.
pub(crate) static REFUSED: AtomicBool = AtomicBool::new(false);

/// Runs `work` again and again, until it is broken or has been run often enough, while `a` and `b` are exchanged in a
/// loop.
///
/// # Errors
/// Those of `work`.
pub(crate) fn while_exchanged(a: &Path, b: &Path, mut work: impl FnMut(usize) -> Result<Verdict>) -> Result<Verdict> {
    let (stop, swaps) = (AtomicBool::new(false), AtomicUsize::new(0));
    let verdict = std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                // One of the two may be missing for a moment: a round may have replaced it.
                let exchanged = renameat_with(CWD, a, CWD, b, RenameFlags::EXCHANGE).is_ok();
                swaps.fetch_add(usize::from(exchanged), Ordering::Relaxed);
            }
        });
        let mut verdict = Ok(Verdict::Held);
        let rounds = if REFUSED.load(Ordering::Relaxed) { ROUNDS_REFUSED } else { ROUNDS };
        for round in 0..rounds {
            verdict = work(round);
            if !matches!(verdict, Ok(Verdict::Held)) {
                break;
            }
        }
        stop.store(true, Ordering::Relaxed);
        verdict
    })?;
    assert!(swaps.load(Ordering::Relaxed) > 0, "nothing was exchanged");
    Ok(verdict)
}
