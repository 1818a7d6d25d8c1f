//! Whatever a configuration says, it becomes a plan or an error in words, and a plan keeps its promises.
//!
//! Each test is a fuzz target of bolero. In an ordinary run it tries a bounded number of inputs; CONTRIBUTING.md says
//! how to let one run for longer.

mod json;

use std::path::Path;

use oci_spec::runtime::{LinuxIdMapping, LinuxSeccomp, Process, Spec};
use runtime::cgroup::Hierarchy;
use runtime::plan::{Confinement, Context, Plan, Step, Streams};
use runtime::protocol::Rootfs;
use runtime::{idmap, seccomp};

/// A configuration with something of everything.
const CONFIGURATION: &str = include_str!("configuration.json");

/// Inputs of one run of the tests.
const ITERATIONS: usize = 2000;

fn plan(spec: &Spec) -> runtime::Result<Plan> {
    let hierarchies =
        [Hierarchy { name: "unified".into(), mount: "/sys/fs/cgroup".into(), unified: true, controllers: Vec::new() }];
    let rootfs = Rootfs::Directory("/image".into());
    let context = Context { hierarchies: &hierarchies, ..Context::new("one", &rootfs, Path::new("/bundle")) };
    Plan::container(spec, &context)
}

/// What holds for every plan of a container.
fn keeps_its_promises(plan: &Plan) {
    let position = |is: fn(&Step) -> bool| plan.steps.iter().position(is);
    let count = |is: fn(&Step) -> bool| plan.steps.iter().filter(|step| is(step)).count();
    assert!(matches!(plan.steps.last(), Some(Step::Execute)), "the program comes last");
    assert_eq!(count(|step| matches!(step, Step::Execute)), 1);
    assert_eq!(count(|step| matches!(step, Step::Credentials(_))), 1, "privileges are dropped once");
    let root = position(|step| matches!(step, Step::EnterRoot { .. })).expect("the root is entered");
    let drop = position(|step| matches!(step, Step::Credentials(_))).expect("just counted");
    assert!(root < drop);
    for (number, step) in plan.steps.iter().enumerate() {
        if let Step::Attach { target, .. } = step {
            assert!(number < root && target.to_bytes().starts_with(b"/"), "{step}");
            // CVE-2019-16884: nothing of the host takes writes in place of /proc.
            assert!(!target.to_bytes().starts_with(b"/proc/self") && target.as_c_str() != c"/proc", "{step}");
        }
        if let Step::Sysctl { path, .. } = step {
            let parts: Vec<&[u8]> = path.to_bytes().split(|byte| *byte == b'/').collect();
            assert!(parts.starts_with(&[b"", b"proc", b"sys"]) && !parts.contains(&&b".."[..]), "{step}");
        }
        assert!(!step.to_string().is_empty());
    }
    assert!(!plan.program.candidates.is_empty());
    let filtered = plan.confinement.seccomp.is_some();
    assert_eq!(count(|step| matches!(step, Step::Seccomp)), usize::from(filtered));
}

fn is_worded(error: &impl ToString) {
    let text = error.to_string();
    assert!(!text.is_empty() && !text.contains("panicked"), "{text}");
}

#[test]
fn the_example_is_a_plan() {
    let spec: Spec = serde_json::from_str(CONFIGURATION).expect("a configuration");
    keeps_its_promises(&plan(&spec).unwrap_or_else(|error| panic!("{error}")));
}

#[test]
fn configurations() {
    bolero::check!().with_iterations(ITERATIONS).with_type::<json::Changes>().for_each(|changes| {
        let Ok(spec) = serde_json::from_slice::<Spec>(&changes.applied_to(CONFIGURATION)) else { return };
        match plan(&spec) {
            Ok(plan) => keeps_its_promises(&plan),
            Err(error) => is_worded(&error),
        }
    });
}

#[test]
fn bytes_in_place_of_a_configuration() {
    bolero::check!().with_iterations(ITERATIONS).for_each(|bytes: &[u8]| {
        if let Ok(spec) = serde_json::from_slice::<Spec>(bytes) {
            plan(&spec).map_or_else(|error| is_worded(&error), |plan| keeps_its_promises(&plan));
        }
    });
}

#[test]
fn further_processes() {
    let whole: serde_json::Value = serde_json::from_str(CONFIGURATION).expect("JSON");
    let process = whole["process"].to_string();
    bolero::check!().with_iterations(ITERATIONS).with_type::<json::Changes>().for_each(|changes| {
        let Ok(process) = serde_json::from_slice::<Process>(&changes.applied_to(&process)) else { return };
        match Plan::exec(&process, &[], None, Confinement::default(), Streams::Given) {
            Ok(plan) => assert!(matches!(plan.steps.last(), Some(Step::Execute))),
            Err(error) => is_worded(&error),
        }
    });
}

