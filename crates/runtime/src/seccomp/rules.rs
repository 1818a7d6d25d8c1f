//! What a profile's rules mean, as the compiler needs them: actions as the kernel's return values, conditions as
//! comparisons under a mask, and for each system call the rules in the order in which they are tried.
//!
//! The OCI specification leaves open how rules for one call combine. Profiles are written for runc and libseccomp, so
//! their answers are ours:
//!
//! - The conditions of a rule must all hold; but if two of them look at the same argument, each stands for a rule of
//!   its own (runc kept this from the time before libseccomp could combine them).
//! - A rule with the default action is no rule.
//! - A rule without conditions beats all rules with conditions, and the first such rule beats the later ones.
//! - Of several matching rules with different actions the more specific decides, see [`Rule::order`].
//! - Names that no architecture knows are left out, for a profile may be newer than this program.

use std::cmp::Ordering;

use oci_spec::runtime::{LinuxSeccomp, LinuxSeccompAction, LinuxSeccompArg, LinuxSeccompOperator, LinuxSyscall};

use super::syscalls::{self, Architecture, Multiplexed, Numbers};
use crate::error::{Error, ErrorKind, Result};

/// The errno of an `SCMP_ACT_ERRNO` that names none.
const EPERM: u32 = 1;
/// What calls get that are newer than a profile.
pub(super) const ENOSYS: u32 = 38;

/// `SECCOMP_RET_…` (`linux/seccomp.h`).
pub(super) mod answer {
    pub(crate) const KILL_THREAD: u32 = 0;
    pub(crate) const KILL_PROCESS: u32 = 0x8000_0000;
    pub(crate) const TRAP: u32 = 0x0003_0000;
    pub(crate) const ERRNO: u32 = 0x0005_0000;
    pub(crate) const NOTIFY: u32 = 0x7fc0_0000;
    pub(crate) const TRACE: u32 = 0x7ff0_0000;
    pub(crate) const LOG: u32 = 0x7ffc_0000;
    pub(crate) const ALLOW: u32 = 0x7fff_0000;
}

/// A profile, read and checked.
pub(super) struct Rules<'a> {
    /// What happens to a call that no rule speaks of.
    pub(super) default: u32,
    /// Whether some rule hands calls to a listener.
    pub(super) notify: bool,
    /// All rules, in the order of the profile.
    list: Vec<Rule>,
    calls: Vec<Call<'a>>,
}

/// A call by name, with its rules: a range of [`Rules::list`], empty if the only rule is the default one.
struct Call<'a> {
    name: &'a str,
    numbers: Numbers,
    rules: std::ops::Range<usize>,
}

/// If all conditions hold, the kernel gets this answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Rule {
    pub(super) answer: u32,
    pub(super) conditions: Vec<Condition>,
}

/// A comparison of an argument, under a mask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Condition {
    /// 0 to 5.
    pub(super) argument: u32,
    pub(super) test: Test,
    /// Other than all ones only with [`Test::Equal`], or to cut off the upper half on a 32-bit architecture.
    pub(super) mask: u64,
    /// Never has a bit outside of `mask`.
    pub(super) value: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Test {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// What to do with one number.
#[derive(Debug)]
pub(super) enum Decision {
    /// The same answer whatever the arguments are.
    Answer(u32),
    /// The first rule that matches; the default if none does.
    FirstOf(Vec<Rule>),
}

/// A rule that speaks of a number. Sorts by number, then by place in the profile.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Entry {
    number: u32,
    sequence: usize,
    rule: usize,
}

struct Entries(Vec<Entry>);

impl Entries {
    fn push(&mut self, number: u32, rule: usize) {
        self.0.push(Entry { number, sequence: self.0.len(), rule });
    }
}

