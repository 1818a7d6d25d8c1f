//! Whether an operation says something that we know. Pure.
//!
//! A number that stands for nothing is never taken for another one: whoever does not know a mode of security or of the network
//! runs the command in none (CVE-2024-23653 was a check that one way in did not have). Nor is an input that there is not: it
//! would be an empty file system.

use prost::UnknownEnumValue;

use super::message::exec::{CacheSharing, ExecOp, MountContentCache, MountType, NetMode, SecurityMode};
use super::message::file::{Action, Chown, FileOp, OwnerKind};
use super::message::{InputNumber, Kind, Op};

/// What is wrong with an operation, in words.
///
/// # Errors
/// For a number that stands for nothing, and for an input that there is not.
pub(super) fn check(operation: &Op) -> Result<(), String> {
    let inputs = operation.inputs.len();
    match &operation.op {
        Some(Kind::Exec(exec)) => command(exec, inputs),
        Some(Kind::File(file)) => changes(file, inputs),
        Some(Kind::Merge(merge)) => merge.inputs.iter().try_for_each(|number| input(number, inputs)),
        Some(Kind::Diff(diff)) => diff.lower.iter().chain(&diff.upper).try_for_each(|number| input(number, inputs)),
        _ => Ok(()),
    }
}

fn command(exec: &ExecOp, inputs: usize) -> Result<(), String> {
    if exec.meta.is_none() {
        return Err("runs no command".to_owned());
    }
    known("network mode", NetMode::try_from(exec.network))?;
    known("security mode", SecurityMode::try_from(exec.security))?;
    for mount in &exec.mounts {
        known("type of mounts", MountType::try_from(mount.mount_type))?;
        known("content cache", MountContentCache::try_from(mount.content_cache))?;
        if let Some(cache) = &mount.cache_opt {
            known("sharing of caches", CacheSharing::try_from(cache.sharing))?;
        }
        within("mount", mount.input, inputs)?;
    }
    match exec.mounts.iter().filter(|mount| mount.dest == "/").count() {
        1 => Ok(()),
        count => Err(format!("has {count} roots, and must have one")),
    }
}

fn changes(file: &FileOp, inputs: usize) -> Result<(), String> {
    for (number, action) in file.actions.iter().enumerate() {
        // What was made before has the numbers after those of the inputs.
        within("change", action.input, inputs + number)?;
        within("change", action.secondary_input, inputs + number)?;
        let owner = match &action.action {
            Some(Action::Copy(copy)) => &copy.owner,
            Some(Action::MakeFile(file)) => &file.owner,
            Some(Action::MakeDirectory(directory)) => &directory.owner,
            Some(Action::Symlink(link)) => &link.owner,
            Some(Action::Remove(_)) => &None,
            None => return Err("changes files in a way that is not known".to_owned()),
        };
        owner.iter().try_for_each(|owner| owners(owner, inputs + number))?;
    }
    Ok(())
}

fn owners(owner: &Chown, inputs: usize) -> Result<(), String> {
    for owner in owner.user.iter().chain(&owner.group) {
        if let Some(OwnerKind::Name(name)) = &owner.user {
            within("owner", name.input, inputs)?;
        }
    }
    Ok(())
}

fn known<T>(what: &str, value: Result<T, UnknownEnumValue>) -> Result<(), String> {
    value.map(drop).map_err(|UnknownEnumValue(number)| format!("has the {what} {number}, which is not known"))
}

fn input(number: &InputNumber, inputs: usize) -> Result<(), String> {
    within("operation", number.input, inputs)
}

/// -1 is nothing.
fn within(what: &str, number: i64, inputs: usize) -> Result<(), String> {
    match usize::try_from(number) {
        Ok(index) if index < inputs => Ok(()),
        Err(_) if number == -1 => Ok(()),
        _ => Err(format!("has a {what} of input {number}, and {inputs} inputs")),
    }
}

#[cfg(test)]
mod tests {
    use super::super::message::exec::{CacheOpt, Meta, Mount};
    use super::super::message::file::{FileAction, MakeDirectory, Owner, OwnerName};
    use super::super::message::{DiffOp, Input, MergeOp};
    use super::*;

    fn with_one_input(kind: Kind) -> Op {
        Op { inputs: vec![Input::default()], op: Some(kind), ..Op::default() }
    }

    fn check_command(change: impl FnOnce(&mut ExecOp), expected: &str) {
        let root = Mount { dest: "/".to_owned(), ..Mount::default() };
        let meta = Some(Meta { args: vec!["x".to_owned()], ..Meta::default() });
        let mut exec = ExecOp { meta, mounts: vec![root], ..ExecOp::default() };
        change(&mut exec);
        let said = check(&with_one_input(Kind::Exec(Box::new(exec)))).err().unwrap_or_default();
        assert_eq!(said, expected);
    }

    #[test]
    fn commands() {
        check_command(|_| (), "");
        check_command(|exec| exec.network = 3, "has the network mode 3, which is not known");
        check_command(|exec| exec.security = 2, "has the security mode 2, which is not known");
        check_command(|exec| exec.security = -1, "has the security mode -1, which is not known");
        check_command(|exec| exec.mounts[0].mount_type = 5, "has the type of mounts 5, which is not known");
        check_command(|exec| exec.mounts[0].content_cache = 3, "has the content cache 3, which is not known");
        let cache = Some(CacheOpt { sharing: 3, ..CacheOpt::default() });
        check_command(|exec| exec.mounts[0].cache_opt = cache, "has the sharing of caches 3, which is not known");
        check_command(|exec| exec.mounts[0].input = 1, "has a mount of input 1, and 1 inputs");
        check_command(|exec| exec.mounts[0].input = -2, "has a mount of input -2, and 1 inputs");
        check_command(|exec| exec.mounts.clear(), "has 0 roots, and must have one");
        check_command(|exec| exec.meta = None, "runs no command");
    }

    #[test]
    fn other_operations() {
        let made = |input: i64, user: i64| {
            let name = OwnerName { name: "me".to_owned(), input: user };
            let owner = Chown { user: Some(Owner { user: Some(OwnerKind::Name(name)) }), group: None };
            let made = MakeDirectory { owner: Some(owner), ..MakeDirectory::default() };
            FileAction {
                input,
                secondary_input: -1,
                action: Some(Action::MakeDirectory(made)),
                ..FileAction::default()
            }
        };
        let file = |actions: Vec<FileAction>| check(&with_one_input(Kind::File(FileOp { actions })));
        file(vec![made(0, 0), made(1, -1)]).expect("the second is made upon the first");
        file(vec![made(1, 0)]).expect_err("there is no such input");
        file(vec![made(0, 1)]).expect_err("there is no such owner");
        file(vec![FileAction { action: None, ..made(0, 0) }]).expect_err("nobody knows what it does");
        let number = |input: i64| InputNumber { input };
        check(&with_one_input(Kind::Merge(MergeOp { inputs: vec![number(0), number(1)] }))).expect_err("not there");
        let diff = DiffOp { lower: Some(number(-1)), upper: Some(number(0)) };
        check(&with_one_input(Kind::Diff(diff.clone()))).expect("nothing is nothing");
        check(&with_one_input(Kind::Diff(DiffOp { upper: Some(number(7)), ..diff }))).expect_err("not there");
    }
}
