//! Manual pages, one for each command, from what the parser knows: see man(7) for the language. Pure.

use clap::{Arg, Command};

/// Of the pages: when this version was made.
const DATE: &str = "2026-11-27";

/// A page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Page {
    /// `phial-run`.
    pub(crate) name: String,
    /// Its text.
    pub(crate) text: String,
}

/// The page of a program and those of all its commands, the program's first.
pub(crate) fn pages(program: Command) -> Vec<Page> {
    let mut found = Vec::new();
    collect(program, &[], &mut found);
    found
}

fn collect(mut command: Command, above: &[String], found: &mut Vec<Page>) {
    // Commands define themselves only now: they are deferred.
    command.build();
    let words: Vec<String> = above.iter().cloned().chain([command.get_name().to_owned()]).collect();
    found.push(Page { name: words.join("-"), text: page(&mut command, &words) });
    for below in command.get_subcommands() {
        collect(below.clone(), &words, found);
    }
}

fn page(command: &mut Command, words: &[String]) -> String {
    let mut roff = Roff(String::new());
    let title = words.join("-");
    roff.line(&format!(
        ".TH {} 1 \"{DATE}\" \"phial {}\" \"User Commands\"",
        quoted(&title.to_uppercase()),
        env!("CARGO_PKG_VERSION")
    ));
    let about = command.get_about().map(ToString::to_string).unwrap_or_default();
    roff.section("NAME");
    roff.text(&format!("{title} - {}", lowered(&about)));
    roff.section("SYNOPSIS");
    roff.line(".nf");
    for usage in command.render_usage().to_string().lines() {
        let usage = usage.trim().trim_start_matches("Usage:").trim();
        // It may say the program's name only.
        let usage =
            usage.strip_prefix(&words.join(" ")).or_else(|| usage.strip_prefix(command.get_name())).unwrap_or(usage);
        roff.text(&format!("{}{usage}", words.join(" ")));
    }
    roff.line(".fi");
    roff.section("DESCRIPTION");
    roff.text(&format!("{about}."));
    arguments(command, &mut roff);
    commands(command, words, &mut roff);
    roff.examples(&command.get_after_help().map(ToString::to_string).unwrap_or_default());
    roff.section("SEE ALSO");
    let above = words.split_last().map(|(_, above)| above.join("-")).filter(|above| !above.is_empty());
    match above {
        Some(above) => roff.line(&format!(".BR {} (1)", escaped(&above))),
        None => roff.line(".BR docker (1)"),
    }
    roff.0
}

fn arguments(command: &Command, roff: &mut Roff) {
    let shown: Vec<&Arg> = command.get_arguments().filter(|argument| !argument.is_hide_set()).collect();
    for (title, positional) in [("ARGUMENTS", true), ("OPTIONS", false)] {
        let mut listed = shown.iter().filter(|argument| argument.is_positional() == positional).peekable();
        if listed.peek().is_some() {
            roff.section(title);
        }
        let mut heading_above = None;
        for argument in listed {
            let under = argument.get_help_heading();
            if let Some(title) = under.filter(|_| under != heading_above) {
                roff.line(&format!(".SS {}", quoted(title)));
            }
            heading_above = under;
            roff.entry(&heading(argument), &help(argument));
        }
    }
}

fn heading(argument: &Arg) -> String {
    let values: Vec<String> = argument.get_value_names().unwrap_or_default().iter().map(ToString::to_string).collect();
    if argument.is_positional() {
        return values.join(" ");
    }
    let short = argument.get_short().map(|letter| format!("-{letter}"));
    let long = argument.get_long().map(|name| format!("--{name}"));
    let flags = short.into_iter().chain(long).collect::<Vec<_>>().join(", ");
    let value = if argument.get_action().takes_values() { format!(" {}", values.join(" ")) } else { String::new() };
    flags + &value
}

