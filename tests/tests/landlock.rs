//! Landlock per container, by an annotation; see `docs/landlock.md`.

use end_to_end::Result;
use end_to_end::bundle::Bundle;
use serde_json::json;

const EVERY_FILE: &str = "read_file";

fn rules(handled: &[&str], rules: &[(&[&str], &[&str])], strict: bool) -> String {
    let rules: Vec<_> = rules.iter().map(|(access, paths)| json!({"allowedAccess": access, "paths": paths})).collect();
    json!({
        "ruleset": {"handledAccess": {"handledAccessFs": handled}},
        "rules": {"pathBeneath": rules},
        "disableBestEffort": strict
    })
    .to_string()
}

#[test]
fn what_no_rule_allows_is_forbidden_to_all_processes() -> Result {
    let mut bundle = Bundle::new()?;
    let rootfs = bundle.path().join("rootfs");
    std::fs::create_dir_all(rootfs.join("data"))?;
    std::fs::write(rootfs.join("data/secret"), "secret\n")?;
    std::fs::write(rootfs.join("data/open"), "open\n")?;
    let allowed: &[(&[&str], &[&str])] =
        &[(&["execute", EVERY_FILE], &["/bin", "/proc"]), (&[EVERY_FILE], &["/data/open"])];
    let annotation = rules(&["execute", EVERY_FILE, "refer", "ioctl_dev"], allowed, false);
    bundle.config["annotations"] = json!({"org.phial.landlock": annotation});
    let script = "cat /data/open; cat /data/secret";
    bundle.arguments(&["sh", "-c", script]);
    for no_new_privileges in [true, false] {
        bundle.config["process"]["noNewPrivileges"] = json!(no_new_privileges);
        let output = bundle.run(&["run", "c"])?.exited(1)?;
        assert_eq!(output.stdout, "open\n", "{output:?}");
        assert!(output.stderr.contains("/data/secret': Permission denied"), "{output:?}");
    }
    bundle.arguments(&["sleep", "1000"]);
    bundle.create(&["c"])?;
    let output = bundle.run(&["exec", "c", "sh", "-c", script])?.exited(1)?;
    assert_eq!(output.stdout, "open\n", "{output:?}");
    Ok(())
}

#[test]
fn what_cannot_be_is_refused() -> Result {
    let mut bundle = Bundle::new()?;
    bundle.arguments(&["true"]);
    let absent = rules(&[EVERY_FILE], &[(&[EVERY_FILE], &["/absent"])], true);
    for (annotation, expected) in [
        (absent.as_str(), "allow access below /absent (Landlock): No such file or directory"),
        ("{", "annotation org.phial.landlock: EOF while parsing"),
        (&rules(&["fly"], &[], false), "annotation org.phial.landlock: handledAccessFs \"fly\": is no kind of access"),
    ] {
        bundle.config["annotations"] = json!({"org.phial.landlock": annotation});
        let output = bundle.run(&["run", "c"])?.exited(1)?;
        assert!(output.stderr.contains(expected), "{output:?}");
    }
    Ok(())
}
