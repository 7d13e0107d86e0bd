"""The command `workshop`. What it needs is loaded here, so that Ctrl-C ends it quietly at any moment."""

from __future__ import annotations

import sys


def main() -> int:
    """Run the command; returns its exit status."""
    # jsonschema would build the grammars of international web addresses: two seconds' work that no notebook needs.
    sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]
    try:
        from examiner.cli.command import main as command

        return command()
    except KeyboardInterrupt:
        print("\nworkshop: stopped. Run it again to go on from here.", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
