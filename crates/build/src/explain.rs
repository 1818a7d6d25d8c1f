//! Why a step is done anew: the first thing that it is made of that is not what it was. Pure.

/// Where two texts are not the same.
mod lines;

use store::StepResult;

pub(crate) use lines::first_difference;

use crate::inputs::{Input, Inputs, Kind};

/// As many files are named at most.
const MOST_FILES: usize = 5;

/// What a step is called without its number in the stage: what stays when instructions come and go before it.
pub(crate) fn family(name: &str) -> &str {
    // `[build 2/5] RUN make`
    match name.strip_prefix('[').and_then(|rest| rest.split_once("] ")) {
        Some((number, text)) if number.contains('/') => text,
        _ => name,
    }
}

/// How a file differs from what it was, as a part of a sentence, if that is known: its path, and the sum that it had.
pub(crate) type Detail<'d> = dyn Fn(&str, &str) -> Option<String> + 'd;

/// Why it is done anew, where `previous` is what was made the last time by a step that is called so.
pub(crate) fn why(previous: Option<&StepResult>, now: &Inputs, is_ignored: bool, detail: &Detail<'_>) -> Vec<String> {
    if is_ignored {
        return vec!["done anew: --no-cache says so".to_owned()];
    }
    let Some(previous) = previous else {
        return vec!["done for the first time: no step that says the same is in the cache".to_owned()];
    };
    let mut lines = differences(&Inputs::of_kept(&previous.inputs).0, &now.0, detail);
    if lines.is_empty() {
        lines.push("done anew: what it made the last time is not in the cache any more".to_owned());
    }
    lines
}

/// What is not the same, as sentences; what matters most comes first.
fn differences(before: &[Input], now: &[Input], detail: &Detail<'_>) -> Vec<String> {
    let mut lines = Vec::new();
    let of = |list: &[Input], kind: Kind| -> Vec<Input> {
        list.iter().filter(|input| input.kind == kind).cloned().collect()
    };
    if of(before, Kind::Version) != of(now, Kind::Version) {
        return vec!["done anew: an older version of phial computed keys in another way".to_owned()];
    }
    let (has_other_base, taken) =
        (of(before, Kind::Base) != of(now, Kind::Base), changes(&of(before, Kind::Taken), &of(now, Kind::Taken)));
    if has_other_base || !taken.is_empty() {
        lines.extend(images(&of(before, Kind::Image), &of(now, Kind::Image)));
    }
    if has_other_base && lines.is_empty() {
        lines.push("what it is done upon is not the same: a step before it was done anew".to_owned());
    }
    lines.extend(variables(&of(before, Kind::Variable), &of(now, Kind::Variable)));
    lines.extend(files(&of(before, Kind::File), &of(now, Kind::File), detail));
    for (name, change) in taken {
        if name == "context" {
            // Its files say it better.
            if lines.is_empty() {
                lines.push("other files of the context are taken".to_owned());
            }
        } else {
            lines.push(format!("what it takes of {name} {}", change.word()));
        }
    }
    for (name, change) in changes(&of(before, Kind::Address), &of(now, Kind::Address)) {
        lines.push(format!("what is at {name} {}", change.word()));
    }
    if lines.is_empty() && of(before, Kind::Operation) != of(now, Kind::Operation) {
        lines.push("its flags or mounts are not the same".to_owned());
    }
    lines
}

/// What became of something.
enum Change {
    Added(String),
    Removed,
    Changed(String, String),
}

impl Change {
    fn word(&self) -> &'static str {
        match self {
            Change::Added(_) => "is new",
            Change::Removed => "is gone",
            Change::Changed(..) => "has changed",
        }
    }
}

/// What became of each thing that is not the same, by name.
fn changes(before: &[Input], now: &[Input]) -> Vec<(String, Change)> {
    use std::collections::BTreeMap;
    let by_name = |list: &[Input]| -> BTreeMap<String, String> {
        list.iter().map(|input| (input.name.clone(), input.value.clone())).collect()
    };
    let (before, now) = (by_name(before), by_name(now));
    let mut changes = Vec::new();
    for (name, value) in &now {
        match before.get(name) {
            None => changes.push((name.clone(), Change::Added(value.clone()))),
            Some(old) if old != value => changes.push((name.clone(), Change::Changed(old.clone(), value.clone()))),
            Some(_) => {}
        }
    }
    let gone = before.keys().filter(|name| !now.contains_key(*name));
    changes.extend(gone.map(|name| (name.clone(), Change::Removed)));
    changes
}

