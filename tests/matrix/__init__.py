"""Every fault of the wire at every call, over real sockets: what it means, and what it must not do."""
