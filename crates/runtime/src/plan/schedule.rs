//! Steps that say how a process is scheduled, where it runs and where its memory comes from (runtime-spec `config.md`:
//! `scheduler`, `ioPriority`, `execCPUAffinity`; `config-linux.md`: `memoryPolicy`, `personality`).

use oci_spec::runtime::{
    ExecCPUAffinity, IOPriorityClass, LinuxIOPriority, LinuxMemoryPolicy, LinuxPersonality, LinuxPersonalityDomain,
    LinuxSchedulerFlag, LinuxSchedulerPolicy, MemoryPolicyFlagType, MemoryPolicyModeType, Process, Scheduler,
};
use sys::schedule::Attributes;

use super::{Step, ranges};
use crate::error::{Error, ErrorKind, Result};

/// Scheduling and priority of input and output, as `process` wants them.
pub(super) fn add(process: &Process, steps: &mut Vec<Step>) -> Result<()> {
    if let Some(scheduler) = process.scheduler() {
        steps.push(Step::Scheduler { policy: scheduler.policy().to_string(), attributes: attributes(scheduler)? });
    }
    if let Some(priority) = process.io_priority() {
        steps.push(io_priority(priority)?);
    }
    Ok(())
}

/// The processors of a further process: those to be cloned on, and a step for those it runs on.
///
/// Without `final` a process runs wherever its cgroup lets it; but it would keep the affinity it was cloned with, so
/// that is lifted.
pub(super) fn affinity(wanted: Option<&ExecCPUAffinity>) -> Result<(Option<Vec<u64>>, Option<Step>)> {
    let Some(wanted) = wanted else { return Ok((None, None)) };
    let field = |name| format!("process.execCPUAffinity.{name}");
    let given = |list: &Option<String>| list.clone().filter(|list| !list.is_empty());
    let first = given(wanted.initial()).map(|list| ranges::mask(&list, &field("initial"))).transpose()?;
    let last = match given(wanted.cpu_affinity_final()) {
        Some(list) => Some(Step::Affinity { mask: ranges::mask(&list, &field("final"))?, list }),
        None => first.as_ref().map(|_| Step::Affinity { list: "of the cgroup".to_owned(), mask: ranges::all() }),
    };
    Ok((first, last))
}

fn attributes(scheduler: &Scheduler) -> Result<Attributes> {
    use LinuxSchedulerPolicy as Policy;
    let policy = *scheduler.policy();
    let invalid = |field: &str, value: &dyn std::fmt::Display, why: &str| {
        let message = format!("process.scheduler.{field} {value}: {why} (policy {policy})");
        Err(Error::new(ErrorKind::Invalid, message))
    };
    let number = match policy {
        Policy::SchedOther => 0,
        Policy::SchedFifo => 1,
        Policy::SchedRr => 2,
        Policy::SchedBatch => 3,
        Policy::SchedIdle => 5,
        Policy::SchedDeadline => 6,
        Policy::SchedIso => {
            let message = "process.scheduler.policy SCHED_ISO: is reserved, and no kernel has it";
            return Err(Error::new(ErrorKind::Unsupported, message));
        }
    };
    let nice = scheduler.nice().unwrap_or(0);
    if !(-20..=19).contains(&nice) {
        return invalid("nice", &nice, "is not between -20 and 19");
    }
    let real_time = matches!(policy, Policy::SchedFifo | Policy::SchedRr);
    let priority = scheduler.priority().unwrap_or(0);
    if real_time && !(1..=99).contains(&priority) {
        return invalid("priority", &priority, "is not between 1 and 99");
    }
    if !real_time && priority != 0 {
        return invalid("priority", &priority, "only SCHED_FIFO and SCHED_RR have one");
    }
    let times = [scheduler.runtime(), scheduler.deadline(), scheduler.period()].map(|time| time.unwrap_or(0));
    let [runtime, deadline, period] = times;
    if policy != Policy::SchedDeadline && times != [0; 3] {
        return invalid("runtime, deadline, period", &format!("{times:?}"), "only SCHED_DEADLINE has them");
    }
    if policy == Policy::SchedDeadline && (runtime == 0 || runtime > deadline || (period != 0 && deadline > period)) {
        let why = "must be above 0 and rise: runtime ≤ deadline ≤ period";
        return invalid("runtime, deadline, period", &format!("{times:?}"), why);
    }
    let flags = scheduler.flags().iter().flatten().map(|name| flag(*name)).fold(0, |all, flag| all | flag);
    let priority = u32::try_from(priority).unwrap_or_default();
    Ok(Attributes { policy: number, flags, nice, priority, runtime, deadline, period })
}

