"""A sandbox of both AMIS systems: deterministic models behind a thin HTTP layer, for tests, the demo and trying out."""
