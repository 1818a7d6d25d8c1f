//! `--check`: what a Dockerfile says and probably does not mean, for people and for programs.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use dockerfile::check::Finding;
use dockerfile::evaluate::{Inputs, evaluate};
use dockerfile::{Dockerfile, Error, Look};
use serde_json::{Value, json};

/// What checks of a file have found.
#[derive(Debug, Clone)]
pub struct Lint {
    /// What the file is called.
    name: String,
    /// What stands in it.
    text: String,
    /// In the order of the file.
    pub warnings: Vec<Warning>,
    /// Why the file cannot be built at all, if that is so.
    pub error: Option<Error>,
}

/// A rule that the file breaks.
pub type Warning = Finding;

impl Lint {
    /// Checks a file: `name` is what it is called. `inputs.all_stages` says whether stages that nobody needs are looked at.
    pub fn of(name: &str, bytes: &[u8], inputs: &Inputs<'_>) -> Lint {
        let evaluated = Dockerfile::parse(bytes).and_then(|file| evaluate(file, inputs));
        let (warnings, error) = match evaluated {
            Ok(evaluated) => (evaluated.findings, None),
            Err(error) => (Vec::new(), Some(error)),
        };
        Lint { name: name.to_owned(), text: String::from_utf8_lossy(bytes).into_owned(), warnings, error }
    }

    /// Whether there is nothing to say.
    pub fn is_clean(&self) -> bool {
        self.warnings.is_empty() && self.error.is_none()
    }

    /// Each finding with its lines, after how many there are.
    pub fn report(&self, look: Look) -> String {
        let mut parts = Vec::new();
        match (self.warnings.len(), &self.error) {
            (0, None) => return "Check complete, no warnings found.\n".to_owned(),
            (0, Some(_)) => {}
            (1, _) => parts.push("Check complete, 1 warning has been found!".to_owned()),
            (number, _) => parts.push(format!("Check complete, {number} warnings have been found!")),
        }
        parts.extend(self.warnings.iter().map(|warning| warning.report(&self.name, &self.text, look)));
        parts.extend(self.error.iter().map(|error| error.report(&self.name, &self.text, look)));
        parts.join("\n\n") + "\n"
    }

    /// `BuildKit`'s `lint.LintResults`.
    pub fn json(&self) -> Value {
        let warnings = self.warnings.iter().map(|warning| {
            json!({
                "ruleName": warning.rule.name(),
                "description": warning.rule.description(),
                "url": warning.rule.url(),
                "detail": warning.message,
                "location": location(warning.lines),
            })
        });
        let mut all = json!({
            "warnings": warnings.collect::<Vec<_>>(),
            "sources": [{
                "filename": self.name,
                "data": BASE64.encode(&self.text),
                "language": "Dockerfile",
            }],
        });
        if let Some(error) = &self.error {
            let lines = error.lines().map_or_else(|| json!({}), location);
            all["buildError"] = json!({ "message": error.to_string(), "location": lines });
        }
        all
    }
}

/// `pb.Location`: lines without columns.
pub(super) fn location(lines: dockerfile::Lines) -> Value {
    json!({ "ranges": [{ "start": { "line": lines.first }, "end": { "line": lines.last } }] })
}
