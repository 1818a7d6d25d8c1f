//! What of the kernel the default settings close: system calls by Docker's profile, cgroups, terminals.

use std::fs;
use std::process::Command;

use ::runtime::seccomp::syscalls::{self, Architecture};
use ::runtime::seccomp::{KernelVersion, ProfileContext, default_profile};
use end_to_end::pty::Pty;
use end_to_end::{Context, Result};
use oci_spec::runtime::{Capabilities, Capability};
use rustix::io::Errno;
use serde_json::{Value, json};

use crate::harness::code::{Call, DATA, Gate, answers, program};
use crate::harness::runtime::Runtime;
use crate::harness::scene::ID;
use crate::harness::{Row, Scene, Verdict};

/// Calls that a container has no use for, many of which had holes: Docker's profile refuses them.
const CLOSED: [&str; 59] = [
    "acct",
    "add_key",
    "bpf",
    "clock_settime",
    "clone3",
    "create_module",
    "delete_module",
    "fanotify_init",
    "finit_module",
    "fsconfig",
    "fsmount",
    "fsopen",
    "fspick",
    "get_kernel_syms",
    "get_mempolicy",
    "init_module",
    "io_uring_enter",
    "io_uring_register",
    "io_uring_setup",
    "ioperm",
    "iopl",
    "kcmp",
    "kexec_file_load",
    "kexec_load",
    "keyctl",
    "lookup_dcookie",
    "mbind",
    "mount",
    "mount_setattr",
    "move_mount",
    "move_pages",
    "nfsservctl",
    "open_by_handle_at",
    "open_tree",
    "perf_event_open",
    "pivot_root",
    "process_madvise",
    "query_module",
    "quotactl",
    "quotactl_fd",
    "reboot",
    "request_key",
    "set_mempolicy",
    "setdomainname",
    "sethostname",
    "setns",
    "settimeofday",
    "swapoff",
    "swapon",
    "sysfs",
    "syslog",
    "umount2",
    "unshare",
    "uselib",
    "userfaultfd",
    "ustat",
    "vhangup",
    "vm86",
    "_sysctl",
];

/// The default profile, with the 32-bit gate or without it.
fn profile(with_compat: bool) -> Result<Value> {
    let capabilities: Capabilities =
        [Capability::Chown, Capability::NetRaw, Capability::SysChroot].into_iter().collect();
    let context = ProfileContext {
        capabilities: &capabilities,
        architecture: Architecture::X86_64,
        kernel: KernelVersion::running(),
    };
    let mut profile = serde_json::to_value(default_profile(&context))?;
    if !with_compat {
        profile["architectures"] = json!(["SCMP_ARCH_X86_64"]);
    }
    Ok(profile)
}

/// Runs a program that makes these calls, under the default profile; None if it was killed for one of them.
fn call(runtime: &Runtime, calls: &[Call], data: &[u8], with_compat: bool) -> Result<Option<Vec<i32>>> {
    const BAD_SYSTEM_CALL: i32 = 128 + 31;
    let mut scene = Scene::new(runtime)?;
    scene.config["linux"]["seccomp"] = profile(with_compat)?;
    // Nobody can say that it is the missing power that made a call fail.
    let powers = scene.config["process"]["capabilities"].as_object_mut().context("it has capabilities")?;
    for set in powers.values_mut() {
        set.as_array_mut().context("a set is a list")?.push(json!("CAP_SYS_ADMIN"));
    }
    program(&scene.inside("bin/calls"), calls, data)?;
    scene.arguments(&["calls"]);
    let told = scene.run()?;
    if told.code == BAD_SYSTEM_CALL {
        return Ok(None);
    }
    let bytes = told.bytes.clone();
    told.success()?;
    Ok(Some(answers(&bytes)))
}

fn native(number: u32, arguments: [u64; 6]) -> Call {
    Call { gate: Gate::Native, number, arguments }
}

/// Mechanism: a hole in a system call that no container needs. With the default profile the kernel's code is not even
/// reached, with whatever arguments and powers: `EPERM`, and `ENOSYS` for `clone3`, so that the C library takes `clone`.
#[test]
fn cve_2022_0185_system_calls_are_closed() -> Result {
    let name = "CVE-2022-0185, CVE-2024-1086, io_uring, keyrings, bpf, userfaultfd, open_by_handle_at";
    Row { name, attack: "59 system calls that the default profile closes" }.probe(|runtime| {
        let known = CLOSED.iter().filter_map(|name| {
            let number = syscalls::numbers(name).and_then(|numbers| numbers.on(Architecture::X86_64))?;
            Some((*name, number))
        });
        let known: Vec<(&str, u32)> = known.collect();
        assert!(known.len() > 50, "{known:?}");
        // Arguments that can do nothing where the call is let through.
        let calls: Vec<Call> = known.iter().map(|(_, number)| native(*number, [u64::MAX; 6])).collect();
        let Some(answers) = call(runtime, &calls, b"", true)? else {
            return Ok(Verdict::Broken("the program was killed instead of refused".to_owned()));
        };
        let closed = [Errno::PERM, Errno::NOSYS].map(|errno| -errno.raw_os_error());
        let open = known.iter().zip(answers).find(|((name, _), answer)| {
            let clone3 = *name == "clone3" && *answer != closed[1];
            clone3 || !closed.contains(answer)
        });
        Ok(open.map_or(Verdict::Held, |((name, _), answer)| Verdict::Broken(format!("{name} answers {answer}"))))
    })
}

