//! How much of something may be used.

/// How much of something may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Limit {
    /// As much as there is.
    None,
    /// So much and no more.
    Of(u64),
}

impl Limit {
    /// A number, or `none`, the word that stands for no limit where this one comes from.
    pub(crate) fn parse(word: &str, none: &str) -> Option<Limit> {
        if word == none { Some(Limit::None) } else { word.parse().ok().map(Limit::Of) }
    }
}
