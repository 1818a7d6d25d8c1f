//! `update`: other limits for a container that runs. What is not given stays as it is; what is given is kept with the
//! container's configuration as well.

/// One set of limits over another.
mod merge;

use std::io::Read;
use std::path::Path;
use std::process::ExitCode;

use notation::amount;
use oci_spec::runtime::LinuxResources;
use runtime::resctrl::Wanted;
use serde_json::{Value, json};

use super::make::is_before_1_3;
use crate::command_line::{Global, Words};
use crate::container::{Container, Status};
use crate::failure::{Failure, Result};
use crate::typed::typed;
use merge::merge;

/// What the value of an option is.
#[derive(Debug, Clone, Copy)]
enum Kind {
    /// A size with or without a unit, or -1 for no limit.
    Bytes,
    Unsigned,
    Signed,
    Text,
}

/// Options, and the fields of `linux.resources` that they set.
const FIELDS: [(&str, &str, &str, Kind); 14] = [
    ("blkio-weight", "blockIO", "weight", Kind::Unsigned),
    ("cpu-period", "cpu", "period", Kind::Unsigned),
    ("cpu-quota", "cpu", "quota", Kind::Signed),
    ("cpu-burst", "cpu", "burst", Kind::Unsigned),
    ("cpu-share", "cpu", "shares", Kind::Unsigned),
    ("cpu-rt-period", "cpu", "realtimePeriod", Kind::Unsigned),
    ("cpu-rt-runtime", "cpu", "realtimeRuntime", Kind::Signed),
    ("cpu-idle", "cpu", "idle", Kind::Signed),
    ("cpuset-cpus", "cpu", "cpus", Kind::Text),
    ("cpuset-mems", "cpu", "mems", Kind::Text),
    ("memory", "memory", "limit", Kind::Bytes),
    ("memory-reservation", "memory", "reservation", Kind::Bytes),
    ("memory-swap", "memory", "swap", Kind::Bytes),
    ("pids-limit", "pids", "limit", Kind::Signed),
];

/// Options that other runtimes still have, and that set what no kernel limits any more.
const OBSOLETE: [&str; 2] = ["kernel-memory", "kernel-memory-tcp"];

/// Options about the cache and memory bandwidth of Intel RDT, and what the kernel calls the resource.
const RDT: [(&str, &str, &str); 2] =
    [("l3-cache-schema", "CAT", "l3 cache schema"), ("mem-bw-schema", "MBA", "memory bandwidth schema")];

/// Changes the limits.
pub(crate) fn run(global: &Global, words: &Words) -> Result<ExitCode> {
    let container = Container::load(global, words.argument(0)?)?;
    let mut changes = match words.text("resources")? {
        Some(file) => read(file)?,
        None => of_options(words)?,
    };
    change_rdt(words, &container)?;
    for option in OBSOLETE.iter().filter(|option| words.value(option).is_some()) {
        global.log.write("warning", &format!("--{option} does nothing: kernels no longer limit this"));
    }
    if container.status()? == Status::Stopped {
        return Err(Failure::new("container not running"));
    }
    container.change_config(|config| {
        let old = config["ociVersion"].as_str().is_some_and(is_before_1_3);
        if old && changes.pointer("/pids/limit").and_then(Value::as_i64) == Some(0) {
            // Older callers pass it for what they do not want to change.
            changes.as_object_mut().map(|fields| fields.remove("pids"));
        }
        let kept = &mut config["linux"]["resources"];
        forget_same_devices(&mut changes, kept);
        let resources: LinuxResources = typed(&changes).map_err(|error| Failure::system("resources", error))?;
        container.cgroups()?.update(&resources)?;
        merge(kept, &changes);
        Ok(())
    })?;
    Ok(ExitCode::SUCCESS)
}

