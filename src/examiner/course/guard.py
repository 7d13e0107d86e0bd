"""What nbgrader does with a student's files and names, made safe. nbgrader_config.py calls `guard`.

nbgrader has no setting for any of this, so its own methods are replaced in whatever process reads the course's
configuration: its commands, its API and formgrader.
"""

from __future__ import annotations

import base64
import contextvars
import hashlib
import html
import os
import re
import secrets
import sys
from collections.abc import Mapping
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import BaseLoader, Environment, FileSystemLoader
from nbconvert.exporters import HTMLExporter
from nbformat import NotebookNode
from nbgrader.converters import Autograde, GenerateFeedback
from nbgrader.converters.base import BaseConverter
from nbgrader.coursedir import CourseDirectory
from nbgrader.exchange.default import ExchangeCollect, ExchangeReleaseFeedback
from nbgrader.utils import ignore_patterns, rmtree

from examiner.course.intake import Exchange
from examiner.course.timestamps import beside, read_timestamp
from examiner.isolation.files import NotPlain, read_regular, write_atomically
from examiner.pages.feedback import TEMPLATES
from examiner.pages.markup import FILTERS, harmless


def guard() -> None:
    """Put the safe ways in the place of nbgrader's own."""
    CourseDirectory.get_existing_timestamp = _timestamp
    BaseConverter.init_assignment = _copy_beside
    if "nbgrader.server_extensions.formgrader.handlers" in sys.modules:
        _guard_formgrader()


# --- files ---
def _timestamp(course: Any, folder: str) -> datetime | None:
    """The time in a folder's timestamp.txt, which nbgrader would follow anywhere, and read without end."""
    return read_timestamp(Path(folder), Path(course.root))


_copy_all = BaseConverter.init_assignment


def _copy_beside(converter: Any, assignment: str, student: str) -> None:
    """Of what lies beside a student's notebook, copy on what is nbgrader's own, and nothing else.

    Nobody reads the rest where it would be copied to; it may be a link to the hidden tests, and end in the feedback.
    """
    if not isinstance(converter, Autograde | GenerateFeedback):  # it copies what staff wrote
        _copy_all(converter, assignment, student)
        return
    source = Path(converter._format_source(assignment, student))
    target = Path(converter._format_dest(assignment, student))
    for name, content in beside(source, Path(converter.coursedir.root)).items():
        write_atomically(target / name, content)


class Collect(ExchangeCollect):
    """`nbgrader collect` and formgrader's button for it: plain files, of those whose names the folders bear.

    What a student's own process wrote into the folder tells no time: the time is that of the folder's name, as nbgrader
    goes by it when it chooses the newest.
    """

    def init_src(self) -> None:
        """Find the submissions, but for those that belong to somebody else."""
        super().init_src()
        exchange = Exchange(Path(self.inbound_path), self.check_owner)
        for record in list(self.src_records):
            if why := exchange.forged(record["filename"]):
                self.log.error(why)
                self.src_records.remove(record)

    def do_copy(self, src: str, dest: str, log: Any = None) -> None:
        """Copy a submission's plain files, within nbgrader's own limits."""
        source, target = Path(src), Path(dest)
        course, room = self.coursedir, 1000 * self.coursedir.max_dir_size
        ignored = ignore_patterns(course.ignore, course.include, course.max_file_size, self.log)
        target.mkdir(parents=True)
        for folder, folders, files in os.walk(source):
            left_out = ignored(folder, [*folders, *files])
            folders[:] = [name for name in folders if name not in left_out]
            for file in (Path(folder, name) for name in files if name not in left_out):
                try:
                    content = read_regular(file, room + 1, Path(self.inbound_path))
                except NotPlain as error:
                    self.log.warning("%s is %s; not collected", file, error.what)
                    continue
                room -= len(content)
                if room < 0:  # which is no reason to collect nobody's
                    self.log.error("%s is larger than %d kB; not collected", source, course.max_dir_size)
                    rmtree(str(target))
                    return
                write_atomically(target / file.relative_to(source), content)
        when = self._path_to_record(src)["timestamp"]
        write_atomically(target / "timestamp.txt", f"{when:%Y-%m-%d %H:%M:%S.%f} UTC")
        if course.groupshared:
            for place in [target, *target.rglob("*")]:
                place.chmod(place.stat().st_mode | (0o2770 if place.is_dir() else 0o660))


class ReleaseFeedback(ExchangeReleaseFeedback):
    """`nbgrader release_feedback` and formgrader's button for it: students can read what they are given.

    nbgrader copies a page with its rights, which among tutors of a group are the group's alone. Who may read which page
    is settled by its name, which nobody else can know.
    """

    def copy_files(self) -> None:
        """Copy the pages to the exchange."""
        super().copy_files()
        for page in Path(self.dest_path).glob("*.html"):
            if page.stat().st_uid == os.getuid():
                page.chmod(page.stat().st_mode | 0o444)


