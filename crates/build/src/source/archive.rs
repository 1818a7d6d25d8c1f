//! A context in an archive: from standard input, or from an address. What is no archive is a Dockerfile alone.
//!
//! The archive is a stranger's: names lead nowhere but into the directory, everything belongs to whoever builds, nobody gets
//! rights by it, and there are no devices. How much it may have `image::layer::Limits` says.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use image::layer::{Limits, Owner};

use crate::{Error, ErrorKind, Result};

/// Bytes of a Dockerfile that is alone.
const DOCKERFILE_MAX: u64 = 4 << 20;
/// Bytes of the header of an entry.
const HEADER: usize = 512;
/// Where its sum stands.
const SUM: std::ops::Range<usize> = 148..156;

/// What it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Unpacked {
    /// Files, which are in the directory now.
    Files,
    /// A Dockerfile.
    Dockerfile(Vec<u8>),
}

/// Unpacks an archive, compressed or not, into a directory, which is empty and ours.
///
/// # Errors
/// `Invalid` for an archive that is broken, has what no context may have, or too much of it, and for text that is too long to
/// be a Dockerfile.
pub(crate) fn unpack(reader: impl Read, into: &Path) -> Result<Unpacked> {
    let failed = |error| Error::system("the context that is read", error);
    let mut reader = BufReader::new(Whole { reader });
    let first = reader.fill_buf().map_err(failed)?;
    if !is_compressed(first) && !is_entry(first) {
        let mut text = Vec::new();
        reader.take(DOCKERFILE_MAX + 1).read_to_end(&mut text).map_err(failed)?;
        if text.len() as u64 > DOCKERFILE_MAX {
            let message = format!(
                "the context that is read: it is no archive, and no Dockerfile has more than {DOCKERFILE_MAX} bytes"
            );
            return Err(Error::invalid(message));
        }
        return Ok(Unpacked::Dockerfile(text));
    }
    let root = fsroot::Root::open(into)?;
    let tar = image::decompressed(reader).map_err(failed)?;
    let owner = Owner::OnHost(rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
    image::layer::extract(tar, &root, b"", owner, &Limits::default()).map_err(|error| {
        if error.kind() == image::layer::ErrorKind::Write {
            return Error::from(error);
        }
        // Also what cannot be read: it ends too early, or is compressed otherwise than it says.
        let text = error.to_string();
        // It is no layer.
        let text = text.strip_prefix("layer").unwrap_or(&text).trim_start_matches([':', ' ']);
        Error::new(ErrorKind::Invalid, format!("the archive of the context: {text}"))
    })?;
    Ok(Unpacked::Files)
}

/// Fills what it is asked to fill, so that the first look sees a whole header.
struct Whole<R> {
    reader: R,
}

impl<R: Read> Read for Whole<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let mut filled = 0;
        while filled < buffer.len() {
            match self.reader.read(&mut buffer[filled..]) {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(filled)
    }
}

/// gzip, zstd, bzip2 or xz.
fn is_compressed(first: &[u8]) -> bool {
    const MAGIC: [&[u8]; 4] = [b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"BZh", b"\xfd7zXZ\0"];
    MAGIC.iter().any(|magic| first.starts_with(magic))
}

/// Whether a header stands there, which its sum tells, or the end of an archive that is empty.
fn is_entry(first: &[u8]) -> bool {
    let Some(header) = first.get(..HEADER) else { return false };
    if header.iter().all(|byte| *byte == 0) {
        return true;
    }
    let text: Vec<u8> = header[SUM].iter().copied().filter(u8::is_ascii_digit).collect();
    let expected = std::str::from_utf8(&text).ok().and_then(|text| u32::from_str_radix(text, 8).ok());
    let with_spaces = (0..).zip(header).map(|(at, byte)| if SUM.contains(&at) { b' ' } else { *byte });
    expected == Some(with_spaces.map(u32::from).sum())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Write;

    use super::*;

    /// Name, type, mode, target of a link, content.
    type Entry<'a> = (&'a [u8], u8, u32, &'a [u8], &'a [u8]);

    fn tar(entries: &[Entry<'_>]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (name, kind, mode, link, content) in entries {
            let mut header = [0_u8; HEADER];
            header[..name.len()].copy_from_slice(name);
            header[100..108].copy_from_slice(format!("{mode:07o}\0").as_bytes());
            header[108..116].copy_from_slice(b"0001750\0");
            header[116..124].copy_from_slice(b"0001750\0");
            header[124..136].copy_from_slice(format!("{:011o}\0", content.len()).as_bytes());
            header[136..148].copy_from_slice(b"00000000144\0");
            header[156] = *kind;
            header[157..157 + link.len()].copy_from_slice(link);
            header[257..265].copy_from_slice(b"ustar\x0000");
            header[148..156].copy_from_slice(b"        ");
            let sum: u32 = header.iter().copied().map(u32::from).sum();
            header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
            bytes.extend(header);
            bytes.extend(*content);
            bytes.resize(bytes.len().next_multiple_of(HEADER), 0);
        }
        bytes.resize(bytes.len() + 1024, 0);
        bytes
    }

    /// One byte at a time, as a slow pipe brings it.
    struct Slow<'a>(&'a [u8]);

    impl Read for Slow<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            let end = buffer.len().min(1);
            self.0.read(&mut buffer[..end])
        }
    }

    fn place() -> tempfile::TempDir {
        tempfile::tempdir().expect("there is room")
    }

    #[test]
    fn files_are_unpacked_and_belong_to_whoever_builds() {
        use std::os::unix::fs::MetadataExt;
        let archive = tar(&[
            (b"d/", b'5', 0o755, b"", b""),
            (b"d/Dockerfile", b'0', 0o4755, b"", b"FROM a\n"),
            (b"link", b'2', 0o777, b"/etc/passwd", b""),
            (b"null", b'3', 0o666, b"", b""),
        ]);
        for bytes in [archive.clone(), zstd(&archive)] {
            let place = place();
            assert_eq!(unpack(Slow(&bytes), place.path()).expect("it is one"), Unpacked::Files);
            let file = place.path().join("d/Dockerfile");
            assert_eq!(fs::read(&file).expect("it is there"), b"FROM a\n");
            let found = fs::metadata(&file).expect("it is there");
            let own = fs::metadata(place.path()).expect("it is there").uid();
            assert_eq!((found.mode() & 0o7777, found.uid(), found.mtime()), (0o755, own, 100));
            let link = fs::read_link(place.path().join("link")).expect("it is there");
            assert_eq!(link, Path::new("/etc/passwd"), "it means something in a container, and nothing here");
            assert!(fs::symlink_metadata(place.path().join("null")).is_err(), "it is a device");
        }
    }

    fn zstd(bytes: &[u8]) -> Vec<u8> {
        // A frame with raw blocks, of which none has more than 128 KiB.
        let mut frame = b"\x28\xb5\x2f\xfd\x00\x58".to_vec();
        let header = u32::try_from(bytes.len()).expect("it is small") << 3 | 1;
        frame.extend(&header.to_le_bytes()[..3]);
        frame.write_all(bytes).expect("it is memory");
        frame
    }

    #[test]
    fn nothing_leaves_the_directory() {
        let outer = place();
        let into = outer.path().join("in");
        for archive in [
            tar(&[(b"../out", b'0', 0o644, b"", b"x")]),
            tar(&[(b"l", b'2', 0o777, b"..", b""), (b"l/out", b'0', 0o644, b"", b"x")]),
            tar(&[(b"l", b'2', 0o777, b"/", b""), (b"l/../../out", b'0', 0o644, b"", b"x")]),
            tar(&[(b"l", b'1', 0o777, b"../secret", b"")]),
        ] {
            fs::create_dir(&into).expect("there is room");
            fs::write(outer.path().join("secret"), b"s").expect("there is room");
            // Whether it is refused is the archive's affair; where it leads to is not.
            let _ = unpack(&archive[..], &into);
            assert!(!outer.path().join("out").exists());
            assert!(!into.join("l").metadata().is_ok_and(|found| found.is_file()), "a link to what is outside");
            fs::remove_dir_all(&into).expect("it is ours");
        }
        let error = unpack(&tar(&[(b"../out", b'0', 0o644, b"", b"x")])[..], place().path()).expect_err("it leads out");
        assert_eq!(error.kind(), ErrorKind::Invalid);
        assert!(error.to_string().starts_with("the archive of the context: entry \"../out\""), "{error}");
    }

    #[test]
    fn text_is_a_dockerfile() {
        let place = place();
        for text in [&b"FROM a\n"[..], b"", &b"# ".repeat(2000)] {
            let found = unpack(Slow(text), place.path()).expect("it is one");
            assert_eq!(found, Unpacked::Dockerfile(text.to_vec()));
        }
        let error = unpack(std::io::repeat(b'#'), place.path()).expect_err("it never ends");
        assert!(error.to_string().contains("no Dockerfile has more than 4194304 bytes"), "{error}");
        assert_eq!(unpack(&[0; 1024][..], place.path()).expect("it is empty"), Unpacked::Files);
        let error = unpack(&b"\x1f\x8b no"[..], place.path()).expect_err("it is broken");
        assert!(error.kind() == ErrorKind::System || error.kind() == ErrorKind::Invalid, "{error}");
    }

    /// Whatever the bytes are: they are unpacked, or refused, and nothing is made beside the directory.
    #[test]
    fn any_bytes() {
        let place = tempfile::tempdir().expect("there is room");
        let whole = tar(&[
            (b"a", b'0', 0o644, b"", b"one"),
            (b"d/l", b'2', 0o777, b"../../x", b""),
            (b"d/l/y", b'0', 0o644, b"", b"two"),
        ]);
        bolero::check!().with_iterations(2000).with_type::<(Vec<(u16, u8)>, bool)>().for_each(|(changes, cut)| {
            let mut bytes = whole.clone();
            for (at, value) in changes {
                let at = usize::from(*at) % bytes.len();
                bytes[at] = *value;
            }
            if *cut {
                bytes.truncate(bytes.len() / 2);
            }
            let into = place.path().join("into");
            fs::create_dir(&into).expect("there is room");
            let _ = unpack(bytes.as_slice(), &into);
            fs::remove_dir_all(&into).expect("it is there");
            assert_eq!(fs::read_dir(place.path()).expect("lists").count(), 0, "something is beside it");
        });
    }
}