impl<'a> Rules<'a> {
    /// Reads a profile.
    pub(super) fn read(profile: &'a LinuxSeccomp) -> Result<Rules<'a>> {
        let default = answer_of(profile.default_action(), profile.default_errno_ret(), "the default action")?;
        if default == answer::NOTIFY {
            return Err(invalid("seccomp: SCMP_ACT_NOTIFY as defaultAction would stop the container before it starts"));
        }
        let syscalls = profile.syscalls().as_deref().unwrap_or_default();
        let mut rules = Rules { default, notify: false, list: Vec::new(), calls: Vec::with_capacity(512) };
        for syscall in syscalls {
            rules.add(syscall)?;
        }
        Ok(rules)
    }

    fn add(&mut self, syscall: &'a LinuxSyscall) -> Result<()> {
        let of = syscall.names().first().map_or("", String::as_str);
        let answer = answer_of(syscall.action(), syscall.errno_ret(), of)?;
        let first = self.list.len();
        if answer != self.default {
            let conditions = syscall.args().as_deref().unwrap_or_default();
            let conditions = conditions.iter().map(|arg| Condition::read(arg, of)).collect::<Result<Vec<_>>>()?;
            if looks_twice_at_one_argument(&conditions) {
                self.list.extend(conditions.into_iter().map(|one| Rule { answer, conditions: vec![one] }));
            } else {
                self.list.push(Rule { answer, conditions });
            }
        }
        let range = first..self.list.len();
        self.notify |= answer == answer::NOTIFY;
        for name in syscall.names() {
            if name.is_empty() {
                return Err(invalid("seccomp: a rule has an empty system call name"));
            }
            // By sendmsg the listener itself is handed over; nobody could answer that call yet.
            if answer == answer::NOTIFY && matches!(name.as_str(), "write" | "sendmsg") {
                let message =
                    format!("seccomp: SCMP_ACT_NOTIFY cannot be used for {name}, which start-up itself needs");
                return Err(invalid(message));
            }
            if let Some(numbers) = syscalls::numbers(name) {
                self.calls.push(Call { name, numbers, rules: range.clone() });
            }
        }
        Ok(())
    }

    /// The highest number that the profile names on an architecture.
    ///
    /// Private numbers of arm do not count: they lie far above all numbers that the kernel will ever give out.
    pub(super) fn highest(&self, architecture: Architecture) -> Option<u32> {
        let numbers = self.calls.iter().filter_map(|call| call.numbers.on(architecture));
        if architecture == Architecture::Arm {
            return numbers.filter(|number| *number < syscalls::ARM_PRIVATE).max();
        }
        numbers.max()
    }

    /// What the profile decides on one architecture, by number, in rising order. Other numbers get the default.
    pub(super) fn decisions(&self, architecture: Architecture) -> Vec<(u32, Decision)> {
        let mut entries = Entries(Vec::with_capacity(self.calls.len() + 64));
        let mut extra = Vec::new();
        for call in &self.calls {
            if let Some(number) = call.numbers.on(architecture) {
                call.rules.clone().for_each(|rule| entries.push(number, rule));
            }
            if architecture == Architecture::X86
                && let Some(way) = syscalls::multiplexed(call.name)
            {
                for rule in self.list[call.rules.clone()].iter().filter_map(|rule| self.through(way, rule)) {
                    entries.push(way.number, self.list.len() + extra.len());
                    extra.push(rule);
                }
            }
        }
        entries.0.sort_unstable();
        let rule = |at: usize| self.list.get(at).unwrap_or_else(|| &extra[at - self.list.len()]);
        let same_number = entries.0.chunk_by(|a, b| a.number == b.number);
        same_number
            .map(|group| (group[0].number, self.decide(group.iter().map(|entry| rule(entry.rule)), architecture)))
            .collect()
    }

    /// The rule for i386's `socketcall` or `ipc` that follows from a rule for a call behind it.
    ///
    /// The other arguments of such a call lie in memory, out of a filter's sight. So a rule that restricts is extended
    /// to the call whatever its arguments are, but one that permits only some arguments permits nothing here.
    fn through(&self, way: Multiplexed, rule: &Rule) -> Option<Rule> {
        if !rule.conditions.is_empty() && is_more_permissive(rule.answer, self.default) {
            return None;
        }
        let (mask, value) = (u64::from(way.mask), u64::from(way.selector));
        let selects = Condition { argument: 0, test: Test::Equal, mask, value };
        Some(Rule { answer: rule.answer, conditions: vec![selects] })
    }

    /// Combines the rules for one number.
    fn decide<'r>(&self, rules: impl Iterator<Item = &'r Rule>, architecture: Architecture) -> Decision {
        let mut candidates = Vec::new();
        for rule in rules {
            if rule.conditions.is_empty() {
                return Decision::Answer(rule.answer);
            }
            let rule = rule.on(architecture);
            if rule.conditions.is_empty() {
                return Decision::Answer(rule.answer);
            }
            candidates.push(rule);
        }
        if candidates.iter().any(|rule| rule.answer != candidates[0].answer) {
            candidates.sort_by(Rule::order);
        }
        debug_assert!(candidates.iter().all(|rule| rule.answer != self.default), "a rule with the default action");
        Decision::FirstOf(candidates)
    }
}

