//! A layer's archive, the same bytes for the same contents.
//!
//! Plain ustar (POSIX.1-1988), because nothing here needs more: short names, no device, everything owned by root. It is
//! written by hand so that digests do not depend on the version of a library.

use crate::error::{Error, Result};

const BLOCK: usize = 512;
/// Bytes of a name in a header, and of a link's target.
const NAME: usize = 100;

const REGULAR: u8 = b'0';
const SYMLINK: u8 = b'2';
const DIRECTORY: u8 = b'5';

/// An archive while it is written. Entries keep the order in which they came.
pub(super) struct Archive {
    bytes: Vec<u8>,
    mtime: u64,
}

impl Archive {
    /// `mtime`: of every entry, in seconds since 1970.
    pub(super) fn new(mtime: u64) -> Archive {
        Archive { bytes: Vec::new(), mtime }
    }

    pub(super) fn directory(&mut self, name: &str, mode: u32) -> Result<()> {
        self.header(&format!("{name}/"), DIRECTORY, mode, 0, "")
    }

    pub(super) fn file(&mut self, name: &str, mode: u32, content: &[u8]) -> Result<()> {
        self.header(name, REGULAR, mode, content.len(), "")?;
        self.bytes.extend_from_slice(content);
        self.bytes.resize(self.bytes.len().next_multiple_of(BLOCK), 0);
        Ok(())
    }

    pub(super) fn symlink(&mut self, name: &str, target: &str) -> Result<()> {
        self.header(name, SYMLINK, 0o777, 0, target)
    }

    /// The archive with its end, two empty blocks.
    pub(super) fn finish(mut self) -> Vec<u8> {
        self.bytes.resize(self.bytes.len() + 2 * BLOCK, 0);
        self.bytes
    }

    fn header(&mut self, name: &str, kind: u8, mode: u32, size: usize, target: &str) -> Result<()> {
        if let Some(long) = [name, target].into_iter().find(|text| text.len() > NAME) {
            return Err(Error::invalid(format!("name {long} is longer than {NAME} bytes")));
        }
        let mut header = [0; BLOCK];
        let mut put = |at: usize, text: &[u8]| header[at..at + text.len()].copy_from_slice(text);
        put(0, name.as_bytes());
        put(100, format!("{mode:07o}").as_bytes());
        put(108, b"0000000");
        put(116, b"0000000");
        put(124, format!("{size:011o}").as_bytes());
        put(136, format!("{:011o}", self.mtime).as_bytes());
        // The checksum counts itself as blanks.
        put(148, b"        ");
        put(156, &[kind]);
        put(157, target.as_bytes());
        put(257, b"ustar\x0000");
        put(329, b"0000000");
        put(337, b"0000000");
        let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
        header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        self.bytes.extend_from_slice(&header);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::process::{Command, Stdio};

    use super::{Archive, NAME};

    fn sample() -> Vec<u8> {
        let mut archive = Archive::new(86_400);
        archive.directory("bin", 0o755).expect("a short name");
        archive.file("bin/one", 0o4755, b"1").expect("a short name");
        archive.file("empty", 0o644, b"").expect("a short name");
        archive.file("block", 0o600, &[b'x'; 512]).expect("a short name");
        archive.symlink("bin/two", "/bin/one").expect("a short name");
        archive.directory("tmp", 0o1777).expect("a short name");
        archive.finish()
    }

    /// What the host's tar says is in it.
    #[test]
    fn another_program_reads_it() {
        let mut tar = Command::new("tar")
            .args(["--list", "--verbose", "--numeric-owner", "--utc", "--quoting-style=literal", "--file=-"])
            .env("LC_ALL", "C")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("tar is there");
        tar.stdin.take().expect("a pipe").write_all(&sample()).expect("tar reads");
        let output = tar.wait_with_output().expect("tar ends");
        let lines = String::from_utf8_lossy(&output.stdout);
        let lines: Vec<Vec<&str>> = lines.lines().map(|line| line.split_whitespace().collect()).collect();
        let want = [
            "drwxr-xr-x 0/0 0 1970-01-02 00:00 bin/",
            "-rwsr-xr-x 0/0 1 1970-01-02 00:00 bin/one",
            "-rw-r--r-- 0/0 0 1970-01-02 00:00 empty",
            "-rw------- 0/0 512 1970-01-02 00:00 block",
            "lrwxrwxrwx 0/0 0 1970-01-02 00:00 bin/two -> /bin/one",
            "drwxrwxrwt 0/0 0 1970-01-02 00:00 tmp/",
        ];
        assert_eq!(lines, want.map(|line| line.split_whitespace().collect::<Vec<_>>()));
        assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    #[test]
    fn same_contents_same_bytes() {
        assert_eq!(sample(), sample());
        assert_eq!(sample().len() % 512, 0);
    }

    #[test]
    fn names_that_do_not_fit_are_refused() {
        let mut archive = Archive::new(0);
        archive.file(&"a".repeat(NAME), 0o644, b"").expect("it fits");
        archive.file(&"a".repeat(NAME + 1), 0o644, b"").expect_err("it does not fit");
        archive.directory(&"a".repeat(NAME), 0o755).expect_err("a directory has a slash more");
        archive.symlink("a", &"b".repeat(NAME + 1)).expect_err("the target does not fit");
    }
}
