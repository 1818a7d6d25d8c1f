//! Lines as kernels and runtimes write them.

use std::path::{Path, PathBuf};

use super::{Purpose, directory_of_group, parse};

#[test]
fn purposes() {
    let check = |line: &str, target: &str, want: Purpose| {
        let mounts = parse(line).expect("a line of mountinfo");
        assert_eq!((mounts[0].target.as_str(), mounts[0].purpose()), (target, want), "{line}");
    };
    check("65 43 0:50 / / rw,relatime - overlay overlay rw,lowerdir=/a", "/", Purpose::Root);
    check("66 65 0:40 / /proc rw,relatime - proc proc rw", "/proc", Purpose::Kernel);
    check("71 65 0:44 / /sys ro,nosuid - sysfs sysfs ro", "/sys", Purpose::KernelReadOnly);
    check("72 71 0:45 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755", "/sys/fs/cgroup", Purpose::Kernel);
    check("73 72 0:29 /x /sys/fs/cgroup/cpu ro - cgroup cgroup rw,cpu", "/sys/fs/cgroup/cpu", Purpose::KernelReadOnly);
    check("44 66 0:40 /bus /proc/bus ro,relatime - proc proc rw", "/proc/bus", Purpose::KernelReadOnly);
    check("48 66 0:46 / /proc/acpi ro,relatime - tmpfs tmpfs ro", "/proc/acpi", Purpose::Masked);
    check("49 66 0:41 /null /proc/keys rw,nosuid - tmpfs tmpfs rw", "/proc/keys", Purpose::Masked);
    check("49 66 0:6 /null /proc/kcore rw - devtmpfs devtmpfs rw", "/proc/kcore", Purpose::Masked);
    check("69 67 0:43 / /dev/shm rw,nosuid - tmpfs shm rw,size=65536k", "/dev/shm", Purpose::Memory);
    check("70 65 254:0 /srv/a\\040b /data\\134x rw - ext4 /dev/vda rw", "/data\\x", Purpose::Outside);
    check("70 65 254:0 /hosts /etc/hosts ro - ext4 /dev/vda rw", "/etc/hosts", Purpose::OutsideReadOnly);
    check("70 65 254:0 /hosts /etc/hosts rw - ext4 /dev/vda ro", "/etc/hosts", Purpose::OutsideReadOnly);
    check("70 65 0:6 /null /dev/null rw - devtmpfs devtmpfs rw", "/dev/null", Purpose::Outside);
}

#[test]
fn layers() {
    let check = |kind: &str, options: &str, want: Option<(usize, bool)>| {
        let mounts = parse(&format!("65 43 0:50 / / rw shared:1 master:2 - {kind} overlay {options}"));
        assert_eq!(mounts.expect("a line of mountinfo")[0].layers(), want, "{options}");
    };
    check("overlay", "rw,lowerdir=/l/b:/l/a,upperdir=/u,workdir=/w", Some((2, true)));
    check("overlay", "rw,lowerdir=/l/a,index=off", Some((1, false)));
    check("overlay", "rw,lowerdir+=/l/b,lowerdir+=/l/a,datadir+=/d,upperdir=/u,workdir=/w", Some((3, true)));
    check("overlay", "rw,lowerdir=/l/b\\134:x:/l/c\\134,y:/l/a,upperdir=/u", Some((3, true)));
    check("overlay", "rw,lowerdir=/l/b::/d,upperdir=/u", Some((2, true)));
    check("overlay", "rw", None);
    check("ext4", "rw,lowerdir=/a", None);
}

#[test]
fn only_the_topmost_on_a_directory_counts() {
    let mounts = parse("1 0 0:1 / /a rw - ext4 x rw\n2 0 0:2 / /b rw - ext4 y rw\n3 1 0:3 / /a ro - tmpfs z rw\n");
    let seen: Vec<(String, String)> =
        mounts.expect("lines of mountinfo").into_iter().map(|mount| (mount.target, mount.kind)).collect();
    assert_eq!(seen, [("/b".to_owned(), "ext4".to_owned()), ("/a".to_owned(), "tmpfs".to_owned())]);
}

#[test]
fn strange_lines_are_said_so() {
    for text in ["x", "1 2 3", "1 2 3 / / rw - ext4", "1 2 3 / / rw ext4 a b"] {
        assert!(parse(text).is_err(), "{text:?}");
    }
    assert_eq!(parse(""), Ok(Vec::new()));
}

#[test]
fn directories_of_groups() {
    let check = |root: &str, path: &str, want: &str| {
        let line = format!("73 72 0:29 {root} /sys/fs/cgroup/cpu ro - cgroup cgroup rw,cpu");
        let mounts = parse(&line).expect("a line of mountinfo");
        assert_eq!(directory_of_group(Path::new("/r"), &mounts[0], path), PathBuf::from(want), "{root} {path}");
    };
    check("/", "/", "/r/sys/fs/cgroup/cpu/");
    check("/", "/a/b", "/r/sys/fs/cgroup/cpu/a/b");
    check("/a/b", "/a/b", "/r/sys/fs/cgroup/cpu/");
    check("/a/b", "/a/b/c", "/r/sys/fs/cgroup/cpu/c");
    check("/a/b", "/", "/r/sys/fs/cgroup/cpu/");
}
