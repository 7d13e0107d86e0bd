"""Makes .venv, the course's own environment, and keeps it fit: `environment.py GROUP ...`, as the Makefile calls it.

What a group needs is in pyproject.toml and locked in requirements.lock; only the packages of the groups asked for are
installed. An environment belongs to its folder and its Python: where either has changed it is made anew. Needs nothing
but Python's own library, and starts on old Pythons too, to say that they are too old.
"""

import argparse
import contextlib
import errno
import glob
import hashlib
import json
import os
import re
import runpy
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import time
import zipfile

OLDEST, TOO_NEW = (3, 11), (3, 15)
ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
STATE = "made-for.json"  # in the environment: for which course and Python it was made, and what is in it
NEEDS = {"grade": 450, "test": 1500}  # MB that must be free before installing begins
PURPOSE = {  # of each group, in the words of whoever asks what all this is for
    "grade": "grading",
    "lab": "JupyterLab, with formgrader",
    "lite": "the static site",
    "slides": "building the slides",
    "cluster": "grading on a cluster",
    "hub": "the test on a JupyterHub",
    "tools": "checks of the code",
    "test": "the tests",
}
ALWAYS = ("build",)  # the workshop itself is installed with these
WITHOUT = (
    *("jupyterlab", "notebook"),  # nbgrader asks for them because of its pages in JupyterLab: the group `lab`
    # jsonschema checks internationalised links by it, of which there are none here. It makes its grammar anew in every
    # program that reads a notebook: two seconds at each start.
    "rfc3987-syntax",
)
LOG = "installation.log"
SMALL = "editables"  # of what is needed the smallest: fetched first, to see whether the index answers
PATIENCE = 30  # seconds that it may take


class Trouble(Exception):
    """Set-up can't go on. The message says why and what to do."""


# --- What is needed ---


def canonical(name):
    """A package's name as the index spells it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def roots(pyproject, groups):
    """The packages that the project itself and these groups (or extras) ask for by name."""
    named = dict(pyproject.get("dependency-groups", {}), **pyproject["project"].get("optional-dependencies", {}))
    lines = list(pyproject["project"]["dependencies"])
    for group in groups:
        lines += named.get(group, [])
    return {canonical(re.match(r"[A-Za-z0-9._-]+", line)[0]) for line in lines}


def part_of_lock(names):
    """The part of requirements.lock for packages and all that they need, hashes and all."""
    shared = runpy.run_path(os.path.join(ROOT, "src", "examiner", "course", "lock.py"))
    with open(os.path.join(ROOT, "requirements.lock"), encoding="utf-8") as file:
        return shared["part_of_lock"](file.read(), names, WITHOUT)


# --- What is there ---


def read_state(venv):
    """What the environment says of itself; nothing where there is none, or none of ours."""
    try:
        with open(os.path.join(venv, STATE), encoding="utf-8") as file:
            return json.load(file)
    except (OSError, ValueError):
        return {}


def write_state(venv, state):
    """Note what is in the environment, once it is in it."""
    part = os.path.join(venv, STATE + ".part")
    with open(part, "w", encoding="utf-8") as file:
        json.dump(state, file, indent=1)
    os.replace(part, os.path.join(venv, STATE))


def version_of(python):
    """Major and minor version of an interpreter, as "3.12"; empty where it does not run."""
    code = "import sys; print('%d.%d' % sys.version_info[:2])"
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        done = subprocess.run([python, "-c", code], capture_output=True, text=True, timeout=60)
        return done.stdout.strip() if done.returncode == 0 else ""
    return ""


def why_anew(venv, root, wanted):
    """Why an environment must be made anew, in words; empty where it is fit for this folder and this Python.

    `wanted` is the version that the user asked for; empty where any will do.
    """
    state = read_state(venv)
    if state.get("course") != os.path.realpath(root):
        return "it was made for the folder %s" % state.get("course")
    if "python" not in state:
        return "making it was stopped half-way"
    found = version_of(python_in(venv))
    if found != state.get("python"):
        return "it has no Python %s that runs" % state.get("python")
    if wanted and found != wanted:
        return "it has Python %s, and Python %s is asked for" % (found, wanted)
    return ""


def python_in(venv):
    """The environment's interpreter."""
    return os.path.join(venv, "bin", "python")


