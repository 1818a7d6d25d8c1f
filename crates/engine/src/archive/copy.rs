//! `cp`: between a container and the host, both ways, or an archive on one side. What is copied goes as an archive through a pipe of this
//! process: one thread packs, the other extracts, each by the descriptors of its own side.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::thread;

use fsroot::Root;
use image::Counted;
use image::layer::{self, Limits, Owner, Packed, extract, pack_opened};

use super::place::{Cleaned, Destination, Source};
use super::view::{Seen, View};
use crate::engine::Engine;
use crate::error::{Context, Error, ErrorKind, Result};

/// One end of a copy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// A path in a container; taken from its root if it does not begin with a slash.
    Container {
        /// Name or id.
        container: String,
        /// As it was typed: a slash or `/.` at its end means something.
        path: PathBuf,
    },
    /// A path on the host.
    Host(PathBuf),
    /// An archive on standard input or output.
    Archive,
}

impl End {
    /// Reads `CONTAINER:PATH`, `PATH` or `-`. What begins with a slash or a dot, or has no colon, is a path of the host.
    pub fn parse(text: &str) -> End {
        if text == "-" {
            return End::Archive;
        }
        match text.split_once(':') {
            Some((container, path)) if !text.starts_with(['/', '.']) && !container.is_empty() => {
                End::Container { container: container.to_owned(), path: PathBuf::from(path) }
            }
            _ => End::Host(PathBuf::from(text)),
        }
    }
}

/// How to copy.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CopyOptions {
    /// Keep owners (`-a`).
    pub archive: bool,
    /// Copy what a symlink at the end of the source leads to (`-L`).
    pub follow: bool,
}

/// What was copied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Copied {
    /// Bytes, as docker counts them: of the archive that it would have sent.
    pub bytes: u64,
    /// Where to: `web:/etc/motd`.
    pub to: String,
    /// Device nodes that were not copied to the host, as owners were not kept.
    pub devices_left_out: u64,
}

impl Engine {
    /// Copies from one end to the other, one of which is in a container. `stdin` and `stdout` are the archive's.
    ///
    /// # Errors
    /// `Invalid` for ends that do not go together and for what docker's rules refuse, `NotFound`.
    pub fn copy(
        &self,
        from: &End,
        to: &End,
        options: CopyOptions,
        stdin: impl Read,
        stdout: impl Write,
    ) -> Result<Copied> {
        match (from, to) {
            (End::Container { .. }, End::Container { .. }) => {
                Err(Error::invalid("copying between containers is not supported")
                    .with_hint("phial cp FROM:PATH - | phial cp - TO:PATH"))
            }
            (End::Container { container, path }, to) => {
                let container = self.container(container)?;
                let view = self.view(&container, Seen::All)?;
                let copied = from_container(&view, path, to, options, stdout)?;
                self.tell_container(&container, "archive-path", &[]);
                Ok(copied)
            }
            (from, End::Container { container: key, path }) => {
                let container = self.container(key)?;
                let view = self.view(&container, Seen::All)?;
                let bytes = into_container(&view, path, from, options, stdin)?;
                self.tell_container(&container, "extract-to-dir", &[]);
                Ok(Copied { bytes, to: format!("{key}:{}", path.display()), devices_left_out: 0 })
            }
            _ => Err(Error::invalid("must specify at least one container source")
                .with_hint("a path in a container is CONTAINER:PATH")),
        }
    }
}

fn from_container(view: &View, path: &Path, to: &End, options: CopyOptions, stdout: impl Write) -> Result<Copied> {
    let cleaned = Cleaned::new(path.as_os_str().as_bytes());
    view.refuse_closed(&cleaned.path)?;
    let source = Source::find(&view.root, cleaned, options.follow).map_err(|error| in_container(error, path))?;
    let End::Host(to) = to else {
        let packed = pack_opened(&source.file, &archive_name(&source), stdout).map_err(packing)?;
        return Ok(Copied { bytes: packed.plain_length, to: "-".to_owned(), devices_left_out: 0 });
    };
    let (host, target) = on_host(to)?;
    let destination = Destination::find(&host, &target, &source)?;
    let (bytes, devices_left_out) = across(&source, &host, &destination, out_here(options), extracting_here)?;
    Ok(Copied { bytes, to: to.display().to_string(), devices_left_out })
}

fn into_container(view: &View, path: &Path, from: &End, options: CopyOptions, stdin: impl Read) -> Result<u64> {
    let (root, target) = (&view.root, Cleaned::new(path.as_os_str().as_bytes()));
    view.refuse_closed(&target.path)?;
    let End::Host(from) = from else {
        let destination = Destination::of_archive(root, &target)?;
        view.refuse_read_only(&destination.directory, b"")?;
        let mut stdin = Counted::new(stdin);
        extract(&mut stdin, root, &destination.directory, in_there(options), &Limits::default())
            .map_err(extracting_there)?;
        return Ok(stdin.taken());
    };
    let (host, path) = on_host(from)?;
    let source = Source::find(&host, path, options.follow)?;
    let destination = Destination::find(root, &target, &source)?;
    view.refuse_read_only(&destination.directory, &destination.called)?;
    sys::fault::point("cp: begins");
    let (bytes, _) = across(&source, root, &destination, in_there(options), extracting_there)?;
    sys::fault::point("cp: written");
    Ok(bytes)
}

