//! Builds: what was made is whole or not there, and the next build makes what is missing.

use std::fs;
use std::path::{Path, PathBuf};

use end_to_end::faults::{Operation, at_every_point};
use end_to_end::lan::Machine;
use end_to_end::process::run;
use end_to_end::{Context, Phial, Project, Result};
use serde_json::Value;

const FILE: &str = "FROM base AS first
COPY file /file
RUN --mount=type=cache,target=/cache echo once >> /cache/lines; tr a-z A-Z < /file > /upper
FROM base
COPY --from=first /upper /upper
RUN --mount=type=tmpfs,target=/made/for/this cat /upper /upper > /twice
";

/// No image, and nothing in the cache.
fn nothing_built(phial: &Phial) -> Result {
    phial.run(&["rmi", "-f", "app"])?;
    phial.ok(&["builder", "prune", "-af"]).map(drop)
}

/// Whatever came of it: the next build comes to its end, and its image is right.
fn builds(project: &Project, flags: &[&str]) -> Result {
    project.build(&[&["-t", "app"], flags].concat())?.success()?;
    assert_eq!(project.in_image("app", "cat /twice; ls -d /made 2>/dev/null || echo gone")?, "HELLO\nHELLO\ngone");
    Ok(())
}

fn died(project: &Project, least: usize, operation: &Operation<'_>) -> Result {
    let deaths = at_every_point(project.phial(), operation)?;
    assert!(deaths >= least, "`{}` died {deaths} times only", operation.words.join(" "));
    Ok(())
}

fn project() -> Result<Project> {
    let project = Project::that_dies(FILE)?;
    project.write("file", "hello\n")?;
    Ok(project)
}

#[test]
fn build() -> Result {
    let project = project()?;
    let path = project.path();
    let words = ["build", "--network", "none", "-t", "app", &path];
    let after = |_: &Phial| builds(&project, &[]);
    died(&project, 45, &Operation { words: &words, before: &nothing_built, after: &after })
}

#[test]
fn build_of_what_was_built() -> Result {
    let project = project()?;
    let path = project.path();
    let words = ["build", "--network", "none", "--no-cache", "-t", "app", &path];
    builds(&project, &[])?;
    let before = |_: &Phial| Ok(());
    // The image that was there is there, or the new one is.
    let after = |_: &Phial| {
        assert_eq!(project.in_image("app", "cat /twice")?, "HELLO\nHELLO");
        builds(&project, &[])
    };
    died(&project, 100, &Operation { words: &words, before: &before, after: &after })
}

#[test]
fn build_of_nothing_new() -> Result {
    let project = project()?;
    let path = project.path();
    let words = ["build", "--network", "none", "-t", "app", &path];
    builds(&project, &[])?;
    let before = |phial: &Phial| phial.run(&["rmi", "-f", "app"]).map(drop);
    let after = |_: &Phial| builds(&project, &[]);
    died(&project, 2, &Operation { words: &words, before: &before, after: &after })
}

#[test]
fn build_on_a_network() -> Result {
    let (host, mut project) =
        (Machine::new()?, Project::that_dies("FROM base\nRUN echo HELLO > /twice; echo HELLO >> /twice\n")?);
    project.stage.phial.enter(&host);
    project.phial().ok(&["network", "create", "--subnet", "10.99.0.0/24", "web"])?;
    let path = project.path();
    let words = ["build", "--network", "web", "-t", "app", &path];
    let after = |phial: &Phial| {
        builds(&project, &["--network", "web"])?;
        // The address and all that a command had there is free.
        phial.ok(&["run", "--rm", "--network", "web", "--ip", "10.99.0.2", "app", "true"]).map(drop)
    };
    died(&project, 25, &Operation { words: &words, before: &nothing_built, after: &after })
}

/// A document of an OCI layout, by what another one says of it.
fn blob(layout: &Path, descriptor: &Value) -> Result<PathBuf> {
    let hex = descriptor["digest"].as_str().and_then(|digest| digest.strip_prefix("sha256:")).context("a digest")?;
    let path = layout.join("blobs/sha256").join(hex);
    let (size, expected) = (fs::metadata(&path).context(path.display())?.len(), descriptor["size"].as_u64());
    assert_eq!(Some(size), expected, "{} is not whole", path.display());
    Ok(path)
}

/// The digest of a layout's image, of which all is there; None where there is no layout.
fn whole_layout(layout: &Path) -> Result<Option<String>> {
    let Ok(index) = fs::read(layout.join("index.json")) else { return Ok(None) };
    let index: Value = serde_json::from_slice(&index)?;
    let entry = &index["manifests"][0];
    let manifest: Value = serde_json::from_slice(&fs::read(blob(layout, entry)?)?)?;
    blob(layout, &manifest["config"])?;
    manifest["layers"].as_array().context("layers")?.iter().try_for_each(|layer| blob(layout, layer).map(drop))?;
    Ok(entry["digest"].as_str().map(str::to_owned))
}

/// What is not in the store: archives, layouts and caches are what they were or what they were to become.
#[test]
fn build_to_elsewhere() -> Result {
    let project = project()?;
    let (out, old) = (project.phial().scratch().join("out"), project.phial().scratch().join("old"));
    let at = |name: &str| out.join(name).display().to_string();
    let outputs = [
        format!("type=oci,dest={}", at("app.oci")),
        format!("type=docker,dest={}", at("app.docker")),
        format!("type=oci,tar=false,dest={}", at("layout")),
        format!("type=local,dest={}", at("files")),
    ];
    let cache = format!("type=local,dest={},mode=max", at("cache"));
    let path = project.path();
    let mut words = vec!["build", "--network", "none", "-t", "app", "--cache-to", &cache];
    words.extend(outputs.iter().flat_map(|output| ["-o", output.as_str()]));
    words.push(&path);

    // The cache of a build of something else, and then the steps themselves: they are not what is looked at here.
    project.build(&["--target", "first", "--cache-to", &format!("type=local,dest={}", old.display())])?.exited(0)?;
    let old_cache = whole_layout(&old)?.context("it is there")?;
    builds(&project, &[])?;
    let before = |_: &Phial| -> Result {
        if out.exists() {
            fs::remove_dir_all(&out)?;
        }
        fs::create_dir(&out)?;
        run(std::process::Command::new("cp").arg("-a").arg(&old).arg(out.join("cache")))?.success()?;
        ["app.oci", "app.docker"].iter().try_for_each(|name| fs::write(out.join(name), "old")).map_err(Into::into)
    };
    let after = |phial: &Phial| -> Result {
        for name in ["app.oci", "app.docker"] {
            if fs::read(out.join(name))? != b"old" {
                phial.ok(&["load", "-q", "-i", &at(name)])?;
            }
        }
        whole_layout(&out.join("layout"))?;
        let cache = whole_layout(&out.join("cache"))?.context("the old one was there")?;
        // Once more, upon whatever is there: but a layout is put where there is none.
        if out.join("layout").exists() {
            fs::remove_dir_all(out.join("layout"))?;
        }
        phial.ok(&words)?;
        let new_cache = whole_layout(&out.join("cache"))?.context("it is there")?;
        assert!(new_cache != old_cache && (cache == old_cache || cache == new_cache), "{cache}");
        whole_layout(&out.join("layout"))?.context("it is there")?;
        assert_eq!(fs::read_to_string(out.join("files/twice"))?, "HELLO\nHELLO\n");
        ["app.oci", "app.docker"].iter().try_for_each(|name| phial.ok(&["load", "-q", "-i", &at(name)]).map(drop))
    };
    died(&project, 10, &Operation { words: &words, before: &before, after: &after })
}