def megabytes(folder):
    """What a folder takes on the disk; a file with several names counts once."""
    seen, total = set(), 0
    for where, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError):
                about = os.lstat(os.path.join(where, name))
                if (about.st_dev, about.st_ino) not in seen:
                    seen.add((about.st_dev, about.st_ino))
                    total += about.st_blocks * 512
    return total / 1e6


# --- Making it ---


def main(arguments=None):
    """Make the environment fit for the groups; 0 where it is, 1 with the reason where it can't be."""
    options = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    options.add_argument("groups", nargs="+", metavar="GROUP")
    options.add_argument("--chosen", action="store_true", help="this very Python is wanted, not just any that will do")
    options.add_argument("--course", default=ROOT, help=argparse.SUPPRESS)
    options = options.parse_args(arguments)
    if not OLDEST <= sys.version_info[:2] < TOO_NEW:
        return another_python(options.chosen)
    wanted = "%d.%d" % sys.version_info[:2] if options.chosen else ""
    try:
        with alone(options.course):
            ensure(options.course, options.groups, wanted)
    except (Trouble, OSError) as error:
        why = str(error) if isinstance(error, Trouble) else about_disk(error, options.course)
        print("Set-up stopped: %s" % why, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nSet-up stopped. Run the same command again to go on.", file=sys.stderr)
        return 130
    return 0


def another_python(chosen):
    """Go on with a newer Python of this machine, or say that one is needed."""
    here = "%d.%d" % sys.version_info[:2]
    names = [] if chosen else ["python3.%d" % minor for minor in range(TOO_NEW[1] - 1, OLDEST[1] - 1, -1)]
    for name in names:
        path = shutil.which(name)
        if path and version_of(path) == name[len("python") :]:
            os.execv(path, [path, *sys.argv])
    fit = "Python 3.11 to 3.14 is needed; this is Python %s (%s)." % (here, sys.executable)
    print("%s Install one, or name one: make PYTHON=python3.12 grade" % fit, file=sys.stderr)
    return 1


@contextlib.contextmanager
def alone(root):
    """Wait for another set-up of this folder: each would take what the other is making for left half-way."""
    import fcntl

    folder = os.open(root, os.O_RDONLY)  # the folder itself is locked, so that nothing of it stays
    try:
        try:
            fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("Another set-up of this folder is running; this one goes on after it.", flush=True)
            fcntl.flock(folder, fcntl.LOCK_EX)
        except OSError:
            pass  # a disk that knows no locks
        yield
    finally:
        os.close(folder)


def ensure(root, groups, wanted=""):
    """Make the environment in `root`/.venv fit for `groups`, telling of each step that takes a while."""
    venv = os.path.join(root, ".venv")
    with open(os.path.join(root, "requirements.lock"), encoding="utf-8") as file:
        lock = file.read()
    with open(os.path.join(root, "pyproject.toml"), encoding="utf-8") as file:
        declared = file.read()
    stamp = hashlib.sha256((lock + declared).encode()).hexdigest()
    browser = {"test", "slides"} & set(groups)
    if browser:
        import chromium

        chromium.check(venv)
    make_venv(venv, root, wanted)
    state = read_state(venv)
    there = state["groups"] if state.get("stamp") == stamp else []
    missing = [group for group in groups if group not in there]
    if missing:
        install(venv, root, sorted({*there, *groups}), missing)
        write_state(venv, dict(state, stamp=stamp, groups=sorted({*there, *groups})))
    if browser:
        chromium.provide(venv)


def make_venv(venv, root, wanted):
    """Make an empty environment where there is none that fits; one that is not ours is left alone."""
    if os.path.lexists(venv):
        check_whose(venv)
        if not untouched(venv):
            reason = why_anew(venv, root, wanted)
            if not reason:
                return
            if os.path.islink(venv):
                raise Trouble("%s is a link, and what it leads to is unfit: %s. Remove the link." % (venv, reason))
            check_folder(root)
            print("The environment .venv is made anew: %s." % reason, flush=True)
            shutil.rmtree(venv)
    check_folder(venv if os.path.isdir(venv) else root)
    version = "%d.%d" % sys.version_info[:2]
    print("Making the environment .venv for Python %s" % version, flush=True)
    os.makedirs(venv, exist_ok=True)
    state = {"course": os.path.realpath(root), "groups": []}
    write_state(venv, state)  # before all else, so that what a stopped run leaves is known as ours
    wheel = pip_wheel()
    failed = run([sys.executable, "-m", "venv", *(["--without-pip"] if wheel else []), venv], venv)
    if failed:
        raise Trouble(why_no_venv(failed, venv))
    if wheel:  # a wheel is a zip of what belongs here; to let it install itself takes six seconds
        with zipfile.ZipFile(wheel) as pip:
            pip.extractall(os.path.join(venv, "lib", "python" + version, "site-packages"))
    write_state(venv, dict(state, python=version))


def pip_wheel():
    """The newest wheel of pip that this Python brings along; None where it has it in a place of its own."""
    import ensurepip

    places = sysconfig.get_config_var("WHEEL_PKG_DIR"), os.path.join(os.path.dirname(ensurepip.__file__), "_bundled")
    found = [path for place in places if place for path in glob.glob(os.path.join(glob.escape(place), "pip-*.whl"))]
    return max(found, key=os.path.getmtime, default=None)


def check_whose(venv):
    """Raise Trouble where what is in the environment's place is neither ours nor empty."""
    what = "holds what these commands did not make"
    if not os.path.exists(venv):
        what = "is a link that leads nowhere (to %s)" % os.readlink(venv)
    elif not os.path.isdir(venv):
        what = "is a file, where the environment belongs"
    elif untouched(venv) and os.path.islink(venv):
        what = "is a link to a folder that has no environment in it (%s)" % os.path.realpath(venv)
    elif untouched(venv) or read_state(venv) or os.path.exists(os.path.join(venv, "installed")):  # the last until 2026
        return
    raise Trouble("%s %s. Move it away, and run again." % (venv, what))


def untouched(venv):
    """Whether a folder is empty, but for what a run leaves that is stopped as it begins."""
    return set(os.listdir(venv)) <= {STATE + ".part"}


def check_folder(folder):
    """Raise Trouble where no environment can be made in the folder, or by this Python."""
    if os.pathsep in folder:
        raise Trouble("the folder %s has a %r in its name, which no PATH can hold. Rename it." % (folder, os.pathsep))
    with tempfile.TemporaryFile(dir=folder):
        pass
    if os.statvfs(folder).f_flag & os.ST_NOEXEC:
        raise Trouble(
            "the disk of %s is mounted with noexec: nothing runs from it. Put the course on another." % folder
        )
    try:
        importable = __import__("ensurepip") and __import__("venv")
    except ImportError:
        importable = None
    if not importable:
        raise Trouble(no_venv())


def no_venv():
    """What to do for a Python that can't make environments."""
    return (
        "this Python (%s) can't make environments. On Debian and Ubuntu: apt-get install python3-venv" % sys.executable
    )


def why_no_venv(said, venv):
    """Why `python -m venv` failed, from what it said."""
    if FULL.search(said):
        return "%s Free some space, and run again." % fullest(venv)
    if "ensurepip is not available" in said or "No module named" in said:
        return no_venv()
    return "`python -m venv` failed:\n%s" % last_lines(said)


def install(venv, root, groups, new):
    """Install what the groups need, from the lock, and the workshop itself; tell of those that are `new`."""
    import tomllib

    with open(os.path.join(root, "pyproject.toml"), "rb") as file:
        pyproject = tomllib.load(file)
    part = part_of_lock(roots(pyproject, {*ALWAYS, *groups}))
    count = len(set(re.findall(r"^([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==", part, re.M)))
    needed = max(NEEDS.get(group, 0) for group in (*groups, "grade"))
    free, before = shutil.disk_usage(venv).free / 1e6, megabytes(venv)
    if free + before < needed:
        raise Trouble("the disk of %s has %d MB free, and %d MB are needed." % (venv, free, needed))
    began = time.monotonic()
    print("Installing %d packages into .venv:" % count, flush=True)
    for group in new:
        more = sorted(roots(pyproject, [group]) - (set() if group == "grade" else roots(pyproject, [])))
        print("  for %s: %s" % (PURPOSE.get(group, group), ", ".join(more)), flush=True)
    wanted = os.path.join(venv, "wanted.txt")
    with open(wanted, "w", encoding="utf-8") as file:
        file.write(part)
    ask_index(venv)
    uv, environment = find_uv(venv)
    by_uv = [uv, "pip", "install", "-q", "--no-config", "--python", python_in(venv)]
    hashed = ["--no-deps", "--require-hashes", "-r", wanted]  # the lock names every need
    itself = ["--no-deps", "--no-build-isolation", "--no-index", "-e", root]
    # pip follows every setting that a machine may have for its index; uv is ten times as fast where it gets through.
    failed = run(by_uv + hashed, venv, environment) or run(by_uv + itself, venv, environment) if uv else "no uv"
    if failed:
        if uv:
            ask_index(venv)
            print("  uv could not; pip goes on, which takes a minute or two", flush=True)
        failed = run(pip_in(venv) + hashed, venv) or run(pip_in(venv) + itself, venv)
    if failed:
        raise Trouble(why_not_installed(failed, venv))
    for left in ("uv", "uv-cache"):
        shutil.rmtree(os.path.join(venv, left), ignore_errors=True)
    quiet_news(venv)
    size = megabytes(venv)
    print("  done in %.0f s: %.0f MB, .venv has %.0f MB" % (time.monotonic() - began, size - before, size), flush=True)


def pip_in(venv):
    """The beginning of a command that installs by the environment's pip."""
    return [python_in(venv), "-m", "pip", "install", "-q", "--disable-pip-version-check"]


def ask_index(venv):
    """Fetch one small package with little patience. Raise Trouble where that fails, and pip would try for minutes."""
    wanted = os.path.join(venv, "wanted-first.txt")
    with open(wanted, "w", encoding="utf-8") as file:
        file.write(part_of_lock({SMALL}))
    hurried = ["--retries=1", "--timeout=5", "--no-deps", "--ignore-installed", "--require-hashes", "-r", wanted]
    failed = run(pip_in(venv) + hurried, venv, patience=PATIENCE)
    if failed:
        raise Trouble(why_not_installed(failed, venv))


def find_uv(venv):
    """The machine's uv, else one from the lock that is there while it is used; and the variables to call it with."""
    environment = {"UV_NATIVE_TLS": "1", "UV_NO_PROGRESS": "1"}
    settings = pip_settings(venv)
    if settings.get("index-url"):
        environment["UV_DEFAULT_INDEX"] = settings["index-url"]
    if settings.get("cert") and "SSL_CERT_FILE" not in os.environ:
        environment["SSL_CERT_FILE"] = settings["cert"]
    found = shutil.which("uv")
    if found:
        return found, environment
    folder = os.path.join(venv, "uv")
    wanted = os.path.join(venv, "wanted-uv.txt")
    with open(wanted, "w", encoding="utf-8") as file:
        file.write(part_of_lock({"uv"}))
    failed = run([*pip_in(venv), "--no-compile", "--target", folder, "--require-hashes", "-r", wanted], venv)
    if UNREACHED.search(failed):
        raise Trouble(why_not_installed(failed, venv))
    if failed:
        return None, {}
    environment["UV_CACHE_DIR"] = os.path.join(venv, "uv-cache")  # on the same disk, so that files are linked
    return os.path.join(folder, "bin", "uv"), environment


def pip_settings(venv):
    """Where pip is told to look for packages: its settings by their names."""
    done = subprocess.run(
        [python_in(venv), "-m", "pip", "config", "list"], capture_output=True, text=True, stdin=subprocess.DEVNULL
    )
    found = re.findall(r"^(?:global|user|site|install|:env:)\.([a-z-]+)='(.*)'$", done.stdout, re.M)
    return {name.replace("_", "-"): value for name, value in found}


def quiet_news(venv):
    """JupyterLab asks on its first start whether it may fetch news: a projector is no place for that."""
    folder = os.path.join(venv, "etc", "jupyter", "labconfig")
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, "page_config.json"), "w", encoding="utf-8") as file:
        json.dump({"disabledExtensions": {"@jupyterlab/apputils-extension:announcements": True}}, file)