impl Rule {
    /// The rule as it reads on an architecture: conditions that hold there always are dropped, and those on narrow
    /// arguments look at the lower half alone.
    fn on(&self, architecture: Architecture) -> Rule {
        let width = if architecture.wide() { u64::MAX } else { u64::from(u32::MAX) };
        let conditions = self.conditions.iter().map(|condition| {
            let mask = condition.mask & width;
            Condition { mask, value: condition.value & mask, ..*condition }
        });
        let can_fail = |condition: &Condition| condition.test != Test::Equal || condition.mask != 0;
        Rule { answer: self.answer, conditions: conditions.filter(can_fail).collect() }
    }

    /// Which of two rules for the same call is tried first when their actions differ, as libseccomp orders them:
    /// by the last argument first; equality before upper bounds before lower bounds; then the tighter bound. A rule
    /// whose conditions are the beginning of another's makes the other one pointless, and comes first.
    fn order(&self, other: &Rule) -> Ordering {
        let by_condition = self.conditions.iter().zip(&other.conditions).map(|(a, b)| a.order(b));
        let first_difference = by_condition.into_iter().find(|order| order.is_ne());
        first_difference.unwrap_or_else(|| self.conditions.len().cmp(&other.conditions.len()))
    }
}

impl Condition {
    fn read(arg: &LinuxSeccompArg, syscall: &str) -> Result<Condition> {
        let argument = u32::try_from(arg.index()).ok().filter(|index| *index < 6).ok_or_else(|| {
            invalid(format!("seccomp: rule for {syscall}: argument index {} is not in 0 to 5", arg.index()))
        })?;
        let test = match arg.op() {
            LinuxSeccompOperator::ScmpCmpNe => Test::NotEqual,
            LinuxSeccompOperator::ScmpCmpLt => Test::Less,
            LinuxSeccompOperator::ScmpCmpLe => Test::LessOrEqual,
            LinuxSeccompOperator::ScmpCmpGe => Test::GreaterOrEqual,
            LinuxSeccompOperator::ScmpCmpGt => Test::Greater,
            LinuxSeccompOperator::ScmpCmpEq => Test::Equal,
            LinuxSeccompOperator::ScmpCmpMaskedEq => {
                // Here `value` is the mask, and `valueTwo` what must be left of the argument under it.
                let (mask, value) = (arg.value(), arg.value_two().unwrap_or(0) & arg.value());
                return Ok(Condition { argument, test: Test::Equal, mask, value });
            }
        };
        Ok(Condition { argument, test, mask: u64::MAX, value: arg.value() })
    }

    fn order(&self, other: &Condition) -> Ordering {
        let class = |test| match test {
            Test::Equal | Test::NotEqual => 0,
            Test::Less | Test::LessOrEqual => 1,
            Test::Greater | Test::GreaterOrEqual => 2,
        };
        let by_value = match class(self.test) {
            1 => self.value.cmp(&other.value),
            _ => other.value.cmp(&self.value),
        };
        let by_argument = other.argument.cmp(&self.argument);
        by_argument.then(class(self.test).cmp(&class(other.test))).then(by_value)
    }
}

fn looks_twice_at_one_argument(conditions: &[Condition]) -> bool {
    let mut seen = 0;
    conditions.iter().any(|condition| {
        let bit = 1 << condition.argument;
        let twice = seen & bit != 0;
        seen |= bit;
        twice
    })
}

/// Whether an answer lets more happen than another. The kernel's answers are ordered so, as signed numbers
/// (`seccomp(2)`, "the highest precedence").
fn is_more_permissive(answer: u32, than: u32) -> bool {
    let rank = |answer: u32| (answer & 0xffff_0000).cast_signed();
    rank(answer) > rank(than)
}

/// An action as the value that a program returns.
fn answer_of(action: LinuxSeccompAction, errno: Option<u32>, of: &str) -> Result<u32> {
    let data = || {
        let errno = errno.unwrap_or(EPERM);
        let fits = errno <= 0xffff;
        fits.then_some(errno).ok_or_else(|| invalid(format!("seccomp: errnoRet {errno} of {of} is above 65535")))
    };
    Ok(match action {
        LinuxSeccompAction::ScmpActKill | LinuxSeccompAction::ScmpActKillThread => answer::KILL_THREAD,
        LinuxSeccompAction::ScmpActKillProcess => answer::KILL_PROCESS,
        LinuxSeccompAction::ScmpActTrap => answer::TRAP,
        LinuxSeccompAction::ScmpActErrno => answer::ERRNO | data()?,
        LinuxSeccompAction::ScmpActNotify => answer::NOTIFY,
        LinuxSeccompAction::ScmpActTrace => answer::TRACE | data()?,
        LinuxSeccompAction::ScmpActLog => answer::LOG,
        LinuxSeccompAction::ScmpActAllow => answer::ALLOW,
    })
}

fn invalid(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Invalid, message)
}
