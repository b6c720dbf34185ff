"""Notices: what is told when, and that it arrives at a local mail server and a local receiver."""
