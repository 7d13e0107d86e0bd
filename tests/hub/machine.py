"""A machine with users, a course and a JupyterHub, set up as docs/hub.md says, beside this one and without a trace.

It shares this machine's processes, network and programs; its /etc, /home and /srv are its own (a mount namespace), and
of the folders in which Python and this repository lie it shows only what runs.
"""

from __future__ import annotations

import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import sample_class

ROOT = Path(__file__).parents[2]
BIN = Path(sys.prefix) / "bin"
PROXY = ROOT / "build" / "hub"  # where `make test-hub` has npm put it
COURSE, EXCHANGE = Path("/srv/comp90051"), Path("/srv/nbgrader/exchange")
PATH = f"{BIN}:{PROXY}/node_modules/.bin:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"
PASSWORD = "of-all-users"
FOR_THE_TEST = """
c.JupyterHub.bind_url = "http://127.0.0.1:{ports[0]}/jupyter/"
c.JupyterHub.hub_port = {ports[1]}
c.ConfigurableHTTPProxy.api_url = "http://127.0.0.1:{ports[2]}"
c.JupyterHub.authenticator_class = "dummy"
c.DummyAuthenticator.password = "{password}"
c.Authenticator.allow_all = True
c.Spawner.environment = {{"PATH": "{path}"}}
"""


def written_in_the_page() -> dict[str, str]:
    """The blocks of docs/hub.md by their first line, which says for whom or for which file they are."""
    page = (ROOT / "docs" / "hub.md").read_text(encoding="utf-8")
    return dict(re.findall(r"^```\w+\n# (.*?)\n(.*?)^```$", page, re.M | re.S))


