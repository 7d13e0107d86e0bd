"""Prove that requirements.lock installs from wheels alone on each platform and Python that the course supports."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from itertools import product

PLATFORMS = (
    "x86_64-manylinux_2_28",
    "aarch64-manylinux_2_28",
    "x86_64-apple-darwin",
    "aarch64-apple-darwin",
    "x86_64-pc-windows-msvc",
)
PYTHONS = ("3.11", "3.12", "3.13", "3.14")


def main() -> int:
    """Resolve the lock, dry, for each of them. Exit code: how many fail."""
    failed = 0
    for platform, python in product(PLATFORMS, PYTHONS):
        with tempfile.TemporaryDirectory() as empty:
            install = ["install", "--no-config", "--dry-run", "--target", empty, "--require-hashes"]
            wheels = ["--only-binary", ":all:", "--python-platform", platform, "--python-version", python]
            command = [sys.executable, "-m", "uv", "pip", *install, *wheels, "-r", "requirements.lock"]
            run = subprocess.run(command, capture_output=True, text=True, check=False)
        ok = run.returncode == 0
        failed += not ok
        print(f"{platform:28} Python {python}: {'installs' if ok else 'FAILS'}", flush=True)
        if not ok:
            print(run.stderr.strip()[-1500:])
    return failed


if __name__ == "__main__":
    sys.exit(main())
