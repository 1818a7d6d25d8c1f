//! The calls worth asking about: every number there is and odd ones, with arguments next to every value that a profile
//! compares with.

use std::collections::{BTreeMap, BTreeSet};

use oci_spec::runtime::{LinuxSeccomp, LinuxSyscall};
use runtime::seccomp::syscalls;

use crate::interpreter::Call;
use crate::reference::ABIS;

/// Audit tokens: those with tables, riscv64, and one that does not exist.
const TOKENS: [u32; 6] = [0xc000_003e, 0x4000_0003, 0xc000_00b7, 0x4000_0028, 0xc000_00f3, 0];

/// All probes for a profile.
pub(crate) fn calls(profile: &LinuxSeccomp) -> Vec<Call> {
    let with_arguments = arguments_of_numbers(profile);
    let plain = [[0; 6], [u64::MAX; 6]];
    let mut calls = Vec::new();
    for audit_architecture in TOKENS {
        for number in numbers() {
            let interesting = with_arguments.get(&(audit_architecture, number));
            let interesting = interesting.into_iter().flatten().copied();
            calls.extend(plain.into_iter().chain(interesting).map(|arguments| Call {
                number,
                audit_architecture,
                arguments,
            }));
        }
    }
    calls
}

/// The probes for those numbers alone that rules with conditions speak of.
pub(crate) fn calls_with_conditions(profile: &LinuxSeccomp) -> Vec<Call> {
    let arguments = arguments_of_numbers(profile);
    let all = arguments.into_iter().flat_map(|((audit_architecture, number), arguments)| {
        arguments.into_iter().map(move |arguments| Call { number, audit_architecture, arguments })
    });
    all.collect()
}

/// All numbers of all ABIs and their neighbourhood, x32's among them, negative ones and huge ones.
pub(crate) fn numbers() -> impl Iterator<Item = u32> {
    let ranges = [0..=600, 0x000e_fffe..=0x000f_0010, 0x3fff_fffe..=0x4000_0258, 0x7fff_fffe..=0x8000_0002];
    ranges.into_iter().flatten().chain([0xbfff_ffff, 0xc000_0000, 0xffff_fffe, 0xffff_ffff])
}

/// Arguments to try, for each audit token and number that a rule with conditions can speak of.
fn arguments_of_numbers(profile: &LinuxSeccomp) -> BTreeMap<(u32, u32), BTreeSet<[u64; 6]>> {
    let mut all: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
    for rule in profile.syscalls().iter().flatten() {
        let arguments = arguments_near(rule);
        for name in rule.names() {
            for abi in ABIS {
                let direct = syscalls::numbers(name).and_then(|numbers| numbers.on(abi));
                let behind = syscalls::multiplexed(name).map(|way| way.number);
                for number in direct.into_iter().chain(behind) {
                    let known = all.entry((abi.audit_token(), number)).or_default();
                    known.extend(arguments.iter().copied());
                    if behind == Some(number) {
                        known.extend((0..32).map(|selector| [selector, 0, 0, 0, 0, 0]));
                    }
                }
            }
        }
    }
    all
}

/// Arguments that a rule accepts, or nearly so.
fn arguments_near(rule: &LinuxSyscall) -> BTreeSet<[u64; 6]> {
    let mut near = BTreeSet::new();
    let conditions = rule.args().as_deref().unwrap_or_default();
    let mut accepted = [0; 6];
    for condition in conditions {
        accepted[condition.index()] = condition.value_two().unwrap_or(condition.value());
    }
    for condition in conditions {
        let values = [condition.value(), condition.value_two().unwrap_or(0), 0, u64::MAX];
        for value in values.into_iter().flat_map(neighbours) {
            for mut arguments in [accepted, [0; 6], [value; 6]] {
                arguments[condition.index()] = value;
                near.insert(arguments);
            }
        }
    }
    near
}

/// A value, the ones beside it, and ones that differ in a half only.
fn neighbours(value: u64) -> [u64; 10] {
    let low = value & 0xffff_ffff;
    [
        value,
        value.wrapping_add(1),
        value.wrapping_sub(1),
        !value,
        low,
        low | 1 << 32,
        value ^ 1 << 32,
        value ^ 1 << 63,
        value.wrapping_add(1 << 32),
        value.wrapping_sub(1 << 32),
    ]
}
