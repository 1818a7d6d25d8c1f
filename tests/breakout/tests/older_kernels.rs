//! `phial-runtime` on kernels that lack some system calls: what can be done otherwise has the same result, and what would
//! not be safe is not started.

use std::process::Command;

use end_to_end::bundle::Bundle;
use end_to_end::{Context, Output, Result};
use serde_json::json;

/// Runs the bundle on a kernel without these calls.
fn without(bundle: &Bundle, calls: &str) -> Result<Output> {
    let run = bundle.command(&["run", "c"])?;
    let mut command = Command::new(env!("CARGO_BIN_EXE_breakout_without"));
    command.arg(calls).arg(run.get_program()).args(run.get_args()).current_dir(bundle.path());
    end_to_end::process::run(&mut command)
}

#[test]
fn an_older_kernel_gives_the_same_mounts() -> Result {
    let mut bundle = Bundle::new()?;
    let mounts = bundle.config["mounts"].as_array_mut().context("mounts")?;
    mounts.push(json!({"destination": "/bound", "source": "/tmp", "options": ["bind", "ro", "noexec", "noatime"]}));
    mounts.push(json!({"destination": "/all", "source": "/dev", "options": ["rbind", "nosuid", "rslave"]}));
    mounts.push(json!({"destination": "/copy", "type": "tmpfs", "options": ["tmpcopyup", "nodev", "shared"]}));
    std::fs::create_dir(bundle.path().join("rootfs/copy"))?;
    std::fs::write(bundle.path().join("rootfs/copy/file"), "content\n")?;
    bundle.config["linux"]["rootfsPropagation"] = json!("shared");
    let script = "while read a b c d point options rest; do echo $point $options $rest; done \
        < /proc/self/mountinfo; cat /copy/file; cat /proc/timer_list; ls /proc/acpi /sys/firmware; test -c /dev/null";
    bundle.arguments(&["sh", "-c", script]);
    // In no particular order, without the numbers of groups that mounts share events in, and without the file system's
    // own options: by mount(2), what is read-only for one mount is so for all.
    let table = |text: &str| {
        let word = |word: &str| word.trim_end_matches(|letter: char| letter.is_ascii_digit()).to_owned();
        let mut lines: Vec<Vec<String>> =
            text.lines().map(|line| line.split(' ').take_while(|word| *word != "-").map(word).collect()).collect();
        lines.sort();
        lines
    };
    let expected = table(&bundle.ok(&["run", "c"])?);
    assert!(expected.len() > 20, "{expected:?}");
    // Each call came with a kernel; what came later was not there either.
    for calls in [
        "open_tree_attr",
        "open_tree_attr,mount_setattr",
        "clone3",
        "fsopen",
        "open_tree,open_tree_attr",
        "fsopen,open_tree,open_tree_attr,move_mount,mount_setattr,clone3",
    ] {
        assert_eq!(table(&without(&bundle, calls)?.success()?), expected, "{calls}");
    }
    // What would not be safe, or cannot be, is not started.
    let refused = without(&bundle, "openat2")?.exited(1)?.stderr;
    assert!(refused.contains("Function not implemented") && refused.contains("without openat2"), "{refused}");
    let mounts = bundle.config["mounts"].as_array_mut().context("mounts")?;
    mounts.push(json!({"destination": "/below", "source": "/dev", "options": ["rbind", "rro"]}));
    let refused = without(&bundle, "mount_setattr,open_tree_attr")?.exited(1)?.stderr;
    assert!(
        refused.contains("mount options of /dev: recursive attributes, mapped ids and subpath need mount_setattr"),
        "{refused}"
    );
    Ok(())
}
