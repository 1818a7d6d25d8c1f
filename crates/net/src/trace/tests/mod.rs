//! Traces compared with real packets: in namespaces of each test's own, with rules that `nft` and `iptables` have made.

/// Rules that Docker makes.
mod docker;
/// Rules as others make them with nftables.
mod foreign;
/// Links, bridges, routes and settings.
mod links;
/// The host, its containers, and a machine outside.
mod stage;
