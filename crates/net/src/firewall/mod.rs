//! What the firewall has to say about networks, and putting it into the kernel.
