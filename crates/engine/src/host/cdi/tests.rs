//! Specifications in directories, and what their devices change.

use super::*;
use crate::error::ErrorKind;

const GPU: &str = r#"{
    "cdiVersion": "0.8.0", "kind": "vendor.com/gpu",
    "devices": [
        {"name": "0", "containerEdits": {
            "env": ["GPU=0"],
            "deviceNodes": [{"path": "/dev/gpu0", "type": "c", "major": 195, "minor": 0, "fileMode": 438}],
            "additionalGids": [0, 44]
        }},
        {"name": "1", "containerEdits": {"deviceNodes": [{"path": "/dev/gpu1", "hostPath": "/dev/null", "permissions": "r"}]}},
        {"name": "slow", "containerEdits": {"intelRdt": {"closID": "x"}}}
    ],
    "containerEdits": {
        "env": ["DRIVER=1"],
        "mounts": [{"hostPath": "/opt/driver", "containerPath": "/usr/lib/driver", "options": ["ro", "nosuid"]}],
        "hooks": [{"hookName": "createContainer", "path": "/bin/hook", "args": ["hook", "x"]}]
    }
}"#;

const YAML: &str = "\
cdiVersion: \"0.6.0\"
kind: vendor.com/net
devices:
  - name: eth
    containerEdits:
      env:
        - NET=1
      deviceNodes:
        - path: /dev/null
";

/// The registry of some files, in two directories, of which the second counts more.
fn registry(files: &[(usize, &str, &str)]) -> (tempfile::TempDir, Registry) {
    let directory = tempfile::tempdir().expect("can be made");
    let directories = ["a", "b"].map(|name| directory.path().join(name));
    for path in &directories {
        std::fs::create_dir(path).expect("can be made");
    }
    for (number, name, text) in files {
        std::fs::write(directories[*number].join(name), text).expect("can be written");
    }
    let registry = Registry::read(&directories);
    (directory, registry)
}

fn edits(registry: &Registry, names: &[&str]) -> Result<Edits> {
    let asked: Vec<_> = names.iter().map(|name| ("--device", (*name).to_owned())).collect();
    registry.edits(&asked)
}

#[test]
fn what_devices_change() {
    let (_directory, registry) = registry(&[(0, "gpu.json", GPU), (0, "net.yaml", YAML), (0, "ignored.txt", "x")]);
    let found = edits(&registry, &["vendor.com/gpu=0", "vendor.com/gpu=1", "vendor.com/net=eth"]).expect("are there");
    assert_eq!(found.env, ["DRIVER=1", "GPU=0", "NET=1"]);
    let devices: Vec<String> = found
        .devices
        .iter()
        .map(|device| format!("{} {}:{} {:o}", device.target.display(), device.major, device.minor, device.mode))
        .collect();
    assert_eq!(devices, ["/dev/gpu0 195:0 666", "/dev/gpu1 1:3 666", "/dev/null 1:3 666"]);
    assert_eq!(found.devices[1].access.as_deref(), Some("r"));
    assert_eq!(found.groups, [44]);
    let mount = found.mounts.first().expect("is there");
    assert_eq!(mount.options().as_deref(), Some(["ro", "nosuid", "bind"].map(str::to_owned).as_slice()));
    let hooks = found.hooks.expect("are there");
    assert_eq!(hooks.create_container().as_ref().map(Vec::len), Some(1));
}

#[test]
fn the_later_directory_counts_and_one_device_is_described_once() {
    let other = GPU.replace("GPU=0", "GPU=other");
    let (_directory, overridden) = registry(&[(0, "gpu.json", GPU), (1, "gpu.json", &other)]);
    assert_eq!(edits(&overridden, &["vendor.com/gpu=0"]).expect("is there").env, ["DRIVER=1", "GPU=other"]);
    let (_directory, twice) = registry(&[(0, "a.json", GPU), (0, "b.json", &other)]);
    let error = edits(&twice, &["vendor.com/gpu=0"]).expect_err("is ambiguous");
    assert_eq!(error.kind(), ErrorKind::Conflict, "{error}");
}

#[test]
fn what_cannot_be_given_is_named() {
    let old = GPU.replace("0.8.0", "0.2.0");
    let (_directory, registry) = registry(&[(0, "gpu.json", GPU), (0, "broken.json", "{"), (0, "old.json", &old)]);
    assert_eq!(registry.broken.len(), 2, "{:?}", registry.broken);
    for (name, kind, words) in [
        ("vendor.com/gpu=7", ErrorKind::NotFound, "--device vendor.com/gpu=7: no CDI specification"),
        ("other.com/gpu=7", ErrorKind::NotFound, "--device other.com/gpu=7: no CDI specification"),
        ("vendor.com/gpu=slow", ErrorKind::Unsupported, "intelRdt"),
    ] {
        let error = edits(&registry, &[name]).expect_err("cannot be had");
        assert!(error.kind() == kind && error.to_string().contains(words), "{error}");
    }
}
