//! Output that may go to a file: `-o`. Owns that a file is whole or not there: it has no name until it is whole, so that nothing stays
//! of one that was killed (`O_TMPFILE` of `open(2)`).

use std::fs::{self, File};
use std::io::{self, BufWriter, IsTerminal, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::{Access, AtFlags, CWD, OFlags};
use rustix::io::Errno;

use crate::failure::{Failure, Result};

/// Where an archive is written to.
pub(crate) struct OutputFile {
    out: BufWriter<Box<dyn Write + Send>>,
    pending: Option<Pending>,
}

/// A file that takes its place once it is whole.
struct Pending {
    place: PathBuf,
    /// What it is called until then, where it needs a name: on a file system that has no files without one, and between the two steps that
    /// put it in the place of another file.
    beside: PathBuf,
    /// The file, as long as it has no name.
    unnamed: Option<File>,
}

impl OutputFile {
    /// Standard output, unless that is a terminal, or the file at `path`. `purpose` completes "cannot …:".
    ///
    /// # Errors
    /// For a terminal, and for a path where no file can be.
    pub(crate) fn create(path: Option<&Path>, purpose: &str) -> Result<OutputFile> {
        let Some(path) = path else {
            if io::stdout().is_terminal() {
                let message = format!("cannot {purpose}: cowardly refusing to save to a terminal");
                return Err(Failure::new(message).with_hint("use -o FILE, or > FILE"));
            }
            return Ok(OutputFile { out: BufWriter::new(Box::new(io::stdout())), pending: None });
        };
        let failed = |why: &str| Failure::new(format!("cannot {purpose}: {}: {why}", path.display()));
        let found = fs::metadata(path);
        if found.as_ref().is_ok_and(fs::Metadata::is_dir) {
            return Err(failed("it is a directory"));
        }
        if found.is_ok_and(|found| !found.is_file()) {
            let file = fs::OpenOptions::new().write(true).open(path).map_err(|error| failed(&error.to_string()))?;
            return Ok(OutputFile { out: BufWriter::new(Box::new(file)), pending: None });
        }
        // Through a symlink, so that it stays one.
        let target = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        let name = target.file_name().ok_or_else(|| failed("it is no name of a file"))?;
        let beside = target.with_file_name(format!(".{}.{}", name.to_string_lossy(), std::process::id()));
        let (file, pending) = Pending::open(target, beside).map_err(|error| failed(&error.to_string()))?;
        Ok(OutputFile { out: BufWriter::with_capacity(1 << 20, Box::new(file)), pending: Some(pending) })
    }

    /// Refuses a path at which [`OutputFile::create`] could not write, before there is anything to write. Changes nothing.
    ///
    /// # Errors
    /// For a path where no file can be.
    pub(crate) fn check(path: &Path) -> io::Result<()> {
        match fs::metadata(path) {
            // A file that is there is replaced, and not written to.
            Ok(found) if found.is_file() => check_above(&fs::canonicalize(path)?),
            _ => check(path),
        }
    }

    /// To write to.
    pub(crate) fn writer(&mut self) -> &mut (impl Write + Send + use<>) {
        &mut self.out
    }

    /// All is written: the file takes its place.
    ///
    /// # Errors
    /// When the last bytes cannot be written.
    pub(crate) fn finish(mut self, purpose: &str) -> Result<()> {
        let failed = |error: io::Error| Failure::new(format!("cannot {purpose}: writing: {error}"));
        self.out.flush().map_err(failed)?;
        let Some(mut pending) = self.pending.take() else { return Ok(()) };
        sys::fault::point("output: written");
        pending
            .take_place()
            .map_err(|error| Failure::new(format!("cannot {purpose}: {}: {error}", pending.place.display())))
    }
}

/// Refuses a path at which `std::fs::write` could not write, before there is anything to write. Changes nothing.
///
/// # Errors
/// For a path where no file can be.
pub(crate) fn check(path: &Path) -> io::Result<()> {
    match fs::metadata(path) {
        Ok(found) if found.is_dir() => Err(Errno::ISDIR.into()),
        Ok(_) => Ok(rustix::fs::access(path, Access::WRITE_OK)?),
        Err(error) if error.kind() == io::ErrorKind::NotFound => check_above(path),
        Err(error) => Err(error),
    }
}

/// Whether the directory takes a file of this name.
fn check_above(path: &Path) -> io::Result<()> {
    Ok(rustix::fs::access(above(path), Access::WRITE_OK | Access::EXEC_OK)?)
}

/// `.` for a name without a directory.
fn above(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

impl Pending {
    fn open(place: PathBuf, beside: PathBuf) -> io::Result<(File, Pending)> {
        match private().custom_flags(OFlags::TMPFILE.bits().cast_signed()).open(above(&place)) {
            Ok(file) => Ok((file.try_clone()?, Pending { place, beside, unnamed: Some(file) })),
            Err(_) => Pending::open_beside(place, beside),
        }
    }

    /// The way that works on every file system.
    fn open_beside(place: PathBuf, beside: PathBuf) -> io::Result<(File, Pending)> {
        let file = private().create(true).truncate(true).open(&beside)?;
        Ok((file, Pending { place, beside, unnamed: None }))
    }

    fn take_place(&mut self) -> io::Result<()> {
        if let Some(file) = &self.unnamed {
            match name(file, &self.place) {
                Ok(()) => return Ok(()),
                // In place of another file a name cannot be given in one step.
                Err(Errno::EXIST) => {
                    // Of one that was killed between the two, and had our number.
                    let _ = fs::remove_file(&self.beside);
                    name(file, &self.beside)?;
                    self.unnamed = None;
                }
                Err(errno) => return Err(errno.into()),
            }
        }
        fs::rename(&self.beside, &self.place)
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        if self.unnamed.is_none() {
            // What is only a part must not stay; nobody can be told if it does. It has gone if it has taken its place.
            let _ = fs::remove_file(&self.beside);
        }
    }
}

/// For writing, by its owner alone.
fn private() -> fs::OpenOptions {
    let mut options = fs::OpenOptions::new();
    options.write(true).mode(0o600);
    options
}

/// Gives a file without a name one, as open(2) shows it.
fn name(file: &File, path: &Path) -> rustix::io::Result<()> {
    let opened = format!("/proc/self/fd/{}", file.as_raw_fd());
    rustix::fs::linkat(CWD, opened, CWD, path, AtFlags::SYMLINK_FOLLOW)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(directory: &Path) -> Vec<String> {
        let names = fs::read_dir(directory).expect("a directory");
        let mut names: Vec<_> = names.map(|entry| entry.expect("an entry").file_name()).collect();
        names.sort();
        names.into_iter().map(|name| name.to_string_lossy().into_owned()).collect()
    }

    #[test]
    fn a_file_is_whole_or_not_there() {
        let directory = tempfile::tempdir().expect("a directory");
        let (place, beside) = (directory.path().join("place"), directory.path().join(".place.7"));
        for (open, name_meanwhile) in
            [(Pending::open as fn(_, _) -> _, None), (Pending::open_beside, Some(".place.7".to_owned()))]
        {
            let write = |text: &str| -> Pending {
                let (mut file, pending) = open(place.clone(), beside.clone()).expect("a file");
                file.write_all(text.as_bytes()).expect("room");
                pending
            };
            let there =
                |name: &str| -> Vec<String> { name_meanwhile.iter().cloned().chain([name.to_owned()]).collect() };
            let given_up = write("a part");
            assert_eq!(names(directory.path()), Vec::from_iter(name_meanwhile.clone()));
            drop(given_up);
            assert!(names(directory.path()).is_empty());
            write("first").take_place().expect("there is none");
            let mut second = write("second");
            assert_eq!((names(directory.path()), fs::read(&place).expect("it")), (there("place"), b"first".to_vec()));
            second.take_place().expect("in its place");
            drop(second);
            assert_eq!(fs::read(&place).expect("it"), b"second");
            assert_eq!(names(directory.path()), ["place"]);
            fs::remove_file(&place).expect("it is there");
        }
    }

    #[test]
    fn a_place_is_looked_at_and_stays_as_it_is() {
        let directory = tempfile::tempdir().expect("a directory");
        let there = directory.path().join("there");
        fs::write(&there, "as it was").expect("room");
        let checks: [fn(&Path) -> io::Result<()>; 2] = [check, OutputFile::check];
        for check in checks {
            for name in ["there", "new"] {
                check(&directory.path().join(name)).expect(name);
            }
            for name in [".", "absent/new", "there/new"] {
                check(&directory.path().join(name)).expect_err(name);
            }
            check(Path::new("name")).expect("a name without a directory");
            check(Path::new("/dev/null")).expect("a device");
        }
        assert_eq!(
            (names(directory.path()), fs::read(&there).expect("it")),
            (vec!["there".to_owned()], b"as it was".to_vec())
        );
    }

    #[test]
    fn what_a_killed_one_left_is_in_nobody_s_way() {
        let directory = tempfile::tempdir().expect("a directory");
        let (place, beside) = (directory.path().join("place"), directory.path().join(".place.7"));
        fs::write(&place, "earlier").expect("room");
        fs::write(&beside, "left").expect("room");
        let (mut file, mut pending) = Pending::open(place.clone(), beside).expect("a file");
        file.write_all(b"whole").expect("room");
        pending.take_place().expect("in its place");
        assert_eq!(
            (fs::read(&place).expect("it"), names(directory.path())),
            (b"whole".to_vec(), vec!["place".to_owned()])
        );
    }
}
