//! The running kernel: it takes what the compiler makes, and acts on it.
//!
//! A filter binds the thread that installs it, so each test gives one up.

use oci_spec::runtime::Capabilities;
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;
use runtime::seccomp::syscalls::Architecture;
use runtime::seccomp::{Filter, KernelVersion, ProfileContext, compile, default_profile};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketType, socket};
use sys::seccomp::{Instruction, install};

use crate::decisions::profiles_at_random;
use crate::profiles::{Allow, DOCKER_X86, Eq, Notify, errno, profile, rule, when};

/// Runs `work` in a thread under a filter.
fn under<T: Send + 'static>(filter: Filter, work: impl FnOnce() -> T + Send + 'static) -> T {
    let thread = std::thread::spawn(move || {
        rustix::thread::set_no_new_privs(true).expect("everyone may");
        let listener = install(filter.program(), filter.flags()).expect("the kernel takes the filter");
        assert_eq!(listener.is_some(), filter.notifies());
        work()
    });
    thread.join().expect("the thread does not panic")
}

#[test]
fn the_default_profile_holds() {
    let capabilities = Capabilities::new();
    let context = ProfileContext {
        capabilities: &capabilities,
        architecture: Architecture::NATIVE,
        kernel: KernelVersion::running(),
    };
    let filter = compile(&default_profile(&context)).expect("the profile compiles");
    let open = |family| socket(AddressFamily::from_raw(family), SocketType::DGRAM, None).map(drop);
    let (alg, vsock, unix, absent, chroot, fsopen) = under(filter, move || {
        (
            open(38),
            open(40),
            open(1),
            open(63),
            rustix::process::chroot("/"),
            rustix::mount::fsopen("tmpfs", rustix::mount::FsOpenFlags::FSOPEN_CLOEXEC).map(drop),
        )
    });
    assert_eq!((alg, vsock), (Err(Errno::PERM), Err(Errno::PERM)));
    assert_eq!((unix, absent), (Ok(()), Err(Errno::AFNOSUPPORT)));
    assert_eq!((chroot, fsopen), (Err(Errno::PERM), Err(Errno::PERM)));
}

#[test]
fn arguments_and_errnos_arrive() {
    let no_stream = when(errno("socket", 71), &[(0, Eq, 1, 0), (1, Eq, 1 | 0o2_000_000, 0)]);
    let filter = compile(&profile(Allow, &DOCKER_X86, vec![no_stream, errno("getcwd", 95)])).expect("it compiles");
    let (stream, datagram, directory) = under(filter, || {
        let open = |kind| {
            let flags = rustix::net::SocketFlags::CLOEXEC;
            rustix::net::socket_with(AddressFamily::UNIX, kind, flags, None).map(drop)
        };
        (open(SocketType::STREAM), open(SocketType::DGRAM), rustix::process::getcwd(Vec::new()).map(drop))
    });
    assert_eq!((stream, datagram, directory), (Err(Errno::PROTO), Ok(()), Err(Errno::OPNOTSUPP)));
}

#[test]
fn a_filter_that_notifies_has_a_listener() {
    let filter = compile(&profile(Allow, &DOCKER_X86, vec![rule("getcwd", Notify)])).expect("it compiles");
    under(filter, || ());
}

#[test]
fn the_kernel_checks_every_program_and_finds_nothing() {
    let mut runner = TestRunner::deterministic();
    for _ in 0..64 {
        let profile = profiles_at_random().new_tree(&mut runner).expect("there is always one").current();
        let filter = compile(&profile).expect("the profile compiles");
        // Allows everything before the program begins, which the kernel nevertheless checks to its end.
        let mut program = vec![Instruction { code: 0x06, jump_true: 0, jump_false: 0, k: 0x7fff_0000 }];
        program.extend(filter.program());
        let installed = std::thread::spawn(move || {
            rustix::thread::set_no_new_privs(true)?;
            install(&program, 0).map(drop)
        });
        assert_eq!(installed.join().expect("the thread does not panic"), Ok(()), "{profile:?}");
    }
}
