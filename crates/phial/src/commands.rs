//! The commands: what they are called, what they take, and what runs them. One file each, in a folder per noun; the
//! noun's `mod.rs` has the table of its group.

use std::process::ExitCode;

use clap::builder::BoolishValueParser;
use clap::{ArgMatches, Args, Command};

use crate::context::Context;
use crate::failure::{Failure, Result};

/// `build`.
pub(crate) mod build;
/// Builds and what they leave.
mod builder;
/// `completion`.
mod completion;
/// What is done with containers.
mod container;
/// What is done with images.
mod image;
/// `inspect`, and the forms of it in groups.
mod inspect;
/// `man`.
mod man;
/// What is done with lists of manifests.
mod manifest;
/// What is done with networks.
mod network;
/// What all `prune` commands have alike.
mod prune;
/// What is done with registries as such.
mod registry;
/// What is done with the store and this host.
mod system;
/// What is done with volumes.
mod volume;

/// One command, or a group of them.
pub(crate) struct Entry {
    /// What is typed.
    pub(crate) name: &'static str,
    /// What can be typed instead.
    pub(crate) aliases: &'static [&'static str],
    /// One line of help.
    pub(crate) about: &'static str,
    /// What it is.
    pub(crate) kind: Kind,
    /// Whether it starts a process, and therefore keeps docker's exit statuses 125 to 127.
    pub(crate) starts: bool,
}

/// What an entry is.
pub(crate) enum Kind {
    /// A command.
    Leaf {
        /// Adds its options; called only when the command is used.
        define: fn(Command) -> Command,
        /// Runs it.
        run: fn(&ArgMatches, &Context) -> Result<ExitCode>,
        /// What its `--filter` knows.
        filters: &'static [&'static str],
    },
    /// Further commands.
    Group {
        /// Adds them; called only when the group is used.
        define: fn(Command) -> Command,
        /// What they are.
        entries: &'static [Entry],
    },
}

/// A command's options, once they are parsed.
trait Execute: Args {
    /// What `--filter` knows.
    const FILTERS: &'static [&'static str] = &[];

    /// Carries the command out.
    fn execute(self, context: &Context) -> Result<ExitCode>;
}

/// Every command, in the order of the help.
pub(crate) const COMMANDS: &[Entry] = &[
    starting::<container::run::Run>("run", "Create and run a new container from an image"),
    starting::<container::create::Create>("create", "Create a new container"),
    starting::<container::exec::Exec>("exec", "Run a command in a running container"),
    leaf::<container::ps::Ps>("ps", "List containers"),
    leaf::<build::Build>("build", "Build an image from a Dockerfile"),
    leaf::<image::ls::Images>("images", "List images"),
    leaf::<image::pull::Pull>("pull", "Download an image from a registry"),
    leaf::<image::push::Push>("push", "Upload an image to a registry"),
    leaf::<registry::login::Login>("login", "Log in to a registry"),
    leaf::<registry::logout::Logout>("logout", "Log out from a registry"),
    leaf::<registry::search::Search>(
        "search",
        "Search Docker Hub, or another registry that can be searched, for images",
    ),
    leaf::<container::logs::Logs>("logs", "Show what a container has written"),
    leaf::<container::attach::Attach>("attach", "Connect this terminal to a running container"),
    leaf::<container::start::Start>("start", "Start containers that do not run"),
    leaf::<container::top::Top>("top", "Show the processes of a container"),
    leaf::<container::stats::Stats>("stats", "Show what containers use, again and again"),
    leaf::<container::stop::Stop>("stop", "Stop running containers"),
    leaf::<container::restart::Restart>("restart", "Stop containers and start them again"),
    leaf::<container::kill::Kill>("kill", "Send a signal to running containers"),
    leaf::<container::pause::Pause>("pause", "Stop all processes of containers where they are"),
    leaf::<container::pause::Unpause>("unpause", "Let all processes of paused containers go on"),
    leaf::<container::wait::Wait>("wait", "Wait until containers have ended, then print their exit codes"),
    leaf::<container::rm::Rm>("rm", "Remove containers"),
    leaf::<container::rename::Rename>("rename", "Give a container another name"),
    leaf::<container::update::Update>("update", "Change limits and restart policies of containers"),
    leaf::<container::port::Port>("port", "List the published ports of a container"),
    leaf::<image::rm::Rmi>("rmi", "Remove images"),
    leaf::<container::commit::Commit>("commit", "Make an image of what a container has changed"),
    leaf::<container::cp::Cp>("cp", "Copy files between a container and this host"),
    leaf::<container::diff::Diff>("diff", "Show what a container has changed in its image's files"),
    leaf::<container::export::Export>("export", "Write all files of a container as a tar archive"),
    leaf::<image::tag::Tag>("tag", "Give an image one more name"),
    leaf::<image::history::History>("history", "Show how an image came to be"),
    leaf::<image::save::Save>("save", "Write images into a file, or to standard output"),
    leaf::<image::import::Import>("import", "Make an image of the files in an archive"),
    leaf::<image::load::Load>("load", "Take images out of a file, or standard input"),
    leaf::<inspect::Inspect>("inspect", "Show everything about containers, images, networks and volumes, as JSON"),
    leaf::<system::events::Events>("events", "Show what happens to containers, images, networks and volumes"),
    leaf::<system::info::Info>("info", "Show what this host is and has"),
    leaf::<system::version::Version>("version", "Show the version"),
    leaf::<completion::Completion>("completion", "Print the script that completes commands and names in a shell"),
    leaf::<man::Man>("man", "Write manual pages"),
    also(
        group("builder", "Manage builds", |command| with_entries(command, builder::COMMANDS), builder::COMMANDS),
        &["buildx"],
    ),
    group("container", "Manage containers", |command| with_entries(command, container::COMMANDS), container::COMMANDS),
    group(
        "manifest",
        "Make and push images of several platforms",
        |command| with_entries(command, manifest::COMMANDS),
        manifest::COMMANDS,
    ),
    group("image", "Manage images", |command| with_entries(command, image::COMMANDS), image::COMMANDS),
    group("network", "Manage networks", |command| with_entries(command, network::COMMANDS), network::COMMANDS),
    group("system", "Manage the store as a whole", |command| with_entries(command, system::COMMANDS), system::COMMANDS),
    group("volume", "Manage volumes", |command| with_entries(command, volume::COMMANDS), volume::COMMANDS),
];

