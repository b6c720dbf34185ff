"""Mutants of the design: each breaks one rule of the engine, and shows which test notices."""
