//! What came out of a row: held, broken through, or not applicable; and where that is told.

use std::fs;
use std::path::PathBuf;
use std::sync::atomic::Ordering;

use end_to_end::{Context, Failure, Result};
use serde_json::json;

use super::Scene;
use super::engine::Engine;
use super::runtime::{HUNG, Runtime};
use super::swap::REFUSED;

/// A directory for one file per row.
const REPORT: &str = "PHIAL_BREAKOUT_REPORT";

/// What came out of an attack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The host, or the other container, is as it was.
    Held,
    /// It is not; how that showed.
    Broken(String),
    /// The runtime has nothing that could be attacked so.
    NotApplicable(&'static str),
}

impl Verdict {
    /// Held if this is true.
    pub(crate) fn held_if(held: bool, otherwise: impl FnOnce() -> String) -> Verdict {
        if held { Verdict::Held } else { Verdict::Broken(otherwise()) }
    }

    /// The first that is not held.
    pub(crate) fn and(self, other: impl FnOnce() -> Result<Verdict>) -> Result<Verdict> {
        if self == Verdict::Held { other() } else { Ok(self) }
    }
}

/// A row of the table.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Row {
    /// The numbers under which it was published.
    pub(crate) name: &'static str,
    /// What is tried, in a few words.
    pub(crate) attack: &'static str,
}

impl Row {
    /// Tries it on the runtime under test.
    ///
    /// # Errors
    /// The attack came through, or could not be tried: a test that fails.
    pub(crate) fn probe(self, attack: impl FnOnce(&Runtime) -> Result<Verdict>) -> Result {
        self.judge(refusal, attack)
    }

    /// Tries it on `phial`, if the runtime under test is its own.
    ///
    /// # Errors
    /// As of [`Row::probe`].
    pub(crate) fn probe_engine(self, attack: impl FnOnce(&Engine) -> Result<Verdict>) -> Result {
        self.judge(engine_refusal, |runtime| {
            if !runtime.is_ours() {
                return Ok(Verdict::NotApplicable("it has no images"));
            }
            attack(&Engine::new(runtime.without())?)
        })
    }

    fn judge(
        self,
        refusal: impl FnOnce(&Runtime) -> Result<Option<String>>,
        attack: impl FnOnce(&Runtime) -> Result<Verdict>,
    ) -> Result {
        let runtime = Runtime::from_environment()?;
        self.report("no answer", "the test was ended")?;
        let refusal =
            refusal(&runtime).or_else(|failure| self.report("not tried", &failure.to_string()).and(Err(failure)))?;
        REFUSED.store(refusal.is_some(), Ordering::Relaxed);
        let result = attack(&runtime);
        let result = match (result, refusal) {
            // What it cannot do safely it does not do: nothing of an attack can have worked, and this is looked at all
            // the same.
            (Ok(Verdict::Held) | Err(_), Some(words)) => return self.report("held", &format!("refused: {words}")),
            (Err(failure), None) if HUNG.load(Ordering::Relaxed) => Ok(Verdict::Broken(failure.to_string())),
            (result, _) => result,
        };
        match result {
            Ok(Verdict::Held) => self.report("held", ""),
            Ok(Verdict::Broken(how)) => {
                self.report("broken through", &how)?;
                Err(Failure::new(format!("{}: broken through: {how}", self.name)))
            }
            Ok(Verdict::NotApplicable(why)) => {
                self.report("not applicable", why)?;
                // Phial's own is never excused.
                if runtime.is_ours() { Err(Failure::new(format!("{}: {why}", self.name))) } else { Ok(()) }
            }
            Err(failure) => {
                self.report("not tried", &failure.to_string())?;
                Err(failure).context(self.name)
            }
        }
    }

    fn report(self, verdict: &str, why: &str) -> Result {
        let Some(directory) = std::env::var_os(REPORT).map(PathBuf::from) else { return Ok(()) };
        let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
        let name: String = format!("{} {}", self.name, self.attack).chars().map(plain).collect();
        let line = json!({"row": self.name, "attack": self.attack, "verdict": verdict, "why": why});
        let file = directory.join(name.get(..200).unwrap_or(&name)).with_extension("json");
        fs::write(&file, line.to_string()).context(file.display())
    }
}

/// What a runtime that lacks system calls says instead of running anything at all; None if it goes on without them.
///
/// # Errors
/// It does neither run a harmless container nor say clearly why not: nothing that is tried on it would tell anything.
fn refusal(runtime: &Runtime) -> Result<Option<String>> {
    let mut scene = Scene::new(runtime)?;
    scene.arguments(&["true"]);
    let told = scene.run()?;
    if told.is_done() {
        return Ok(None);
    }
    let words = scene.without_names(&told.stderr);
    clear(runtime, &words).map(Some).context("a harmless container does not run")
}

/// The same of `phial`, which is not tried with a kernel that has everything: its own tests do that.
fn engine_refusal(runtime: &Runtime) -> Result<Option<String>> {
    if runtime.without().is_none() || !runtime.is_ours() {
        return Ok(None);
    }
    let engine = Engine::new(runtime.without())?;
    let image = engine.image("harmless", json!({}), |tree| fs::write(tree.join("x"), "").map_err(Failure::from))?;
    let told = engine.run(&[], &image, "true")?;
    if told.code == 0 {
        return Ok(None);
    }
    let said = told.stderr.lines().filter(|line| line.starts_with("phial: ")).collect::<Vec<_>>().join(" ");
    clear(runtime, &said).map(Some).context("a harmless image does not run")
}

/// The first line, if it is clear from it that a call is missing.
fn clear(runtime: &Runtime, said: &str) -> Result<String> {
    let calls = runtime.without().unwrap_or_default();
    let line = said.lines().next().unwrap_or_default();
    let named = |call: &str| !call.is_empty() && line.contains(call);
    if calls.split(',').any(named) {
        Ok(line.to_owned())
    } else {
        Err(Failure::new(format!("and it is not clear why: {said}")))
    }
}
