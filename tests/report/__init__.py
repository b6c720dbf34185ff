"""Reports: the data behind them, and each format read back."""
