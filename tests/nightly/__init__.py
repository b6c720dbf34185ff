"""What is too long for every change: all commands of the test programme, one after the other."""
