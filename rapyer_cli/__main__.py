"""The console script ``rapyer``."""

from __future__ import annotations

import gc
import sys

# Starting creates many objects and hardly any garbage: the collector has nothing to find there.
_FEW_COLLECTIONS = 100_000


def main() -> int:
    """Run the command line of this process; returns its exit code."""
    words = sys.argv[1:]
    if words in (["--version"], ["-V"]):
        from rapyer_cli.version import version

        sys.stdout.write(f"rapyer {version()}\n")
        return 0
    gc.set_threshold(_FEW_COLLECTIONS)
    from rapyer_cli.environment import Environment
    from rapyer_cli.oneshot import run_words

    try:
        return run_words(words, Environment.of_process())
    finally:
        # The last collection of the interpreter, of what ends with it anyway, would take longer than a command.
        gc.freeze()


if __name__ == "__main__":
    sys.exit(main())
