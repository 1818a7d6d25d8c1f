//! Pulls against registries: a small one that errs and lies on purpose, and the real `docker-registry`. Every test has
//! a store of its own in a temporary directory.

mod content;
mod http;
mod server;

mod auth;
mod faults;
mod hostile;
mod plain;
mod processes;
mod proxy;
mod real;
