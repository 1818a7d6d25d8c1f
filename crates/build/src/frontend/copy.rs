//! `ADD` and `COPY`: one operation that copies from several places.

use std::fmt::Display;

use dockerfile::evaluate::{Origin, Step};
use dockerfile::instruction::{Add, Placement};
use dockerfile::{Error, Kind, path};

use super::source::{Outside, git, outside};
use super::stage::{SoFar, owner};
use super::{Conversion, Files, Result};
use crate::llb::message::file::{Action, Copy, FileAction, FileOp};
use crate::llb::message::{InputNumber, Kind as Operation, MergeOp};
use crate::llb::{Output, operation};
use crate::source::git::{GitAddress, checked_checksum};

/// What is copied from somewhere.
struct Taken {
    files: Files,
    copy: Copy,
}

impl Conversion<'_> {
    pub(super) fn place(&mut self, so_far: &mut SoFar, step: &Step) -> Result<()> {
        let (placement, add, parents) = match &step.instruction.kind {
            Kind::Add(add) => (&add.placement, Some(add), false),
            Kind::Copy(copy) => (&copy.placement, None, copy.parents),
            _ => return Ok(()),
        };
        check_checksum(placement, add)?;
        let destination = path::destination(so_far.directory(), &placement.destination);
        let of = Copy { dest: destination, mode: -1, create_dest_path: true, timestamp: -1, ..Copy::default() };
        let of = with_mode(of, placement)?;
        let of = Copy { exclude_patterns: placement.exclude.clone(), ..of };
        let mut taken = Vec::new();
        for source in &placement.sources {
            taken.push(match (add, outside(source)?) {
                (Some(add), Some(Outside::Web)) => self.take_address(source, add, &of)?,
                (Some(add), Some(Outside::Git(address))) => self.take_repository(source, *address, add, &of)?,
                (None, Some(_)) => {
                    let hint = "ADD takes what is at an address";
                    return Err(Error::meaning(format!("COPY: {source} is an address"))
                        .with_hint(hint)
                        .at_word(source));
                }
                (_, None) => {
                    let origin = step.origin.clone().unwrap_or(Origin::Context);
                    let files = self.files(&origin, step.instruction.lines)?;
                    let unpacks = add.is_some_and(|add| add.unpack.unwrap_or(true));
                    Taken { files, copy: from_files(source, parents, unpacks, &of) }
                }
            });
        }
        for content in &placement.contents {
            let files = Some(self.inline(&content.name, 0o644, content.body.clone().into_bytes()));
            taken.push(Taken { files, copy: Copy { src: path::below("/", &content.name), ..of.clone() } });
        }
        let is_link = placement.link && placement.chmod.is_none();
        let onto = if is_link { None } else { so_far.output };
        let mut operation = copies(onto, taken, placement.chown.as_deref());
        let metadata = so_far.metadata(&step.instruction.text);
        let copied = self.builder.add(&operation, metadata.clone());
        so_far.output = Some(match (is_link, so_far.output) {
            (true, Some(below)) => {
                operation = crate::llb::operation(Operation::Merge(merge(2)), None);
                operation.inputs = vec![below.input(), copied.input()];
                self.builder.add(&operation, metadata)
            }
            _ => copied,
        });
        Ok(())
    }

    fn take_address(&mut self, source: &str, add: &Add, of: &Copy) -> Result<Taken> {
        let checksum = add.checksum.as_deref();
        if let Some(text) = checksum.filter(|text| !is_digest(text)) {
            return Err(
                Error::meaning(format!("ADD --checksum={text}: it is no digest such as sha256:…")).at_word(text)
            );
        }
        let after_host = source.splitn(4, '/').nth(3).unwrap_or_default();
        let before_query = after_host.split(['?', '#']).next().unwrap_or_default();
        let name = match path::base(&format!("/{before_query}")) {
            name if name.is_empty() => "__unnamed__".to_owned(),
            name => name,
        };
        let files = Some(self.address(source, &name, checksum));
        let attempt_unpack = add.unpack.unwrap_or_default();
        Ok(Taken { files, copy: Copy { src: path::below("/", &name), attempt_unpack, ..of.clone() } })
    }

    fn take_repository(&mut self, source: &str, address: GitAddress, add: &Add, of: &Copy) -> Result<Taken> {
        let own = add.checksum.as_deref().filter(|checksum| !checksum.is_empty());
        let own = git(own.map(checked_checksum).transpose(), own.unwrap_or_default())?;
        let address = GitAddress {
            checksum: either("checksum", source, address.checksum, own)?,
            keep_git_dir: either("keep-git-dir", source, address.keep_git_dir, add.keep_git_dir)?,
            // This is only for contexts.
            times: None,
            ..address
        };
        let files = Some(self.repository(&address));
        Ok(Taken { files, copy: Copy { src: "/".to_owned(), ..of.clone() } })
    }
}