class Machine:
    """Commands run on it as one of its users, or as root."""

    def __init__(self, pid: int) -> None:
        self.enter = ["nsenter", f"--mount=/proc/{pid}/ns/mnt", "--wdns=/", "env", "-i", f"PATH={PATH}", "LANG=C.UTF-8"]

    def root(self, script: str, **options: str) -> str:
        """Run a shell script as root, and return what it says."""
        return self._run([*self.enter, "HOME=/root", "sh", "-ec", script], **options)

    def user(self, name: str, script: str, **options: str) -> str:
        """Run a shell script in a user's home, as what they type into a terminal."""
        return self._run(self.terminal(name, script), **options)

    def without_user_namespaces(self, name: str, script: str) -> str:
        """Run a user's script where the kernel makes no user namespaces, as in most containers: below another root."""
        container = ["unshare", "--mount", "sh", "-c", 'mount --rbind / /mnt && exec chroot /mnt "$@"', "-"]
        return self._run(self.terminal(name, script, container))

    def terminal(self, name: str, script: str, within: Sequence[str] = ()) -> list[str]:
        """The command that runs a shell script as a user."""
        become = ["setpriv", f"--reuid={name}", f"--regid={name}", "--init-groups", "--inh-caps=-all", "--no-new-privs"]
        shell = ["sh", "-c", f"cd && umask 007 && {script}"]
        return [*self.enter, f"HOME=/home/{name}", f"USER={name}", *within, *become, *shell]

    def may(self, name: str, script: str) -> bool:
        """Whether a user's script succeeds."""
        return subprocess.run(self.terminal(name, script), capture_output=True).returncode == 0

    def _run(self, command: list[str], text: str | None = None) -> str:
        done = subprocess.run(command, input=text, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        assert done.returncode == 0, f"{command[-1]}\n{done.stdout}"
        return done.stdout


@contextmanager
def machine(scratch: Path, tutors: list[str], students: list[str]) -> Iterator[Machine]:
    """A machine with these users, the course of this repository, and docs/hub.md's files in their places."""
    command = ["unshare", "--mount", "sh", "-c", "echo && exec sleep infinity"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()  # it has its namespace
        try:
            made = Machine(holder.pid)
            shutil.copytree("/etc", scratch / "etc", symlinks=True)
            made.root(f"mount --bind {scratch}/etc /etc")
            cover(made)
            _set_up(made, tutors, students)
            yield made
        finally:
            holder.kill()


def cover(made: Machine) -> None:
    """Lay empty folders over homes, over /srv, and over what users may not enter, with Python left in its place."""
    kept = {Path(sys.base_prefix), Path(sys.prefix), PROXY}
    hiding = {Path("/home"), Path("/srv"), Path("/tmp"), ROOT}
    hiding |= {folder for path in kept for folder in path.parents if not folder.stat().st_mode & 0o001}
    for folder in sorted(hiding):
        if any(folder.is_relative_to(other) for other in hiding - {folder}):
            continue  # it is gone with that one
        inside = sorted(path for path in kept if path.is_relative_to(folder))
        made.root("mkdir -p /mnt; mount -t tmpfs -o mode=755 workshop /mnt")
        for number, path in enumerate(inside):
            made.root(f"mkdir /mnt/{number}; mount --bind {path} /mnt/{number}")
        mode = 1777 if folder == Path("/tmp") else 755
        made.root(f"mount -t tmpfs -o mode={mode} workshop {folder}")
        for number, path in enumerate(inside):
            made.root(f"mkdir -p {path}; mount --bind /mnt/{number} {path}")
        made.root("umount -R /mnt")


def _set_up(made: Machine, tutors: list[str], students: list[str]) -> None:
    page = written_in_the_page()
    made.root(page.pop("as root, once"))
    for name in [*tutors, *students]:
        made.root(f"useradd --create-home --shell /bin/bash {name} && chmod 700 /home/{name}")
    for name in tutors:
        made.root(f"usermod --append --groups tutors {name}")
    for file, content in page.items():
        made.root(f"mkdir -p {Path(file).parent} && cat > {file}", text=content)
    # What was copied with /etc may be root's alone, and the grader is for tutors: no student's Python finds it.
    copy(made, ROOT / "src", ROOT / "src")
    made.root(f"chgrp -R tutors {ROOT}/src && chmod 750 {ROOT}/src && chmod 755 /etc/jupyter")
    for name in sample_class.OF_THE_COURSE:
        copy(made, ROOT / name, COURSE / name)
    made.root(f"chgrp -R tutors {COURSE} && chmod -R g+rwX {COURSE} && find {COURSE} -type d -exec chmod g+s {{}} +")


def copy(made: Machine, source: Path, target: Path) -> None:
    """Copy from this machine onto that one, where the source may be covered."""
    made.root(f"mkdir -p {target.parent}")
    pack = subprocess.Popen(
        ["tar", "-C", source.parent, "--exclude=__pycache__", "-c", source.name], stdout=subprocess.PIPE
    )
    subprocess.run([*made.enter, "tar", "-C", target.parent, "-x", "--no-same-owner"], stdin=pack.stdout, check=True)
    assert pack.wait() == 0


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


@contextmanager
def jupyterhub(made: Machine, log: Path) -> Iterator[str]:
    """The hub on that machine; gives its address."""
    ports = free_ports(3)
    own = FOR_THE_TEST.format(ports=ports, password=PASSWORD, path=PATH)
    made.root("cat >> /etc/jupyterhub/jupyterhub_config.py && mkdir -p /srv/jupyterhub", text=own)
    address = f"http://127.0.0.1:{ports[0]}/jupyter"
    start = "cd /srv/jupyterhub && exec jupyterhub -f /etc/jupyterhub/jupyterhub_config.py"
    with open(log, "w") as said:
        hub = subprocess.Popen(
            [*made.enter, "HOME=/root", "sh", "-c", start], stdout=said, stderr=said, start_new_session=True
        )
        try:
            for _ in range(300):
                with suppress(OSError):
                    urllib.request.urlopen(f"{address}/hub/api", timeout=2)
                    break
                assert hub.poll() is None, log.read_text()
                time.sleep(0.2)
            yield address
        finally:
            hub.send_signal(signal.SIGTERM)  # it ends its users' servers and its proxy
            hub.wait(60)
