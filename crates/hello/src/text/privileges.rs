//! What this process may do, in words.

use super::fact;
use crate::capabilities::Set;
use crate::layout::{Cell, Page, Tint};
use crate::status::{Seccomp, Status};
use crate::view::View;

/// User, capabilities, and what stands between this process and the kernel.
pub(super) fn privileges(page: &mut Page, view: &View) {
    page.heading("What I may do");
    let (status, effective, bounding) = match (&view.status, &view.effective, &view.bounding) {
        (Ok(status), Ok(effective), Ok(bounding)) => (status, *effective, *bounding),
        (Err(unseen), ..) | (_, Err(unseen), _) | (.., Err(unseen)) => {
            return fact(page, "privileges", &unseen.to_string());
        }
    };
    let root = if status.uid == 0 { " (root)" } else { "" };
    fact(page, "user", &format!("{}{root}, group {}", status.uid, status.gid));
    capabilities(page, status, effective);
    fact(page, "more power", &more(status, effective, bounding));
    fact(page, "system calls", &filters(status.seccomp));
}

fn capabilities(page: &mut Page, status: &Status, effective: Set) {
    const EXAMPLES: usize = 4;
    /// So many names and no more fit on a few lines.
    const FEW: u32 = 20;
    let although = if status.uid == 0 { ", root though I am" } else { "" };
    let all = effective.of;
    let have = match effective.count() {
        0 => format!("none of the {all} powers of root{although}"),
        count @ 1..=FEW => format!("{count} of the {all} powers of root: {}", effective.names().join(" ")),
        count if count == all => format!("all {all} powers of root: the host is open to me"),
        count => format!("{count} of the {all} powers of root"),
    };
    fact(page, "capabilities", &have);
    let missing = effective.missing_feared().take(EXAMPLES);
    for (label, capability) in ["  but not"].into_iter().chain(std::iter::repeat("")).zip(missing) {
        let label = Cell { text: label, width: super::LABEL, tint: Tint::Plain };
        let name = Cell { text: capability.name, width: 12, tint: Tint::Plain };
        page.row(&[label, name], capability.allows);
    }
}

/// A set-user-id program gives capabilities, but none that is outside the bounding set, and none at all under
/// `no_new_privs`.
fn more(status: &Status, effective: Set, bounding: Set) -> String {
    if status.no_new_privs {
        "none, whatever program I start (no_new_privs is set)".to_owned()
    } else if bounding.count() > effective.count() {
        format!("{} of them, from a set-user-id program such as su", bounding.count())
    } else if bounding.count() == 0 {
        "none: neither I nor a child of mine can ever have any".to_owned()
    } else {
        "none: these are all that I and my children can ever have".to_owned()
    }
}

fn filters(seccomp: Seccomp) -> String {
    match seccomp {
        Seccomp::Off => "unfiltered: whatever the kernel offers (seccomp is off)".to_owned(),
        Seccomp::Strict => "only read, write and exit (seccomp is strict)".to_owned(),
        Seccomp::Filter { programs: Some(1) | None } => "filtered: seccomp looks at each one first".to_owned(),
        Seccomp::Filter { programs: Some(count) } => {
            format!("filtered: {count} seccomp filters look at each one first")
        }
    }
}
