//! Stands in for the crate `regex` wherever a dependency asks for it (`[patch]` in the workspace).
//!
//! `oci-spec` checks one field of a configuration with a regular expression of ten characters. The engine behind the
//! real crate brings 600 KB of program for that, and tables of Unicode of which the loader dirties 190 KB in every
//! process: more than all the rest of a container's supervisor. `regex-lite`, by the same authors, has the same
//! interface without either.

pub use regex_lite::{Captures, Error, Match, Regex, RegexBuilder};
