//! Links, addresses and routes, by `rtnetlink(7)`.
