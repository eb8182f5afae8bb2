"""Broken lines, and whether the tests notice: ``python -m tests.mutants`` (:mod:`tests.mutants.__main__`)."""
