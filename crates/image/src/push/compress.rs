//! What layers are compressed with that have to be compressed. The same bytes always become the same bytes, so that a layer
//! that was pushed twice is one blob.

use std::io::{self, Write};
use std::str::FromStr;

use crate::compress::{GZIP_LEVEL, Gzip, zstd};
use crate::error::{Error, ErrorKind, Result};

/// What layers are compressed with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Compression {
    /// Everybody reads it.
    #[default]
    Gzip,
    /// Smaller and faster; not for docker before version 23.
    Zstd,
    /// Not at all.
    Nothing,
}

impl FromStr for Compression {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "gzip" => Ok(Self::Gzip),
            "zstd" => Ok(Self::Zstd),
            "uncompressed" => Ok(Self::Nothing),
            _ => Err(Error::new(ErrorKind::Syntax, format!("compression {text}: not one of gzip, zstd, uncompressed"))),
        }
    }
}

impl Compression {
    /// What OCI adds to the media type of a layer.
    pub(crate) fn suffix(self) -> &'static str {
        match self {
            Self::Gzip => "+gzip",
            Self::Zstd => "+zstd",
            Self::Nothing => "",
        }
    }

    /// Compresses what `produce` writes into `out`.
    ///
    /// # Errors
    /// Those of `produce`, into which errors of `out` come as well.
    pub(crate) fn run<T>(self, out: &mut dyn Write, produce: impl FnOnce(&mut dyn Write) -> Result<T>) -> Result<T> {
        match self {
            Self::Gzip => {
                let mut gzip = Gzip::new(out, GZIP_LEVEL).map_err(compressing)?;
                let value = produce(&mut gzip)?;
                gzip.finish().map_err(compressing).map(|_| value)
            }
            Self::Zstd => {
                let mut encoder = zstd(out).map_err(compressing)?;
                let value = produce(&mut encoder)?;
                encoder.finish().map_err(compressing).map(|_| value)
            }
            Self::Nothing => produce(out),
        }
    }
}

fn compressing(error: io::Error) -> Error {
    Error::new(ErrorKind::Store, format!("compressing: {error}")).caused_by(error)
}
