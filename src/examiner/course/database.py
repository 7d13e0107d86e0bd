"""The gradebook's database: made, checked, and of the version that nbgrader wants."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from nbgrader import api as tables

from examiner.batch.job import ClassError


def newest_schema() -> str:
    """The version of the gradebook's tables that the installed nbgrader wants."""
    from alembic.config import Config as AlembicConfig
    from alembic.script import ScriptDirectory
    from nbgrader.dbutil import ALEMBIC_DIR

    config = AlembicConfig()
    config.set_main_option("script_location", str(ALEMBIC_DIR).replace("%", "%%"))
    return str(ScriptDirectory.from_config(config).get_current_head())


def make_database(db_url: str) -> None:
    """Make nbgrader's tables where there are none; nbgrader itself would start a program to learn their version."""
    engine = sa.create_engine(db_url)
    try:
        with engine.begin() as connection:
            if not sa.inspect(connection).get_table_names():
                tables.Base.metadata.create_all(connection)
                _write_version(connection)
    finally:
        engine.dispose()


def _write_version(connection: Any) -> None:
    connection.execute(sa.text("CREATE TABLE IF NOT EXISTS alembic_version (version_num VARCHAR(32) NOT NULL)"))
    connection.execute(sa.text("INSERT INTO alembic_version VALUES (:version)"), {"version": newest_schema()})


def check_database(db_url: str) -> None:
    """Raise a ClassError, and change nothing, where the gradebook can't be used as it is."""
    try:
        url = sa.engine.make_url(db_url)
    except sa.exc.ArgumentError:
        raise ClassError(
            f"{db_url!r} is no address of a gradebook. For a file: sqlite:////the/whole/path/gradebook.db "
            "(four slashes); for a server: postgresql://USER:PASSWORD@HOST/NAME."
        ) from None
    shown = url.render_as_string(hide_password=True)
    engine = None
    try:
        if url.drivername.startswith("sqlite"):
            if not url.database or url.database == ":memory:":
                raise ClassError(f"The gradebook {shown} is no file: the marks would be gone when the command ends.")
            folder = Path(url.database).absolute().parent
            if not folder.is_dir():
                raise ClassError(f"The gradebook {shown} can't be made: there is no folder {folder}.")
            if not Path(url.database).exists():
                return
            if not os.access(url.database, os.R_OK | os.W_OK):
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), url.database)
        engine = sa.create_engine(db_url)
        with engine.connect() as connection:
            names = set(sa.inspect(connection).get_table_names())
            if not names:
                return
            version = None
            if "alembic_version" in names:
                version = connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar()
            if version is None and _is_newest(connection):  # nbgrader was stopped before it wrote the version
                _write_version(connection)
                connection.commit()
                return
    except ModuleNotFoundError as error:
        raise ClassError(f"The gradebook {shown} needs the Python package {error.name}; install it first.") from error
    except sa.exc.SQLAlchemyError as error:
        reason = str(error).split("\n")[0]
        raise ClassError(f"The gradebook {shown} can't be opened: {reason}") from error
    finally:
        if engine is not None:
            engine.dispose()
    wanted = newest_schema()
    if version != wanted:
        raise ClassError(
            f"The gradebook {shown} was made by another version of nbgrader (tables {version}, wanted {wanted}). "
            "Nothing was changed. Make a copy of it, then run: nbgrader db upgrade"
        )


def _is_newest(connection: Any) -> bool:
    """Whether each table that is there has all its columns; nbgrader makes a table that is missing."""
    inspector = sa.inspect(connection)
    there = set(inspector.get_table_names())
    return all(
        set(table.columns.keys()) <= {c["name"] for c in inspector.get_columns(table.name)}
        for table in tables.Base.metadata.sorted_tables
        if table.name in there
    )
