//! Who we are to a registry: where credentials come from, what a registry demands, and the tokens it is then given.

pub(crate) mod challenge;
pub(crate) mod credentials;
pub(crate) mod token;