/// What the one thing in an archive is called.
fn archive_name(source: &Source) -> Vec<u8> {
    if source.path.contents { Vec::new() } else { source.path.name().to_vec() }
}

/// Who owns copies in a container: its root, or whoever owns what is copied.
fn in_there(options: CopyOptions) -> Owner {
    if options.archive { Owner::Own } else { Owner::Of(0, 0) }
}

/// Who owns copies on the host: the user, or whoever owns what is copied.
fn out_here(options: CopyOptions) -> Owner {
    let user = rustix::process::getuid().as_raw();
    let group = if user == 0 { 0 } else { rustix::process::getgid().as_raw() };
    if options.archive { Owner::Own } else { Owner::OnHost(user, group) }
}

/// Packs on one thread and extracts on this one.
fn across(
    source: &Source,
    to: &Root,
    destination: &Destination,
    owner: Owner,
    extracting: fn(layer::Error) -> Error,
) -> Result<(u64, u64)> {
    let (reader, writer) = io::pipe().context(|| "making a pipe")?;
    // The usual capacity means a switch of threads every 64 KiB.
    let _ = rustix::pipe::fcntl_setpipe_size(&writer, 1 << 20);
    thread::scope(|scope| {
        let packer = thread::Builder::new()
            .name("pack".into())
            .spawn_scoped(scope, move || pack_opened(&source.file, &destination.called, writer))
            .context(|| "starting a thread")?;
        let extracted = extract(reader, to, &destination.directory, owner, &Limits::default());
        match (packer.join(), extracted) {
            (Err(panic), _) => std::panic::resume_unwind(panic),
            // Who extracts and stops breaks the pipe of who packs; who packs and stops cuts the archive off.
            (Ok(Err(error)), Ok(_)) => Err(packing(error)),
            (Ok(Err(error)), Err(_)) if error.kind() != layer::ErrorKind::Write => Err(packing(error)),
            (Ok(_), Err(error)) => Err(extracting(error)),
            (Ok(Ok(Packed { plain_length, .. })), Ok(done)) => Ok((plain_length, done.devices_left_out)),
        }
    })
}

/// A path of the host's, seen from its root.
fn on_host(path: &Path) -> Result<(Root, Cleaned)> {
    let text = path.as_os_str().as_bytes();
    let whole = if path.is_absolute() {
        text.to_vec()
    } else {
        let here = std::env::current_dir().context(|| "the working directory")?;
        [here.as_os_str().as_bytes(), b"/", text].concat()
    };
    let root = Root::from_fd(File::open("/").context(|| "/")?.into())
        .map_err(|error| Error::new(ErrorKind::System, error.to_string()))?;
    let mut cleaned = Cleaned::new(&whole);
    // The working directory itself, not what is in it.
    cleaned.contents = text.ends_with(b"/.") || text == b"." || cleaned.path.is_empty();
    Ok((root, cleaned))
}

fn in_container(error: Error, path: &Path) -> Error {
    if error.kind() == ErrorKind::NotFound {
        return Error::not_found(format!("could not find the file {} in the container", path.display()));
    }
    error
}

pub(super) fn packing(error: layer::Error) -> Error {
    worded("reading", error)
}

/// On the host.
fn extracting_here(error: layer::Error) -> Error {
    worded("writing", error)
}

/// In the store, of which is said how much room it has.
fn extracting_there(error: layer::Error) -> Error {
    let is_full = error.is_full();
    let own = worded("writing", error);
    if is_full { Error::new(ErrorKind::Full, own.to_string()) } else { own }
}

#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
fn worded(doing: &str, error: layer::Error) -> Error {
    let text = error.to_string();
    // The module words errors of layers.
    let text = text.replacen("layer entry ", "", 1).replacen("layer: ", "", 1);
    Error::new(ErrorKind::System, format!("{doing} {text}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends() {
        let container =
            |container: &str, path: &str| End::Container { container: container.to_owned(), path: PathBuf::from(path) };
        let cases = [
            ("web:/etc", container("web", "/etc")),
            ("web:etc/", container("web", "etc/")),
            ("web:", container("web", "")),
            ("web:a:b", container("web", "a:b")),
            ("./web:x", End::Host("./web:x".into())),
            ("/web:x", End::Host("/web:x".into())),
            ("file", End::Host("file".into())),
            (":x", End::Host(":x".into())),
            ("-", End::Archive),
        ];
        for (text, want) in cases {
            assert_eq!(End::parse(text), want, "{text}");
        }
    }
}
