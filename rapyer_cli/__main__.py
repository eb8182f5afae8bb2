"""The console script ``rapyer``."""

from __future__ import annotations

import sys


def main() -> int:
    """Run the command line of this process; returns its exit code."""
    words = sys.argv[1:]
    if words in (["--version"], ["-V"]):
        from rapyer_cli.version import version

        sys.stdout.write(f"rapyer {version()}\n")
        return 0
    from rapyer_cli.environment import Environment
    from rapyer_cli.oneshot import run_words

    return run_words(words, Environment.of_process())


if __name__ == "__main__":
    sys.exit(main())