# --- Words for what goes wrong ---


def run(command, venv, environment=None, patience=None):
    """Run a command, for `patience` seconds at most, and keep what it says in the log.

    Returns what it said where it failed, else an empty text.
    """
    try:
        done = subprocess.run(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            env=dict(os.environ, **(environment or {})),
            timeout=patience,
        )
        said, failed = done.stdout, done.returncode != 0
    except subprocess.TimeoutExpired as error:
        said, failed = (error.stdout or b"") + b"\nERROR: timed out after %d seconds" % patience, True
    said = said.decode(errors="replace")
    with open(os.path.join(venv, LOG), "a", encoding="utf-8") as log:
        log.write("$ %s\n%s\n" % (" ".join(command), said))
    return (said or "it said nothing") if failed else ""


UNREACHED = re.compile(
    "connection broken|Max retries|Name or service not known|name resolution|Failed to establish|"
    "[Cc]onnect(ion)? (error|refused|timed out)|timed out|error sending request|Failed to fetch|dns error|"
    "CERTIFICATE_VERIFY_FAILED|Network is unreachable|ProxyError|SSLError"
)
LACKING = re.compile("Could not find a version|No matching distribution")
FULL = re.compile("No space left on device|Disk quota exceeded")


def why_not_installed(said, venv):
    """Why packages could not be installed, and what to do, from what pip said."""
    log = os.path.join(venv, LOG)
    if FULL.search(said):
        return "%s What is installed stays; free some space, and run again to go on." % fullest(venv)
    told = "pip said (all of it is in %s):\n%s" % (log, last_lines(said))
    if UNREACHED.search(said):
        return (
            "the package index could not be reached. Is the network there? Is a proxy needed (HTTPS_PROXY), or an "
            "index of your own (pip config)? What is installed stays: run the same command again to go on.\n" + told
        )
    if LACKING.search(said):
        return (
            "the package index lacks what is needed. Does a mirror lag behind, or is another index meant (pip config)? "
            "Run the same command again to go on.\n" + told
        )
    return "installing failed. Run the same command again to go on.\n" + told


