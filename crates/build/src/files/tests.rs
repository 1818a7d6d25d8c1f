//! Copies, from what is asked for to what is there.
