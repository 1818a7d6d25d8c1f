//! Programs against the reference: fixed profiles for one feature each, and random ones.

use oci_spec::runtime::{Arch, LinuxSeccomp, LinuxSeccompAction, LinuxSeccompFilterFlag as Flag, LinuxSyscall};
use proptest::prelude::{Strategy, prop, prop_assert_eq, proptest};
use proptest::{prop_oneof, sample::select};
use runtime::ErrorKind;
use runtime::seccomp::compile;

use crate::interpreter::{Call, run};
use crate::probes;
use crate::profiles::{
    ALL, Allow, DOCKER_X86, Eq, Errno, Ge, Gt, Kill, KillProcess, Le, Log, Lt, MaskedEq, Ne, Notify, Trace, Trap,
    errno, profile, rule, when,
};
use crate::reference::Reference;

/// Every probe gets the answer that the profile gives.
fn check(profile: &LinuxSeccomp) {
    check_calls(profile, probes::calls(profile));
}

fn check_calls(profile: &LinuxSeccomp, calls: Vec<Call>) {
    let filter = compile(profile).expect("the profile compiles");
    let reference = Reference::new(profile);
    for call in calls {
        let Some(expected) = reference.decide(&call) else { continue };
        let actual = run(filter.program(), &call);
        assert_eq!(actual, expected, "{actual:#x} instead of {expected:#x} for {call:#x?} under {profile:?}");
    }
}

#[test]
fn actions() {
    for default in [Errno, Kill, KillProcess, Trap, Trace, Log, Allow] {
        let rules = [Allow, Errno, Kill, KillProcess, Trap, Trace, Log, Notify]
            .into_iter()
            .zip(["getpid", "getppid", "socket", "mount", "ioctl", "clone", "openat", "read"])
            .map(|(action, name)| rule(name, action));
        check(&profile(default, &ALL, rules.collect()));
    }
}

#[test]
fn errno_values() {
    let mut refusing = profile(Errno, &ALL, vec![errno("mount", 38), errno("umount2", 0), errno("bpf", 4095)]);
    check(&refusing);
    for default in [Some(1), Some(13), Some(38), Some(65535), None] {
        refusing.set_default_errno_ret(default);
        check(&refusing);
    }
}

#[test]
fn architectures() {
    let rules = || vec![rule("read write execve set_tls cacheflush", Allow), errno("clone3", 38)];
    for listed in [&[][..], &[Arch::ScmpArchNative], &[Arch::ScmpArchX86_64], &[Arch::ScmpArchX32], &DOCKER_X86, &ALL] {
        for default in [Errno, Allow] {
            check(&profile(default, listed, rules()));
        }
    }
    let mut unlisted = profile(Errno, &[], rules());
    unlisted.set_architectures(None);
    check(&unlisted);
    // No call of these ever arrives here, whatever the profile says of them.
    check(&profile(Errno, &[Arch::ScmpArchS390x, Arch::ScmpArchRiscv64, Arch::ScmpArchX86], rules()));
}

#[test]
fn comparisons() {
    for value in [0, 1, 40, 0x7fff_ffff, 0xffff_ffff, 1 << 32, (1 << 32) + 40, 1 << 63, u64::MAX - 1, u64::MAX] {
        for op in [Ne, Lt, Le, Eq, Ge, Gt, MaskedEq] {
            for value_two in [0, 1, value, value & 0xffff_ffff, value >> 32 << 32, u64::MAX] {
                for index in [0, 5] {
                    let one = when(rule("socket", Allow), &[(index, op, value, value_two)]);
                    let profile = profile(Errno, &ALL, vec![one]);
                    check_calls(&profile, probes::calls_with_conditions(&profile));
                }
            }
        }
    }
}

