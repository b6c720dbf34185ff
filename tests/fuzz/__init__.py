"""Fifty thousand inputs that nobody would send on purpose: whatever comes in, only expected errors come out."""
