"""Generated worlds in which a dry run must foretell, to the letter, what the cycle of the same moment does."""
