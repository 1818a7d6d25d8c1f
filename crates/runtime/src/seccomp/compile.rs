//! The compiler: sections per architecture, a search tree over numbers in each, comparisons of arguments in its leaves.
//!
//! Owns the shape of the program and the flags; what numbers and rules mean is decided before (`segments`, `rules`).
//! Sources: `seccomp(2)`, `Documentation/userspace-api/seccomp_filter.rst`.

use oci_spec::runtime::{LinuxSeccomp, LinuxSeccompFilterFlag};
use sys::seccomp::{
    FLAG_LOG, FLAG_NEW_LISTENER, FLAG_SPEC_ALLOW, FLAG_TSYNC, FLAG_WAIT_KILLABLE_RECV, Instruction, MAX_INSTRUCTIONS,
};

use super::assemble::{Ask, Assembler, Target};
use super::rules::{Condition, ENOSYS, Rule, Rules, Test, answer};
use super::segments::{Outcome, Segment, segments};
use super::syscalls::Architecture;
use crate::error::{Error, ErrorKind, Result};

// Offsets in `struct seccomp_data`. All architectures with a table store the lower half of an argument first.
const NUMBER: u32 = 0;
const AUDIT_ARCHITECTURE: u32 = 4;
const ARGUMENTS: u32 = 16;

/// A profile in the form that the kernel takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filter {
    program: Vec<Instruction>,
    flags: u32,
}

impl Filter {
    /// The program: at least two instructions, at most [`MAX_INSTRUCTIONS`].
    pub fn program(&self) -> &[Instruction] {
        &self.program
    }

    /// The flags of `seccomp(2)` to install it with.
    pub fn flags(&self) -> u32 {
        self.flags
    }

    /// Whether installing it yields a listener that someone must serve (`SCMP_ACT_NOTIFY`).
    pub fn notifies(&self) -> bool {
        self.flags & FLAG_NEW_LISTENER != 0
    }
}

/// Compiles a profile.
///
/// The filter covers the architectures that the profile lists and, as with libseccomp, always the native one. Calls of
/// other architectures kill the thread. Listed architectures that there is no table for are left out: no call of theirs
/// arrives on a kernel that this program runs on.
///
/// If the default action refuses calls, numbers above the highest that the profile names answer `ENOSYS` instead. A
/// profile cannot know calls that came after it was written, and programs (the C library first of all) fall back to an
/// older call on `ENOSYS`, but give up on `EPERM`. `defaultErrnoRet` of 38 turns this off, as in runc.
///
/// Flags: without a `flags` field, `SPEC_ALLOW` (the mitigation costs much, and Linux has it off for filters since
/// 5.16); an empty list means none.
///
/// # Errors
/// [`ErrorKind::Invalid`] for an empty name, an argument index above 5, an `errnoRet` above 65535, `SCMP_ACT_NOTIFY` as
/// default or for `write`; [`ErrorKind::Unsupported`] if the program gets longer than [`MAX_INSTRUCTIONS`].
pub fn compile(profile: &LinuxSeccomp) -> Result<Filter> {
    let rules = Rules::read(profile)?;
    let future = answers_future_calls(profile, rules.default);
    let mut assembler = Assembler::new();
    let mut sections = Vec::new();
    for abis in architectures(profile).chunk_by(|a, b| a.audit_token() == b.audit_token()) {
        let segments = segments(&rules, abis, future);
        let tree = Emitter { assembler: &mut assembler, default: rules.default }.tree(&segments);
        sections.push((abis[0].audit_token(), assembler.load(NUMBER, tree)));
    }
    let unlisted = Target::Return(answer::KILL_THREAD);
    let dispatch = sections
        .into_iter()
        .fold(unlisted, |otherwise, (token, section)| assembler.jump_if(Ask::Equal, token, section, otherwise));
    assembler.load(AUDIT_ARCHITECTURE, dispatch);
    let program = assembler.finish();
    if program.len() > MAX_INSTRUCTIONS {
        let message =
            format!("seccomp: the profile needs {} instructions, the kernel takes {MAX_INSTRUCTIONS}", program.len());
        return Err(Error::new(ErrorKind::Unsupported, message)
            .with_hint("list fewer architectures, or write fewer conditions on arguments"));
    }
    Ok(Filter { program, flags: flags(profile, rules.notify) })
}

/// The architectures to cover, those with one audit token side by side, the native one last: what is emitted last comes
/// first in the program and is found soonest.
fn architectures(profile: &LinuxSeccomp) -> Vec<Architecture> {
    let listed = profile.architectures().as_deref().unwrap_or_default();
    let mut architectures: Vec<_> = listed.iter().filter_map(|arch| Architecture::of(*arch)).collect();
    architectures.push(Architecture::NATIVE);
    let native = Architecture::NATIVE.audit_token();
    architectures.sort_by_key(|abi| (abi.audit_token() == native, abi.audit_token(), *abi));
    architectures.dedup();
    architectures
}

