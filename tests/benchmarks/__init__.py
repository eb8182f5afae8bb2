"""Benchmarks: rapyer and its yardstick in turns on one server. Not part of the test run."""
