//! From words to a command: the tree of commands, and what is said about words that make no sense.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, ArgAction, ArgMatches, Command, Error, value_parser};

use crate::commands::{COMMANDS, Entry, Kind, find, with_entries};
use crate::context::Context;
use crate::failure::{Failure, say};
use crate::output::human;
use crate::{completion, output, unsupported};

/// Docker's exit status for an option that makes no sense, whatever the command.
const BAD_OPTION: u8 = 125;

/// The options before a command: each takes a value.
const OPTIONS_WITH_VALUE: [&str; 4] = ["--root", "--run", "--config", "--registries"];

const EXAMPLES: &str = "\
Examples:
  phial run --rm hello                 what isolates a container, told from inside
  phial run --rm -it alpine sh         a shell in a container
  phial ps -a                          all containers

'phial COMMAND --help' tells more about a command.";

/// Runs what `arguments` (the first is the program's name) ask for.
pub(crate) fn run(mut arguments: Vec<OsString>) -> ExitCode {
    if arguments.get(1).is_some_and(|word| word == completion::WORD) {
        completion::answer(&arguments[1..]);
        return ExitCode::SUCCESS;
    }
    // `help run` is docker's way of asking for `run --help`.
    if arguments.get(1).is_some_and(|word| word == "help") {
        arguments.remove(1);
        arguments.push("--help".into());
    }
    loop {
        match program().try_get_matches_from(&arguments) {
            Ok(matches) => return dispatch(&matches),
            Err(error) => match without_value_of_switch(&error, &arguments) {
                Some(rewritten) => arguments = rewritten,
                None => return explain(&error, &arguments),
            },
        }
    }
}

/// The whole tree, each part of which is defined only when it is used.
pub(crate) fn program() -> Command {
    let directory = |name: &'static str, help| {
        Arg::new(name).long(name).value_name("DIR").value_parser(value_parser!(PathBuf)).help(help)
    };
    let program = Command::new("phial")
        .version(env!("CARGO_PKG_VERSION"))
        .about("Containers in one program, without a daemon")
        .after_help(EXAMPLES)
        .disable_version_flag(true)
        .arg(directory("root", "Images and containers [env: PHIAL_ROOT] [default: /var/lib/phial]"))
        .arg(directory("run", "State of running containers [env: PHIAL_RUN] [default: /run/phial]"))
        .arg(directory("config", "Docker's config.json lies here [env: DOCKER_CONFIG] [default: ~/.docker]"))
        .arg(
            Arg::new("registries")
                .long("registries")
                .value_name("FILE")
                .value_parser(value_parser!(PathBuf))
                .help("Mirrors, insecure registries and short names [env: PHIAL_REGISTRIES] [default: /etc/phial/registries.toml]"),
        )
        .arg(Arg::new("version").short('v').long("version").action(ArgAction::Version).help("Print the version"));
    with_entries(program, COMMANDS)
}

fn dispatch(matches: &ArgMatches) -> ExitCode {
    let directory = |name| matches.get_one::<PathBuf>(name).cloned();
    let context = Context {
        root: directory("root"),
        run: directory("run"),
        registries: directory("registries"),
        config: directory("config"),
    };
    let (mut entries, mut matches) = (COMMANDS, matches);
    while let Some((name, below)) = matches.subcommand() {
        let Some(entry) = find(entries, name) else { break };
        matches = below;
        match entry.kind {
            Kind::Group { entries: further, .. } => entries = further,
            Kind::Leaf { run, .. } => {
                return run(matches, &context)
                    .unwrap_or_else(|failure| with_room(failure, &context).report(entry.starts));
            }
        }
    }
    ExitCode::FAILURE
}

/// A failure for want of room tells how much there is, and how to have more.
fn with_room(failure: Failure, context: &Context) -> Failure {
    let paths = if failure.is_full() { context.paths().ok() } else { None };
    let Some(paths) = paths else { return failure };
    let Ok(space) = rustix::fs::statvfs(paths.root()) else { return failure };
    let free = human::size(space.f_bavail.saturating_mul(space.f_frsize));
    let files = if space.f_ffree == 0 && space.f_files > 0 { " and no file more" } else { "" };
    let root = paths.root().display();
    failure.with_hint(format!("{root} has room for {free}{files}; 'phial system df' shows what uses it"))
}

/// The arguments with `--rm=true` as `--rm`, or without `--rm=false`, if that is what the parser stopped at: docker
/// takes a value for every switch. Of `-it=false` the value is the last letter's.
fn without_value_of_switch(error: &Error, arguments: &[OsString]) -> Option<Vec<OsString>> {
    let given = text(error, ContextKind::InvalidArg)?;
    let is_it = |argument: &str| match error.kind() {
        ErrorKind::TooManyValues => argument.split_once('=').is_some_and(|(switch, _)| switch == given),
        ErrorKind::UnknownArgument if given == "-=" => !argument.starts_with("--") && argument.starts_with('-'),
        _ => false,
    };
    let (position, switch, value) = arguments.iter().enumerate().find_map(|(position, argument)| {
        let (switch, value) = argument.to_str().filter(|argument| is_it(argument))?.split_once('=')?;
        Some((position, switch, value))
    })?;
    let without = if notation::truth(value)? {
        Some(switch)
    } else {
        let before = if switch.starts_with("--") { "-" } else { &switch[..switch.len() - 1] };
        (before != "-").then_some(before)
    };
    let mut rewritten = arguments.to_vec();
    rewritten.splice(position..=position, without.map(OsString::from));
    Some(rewritten)
}

