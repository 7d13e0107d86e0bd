"""Settings of the tests: hypothesis judges no example by its time; what was left out is counted, with the reason."""

from __future__ import annotations

from collections import Counter
from typing import Any

from hypothesis import settings

settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """How many tests were not run, and why, in words."""
    skipped = terminalreporter.stats.get("skipped", [])
    reasons = Counter(str(report.longrepr[2]).removeprefix("Skipped: ") for report in skipped)
    for reason, count in reasons.most_common():
        terminalreporter.write_line(f"{count} test{'s' if count > 1 else ''} not run: {reason}")
