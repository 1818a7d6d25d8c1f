//! What can come next on a command line: the scripts of bash, zsh and fish ask with `phial __complete WORD…`, whose last
//! word is the one that is being typed.
//!
//! The answer is one candidate a line, with a tab and a description where there is one; a line `:files` or `:dirs` says
//! that paths of this host can come as well. Nothing is ever said about errors: a shell that completes shows nothing then.

/// Which names there are.
mod live;
/// What values flags and arguments have.
mod values;

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Arg, ArgAction, Command};

use crate::commands::{COMMANDS, Entry, Kind, find};
use crate::context::Context;
use crate::output::print;

/// The word that asks. It is no command: no list shows it.
pub(crate) const WORD: &str = "__complete";

/// A candidate.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Candidate {
    text: String,
    about: String,
}

impl Candidate {
    fn new(text: impl Into<String>, about: impl Into<String>) -> Candidate {
        Candidate { text: text.into(), about: about.into() }
    }
}

/// A command line up to the word that is being typed, understood as far as it can be.
struct Line<'a> {
    context: Context,
    entry: Option<&'static Entry>,
    /// Groups and commands on the way, the innermost last.
    entries: &'static [Entry],
    /// Words after the command.
    words: &'a [String],
    typed: &'a str,
}

/// Answers the shell.
pub(crate) fn answer(arguments: &[OsString]) {
    let words: Vec<String> = arguments.iter().map(|word| word.to_string_lossy().into_owned()).collect();
    let Some((typed, before)) = words.split_last() else { return };
    let (candidates, paths) = complete(typed, before);
    let mut text = String::new();
    for Candidate { text: word, about } in candidates {
        let about = about.lines().next().unwrap_or_default();
        text += &word;
        if !about.is_empty() {
            text.push('\t');
            text += about;
        }
        text.push('\n');
    }
    text += match paths {
        Some(values::Paths::Files) => ":files\n",
        Some(values::Paths::Directories) => ":dirs\n",
        None => "",
    };
    // The shell that asked has gone: nobody is there to be told.
    drop(print(&text));
}

fn complete(typed: &str, before: &[String]) -> (Vec<Candidate>, Option<values::Paths>) {
    let line = understand(typed, before);
    let (mut candidates, paths) = match line.entry {
        None => (names_of_commands(&line), None),
        Some(entry) => of_command(&line, entry),
    };
    candidates.retain(|candidate| candidate.text.starts_with(typed));
    (candidates, paths)
}

/// Follows the words down to a command.
fn understand<'a>(typed: &'a str, before: &'a [String]) -> Line<'a> {
    let mut context = Context::default();
    let (mut entries, mut at) = (COMMANDS, 0);
    while let Some(word) = before.get(at) {
        at += 1;
        if let Some(directory) = directory_option(word, before.get(at), &mut at) {
            let place = if directory.0 { &mut context.root } else { &mut context.run };
            *place = Some(directory.1);
            continue;
        }
        match find(entries, word).map(|entry| (entry, &entry.kind)) {
            Some((_, Kind::Group { entries: further, .. })) => entries = further,
            Some((entry, Kind::Leaf { .. })) => {
                return Line { context, entry: Some(entry), entries, words: &before[at..], typed };
            }
            None => {}
        }
    }
    Line { context, entry: None, entries, words: &[], typed }
}

/// `--root DIR` and `--run DIR` before the command: whether it is the former, and the directory.
fn directory_option(word: &str, next: Option<&String>, at: &mut usize) -> Option<(bool, PathBuf)> {
    for (name, is_root) in [("--root", true), ("--run", false)] {
        if word == name {
            *at += 1;
            return Some((is_root, PathBuf::from(next?)));
        }
        if let Some(value) = word.strip_prefix(name).and_then(|rest| rest.strip_prefix('=')) {
            return Some((is_root, PathBuf::from(value)));
        }
    }
    None
}

fn names_of_commands(line: &Line<'_>) -> Vec<Candidate> {
    let names = line.entries.iter().map(|entry| Candidate::new(entry.name, entry.about));
    let options = ["--help", "--root", "--run", "--version"].into_iter().map(|name| Candidate::new(name, ""));
    let shown = options.filter(|_| line.typed.starts_with('-'));
    names.chain(shown).collect()
}

fn of_command(line: &Line<'_>, entry: &Entry) -> (Vec<Candidate>, Option<values::Paths>) {
    let Kind::Leaf { define, filters, .. } = entry.kind else { return (Vec::new(), None) };
    let mut command = define(Command::new(entry.name));
    command.build();
    let asked = values::Asked { context: &line.context, command: entry.name, filters, typed: line.typed };
    let (waiting, positionals) = read(&command, line.words);
    if let Some(argument) = waiting {
        return asked.of_flag(argument);
    }
    let is_over = line.words.iter().any(|word| word == "--");
    if let Some((flag, value)) = line.typed.split_once('=').filter(|(flag, _)| flag.starts_with("--") && !is_over) {
        let argument = long(&command, &flag[2..]);
        let (values, paths) =
            argument.map_or_else(Default::default, |found| values::Asked { typed: value, ..asked }.of_flag(found));
        let joined = values.into_iter().map(|c| Candidate::new(format!("{flag}={}", c.text), c.about));
        return (joined.collect(), paths);
    }
    if line.typed.starts_with('-') && !is_over {
        return (flags(&command), None);
    }
    let arguments: Vec<&Arg> = command.get_positionals().collect();
    let argument = arguments.get(positionals.min(arguments.len().saturating_sub(1)));
    // One more than there can be has nothing to say.
    match argument.filter(|argument| positionals < arguments.len() || takes_many(argument)) {
        Some(argument) => asked.of_argument(argument),
        None => (Vec::new(), None),
    }
}