/// What the address and the instruction say of one thing, which must not be two.
fn either<T: PartialEq + Display>(
    flag: &str,
    source: &str,
    of_address: Option<T>,
    own: Option<T>,
) -> Result<Option<T>> {
    match (of_address, own) {
        (Some(of_address), Some(own)) if of_address != own => {
            Err(Error::meaning(format!("ADD --{flag}={own}: the address says {of_address}")).at_word(source))
        }
        (of_address, own) => Ok(of_address.or(own)),
    }
}

/// All that is copied, one after another.
fn copies(onto: Files, taken: Vec<Taken>, chown: Option<&str>) -> crate::llb::message::Op {
    let mut inputs: Vec<Output> = onto.into_iter().collect();
    let base = if onto.is_some() { 0 } else { -1 };
    for one in taken.iter().filter_map(|one| one.files) {
        if !inputs.contains(&one) {
            inputs.push(one);
        }
    }
    let number = |files: Files| {
        let position = files.and_then(|files| inputs.iter().position(|known| *known == files));
        position.and_then(|position| i64::try_from(position).ok()).unwrap_or(-1)
    };
    let count = i64::try_from(inputs.len()).unwrap_or_default();
    let last = taken.len() - 1;
    let mut actions = Vec::new();
    for (done, Taken { files, copy }) in (0_i64..).zip(taken) {
        let owner = chown.and_then(|text| owner(text, base));
        actions.push(FileAction {
            // What the action before it has made.
            input: if done == 0 { base } else { count + done - 1 },
            secondary_input: number(files),
            output: if usize::try_from(done) == Ok(last) { 0 } else { -1 },
            action: Some(Action::Copy(Copy { owner, ..copy })),
        });
    }
    let mut operation = operation(Operation::File(FileOp { actions }), None);
    operation.inputs = inputs.into_iter().map(Output::input).collect();
    operation
}

fn merge(count: i64) -> MergeOp {
    MergeOp { inputs: (0..count).map(|input| InputNumber { input }).collect() }
}

fn from_files(source: &str, parents: bool, unpacks: bool, of: &Copy) -> Copy {
    let is_pattern = |text: &str| text.contains(['*', '?', '[']);
    let (mut source, mut include, mut required) = (source.to_owned(), Vec::new(), Vec::new());
    if parents {
        // What stands before the pivot is not kept.
        let (above, pattern) = match source.split_once("/./") {
            Some((above, pattern)) => (above.to_owned(), pattern.to_owned()),
            None => ("/".to_owned(), source.clone()),
        };
        let pattern = path::below("/", &pattern);
        if !is_pattern(&above) && !is_pattern(&pattern) {
            required.push(path::below("/", &format!("{above}/{pattern}")));
        }
        // All of it is what there is without a pattern.
        include.extend(Some(pattern.trim_start_matches('/').to_owned()).filter(|pattern| !pattern.is_empty()));
        source = above;
    }
    Copy {
        src: path::below("/", &source),
        follow_symlink: true,
        dir_copy_contents: true,
        attempt_unpack: unpacks,
        allow_wildcard: true,
        allow_empty_wildcard: true,
        include_patterns: include,
        required_paths: required,
        ..of.clone()
    }
}

/// `--chmod`: permission bits in octal, or as `chmod(1)` takes them.
fn with_mode(copy: Copy, placement: &Placement) -> Result<Copy> {
    let Some(text) = placement.chmod.as_deref().filter(|text| !text.is_empty()) else { return Ok(copy) };
    let wrong = |why: &str| Error::meaning(format!("--chmod={text}: {why}")).at_word(text);
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        let mode = i32::from_str_radix(text, 8).ok().filter(|mode| *mode <= 0o7777);
        let mode = mode.ok_or_else(|| wrong("permission bits are octal, from 0 to 7777"))?;
        return Ok(Copy { mode, ..copy });
    }
    let is_clause = |clause: &str| {
        let who = clause.trim_start_matches(['u', 'g', 'o', 'a']);
        who.starts_with(['+', '-', '=']) && who.chars().all(|letter| "+-=rwxXstugo".contains(letter))
    };
    if !text.split(',').all(is_clause) {
        return Err(wrong("it is neither octal nor such as u=rwX,go=rX"));
    }
    Ok(Copy { mode: 0, mode_str: text.to_owned(), ..copy })
}

fn check_checksum(placement: &Placement, add: Option<&Add>) -> Result<()> {
    let Some(checksum) = add.and_then(|add| add.checksum.as_deref()).filter(|text| !text.is_empty()) else {
        return Ok(());
    };
    let wrong = |why: &str| Error::meaning(format!("ADD --checksum={checksum}: {why}")).at_word(checksum);
    match placement.sources.as_slice() {
        [source] if outside(source)?.is_some() => Ok(()),
        [_] => Err(wrong("it is for what is at an address")),
        _ => Err(wrong("it is for one source, and there are more")),
    }
}

fn is_digest(text: &str) -> bool {
    text.split_once(':').is_some_and(|(algorithm, sum)| {
        algorithm == "sha256"
            && sum.len() == 64
            && sum.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
    })
}
