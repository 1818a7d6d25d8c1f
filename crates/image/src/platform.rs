//! Operating system and processor an image is for: parsing `--platform`, knowing this host, and choosing from an
//! index. Never looks at the content of an image.
//!
//! OCI image specification, "Image Index", `platform`; names are those of Go (`GOARCH`), as everywhere in this field.

use std::fmt;
use std::str::FromStr;

use serde::Deserialize;

use crate::document::{Descriptor, Index};
use crate::error::{Error, ErrorKind, Result, printable};

/// `os/architecture[/variant]`, in normal form: `linux/amd64`, `linux/arm64`, `linux/arm/v7`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Deserialize)]
pub struct Platform {
    /// `linux`, `windows`, …
    #[serde(default)]
    pub os: String,
    /// `amd64`, `arm64`, …
    #[serde(default)]
    pub architecture: String,
    /// `v7`, …; `None` where the architecture has no variants or the baseline is meant.
    #[serde(default)]
    pub variant: Option<String>,
}

impl Platform {
    /// What this program was built for, on Linux.
    pub fn host() -> Self {
        let variant = (std::env::consts::ARCH == "arm").then(|| "v7".to_owned());
        Self { os: "linux".into(), architecture: std::env::consts::ARCH.into(), variant }.normal()
    }

    /// One spelling for each platform: `x86_64` is `amd64`, `arm64/v8` is `arm64`, `arm` is `arm/v7`.
    #[must_use]
    pub fn normal(mut self) -> Self {
        self.os.make_ascii_lowercase();
        self.architecture.make_ascii_lowercase();
        let variant = self.variant.take().filter(|variant| !variant.is_empty()).map(|v| v.to_ascii_lowercase());
        let (architecture, variant) = match (self.architecture.as_str(), variant.as_deref()) {
            ("x86_64" | "x86-64" | "amd64", None | Some("v1")) => ("amd64", None),
            ("x86_64" | "x86-64" | "amd64", other) => ("amd64", other),
            ("aarch64" | "arm64", None | Some("8" | "v8")) => ("arm64", None),
            ("aarch64" | "arm64", other) => ("arm64", other),
            ("armhf", _) | ("arm", None | Some("7")) => ("arm", Some("v7")),
            ("armel", _) | ("arm", Some("6")) => ("arm", Some("v6")),
            ("arm", Some("5")) => ("arm", Some("v5")),
            ("i386" | "i686" | "x86", other) => ("386", other),
            ("powerpc64le", other) => ("ppc64le", other),
            (other, variant) => (other, variant),
        };
        Self { os: self.os, architecture: architecture.to_owned(), variant: variant.map(str::to_owned) }
    }

    /// How well an image for `offered` runs on `self`: 0 is exact, `None` is not at all.
    fn distance(&self, offered: &Self) -> Option<u32> {
        let offered = offered.clone().normal();
        if (&self.os, &self.architecture) != (&offered.os, &offered.architecture) {
            return None;
        }
        let baseline = match self.architecture.as_str() {
            "arm" => 5,
            "arm64" => 8,
            _ => 1,
        };
        let level = |variant: &Option<String>| match variant {
            None => Some(baseline),
            Some(name) => name.strip_prefix('v').and_then(|digits| digits.parse::<u32>().ok()),
        };
        if self.variant == offered.variant {
            return Some(0);
        }
        level(&self.variant)?.checked_sub(level(&offered.variant)?).filter(|distance| *distance > 0)
    }

    /// Whether an image for `offered` can run on `self`.
    pub fn runs(&self, offered: &Self) -> bool {
        self.distance(offered).is_some()
    }

    /// The entry of `index` that fits best; of equals the first, as docker does. Attestations
    /// (`unknown/unknown`) never fit.
    pub(crate) fn choose<'a>(&self, index: &'a Index) -> Result<&'a Descriptor> {
        let offers = index.manifests.iter().filter_map(|entry| match &entry.platform {
            // An index of one manifest that does not say what it is for: its config will.
            None => (index.manifests.len() == 1).then_some((u32::MAX, entry)),
            Some(offered) => self.distance(offered).map(|distance| (distance, entry)),
        });
        offers.min_by_key(|(distance, _)| *distance).map(|(_, entry)| entry).ok_or_else(|| self.nothing_in(index))
    }

    fn nothing_in(&self, index: &Index) -> Error {
        let known = index.manifests.iter().filter_map(|entry| entry.platform.clone()).map(Self::normal);
        let mut known: Vec<String> = known.filter(|p| p.os != "unknown").map(|p| printable(&p.to_string())).collect();
        known.dedup();
        known.truncate(12);
        let known = if known.is_empty() { "nothing".to_owned() } else { known.join(", ") };
        Error::new(ErrorKind::Platform, format!("no image for {self}; there is {known}"))
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}/{}", self.os, self.architecture)?;
        self.variant.as_ref().map_or(Ok(()), |variant| write!(out, "/{variant}"))
    }
}