/// Whether to answer `ENOSYS` for numbers that the profile cannot know. A default of `SCMP_ACT_TRACE` permits: a tracer
/// decides about every call by itself.
fn answers_future_calls(profile: &LinuxSeccomp, default: u32) -> bool {
    let permits = matches!(default & 0xffff_0000, answer::ALLOW | answer::LOG | answer::TRACE);
    !permits && profile.default_errno_ret() != Some(ENOSYS)
}

/// A flag of a profile as the kernel's.
pub fn flag_word(flag: LinuxSeccompFilterFlag) -> u32 {
    match flag {
        LinuxSeccompFilterFlag::SeccompFilterFlagLog => FLAG_LOG,
        LinuxSeccompFilterFlag::SeccompFilterFlagTsync => FLAG_TSYNC,
        LinuxSeccompFilterFlag::SeccompFilterFlagSpecAllow => FLAG_SPEC_ALLOW,
        LinuxSeccompFilterFlag::SeccompFilterFlagWaitKillableRecv => FLAG_WAIT_KILLABLE_RECV,
    }
}

fn flags(profile: &LinuxSeccomp, notify: bool) -> u32 {
    let listed = profile.flags().as_deref().unwrap_or(&[LinuxSeccompFilterFlag::SeccompFilterFlagSpecAllow]);
    let word = listed.iter().fold(0, |word, flag| {
        word | match flag {
            // Installed by a process with a single thread. Together with a listener the kernel refuses it.
            LinuxSeccompFilterFlag::SeccompFilterFlagTsync if notify => 0,
            // Without a listener there is nothing to receive, and the kernel says EINVAL.
            LinuxSeccompFilterFlag::SeccompFilterFlagWaitKillableRecv if !notify => 0,
            listed => flag_word(*listed),
        }
    });
    if notify { word | FLAG_NEW_LISTENER } else { word }
}

/// Writes one section.
struct Emitter<'a> {
    assembler: &'a mut Assembler,
    default: u32,
}

impl Emitter<'_> {
    /// A balanced binary search over the starts of segments: about seven comparisons for Docker's profile. The kernel
    /// runs it once per number at install time, and remembers calls that are allowed whatever their arguments.
    fn tree(&mut self, segments: &[Segment]) -> Target {
        match segments {
            [] => Target::Return(self.default),
            [one] => match &one.outcome {
                Outcome::Answer(answer) => Target::Return(*answer),
                Outcome::FirstOf(rules) => self.first_of(rules),
            },
            _ => {
                let (left, right) = segments.split_at(segments.len() / 2);
                let start = right[0].start;
                let right = self.tree(right);
                let left = self.tree(left);
                self.assembler.jump_if(Ask::GreaterOrEqual, start, right, left)
            }
        }
    }

    fn first_of(&mut self, rules: &[Rule]) -> Target {
        rules.iter().rev().fold(Target::Return(self.default), |otherwise, rule| self.rule(rule, otherwise))
    }

    fn rule(&mut self, rule: &Rule, otherwise: Target) -> Target {
        let matched = Target::Return(rule.answer);
        rule.conditions.iter().rev().fold(matched, |then, condition| self.condition(condition, then, otherwise))
    }

    /// Splits a comparison of 64 bits into one of the lower and, before it, one of the upper halves.
    fn condition(&mut self, condition: &Condition, yes: Target, no: Target) -> Target {
        let (ask, yes, no) = match condition.test {
            Test::Equal => (Ask::Equal, yes, no),
            Test::NotEqual => (Ask::Equal, no, yes),
            Test::Greater => (Ask::Greater, yes, no),
            Test::LessOrEqual => (Ask::Greater, no, yes),
            Test::GreaterOrEqual => (Ask::GreaterOrEqual, yes, no),
            Test::Less => (Ask::GreaterOrEqual, no, yes),
        };
        let (value_low, value_high) = halves(condition.value);
        let (mask_low, mask_high) = halves(condition.mask);
        let offset = ARGUMENTS + 8 * condition.argument;
        let low = if mask_low == 0 {
            yes
        } else {
            let ask = self.assembler.jump_if(ask, value_low, yes, no);
            self.masked_load(offset, mask_low, ask)
        };
        if mask_high == 0 {
            return low;
        }
        let mut high = self.assembler.jump_if(Ask::Equal, value_high, low, no);
        if ask != Ask::Equal {
            high = self.assembler.jump_if(Ask::Greater, value_high, yes, high);
        }
        self.masked_load(offset + 4, mask_high, high)
    }

    fn masked_load(&mut self, offset: u32, mask: u32, next: Target) -> Target {
        let next = if mask == u32::MAX { next } else { self.assembler.mask(mask, next) };
        self.assembler.load(offset, next)
    }
}

/// The lower and the upper 32 bits.
fn halves(value: u64) -> (u32, u32) {
    let half = |value: u64| u32::try_from(value & 0xffff_ffff).expect("the mask leaves 32 bits");
    (half(value), half(value >> 32))
}
