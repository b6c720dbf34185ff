"""The daemon: as a process against both systems over sockets, and its parts in process."""