fn help(argument: &Arg) -> String {
    let mut text = argument.get_help().map(ToString::to_string).unwrap_or_default();
    let listed = |values: Vec<String>| values.join(", ");
    if argument.get_action().takes_values() {
        let possible =
            argument.get_possible_values().iter().map(|value| value.get_name().to_owned()).collect::<Vec<_>>();
        if !possible.is_empty() {
            text = format!("{text} [possible values: {}]", listed(possible));
        }
        let default: Vec<String> =
            argument.get_default_values().iter().map(|value| value.to_string_lossy().into_owned()).collect();
        if !default.is_empty() && !argument.is_hide_default_value_set() {
            text = format!("{text} [default: {}]", listed(default));
        }
    }
    text
}

fn commands(command: &Command, words: &[String], roff: &mut Roff) {
    let mut below = command.get_subcommands().filter(|command| !command.is_hide_set()).peekable();
    if below.peek().is_some() {
        roff.section("COMMANDS");
    }
    for command in below {
        let page = format!("{}-{}(1)", words.join("-"), command.get_name());
        roff.entry(&page, &command.get_about().map(ToString::to_string).unwrap_or_default());
    }
}

/// The text of a page as it grows.
struct Roff(String);

impl Roff {
    /// A line of the language itself.
    fn line(&mut self, line: &str) {
        self.0.push_str(line);
        self.0.push('\n');
    }

    fn section(&mut self, title: &str) {
        self.line(&format!(".SH {}", quoted(title)));
    }

    /// Words of a page.
    fn text(&mut self, text: &str) {
        for line in text.lines().filter(|line| !line.trim().is_empty()) {
            self.line(&escaped(line));
        }
    }

    fn entry(&mut self, heading: &str, text: &str) {
        self.line(".TP");
        self.line(&format!("\\fB{}\\fR", escaped(heading)));
        self.text(if text.is_empty() { heading } else { text });
    }

    /// What stands after a command's help: examples as they are, and what follows them.
    fn examples(&mut self, text: &str) {
        let mut examples = text.split("\n\n");
        for part in examples.by_ref() {
            let (title, rest) = part.split_once('\n').unwrap_or(("", part));
            let title = if title.is_empty() { "NOTES".to_owned() } else { title.trim_end_matches(':').to_uppercase() };
            let is_block = title == "EXAMPLES" || rest.starts_with(' ');
            self.section(if is_block { &title } else { "NOTES" });
            if is_block {
                self.line(".nf");
                self.text(rest);
                self.line(".fi");
            } else {
                self.text(part);
            }
        }
    }
}

/// Text without a meaning in the language: no line begins with a control character, and no dash becomes a hyphen.
fn escaped(text: &str) -> String {
    let text = text.replace('\\', "\\e").replace('-', "\\-").replace('…', "...");
    if text.starts_with(['.', '\'']) { format!("\\&{text}") } else { text }
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", escaped(text).replace('"', "'"))
}

/// As it stands after the name: small, unless it is a name itself.
fn lowered(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_lowercase().chain(letters).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_taken_for_a_request() {
        for (text, expected) in [(".x", "\\&.x"), ("'x", "\\&'x"), ("a-b", "a\\-b"), ("a\\b", "a\\eb"), ("a.b", "a.b")]
        {
            assert_eq!(escaped(text), expected);
        }
    }

    #[test]
    fn there_is_a_page_for_each_command_with_its_options() {
        let pages = pages(crate::command_line::program());
        let page = |name: &str| pages.iter().find(|page| page.name == name).expect("there is such a page");
        assert_eq!(pages.first().map(|page| page.name.as_str()), Some("phial"));
        let run = &page("phial-run").text;
        for part in [
            ".SH \"SYNOPSIS\"",
            "phial run [OPTIONS]",
            "\\fB\\-i, \\-\\-interactive\\fR",
            ".SH \"EXAMPLES\"",
            ".SS \"Limits\"",
        ] {
            assert!(run.contains(part), "{part}: {run}");
        }
        assert!(page("phial-image-ls").text.contains("phial\\-image (1)"));
    }
}
