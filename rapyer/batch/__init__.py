"""Changes, the batch that collects them, and its commit."""
