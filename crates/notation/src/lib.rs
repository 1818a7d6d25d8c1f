//! From words to values: what people write on command lines, in configurations and in Dockerfiles.
//!
//! Pure, exact and bounded: an amount is what is written or none at all, and no text makes these functions panic. They know
//! nothing of what the values are for; whoever calls them words the error.

/// Numbers with a fraction, and sizes in docker's units.
pub mod amount;
/// Durations, as Go writes them.
pub mod duration;
/// Lists in a line of CSV.
pub mod fields;
/// Which name may have been meant.
mod similar;
/// What is true or false.
mod truth;

pub use similar::similar;
pub use truth::truth;
