"""Values of Python's library, NumPy and pandas that are more than numbers and texts, taken apart and put together.

What is put together is made by a fixed list of makers, each of parts of the very kinds that it takes.
"""

from __future__ import annotations

import collections
import datetime
import pathlib
import re
import sys
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np

from examiner.isolation.values import MAX_KEYS, Malformed

Apart = tuple[str, Any]
_TYPES: dict[str, type] = {
    kind.__name__: kind for kind in (int, float, complex, bool, str, bytes, list, dict, set, tuple, frozenset)
}
_TYPES |= {"NoneType": type(None), "object": object, "range": range, "type": type}
_TYPES |= {f"numpy.{k.__name__}": k for k in {*np.sctypeDict.values(), np.ndarray, np.generic, np.number, np.floating}}
_NAMES = {kind: name for name, kind in _TYPES.items()}
_UNITS = re.compile(r"[<|=>]?[mM]8(\[\d{0,9}(Y|M|W|D|h|m|s|ms|us|ns|ps|fs|as)\])?")


def taken_apart(x: Any) -> Apart | None:
    """The name of a value's kind and its parts; None for what is not of this list."""
    kind = type(x)
    if kind in _APART:
        name, parts = _APART[kind]
        return name, parts(x)
    if kind is type:
        return ("type", _NAMES[x]) if x in _NAMES else None
    if isinstance(x, np.dtype):
        return ("dtype", x.str) if x.names is None and x.kind != "O" else None
    if kind is np.datetime64 or kind is np.timedelta64:
        return "moment", (x.dtype.str, int(x.view("i8")))
    if isinstance(x, np.ma.MaskedArray):
        return "masked", (np.array(np.ma.getdata(x)), np.array(np.ma.getmaskarray(x)))
    if isinstance(x, np.matrix):
        return "matrix", np.asarray(x)
    if isinstance(x, np.ndarray) and x.dtype.kind in "mM":
        return "moments", (x.dtype.str, np.asarray(x).view("i8"))
    if isinstance(x, np.ndarray) and x.dtype.names is not None:
        return "records", (x.dtype.names, tuple(np.asarray(x)[name] for name in x.dtype.names), x.shape)
    if isinstance(x, np.void) and x.dtype.names is not None:
        return "record", (x.dtype.names, tuple(np.asarray(x[name]) for name in x.dtype.names), ())
    pandas = sys.modules.get("pandas")
    return None if pandas is None or not kind.__module__.startswith("pandas") else _of_pandas(x, pandas)


def is_table(x: Any) -> bool:
    """Whether it is a data frame or a series of pandas'."""
    pandas = sys.modules.get("pandas")
    return pandas is not None and type(x).__module__.startswith("pandas") and isinstance(x, pandas.core.generic.NDFrame)


def dict_apart(x: Any) -> Apart | None:
    """The same of a dict that has an order or defaults of its own: it is new, and nobody else's."""
    if type(x) is collections.OrderedDict:
        return "ordered", tuple(x.items())
    if type(x) is collections.defaultdict and x.default_factory in _FACTORIES:
        return "defaults", (_FACTORIES.index(x.default_factory), tuple(x.items()))
    return ("bytearray", bytes(x)) if type(x) is bytearray else None


def put_together(name: str, parts: Any) -> Any:
    """The value that was taken apart; Malformed where that can't be."""
    maker = _TOGETHER.get(name)
    if maker is None:
        raise Malformed("an unknown kind of value")
    try:
        return maker(parts)
    except Malformed:
        raise
    except Exception as error:
        raise Malformed(f"no {name}") from error


def _offset(x: Any) -> int | None:
    """Seconds of a timezone from UTC; None for none."""
    if x.tzinfo is None:
        return None
    away = x.utcoffset()
    return 0 if away is None else int(away.total_seconds())


def _zone(seconds: int | None) -> datetime.timezone | None:
    return None if seconds is None else datetime.timezone(datetime.timedelta(seconds=seconds))


_APART: dict[type, tuple[str, Callable[[Any], Any]]] = {
    Decimal: ("decimal", str),
    Fraction: ("fraction", lambda x: (x.numerator, x.denominator)),
    datetime.date: ("date", lambda x: (x.year, x.month, x.day)),
    datetime.time: ("time", lambda x: (x.hour, x.minute, x.second, x.microsecond)),
    datetime.datetime: (
        "datetime",
        lambda x: (x.year, x.month, x.day, x.hour, x.minute, x.second, x.microsecond, _offset(x)),
    ),
    datetime.timedelta: ("timedelta", lambda x: (x.days, x.seconds, x.microseconds)),
    type(pathlib.Path()): ("path", str),
    collections.Counter: ("counter", lambda x: tuple(dict.items(x))),
    collections.deque: ("deque", lambda x: (tuple(x), x.maxlen)),
}


