//! Plans of whole configurations, as text.

use std::path::Path;

use oci_spec::runtime::Spec;

use super::{Context, Plan, Streams};
use crate::cgroup::Hierarchy;
use crate::protocol::Rootfs;

fn plan(json: &str) -> crate::Result<Plan> {
    let spec: Spec = serde_json::from_str(json).expect("a configuration");
    let hierarchies =
        [Hierarchy { name: "unified".into(), mount: "/sys/fs/cgroup".into(), unified: true, controllers: Vec::new() }];
    let rootfs = Rootfs::Directory("/image".into());
    let context = Context { hierarchies: &hierarchies, ..Context::new("one", &rootfs, Path::new("/bundle")) };
    Plan::container(&spec, &context)
}

fn steps(json: &str) -> String {
    let plan = plan(json).expect("a valid configuration");
    plan.steps.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

const MINIMAL: &str = r#"{"ociVersion":"1.2.0","root":{"path":"rootfs"},
    "process":{"cwd":"/","args":["true"],"user":{"uid":0,"gid":0}},
    "linux":{"namespaces":[{"type":"mount"}]}}"#;

#[test]
fn a_minimal_container() {
    insta::assert_snapshot!(steps(MINIMAL), @r"
    make every mount Private (recursively)
    attach root /image
    make device /dev/null
    make device /dev/zero
    make device /dev/full
    make device /dev/random
    make device /dev/urandom
    make device /dev/tty
    link /dev/fd to /proc/self/fd
    link /dev/stdin to /proc/self/fd/0
    link /dev/stdout to /proc/self/fd/1
    link /dev/stderr to /proc/self/fd/2
    link /dev/ptmx to pts/ptmx
    make working directory /
    make it the root
    new session
    take stdio (owner 0)
    change to working directory /
    set umask 0022
    find home directory of user 0
    become user 0 group 0
    execute program
    ");
}

#[test]
fn privileges_are_dropped_after_everything_that_needs_them() {
    let json = r#"{"ociVersion":"1.2.0","root":{"path":"rootfs","readonly":true},"hostname":"glass",
        "process":{"cwd":"/srv","args":["sh"],"env":["PATH=/bin:/sbin","A=1","A=2"],"noNewPrivileges":true,"terminal":true,
            "user":{"uid":7,"gid":8,"additionalGids":[9,8]},
            "rlimits":[{"type":"RLIMIT_NOFILE","soft":10,"hard":20}]},
        "mounts":[{"destination":"/proc","type":"proc","source":"proc"},
            {"destination":"/dev","type":"tmpfs","source":"tmpfs","options":["nosuid","mode=755"]},
            {"destination":"data","type":"bind","source":"/host","options":["rbind","ro"]},
            {"destination":"/sys/fs/cgroup","type":"cgroup","source":"cgroup","options":["ro"]}],
        "linux":{"namespaces":[{"type":"mount"},{"type":"pid"},{"type":"uts"},{"type":"cgroup"},{"type":"network"}],
            "maskedPaths":["/proc/kcore"],"readonlyPaths":["/proc/sys"],"sysctl":{"net.ipv4.ip_forward":"1"},
            "seccomp":{"defaultAction":"SCMP_ACT_ALLOW"}}}"#;
    insta::assert_snapshot!(steps(json), @r"
    new cgroup namespace
    make every mount Private (recursively)
    attach root /image
    bring up loopback interface lo
    set host name glass
    mount proc on /proc
    mount tmpfs on /dev
    mount /host on /data
    mount cgroup hierarchy 0 on /sys/fs/cgroup
    make device /dev/null
    make device /dev/zero
    make device /dev/full
    make device /dev/random
    make device /dev/urandom
    make device /dev/tty
    link /dev/fd to /proc/self/fd
    link /dev/stdin to /proc/self/fd/0
    link /dev/stdout to /proc/self/fd/1
    link /dev/stderr to /proc/self/fd/2
    link /dev/ptmx to pts/ptmx
    make /proc/sys read-only
    mask /proc/kcore
    make working directory /srv
    change mount /
    make it the root
    write 1 to /proc/sys/net/ipv4/ip_forward
    new session
    open terminal
    set limit nofile to 10:20
    change to working directory /srv
    set umask 0022
    find home directory of user 7
    become user 7 group 8
    set no_new_privs
    install seccomp filter
    execute program
    ");
    let program = plan(json).expect("valid").program;
    assert_eq!(program.candidates, [c"/bin/sh".to_owned(), c"/sbin/sh".to_owned()]);
    assert_eq!(program.environment.strings(), [c"PATH=/bin:/sbin".to_owned(), c"A=2".to_owned()]);
}

#[test]
fn who_shares_the_hosts_mounts_leaves_them_alone() {
    let shared = steps(&MINIMAL.replace(r#"{"type":"mount"}"#, ""));
    assert!(shared.starts_with("attach root"), "{shared}");
    assert!(shared.contains("make it the root of this process"), "{shared}");
}

#[test]
fn what_cannot_be_done_is_refused_by_name() {
    let with = |field: &str, value: &str| {
        let mut json: serde_json::Value = serde_json::from_str(MINIMAL).expect("JSON");
        let value: serde_json::Value = serde_json::from_str(value).expect("JSON");
        let (parent, name) = field.rsplit_once('/').expect("a pointer");
        json.pointer_mut(parent).expect("is there")[name] = value;
        plan(&json.to_string()).expect_err("must be refused").to_string()
    };
    for (field, value, message) in [
        ("/linux/namespaces", r#"[{"type":"user"}]"#, "linux.namespaces: in a user namespace nothing can be mounted"),
        ("/linux/namespaces", r#"[{"type":"mount"},{"type":"mount"}]"#, "linux.namespaces: mount is there twice"),
        ("/hostname", r#""x""#, "hostname \"x\": needs a uts namespace"),
        ("/process/args", "[]", "process.args: is empty"),
        ("/process/user", r#"{"uid":4294967295,"gid":0}"#, "process.user.uid 4294967295: is no id"),
        (
            "/process/user",
            r#"{"uid":1,"gid":1,"additionalGids":[4294967295]}"#,
            "process.user.additionalGids 4294967295: is no id",
        ),
        ("/process/oomScoreAdj", "1001", "process.oomScoreAdj 1001: is not between"),
        ("/annotations", r#"{"org.phial.landlock":"{}"}"#, "annotation org.phial.landlock: missing field `ruleset`"),
        (
            "/linux/seccomp",
            r#"{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["mkdir"],"action":"SCMP_ACT_NOTIFY"}]}"#,
            "linux.seccomp: SCMP_ACT_NOTIFY needs a listenerPath",
        ),
        (
            "/linux/sysctl",
            r#"{"kernel.core_pattern":"|x"}"#,
            "linux.sysctl \"kernel.core_pattern\": is not a parameter",
        ),
        ("/linux/sysctl", r#"{"net.../../kernel":"x"}"#, "linux.sysctl \"net.../../kernel\": is not a parameter"),
        ("/mounts", r#"[{"destination":"/","type":"tmpfs"}]"#, "mounts: a mount on / would replace"),
        (
            "/mounts",
            r#"[{"destination":"/proc/self/attr","type":"bind","source":"/x"}]"#,
            "mount on /proc/self/attr: only",
        ),
        ("/mounts", r#"[{"destination":"/proc","type":"cgroup","source":"x"}]"#, "mount on /proc: only"),
        (
            "/linux/devices",
            r#"[{"path":"/x/../proc","type":"c","major":1,"minor":1},{"path":"//proc","type":"c","major":1,"minor":1}]"#,
            "linux.devices //proc: no device can be in /proc",
        ),
        ("/mounts", r#"[{"destination":"/x","type":"bind"}]"#, "mount on /x: a bind mount needs a source"),
        ("/process/rlimits", r#"[{"type":"RLIMIT_CORE","soft":2,"hard":1}]"#, "process.rlimits core: the soft limit 2"),
    ] {
        let error = with(field, value);
        assert!(error.starts_with(message), "{field} {value}: {error}");
    }
}

#[test]
fn a_process_with_everything() {
    let json = r#"{"ociVersion":"1.3.0","root":{"path":"rootfs"},
        "annotations":{"org.phial.landlock":"{\"ruleset\":{\"handledAccess\":{\"handledAccessFs\":[\"execute\"]}},\"rules\":{\"pathBeneath\":[{\"allowedAccess\":[\"execute\"],\"paths\":[\"/bin\"]}]}}"},
        "process":{"cwd":"/","args":["true"],"env":["HOME=","HOME=/x"],"user":{"uid":0,"gid":0},"oomScoreAdj":5,
            "scheduler":{"policy":"SCHED_BATCH"},"ioPriority":{"class":"IOPRIO_CLASS_BE","priority":4},
            "execCPUAffinity":{"initial":"0"},"apparmorProfile":"strict","selinuxLabel":"a:b:c"},
        "mounts":[{"destination":"/proc","type":"proc"},{"destination":"/tmp","type":"tmpfs"},
            {"destination":"/dev/mqueue","type":"mqueue"}],
        "linux":{"namespaces":[{"type":"mount"},{"type":"user"},{"type":"ipc"}],"mountLabel":"d:e:f",
            "personality":{"domain":"LINUX32"},"memoryPolicy":{"mode":"MPOL_LOCAL"},
            "uidMappings":[],"seccomp":{"defaultAction":"SCMP_ACT_ALLOW"}}}"#;
    let all = steps(json);
    let (early, late): (Vec<&str>, Vec<&str>) = (
        all.lines()
            .filter(|line| line.contains("mount") && line.contains(" on ") || line.contains("label /"))
            .collect(),
        all.lines().skip_while(|line| *line != "new session").collect(),
    );
    assert!(all.starts_with("become root of the new user namespace\nset oom_score_adj 5\n"), "{all}");
    insta::assert_snapshot!(early[..4].join("\n"), @r"
    mount proc on /proc
    mount tmpfs on /tmp
    mount mqueue on /dev/mqueue
    label /dev/mqueue d:e:f
    ");
    insta::assert_snapshot!(late.join("\n"), @r"
    new session
    take stdio (owner 0)
    set scheduler SCHED_BATCH
    set I/O priority IOPRIO_CLASS_BE 4
    set personality LINUX32
    set memory policy MPOL_LOCAL
    change to working directory /
    set umask 0022
    allow access below /bin (Landlock)
    use SELinux label a:b:c
    use AppArmor profile strict
    restrict to Landlock rules
    install seccomp filter
    become user 0 group 0
    execute program
    ");
}

#[test]
fn a_further_process_is_confined_as_the_first() {
    let json = r#"{"ociVersion":"1.3.0","linux":{"personality":{"domain":"LINUX"},
        "intelRdt":{"closID":"gold","enableMonitoring":true},"seccomp":{"defaultAction":"SCMP_ACT_ALLOW"}}}"#;
    let spec: Spec = serde_json::from_str(json).expect("a configuration");
    let process = r#"{"cwd":"/","args":["true"],"env":["HOME=/"],"user":{"uid":0,"gid":0},"oomScoreAdj":5,
        "execCPUAffinity":{"initial":"0","final":"1"}}"#;
    let process = serde_json::from_str(process).expect("a process");
    let confinement = super::Confinement::of(&spec, "one").expect("valid");
    let plan = Plan::exec(&process, &[], None, confinement, Streams::Given).expect("valid");
    assert_eq!(plan.processors, Some(vec![1]));
    let steps: Vec<String> = plan.steps.iter().map(ToString::to_string).collect();
    insta::assert_snapshot!(steps.join("\n"), @r"
    set oom_score_adj 5
    join resctrl group gold
    join resctrl group gold (monitor)
    run on processors 1
    new session
    take stdio (owner 0)
    set personality LINUX
    change to working directory /
    set umask 0022
    install seccomp filter
    become user 0 group 0
    execute program
    ");
}

/// The steps up to the root, of a container with these namespaces.
fn early(linux: &str) -> String {
    let json = MINIMAL.replace(r#""linux":{"namespaces":[{"type":"mount"}]}"#, linux);
    let plan = plan(&json).expect("a valid configuration");
    let steps = plan.steps.iter().map(ToString::to_string).take_while(|step| !step.starts_with("attach root"));
    let clone = super::namespaces::Names(plan.namespaces);
    format!("clone{clone}\n{}", steps.collect::<Vec<_>>().join("\n"))
}

#[test]
fn a_new_user_namespace_owns_what_is_new_and_the_parent_enters_the_rest() {
    let linux = r#""linux":{"uidMappings":[{"containerID":0,"hostID":1,"size":1}],"namespaces":[{"type":"mount"},
        {"type":"user"},{"type":"network","path":"/net"},{"type":"pid"},{"type":"time"},{"type":"cgroup"},
        {"type":"pid"}]}"#;
    let twice = MINIMAL.replace(r#""linux":{"namespaces":[{"type":"mount"}]}"#, linux);
    assert_eq!(plan(&twice).expect_err("refused").to_string(), "linux.namespaces: pid is there twice");
    insta::assert_snapshot!(early(&linux.replace(",\n        {\"type\":\"pid\"}]", "]")), @r"
    clone user pid mount
    become root of the new user namespace
    join network namespace /net
    new cgroup namespace
    new time namespace
    make every mount Private (recursively)
    ");
}

#[test]
fn a_user_namespace_that_exists_is_entered_first_and_mounts_last() {
    let linux = r#""linux":{"timeOffsets":{"monotonic":{"secs":5}},"uidMappings":[{"containerID":0,"hostID":1,"size":1}],
        "namespaces":[{"type":"mount","path":"/mnt"},{"type":"ipc","path":"/ipc"},{"type":"network"},{"type":"pid"},
        {"type":"time"},{"type":"user","path":"/user"}]}"#;
    insta::assert_snapshot!(early(linux), @r"
    clone
    join user namespace /user
    compare the maps of the user namespace
    become root of the new user namespace
    join ipc namespace /ipc
    new namespaces pid network
    new time namespace with offsets monotonic 5 0
    join mount namespace /mnt
    make every mount Private (recursively)
    ");
}

#[test]
fn every_namespace_is_entered_by_a_further_process() {
    let linux = r#""linux":{"namespaces":[{"type":"mount"},{"type":"user","path":"/user"},{"type":"pid"},
        {"type":"uts","path":"/uts"},{"type":"time"},{"type":"cgroup"}]}"#;
    let json = MINIMAL.replace(r#""linux":{"namespaces":[{"type":"mount"}]}"#, linux);
    let plan = plan(&json).expect("valid");
    assert_eq!(super::namespaces::Names(plan.all_namespaces()).to_string(), " user pid uts cgroup time mount");
    assert_eq!(plan.namespaces, 0);
}

#[test]
fn a_read_only_tmpfs_is_closed_when_everything_is_in_it() {
    let json = MINIMAL.replace(r#""cwd":"/""#, r#""cwd":"/","terminal":true"#).replace(
        r#""linux":"#,
        r#""mounts":[{"destination":"/a","type":"tmpfs","options":["ro"]},
            {"destination":"/b","type":"tmpfs","options":["ro"]},{"destination":"/b","type":"tmpfs"},
            {"destination":"/dev","type":"tmpfs","options":["ro"]}],"linux":"#,
    );
    let all = steps(&json);
    let order: Vec<&str> = all
        .lines()
        .filter(|line| {
            line.starts_with("change mount")
                || ["make device /dev/tty", "make it the root", "open terminal"].contains(line)
        })
        .collect();
    insta::assert_snapshot!(order.join("\n"), @r"
    make device /dev/tty
    change mount /a
    make it the root
    open terminal
    change mount /dev
    ");
}

/// The one mount of a plan.
fn mount(json: &str, namespaces: &str) -> crate::Result<super::Step> {
    let with = format!(r#""mounts":[{json}],"linux":{{"namespaces":[{{"type":"mount"}}{namespaces}]}}"#);
    let json = MINIMAL.replace(r#""linux":{"namespaces":[{"type":"mount"}]}"#, &with);
    let plan = plan(&json)?;
    let is_mount = |step: &super::Step| {
        use super::Step::{Attach, Mount};
        matches!(step, Mount(_) | Attach { source: super::Source::Bind(_) | super::Source::CgroupTree { .. }, .. })
    };
    Ok(plan.steps.into_iter().find(is_mount).expect("a mount"))
}

#[test]
fn attributes_of_bind_mounts_are_one_change_or_two() {
    use rustix::mount::MountAttrFlags as Attr;
    use sys::mount::{Change, Propagation};
    let bind = |options: &str| {
        let json = format!(r#"{{"destination":"/x","source":"y","options":[{options}]}}"#);
        match mount(&json, "").expect("valid") {
            super::Step::Attach { source: super::Source::Bind(bind), .. } => bind,
            step => panic!("{step}"),
        }
    };
    let private = Change { propagation: Some(Propagation::Private), recursive: true, ..Change::NONE };
    let one = bind(r#""bind","ro","noexec""#);
    let set = Attr::MOUNT_ATTR_RDONLY | Attr::MOUNT_ATTR_NOEXEC;
    assert_eq!((one.everywhere, one.top), (Change { set, ..private }, Change::NONE));
    // Relative to the bundle.
    assert_eq!(one.path, Path::new("/bundle/y"));
    let two = bind(r#""rbind","ro","rnoexec","slave""#);
    assert_eq!(two.everywhere, Change { set: Attr::MOUNT_ATTR_NOEXEC, ..private });
    let slave = Some(Propagation::Slave);
    assert_eq!(two.top, Change { set: Attr::MOUNT_ATTR_RDONLY, propagation: slave, ..Change::NONE });
    let all = bind(r#""rbind","ro","rrw","rslave""#);
    assert_eq!(all.everywhere, Change { clear: Attr::MOUNT_ATTR_RDONLY, propagation: slave, ..private });
    assert!(all.top.is_none());
}

#[test]
fn cgroups_without_a_namespace_of_them_are_the_hosts() {
    let json = r#"{"destination":"/sys/fs/cgroup","type":"cgroup","options":["ro"]}"#;
    let shown = |namespaces: &str| mount(json, namespaces).expect("valid").to_string();
    assert_eq!(shown(r#",{"type":"cgroup"}"#), "mount cgroup hierarchy 0 on /sys/fs/cgroup");
    assert_eq!(shown(""), "mount /sys/fs/cgroup on /sys/fs/cgroup");
}
