//! nftables as data.