def _decimal(text: Any) -> Decimal:
    if type(text) is not str or len(text) > 1000:
        raise Malformed("no decimal")
    return Decimal(text)


def _whole(maker: Callable[..., Any]) -> Callable[[Any], Any]:
    """A maker that takes whole numbers, however many digits may travel, or None, and nothing else."""

    def made(parts: Any) -> Any:
        if type(parts) is not tuple or not all(part is None or type(part) is int for part in parts):
            raise Malformed("no whole numbers")
        return maker(*parts)

    return made


def _moments(parts: Any) -> Any:
    code, numbers = parts
    if type(code) is not str or not _UNITS.fullmatch(code) or type(numbers) is not np.ndarray or numbers.dtype != "i8":
        raise Malformed("no moments")
    return numbers.view(code)


def _moment(parts: Any) -> Any:
    code, number = parts
    return _moments((code, np.array([number], dtype="i8")))[0]


def _arrays(*arrays: Any) -> None:
    if not all(type(array) is np.ndarray for array in arrays):
        raise Malformed("no arrays")


def _masked(parts: Any) -> Any:
    data, mask = parts
    _arrays(data, mask)
    return np.ma.array(data, mask=mask)


def _matrix(data: Any) -> Any:
    _arrays(data)
    return data.view(np.matrix)


def _records(parts: Any) -> Any:
    names, columns, shape = parts
    _arrays(*columns)
    if not all(type(name) is str for name in names) or any(c.shape[: len(shape)] != shape for c in columns):
        raise Malformed("no records")
    kinds = [(name, c.dtype, c.shape[len(shape) :]) for name, c in zip(names, columns, strict=True)]
    made = np.empty(shape, dtype=kinds)
    for name, column in zip(names, columns, strict=True):
        made[name] = column
    return made


def _counter(pairs: Any) -> Any:
    made: collections.Counter[Any] = collections.Counter()
    for key, count in _few(pairs):
        dict.__setitem__(made, key, count)
    return made


_FACTORIES = [int, float, str, list, dict, set, tuple, bool, None]


def _defaults(parts: Any) -> Any:
    number, pairs = parts
    made: collections.defaultdict[Any, Any] = collections.defaultdict(_FACTORIES[number])
    made.update(_few(pairs))
    return made


def _few(pairs: Any) -> Any:
    """The pairs of a dict, if they are not too many."""
    if type(pairs) is not tuple or len(pairs) > MAX_KEYS:
        raise Malformed("too many keys")
    return pairs


def _path(text: Any) -> pathlib.Path:
    if type(text) is not str:
        raise Malformed("no path")
    return pathlib.Path(text)


def _bytearray(raw: Any) -> Any:
    if type(raw) is not bytes:
        raise Malformed("no bytes")
    return bytearray(raw)


_CODES = re.compile(r"[<|=>]?([?bBhHiIlLqQefdgFDGbiufc]\d{0,2}|[SU]\d{1,6})|" + _UNITS.pattern)


def _dtype(code: Any) -> Any:
    if type(code) is not str or not _CODES.fullmatch(code):
        raise Malformed("no dtype")
    return np.dtype(code)


# --- pandas: only where it is installed, and has been imported here by what the source imports ----------------------
_EXTENSION = re.compile(r"U?Int(8|16|32|64)|Float(32|64)|boolean|string|str")


def _of_pandas(x: Any, pandas: Any) -> Apart | None:
    if isinstance(x, pandas.DataFrame):
        columns = tuple(_column(x.iloc[:, i], pandas) for i in range(x.shape[1]))
        return "frame", (_index(x.columns, pandas), columns, _index(x.index, pandas))
    if isinstance(x, pandas.Series):
        return "series", (x.name, _column(x, pandas), _index(x.index, pandas))
    if isinstance(x, pandas.Index):
        return "index", _index(x, pandas)
    if isinstance(x, pandas.Categorical):
        return "column", _column(pandas.Series(x), pandas)
    if x is pandas.NaT or x is pandas.NA:
        return "missing", "NaT" if x is pandas.NaT else "NA"
    if isinstance(x, pandas.Timestamp) and x.tz is None:
        return "stamp", (x.unit, int(x.asm8.view("i8")))
    if isinstance(x, pandas.Timedelta):
        return "lapse", (x.unit, int(x.asm8.view("i8")))
    return None


