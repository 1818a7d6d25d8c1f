//! From a JSON value to a type of the specification.

use serde::de::DeserializeOwned;
use serde_json::Value;

/// Reads a value as a type, by way of its text.
///
/// To read the types of a configuration is a fifth of this program. From values instead of text it would be there twice.
///
/// # Errors
/// The value is none of that type.
pub(crate) fn typed<T: DeserializeOwned>(value: &Value) -> serde_json::Result<T> {
    serde_json::from_slice(&serde_json::to_vec(value)?)
}
