//! The projects in `tests/data/projects/`: each a directory that is built as somebody would have written it, and a
//! `project.toml` in it, which says how it is built and run and what it must answer.
//!
//! Owns how that is read; knows nothing of who builds it.

use std::fs;
use std::path::PathBuf;

use serde::Deserialize;

use crate::{Context, Result, workspace};

/// A project.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Project {
    /// What its directory is called.
    #[serde(skip)]
    pub name: String,
    /// Options of `build`, in which `{project}` is its directory.
    pub flags: Vec<String>,
    /// Containers that end, one after the other.
    pub run: Vec<Run>,
    /// A container that is a server.
    pub serves: Option<Serves>,
}

/// A container that ends.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Run {
    /// What comes after the image.
    pub arguments: Vec<String>,
    /// Its standard input.
    pub input: String,
    /// What it prints, without the last line end.
    pub prints: String,
}

/// A server of HTTP.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Serves {
    /// Options of `run`.
    #[serde(default)]
    pub flags: Vec<String>,
    /// What it says when it takes connections; None if its check of health says it.
    pub ready: Option<String>,
    /// Where it listens.
    pub port: u16,
    /// What it is asked for.
    #[serde(default = "root")]
    pub path: String,
    /// What it answers, without the last line end.
    pub answers: String,
}

fn root() -> String {
    "/".to_owned()
}

impl Project {
    /// Its directory.
    pub fn directory(&self) -> PathBuf {
        directory().join(&self.name)
    }

    /// Options of `build`.
    pub fn flags(&self) -> Vec<String> {
        let directory = self.directory().display().to_string();
        self.flags.iter().map(|flag| flag.replace("{project}", &directory)).collect()
    }
}

/// Where they are.
pub fn directory() -> PathBuf {
    workspace().join("tests/data/projects")
}

/// All of them, by their names.
///
/// # Errors
/// One cannot be read.
pub fn all() -> Result<Vec<Project>> {
    let mut projects = Vec::new();
    for entry in fs::read_dir(directory()).context(directory().display())? {
        let file = entry?.path().join("project.toml");
        if file.exists() {
            let text = fs::read_to_string(&file).context(file.display())?;
            let name = file.parent().and_then(|parent| parent.file_name()).unwrap_or_default();
            let project: Project = toml::from_str(&text).context(file.display())?;
            projects.push(Project { name: name.to_string_lossy().into_owned(), ..project });
        }
    }
    projects.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(projects)
}
