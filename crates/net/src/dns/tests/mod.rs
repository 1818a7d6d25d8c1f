//! The server at work, in network namespaces of each test: one for the host, one for the container.

mod foreign;
mod limits;
mod names;
mod outside;
mod site;