/// Says what the parser has to say: help on standard output, everything else on standard error.
fn explain(error: &Error, arguments: &[OsString]) -> ExitCode {
    use ErrorKind::{
        DisplayHelp, DisplayHelpOnMissingArgumentOrSubcommand, DisplayVersion, MissingRequiredArgument, TooFewValues,
    };
    if matches!(error.kind(), DisplayHelp | DisplayHelpOnMissingArgumentOrSubcommand | DisplayVersion) {
        let printed = output::print(&error.render().to_string());
        return printed.map_or_else(|failure| failure.report(false), |()| ExitCode::SUCCESS);
    }
    if let Some(failure) = not_yet(error, arguments) {
        return failure.report(false);
    }
    let about_option = text(error, ContextKind::InvalidArg).is_some_and(|argument| argument.starts_with('-'));
    let message = if !about_option && matches!(error.kind(), MissingRequiredArgument | TooFewValues) {
        let usage = error.get(ContextKind::Usage).map(ToString::to_string).unwrap_or_default();
        format!("an argument is missing\n\n{usage}\n\nFor more information, try '--help'.")
    } else {
        error.render().to_string()
    };
    // The parser's tips are those of other programs: one is to put `--` in front, and it knows no letters that changed places.
    let is_tip = |line: &&str| line.trim_start().starts_with("tip: ");
    let message: Vec<&str> = message.trim_end().lines().filter(|line| !is_tip(line)).collect();
    let message = message.join("\n").replace("\n\n\n", "\n\n");
    say(&format!("phial: {}", message.strip_prefix("error: ").unwrap_or(&message)));
    if let Some(meant) = meant(error, arguments) {
        say(&format!("hint: did you mean {meant}?"));
    }
    if about_option { ExitCode::from(BAD_OPTION) } else { ExitCode::FAILURE }
}

/// What docker has and this version not.
fn not_yet(error: &Error, arguments: &[OsString]) -> Option<Failure> {
    match error.kind() {
        ErrorKind::UnknownArgument => {
            let given = text(error, ContextKind::InvalidArg)?;
            // What stands before a command is docker's own.
            let before = arguments.iter().position(|word| word == given).unwrap_or(arguments.len());
            let place = Place::of(&arguments[..before]);
            let flag = unsupported::flag(place.group, place.command.map_or("", |entry| entry.name), given)?;
            let failure = match unsupported::never(flag) {
                Some(why) => Failure::new(format!("--{flag} is not supported")).with_hint(why),
                None => Failure::new(format!("--{flag} is not supported yet")),
            };
            Some(failure.with_code(BAD_OPTION))
        }
        ErrorKind::InvalidSubcommand => {
            let given = text(error, ContextKind::InvalidSubcommand)?;
            unsupported::is_command(given).then(|| Failure::new(format!("'{given}' is not supported yet")))
        }
        _ => None,
    }
}

/// The command or flag that was meant, if one is like what was typed.
fn meant(error: &Error, arguments: &[OsString]) -> Option<String> {
    match error.kind() {
        ErrorKind::InvalidSubcommand => {
            let given = text(error, ContextKind::InvalidSubcommand)?;
            let names = Place::of(arguments).entries.iter().map(|entry| entry.name);
            notation::similar(given, names).map(str::to_owned)
        }
        ErrorKind::UnknownArgument => {
            let given = text(error, ContextKind::InvalidArg)?.strip_prefix("--")?;
            let Kind::Leaf { define, .. } = Place::of(arguments).command?.kind else { return None };
            let command = define(Command::new(""));
            let names = command.get_arguments().filter(|argument| !argument.is_hide_set());
            notation::similar(given, names.filter_map(Arg::get_long)).map(|name| format!("--{name}"))
        }
        _ => None,
    }
}

/// Where the words lead, as far as they are known.
pub(crate) struct Place {
    /// The group, if they name one.
    pub(crate) group: Option<&'static str>,
    /// What can follow there.
    pub(crate) entries: &'static [Entry],
    /// The command, if they name one.
    pub(crate) command: Option<&'static Entry>,
    /// How many of the words lead there.
    pub(crate) length: usize,
}

