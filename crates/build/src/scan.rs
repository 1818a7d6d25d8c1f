//! What is in an image, as a scanner says, which is an image itself: it sees the files and writes documents, by the protocol
//! that `BuildKit` has for them (its `docs/attestations/sbom-protocol.md`). It is a stranger, and so is what it writes.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::Path;

use fsroot::Root;
use image::{Config, Reference};
use serde::Deserialize;
use serde_json::Value;

use crate::error::{Error, ErrorKind, Result};
use crate::frontend::{Found, Surroundings};
use crate::llb::message::exec::{ExecOp, Meta, Mount, MountType, NetMode};
use crate::llb::message::file::{Action, FileAction, FileOp, MakeDirectory};
use crate::llb::message::{Definition, Kind as Operation, OpMetadata, Platform, SourceOp};
use crate::llb::{Builder, Output, called, operation};
use crate::options::AttestationRequest;

/// What begins the name that a graph has for files that were built; their platform follows.
pub(crate) const BUILT: &str = "built://";

/// The scanner that docker's builders take.
const SCANNER: &str = "docker/buildkit-syft-scanner:stable-1";
/// Where it finds the files. Its document is called as they are.
const SOURCE: &str = "/run/src/core/sbom";
/// Where it writes.
const DESTINATION: &str = "/run/out";
/// What begins the name of the document about the files themselves.
const CORE: &str = "sbom.";
/// What documents may be: SPDX's and `CycloneDX`'s.
const PREDICATES: [&str; 2] = ["https://spdx.dev/Document", "https://cyclonedx.org/bom"];
/// More documents are refused.
const MOST_DOCUMENTS: usize = 256;
/// All documents together may have as many bytes.
const MOST_BYTES: u64 = 256 << 20;

/// What looks into images.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Scanner {
    /// The name of the image.
    pub(crate) image: String,
    /// What it is told besides: `NAME=value`, in its variables with `BUILDKIT_SCAN_` in front.
    parameters: BTreeMap<String, String>,
}

/// What a scanner is run on, and how.
pub(crate) struct Given<'a> {
    /// What the files are for.
    pub(crate) platform: &'a image::Platform,
    /// As all commands of the build do.
    pub(crate) surroundings: Surroundings,
    /// Whether it runs although it has seen the same files.
    pub(crate) anew: bool,
}

/// What a scanner has written: a statement (in-toto), but for what it is about if that is the image.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Document {
    /// What kind of document it is.
    pub(crate) predicate_type: String,
    /// What it is about, if it is not the image.
    #[serde(default)]
    pub(crate) subject: Option<Vec<Value>>,
    /// What it says.
    pub(crate) predicate: Value,
}

impl Scanner {
    /// Reads what is asked for.
    ///
    /// # Errors
    /// `Invalid` for a name that no image can have.
    pub(crate) fn of(request: &AttestationRequest) -> Result<Scanner> {
        let mut parameters = request.attributes.clone();
        let image = parameters.remove("generator").filter(|name| !name.is_empty());
        let image = image.unwrap_or_else(|| SCANNER.to_owned());
        image.parse::<Reference>().map_err(|error| Error::invalid(format!("--sbom generator={image}: {error}")))?;
        Ok(Scanner { image, parameters })
    }

    /// What is run.
    ///
    /// # Errors
    /// `Invalid` for an image that does not say it.
    pub(crate) fn arguments(&self, config: &Config) -> Result<Vec<String>> {
        let args: Vec<String> = [&config.entrypoint, &config.cmd].into_iter().flatten().flatten().cloned().collect();
        if args.is_empty() {
            return Err(Error::invalid(format!("--sbom generator={}: the image has no command", self.image)));
        }
        Ok(args)
    }

    /// A graph that runs it on what was built: three steps upon its image, and the files.
    ///
    /// # Errors
    /// As [`Scanner::arguments`].
    pub(crate) fn graph(&self, found: &Found, platform: &Platform, given: Given<'_>) -> Result<Definition> {
        let source = |identifier: String| Operation::Source(SourceOp { identifier, ..SourceOp::default() });
        let mut builder = Builder::new(Vec::new());
        let image = operation(source(format!("docker-image://{}", found.reference)), Some(platform));
        let image = builder.add(&image, called(format!("[sbom 1/3] FROM {}", found.reference)));
        let built = operation(source(format!("{BUILT}{}", given.platform)), None);
        let built = builder.add(&built, called("[internal] files to be scanned"));
        let mut directory = operation(Operation::File(FileOp { actions: vec![make_destination()] }), None);
        directory.inputs = vec![image.input()];
        let directory = builder.add(&directory, called(format!("[sbom 2/3] directory {DESTINATION}")));
        let below = |dest: &str, input| Mount { input, dest: dest.to_owned(), output: -1, ..Mount::default() };
        let scan = ExecOp {
            mounts: vec![
                Mount { output: 0, ..below("/", 0) },
                Mount { readonly: true, ..below(SOURCE, 1) },
                Mount { mount_type: MountType::Tmpfs.into(), ..below("/tmp", -1) },
            ],
            network: given.surroundings.network.unwrap_or(NetMode::Unset).into(),
            meta: Some(self.command(&found.config.config, given.surroundings)?),
            ..ExecOp::default()
        };
        let mut scan = operation(Operation::Exec(Box::new(scan)), Some(platform));
        scan.inputs = [directory, built].map(Output::input).to_vec();
        let name = called(format!("[sbom 3/3] what is in the image, by {}", self.image));
        let done = builder.add(&scan, OpMetadata { ignore_cache: given.anew, ..name });
        Ok(builder.finish(Some(done)))
    }

