//! Profiles written with few words.

use oci_spec::runtime::{
    Arch, LinuxSeccomp, LinuxSeccompAction, LinuxSeccompArg, LinuxSeccompArgBuilder, LinuxSeccompOperator, LinuxSyscall,
};

pub(crate) use LinuxSeccompAction::{
    ScmpActAllow as Allow, ScmpActErrno as Errno, ScmpActKill as Kill, ScmpActKillProcess as KillProcess,
    ScmpActLog as Log, ScmpActNotify as Notify, ScmpActTrace as Trace, ScmpActTrap as Trap,
};
pub(crate) use LinuxSeccompOperator::{
    ScmpCmpEq as Eq, ScmpCmpGe as Ge, ScmpCmpGt as Gt, ScmpCmpLe as Le, ScmpCmpLt as Lt, ScmpCmpMaskedEq as MaskedEq,
    ScmpCmpNe as Ne,
};

/// All architectures with a table.
pub(crate) const ALL: [Arch; 5] =
    [Arch::ScmpArchX86_64, Arch::ScmpArchX86, Arch::ScmpArchX32, Arch::ScmpArchAarch64, Arch::ScmpArchArm];

/// The architectures that Docker lists on x86-64.
pub(crate) const DOCKER_X86: [Arch; 3] = [Arch::ScmpArchX86_64, Arch::ScmpArchX86, Arch::ScmpArchX32];

/// A profile with a default action (an errno of 1) for some architectures.
pub(crate) fn profile(default: LinuxSeccompAction, architectures: &[Arch], rules: Vec<LinuxSyscall>) -> LinuxSeccomp {
    let mut profile = LinuxSeccomp::default();
    profile.set_default_action(default);
    profile.set_architectures(Some(architectures.to_vec()));
    profile.set_syscalls(Some(rules));
    profile
}

/// A rule for calls whose names are separated by spaces.
pub(crate) fn rule(names: &str, action: LinuxSeccompAction) -> LinuxSyscall {
    let mut rule = LinuxSyscall::default();
    rule.set_names(names.split_ascii_whitespace().map(str::to_owned).collect());
    rule.set_action(action);
    rule
}

/// A rule that answers with an errno.
pub(crate) fn errno(names: &str, errno: u32) -> LinuxSyscall {
    let mut rule = rule(names, Errno);
    rule.set_errno_ret(Some(errno));
    rule
}

/// The rule, under conditions: argument, operator, value, second value.
pub(crate) fn when(mut rule: LinuxSyscall, conditions: &[(usize, LinuxSeccompOperator, u64, u64)]) -> LinuxSyscall {
    let argument = |&(index, op, value, value_two): &(usize, LinuxSeccompOperator, u64, u64)| -> LinuxSeccompArg {
        let argument = LinuxSeccompArgBuilder::default().index(index).op(op).value(value);
        let argument = if op == MaskedEq { argument.value_two(value_two) } else { argument };
        argument.build().expect("every field has a default")
    };
    rule.set_args(Some(conditions.iter().map(argument).collect()));
    rule
}