#[test]
fn conditions_of_one_rule_and_several_rules() {
    let allow = |conditions: &[_]| when(rule("ioctl", Allow), conditions);
    let both = allow(&[(0, Eq, 1, 0), (1, Gt, 0x5000, 0)]);
    let either = allow(&[(1, Eq, 0x5401, 0), (1, Eq, 0x5402, 0)]);
    let range_is_two_rules = allow(&[(1, Ge, 10, 0), (1, Le, 5, 0), (2, Eq, 9, 0)]);
    let always = rule("ioctl", Allow);
    let nothing_to_ask = allow(&[(3, MaskedEq, 0, 7)]);
    let only_upper_half = allow(&[(3, MaskedEq, 0xffff_ffff_0000_0000, 0)]);
    for rules in [
        vec![both.clone()],
        vec![either.clone()],
        vec![range_is_two_rules.clone()],
        vec![both.clone(), either.clone(), range_is_two_rules],
        vec![both.clone(), always.clone()],
        vec![always.clone(), both.clone()],
        vec![nothing_to_ask],
        vec![only_upper_half],
        // The first rule without conditions decides alone.
        vec![when(errno("ioctl", 5), &[(0, Eq, 1, 0)]), always.clone(), rule("ioctl", Kill)],
    ] {
        check(&profile(Errno, &ALL, rules));
    }
}

#[test]
fn calls_behind_multiplexers() {
    let conditional = |rule| when(rule, &[(0, Eq, 16, 0)]);
    for rules in [
        vec![rule("socket bind send semop shmat", Allow)],
        vec![conditional(rule("socket shmat", Allow))],
        vec![rule("socketcall ipc", Allow), conditional(errno("socket", 97))],
        vec![rule("socket msgget", Kill)],
        vec![conditional(rule("socket semtimedop", Kill))],
    ] {
        check(&profile(Errno, &ALL, rules.clone()));
        check(&profile(Allow, &ALL, rules));
    }
}

#[test]
fn the_more_specific_of_two_matching_rules_decides() {
    let filter = compile(&profile(
        Errno,
        &ALL,
        vec![
            when(rule("socket", Allow), &[(0, Gt, 3, 0)]),
            when(errno("socket", 2), &[(0, Gt, 10, 0)]),
            when(errno("socket", 3), &[(0, Lt, 6, 0)]),
            when(errno("socket", 4), &[(0, Eq, 5, 0)]),
            when(errno("socket", 5), &[(2, Eq, 1, 0)]),
        ],
    ))
    .expect("the profile compiles");
    let number = 41;
    let mut call = Call { number, audit_architecture: 0xc000_003e, arguments: [0; 6] };
    for (family, protocol, expected) in
        [(7, 0, 0x7fff_0000), (11, 0, 0x5_0002), (2, 0, 0x5_0003), (4, 0, 0x5_0003), (5, 0, 0x5_0004), (5, 1, 0x5_0005)]
    {
        (call.arguments[0], call.arguments[2]) = (family, protocol);
        assert_eq!(run(filter.program(), &call), expected, "family {family}, protocol {protocol}");
    }
}

#[test]
fn jumps_longer_than_a_conditional_jump_reaches() {
    let names: Vec<_> = runtime::seccomp::syscalls::names().collect();
    let rules = names.iter().enumerate().step_by(2).map(|(at, name)| {
        let value = at as u64;
        when(errno(name, u32::try_from(at % 90 + 2).expect("small")), &[(0, Ge, value, 0), (1, Ne, value << 32, 0)])
    });
    check(&profile(Errno, &[Arch::ScmpArchX86_64], rules.collect()));
}

#[test]
fn a_profile_that_is_too_long_is_refused() {
    let many = (0..600).map(|value| when(rule("ioctl", Allow), &[(1, Eq, value, 0), (2, Ne, value, 0)]));
    let error = compile(&profile(Errno, &ALL, many.collect())).expect_err("600 rules are too many");
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.to_string().contains("4096"), "{error}");
}

#[test]
fn mistakes_are_named() {
    let kinds = [
        (profile(Notify, &ALL, vec![]), "defaultAction"),
        (profile(Errno, &ALL, vec![rule("read write", Notify)]), "write"),
        (profile(Errno, &ALL, vec![when(rule("ioctl", Allow), &[(6, Eq, 0, 0)])]), "index 6"),
        (profile(Errno, &ALL, vec![errno("mount", 65536)]), "errnoRet 65536 of mount"),
        (
            profile(
                Errno,
                &ALL,
                vec![{
                    let mut rule = rule("", Allow);
                    rule.set_names(vec![String::new()]);
                    rule
                }],
            ),
            "empty",
        ),
    ];
    for (profile, part) in kinds {
        let error = compile(&profile).expect_err(part);
        assert_eq!(error.kind(), ErrorKind::Invalid);
        assert!(error.to_string().contains(part), "{error}");
    }
}

