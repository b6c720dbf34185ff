"""The product as its users drive it: the command line against both sandbox systems over real HTTP."""
