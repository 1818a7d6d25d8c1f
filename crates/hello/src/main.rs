//! The payload of `phial run hello`: a process that tells, from inside, what makes it a container.
//!
//! It only looks: it changes nothing, opens nothing for longer than a look, and sends no packet. What it cannot see it
//! says so and goes on, because a container without `/proc` is a container too. It depends on nothing but the standard
//! library, so that the image stays one small static file.

use std::io::{self, IsTerminal, Write};
use std::path::Path;
use std::process::ExitCode;

/// The powers of root by name, and what each would allow.
mod capabilities;
/// Control groups: which one this process is in, and how much that allows.
mod cgroups;
/// For tests: a container's files.
#[cfg(test)]
mod fixture;
/// A JSON value and its text.
mod json;
/// Columns, line breaks and colour of the report.
mod layout;
/// How much of something may be used.
mod limit;
/// What is mounted, and what each mount means to who looks at it.
mod mounts;
/// Namespaces: which are this process's own, and what each hides.
mod namespaces;
/// Interfaces, and whether anything outside can be reached.
mod network;
/// Harmless attempts at what a container should refuse.
mod probes;
/// The report as JSON.
mod program;
/// Reading a file of the kernel, or the reason why it cannot be seen.
mod seen;
/// `/proc/self/status` and `/proc/self/limits`.
mod status;
/// The report as text for people.
mod text;
/// Everything that was seen, as data.
mod view;

use layout::Colour;
use view::View;

const USAGE: &str = "\
Tells from inside a container what isolates it.

Usage: hello [--json]

Options:
      --json  Print the same as JSON, for programs
  -h, --help  Print this help

Example:
  phial run hello --json
";

/// What the command line asks for.
#[derive(Debug, PartialEq, Eq)]
enum Request {
    Text,
    Json,
    Help,
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args_os().skip(1).map(|a| a.to_string_lossy().into_owned()).collect();
    let answer = match request(&arguments) {
        Ok(Request::Help) => USAGE.to_owned(),
        Ok(Request::Json) => program::report(&View::of(Path::new("/"))).pretty(),
        Ok(Request::Text) => text::report(&View::of(Path::new("/")), colour()),
        Err(argument) => return refuse(&argument),
    };
    ExitCode::from(u8::from(io::stdout().lock().write_all(answer.as_bytes()).is_err()))
}

/// The request in these arguments, or the argument that is not understood.
fn request(arguments: &[String]) -> Result<Request, String> {
    let mut request = Request::Text;
    for argument in arguments {
        request = match argument.as_str() {
            "--help" | "-h" => return Ok(Request::Help),
            "--json" => Request::Json,
            _ => return Err(argument.clone()),
        };
    }
    Ok(request)
}

fn refuse(argument: &str) -> ExitCode {
    let argument = layout::printable(argument);
    // Nothing is left to do when stderr is closed as well: the exit code still says it.
    let _ = writeln!(io::stderr(), "hello: unknown argument `{argument}`\nhint: `phial run hello --help` lists them");
    ExitCode::from(2)
}

/// Colour on a terminal only, and never where the user asked for none (<https://no-color.org>).
fn colour() -> Colour {
    let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb");
    if io::stdout().is_terminal() && !refused && !dumb { Colour::Some } else { Colour::None }
}

#[cfg(test)]
mod tests {
    use super::{Request, request};

    #[test]
    fn arguments() {
        let check = |line: &[&str], want: Result<Request, &str>| {
            let line: Vec<String> = line.iter().map(ToString::to_string).collect();
            assert_eq!(request(&line), want.map_err(str::to_owned), "{line:?}");
        };
        check(&[], Ok(Request::Text));
        check(&["--json"], Ok(Request::Json));
        check(&["--json", "-h"], Ok(Request::Help));
        check(&["sh"], Err("sh"));
        check(&["--json", "--yaml"], Err("--yaml"));
    }
}
