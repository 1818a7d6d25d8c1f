//! What becomes a step, and what is refused by name.

use serde_json::{Value, json};

use super::*;

fn scheduler(json: Value) -> Result<Attributes> {
    attributes(&serde_json::from_value(json).expect("a scheduler"))
}

#[test]
fn schedulers_are_the_kernels() {
    let fifo = scheduler(json!({"policy": "SCHED_FIFO", "priority": 9, "flags": ["SCHED_RESET_ON_FORK"]}));
    let fifo = fifo.expect("valid");
    assert_eq!((fifo.policy, fifo.priority, fifo.flags, fifo.nice), (1, 9, 1, 0));
    let batch = scheduler(json!({"policy": "SCHED_BATCH", "nice": -20})).expect("valid");
    assert_eq!((batch.policy, batch.nice), (3, -20));
    let deadline = json!({"policy": "SCHED_DEADLINE", "runtime": 10, "deadline": 20, "period": 30});
    let deadline = scheduler(deadline).expect("valid");
    assert_eq!((deadline.policy, deadline.runtime, deadline.deadline, deadline.period), (6, 10, 20, 30));
}

#[test]
fn schedulers_that_cannot_be_are_refused() {
    for (json, message) in [
        (json!({"policy": "SCHED_OTHER", "nice": 20}), "process.scheduler.nice 20: is not between -20 and 19"),
        (json!({"policy": "SCHED_FIFO"}), "process.scheduler.priority 0: is not between 1 and 99"),
        (json!({"policy": "SCHED_RR", "priority": 100}), "process.scheduler.priority 100: is not between"),
        (json!({"policy": "SCHED_IDLE", "priority": 1}), "process.scheduler.priority 1: only SCHED_FIFO and SCHED_RR"),
        (json!({"policy": "SCHED_OTHER", "period": 1}), "process.scheduler.runtime, deadline, period [0, 0, 1]: only"),
        (
            json!({"policy": "SCHED_DEADLINE", "runtime": 3, "deadline": 2}),
            "process.scheduler.runtime, deadline, period",
        ),
        (json!({"policy": "SCHED_ISO"}), "process.scheduler.policy SCHED_ISO: is reserved"),
    ] {
        let error = scheduler(json).expect_err("refused").to_string();
        assert!(error.starts_with(message), "{error}");
    }
}

#[test]
fn priorities_of_input_and_output() {
    let step = |class: &str, priority: i64| {
        io_priority(&serde_json::from_value(json!({"class": class, "priority": priority})).expect("a priority"))
            .map(|step| step.to_string())
            .map_err(|error| error.to_string())
    };
    assert_eq!(step("IOPRIO_CLASS_BE", 3), Ok("set I/O priority IOPRIO_CLASS_BE 3".to_owned()));
    let refused = |level| Err(format!("process.ioPriority.priority {level}: is not between 0 and 7"));
    assert_eq!(step("IOPRIO_CLASS_RT", 8), refused(8));
    assert_eq!(step("IOPRIO_CLASS_IDLE", -1), refused(-1));
}

#[test]
fn affinities_are_lifted_where_no_other_follows() {
    let of = |json: Value| affinity(Some(&serde_json::from_value(json).expect("affinity"))).expect("valid");
    let shown = |step: Option<Step>| step.map(|step| step.to_string());
    let (first, last) = of(json!({"initial": "0", "final": "1-2"}));
    assert_eq!((first, shown(last)), (Some(vec![1]), Some("run on processors 1-2".to_owned())));
    let (first, last) = of(json!({"initial": "3"}));
    assert_eq!((first, shown(last)), (Some(vec![8]), Some("run on processors of the cgroup".to_owned())));
    let (first, last) = of(json!({}));
    assert_eq!((first, shown(last)), (None, None));
}

#[test]
fn memory_policies() {
    let of = |json: Value| memory_policy(&serde_json::from_value(json).expect("a policy"));
    let step = of(json!({"mode": "MPOL_BIND", "nodes": "0-1", "flags": ["MPOL_F_STATIC_NODES"]})).expect("valid");
    let Step::MemoryPolicy { mode, ref nodes, .. } = step else { panic!("{step}") };
    assert_eq!((mode, nodes.as_slice()), (0x8002, &[3][..]));
    assert_eq!(step.to_string(), "set memory policy MPOL_BIND 0-1");
    for (json, message) in [
        (json!({"mode": "MPOL_BIND"}), r#"linux.memoryPolicy.nodes "": MPOL_BIND needs some"#),
        (json!({"mode": "MPOL_LOCAL", "nodes": "0"}), r#"linux.memoryPolicy.nodes "0": MPOL_LOCAL has none"#),
        (json!({"mode": "MPOL_BIND", "nodes": "a"}), r#"linux.memoryPolicy.nodes "a": is no list"#),
    ] {
        let error = of(json).expect_err("refused").to_string();
        assert!(error.starts_with(message), "{error}");
    }
}

#[test]
fn personalities() {
    let of = |json: Value| personality(&serde_json::from_value(json).expect("a personality"));
    let step = of(json!({"domain": "LINUX32", "flags": ["ADDR_NO_RANDOMIZE"]})).expect("valid");
    let Step::Personality { value, .. } = step else { panic!("{step}") };
    assert_eq!((value, step.to_string().as_str()), (0x4_0008, "set personality LINUX32 ADDR_NO_RANDOMIZE"));
    let error = of(json!({"domain": "LINUX", "flags": ["SPEED"]})).expect_err("refused").to_string();
    assert!(error.starts_with(r#"linux.personality.flags "SPEED": is none of UNAME26, "#), "{error}");
}
