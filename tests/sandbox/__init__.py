"""The sandbox against the wire contracts, rule by rule."""
