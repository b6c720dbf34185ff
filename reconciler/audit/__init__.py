"""How the journal proves itself to somebody who trusts nobody here: checkpoints, bundles, and what a check proves."""