# --- formgrader ---
_nonce: contextvars.ContextVar[str] = contextvars.ContextVar("nonce")


def _guard_formgrader() -> None:
    from nbgrader.server_extensions.formgrader import base, handlers

    if base.BaseHandler.render is _render:
        return
    usual = base.BaseHandler.content_security_policy

    def policy(handler: Any) -> str:
        return f"{usual.fget(handler)}; {_policy(_nonce_of(handler))}"

    base.BaseHandler.content_security_policy = property(policy)
    base.BaseHandler.render = _render
    base.BaseHandler.exporter = property(_exporter)
    base.BaseApiHandler.set_default_headers = _as_text
    handlers.SubmissionFilesHandler.get = _serve_nothing


def _nonce_of(handler: Any) -> str:
    if not hasattr(handler, "_workshop_nonce"):
        handler._workshop_nonce = secrets.token_urlsafe(16)
    return str(handler._workshop_nonce)


@cache
def _hashes() -> str:
    """What nbgrader's templates have in attributes such as onclick, where no nonce helps: each may run as it is."""
    from nbgrader.server_extensions.formgrader import handlers

    files = [file for file in Path(handlers.template_path).rglob("*") if file.suffix in (".tpl", ".j2")]
    found = {text for file in files for text in re.findall(r'(?i)\son[a-z]+="([^"{}]+)"', file.read_text("utf-8"))}
    digests = [base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in sorted(found)]
    return " ".join(f"'sha256-{digest}'" for digest in digests)


def _policy(nonce: str) -> str:
    """No script runs but nbgrader's own, and nothing is asked of another machine."""
    scripts = f"'nonce-{nonce}' 'unsafe-hashes' {_hashes()}"
    return (
        f"default-src 'none'; script-src {scripts}; style-src 'self' 'unsafe-inline'; font-src 'self'; "
        "img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'"
    )


class _WithNonce(BaseLoader):
    """nbgrader's templates, with the nonce in each script, and each value in a script as JavaScript wants it."""

    def __init__(self, loader: BaseLoader) -> None:
        self.loader = loader

    def get_source(self, environment: Environment, template: str) -> tuple[str, Any, Any]:
        source, path, is_fresh = self.loader.get_source(environment, template)
        source = re.sub(r"<script(?=[\s>])", '<script nonce="{{ nonce() }}"', source)
        return re.sub(r'= "\{\{ (\w+) \}\}"', r"= {{ \1|tojson }}", source), path, is_fresh


@cache
def _environment() -> Environment:
    """nbgrader's own has no autoescape: names would be markup."""
    from nbgrader.server_extensions.formgrader import handlers

    environment = Environment(loader=_WithNonce(FileSystemLoader([handlers.template_path])), autoescape=True)
    environment.globals["nonce"] = _nonce.get
    return environment


def _render(handler: Any, name: str, **values: Any) -> str:
    _nonce.set(_nonce_of(handler))
    return _environment().get_template(name).render(**values)


class SubmissionPage(HTMLExporter):
    """formgrader's page for marking by hand: nbgrader's template, and a submission of which no markup is left."""

    def __init__(self, templates: str, **options: Any) -> None:
        folders = [str(TEMPLATES), templates]
        super().__init__(
            template_name="workshop_formgrade", extra_template_basedirs=folders, filters=FILTERS, **options
        )

    def _create_environment(self) -> Environment:
        environment = super()._create_environment()
        environment.loader = _WithNonce(environment.loader)
        environment.globals["nonce"] = _nonce.get
        return environment

    def from_filename(self, filename: str, resources: Any = None, **kwargs: Any) -> tuple[Any, Any]:
        """The page. `resources` holds names, which the template puts in as they are."""
        plain = {key: html.escape(value) if isinstance(value, str) else value for key, value in resources.items()}
        return super().from_filename(filename, resources=plain, **kwargs)

    def from_notebook_node(self, nb: NotebookNode, resources: Any = None, **kwargs: Any) -> tuple[Any, Any]:
        """The page of a notebook."""
        return super().from_notebook_node(harmless(nb), resources=resources, **kwargs)


def _exporter(handler: Any) -> SubmissionPage:
    from nbgrader.server_extensions.formgrader import handlers

    _nonce.set(_nonce_of(handler))
    settings: Mapping[str, Any] = handler.settings
    return SubmissionPage(handlers.template_path, config=settings["nbgrader_formgrader"].config)


def _as_text(handler: Any) -> None:
    """nbgrader calls its JSON a page. It parses it from text itself, so that as JSON it would be parsed twice."""
    from nbgrader.server_extensions.formgrader.base import BaseHandler

    BaseHandler.set_default_headers(handler)
    handler.set_header("Content-Type", "text/plain; charset=UTF-8")


def _serve_nothing(handler: Any, *args: Any, **kwargs: Any) -> None:
    """Of the files beside a marked notebook, none: a page among them would act with the tutor's rights."""
    from tornado.web import HTTPError

    raise HTTPError(404)