/// Gives `command` its subcommands, each of which is defined only when it is used.
pub(crate) fn with_entries(command: Command, entries: &'static [Entry]) -> Command {
    let subcommand = |entry: &'static Entry| {
        let (Kind::Leaf { define, .. } | Kind::Group { define, .. }) = entry.kind;
        Command::new(entry.name).aliases(entry.aliases).about(entry.about).defer(define)
    };
    command
        .subcommand_required(true)
        .arg_required_else_help(true)
        .disable_help_subcommand(true)
        .subcommands(entries.iter().map(subcommand))
}

/// The entry of this name.
pub(crate) fn find(entries: &'static [Entry], name: &str) -> Option<&'static Entry> {
    entries.iter().find(|entry| entry.name == name || entry.aliases.contains(&name))
}

const fn leaf<T: Execute>(name: &'static str, about: &'static str) -> Entry {
    let kind = Kind::Leaf { define: define::<T>, run: execute::<T>, filters: T::FILTERS };
    Entry { name, aliases: &[], about, kind, starts: false }
}

/// The same command, which also has docker's other names.
const fn also(entry: Entry, aliases: &'static [&'static str]) -> Entry {
    Entry { aliases, ..entry }
}

const fn starting<T: Execute>(name: &'static str, about: &'static str) -> Entry {
    Entry { starts: true, ..leaf::<T>(name, about) }
}

const fn group(
    name: &'static str,
    about: &'static str,
    define: fn(Command) -> Command,
    entries: &'static [Entry],
) -> Entry {
    Entry { name, aliases: &[], about, kind: Kind::Group { define, entries }, starts: false }
}

/// Adds a command's options. Its line of help stays the one of the list; of an option given twice the last counts.
fn define<T: Execute>(command: Command) -> Command {
    let about = command.get_about().cloned().unwrap_or_default();
    let command = T::augment_args(command).about(about).next_line_help(false).args_override_self(true);
    command.mut_args(|argument| {
        let takes_one = !argument.is_positional()
            && argument.get_action().takes_values()
            && argument.get_num_args().is_none_or(|number| number.min_values() > 0);
        match argument.get_value_names() {
            // As docker's: a switch that is on unless it is switched off, in any of Go's words.
            Some([name]) if name == "BOOL" => {
                let switch = argument.num_args(0..=1).require_equals(true).default_missing_value("true");
                switch.value_parser(BoolishValueParser::new())
            }
            // What follows an option that takes a value is its value, whatever it begins with.
            _ if takes_one => argument.allow_hyphen_values(true),
            _ => argument,
        }
    })
}

fn execute<T: Execute>(matches: &ArgMatches, context: &Context) -> Result<ExitCode> {
    let command = T::from_arg_matches(matches).map_err(|error| Failure::new(error.to_string()))?;
    command.execute(context)
}

/// Does something with each name, says what did not work and goes on; the exit status is 1 if anything did not.
fn each(names: &[String], mut action: impl FnMut(&str) -> Result<()>) -> Result<ExitCode> {
    let mut code = ExitCode::SUCCESS;
    for name in names {
        match action(name) {
            Ok(()) => {}
            Err(failure) if failure.is_silent() => return Err(failure),
            Err(failure) => {
                failure.print();
                code = ExitCode::FAILURE;
            }
        }
    }
    Ok(code)
}
