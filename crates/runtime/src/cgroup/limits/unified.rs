//! `linux.resources.unified`: any file of a v2 cgroup by its name.

use std::collections::HashMap;

use super::{Version, Write, invalid, unsupported, write};
use crate::error::Result;

/// Files that move, end or stop processes, or change what kind of cgroup it is. They are no limits, and the container
/// would not start.
const NO_LIMITS: [&str; 6] =
    ["cgroup.procs", "cgroup.threads", "cgroup.type", "cgroup.kill", "cgroup.freeze", "cgroup.subtree_control"];

pub(super) fn add(files: Option<&HashMap<String, String>>, version: Version, list: &mut Vec<Write>) -> Result<()> {
    let mut files: Vec<_> = files.into_iter().flatten().collect();
    files.sort_unstable();
    for (file, value) in files {
        let field = format!("linux.resources.unified.{file}");
        if version == Version::V1 {
            return Err(unsupported(&field, format!("{value:?}"), "this host has cgroup v1"));
        }
        let controller = match file.split_once('.') {
            Some((controller, name)) if !controller.is_empty() && !name.is_empty() && !file.contains(['/', '\0']) => {
                controller.to_owned()
            }
            _ => return Err(invalid(&field, format!("{value:?}"), "is no file name such as memory.high")),
        };
        if NO_LIMITS.contains(&file.as_str()) {
            return Err(invalid(&field, format!("{value:?}"), "is no limit"));
        }
        if value.trim().is_empty() {
            // Gives back what the parent has; an empty write would not even reach the kernel.
            list.push(write(field, controller, file.clone(), "\n"));
            continue;
        }
        // The kernel reads one line per write.
        let lines = value.lines().filter(|line| !line.trim().is_empty());
        list.extend(lines.map(|line| write(field.clone(), controller.clone(), file.clone(), line)));
    }
    Ok(())
}
