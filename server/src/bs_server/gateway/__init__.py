"""Where sites come in: the HTTPS server, its guards, and Flower behind them."""
