//! What `process` in a configuration says of a container's process, and of further ones in it.

use end_to_end::bundle::Bundle;
use end_to_end::process::{program, run};
use end_to_end::{Context, Result};

/// Lines of `/proc/self/status` that begin with `Cap`.
const CAPABILITIES: &str = "while read k v; do case $k in Cap*) echo $k $v;; esac; done < /proc/self/status";

#[test]
fn what_other_runtimes_write_as_a_beginning_runs_here() -> Result {
    for peer in ["runc", "crun"] {
        let mut bundle = Bundle::new()?;
        let (own, cgroups) = (bundle.path().join("config.json"), bundle.config["linux"]["cgroupsPath"].clone());
        std::fs::remove_file(&own)?;
        run(std::process::Command::new(program(peer, peer)?).arg("spec").current_dir(bundle.path()))?.success()?;
        bundle.config = serde_json::from_slice(&std::fs::read(&own)?)?;
        bundle.config["process"]["terminal"] = false.into();
        bundle.config["linux"]["cgroupsPath"] = cgroups;
        bundle.arguments(&["sh", "-c", CAPABILITIES]);
        let ambient = bundle.config["process"]["capabilities"]["ambient"].as_array().map(Vec::len);
        assert!(ambient.is_none_or(|count| count > 0), "{peer}");
        let told = bundle.ok(&["run", "c"]).context(peer)?;
        assert!(told.contains("CapAmb: 0000000000000000\n") && told.contains("CapInh: 0000000000000000\n"), "{told}");
        assert!(!told.contains("CapPrm: 0000000000000000\n"), "{told}");
    }
    Ok(())
}
