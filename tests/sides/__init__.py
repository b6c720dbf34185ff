"""The two adapters through their ports, against the sandbox in process and over sockets, and against canned answers."""
