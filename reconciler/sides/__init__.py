"""The two systems: one HTTP layer, the algorithms of complete reading, and one small adapter a side."""
