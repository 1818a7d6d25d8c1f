//! Every rule of the Dockerfile reference, by the cases of `tests/data/build/`: files, configuration and history of what
//! is built, and what is refused.
//!
//! `CASE=name` or `GROUP=name` in the environment takes some of them alone. `BUILD_RESULTS=directory` writes there what each
//! case gave, in JSON.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use end_to_end::cases::{self, Case, git};
use end_to_end::engines::Docker;
use end_to_end::flat::{Added, Flat};
use end_to_end::origins::Origin;
use end_to_end::process::run;
use end_to_end::{Context, Failure, Phial, Result, Stage};
use serde_json::{Value, json};

/// What became of a build.
enum Became {
    /// An image.
    Image(Box<Added>),
    /// This message.
    Error(String),
}

/// A program with the image `base`, which all cases use one after the other.
struct Bench {
    stage: Stage,
    base: Flat,
}

/// Where one case is.
struct Place {
    dir: tempfile::TempDir,
    // They serve until the case is over.
    _origins: Vec<Origin>,
    /// What stands for what: `{context}` for its path, and so on.
    names: Vec<(&'static str, String)>,
}

#[test]
fn every_case_becomes_what_it_must() -> Result {
    let bench = Bench::new()?;
    let results = std::env::var_os("BUILD_RESULTS").map(PathBuf::from);
    let is_another = |variable: &str, name: &str| std::env::var(variable).is_ok_and(|wanted| wanted != name);
    let mut all = cases::all()?;
    all.retain(|(group, case)| !is_another("GROUP", group) && !is_another("CASE", &case.name));
    assert!(!all.is_empty(), "there is no such case");
    let mut wrong = String::new();
    let mut count = 0;
    for (group, case) in &all {
        let differences = match bench.build(case) {
            Ok(became) => {
                results.as_deref().map_or(Ok(()), |directory| write(directory, case, &became))?;
                differences(case, &became)?
            }
            Err(failure) => format!("  {failure}\n"),
        };
        if !differences.is_empty() {
            count += 1;
            write!(wrong, "{group}/{}: {}\n{differences}\n", case.name, case.rule).context(&case.name)?;
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}{count} of {} cases became something else (- must be, + is)", all.len());
    Ok(())
}

/// Docker 20.10 has a `BuildKit` of its own, which knows most of the language. What it builds has the same files, the same
/// configuration and the same history.
#[test]
fn docker_makes_the_same() -> Result {
    let bench = Bench::new()?;
    let dir = tempfile::Builder::new().prefix("docker-").tempdir_in(bench.stage.phial.scratch())?;
    let docker = Docker::start(&dir.path().join("docker"))?;
    let archive = dir.path().join("base.tar");
    bench.stage.phial.ok(&["save", "-o", text(&archive)?, "base"])?;
    docker.ok(&["load", "-i", text(&archive)?])?;
    let (mut agreed, mut wrong) = (0, String::new());
    for (group, case) in cases::all()?.iter().filter(|(_, case)| is_plain(case)) {
        let Some(added) = bench.added_by_docker(&docker, case)? else { continue };
        let mut case = case.clone();
        case.expect.history.iter_mut().for_each(|line| *line = without_owner_and_mode(line));
        let differences = differences(&case, &Became::Image(Box::new(added)))?;
        match OF_DOCKER.iter().find(|(name, _)| *name == case.name) {
            Some((name, why)) => assert!(!differences.is_empty(), "{group}/{name} is the same, although {why}"),
            None if differences.is_empty() => agreed += 1,
            None => write!(wrong, "{group}/{}: {}\n{differences}\n", case.name, case.rule).context(&case.name)?,
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}(- is ours, + is docker's)");
    assert!(agreed >= AGREED, "only {agreed} cases were built");
    Ok(())
}

/// As many cases docker builds at least.
const AGREED: usize = 110;

/// What docker 20.10 makes otherwise, and why: its `BuildKit` is one of 2020.
const OF_DOCKER: [(&str, &str); 24] = [
    ("add-archives", "archives by zstd are younger"),
    ("add-archive-chown", "--chown did not count for archives"),
    ("add-compressed-file-is-no-archive", STAYS),
    ("copy-chmod-octal", "--chmod was for files, and without set-id bits"),
    ("copy-chmod-symbolic", "symbolic modes are younger"),
    ("copy-chmod-variable", "variables in --chmod are younger"),
    ("copy-pipe", "pipes were left out"),
    ("history-of-everything", GO),
    ("where-variables-are-replaced", GO),
    ("copy-from-makes-a-stage-needed", STAYS),
    ("ignore-counts-for-mounts", STAYS),
    ("mount-bind", STAYS),
    ("mount-is-bind-by-default", STAYS),
    ("mount-bind-names-of-keys", STAYS),
    ("mount-bind-one-file", STAYS),
    ("mount-bind-writable", STAYS),
    ("mount-bind-from-stage", STAYS),
    ("mount-bind-is-read-through-links", STAYS),
    ("mount-relative-target", STAYS),
    ("mount-cache-modes", STAYS),
    ("mount-cache-read-only", STAYS),
    ("mount-several", STAYS),
    ("mount-leaves-its-mount-point", STAYS),
    ("mount-cache-sharing", STAYS),
];
const GO: &str = "EXPOSE and HEALTHCHECK stand in its history as Go prints them";
const STAYS: &str = "what was made to be mounted on stayed";

/// A line of history as docker 20.10 has it.
fn without_owner_and_mode(line: &str) -> String {
    let (flags, rest): (Vec<_>, Vec<_>) = {
        let mut is_before = true;
        line.split(' ').partition(|word| {
            is_before &= ["layer", "COPY", "ADD"].contains(word) || word.starts_with("--");
            is_before
        })
    };
    let kept = flags.into_iter().filter(|word| !word.starts_with("--chown=") && !word.starts_with("--chmod="));
    kept.chain(rest).collect::<Vec<_>>().join(" ")
}

/// This case ends the daemon of docker 20.10.
const DEADLY: &str = "mount-from-of-tmpfs";

#[test]
fn what_docker_makes_otherwise_is_told() -> Result {
    let told = fs::read_to_string(end_to_end::workspace().join("docs/build.md"))?;
    let untold: Vec<_> = OF_DOCKER.iter().filter(|(name, _)| !told.contains(&format!("`{name}`"))).collect();
    assert!(untold.is_empty(), "docs/build.md does not name {untold:?}");
    Ok(())
}

/// Whether a case needs nothing but its context.
fn is_plain(case: &Case) -> bool {
    let given = [&case.beside, &case.served, &case.repository, &case.images, &case.environment];
    let needs = case.flags.len() + given.into_iter().map(BTreeMap::len).sum::<usize>();
    needs == 0 && case.name != DEADLY && case.expect.error.is_none() && case.differs.is_none() && !case.ignore_tree
}

impl Bench {
    /// What docker makes; None if it does not build the case, which may be newer than it is, or has no layer to show.
    fn added_by_docker(&self, docker: &Docker, case: &Case) -> Result<Option<Added>> {
        let place = self.place(case)?;
        let file = case.write(place.dir.path(), &place.fill(&cases::repeated(&case.dockerfile)))?;
        let (context, name) = (place.dir.path().join("context"), format!("case-{}", case.name));
        let mut words = vec!["build", "-q", "--network", "none", "-t", &name];
        if case.file.is_some() {
            words.extend(["-f", text(&file)?]);
        }
        words.push(text(&context)?);
        let built = run(docker.command(&words).env("DOCKER_BUILDKIT", "1"))?;
        assert!(!built.stderr.contains("docker daemon"), "{}: {built:?}", case.name);
        if built.code != 0 {
            return Ok(None);
        }
        let archive = place.dir.path().join("saved.tar");
        let saved = run(&mut docker.command(&["save", "-o", text(&archive)?, &name]))?;
        if saved.stderr.contains("empty export") {
            return Ok(None);
        }
        saved.exited(0)?;
        let mut added = Flat::read(&archive)?.since(&self.base);
        for line in added.history.iter_mut().chain(&mut added.tree) {
            *line = place.empty(line);
        }
        Ok(Some(added))
    }

    fn new() -> Result<Bench> {
        let stage = Stage::busybox()?;
        stage.phial.ok(&["tag", &stage.image, "base"])?;
        let base = saved(&stage.phial, "base", stage.phial.scratch())?;
        Ok(Bench { stage, base })
    }

    fn build(&self, case: &Case) -> Result<Became> {
        let phial = &self.stage.phial;
        let place = self.place(case)?;
        for (name, dockerfile) in &case.images {
            let context = tempfile::tempdir_in(place.dir.path())?;
            fs::write(context.path().join("Dockerfile"), dockerfile)?;
            phial.ok(&["build", "-q", "-t", name, text(context.path())?])?;
        }
        let file = case.write(place.dir.path(), &place.fill(&cases::repeated(&case.dockerfile)))?;
        let flags: Vec<String> = case.flags.iter().map(|flag| place.fill(flag)).collect();
        let context = place.dir.path().join("context");
        let name = format!("case-{}", case.name);
        let mut words = vec!["build", "--progress", "plain", "-t", &name];
        words.extend(flags.iter().map(String::as_str));
        if case.file.is_some() {
            words.extend(["-f", text(&file)?]);
        }
        words.push(text(&context)?);
        let mut command = phial.command(&words);
        let output = run(command.envs(&case.environment))?;
        if output.code != 0 {
            return Ok(Became::Error(place.empty(&output.stderr)));
        }
        let flat = saved(phial, &name, place.dir.path())?;
        phial.ok(&["rmi", &name])?;
        let mut added = flat.since(&self.base);
        if case.flags.iter().any(|flag| flag.starts_with("SOURCE_DATE_EPOCH")) {
            let (created, steps) = flat.times(&self.base);
            added.image["created"] = created;
            added.image["steps"] = Value::Array(steps);
        }
        for line in added.history.iter_mut().chain(&mut added.tree) {
            *line = place.empty(line);
        }
        if case.ignore_tree {
            added.tree.clear();
        }
        Ok(Became::Image(Box::new(added)))
    }

    /// Lays a case out, and starts what it takes things from.
    fn place(&self, case: &Case) -> Result<Place> {
        let dir = tempfile::Builder::new().prefix("case-").tempdir_in(self.stage.phial.scratch())?;
        case.lay_out(dir.path())?;
        let served = dir.path().join("served");
        let (http, repositories) = (Origin::http(&served)?, Origin::git(&served)?);
        let path = |name: &str| dir.path().join(name).display().to_string();
        let mut names = vec![
            ("{http}", format!("http://{}", http.address())),
            ("{git}", format!("git://{}", repositories.address())),
            ("{registry}", self.stage.registry.address().to_string()),
            ("{context}", path("context")),
            ("{beside}", path("beside")),
        ];
        if !case.repository.is_empty() {
            let commit = git(&served.join("repo.git"), &["rev-parse", "v1"])?;
            names.push(("{commit}", commit.trim().to_owned()));
        }
        Ok(Place { dir, _origins: vec![http, repositories], names })
    }
}

impl Place {
    fn fill(&self, text: &str) -> String {
        self.names.iter().fold(text.to_owned(), |text, (name, value)| text.replace(name, value))
    }

    fn empty(&self, text: &str) -> String {
        self.names.iter().fold(text.to_owned(), |text, (name, value)| text.replace(value, name))
    }
}

fn saved(phial: &Phial, image: &str, dir: &Path) -> Result<Flat> {
    let archive = dir.join("saved.tar");
    phial.ok(&["save", "-o", text(&archive)?, image])?;
    let flat = Flat::read(&archive)?;
    fs::remove_file(&archive)?;
    Ok(flat)
}

fn text(path: &Path) -> Result<&str> {
    path.to_str().context("a path is no text")
}

/// What is otherwise than the case says, a line each.
fn differences(case: &Case, became: &Became) -> Result<String> {
    let expected = &case.expect;
    let part = expected.error.as_slice();
    let added = match became {
        Became::Error(message) if part.iter().any(|part| message.contains(part)) => return Ok(String::new()),
        Became::Error(message) => return Ok(lines("message", part, std::slice::from_ref(message))),
        Became::Image(_) if !part.is_empty() => return Ok(lines("message", part, &[])),
        Became::Image(added) => added,
    };
    let tree: Vec<String> = expected.tree.lines().map(ToOwned::to_owned).collect();
    let with_layer = expected.history.iter().filter(|step| step.starts_with("layer ")).count();
    let layers = expected.layers.unwrap_or(with_layer);
    Ok([
        lines("files", &tree, &added.tree),
        keys("config", expected.config.as_deref(), &added.config)?,
        keys("image", expected.image.as_deref(), &added.image)?,
        lines("layers", &[layers.to_string()], &[added.layers.to_string()]),
        lines("history", &expected.history, &added.history),
    ]
    .concat())
}

/// The lines of two lists that are not the same, in their order.
fn lines(what: &str, expected: &[String], is: &[String]) -> String {
    if expected == is {
        return String::new();
    }
    let mut text = format!("  {what}:\n");
    let missing = expected.iter().filter(|line| !is.contains(line)).map(|line| ("-", line));
    let more = is.iter().filter(|line| !expected.contains(line)).map(|line| ("+", line));
    let differing: Vec<_> = missing.chain(more).collect();
    if differing.is_empty() {
        text.push_str("    another order, or another number of the same lines\n");
    }
    for (sign, line) in differing {
        for line in line.lines() {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "  {sign} {line}");
        }
    }
    text
}

/// The keys of two objects whose values are not the same.
fn keys(what: &str, expected: Option<&str>, is: &Value) -> Result<String> {
    let expected: Value = serde_json::from_str(expected.unwrap_or("{}"))?;
    let list = |value: &Value| -> BTreeMap<String, String> {
        let entries = value.as_object().into_iter().flatten();
        entries.map(|(key, value)| (key.clone(), format!("{key} = {value}"))).collect()
    };
    let (expected, is) = (list(&expected), list(is));
    let values = |of: BTreeMap<String, String>| of.into_values().collect::<Vec<_>>();
    Ok(lines(what, &values(expected), &values(is)))
}

/// Writes down what became of a case, for comparison with what another builder makes of it.
fn write(directory: &Path, case: &Case, became: &Became) -> Result {
    let value = match became {
        Became::Error(message) => json!({"error": message}),
        Became::Image(added) => {
            let Added { tree, config, image, layers, history } = &**added;
            json!({"tree": tree, "config": config, "image": image, "layers": layers, "history": history})
        }
    };
    fs::create_dir_all(directory)?;
    let file = directory.join(format!("{}.json", case.name));
    fs::write(&file, serde_json::to_string_pretty(&value)?).map_err(Failure::from).context(file.display())
}
