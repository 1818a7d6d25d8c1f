//! Finished files, compressed. That takes long and needs memory, so a process of its own does it, which is this program
//! once more; the supervisor never waits for it.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io;
use std::os::fd::AsFd;
use std::path::Path;
use std::process::ExitCode;

use flate2::Compression;
use flate2::write::GzEncoder;
use runtime::protocol::log::{finished, finished_path};

/// What this program is called with to do it.
pub(crate) const WORD: &str = "compress-log";

/// Starts a process that compresses all finished files of a log. It is a child of this one, and reaped with the others.
pub(super) fn in_background(log: &Path) {
    let (Ok(program), Some(path)) = (File::open("/proc/self/exe"), log.to_str()) else { return };
    // Without it the files stay as they are, and the next one to be finished tries again.
    sys::spawn::detached(program.as_fd(), &["phial-runtime", WORD, path], &[]).ok();
}

/// Compresses the finished files of a log: what the process does.
pub(crate) fn compress(log: &OsStr) -> ExitCode {
    let log = Path::new(log);
    for file in finished(log).unwrap_or_default() {
        if !file.compressed && one(log, file.number).is_err() {
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

/// Compresses one file, unless another does. Killed at any moment, the plain file is there or the compressed one is whole.
fn one(log: &Path, number: u64) -> io::Result<()> {
    let plain = finished_path(log, number, false);
    let mut file = match File::open(&plain) {
        // It was removed because it was the oldest.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        other => other?,
    };
    if file.try_lock().is_err() || !plain.exists() {
        return Ok(());
    }
    let compressed = finished_path(log, number, true);
    let unfinished = compressed.with_extension("gz.tmp");
    let mut encoder = GzEncoder::new(File::create(&unfinished)?, Compression::default());
    let written = io::copy(&mut file, &mut encoder).and_then(|_| encoder.finish().map(drop));
    if let Err(error) = written.and_then(|()| fs::rename(&unfinished, &compressed)) {
        fs::remove_file(&unfinished).ok();
        return Err(error);
    }
    sys::fault::point("log: compressed");
    // Removed meanwhile as the oldest: then the compressed form goes as well.
    match fs::remove_file(&plain) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => fs::remove_file(&compressed),
        other => other,
    }
}
