"""Torn write-ahead logs: whatever a power cut leaves of the log, the state is that of the last commit that is whole."""
