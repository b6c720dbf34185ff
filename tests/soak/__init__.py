"""The soak: a month of edits, faults and reloads in minutes; what the daemon holds must not grow."""
