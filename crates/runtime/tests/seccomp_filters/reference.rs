//! What a profile says about a call, read from the profile by the words of the specification and of runc, one call at a
//! time. Shares nothing with the compiler but the tables of numbers, which libseccomp is asked about elsewhere.

use std::collections::HashMap;
use std::sync::LazyLock;

use oci_spec::runtime::{
    LinuxSeccomp, LinuxSeccompAction as Action, LinuxSeccompArg, LinuxSeccompOperator as Op, LinuxSyscall,
};
use runtime::seccomp::syscalls::{self, Architecture, X32_BIT};

use crate::interpreter::Call;

/// The ABIs, in no particular order.
pub(crate) const ABIS: [Architecture; 5] =
    [Architecture::X86_64, Architecture::X86, Architecture::X32, Architecture::Aarch64, Architecture::Arm];

pub(crate) const KILL: u32 = 0;
pub(crate) const ENOSYS: u32 = 0x0005_0026;

/// Numbers to names, per ABI.
static NAMES: LazyLock<HashMap<(u32, u32), &'static str>> = LazyLock::new(|| {
    let all = ABIS.iter().flat_map(|abi| syscalls::names().map(move |name| (*abi, name)));
    all.filter_map(|(abi, name)| {
        let number = syscalls::numbers(name)?.on(abi)?;
        Some(((abi.audit_token(), number), name))
    })
    .collect()
});

/// A profile, prepared to be asked about many calls.
pub(crate) struct Reference<'a> {
    profile: &'a LinuxSeccomp,
    listed: Vec<Architecture>,
    /// The rules that name a call and do not say what the default says anyway.
    rules: HashMap<&'a str, Vec<&'a LinuxSyscall>>,
    /// The highest number named, per ABI; private ones of arm do not count.
    highest: Vec<Option<u32>>,
}