    fn command(&self, config: &Config, given: Surroundings) -> Result<Meta> {
        let args = self.arguments(config)?;
        let mut env = config.env.clone();
        env.extend([format!("BUILDKIT_SCAN_DESTINATION={DESTINATION}"), format!("BUILDKIT_SCAN_SOURCE={SOURCE}")]);
        env.extend(self.parameters.iter().map(|(name, value)| format!("BUILDKIT_SCAN_{name}={value}")));
        Ok(Meta {
            args,
            env,
            cwd: config.working_dir.clone(),
            proxy_env: given.proxy,
            extra_hosts: given.extra_hosts,
            hostname: given.hostname,
            ulimit: given.ulimits,
            cgroup_parent: given.cgroup_parent,
            remove_mount_stubs_recursive: true,
            ..Meta::default()
        })
    }

    /// What it has written, the document about the files themselves first.
    ///
    /// # Errors
    /// `Command` for nothing, and for what is no document.
    pub(crate) fn documents(&self, root: &Root) -> Result<Vec<Document>> {
        let mut names = root.open_dir(DESTINATION)?.names()?;
        names.sort_by_key(|name| (!name.to_string_lossy().starts_with(CORE), name.clone()));
        if names.is_empty() || names.len() > MOST_DOCUMENTS {
            let count = names.len();
            let expected = format!("{DESTINATION} has {count} documents, and 1 to {MOST_DOCUMENTS} are taken");
            return Err(self.wrong(&expected));
        }
        let mut left = MOST_BYTES;
        names.iter().map(|name| self.document(root, name, &mut left)).collect()
    }

    fn document(&self, root: &Root, name: &OsString, left: &mut u64) -> Result<Document> {
        let path = Path::new(DESTINATION).join(name);
        let bytes = root.read_regular(&path, *left).map_err(|error| self.wrong(&error.to_string()))?;
        *left -= bytes.len() as u64;
        let path = path.display();
        let document: Document = serde_json::from_slice(&bytes)
            .map_err(|error| self.wrong(&format!("{path} is no in-toto statement: {error}")))?;
        if !PREDICATES.contains(&document.predicate_type.as_str()) {
            let kind = &document.predicate_type;
            return Err(self.wrong(&format!("{path} says {kind:?}, and only {} are taken", PREDICATES.join(" and "))));
        }
        Ok(document)
    }

    fn wrong(&self, what: &str) -> Error {
        Error::new(ErrorKind::Command, format!("--sbom generator={}: {what}", self.image))
    }
}

fn make_destination() -> FileAction {
    let path = DESTINATION.to_owned();
    let made = MakeDirectory { path, mode: 0o755, make_parents: true, owner: None, timestamp: -1 };
    FileAction { input: 0, secondary_input: -1, output: 0, action: Some(Action::MakeDirectory(made)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scanner(attributes: &[(&str, &str)]) -> Result<Scanner> {
        let attributes = attributes.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Scanner::of(&AttestationRequest { attributes })
    }

    #[test]
    fn what_is_asked_for() {
        let plain = scanner(&[]).expect("is asked for");
        assert_eq!((plain.image.as_str(), plain.parameters.len()), (SCANNER, 0));
        let told = scanner(&[("generator", "a/b:1"), ("SELECT", "x")]).expect("is asked for");
        assert_eq!(told.image, "a/b:1");
        assert_eq!(told.parameters, BTreeMap::from([("SELECT".to_owned(), "x".to_owned())]));
        assert!(scanner(&[("generator", "A B")]).is_err());
    }

    #[test]
    fn what_is_written() {
        let dir = tempfile::tempdir().expect("a directory");
        let out = dir.path().join("run/out");
        std::fs::create_dir_all(&out).expect("is made");
        let documents = || {
            let root = Root::open(dir.path()).expect("opens");
            scanner(&[]).expect("is asked for").documents(&root).map_err(|error| error.to_string())
        };
        let refused = |what: &str| documents().is_err_and(|error| error.contains(what));
        assert!(refused("/run/out has 0 documents"));
        let spdx = r#"{"predicateType": "https://spdx.dev/Document", "subject": null, "predicate": {"name": "NAME"}}"#;
        for name in ["a.spdx.json", "sbom.spdx.json"] {
            std::fs::write(out.join(name), spdx.replace("NAME", name)).expect("is written");
        }
        let names: Vec<_> = documents().expect("reads").into_iter().map(|one| one.predicate["name"].clone()).collect();
        assert_eq!(names, ["sbom.spdx.json", "a.spdx.json"]);
        std::os::unix::fs::symlink("/etc/passwd", out.join("link.json")).expect("is made");
        assert!(documents().is_err(), "nothing of the host is read");
        std::fs::remove_file(out.join("link.json")).expect("is removed");
        for (wrong, why) in [
            ("{", "is no in-toto statement"),
            (r#"{"predicateType": "https://spdx.dev/Document"}"#, "is no in-toto statement"),
            (r#"{"predicateType": "https://slsa.dev/provenance/v1", "predicate": {}}"#, "only https://spdx.dev"),
        ] {
            std::fs::write(out.join("a.spdx.json"), wrong).expect("is written");
            assert!(refused(why), "{wrong}");
        }
    }
}
