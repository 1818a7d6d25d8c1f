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

use crate::command_line::{Place, program};
use crate::commands::{Entry, Kind};
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

/// Answers the shell; the first of the arguments is [`WORD`].
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

/// What there is, and whether paths of this host can come as well.
type Answer = (Vec<Candidate>, Option<values::Paths>);

fn complete(typed: &str, before: &[String]) -> Answer {
    let place = Place::of(before);
    let options = before.get(..place.length).unwrap_or(before);
    let context =
        Context { root: directory(options, "--root"), run: directory(options, "--run"), ..Context::default() };
    let asked = values::Asked { context: &context, command: "", filters: &[], typed };
    let (mut candidates, paths) = match place.command {
        None => before_command(place.entries, before, asked),
        Some(entry) => of_command(entry, &before[place.length..], asked),
    };
    candidates.retain(|candidate| candidate.text.starts_with(typed));
    (candidates, paths)
}

/// The value of an option that stands before the command.
fn directory(words: &[String], option: &str) -> Option<PathBuf> {
    let (at, rest) = words.iter().enumerate().find_map(|(at, word)| Some((at, word.strip_prefix(option)?)))?;
    if rest.is_empty() { words.get(at + 1).map(Into::into) } else { rest.strip_prefix('=').map(Into::into) }
}

/// Names of commands, and the options that stand before them.
fn before_command(entries: &[Entry], words: &[String], asked: values::Asked<'_>) -> Answer {
    let program = program();
    if let (Some(argument), _) = read(&program, words) {
        return asked.of_flag(argument);
    }
    if let Some(answer) = joined_value(&program, asked) {
        return answer;
    }
    let names = entries.iter().map(|entry| Candidate::new(entry.name, entry.about)).collect();
    let options = || [flags(&program), vec![Candidate::new("--help", "Print help")]].concat();
    (if asked.typed.starts_with('-') { options() } else { names }, None)
}

fn of_command(entry: &Entry, words: &[String], asked: values::Asked<'_>) -> Answer {
    let Kind::Leaf { define, filters, .. } = entry.kind else { return Answer::default() };
    let mut command = define(Command::new(entry.name));
    command.build();
    let asked = values::Asked { command: entry.name, filters, ..asked };
    let (waiting, positionals) = read(&command, words);
    if let Some(argument) = waiting {
        return asked.of_flag(argument);
    }
    let is_over = words.iter().any(|word| word == "--");
    if asked.typed.starts_with('-') && !is_over {
        return joined_value(&command, asked).unwrap_or_else(|| (flags(&command), None));
    }
    let arguments: Vec<&Arg> = command.get_positionals().collect();
    let argument = arguments.get(positionals.min(arguments.len().saturating_sub(1)));
    // One more than there can be has nothing to say.
    let argument = argument.filter(|argument| positionals < arguments.len() || takes_many(argument));
    argument.map(|argument| asked.of_argument(argument)).unwrap_or_default()
}

/// Of `--flag=VALUE` the values.
fn joined_value(command: &Command, asked: values::Asked<'_>) -> Option<Answer> {
    let (flag, typed) = asked.typed.split_once('=').filter(|(flag, _)| flag.starts_with("--"))?;
    let argument = long(command, &flag[2..]);
    let (values, paths) = argument.map(|found| values::Asked { typed, ..asked }.of_flag(found)).unwrap_or_default();
    let joined = values.into_iter().map(|value| Candidate::new(format!("{flag}={}", value.text), value.about));
    Some((joined.collect(), paths))
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
    use super::values::Paths;
    use super::*;
    use crate::commands::COMMANDS;

    fn answer(line: &str) -> Answer {
        let words: Vec<String> = [WORD].into_iter().chain(line.split(' ')).map(str::to_owned).collect();
        let (typed, before) = words.split_last().expect("there is a word");
        complete(typed, before)
    }

    fn words(line: &str) -> Vec<String> {
        answer(line).0.into_iter().map(|candidate| candidate.text).collect()
    }

    #[test]
    fn commands_flags_and_values() {
        let cases: [(&str, &[&str]); 29] = [
            ("ru", &["run"]),
            ("image l", &["load", "ls"]),
            ("--r", &["--root", "--run", "--registries"]),
            ("--h", &["--help"]),
            ("--root run ima", &["images", "image"]),
            ("--config run ima", &["images", "image"]),
            ("--registries=run ima", &["images", "image"]),
            ("--root=x image l", &["load", "ls"]),
            ("ps --no", &["--no-trunc"]),
            ("run --pull a", &["always"]),
            ("run --pull=a", &["--pull=always"]),
            ("run -it --pull m", &["missing"]),
            ("ps -f stat", &["status="]),
            ("container ls -f stat", &["status="]),
            ("volume ls -f dr", &["driver="]),
            ("network c", &["connect", "create"]),
            ("network ls -f type=c", &["type=custom"]),
            ("run --network h", &["host"]),
            ("build --network d", &["default"]),
            ("buildx build --progress r", &["rawjson"]),
            ("build --call=o", &["--call=outline"]),
            ("events -f s", &["scope="]),
            ("search -f is-a", &["is-automated="]),
            ("image prune --filter dang", &["dangling="]),
            ("volume prune --filter all=f", &["all=false"]),
            ("builder prune --filter type=e", &["type=exec.cachemount"]),
            ("builder du --filter inuse=t", &["inuse=true"]),
            ("run --cap-add SYS_PT", &["SYS_PTRACE"]),
            ("create --log-driver j", &["journald", "json-file"]),
        ];
        for (line, expected) in cases {
            assert_eq!(words(line), expected, "{line}");
        }
        assert!(words("run -- --").is_empty());
        assert!(words("nothing -").contains(&"--help".to_owned()));
    }

    #[test]
    fn paths_are_left_to_the_shell() {
        let cases = [
            ("--root ", Some(Paths::Directories)),
            ("--config=/e", Some(Paths::Directories)),
            ("--registries ", Some(Paths::Files)),
            ("run --env-file ", Some(Paths::Files)),
            ("build ", Some(Paths::Directories)),
            ("build -f ", Some(Paths::Files)),
            ("build -o ", Some(Paths::Files)),
            ("ps ", None),
        ];
        for (line, expected) in cases {
            assert_eq!(answer(line).1, expected, "{line}");
        }
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