fn takes_many(argument: &Arg) -> bool {
    matches!(argument.get_action(), ArgAction::Append)
        || argument.get_num_args().is_some_and(|range| range.max_values() > 1)
}

/// The flag that the last word waits for a value of, and how many words are no flags.
fn read<'a>(command: &'a Command, words: &[String]) -> (Option<&'a Arg>, usize) {
    let (mut waiting, mut positionals) = (None, 0);
    for word in words {
        if waiting.take().is_some() {
            continue;
        }
        waiting = match word.strip_prefix("--") {
            Some("") => None,
            Some(name) if !name.contains('=') => long(command, name).filter(|argument| takes_value(argument)),
            Some(_) => None,
            None if word.len() > 1 && word.starts_with('-') => cluster(command, &word[1..]),
            None => {
                positionals += 1;
                None
            }
        };
    }
    (waiting, positionals)
}

/// Of `-itv` the flag that waits for the next word: the last letter's, if none before it has taken the rest.
fn cluster<'a>(command: &'a Command, letters: &str) -> Option<&'a Arg> {
    let count = letters.chars().count();
    for (index, letter) in letters.chars().enumerate() {
        let argument = command.get_arguments().find(|argument| argument.get_short() == Some(letter));
        if let Some(argument) = argument.filter(|argument| takes_value(argument)) {
            return (index + 1 == count).then_some(argument);
        }
    }
    None
}

fn long<'a>(command: &'a Command, name: &str) -> Option<&'a Arg> {
    command.get_arguments().find(|argument| {
        argument.get_long() == Some(name) || argument.get_all_aliases().is_some_and(|all| all.contains(&name))
    })
}

fn takes_value(argument: &Arg) -> bool {
    argument.get_action().takes_values()
}

fn flags(command: &Command) -> Vec<Candidate> {
    let shown = command.get_arguments().filter(|argument| !argument.is_hide_set());
    shown
        .filter_map(|argument| {
            let about = argument.get_help().map(ToString::to_string).unwrap_or_default();
            argument.get_long().map(|name| Candidate::new(format!("--{name}"), about))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<String> {
        let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
        let (typed, before) = words.split_last().expect("there is a word");
        complete(typed, before).0.into_iter().map(|candidate| candidate.text).collect()
    }

    #[test]
    fn commands_flags_and_values() {
        let cases: [(&str, &[&str]); 14] = [
            ("ru", &["run"]),
            ("image l", &["load", "ls"]),
            ("--ro", &["--root"]),
            ("ps --no", &["--no-trunc"]),
            ("run --pull a", &["always"]),
            ("run --pull=a", &["--pull=always"]),
            ("run -it --pull m", &["missing"]),
            ("ps -f stat", &["status="]),
            ("container ls -f stat", &["status="]),
            ("volume ls -f dr", &["driver="]),
            ("events -f s", &["scope="]),
            ("search -f is-a", &["is-automated="]),
            ("image prune --filter dang", &["dangling="]),
            ("volume prune --filter all=f", &["all=false"]),
        ];
        for (line, expected) in cases {
            assert_eq!(words(line), expected, "{line}");
        }
        assert!(words("run -- --").is_empty());
        assert!(words("nothing -").contains(&"--help".to_owned()));
    }

    #[test]
    fn every_filter_that_a_command_takes_is_offered() {
        fn check(entries: &'static [Entry], before: &str) {
            for entry in entries {
                let line = format!("{before}{}", entry.name);
                match entry.kind {
                    Kind::Group { entries, .. } => check(entries, &format!("{line} ")),
                    Kind::Leaf { define, filters, .. } => {
                        let has_filter = long(&define(Command::new(entry.name)), "filter").is_some();
                        let keys: Vec<String> = filters.iter().map(|key| format!("{key}=")).collect();
                        assert_eq!(has_filter, !keys.is_empty(), "{line}");
                        assert!(!has_filter || words(&format!("{line} --filter ")) == keys, "{line}");
                    }
                }
            }
        }
        check(COMMANDS, "");
    }

    #[test]
    fn the_word_after_a_flag_is_its_value_and_no_argument() {
        let mut command = Command::new("x")
            .arg(Arg::new("a").short('a').long("all").action(ArgAction::SetTrue))
            .arg(Arg::new("n").short('n').long("name"))
            .arg(Arg::new("what"));
        command.build();
        let cases =
            [("-a", None, 0), ("-n", Some("n"), 0), ("-an", Some("n"), 0), ("-nx", None, 0), ("--name", Some("n"), 0)];
        for (line, waiting, positionals) in cases.into_iter().chain([("--name=x y", None, 1), ("-n x y", None, 1)]) {
            let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
            let (found, count) = read(&command, &words);
            assert_eq!((found.map(|argument| argument.get_id().as_str()), count), (waiting, positionals), "{line}");
        }
    }
}