/// `linux.resources` in a file, or on stdin.
fn read(file: &str) -> Result<Value> {
    let mut text = Vec::new();
    let (name, read) = match file {
        "-" => ("stdin", std::io::stdin().read_to_end(&mut text).map(drop)),
        path => (path, std::fs::read(path).map(|content| text = content)),
    };
    read.map_err(|error| Failure::system(name, error))?;
    let mut value: Value = serde_json::from_slice(&text).map_err(|error| Failure::system(name, error))?;
    let Some(fields) = value.as_object_mut() else {
        return Err(Failure::new(format!("{name}: is no JSON object such as {{\"memory\": {{\"limit\": 67108864}}}}")));
    };
    // A limit of processes that is not there changes nothing, where zero would leave room for none.
    if fields.get("pids").is_some_and(|pids| pids.get("limit").is_none_or(Value::is_null)) {
        fields.remove("pids");
    }
    Ok(value)
}

fn of_options(words: &Words) -> Result<Value> {
    let mut changes = json!({});
    for (option, section, field, kind) in FIELDS {
        let Some(text) = words.text(option)?.filter(|text| !text.is_empty()) else { continue };
        let value = parse(kind, text).ok_or_else(|| {
            let wanted = match kind {
                Kind::Bytes => "is no size such as 64m, and not -1",
                Kind::Unsigned => "is no number from 0 on",
                Kind::Signed | Kind::Text => "is no number",
            };
            Failure::new(format!("invalid value for {option}: {text:?} {wanted}"))
        })?;
        changes[section][field] = value;
    }
    Ok(changes)
}

fn parse(kind: Kind, text: &str) -> Option<Value> {
    match kind {
        Kind::Bytes if text == "-1" => Some(json!(-1)),
        Kind::Bytes => i64::try_from(amount::bytes(text)?).ok().map(Value::from),
        Kind::Unsigned => text.parse::<u64>().ok().map(Value::from),
        Kind::Signed => text.parse::<i64>().ok().map(Value::from),
        Kind::Text => Some(Value::from(text)),
    }
}

/// Whoever passes the rules of devices that the container has means no change. Setting them again would stop its
/// processes for a moment, and undo what somebody else has allowed meanwhile.
fn forget_same_devices(changes: &mut Value, kept: &Value) {
    if let Some(fields) = changes.as_object_mut()
        && fields.get("devices").is_some_and(|rules| Some(rules) == kept.get("devices"))
    {
        fields.remove("devices");
    }
}

/// The schemata of Intel RDT can be changed where a container has a group for them.
fn change_rdt(words: &Words, container: &Container) -> Result<()> {
    for (option, name, what) in RDT {
        let Some(schema) = words.text(option)?.filter(|schema| !schema.is_empty()) else { continue };
        if !Path::new("/sys/fs/resctrl/schemata").exists() {
            let message = format!(
                "Intel RDT/{name}: {what} is not enabled: no resctrl file system is mounted on /sys/fs/resctrl"
            );
            return Err(Failure::new(message));
        }
        let shares = Wanted::of(&container.config()?, &container.saved.id)?.ok_or_else(|| {
            Failure::new(format!("--{option} {schema:?}: the container has no linux.intelRdt, so no group of its own"))
        })?;
        shares.change(schema)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_have_their_kinds() {
        let check = |kind, text: &str, expected: Option<Value>| assert_eq!(parse(kind, text), expected, "{text}");
        check(Kind::Bytes, "10 MB", Some(json!(10 << 20)));
        check(Kind::Bytes, "-1", Some(json!(-1)));
        check(Kind::Bytes, "-2", None);
        check(Kind::Bytes, "much", None);
        check(Kind::Unsigned, "18446744073709551615", Some(json!(u64::MAX)));
        check(Kind::Unsigned, "-1", None);
        check(Kind::Signed, "-1", Some(json!(-1)));
        check(Kind::Text, "0-3", Some(json!("0-3")));
    }

    #[test]
    fn the_same_devices_are_no_change() {
        let kept = json!({"devices": [{"allow": false}], "pids": {"limit": 1}});
        let check = |devices: Value, stays: bool| {
            let mut changes = json!({"devices": devices});
            forget_same_devices(&mut changes, &kept);
            assert_eq!(changes.get("devices").is_some(), stays, "{changes}");
        };
        check(json!([{"allow": false}]), false);
        check(json!([{"allow": true}]), true);
        check(json!([]), true);
    }
}
