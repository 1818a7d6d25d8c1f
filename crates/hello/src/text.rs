//! The report as text for people: what each fact means, in words that a beginner knows.

use crate::layout::{Cell, Colour, Page, Tint};
use crate::mounts::{Mount, Purpose};
use crate::network::LOOPBACK;
use crate::seen::{Seen, Unseen};
use crate::view::View;

/// What it may do.
mod privileges;
/// How much it may use.
mod resources;

use privileges::privileges;
use resources::resources;

/// Width of the labels at the left.
const LABEL: usize = 14;

/// Commands to go on with, each after what it is for.
const NEXT: [(&str, &[&str]); 4] = [
    ("Have less of everything, and compare:", &["phial run -m 64m --cpus 0.5 --read-only --cap-drop ALL hello"]),
    ("Share the host's network, and compare:", &["phial run --network host hello"]),
    (
        "Make an image with a shell, and look around:",
        &["phial image bootstrap toolbox", "phial run -it phial/toolbox sh"],
    ),
    ("Read this report with a program:", &["phial run hello --json"]),
];

/// A label, and which mounts it stands for.
type Place = (&'static str, Purpose);

/// Kinds of places in the tree of files: those that can be changed, and those of the same kind that cannot.
const PLACES: [(Place, &[Place]); 3] = [
    (("from outside", Purpose::Outside), &[("  read-only", Purpose::OutsideReadOnly)]),
    (("in memory", Purpose::Memory), &[]),
    (("of the kernel", Purpose::Kernel), &[("  read-only", Purpose::KernelReadOnly), ("  masked", Purpose::Masked)]),
];

/// All that `view` holds, for a terminal of 80 columns.
pub(crate) fn report(view: &View, colour: Colour) -> String {
    let mut page = Page::new(colour);
    introduce(&mut page, view);
    itself(&mut page, view);
    namespaces(&mut page, view);
    privileges(&mut page, view);
    resources(&mut page, view);
    files(&mut page, view);
    probes(&mut page, view);
    page.heading("What to try next");
    for (why, commands) in NEXT {
        page.row(&[], why);
        for command in commands {
            page.verbatim(command);
        }
    }
    page.finish()
}

fn introduce(page: &mut Page, view: &View) {
    if view.on_host() {
        page.title("Hello from the host: I am in no container.");
        page.paragraph(
            "Every namespace of mine is the one that the machine started with, so nothing of the host is hidden from \
             me. Start me with `phial run hello` and compare. For now this is what I see:",
        );
    } else {
        page.title("Hello from inside a container!");
        page.paragraph(
            "I am an ordinary process of this machine. No second machine was started for me, no second kernel: the \
             host's kernel shows me less than it shows others, and lets me do less. That is all a container is. From \
             in here it looks like this:",
        );
    }
}

fn fact(page: &mut Page, label: &str, text: &str) {
    page.row(&[Cell { text: label, width: LABEL, tint: Tint::Plain }], text);
}

/// One fact, or in its place why it is hidden.
fn seen<T>(page: &mut Page, label: &str, seen: &Seen<T>, text: impl FnOnce(&T) -> String) {
    let text = seen.as_ref().map_or_else(Unseen::to_string, text);
    fact(page, label, &text);
}

fn itself(page: &mut Page, view: &View) {
    page.heading("What I am");
    let others = match view.processes {
        Ok(1) => "and I see no other process".to_owned(),
        Ok(count) => format!("and I see {} other processes", count - 1),
        Err(ref unseen) => unseen.to_string(),
    };
    let outside = if view.owns("pid") == Some(true) { "; the host knows me by another number" } else { "" };
    fact(page, "process", &format!("number {}, {others}{outside}", view.pid));
    seen(page, "hostname", &view.hostname, |name| match view.owns("uts") {
        Some(false) => format!("{name}, as the host"),
        _ => name.clone(),
    });
    seen(page, "kernel", &view.kernel, |release| format!("Linux {release}, the very one that the host runs"));
    seen(page, "network", &view.interfaces, |names| network(view, names));
}

fn network(view: &View, names: &[String]) -> String {
    let outward: Vec<String> = view.addresses.iter().map(ToString::to_string).collect();
    let hosts = if view.owns("net") == Some(false) { ", all of them the host's own" } else { "" };
    match (names, outward.is_empty()) {
        ([only], true) if only == LOOPBACK => "only lo, which leads back to myself: no way out, no way in".to_owned(),
        (_, true) => format!("{}{hosts}; no route leads out", names.join(" ")),
        (_, false) => format!("{}{hosts}; I speak to the world as {}", names.join(" "), outward.join(" and ")),
    }
}

fn namespaces(page: &mut Page, view: &View) {
    page.heading("What is my own, and what I share with the host (namespaces)");
    for (kind, namespace) in &view.namespaces {
        let name = Cell { text: kind.name, width: 8, tint: Tint::Plain };
        match namespace {
            Ok(space) if space.own => page.row(&[name, Cell { text: "own", width: 8, tint: Tint::Closed }], kind.own),
            Ok(_) => page.row(&[name, Cell { text: "shared", width: 8, tint: Tint::Open }], kind.hosts),
            Err(unseen) => page.row(&[name], &unseen.to_string()),
        }
    }
}

fn files(page: &mut Page, view: &View) {
    page.heading("Which files I see (mounts)");
    let mounts = match &view.mounts {
        Ok(mounts) => mounts,
        Err(unseen) => return fact(page, "mounts", &unseen.to_string()),
    };
    if let Some(root) = mounts.iter().find(|mount| mount.purpose() == Purpose::Root) {
        fact(page, "/", &root_of(root));
    }
    for ((label, purpose), others) in PLACES {
        let writable = targets(mounts, purpose);
        let others = others.iter().map(|(label, purpose)| (label, targets(mounts, *purpose)));
        let others: Vec<_> = others.filter(|(_, targets)| !targets.is_empty()).collect();
        if !writable.is_empty() {
            fact(page, label, &writable);
        } else if !others.is_empty() {
            fact(page, label, "nothing that I may change");
        }
        for (label, targets) in others {
            fact(page, label, &targets);
        }
    }
}

/// Where the mounts for this purpose are, with blanks between.
fn targets(mounts: &[Mount], purpose: Purpose) -> String {
    let here = mounts.iter().filter(|mount| mount.purpose() == purpose).map(|mount| mount.target.as_str());
    // One per resource on a host of version 1: the tree they stand in says enough.
    let mut targets: Vec<&str> = here.filter(|target| !target.starts_with("/sys/fs/cgroup/")).collect();
    targets.sort_unstable();
    targets.join(" ")
}

fn root_of(root: &Mount) -> String {
    let read_only = if root.read_only { ", mounted read-only" } else { "" };
    let of_image = |count: usize| match count {
        1 => "the image's one layer".to_owned(),
        _ => format!("{count} layers of the image"),
    };
    match root.layers() {
        Some((count, true)) => {
            format!("an overlay: {}, and a writable one of my own on top{read_only}", of_image(count))
        }
        Some((count, false)) => format!("an overlay: {}, and none to write to", of_image(count)),
        None if root.kind == "overlay" => format!("an overlay of layers{read_only}"),
        None if root.root == "/" => format!("the whole of a file system ({}){read_only}", root.kind),
        None => format!("a directory of a file system ({}){read_only}", root.kind),
    }
}

fn probes(page: &mut Page, view: &View) {
    page.heading("What I just tried");
    for probe in &view.probes {
        let (verdict, tint) = if probe.open { ("works", Tint::Open) } else { ("refused", Tint::Closed) };
        let verdict = Cell { text: verdict, width: 9, tint };
        page.row(&[verdict], &format!("{} ({}): {}", probe.attempt, probe.path, probe.answer));
    }
}

#[cfg(test)]
mod tests;
