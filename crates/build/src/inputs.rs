//! What a step is made of, item by item: what its key is computed from, and what explains why it is done anew.
//!
//! Values that commands must not leave anywhere, as those of secrets, are never among them.

use serde::{Deserialize, Serialize};
use store::Digest;

/// Longer values are cut where they are kept: whoever reads them wants to recognise them.
const MOST_SHOWN: usize = 300;

/// One thing that a step is made of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Input {
    /// What kind of thing it is.
    #[serde(rename = "k")]
    pub(crate) kind: Kind,
    /// Which one: the name of a variable, a path.
    #[serde(rename = "n", default, skip_serializing_if = "String::is_empty")]
    pub(crate) name: String,
    /// Its value, or its sum.
    #[serde(rename = "v")]
    pub(crate) value: String,
}

/// What kind of thing a step is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) enum Kind {
    /// The format of all this.
    #[serde(rename = "version")]
    Version,
    /// What is done.
    #[serde(rename = "op")]
    Operation,
    /// The files that it is done upon.
    #[serde(rename = "base")]
    Base,
    /// A variable.
    #[serde(rename = "env")]
    Variable,
    /// A file that is taken from the context.
    #[serde(rename = "file")]
    File,
    /// All that is taken from another stage or an image.
    #[serde(rename = "from")]
    Taken,
    /// Something from an address.
    #[serde(rename = "url")]
    Address,
    /// An image, whose digest decides nothing: its files do.
    #[serde(rename = "image")]
    Image,
}

impl Input {
    /// One of them.
    pub(crate) fn new(kind: Kind, name: impl Into<String>, value: impl Into<String>) -> Input {
        Input { kind, name: name.into(), value: value.into() }
    }
}

/// All that a step is made of.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Inputs(pub(crate) Vec<Input>);

impl Inputs {
    /// Adds one.
    pub(crate) fn add(&mut self, kind: Kind, name: impl Into<String>, value: impl Into<String>) {
        self.0.push(Input::new(kind, name, value));
    }

    /// Whether this is one of them.
    pub(crate) fn has(&self, kind: Kind, name: &str, value: &str) -> bool {
        self.0.iter().any(|input| (input.kind, input.name.as_str(), input.value.as_str()) == (kind, name, value))
    }

    /// The key: every value counts, whole, and none can be taken for two.
    pub(crate) fn key(&self) -> Digest {
        let mut bytes = Vec::new();
        for Input { kind, name, value } in &self.0 {
            bytes.push(*kind as u8);
            for text in [name, value] {
                bytes.extend((text.len() as u64).to_le_bytes());
                bytes.extend(text.as_bytes());
            }
        }
        Digest::of(&bytes)
    }

    /// As they are kept with a result. The files of a large context make a long list, which is compressed.
    pub(crate) fn kept(&self) -> Vec<u8> {
        let cut = |input: &Input| {
            let mut input = input.clone();
            if let Some((end, _)) = input.value.char_indices().nth(MOST_SHOWN) {
                let sum = Digest::of(input.value.as_bytes());
                input.value.truncate(end);
                input.value = format!("{}… ({})", input.value, sum.short());
            }
            input
        };
        let cut: Vec<Input> = self.0.iter().map(cut).collect();
        let json = serde_json::to_vec(&cut).unwrap_or_default();
        zstd::bulk::compress(&json, 1).unwrap_or_default()
    }

    /// What was kept; nothing for what is not readable.
    pub(crate) fn of_kept(kept: &[u8]) -> Inputs {
        /// More than any context has.
        const MOST: usize = 256 << 20;
        let mut json = Vec::new();
        let read = zstd::Decoder::new(kept)
            .and_then(|decoder| std::io::Read::read_to_end(&mut std::io::Read::take(decoder, MOST as u64), &mut json));
        Inputs(read.ok().and_then(|_| serde_json::from_slice(&json).ok()).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_of_every_input_counts() {
        let key = |list: &[(Kind, &str, &str)]| {
            let mut inputs = Inputs::default();
            for (kind, name, value) in list {
                inputs.add(*kind, *name, *value);
            }
            inputs.key()
        };
        let all = [
            key(&[]),
            key(&[(Kind::Variable, "a", "b")]),
            key(&[(Kind::File, "a", "b")]),
            key(&[(Kind::Variable, "", "ab")]),
            key(&[(Kind::Variable, "ab", "")]),
            key(&[(Kind::Variable, "a", "b"), (Kind::Variable, "a", "b")]),
        ];
        for (number, one) in all.iter().enumerate() {
            assert!(!all[..number].contains(one), "{number}");
        }
        assert_eq!(all[1], key(&[(Kind::Variable, "a", "b")]));
    }

    #[test]
    fn what_is_kept_is_read() {
        let mut inputs = Inputs::default();
        inputs.add(Kind::File, "main.c", "0011");
        inputs.add(Kind::Operation, "", "ä".repeat(MOST_SHOWN + 1));
        let kept = Inputs::of_kept(&inputs.kept());
        assert_eq!(kept.0[0], inputs.0[0]);
        assert!(kept.0[1].value.chars().count() < MOST_SHOWN + 30);
        assert_eq!(Inputs::of_kept(b"nonsense"), Inputs::default());
    }
}
