//! Images written by hand and uploaded over HTTP: OCI image specification 1.1 (manifest, index, configuration) and
//! Docker's manifest schema 2, OCI distribution specification 1.1 (push). Compressing and hashing are left to the
//! host's own `tar`, `gzip`, `zstd` and `sha256sum`: nothing here can share a mistake with Phial's code.

use std::fs::File;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::http::{Answer, Body, Request, send};
use crate::process::{program, run, run_with_input};
use crate::registry::Registry;
use crate::{Context, Failure, Result};

/// How a layer is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    /// A plain tar.
    None,
    /// What docker pushes.
    Gzip,
    /// What newer tools push.
    Zstd,
}

/// Whose media types an image has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// `application/vnd.oci.image…`
    Oci,
    /// `application/vnd.docker.distribution…`
    Docker,
}

impl Dialect {
    fn manifest(self) -> &'static str {
        match self {
            Dialect::Oci => "application/vnd.oci.image.manifest.v1+json",
            Dialect::Docker => "application/vnd.docker.distribution.manifest.v2+json",
        }
    }

    fn index(self) -> &'static str {
        match self {
            Dialect::Oci => "application/vnd.oci.image.index.v1+json",
            Dialect::Docker => "application/vnd.docker.distribution.manifest.list.v2+json",
        }
    }

    fn config(self) -> &'static str {
        match self {
            Dialect::Oci => "application/vnd.oci.image.config.v1+json",
            Dialect::Docker => "application/vnd.docker.container.image.v1+json",
        }
    }

    fn layer(self, compression: Compression) -> &'static str {
        match (self, compression) {
            (Dialect::Oci, Compression::None) => "application/vnd.oci.image.layer.v1.tar",
            (Dialect::Oci, Compression::Gzip) => "application/vnd.oci.image.layer.v1.tar+gzip",
            (Dialect::Oci, Compression::Zstd) => "application/vnd.oci.image.layer.v1.tar+zstd",
            (Dialect::Docker, Compression::None) => "application/vnd.docker.image.rootfs.diff.tar",
            (Dialect::Docker, _) => "application/vnd.docker.image.rootfs.diff.tar.gzip",
        }
    }
}

/// One layer as it is uploaded.
#[derive(Debug, Clone)]
pub struct Layer {
    file: PathBuf,
    compression: Compression,
    diff_id: String,
    digest: String,
    size: u64,
}

impl Layer {
    /// Packs a directory; files named `.wh.*` in it are whiteouts. The layer's files are put into `into`.
    ///
    /// # Errors
    /// `tar` or the compressor says why.
    pub fn from_directory(tree: &Path, into: &Path, compression: Compression) -> Result<Layer> {
        let name = tree.file_name().context("a layer's directory has no name")?.to_string_lossy().into_owned();
        let archive = into.join(format!("{name}.tar"));
        let mut tar = Command::new(program("tar", "tar")?);
        tar.args(["--create", "--sort=name", "--numeric-owner", "--xattrs", "--xattrs-include=*", "--file"]);
        run(tar.arg(&archive).arg("--directory").arg(tree).arg("."))?.success()?;
        Layer::from_tar(archive, compression)
    }

    /// Takes a tar as it is; what it is compressed to lies beside it.
    ///
    /// # Errors
    /// The compressor says why.
    pub fn from_tar(archive: PathBuf, compression: Compression) -> Result<Layer> {
        let diff_id = digest_of_file(&archive)?;
        let (suffix, mut command) = match compression {
            Compression::None => {
                let size = archive.metadata()?.len();
                return Ok(Layer { file: archive, compression, digest: diff_id.clone(), diff_id, size });
            }
            Compression::Gzip => ("gz", Command::new(program("gzip", "gzip")?)),
            Compression::Zstd => ("zst", Command::new(program("zstd", "zstd")?)),
        };
        let file = archive.with_extension(format!("tar.{suffix}"));
        let output = File::create(&file).context(file.display())?;
        let status = command.arg("--stdout").arg(&archive).stdout(output).stderr(Stdio::inherit()).status()?;
        if !status.success() {
            return Err(Failure::new(format!("compressing {} to {}: {status}", archive.display(), file.display())));
        }
        let (digest, size) = (digest_of_file(&file)?, file.metadata()?.len());
        std::fs::remove_file(&archive)?;
        Ok(Layer { file, compression, diff_id, digest, size })
    }

    /// Size as uploaded, in bytes.
    pub fn size(&self) -> u64 {
        self.size
    }
}

/// An image to upload.
#[derive(Debug, Clone)]
pub struct Image {
    /// Bottom layer first.
    pub layers: Vec<Layer>,
    /// The `config` object of the image configuration: `Cmd`, `Env`, `User`, ….
    pub config: Value,
    /// `amd64`, `arm64`, ….
    pub architecture: String,
    /// Whose media types are used.
    pub dialect: Dialect,
}

impl Image {
    /// An OCI image for this machine's kind.
    pub fn new(layers: Vec<Layer>, config: Value) -> Image {
        Image { layers, config, architecture: "amd64".to_owned(), dialect: Dialect::Oci }
    }