/// Mechanism: sockets of rare families reach code of the kernel that shares pages of files with everybody. A filter can
/// see the family in `socket`, but not behind the 32-bit `socketcall`: who wants it closed lists no 32-bit architecture,
/// and then no call through that gate may come through.
#[test]
fn cve_2026_31431_sockets_of_rare_families() -> Result {
    let name = "CVE-2026-31431, CVE-2026-43284, CVE-2026-43500";
    Row { name, attack: "AF_ALG and AF_VSOCK, also through int 0x80" }.probe(|runtime| {
        const SOCKET: u32 = 41;
        const SOCKETCALL: u32 = 102;
        let families = [38, 40, (1 << 32) + 38];
        let calls = families.map(|family| native(SOCKET, [family, 5, 0, 0, 0, 0]));
        let direct = call(runtime, &calls, b"", false)?.unwrap_or_default();
        if let Some(answer) = direct.iter().find(|answer| **answer >= 0) {
            return Ok(Verdict::Broken(format!("socket of {families:?} answers {answer}")));
        }
        let arguments: Vec<u8> = [38_u32, 5, 0].iter().flat_map(|word| word.to_le_bytes()).collect();
        let compat = Call { gate: Gate::Compat, number: SOCKETCALL, arguments: [1, u64::from(DATA), 0, 0, 0, 0] };
        let behind = call(runtime, &[compat], &arguments, false)?;
        let opened = behind.into_iter().flatten().any(|answer| answer >= 0);
        Ok(Verdict::held_if(!opened, || "socketcall has made an AF_ALG socket".to_owned()))
    })
}

/// Mechanism: root of a user namespace mounts a hierarchy of cgroup v1 and writes the program that the host's root runs
/// when a cgroup becomes empty.
#[test]
fn cve_2022_0492_release_agents() -> Result {
    Row { name: "CVE-2022-0492", attack: "release_agent, in a user namespace of the container's own" }.probe(|runtime| {
        for with_profile in [true, false] {
            let mut scene = Scene::new(runtime)?;
            if with_profile {
                scene.config["linux"]["seccomp"] = profile(true)?;
            }
            fs::create_dir(scene.inside("mnt"))?;
            scene.script(
                "unshare -UrmC sh -c 'for kind in memory devices rdma cpuset misc; do \
                   mount -t cgroup -o $kind none /mnt && echo open: $kind is mounted && umount /mnt; \
                 done' 2>/dev/null; \
                 for file in $(ls -d /sys/fs/cgroup/release_agent /sys/fs/cgroup/*/release_agent /mnt/release_agent 2>/dev/null); do \
                   (: >> $file) 2>/dev/null && echo open: $file can be written; \
                 done; \
                 mkdir /sys/fs/cgroup/x /sys/fs/cgroup/memory/x 2>/dev/null && echo open: a cgroup can be made; true",
            );
            let told = scene.run()?.success()?;
            let open = told.lines().find(|line| line.starts_with("open: ")).map(str::to_owned);
            // Without the profile, an own namespace shows its own part of the hierarchy: only the agent counts.
            let open = open.filter(|line| with_profile || line.contains("release_agent"));
            if let Some(open) = open {
                return Ok(Verdict::Broken(open));
            }
        }
        Ok(Verdict::Held)
    })
}

/// Mechanism: a process types into the terminal that it was started from (`TIOCSTI`): after its end the shell of the host
/// reads that.
#[test]
fn no_cve_typing_into_the_terminal() -> Result {
    Row { name: "(no CVE) TIOCSTI", attack: "typing into the terminal of the host" }.probe(|runtime| {
        const IOCTL: u32 = 16;
        const TIOCSTI: u64 = 0x5412;
        let mut scene = Scene::new(runtime)?;
        let calls: Vec<Call> = (0..3).map(|fd| native(IOCTL, [fd, TIOCSTI, u64::from(DATA), 0, 0, 0])).collect();
        program(&scene.inside("bin/calls"), &calls, b"x")?;
        scene.script("calls > /answers; exec 3< /dev/tty && echo open: tty");
        let command = scene.command(&["run", ID])?;
        let mut shell = Command::new("env");
        let directory = scene.path("bundle");
        shell.arg("--chdir").arg(directory).arg(command.get_program()).args(command.get_args());
        let (_, output) = Pty::start(&shell, 24, 80)?.finish()?;
        scene.end()?;
        let answers = answers(&fs::read(scene.inside("answers")).context(output.trim())?);
        let typed = answers.contains(&0) || output.contains("open: tty");
        Ok(Verdict::held_if(!typed, || format!("TIOCSTI answers {answers:?}; {}", output.trim())))
    })
}