impl Place {
    /// Follows the words, the first of which is the program's name.
    pub(crate) fn of(words: &[impl AsRef<OsStr>]) -> Place {
        let mut place = Place { group: None, entries: COMMANDS, command: None, length: 1 };
        while let (Some(word), None) = (words.get(place.length), place.command) {
            let Some(word) = word.as_ref().to_str() else { break };
            place.length += 1;
            if OPTIONS_WITH_VALUE.contains(&word) {
                place.length += 1;
            } else if !word.starts_with('-') {
                let Some(entry) = find(place.entries, word) else { break };
                match entry.kind {
                    Kind::Group { entries, .. } => (place.group, place.entries) = (Some(entry.name), entries),
                    Kind::Leaf { .. } => place.command = Some(entry),
                }
            }
        }
        place
    }
}

fn text(error: &Error, kind: ContextKind) -> Option<&str> {
    match error.get(kind)? {
        ContextValue::String(text) => Some(text),
        ContextValue::Strings(texts) => texts.first().map(String::as_str),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every command without subcommands, with its whole definition.
    fn leaves(command: &Command) -> Vec<Command> {
        let mut command = command.clone();
        command.build();
        let below: Vec<Command> = command.get_subcommands().flat_map(leaves).collect();
        if below.is_empty() { vec![command] } else { below }
    }

    #[test]
    fn every_command_is_well_formed_and_has_an_example() {
        for mut command in leaves(&program()) {
            let help = command.render_help().to_string();
            assert!(help.contains("Examples:\n  phial "), "{help}");
            command.debug_assert();
        }
    }

    /// There are too many to be read in one list.
    #[test]
    fn flags_of_run_stand_under_headings() {
        let mut commands = leaves(&program()).into_iter();
        let run = commands.find(|command| command.get_name() == "run").expect("there is run");
        let without = run.get_arguments().filter(|argument| argument.get_help_heading().is_none());
        let without: Vec<&str> = without.filter_map(Arg::get_long).collect();
        assert_eq!(without, ["detach", "detach-keys", "sig-proxy", "help"]);
    }

    #[test]
    fn a_flag_that_docker_has_is_not_an_unknown_one() {
        let words: Vec<OsString> =
            ["phial", "--root", "/x", "run", "--storage-opt", "size=1G", "alpine"].map(OsString::from).into();
        let error = program().try_get_matches_from(&words).expect_err("there is no --storage-opt");
        assert!(not_yet(&error, &words).is_some());
    }

    #[test]
    fn switches_that_are_on_take_go_s_words() {
        let cases: [(&[&str], bool); 8] = [
            (&["commit", "--pause=0", "web"], true),
            (&["commit", "--pause", "web", "name"], true),
            (&["history", "-H=F", "alpine"], true),
            (&["pull", "--tls-verify=f", "alpine"], true),
            (&["login", "--tls-verify=False"], true),
            (&["run", "--sig-proxy=T", "alpine"], true),
            (&["run", "--disable-content-trust=1", "alpine"], true),
            (&["commit", "--pause=2", "web"], false),
        ];
        for (given, is_taken) in cases {
            let words: Vec<OsString> = ["phial"].iter().chain(given).map(OsString::from).collect();
            assert_eq!(program().try_get_matches_from(&words).is_ok(), is_taken, "{given:?}");
        }
    }

    #[test]
    fn docker_s_own_options_and_those_of_groups_are_not_unknown_ones() {
        let cases: [(&[&str], bool); 5] = [
            (&["-H", "tcp://x", "ps"], true),
            (&["--config", "/x", "--tlsverify", "ps"], true),
            (&["volume", "create", "--availability", "x"], true),
            (&["volume", "create", "--publish", "x"], false),
            (&["--nonsense", "ps"], false),
        ];
        for (given, known) in cases {
            let words: Vec<OsString> = ["phial"].iter().chain(given).map(OsString::from).collect();
            let error = program().try_get_matches_from(&words).expect_err("none of them is there");
            assert_eq!(not_yet(&error, &words).is_some(), known, "{given:?}");
        }
    }

    #[test]
    fn groups_know_docker_s_second_names() {
        for given in [["container", "list"], ["container", "ps"], ["image", "remove"], ["volume", "list"]] {
            let words = ["phial"].iter().chain(&given).map(OsString::from);
            let missing = program().try_get_matches_from(words).map_err(|error| error.kind());
            assert_ne!(missing.err(), Some(ErrorKind::InvalidSubcommand), "{given:?}");
        }
    }

    #[test]
    fn switches_take_values() {
        let cases: [(&[&str], Option<&[&str]>); 6] = [
            (&["--rm=true", "x"], Some(&["--rm", "x"])),
            (&["--rm=false", "x"], Some(&["x"])),
            (&["-it=false", "x"], Some(&["-i", "x"])),
            (&["-t=0", "x"], Some(&["x"])),
            (&["-t=1", "x"], Some(&["-t", "x"])),
            (&["--rm=perhaps", "x"], None),
        ];
        for (given, expected) in cases {
            let whole = |words: &[&str]| ["phial", "run"].iter().chain(words).map(OsString::from).collect::<Vec<_>>();
            let given = whole(given);
            let error = program().try_get_matches_from(&given).expect_err("clap's switches take no value");
            assert_eq!(without_value_of_switch(&error, &given), expected.map(whole), "{given:?}");
        }
    }
}