/// `SCHED_FLAG_*` of `linux/sched.h`.
fn flag(flag: LinuxSchedulerFlag) -> u64 {
    match flag {
        LinuxSchedulerFlag::SchedResetOnFork => 0x01,
        LinuxSchedulerFlag::SchedFlagReclaim => 0x02,
        LinuxSchedulerFlag::SchedFlagDLOverrun => 0x04,
        LinuxSchedulerFlag::SchedFlagKeepPolicy => 0x08,
        LinuxSchedulerFlag::SchedFlagKeepParams => 0x10,
        LinuxSchedulerFlag::SchedFlagUtilClampMin => 0x20,
        LinuxSchedulerFlag::SchedFlagUtilClampMax => 0x40,
    }
}

fn io_priority(wanted: &LinuxIOPriority) -> Result<Step> {
    let class = match wanted.class() {
        IOPriorityClass::IoprioClassRt => 1,
        IOPriorityClass::IoprioClassBe => 2,
        IOPriorityClass::IoprioClassIdle => 3,
    };
    let level = wanted.priority();
    match u16::try_from(level) {
        Ok(level) if level <= 7 => {
            Ok(Step::IoPriority { class: wanted.class().to_string(), value: class << 13 | level })
        }
        _ => {
            let message = format!("process.ioPriority.priority {level}: is not between 0 and 7");
            Err(Error::new(ErrorKind::Invalid, message))
        }
    }
}

/// The step of `linux.memoryPolicy` (`set_mempolicy(2)`).
pub(super) fn memory_policy(wanted: &LinuxMemoryPolicy) -> Result<Step> {
    use MemoryPolicyModeType as Mode;
    let mode = match wanted.mode() {
        Mode::MpolDefault => 0,
        Mode::MpolPreferred => 1,
        Mode::MpolBind => 2,
        Mode::MpolInterleave => 3,
        Mode::MpolLocal => 4,
        Mode::MpolPreferredMany => 5,
        Mode::MpolWeightedInterleave => 6,
    };
    let flag = |flag: &MemoryPolicyFlagType| match flag {
        MemoryPolicyFlagType::MpolFNumaBalancing => 1 << 13,
        MemoryPolicyFlagType::MpolFRelativeNodes => 1 << 14,
        MemoryPolicyFlagType::MpolFStaticNodes => 1 << 15,
    };
    let flags = wanted.flags().iter().flatten().map(flag).fold(0, |all, flag| all | flag);
    let list = wanted.nodes().clone().filter(|nodes| !nodes.is_empty());
    let nodes = list.as_deref().map(|list| ranges::mask(list, "linux.memoryPolicy.nodes")).transpose()?;
    let needs = !matches!(wanted.mode(), Mode::MpolDefault | Mode::MpolLocal | Mode::MpolPreferred);
    let takes = !matches!(wanted.mode(), Mode::MpolDefault | Mode::MpolLocal);
    if (needs && nodes.is_none()) || (!takes && nodes.is_some()) {
        let message = format!(
            "linux.memoryPolicy.nodes {:?}: {} {}",
            list.unwrap_or_default(),
            wanted.mode(),
            if needs { "needs some" } else { "has none" }
        );
        return Err(Error::new(ErrorKind::Invalid, message));
    }
    let shown = format!("{} {}", wanted.mode(), list.unwrap_or_default());
    Ok(Step::MemoryPolicy { shown: shown.trim_end().to_owned(), mode: mode | flags, nodes: nodes.unwrap_or_default() })
}

/// Flags of `linux/personality.h` by their names. The specification names none; these are the kernel's.
const PERSONALITY_FLAGS: [(&str, u32); 11] = [
    ("UNAME26", 0x002_0000),
    ("ADDR_NO_RANDOMIZE", 0x004_0000),
    ("FDPIC_FUNCPTRS", 0x008_0000),
    ("MMAP_PAGE_ZERO", 0x010_0000),
    ("ADDR_COMPAT_LAYOUT", 0x020_0000),
    ("READ_IMPLIES_EXEC", 0x040_0000),
    ("ADDR_LIMIT_32BIT", 0x080_0000),
    ("SHORT_INODE", 0x100_0000),
    ("WHOLE_SECONDS", 0x200_0000),
    ("STICKY_TIMEOUTS", 0x400_0000),
    ("ADDR_LIMIT_3GB", 0x800_0000),
];

/// The step of `linux.personality` (`personality(2)`).
pub(super) fn personality(wanted: &LinuxPersonality) -> Result<Step> {
    let mut value = match wanted.domain() {
        LinuxPersonalityDomain::PerLinux => 0,
        LinuxPersonalityDomain::PerLinux32 => 8,
    };
    let mut shown = wanted.domain().to_string();
    for name in wanted.flags().iter().flatten() {
        let found = PERSONALITY_FLAGS.iter().find(|(known, _)| known == name);
        let (known, bit) = found.ok_or_else(|| {
            let known: Vec<&str> = PERSONALITY_FLAGS.iter().map(|(known, _)| *known).collect();
            Error::new(ErrorKind::Invalid, format!("linux.personality.flags {name:?}: is none of {}", known.join(", ")))
        })?;
        value |= bit;
        shown = format!("{shown} {known}");
    }
    Ok(Step::Personality { shown, value })
}

#[cfg(test)]
mod tests;