impl FromStr for Platform {
    type Err = Error;

    /// Accepts `os/arch`, `os/arch/variant`, and `arch` alone, meaning Linux.
    fn from_str(text: &str) -> Result<Self> {
        let fits = |part: &&str| {
            !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.'))
        };
        let parts: Vec<&str> = text.split('/').collect();
        let (os, architecture, variant) = match parts.as_slice() {
            _ if !parts.iter().all(fits) => ("", "", None),
            ["linux"] => return Ok(Self::host()),
            [architecture] if is_known(architecture) => ("linux", *architecture, None),
            [os, architecture] => (*os, *architecture, None),
            [os, architecture, variant] => (*os, *architecture, Some((*variant).to_owned())),
            _ => ("", "", None),
        };
        if os.is_empty() {
            let why =
                format!("invalid platform {:?}: it is os/architecture[/variant], as linux/arm64", printable(text));
            return Err(Error::new(ErrorKind::Syntax, why));
        }
        Ok(Self { os: os.to_owned(), architecture: architecture.to_owned(), variant }.normal())
    }
}

/// Whether a word alone is the name of an architecture, in any of its spellings.
fn is_known(word: &str) -> bool {
    /// Go's names of those that Linux runs on.
    const KNOWN: [&str; 15] = [
        "386", "amd64", "arm", "arm64", "loong64", "mips", "mips64", "mips64le", "mipsle", "ppc64", "ppc64le",
        "riscv64", "s390x", "sparc64", "wasm",
    ];
    let platform = Platform { os: String::new(), architecture: word.to_owned(), variant: None }.normal();
    KNOWN.contains(&platform.architecture.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::Document;

    #[test]
    fn platforms_have_one_spelling() {
        for (text, expected) in [
            ("linux/amd64", Some("linux/amd64")),
            ("amd64", Some("linux/amd64")),
            ("x86_64", Some("linux/amd64")),
            ("linux/x86_64/v1", Some("linux/amd64")),
            ("linux/amd64/v3", Some("linux/amd64/v3")),
            ("Linux/ARM64/v8", Some("linux/arm64")),
            ("aarch64", Some("linux/arm64")),
            ("arm", Some("linux/arm/v7")),
            ("linux/arm/6", Some("linux/arm/v6")),
            ("armhf", Some("linux/arm/v7")),
            ("windows/amd64", Some("windows/amd64")),
            ("", None),
            ("linux/", None),
            ("foo", None),
            ("ppc64le", Some("linux/ppc64le")),
            ("a/b/c/d", None),
            ("linux/am d64", None),
        ] {
            assert_eq!(text.parse::<Platform>().ok().map(|p| p.to_string()).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn the_nearest_entry_is_chosen() {
        let entry = |(at, platform): (usize, &&str)| {
            let parts: Vec<&str> = platform.split('/').collect();
            let variant = parts.get(2).map_or(String::new(), |variant| format!(r#","variant":"{variant}""#));
            let (os, architecture) = (parts[0], parts[1]);
            format!(
                r#"{{"mediaType":"","digest":"sha256:{at:064}","size":1,"platform":{{"os":"{os}","architecture":"{architecture}"{variant}}}}}"#
            )
        };
        let offers = [
            "unknown/unknown",
            "linux/amd64",
            "linux/arm/v5",
            "linux/arm/v7",
            "linux/arm64/v8",
            "linux/amd64/v3",
            "linux/amd64",
        ];
        let entries: Vec<String> = offers.iter().enumerate().map(entry).collect();
        let text = format!(r#"{{"schemaVersion":2,"manifests":[{}]}}"#, entries.join(","));
        let Ok(Document::Index(index)) = Document::parse(text.as_bytes(), "") else { panic!("no index: {text}") };
        for (wanted, expected) in [
            ("linux/amd64", Some(1)),
            ("linux/amd64/v3", Some(5)),
            ("linux/amd64/v2", Some(1)),
            ("linux/arm/v7", Some(3)),
            ("linux/arm/v6", Some(2)),
            ("linux/arm64", Some(4)),
            ("linux/riscv64", None),
            ("windows/amd64", None),
        ] {
            let wanted: Platform = wanted.parse().expect("a platform");
            let chosen = wanted.choose(&index).map(|entry| entry.digest.hex().trim_start_matches('0').to_owned());
            match (chosen, expected) {
                (Ok(digits), Some(at)) => assert_eq!(digits, at.to_string(), "{wanted}"),
                (Err(error), None) => {
                    assert_eq!(error.kind(), ErrorKind::Platform);
                    assert!(error.to_string().contains("linux/arm/v5, linux/arm/v7"), "{error}");
                    assert!(!error.to_string().contains("unknown"), "{error}");
                }
                (chosen, expected) => panic!("{wanted}: {chosen:?}, not {expected:?}"),
            }
        }
    }
}
