//! The default profile against the one that Docker's engine uses, for sets of capabilities, kernels and machines.
//!
//! Docker's profile is a file outside of the project: where it is absent, the test says that it was not run.

use std::collections::HashMap;
use std::path::Path;

use oci_spec::runtime::{Capabilities, Capability, LinuxSeccomp, LinuxSyscall};
use runtime::seccomp::syscalls::{Architecture, numbers};
use runtime::seccomp::{KernelVersion, ProfileContext, compile, default_profile};
use serde_json::Value;

use crate::interpreter::{Call, run};
use crate::probes;
use crate::reference::Reference;

/// What Docker grants a container that asks for nothing.
const DEFAULT_CAPABILITIES: [Capability; 14] = [
    Capability::AuditWrite,
    Capability::Chown,
    Capability::DacOverride,
    Capability::Fowner,
    Capability::Fsetid,
    Capability::Kill,
    Capability::Mknod,
    Capability::NetBindService,
    Capability::NetRaw,
    Capability::Setfcap,
    Capability::Setgid,
    Capability::Setpcap,
    Capability::Setuid,
    Capability::SysChroot,
];

/// Every capability that Docker's profile speaks of.
const UNLOCKING: [Capability; 14] = [
    Capability::Bpf,
    Capability::DacReadSearch,
    Capability::Perfmon,
    Capability::SysAdmin,
    Capability::SysBoot,
    Capability::SysChroot,
    Capability::SysModule,
    Capability::SysNice,
    Capability::SysPacct,
    Capability::SysPtrace,
    Capability::SysRawio,
    Capability::SysTime,
    Capability::SysTtyConfig,
    Capability::Syslog,
];

#[test]
fn the_default_profile_decides_as_docker_does() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/oci/docker-default-seccomp.json");
    let Ok(text) = std::fs::read(&file) else {
        eprintln!("not run: {} is not here", file.display());
        return;
    };
    let docker: Value = serde_json::from_slice(&text).expect("Docker's profile is JSON");
    let mut sets = vec![Capabilities::new(), DEFAULT_CAPABILITIES.into(), UNLOCKING.into()];
    sets.extend(UNLOCKING.map(|one| Capabilities::from([one])));
    sets.extend(UNLOCKING.map(|but| UNLOCKING.into_iter().filter(|one| *one != but).collect()));
    let kernel = |major, minor| KernelVersion { major, minor };
    for capabilities in &sets {
        for architecture in [Architecture::X86_64, Architecture::Aarch64] {
            for kernel in [kernel(3, 10), kernel(4, 7), kernel(4, 8), kernel(4, 10), kernel(6, 18)] {
                compare(&docker, &ProfileContext { capabilities, architecture, kernel });
            }
        }
    }
}

fn compare(docker: &Value, context: &ProfileContext) {
    let ours = default_profile(context);
    let theirs = resolve(docker, context);
    assert_eq!(ours.architectures(), theirs.architectures());
    assert_eq!(ours.default_errno_ret(), theirs.default_errno_ret());
    let compiled = |profile| compile(profile).expect("the profile compiles");
    let (our_filter, their_filter) = (compiled(&ours), compiled(&theirs));
    let reference = Reference::new(&ours);
    let sockets: HashMap<_, _> = [Architecture::X86_64, Architecture::X86, Architecture::X32]
        .into_iter()
        .chain([Architecture::Aarch64, Architecture::Arm])
        .map(|abi| ((abi.audit_token(), numbers("socket").and_then(|n| n.on(abi)).expect("everyone has it")), abi))
        .collect();
    let families = sockets.keys().flat_map(|&(audit_architecture, number)| {
        (0..64).map(move |family| Call { number, audit_architecture, arguments: [family, 1, 0, 0, 0, 0] })
    });
    for call in probes::calls(&ours).into_iter().chain(probes::calls(&theirs)).chain(families) {
        let (our_answer, their_answer) = (run(our_filter.program(), &call), run(their_filter.program(), &call));
        let socket = sockets.get(&(call.audit_architecture, call.number));
        let socket = socket.filter(|abi| reference.abi_of(&call) == Some(**abi));
        let family = socket.map(|abi| if abi.wide() { call.arguments[0] } else { call.arguments[0] & 0xffff_ffff });
        // On purpose: Docker lets families above 40 through, of which the kernel takes 32 of 64 bits. We let those
        // through that exist.
        if family.is_some_and(|family| family > 63) {
            assert_eq!((our_answer, their_answer), (0x0005_0001, 0x7fff_0000), "{call:#x?}");
            continue;
        }
        assert_eq!(our_answer, their_answer, "{call:#x?} for {context:?}");
    }
}

/// What Docker makes of its profile for a container (moby, `profiles/seccomp/seccomp_linux.go`).
fn resolve(docker: &Value, context: &ProfileContext) -> LinuxSeccomp {
    let strings = |value: &Value| -> Vec<String> {
        value.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
    };
    let native = context.architecture.oci().to_string();
    let machine = match context.architecture {
        Architecture::X86_64 => "amd64",
        Architecture::Aarch64 => "arm64",
        other => panic!("no Docker runs on {other:?}"),
    };
    let family = docker["archMap"].as_array().into_iter().flatten().find(|entry| entry["architecture"] == native);
    let family = family.expect("the machine is in the map");
    let architectures: Vec<_> = [native].into_iter().chain(strings(&family["subArchitectures"])).collect();
    let has = |name: &String| context.capabilities.iter().any(|one| format!("CAP_{one}") == *name);
    let old_enough = |minimum: &str| {
        let minimum = KernelVersion::of_release(minimum).expect("a version");
        context.kernel >= minimum
    };
    let applies = |rule: &&Value| {
        let (includes, excludes) = (&rule["includes"], &rule["excludes"]);
        let machines = strings(&includes["arches"]);
        (machines.is_empty() || machines.iter().any(|arch| arch == machine))
            && strings(&includes["caps"]).iter().all(has)
            && includes["minKernel"].as_str().is_none_or(old_enough)
            && !strings(&excludes["arches"]).iter().any(|arch| arch == machine)
            && !strings(&excludes["caps"]).iter().any(has)
    };
    let rules = docker["syscalls"].as_array().into_iter().flatten().filter(applies);
    let rules = rules.map(|rule| serde_json::from_value::<LinuxSyscall>(rule.clone()).expect("a rule"));
    let mut profile: LinuxSeccomp = serde_json::from_value(serde_json::json!({
        "defaultAction": docker["defaultAction"],
        "defaultErrnoRet": docker["defaultErrnoRet"],
        "architectures": architectures,
    }))
    .expect("a profile");
    profile.set_syscalls(Some(rules.collect()));
    profile
}
