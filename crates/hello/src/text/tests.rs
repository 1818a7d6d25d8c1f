//! The whole report, from files as a kernel shows them, as a reader sees it.

use std::fs;
use std::path::Path;

use super::report;
use crate::fixture::Container;
use crate::layout::Colour;
use crate::view::View;

/// Number and addresses come from system calls, so they are this test's.
fn view(container: &Container) -> View {
    let mut view = View::of(container.root());
    view.pid = 1;
    view.addresses.clear();
    view
}

const MOUNTINFO: &str = "\
65 43 0:50 / / rw,relatime - overlay overlay rw,lowerdir+=/l/1,upperdir=/u,workdir=/w
66 65 0:40 / /proc rw - proc proc rw
67 65 0:41 / /dev rw - tmpfs tmpfs rw
71 65 0:44 / /sys ro - sysfs sysfs ro
72 71 0:45 / /sys/fs/cgroup ro - cgroup2 cgroup2 rw
47 66 0:40 /sys /proc/sys ro - proc proc rw
48 66 0:46 / /proc/acpi ro - tmpfs tmpfs ro
49 66 0:41 /null /proc/kcore rw - tmpfs tmpfs rw
80 65 254:0 /containers/x/hosts /etc/hosts rw - ext4 /dev/vda rw
81 65 254:0 /srv/site /site ro - ext4 /dev/vda rw
";

fn typical() -> Container {
    Container::new(&[
        ("proc/1/stat", ""),
        ("proc/kcore", ""),
        ("proc/meminfo", "MemTotal:        8388608 kB\n"),
        (
            "proc/self/status",
            "Uid:\t0\t0\t0\t0\nGid:\t0\t0\t0\t0\nCapEff:\t00000000a80425fb\nCapBnd:\t00000000a80425fb\n\
                 NoNewPrivs:\t0\nSeccomp:\t2\nSeccomp_filters:\t1\nCpus_allowed_list:\t0-3\n",
        ),
        ("proc/self/limits", "Max open files            1024                 524288               files\n"),
        ("proc/self/mountinfo", MOUNTINFO),
        ("proc/self/cgroup", "0::/\n"),
        ("proc/self/net/dev", "Inter-|\n face |\n    lo: 0 0\n"),
        ("proc/sys/kernel/cap_last_cap", "40\n"),
        ("proc/sys/kernel/hostname", "3f1c9a0be77d\n"),
        ("proc/sys/kernel/osrelease", "6.12.48\n"),
        ("sys/fs/cgroup/memory.max", "67108864\n"),
        ("sys/fs/cgroup/cpu.max", "50000 100000\n"),
        ("sys/fs/cgroup/pids.max", "max\n"),
    ])
    .with_links(&[
        ("proc/self/ns/pid", "pid:[4026532180]"),
        ("proc/self/ns/mnt", "mnt:[4026532177]"),
        ("proc/self/ns/net", "net:[4026532181]"),
        ("proc/self/ns/uts", "uts:[4026532178]"),
        ("proc/self/ns/ipc", "ipc:[4026532179]"),
        ("proc/self/ns/cgroup", "cgroup:[4026532182]"),
        ("proc/self/ns/user", "user:[4026531837]"),
        ("proc/self/ns/time", "time:[4026531834]"),
    ])
}

#[test]
fn typical_container() {
    let got = report(&view(&typical()), Colour::None);
    assert_eq!(
        got,
        include_str!("typical.txt"),
        "what people see has changed; if for the better, put it there:\n{got}"
    );
}

#[test]
fn colour_changes_no_word() {
    let view = view(&typical());
    let coloured = report(&view, Colour::Some);
    let plain = ["\x1b[0m", "\x1b[1m", "\x1b[32m", "\x1b[33m"].iter().fold(coloured.clone(), |t, c| t.replace(c, ""));
    assert_ne!(coloured, plain);
    assert_eq!(plain, report(&view, Colour::None));
}

#[test]
fn without_proc_every_section_says_so() {
    let mut view = View::of(Path::new("/nonexistent"));
    view.addresses.clear();
    let text = report(&view, Colour::None);
    for path in ["/proc", "/proc/self/status", "/proc/self/mountinfo", "/proc/self/ns/pid", "/proc/self/limits"] {
        assert!(text.contains(&format!("cannot see: {path} is not there")), "{path}: {text}");
    }
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
}

/// One changed file, and a line that the report then has.
#[test]
fn lines() {
    let check = |path: &str, from: &str, to: &str, want: &str| {
        let container = typical();
        let file = container.root().join(path);
        let text = fs::read_to_string(&file).expect("a file of the fixture");
        assert!(text.contains(from), "{path} has no {from:?}");
        fs::write(&file, text.replace(from, to)).expect("a file");
        let report = report(&view(&container), Colour::None);
        assert!(report.contains(want), "{from:?} to {to:?}: {want:?} is not in\n{report}");
    };
    let status = "proc/self/status";
    check(status, "CapEff:\t00000000a80425fb", "CapEff:\t0", "none of the 41 powers of root, root though I am\n");
    check(status, "00000000a80425fb", "1ffffffffff", "all 41 powers of root: the host is open to me\n");
    check(status, "00000000a80425fb", "0", "none: neither I nor a child of mine can ever have any\n");
    check(status, "NoNewPrivs:\t0", "NoNewPrivs:\t1", "none, whatever program I start (no_new_privs is set)\n");
    check(status, "CapEff:\t00000000a80425fb", "CapEff:\t0", "14 of them, from a set-user-id program such as su\n");
    check(status, "Seccomp:\t2", "Seccomp:\t0", "unfiltered: whatever the kernel offers (seccomp is off)\n");
    check(status, "Seccomp_filters:\t1", "Seccomp_filters:\t2", "filtered: 2 seccomp filters look at each one first\n");
    check(status, "Uid:\t0\t0", "Uid:\t0\t1000", "user          1000, group 0\n");
    check("proc/self/mountinfo", "/ / rw", "/ / ro", "on top, mounted read-only\n");
    check(
        "proc/self/mountinfo",
        ",upperdir=/u,workdir=/w",
        "",
        "an overlay: the image's one layer, and none to write to\n",
    );
    let mounts = "proc/self/mountinfo";
    check(
        mounts,
        "/etc/hosts rw",
        "/etc/hosts ro",
        "from outside  nothing that I may change\n    read-only   /etc/hosts /site\n",
    );
    check("proc/self/net/dev", "lo: 0", "lo: 0 0\n  eth0: 0", "lo eth0; no route leads out\n");
    check("sys/fs/cgroup/memory.max", "67108864", "max", "no limit: all 8 GiB of the machine\n");
    check("sys/fs/cgroup/pids.max", "max", "7", "processes     7 at once\n");
    check("proc/sys/kernel/hostname", "3f1c9a0be77d", "\x1b[31mred", "hostname      \\u{1b}[31mred\n");
}
