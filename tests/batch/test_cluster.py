"""The same marks from a Dask cluster, and the same gradebook in PostgreSQL: with the real servers."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from nbgrader.api import Gradebook

from dask_cluster import Cluster
from examiner.batch import run
from examiner.batch.job import ClassError, Job
from examiner.batch.journal import Journal
from examiner.batch.run import grade_class
from examiner.cli.command import main
from examiner.course.gradebook import read_marks
from examiner.grading.assignment import Assignment, Limits
from mini_course import answered, hand_in, make_course, source_notebook

ASSIGNMENT = Assignment.from_notebook(json.dumps(source_notebook()).encode(), "mini")


def submissions(root: Path, count: int) -> list[Job]:
    jobs = []
    for i in range(count):
        notebook = answered(double="return x" if i % 3 else "return 2 * x", explain=f"Answer {i}.")
        jobs.append(Job(f"s{i:03}", "mini", hand_in(root, f"s{i:03}", notebook)))
    return jobs


def marks(found: list[tuple[Job, str, run.Result]]) -> dict[str, list[tuple[str, float | None]]]:
    assert len({job.student for job, _, _ in found}) == len(found)  # each exactly once
    return {job.student: [(mark.grade_id, mark.score) for mark in result.marks] for job, _, result in found}


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    started = Cluster(tmp_path)
    yield started
    started.close()


def test_a_cluster_gives_the_same_marks_though_a_worker_is_killed(cluster: Cluster, tmp_path: Path) -> None:
    jobs = submissions(tmp_path, 14)
    local = Journal(tmp_path / "local", b"s", Limits())
    expected = marks(list(grade_class(jobs, {"mini": ASSIGNMENT}, b"s", local)))
    victim, _ = cluster.worker(), cluster.worker()
    cluster.wait_for(2)
    journal = Journal(tmp_path / "journal", b"s", Limits())
    found = []
    with closing(grade_class(jobs, {"mini": ASSIGNMENT}, b"s", journal, scheduler=cluster.address)) as grading:
        for one in grading:
            found.append(one)
            if len(found) == 3:
                os.killpg(victim.pid, signal.SIGKILL)
    assert marks(found) == expected
    assert len(list((tmp_path / "journal").rglob("*.json"))) == len(jobs)


def test_a_worker_with_another_grader_is_refused(cluster: Cluster, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "sitecustomize.py").write_text(
        "import examiner.batch.cluster as c\nc.grader_digest = lambda: 'another grader'\n"
    )
    cluster.worker(PYTHONPATH=str(other))
    cluster.wait_for(1)
    jobs = submissions(tmp_path, 1)
    journal = Journal(tmp_path / "journal", b"s", Limits())
    with pytest.raises(ClassError, match="would not grade as this machine does"):
        list(grade_class(jobs, {"mini": ASSIGNMENT}, b"s", journal, scheduler=cluster.address))


def test_a_scheduler_without_workers_is_said(cluster: Cluster, tmp_path: Path) -> None:
    jobs = submissions(tmp_path, 1)
    journal = Journal(tmp_path / "journal", b"s", Limits())
    with pytest.raises(ClassError, match="no workers"):
        list(grade_class(jobs, {"mini": ASSIGNMENT}, b"s", journal, scheduler=cluster.address))


def postgres_program(name: str) -> str | None:
    """initdb or pg_ctl, wherever the system's package puts it."""
    places = [shutil.which(name), *sorted(str(path) for path in Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))]
    return next((place for place in places if place), None)


@pytest.fixture(scope="module")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real PostgreSQL server on a socket of its own; yields the URL of its gradebook."""
    initdb, pg_ctl = postgres_program("initdb"), postgres_program("pg_ctl")
    if not initdb or not pg_ctl:
        pytest.skip("PostgreSQL is not installed (Debian: postgresql)")
    folder = tmp_path_factory.mktemp("postgres")
    run_as: dict[str, object] = {}
    if os.geteuid() == 0:  # the server refuses to be run by root
        import pwd

        try:
            user = pwd.getpwnam("postgres")
        except KeyError:
            user = pwd.getpwnam("nobody")
        for path in (folder, *folder.parents):
            if path.owner() == pwd.getpwuid(0).pw_name and path != Path("/") and path != Path("/tmp"):
                path.chmod(0o755)
        os.chown(folder, user.pw_uid, user.pw_gid)
        run_as = {"user": user.pw_uid, "group": user.pw_gid}
    data = folder / "data"

    def run(*command: str) -> None:
        subprocess.run(command, check=True, cwd=folder, stdout=subprocess.DEVNULL, **run_as)  # type: ignore[call-overload]

    run(initdb, "-D", str(data), "-U", "tutor", "-A", "trust", "-E", "UTF8", "--no-sync")
    options = f"-c listen_addresses='' -c unix_socket_directories={folder} -c fsync=off"
    run(pg_ctl, "-D", str(data), "-w", "-l", str(folder / "log"), "-o", options, "start")
    try:
        yield f"postgresql+psycopg://tutor@/postgres?host={folder}"
    finally:
        run(pg_ctl, "-D", str(data), "-m", "immediate", "stop")


def test_the_gradebook_may_be_postgresql(postgres: str, tmp_path: Path) -> None:
    root = make_course(tmp_path)
    submissions(root, 6)
    assert main(["grade", "--course", str(root), "--db-url", postgres]) == 0
    with Gradebook(postgres, "comp90051") as book:
        book.find_grade("explain", "mini", "mini", "s001").manual_score = 1.5
        book.db.commit()
    assert main(["grade", "--course", str(root), "--db-url", postgres]) == 0
    assert main(["grade", "--course", str(root)]) == 0  # the same class in SQLite
    with Gradebook(postgres, "comp90051") as book:
        theirs = {name: marked.scores for name, marked in read_marks(book, "mini").items()}
    with Gradebook(f"sqlite:///{root}/gradebook.db", "comp90051") as book:
        ours = {name: marked.scores for name, marked in read_marks(book, "mini").items()}
    ours["s001"]["explain"] = 1.5
    assert theirs == ours


def test_a_database_that_does_not_answer_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = make_course(tmp_path)
    submissions(root, 1)
    url = "postgresql+psycopg://tutor:secret@127.0.0.1:9/grades"
    assert main(["grade", "--course", str(root), "--db-url", url]) == 1
    said = capsys.readouterr().err
    assert "can't be opened" in said and "secret" not in said
