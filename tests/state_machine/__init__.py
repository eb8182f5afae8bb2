"""Random interleavings of tasks that share instances, step by step against a plain reference."""
