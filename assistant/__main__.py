"""The `assistant` command: `cli` behind a guard, so that Ctrl-C during the imports ends without a trace too."""

from __future__ import annotations

import sys

from assistant.imports import uncollected


def main() -> None:
    try:
        with uncollected():
            from assistant import cli

        cli.main()
    except KeyboardInterrupt:
        sys.stderr.write("Stopped.\n")
        sys.exit(130)


if __name__ == "__main__":
    main()
