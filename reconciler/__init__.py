"""Keeps MISA AMIS CRM tasks and MISA AMIS Work items equal, in both directions."""

__version__ = "0.1.0"
