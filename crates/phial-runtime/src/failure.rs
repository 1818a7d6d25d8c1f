//! What is said when a verb did not work: one line on stderr with a hint, and one entry in the log that an engine reads.

use std::fmt;
use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::process::ExitCode;

use serde::Serialize;

/// What fallible functions of this program return.
pub(crate) type Result<T> = std::result::Result<T, Failure>;

/// Exit status of a verb that did not work.
pub(crate) const ORDINARY: u8 = 1;
/// Exit status of `exec` that did not work: others are the process's.
pub(crate) const EXEC: u8 = 255;

/// Why a verb did not work.
#[derive(Debug)]
pub(crate) struct Failure {
    message: String,
    hint: Option<String>,
}

impl Failure {
    pub(crate) fn new(message: impl Into<String>) -> Failure {
        Failure { message: message.into(), hint: None }
    }

    /// A failed call on the way to `what`.
    pub(crate) fn system(what: impl fmt::Display, cause: impl fmt::Display) -> Failure {
        Failure::new(format!("{what}: {cause}"))
    }

    /// Of a file that is not the JSON it should be. What could have stood there goes into the hint: the list is long.
    pub(crate) fn json(what: impl fmt::Display, error: &serde_json::Error) -> Failure {
        let text = error.to_string();
        if let Some((name, place)) =
            text.strip_prefix("no variant for CAP_").and_then(|rest| rest.split_once(" (").zip(rest.split_once(')')))
        {
            return Failure::system(what, format!("unknown capability CAP_{}{}", name.0, place.1))
                .with_hint("see capabilities(7) for those there are");
        }
        let Some((wrong, expected)) = text.split_once(", expected one of ") else {
            return Failure::system(what, text).with_hint("it is no OCI runtime configuration, or not whole");
        };
        let (expected, place) = expected.rsplit_once(" at line ").unwrap_or((expected, "?"));
        Failure::system(what, format!("{wrong} at line {place}")).with_hint(format!("one of {expected}"))
    }

    #[must_use]
    pub(crate) fn with_hint(mut self, hint: impl Into<String>) -> Failure {
        self.hint = Some(hint.into());
        self
    }

    /// With the verb in front.
    #[must_use]
    pub(crate) fn of_verb(mut self, verb: &str) -> Failure {
        self.message = format!("{verb}: {}", self.message);
        self
    }

    /// Says it; what comes back is the program's status.
    pub(crate) fn report(&self, log: &Log, code: u8) -> ExitCode {
        log.write("error", &self.to_string());
        // The word is what tools look for that know a runtime only by what it prints.
        let mut text = format!("phial-runtime: error: {}\n", self.message);
        if let Some(hint) = &self.hint {
            text = format!("{text}hint: {hint}\n");
        }
        // Nobody is left to be told that stderr is closed.
        std::io::stderr().write_all(text.as_bytes()).ok();
        ExitCode::from(code)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        self.hint.iter().try_for_each(|hint| write!(f, " ({hint})"))
    }
}

impl From<runtime::Error> for Failure {
    fn from(error: runtime::Error) -> Failure {
        Failure { message: error.to_string(), hint: error.hint().map(str::to_owned) }
    }
}

/// Where entries go besides stderr: `--log`, in the form of `--log-format`.
#[derive(Debug, Default)]
pub(crate) struct Log {
    path: Option<PathBuf>,
    json: bool,
    debug: bool,
}

#[derive(Serialize)]
struct Entry<'a> {
    level: &'a str,
    msg: &'a str,
    time: String,
}

impl Log {
    pub(crate) fn new(path: Option<PathBuf>, format: Option<&str>, debug: bool) -> Result<Log> {
        let json = match format {
            None | Some("text") => false,
            Some("json") => true,
            Some(other) => return Err(Failure::new(format!("--log-format {other}: is neither text nor json"))),
        };
        // /dev/stderr is where it goes anyway.
        let path = path.filter(|path| path.as_os_str() != "/dev/stderr");
        Ok(Log { path, json, debug })
    }

    /// An entry for who debugs, with `--debug` only.
    pub(crate) fn debug(&self, message: impl FnOnce() -> String) {
        if self.debug {
            self.write("debug", &message());
        }
    }

    /// Writes one entry. A log that cannot be written stops nothing.
    pub(crate) fn write(&self, level: &str, message: &str) {
        let Some(path) = &self.path else { return };
        let time = now();
        let line = if self.json {
            serde_json::to_string(&Entry { level, msg: message, time }).unwrap_or_default()
        } else {
            format!("time={time:?} level={level} msg={message:?}")
        };
        let file = OpenOptions::new().append(true).create(true).mode(0o644).open(path);
        file.and_then(|mut file| file.write_all(format!("{line}\n").as_bytes())).ok();
    }
}

/// This moment, RFC 3339 with nanoseconds, UTC.
pub(crate) fn now() -> String {
    jiff::Timestamp::now().to_string()
}

/// Writes to stdout.
pub(crate) fn print(text: &str) -> Result<()> {
    std::io::stdout().write_all(text.as_bytes()).map_err(|error| Failure::system("stdout", error))
}

/// Writes lines to stdout.
pub(crate) fn print_lines(lines: &[impl AsRef<str>]) -> Result<()> {
    let whole = |text: &str, line: &dyn AsRef<str>| [text, line.as_ref(), "\n"].concat();
    print(&lines.iter().fold(String::new(), |text, line| whole(&text, line)))
}

/// Writes JSON to stdout, indented for people.
pub(crate) fn print_json(value: &impl Serialize) -> Result<()> {
    let text = serde_json::to_string_pretty(value).map_err(|error| Failure::system("JSON", error))?;
    print(&format!("{text}\n"))
}
