"""nbgrader's own tests of `nbgrader autograde`, and of its API's grading, collecting and feedback, from the installed
package, with the examiner's settings.

`python tests/peers.py` (`make test-peers`). Those in `OTHERWISE` can't pass, each for its reason.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

SETTINGS = """
c.Autograde.exporter_class = "examiner.course.plugin.LenientExporter"
c.Autograde.sanitize_preprocessors = ["examiner.course.plugin.Restore"]
c.Autograde.autograde_preprocessors = ["examiner.course.plugin.Grade", "nbgrader.preprocessors.AssignLatePenalties"]
"""
SUITES = ["nbgrader.tests.apps.test_nbgrader_autograde", "nbgrader.tests.apps.test_api"]
CHOSEN = "autograde or feedback or collect"  # what of them has to do with grading: all of the first
OTHERWISE = {  # by test, why it can't pass
    "test_side_effects": "what a notebook writes stays in its scratch folder, where tests can read it",
    "test_no_execute": "marks are not read from outputs that a student has saved: those are the student's own words",
    "test_autograde_timeout": "a limit counts what student code works, and its sleep less: a busy machine fails nobody",
}


def main() -> int:
    """Run them, and list those that fail; 1 where one fails without a reason."""
    with tempfile.TemporaryDirectory(prefix="peers-") as folder:
        Path(folder, "nbgrader_config.py").write_text("c = get_config()\n" + SETTINGS)
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        environment = {**os.environ, "JUPYTER_CONFIG_PATH": folder, "PATH": path}
        options = ["-q", "-n", "auto", "-rf", "-p", "no:cacheprovider", "-c", os.devnull, *sys.argv[1:]]
        command = [sys.executable, "-m", "pytest", "--pyargs", *SUITES, "-k", CHOSEN, *options]
        ran = subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True)
    failed = re.findall(r"^FAILED .*::(\w+)", ran.stdout, re.MULTILINE)
    for name in failed:
        print(f"{name}: {OTHERWISE.get(name, 'FAILED')}")
    print(ran.stdout.strip().split("\n")[-1])
    if unexplained := set(failed) - set(OTHERWISE):
        print(ran.stdout[-20000:])
    return int(bool(unexplained))


if __name__ == "__main__":
    sys.exit(main())