impl<'a> Reference<'a> {
    pub(crate) fn new(profile: &'a LinuxSeccomp) -> Reference<'a> {
        let mut listed: Vec<_> =
            profile.architectures().iter().flatten().filter_map(|arch| Architecture::of(*arch)).collect();
        listed.push(Architecture::NATIVE);
        let mut rules: HashMap<_, Vec<_>> = HashMap::new();
        for rule in profile.syscalls().iter().flatten() {
            for name in rule.names() {
                let rules = rules.entry(name.as_str()).or_default();
                if answer(rule.action(), rule.errno_ret()) != default(profile) {
                    rules.push(rule);
                }
            }
        }
        let highest = |abi| {
            let numbers = rules.keys().filter_map(|name| syscalls::numbers(name)?.on(abi));
            numbers.filter(|number| abi != Architecture::Arm || *number < 0xf_0000).max()
        };
        let highest = ABIS.map(highest).to_vec();
        Reference { profile, listed, rules, highest }
    }

    /// The answer to a call, or nothing if rules with different actions match, for which the specification has none.
    pub(crate) fn decide(&self, call: &Call) -> Option<u32> {
        let Some(abi) = self.abi_of(call) else {
            let skipped_by_tracer = call.audit_architecture == Architecture::X86_64.audit_token()
                && call.number == u32::MAX
                && self.listed.contains(&Architecture::X86_64);
            return Some(if skipped_by_tracer { default(self.profile) } else { KILL });
        };
        if self.is_future(abi, call.number) {
            return Some(ENOSYS);
        }
        let Some(name) = NAMES.get(&(call.audit_architecture, call.number)) else { return Some(default(self.profile)) };
        if abi == Architecture::X86 && ["socketcall", "ipc"].contains(name) {
            return self.multiplexed(name, call);
        }
        combine(self.profile, self.rules_named(name), abi, call)
    }

    /// Whether a number is above all that the profile names, of a profile that refuses by default.
    pub(crate) fn is_future(&self, abi: Architecture, number: u32) -> bool {
        let permits =
            matches!(self.profile.default_action(), Action::ScmpActAllow | Action::ScmpActLog | Action::ScmpActTrace);
        let highest = ABIS.iter().zip(&self.highest).find(|(one, _)| **one == abi).and_then(|(_, highest)| *highest);
        let named_above =
            NAMES.get(&(abi.audit_token(), number)).is_some_and(|name| !self.rules_named(name).is_empty());
        !permits
            && self.profile.default_errno_ret() != Some(38)
            && highest.is_some_and(|highest| number > highest)
            && !named_above
    }

    /// The ABI of a call, if the profile covers it.
    pub(crate) fn abi_of(&self, call: &Call) -> Option<Architecture> {
        let fits = |abi: &&Architecture| {
            let x32 = **abi == Architecture::X32;
            let ambiguous = abi.audit_token() == Architecture::X86_64.audit_token();
            abi.audit_token() == call.audit_architecture && (!ambiguous || x32 == (call.number >= X32_BIT))
        };
        self.listed.iter().find(fits).copied()
    }

    /// The rules that bear on a call.
    pub(crate) fn rules_of(&self, call: &Call) -> &[&'a LinuxSyscall] {
        NAMES.get(&(call.audit_architecture, call.number)).map_or(&[], |name| self.rules_named(name))
    }

    fn rules_named(&self, name: &str) -> &[&'a LinuxSyscall] {
        self.rules.get(name).map_or(&[], Vec::as_slice)
    }

    /// `socketcall` and `ipc`: their own rules, and those of the calls behind them.
    fn multiplexed(&self, name: &str, call: &Call) -> Option<u32> {
        let own = self.rules_named(name);
        if own.iter().any(|rule| is_unconditional(rule, Architecture::X86)) {
            return combine(self.profile, own, Architecture::X86, call);
        }
        let own = own.iter().filter(|rule| matches(rule, Architecture::X86, call));
        let mut answers: Vec<_> = own.map(|rule| answer(rule.action(), rule.errno_ret())).collect();
        let number = syscalls::numbers(name)?.on(Architecture::X86)?;
        let selector = u32::try_from(call.arguments[0] & 0xffff_ffff).ok()?;
        let behind = syscalls::names().filter(|behind| {
            syscalls::multiplexed(behind).is_some_and(|way| way.number == number && selector & way.mask == way.selector)
        });
        for rule in behind.flat_map(|behind| self.rules_named(behind)) {
            let unconditional = rule.args().as_ref().is_none_or(Vec::is_empty);
            let answer = answer(rule.action(), rule.errno_ret());
            let rank = |answer: u32| (answer & 0xffff_0000).cast_signed();
            if unconditional || rank(answer) <= rank(default(self.profile)) {
                answers.push(answer);
            }
        }
        one_answer(self.profile, answers.into_iter())
    }
}

fn combine(profile: &LinuxSeccomp, rules: &[&LinuxSyscall], abi: Architecture, call: &Call) -> Option<u32> {
    let always = rules.iter().find(|rule| is_unconditional(rule, abi));
    if let Some(rule) = always {
        return Some(answer(rule.action(), rule.errno_ret()));
    }
    let matching = rules.iter().filter(|rule| matches(rule, abi, call));
    one_answer(profile, matching.map(|rule| answer(rule.action(), rule.errno_ret())))
}

fn one_answer(profile: &LinuxSeccomp, mut answers: impl Iterator<Item = u32>) -> Option<u32> {
    let Some(first) = answers.next() else { return Some(default(profile)) };
    answers.all(|answer| answer == first).then_some(first)
}

fn is_unconditional(rule: &LinuxSyscall, abi: Architecture) -> bool {
    let arguments = rule.args().as_deref().unwrap_or_default();
    let width = if abi.wide() { u64::MAX } else { 0xffff_ffff };
    let tautology = |arg: &LinuxSeccompArg| arg.op() == Op::ScmpCmpMaskedEq && arg.value() & width == 0;
    if repeats_an_index(arguments) { arguments.iter().any(tautology) } else { arguments.iter().all(tautology) }
}

fn matches(rule: &LinuxSyscall, abi: Architecture, call: &Call) -> bool {
    let arguments = rule.args().as_deref().unwrap_or_default();
    let holds = |arg: &LinuxSeccompArg| holds(arg, abi, call.arguments[arg.index()]);
    if repeats_an_index(arguments) { arguments.iter().any(holds) } else { arguments.iter().all(holds) }
}

fn repeats_an_index(arguments: &[LinuxSeccompArg]) -> bool {
    (0..6).any(|index| arguments.iter().filter(|arg| arg.index() == index).count() > 1)
}

fn holds(arg: &LinuxSeccompArg, abi: Architecture, actual: u64) -> bool {
    let cut = |value: u64| if abi.wide() { value } else { value & 0xffff_ffff };
    let (actual, value) = (cut(actual), cut(arg.value()));
    match arg.op() {
        Op::ScmpCmpNe => actual != value,
        Op::ScmpCmpLt => actual < value,
        Op::ScmpCmpLe => actual <= value,
        Op::ScmpCmpEq => actual == value,
        Op::ScmpCmpGe => actual >= value,
        Op::ScmpCmpGt => actual > value,
        Op::ScmpCmpMaskedEq => actual & value == arg.value_two().unwrap_or(0) & value,
    }
}

/// The default action as the kernel's number.
pub(crate) fn default(profile: &LinuxSeccomp) -> u32 {
    answer(profile.default_action(), profile.default_errno_ret())
}

/// An action as the kernel's number (`seccomp(2)`).
pub(crate) fn answer(action: Action, errno: Option<u32>) -> u32 {
    let errno = errno.unwrap_or(1);
    match action {
        Action::ScmpActKill | Action::ScmpActKillThread => KILL,
        Action::ScmpActKillProcess => 0x8000_0000,
        Action::ScmpActTrap => 0x0003_0000,
        Action::ScmpActErrno => 0x0005_0000 + errno,
        Action::ScmpActNotify => 0x7fc0_0000,
        Action::ScmpActTrace => 0x7ff0_0000 + errno,
        Action::ScmpActLog => 0x7ffc_0000,
        Action::ScmpActAllow => 0x7fff_0000,
    }
}
