"""The process dies at every moment of every scenario, once, twice, and for real; each time nothing may be lost."""