#[test]
fn unknown_names_are_left_out() {
    check(&profile(Errno, &ALL, vec![rule("read call_of_the_year_2040 s390_pci_mmio_read", Allow)]));
    check(&profile(Errno, &ALL, vec![rule("call_of_the_year_2040", Allow)]));
    check(&profile(Errno, &ALL, vec![]));
}

#[test]
fn flags() {
    let (log, tsync) = (Flag::SeccompFilterFlagLog, Flag::SeccompFilterFlagTsync);
    let (ssb, killable) = (Flag::SeccompFilterFlagSpecAllow, Flag::SeccompFilterFlagWaitKillableRecv);
    for (flags, action, expected) in [
        (None, Allow, 4),
        (Some(vec![]), Allow, 0),
        (Some(vec![log]), Allow, 2),
        (Some(vec![log, tsync, ssb]), Allow, 7),
        (Some(vec![killable]), Allow, 0),
        (Some(vec![killable, tsync]), Notify, 0x28),
        (None, Notify, 0xc),
    ] {
        let mut profile = profile(Errno, &ALL, vec![rule("getpid", action)]);
        profile.set_flags(flags.clone());
        let filter = compile(&profile).expect("the profile compiles");
        assert_eq!(filter.flags(), expected, "{flags:?}");
        assert_eq!(filter.notifies(), action == Notify);
    }
}

fn actions_at_random() -> impl Strategy<Value = LinuxSeccompAction> {
    select(vec![Allow, Errno, Kill, KillProcess, Trap, Trace, Log])
}

fn rules_at_random() -> impl Strategy<Value = LinuxSyscall> {
    let names: Vec<_> = runtime::seccomp::syscalls::names().collect();
    // Few names for rules with conditions, so that several meet at one call.
    let few = vec!["socket", "ioctl", "clone", "personality", "socketcall", "shmat", "openat"];
    let names = prop_oneof![prop::collection::vec(select(names), 1..40), prop::collection::vec(select(few), 1..4)];
    let value =
        prop_oneof![0..50_u64, select(vec![1 << 32, (1 << 32) + 5, 0xffff_ffff, u64::MAX, 1 << 63]), 0..=u64::MAX];
    let two = prop_oneof![0..50_u64, 0..=u64::MAX];
    let condition = (0..6_usize, select(vec![Ne, Lt, Le, Eq, Ge, Gt, MaskedEq]), value, two);
    let conditions = prop_oneof![prop::collection::vec(condition, 0..4), prop::strategy::Just(vec![])];
    (names, actions_at_random(), prop::option::of(0..4096_u32), conditions).prop_map(
        |(names, action, errno, conditions)| {
            let mut rule = when(rule(&names.join(" "), action), &conditions);
            rule.set_errno_ret(errno);
            rule
        },
    )
}

/// Random profiles, also for the comparison with libseccomp.
pub(crate) fn profiles_at_random() -> impl Strategy<Value = LinuxSeccomp> {
    let architectures = prop::collection::vec(select(ALL.to_vec()), 0..5);
    let rules = prop::collection::vec(rules_at_random(), 0..20);
    (actions_at_random(), prop::option::of(0..100_u32), architectures, rules).prop_map(
        |(default, errno, architectures, rules)| {
            let mut profile = profile(default, &architectures, rules);
            profile.set_default_errno_ret(errno);
            profile
        },
    )
}

proptest! {
    #![proptest_config(proptest::test_runner::Config { cases: 64, ..proptest::test_runner::Config::default() })]

    #[test]
    fn random_profiles(profile in profiles_at_random()) {
        let filter = compile(&profile).expect("the profile compiles");
        let reference = Reference::new(&profile);
        for call in probes::calls(&profile) {
            if let Some(expected) = reference.decide(&call) {
                prop_assert_eq!(run(filter.program(), &call), expected, "{:#x?}", call);
            }
        }
    }
}
