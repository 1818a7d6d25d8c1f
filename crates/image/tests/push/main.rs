//! Pushes to a registry that errs on purpose: what is resumed, what begins anew, and what nobody gets. Every test has a store
//! of its own with an image that was pulled from the same registry.

#[path = "../pull/content.rs"]
#[expect(dead_code, reason = "pulls need more of it")]
mod content;
#[path = "../pull/http.rs"]
mod http;
mod server;

mod faults;
mod hostile;
