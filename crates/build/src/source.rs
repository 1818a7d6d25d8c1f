//! Where contexts come from.