def last_lines(text, most=6):
    """The last lines of what a program said; of pip's only its warnings and errors, each once."""
    lines = text.strip().split("\n")
    lines = [line for line in lines if line.startswith(("ERROR", "WARNING"))] or lines
    return "\n".join("    " + line[:400] for line in list(dict.fromkeys(lines))[-most:])


def fullest(*folders):
    """Of the disks that set-up writes to, the one that is full."""
    scratch = os.environ.get("TMPDIR", "/tmp")  # Python looks for another where this one is full
    places = [*folders, scratch if os.path.isdir(scratch) else "/tmp"]
    least = min(places, key=lambda place: shutil.disk_usage(place).free)
    return "the disk of %s is full (%d MB free)." % (least, shutil.disk_usage(least).free / 1e6)


def about_disk(error, root):
    """An error of the disk in words, which name the course's folder or .venv, and no file of ours in them."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "%s Free some space, and run again to go on." % fullest(root)
    venv, place = os.path.join(root, ".venv"), str(error.filename or root)
    inside = not os.path.isabs(place) or (place + os.sep).startswith(venv + os.sep)  # rmtree names files alone
    folder = venv if inside and os.path.lexists(venv) else root
    if error.errno == errno.EROFS:
        return "the folder %s is on a disk that can only be read. Copy the course to one that can be written." % folder
    if error.errno in (errno.EACCES, errno.EPERM):
        return "you may not write to %s (ls -ld shows whose it is). Copy the course to a folder of yours." % folder
    return "%s (%s)." % (error.strerror or error, place)


if __name__ == "__main__":
    sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
    sys.exit(main())