    /// Uploads everything and gives it a name (`repository:tag`).
    ///
    /// # Errors
    /// The registry's answer.
    pub fn push(&self, registry: &Registry, name: &str) -> Result<Pushed> {
        let (repository, tag) = split(name)?;
        let upload = Upload { to: registry.address(), authorization: registry.authorization(), repository };
        for layer in &self.layers {
            upload.blob(&layer.digest, || Ok(Body::File(File::open(&layer.file)?)))?;
        }
        let config = serde_json::to_vec(&self.configuration())?;
        let config_digest = digest_of(&config)?;
        upload.blob(&config_digest, || Ok(Body::Bytes(&config)))?;
        let layers = self.layers.iter().map(|layer| {
            json!({"mediaType": self.dialect.layer(layer.compression), "digest": layer.digest, "size": layer.size})
        });
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": self.dialect.manifest(),
            "config": {"mediaType": self.dialect.config(), "digest": config_digest, "size": config.len()},
            "layers": layers.collect::<Vec<_>>(),
        });
        let (digest, size) = upload.manifest(tag, self.dialect.manifest(), &manifest)?;
        let descriptor = json!({
            "mediaType": self.dialect.manifest(), "digest": digest, "size": size,
            "platform": {"os": "linux", "architecture": self.architecture},
        });
        Ok(Pushed { digest, id: config_digest, descriptor })
    }

    fn configuration(&self) -> Value {
        let diff_ids: Vec<&str> = self.layers.iter().map(|layer| layer.diff_id.as_str()).collect();
        let history: Vec<Value> = (1..=diff_ids.len())
            .map(|number| json!({"created": CREATED, "created_by": format!("layer {number}")}))
            .collect();
        json!({
            "created": CREATED, "architecture": self.architecture, "os": "linux", "config": self.config,
            "rootfs": {"type": "layers", "diff_ids": diff_ids}, "history": history,
        })
    }
}

/// When every image was made: the digest of an image depends on its content alone.
const CREATED: &str = "2024-02-29T12:00:00Z";

/// An uploaded image.
#[derive(Debug, Clone)]
pub struct Pushed {
    /// Digest of the manifest.
    pub digest: String,
    /// Digest of the configuration: the image's id.
    pub id: String,
    descriptor: Value,
}

/// Uploads an index of images that are in the same repository.
///
/// # Errors
/// The registry's answer.
pub fn push_index(registry: &Registry, name: &str, dialect: Dialect, images: &[Pushed]) -> Result<String> {
    let (repository, tag) = split(name)?;
    let upload = Upload { to: registry.address(), authorization: registry.authorization(), repository };
    let manifests: Vec<&Value> = images.iter().map(|image| &image.descriptor).collect();
    let index = json!({"schemaVersion": 2, "mediaType": dialect.index(), "manifests": manifests});
    upload.manifest(tag, dialect.index(), &index).map(|(digest, _)| digest)
}

fn split(name: &str) -> Result<(&str, &str)> {
    name.rsplit_once(':').context(format!("`{name}` is not repository:tag"))
}

struct Upload<'a> {
    to: SocketAddr,
    authorization: Option<&'a str>,
    repository: &'a str,
}

impl Upload<'_> {
    fn blob<'b>(&self, digest: &str, body: impl FnOnce() -> Result<Body<'b>>) -> Result {
        let base = format!("/v2/{}/blobs/", self.repository);
        if self.send("HEAD", &format!("{base}{digest}"), BYTES, Body::Empty)?.status == 200 {
            return Ok(());
        }
        let begun = self.send("POST", &format!("{base}uploads/"), BYTES, Body::Empty)?.expect(202, "upload")?;
        let location = begun.header("location").context("upload: no Location")?;
        // The registry gives a whole address; the request line takes its path and query.
        let path = location.split_once("//").and_then(|(_, rest)| rest.find('/').map(|at| &rest[at..]));
        let path = path.unwrap_or(location);
        let separator = if path.contains('?') { '&' } else { '?' };
        self.send("PUT", &format!("{path}{separator}digest={digest}"), BYTES, body()?)?.expect(201, "blob").map(drop)
    }

    fn manifest(&self, tag: &str, media_type: &str, manifest: &Value) -> Result<(String, usize)> {
        let bytes = serde_json::to_vec_pretty(manifest)?;
        let target = format!("/v2/{}/manifests/{tag}", self.repository);
        self.send("PUT", &target, media_type, Body::Bytes(&bytes))?.expect(201, "manifest")?;
        Ok((digest_of(&bytes)?, bytes.len()))
    }

    fn send(&self, method: &str, target: &str, content_type: &str, body: Body<'_>) -> Result<Answer> {
        send(self.to, Request { method, target, content_type, authorization: self.authorization, body })
    }
}

const BYTES: &str = "application/octet-stream";

/// The sha256 digest of a file, as registries write it.
///
/// # Errors
/// `sha256sum` says why.
pub fn digest_of_file(file: &Path) -> Result<String> {
    let mut sum = Command::new(program("sha256sum", "coreutils")?);
    first_word(&run(sum.arg("--").arg(file))?.success()?)
}

/// The sha256 digest of these bytes.
///
/// # Errors
/// `sha256sum` cannot be started.
pub fn digest_of(bytes: &[u8]) -> Result<String> {
    let mut sum = Command::new(program("sha256sum", "coreutils")?);
    first_word(&run_with_input(&mut sum, bytes)?.success()?)
}

fn first_word(line: &str) -> Result<String> {
    let word = line.split_whitespace().next().context("sha256sum printed nothing")?;
    Ok(format!("sha256:{}", word.trim_start_matches('\\')))
}
