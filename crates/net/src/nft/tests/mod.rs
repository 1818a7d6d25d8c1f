//! The model against the kernel and against `nft(8)`, and against bytes that nobody meant.

mod hostile;
mod words;