def _column(x: Any, pandas: Any) -> tuple[Any, ...]:
    """A series' or index's dtype and values."""
    kind = x.dtype
    if isinstance(kind, pandas.CategoricalDtype):
        values = pandas.Series(x).cat
        categories = _column(pandas.Series(values.categories), pandas)
        return "category", (np.asarray(values.codes, dtype="i8"), categories, bool(values.ordered))
    if isinstance(kind, pandas.DatetimeTZDtype):
        plain = (
            x.dt.tz_convert("UTC").dt.tz_localize(None) if hasattr(x, "dt") else x.tz_convert("UTC").tz_localize(None)
        )
        return "zone", (str(kind.tz), np.asarray(plain))
    if isinstance(kind, np.dtype) and kind.kind != "O":
        return "plain", np.asarray(x)
    if isinstance(kind, np.dtype) or not _EXTENSION.fullmatch(kind.name):
        return "objects", tuple(None if value is pandas.NA else value for value in x.astype(object).tolist())
    missing = [bool(gone) for gone in x.isna()]
    values = zip(x.astype(object).tolist(), missing, strict=True)
    return "extension", (kind.name, tuple(None if gone else value for value, gone in values))


def _index(x: Any, pandas: Any) -> tuple[Any, ...]:
    if isinstance(x, pandas.MultiIndex):
        levels = tuple(_column(x.get_level_values(i), pandas) for i in range(x.nlevels))
        return "multi", tuple(x.names), levels
    if isinstance(x, pandas.RangeIndex):
        return "range", (x.name,), (x.start, x.stop, x.step)
    frequency = getattr(x, "freqstr", None)
    if isinstance(x, pandas.PeriodIndex | pandas.IntervalIndex):
        return "plain", (x.name,), ("objects", tuple(str(value) for value in x)), None
    return "plain", (x.name,), _column(x, pandas), frequency


def _pandas() -> Any:
    found = sys.modules.get("pandas")
    if found is None:
        raise Malformed("no table: the source does not import pandas")
    return found


def _made_column(told: Any) -> Any:
    pandas = _pandas()
    kind, what = told
    if kind == "plain":
        if type(what) is not np.ndarray or what.dtype.kind == "O":
            raise Malformed("no column")
        return what
    if kind == "category":
        codes, categories, ordered = what
        return pandas.Categorical.from_codes(codes, pandas.Index(_made_column(categories)), ordered=ordered is True)
    if kind == "zone":
        return pandas.DatetimeIndex(_made_column(("plain", what[1]))).tz_localize("UTC").tz_convert(str(what[0])[:60])
    if kind == "extension":
        if not _EXTENSION.fullmatch(what[0]):
            raise Malformed("no column")
        return pandas.array(list(what[1]), dtype=what[0])
    made = np.empty(len(what), dtype=object)
    for i, value in enumerate(what):
        made[i] = value
    return made


def _made_index(told: Any) -> Any:
    pandas = _pandas()
    kind, names, what, *more = told
    if kind == "range":
        return pandas.RangeIndex(*what, name=names[0])
    if kind == "multi":
        return pandas.MultiIndex.from_arrays([_made_column(level) for level in what], names=names)
    made = pandas.Index(_made_column(what), name=names[0])
    if more and type(more[0]) is str and isinstance(made, pandas.DatetimeIndex):
        made.freq = more[0][:20]
    return made


def _made_series(told: Any) -> Any:
    name, column, index = told
    return _pandas().Series(_made_column(column), index=_made_index(index), name=name)


def _made_frame(told: Any) -> Any:
    columns, values, index = told
    pandas, rows = _pandas(), _made_index(index)
    made = pandas.DataFrame({i: pandas.Series(_made_column(v), index=rows) for i, v in enumerate(values)}, index=rows)
    made.columns = _made_index(columns)
    return made


_TOGETHER: dict[str, Callable[[Any], Any]] = {
    "decimal": _decimal,
    "fraction": _whole(Fraction),
    "date": _whole(datetime.date),
    "time": _whole(datetime.time),
    "datetime": _whole(lambda *x: datetime.datetime(*x[:7]).replace(tzinfo=_zone(x[7]))),
    "timedelta": _whole(datetime.timedelta),
    "counter": _counter,
    "ordered": lambda pairs: collections.OrderedDict(_few(pairs)),
    "defaults": _defaults,
    "bytearray": _bytearray,
    "path": _path,
    "deque": lambda parts: collections.deque(*parts),
    "type": lambda name: _TYPES[name],
    "dtype": _dtype,
    "moment": _moment,
    "moments": _moments,
    "masked": _masked,
    "matrix": _matrix,
    "records": _records,
    "record": lambda parts: _records(parts)[()],
    "index": _made_index,
    "series": _made_series,
    "frame": _made_frame,
    "column": _made_column,
    "missing": lambda name: _pandas().NaT if name == "NaT" else _pandas().NA,
    "stamp": lambda parts: _pandas().Timestamp(_moment((f"<M8[{parts[0]}]", parts[1]))),
    "lapse": lambda parts: _pandas().Timedelta(_moment((f"<m8[{parts[0]}]", parts[1]))),
}
