//! Matches on how much there is: `limit`, `hashlimit`, `connlimit`. It is taken for granted that there is less than they say.

use super::super::evaluate::Judgement;
use super::info::Info;

/// `-m limit`: matches below the limit.
pub(super) fn limit() -> Judgement {
    Judgement::Assumed("the limit is not reached")
}

/// `-m hashlimit`: below the limit (`--hashlimit-upto`), or above (`--hashlimit-above`). Names have become longer with
/// revision 2, and what is in front of the mode as well.
pub(super) fn hashlimit(revision: u32, info: Info<'_>) -> Option<Judgement> {
    const INVERTED: u32 = 1 << 4;
    let mode = match revision {
        1 => info.u32(16)?,
        2 | 3 => info.u32(272)?,
        _ => return None,
    };
    Some(if mode & INVERTED == 0 { limit() } else { Judgement::No })
}

/// `-m connlimit`: above the limit (`--connlimit-above`), or below (`--connlimit-upto`).
pub(super) fn connlimit(info: Info<'_>) -> Option<Judgement> {
    let inverted = info.u32(20)? & 1 != 0;
    Some(if inverted {
        Judgement::Assumed("there are not as many connections as the limit says")
    } else {
        Judgement::No
    })
}
