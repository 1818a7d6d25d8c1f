//! The report as JSON.
//!
//! Names are stable: lessons and tests read them. What could not be seen is `null`, and the reason stands in `unseen`.
//! A limit that is not set is `"max"`, the kernel's own word for it.

use crate::capabilities::Set;
use crate::cgroups::Limits;
use crate::json::Value;
use crate::limit::Limit;
use crate::mounts::{Mount, Purpose};
use crate::namespaces::{Kind, Namespace};
use crate::seen::Seen;
use crate::status::{Seccomp, Status};
use crate::view::View;

/// Collects reasons while values are made.
struct Reasons(Vec<String>);

impl Reasons {
    fn note<T>(&mut self, seen: &Seen<T>, value: impl FnOnce(&T) -> Value) -> Value {
        match seen {
            Ok(fact) => value(fact),
            Err(unseen) => {
                let reason = unseen.to_string();
                if !self.0.contains(&reason) {
                    self.0.push(reason);
                }
                Value::Null
            }
        }
    }
}

/// All that `view` holds.
pub(crate) fn report(view: &View) -> Value {
    let mut reasons = Reasons(Vec::new());
    let mut fields = vec![
        ("pid", view.pid.into()),
        ("processes_seen", reasons.note(&view.processes, |count| (*count).into())),
        ("hostname", reasons.note(&view.hostname, |name| name.as_str().into())),
        ("kernel", reasons.note(&view.kernel, |release| release.as_str().into())),
    ];
    fields.extend(privileges(view, &mut reasons));
    fields.push(("namespaces", namespaces(&view.namespaces, &mut reasons)));
    fields.push(("root", reasons.note(&view.mounts, |mounts| root(mounts))));
    fields.push(("mounts", reasons.note(&view.mounts, |mounts| mounts.iter().map(mount).collect::<Vec<_>>().into())));
    fields.push(("cgroups", groups(view, &mut reasons)));
    fields.push(("limits", limits(view, &mut reasons)));
    fields.push(("machine", machine(view, &mut reasons)));
    fields.push(("network", network(view, &mut reasons)));
    fields.push(("probes", probes(view)));
    fields.push(("unseen", reasons.0.into()));
    Value::Object(fields)
}

fn privileges(view: &View, reasons: &mut Reasons) -> Vec<(&'static str, Value)> {
    let user = |status: &Status| Value::Object(vec![("uid", status.uid.into()), ("gid", status.gid.into())]);
    let names = |set: &Set| set.names().into();
    vec![
        ("user", reasons.note(&view.status, user)),
        (
            "capabilities",
            Value::Object(vec![
                ("known", reasons.note(&view.effective, |set| set.of.into())),
                ("effective", reasons.note(&view.effective, names)),
                ("missing", reasons.note(&view.effective, |set| set.missing().into())),
                ("bounding", reasons.note(&view.bounding, names)),
            ]),
        ),
        ("no_new_privs", reasons.note(&view.status, |status| status.no_new_privs.into())),
        ("seccomp", reasons.note(&view.status, |status| seccomp(status.seccomp))),
    ]
}

fn seccomp(seccomp: Seccomp) -> Value {
    let (mode, filters): (&str, Value) = match seccomp {
        Seccomp::Off => ("disabled", 0_u64.into()),
        Seccomp::Strict => ("strict", 0_u64.into()),
        Seccomp::Filter { programs } => ("filter", programs.into()),
    };
    Value::Object(vec![("mode", mode.into()), ("filters", filters)])
}

fn namespaces(all: &[(Kind, Seen<Namespace>)], reasons: &mut Reasons) -> Value {
    let value =
        |namespace: &Namespace| Value::Object(vec![("number", namespace.number.into()), ("own", namespace.own.into())]);
    Value::Object(all.iter().map(|(kind, seen)| (kind.name, reasons.note(seen, value))).collect())
}

/// What `/` is: the first thing a lesson about images asks for.
fn root(mounts: &[Mount]) -> Value {
    let Some(root) = mounts.iter().find(|mount| mount.purpose() == Purpose::Root) else { return Value::Null };
    let (lower, writable) = root.layers().unzip();
    Value::Object(vec![
        ("type", root.kind.as_str().into()),
        ("read_only", root.read_only.into()),
        ("lower_layers", lower.into()),
        ("writable_layer", writable.into()),
    ])
}

fn mount(mount: &Mount) -> Value {
    let purpose = match mount.purpose() {
        Purpose::Root => "root",
        Purpose::Masked => "masked",
        Purpose::KernelReadOnly | Purpose::Kernel => "kernel",
        Purpose::Memory => "memory",
        Purpose::OutsideReadOnly | Purpose::Outside => "outside",
    };
    Value::Object(vec![
        ("target", mount.target.as_str().into()),
        ("type", mount.kind.as_str().into()),
        ("source_root", mount.root.as_str().into()),
        ("purpose", purpose.into()),
        ("read_only", mount.read_only.into()),
    ])
}

fn groups(view: &View, reasons: &mut Reasons) -> Value {
    reasons.note(&view.groups, |groups| {
        let group = |group: &crate::cgroups::Group| {
            Value::Object(vec![("controllers", group.controllers.clone().into()), ("path", group.path.as_str().into())])
        };
        Value::List(groups.iter().map(group).collect())
    })
}

fn limits(view: &View, reasons: &mut Reasons) -> Value {
    let limits = view.limits.clone().unwrap_or_else(|unseen| Limits {
        memory: Err(unseen.clone()),
        milli_cpus: Err(unseen.clone()),
        processes: Err(unseen),
    });
    Value::Object(vec![
        ("memory_bytes", reasons.note(&limits.memory, |limit| (*limit).into())),
        ("milli_cpus", reasons.note(&limits.milli_cpus, |limit| (*limit).into())),
        ("processes", reasons.note(&limits.processes, |limit| (*limit).into())),
        ("open_files", reasons.note(&view.open_files, |(soft, _)| (*soft).into())),
        ("open_files_hard", reasons.note(&view.open_files, |(_, hard)| (*hard).into())),
    ])
}

fn machine(view: &View, reasons: &mut Reasons) -> Value {
    Value::Object(vec![
        ("memory_bytes", reasons.note(&view.machine_memory, |bytes| (*bytes).into())),
        ("cpus", reasons.note(&view.status, |status| status.cpus.into())),
    ])
}

fn network(view: &View, reasons: &mut Reasons) -> Value {
    let addresses: Vec<String> = view.addresses.iter().map(ToString::to_string).collect();
    Value::Object(vec![
        ("interfaces", reasons.note(&view.interfaces, |names| names.clone().into())),
        ("outward_addresses", addresses.into()),
    ])
}

fn probes(view: &View) -> Value {
    let probe = |probe: &crate::probes::Probe| {
        Value::Object(vec![
            ("attempt", probe.attempt.into()),
            ("path", probe.path.as_str().into()),
            ("open", probe.open.into()),
            ("answer", probe.answer.as_str().into()),
        ])
    };
    Value::List(view.probes.iter().map(probe).collect())
}

impl From<Limit> for Value {
    fn from(limit: Limit) -> Value {
        match limit {
            Limit::None => "max".into(),
            Limit::Of(number) => number.into(),
        }
    }
}