#[test]
fn filters() {
    let whole: serde_json::Value = serde_json::from_str(CONFIGURATION).expect("JSON");
    let section = whole["linux"]["seccomp"].to_string();
    bolero::check!().with_iterations(ITERATIONS).with_type::<json::Changes>().for_each(|changes| {
        let Ok(profile) = serde_json::from_slice::<LinuxSeccomp>(&changes.applied_to(&section)) else { return };
        match seccomp::compile(&profile) {
            Ok(filter) => can_be_installed(&filter),
            Err(error) => is_worded(&error),
        }
    });
}

/// What the kernel checks of a program (`bpf_check_classic`): every jump goes forward and stays inside, the last
/// instruction gives an answer, every load is of a whole word of `struct seccomp_data`.
fn can_be_installed(filter: &seccomp::Filter) {
    const CLASS: u16 = 0x07;
    let program = filter.program();
    assert!((2..=sys::seccomp::MAX_INSTRUCTIONS).contains(&program.len()));
    for (number, instruction) in program.iter().enumerate() {
        let left = program.len() - number - 1;
        match instruction.code & CLASS {
            0x05 if instruction.code == 0x05 => assert!((instruction.k as usize) < left),
            0x05 => assert!(usize::from(instruction.jump_true.max(instruction.jump_false)) < left),
            0x00 => assert!(instruction.k < sys::seccomp::DATA_SIZE && instruction.k % 4 == 0),
            _ => {}
        }
    }
    assert_eq!(program.last().map(|last| last.code & CLASS), Some(0x06));
}

#[test]
fn mount_options() {
    const WORDS: [&str; 24] = [
        "ro",
        "rw",
        "rbind",
        "bind",
        "nosuid",
        "noexec",
        "rro",
        "ratime",
        "norelatime",
        "strictatime",
        "rslave",
        "shared",
        "unbindable",
        "idmap",
        "ridmap",
        "tmpcopyup",
        "mode=755",
        "size=1k",
        "gid=5",
        "newinstance",
        "=",
        "",
        "remount",
        "copy-symlink",
    ];
    let types = [None, Some("bind"), Some("tmpfs"), Some("proc"), Some("cgroup"), Some("devpts"), Some("")];
    let kinds = bolero::produce::<(u8, bool, String, Vec<(u8, String)>)>();
    bolero::check!().with_iterations(ITERATIONS).with_generator(kinds).for_each(|(kind, named, target, options)| {
        let word = |(number, text): &(u8, String)| {
            WORDS.get(usize::from(*number) % 32).map_or_else(|| text.clone(), |word| (*word).to_owned())
        };
        let options: Vec<String> = options.iter().map(word).collect();
        let target = if *named { "/data".to_owned() } else { target.clone() };
        let mut whole: serde_json::Value = serde_json::from_str(CONFIGURATION).expect("JSON");
        let kind = types.get(usize::from(*kind) % types.len()).copied().flatten();
        whole["mounts"] = serde_json::json!([
            {"destination": target, "type": kind, "source": "/source", "options": options}
        ]);
        let spec: Spec = serde_json::from_value(whole).expect("a configuration");
        plan(&spec).map_or_else(|error| is_worded(&error), |plan| keeps_its_promises(&plan));
    });
}

#[test]
fn id_maps() {
    bolero::check!().with_iterations(ITERATIONS).with_type::<Vec<(u32, u32, u32)>>().for_each(|maps| {
        let map = |&(inside, outside, size): &(u32, u32, u32)| -> LinuxIdMapping {
            let json = serde_json::json!({"containerID": inside, "hostID": outside, "size": size});
            serde_json::from_value(json).expect("a mapping")
        };
        let list: Vec<LinuxIdMapping> = maps.iter().map(map).collect();
        match idmap::text("linux.uidMappings", &list) {
            Err(error) => assert!(error.to_string().starts_with("linux.uidMappings: "), "{error}"),
            // What the kernel reads is what was meant, and no range goes past the end.
            Ok(text) => {
                let numbers = |line: &str| -> Vec<u32> {
                    line.split(' ').map(|number| number.parse().expect("a number")).collect()
                };
                let read: Vec<Vec<u32>> = text.lines().map(numbers).collect();
                let meant: Vec<Vec<u32>> = maps.iter().map(|(a, b, c)| vec![*a, *b, *c]).collect();
                assert_eq!(read, meant);
                assert!(maps.iter().all(|(a, b, c)| a.checked_add(*c).and(b.checked_add(*c)).is_some() && *c > 0));
            }
        }
    });
}