fn images(before: &[Input], now: &[Input]) -> Vec<String> {
    let line = |(name, change): (String, Change)| match change {
        Change::Added(digest) => format!("the image {name} ({digest}) was not used before"),
        Change::Removed => format!("the image {name} is not used any more"),
        Change::Changed(old, new) => format!("the image {name} was {old} and is {new}"),
    };
    changes(before, now).into_iter().map(line).collect()
}

fn variables(before: &[Input], now: &[Input]) -> Vec<String> {
    let line = |(name, change): (String, Change)| match change {
        Change::Added(value) => format!("the variable {name} is new: {value:?}"),
        Change::Removed => format!("the variable {name} is gone"),
        Change::Changed(old, new) => format!("the variable {name} was {old:?} and is {new:?}"),
    };
    changes(before, now).into_iter().map(line).collect()
}

fn files(before: &[Input], now: &[Input], detail: &Detail<'_>) -> Vec<String> {
    let changes = changes(before, now);
    let count = changes.len();
    let mut lines: Vec<String> = changes
        .into_iter()
        .take(MOST_FILES)
        .map(|(path, change)| {
            let said = if let Change::Changed(old, _) = &change { detail(&path, old) } else { None };
            let said = said.map(|said| format!(": {said}")).unwrap_or_default();
            format!("the file {path} {}{said}", change.word())
        })
        .collect();
    if count > MOST_FILES {
        lines.push(format!("and {} files more", count - MOST_FILES));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(before: &[(Kind, &str, &str)], now: &[(Kind, &str, &str)], expected: &[&str]) {
        let detail = |path: &str, old: &str| (path == "text").then(|| format!("of {old}"));
        let list = |list: &[(Kind, &str, &str)]| -> Vec<Input> {
            list.iter().map(|(kind, name, value)| Input::new(*kind, *name, *value)).collect()
        };
        assert_eq!(differences(&list(before), &list(now), &detail), expected);
    }

    #[test]
    fn a_step_is_called_without_its_number() {
        for (name, expected) in [
            ("[build 2/5] RUN make", "RUN make"),
            ("[2/5] COPY . .", "COPY . ."),
            ("RUN [a/b] c", "RUN [a/b] c"),
            ("[internal] load build context", "[internal] load build context"),
        ] {
            assert_eq!(family(name), expected);
        }
    }

    #[test]
    fn what_is_not_the_same_is_said() {
        check(&[], &[], &[]);
        check(
            &[(Kind::Variable, "A", "1"), (Kind::Variable, "B", "1")],
            &[(Kind::Variable, "A", "2"), (Kind::Variable, "C", "1")],
            &["the variable A was \"1\" and is \"2\"", "the variable C is new: \"1\"", "the variable B is gone"],
        );
        check(
            &[(Kind::Taken, "context", "1"), (Kind::File, "a", "1"), (Kind::File, "b", "1")],
            &[(Kind::Taken, "context", "2"), (Kind::File, "a", "2"), (Kind::File, "b", "1")],
            &["the file a has changed"],
        );
        check(
            &[(Kind::Base, "", "1"), (Kind::Taken, "/src", "1")],
            &[(Kind::Base, "", "2"), (Kind::Taken, "/src", "2")],
            &[
                "what it is done upon is not the same: a step before it was done anew",
                "what it takes of /src has changed",
            ],
        );
        check(
            &[(Kind::Base, "", "1"), (Kind::Image, "a", "sha256:1"), (Kind::Image, "b", "sha256:1")],
            &[(Kind::Base, "", "2"), (Kind::Image, "a", "sha256:2"), (Kind::Image, "c", "sha256:3")],
            &[
                "the image a was sha256:1 and is sha256:2",
                "the image c (sha256:3) was not used before",
                "the image b is not used any more",
            ],
        );
        // Another image of the same files.
        check(&[(Kind::Image, "a", "sha256:1")], &[(Kind::Image, "a", "sha256:2")], &[]);
        check(&[(Kind::File, "text", "1")], &[(Kind::File, "text", "2")], &["the file text has changed: of 1"]);
        check(
            &[(Kind::Operation, "rest", "1")],
            &[(Kind::Operation, "rest", "2")],
            &["its flags or mounts are not the same"],
        );
        check(
            &[(Kind::Version, "", "0")],
            &[(Kind::Version, "", "1")],
            &["done anew: an older version of phial computed keys in another way"],
        );
    }

    #[test]
    fn of_many_files_the_first_are_named() {
        let many: Vec<Input> = (0..9).map(|number| Input::new(Kind::File, number.to_string(), "1")).collect();
        let lines = differences(&[], &many, &|_, _| None);
        assert_eq!((lines.len(), lines[5].as_str()), (6, "and 4 files more"));
    }
}
