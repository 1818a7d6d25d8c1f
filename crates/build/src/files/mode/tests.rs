//! Modes, held against `chmod(1)`.
