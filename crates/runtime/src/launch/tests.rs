//! Processes in real namespaces, on a directory as root.
