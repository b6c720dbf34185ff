"""The journal proves itself."""
