"""Restore drills: an old backup is put over the newer state in the middle of a life, and the life goes on."""
