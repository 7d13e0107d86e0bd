"""A student's objects and classes as tests see them: whatever a test does with one is a message to its process.

What is asked is chosen by the test: an attribute's name, a method, an operator. A student's process says of what class
an object is, and what that class is called; from this, classes are made here that do nothing by themselves. Operators
that could decide a comparison are passed on only where the source's own class of that name has them.
"""

from __future__ import annotations

import builtins
import dataclasses
import operator
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from types import CoroutineType, GeneratorType
from typing import Any

from examiner.isolation.errors import describe_error
from examiner.isolation.parameters import signature_of
from examiner.isolation.values import ByNumber, Malformed

Ask = Callable[[str, int, int, tuple[Any, ...], dict[str, Any]], Any]

_ALWAYS = {"call", "getitem", "setitem", "delitem", "len", "iter", "next", "enter", "exit", "float", "int", "index"}
"""What is passed on for any class that has it; the name of each between underscores is Python's."""
REFLECTED = ("add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "matmul", "and", "or", "xor")
_BY_SOURCE = {
    *("eq", "ne", "lt", "le", "gt", "ge", "hash", "contains", "bool", "abs", "neg", "pos", "invert", "round"),
    *("add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "matmul", "and", "or", "xor", "lshift", "rshift"),
    *(f"r{name}" for name in REFLECTED),
    *("iadd", "isub", "imul", "itruediv", "complex", "divmod", "reversed"),
}
"""What is passed on only where the source's own class has it."""
OPERATIONS = _ALWAYS | _BY_SOURCE
_COMPARISONS = {"eq", "ne", "lt", "le", "gt", "ge", "contains"}
_TO_NUMBERS = {"abs", "float", "int", "index", "round", "complex", "bool"}
_DIFFERENCES = {"sub", "rsub", "isub", "truediv", "rtruediv", "itruediv", "floordiv", "rfloordiv", "mod", "rmod"}
_OPERATORS = {*REFLECTED, *(f"r{name}" for name in REFLECTED), "iadd", "isub", "imul", "itruediv", "divmod"}
_DECIDED = "an object of the student's own class decided a comparison in it"
_TOLD = {"__dict__", "__doc__", "__name__", "__qualname__", "__annotations__", "__defaults__", "__closure__"}
MOST_CLASSES = 1000


class Class(type, ByNumber):
    """The type of classes that stand for a student's."""

    _line: Line
    _class_number: int
    _generation: int

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        """An instance of the student's class."""
        return cls._line.ask("call", cls._class_number, cls._generation, args, kwargs)

    def __dir__(cls) -> list[str]:
        return [str(name) for name in cls._line.ask("dir", cls._class_number, cls._generation, (), {})]

    def __getattr__(cls, name: str) -> Any:
        if name == "__signature__":
            return signature_of(cls._line.ask("parameters", cls._class_number, cls._generation, (), {}))
        if name.startswith("__") and name not in _TOLD:
            raise AttributeError(name)
        return cls._line.ask("getattr", cls._class_number, cls._generation, (name,), {})

    def __setattr__(cls, name: str, value: Any) -> None:
        cls._line.ask("setattr", cls._class_number, cls._generation, (name, value), {})

    def __getitem__(cls, key: Any) -> Any:
        return cls._line.ask("getitem", cls._class_number, cls._generation, (key,), {})

    def __iter__(cls) -> Any:
        return iter(cls._line.ask("iter", cls._class_number, cls._generation, (), {}))

    def __len__(cls) -> int:
        return int(cls._line.ask("len", cls._class_number, cls._generation, (), {}))

    def __bool__(cls) -> bool:
        return True

    def __repr__(cls) -> str:
        return f"<class '__main__.{cls.__name__}'>"


class _Maker:
    """`__init__` as a test sees it: the student's own, to be looked at. What stands for an object is made without."""

    def __get__(self, thing: Any, kind: Any) -> Any:
        if thing is not None:
            return thing._ask("getattr", "__init__")
        return kind._line.ask("getattr", kind._class_number, kind._generation, ("__init__",), {})


class Elsewhere(ByNumber):
    """What lives in the other process: what is done with it is asked there, by `_ask(operation, *args)`."""

    __slots__ = ()

    def _ask(self, operation: str, *args: Any) -> Any:
        raise NotImplementedError

    def __setattr__(self, name: str, value: Any) -> None:
        self._ask("setattr", name, value)

    def __delattr__(self, name: str) -> None:
        self._ask("delattr", name)

    def __repr__(self) -> str:
        return str(self._ask("repr"))

    def __str__(self) -> str:
        return str(self._ask("str"))


class Thing(Elsewhere):
    """An object of the student's."""

    told_as = "object"
    __slots__ = ("__weakref__", "_number")
    __init__ = _Maker()
    _line: Line
    _generation: int
    _real: type | None  # the class of a library's that it is an instance of, as far as its process says

    @property  # type: ignore[misc]
    def __class__(self) -> type:
        return self._real or type(self)

    def __dir__(self) -> list[str]:
        return [str(name) for name in self._ask("dir")]

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") and name not in _TOLD:
            raise AttributeError(name)
        return self._ask("getattr", name)

    def __format__(self, spec: str) -> str:
        return str(self._ask("format", spec))

    def __copy__(self) -> Any:
        return self._ask("copy")

    def __deepcopy__(self, known: Any) -> Any:
        return self._ask("deepcopy")

    def __eq__(self, other: Any) -> bool:
        if self._real in (list, dict, set) and "eq" not in self._line.known.get(type(self).__name__, ()):
            return bool(self._ask("plain") == (other._ask("plain") if isinstance(type(other), Class) else other))
        if other is not self:
            self._line.doubt = "it compares an object of the student's, which is no plain value"
        return other is self

    def __hash__(self) -> int:
        return id(self)

    def _ask(self, operation: str, *args: Any) -> Any:
        return self._line.ask(operation, self._number, self._generation, args, {})


class Raised(ByNumber):
    """An exception of a class of the student's: it is a real one here, so that a test can catch it."""

    _line: Line
    _generation: int
    _number: int

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or name == "student_traceback" or name == "examiner_number":
            raise AttributeError(name)
        return self._line.ask("getattr", self._number, self._generation, (name,), {})


def _told(error: BaseException | None) -> Any:
    """An error as a context manager of the student's is told of it: a check's without its words."""
    if error is None or isinstance(error, ByNumber):
        return error
    kind, message, _ = describe_error(error)
    return kind, "" if isinstance(error, AssertionError) else message


def _passed_on(operation: str) -> Callable[..., Any]:
    """The method that passes an operation on."""

    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        line = self._line
        if operation in _COMPARISONS and args and not isinstance(args[0], ByNumber):
            line.doubt = _DECIDED
        error = args[1] if operation == "exit" else None
        told = (_told(error),) if operation == "exit" else args
        value = line.ask(operation, self._number, self._generation, told, kwargs)
        if operation in _TO_NUMBERS | _OPERATORS:
            line.weigh(operation, self, args, value)
        if operation in ("len", "hash", "int", "index"):
            return int(value)
        if operation == "exit":
            return value is True and line.lets_swallow(type(self).__name__, error)
        if operation == "bool":
            return value is True
        if operation in ("iter", "reversed"):
            return value if hasattr(type(value), "__next__") else iter(value)
        return value

    return method


_METHODS = {operation: _passed_on(operation) for operation in OPERATIONS}


def _named(name: str, number: int, fields: Sequence[str], call: Callable[..., Any]) -> type:
    """A class of named tuples; `call` has the student's own make one, where a default is to be filled in."""
    # A field may not begin with an underscore, as Python has it: it would stand in the place of an operator.
    if len(fields) > 100 or not all(type(f) is str and re.fullmatch(r"[^\W\d_]\w{0,99}|_\d{1,3}", f) for f in fields):
        raise Malformed("no named tuple")

    def new(cls: type, *args: Any, **kwargs: Any) -> Any:
        if len(args) + len(kwargs) != len(fields) or set(fields[len(args) :]) != set(kwargs):
            return call(args, kwargs)
        return tuple.__new__(cls, [*args, *(kwargs[field] for field in fields[len(args) :])])

    def represented(self: Any) -> str:
        return f"{name}({', '.join(f'{field}={value!r}' for field, value in zip(fields, self, strict=True))})"

    def replaced(self: Any, **changes: Any) -> Any:
        return new(type(self), **{**dict(zip(fields, self, strict=True)), **changes})

    methods = {
        "__new__": new,
        "__repr__": represented,
        "_asdict": lambda self: dict(zip(fields, self, strict=True)),
        "_replace": replaced,
        "_make": classmethod(lambda cls, values: new(cls, *values)),
    }
    getters = {field: property(operator.itemgetter(i)) for i, field in enumerate(fields)}
    about = {"__slots__": (), "_fields": tuple(fields), "_class_number": number, "__module__": "__main__"}
    return type(name, (tuple,), {**getters, **methods, **about})


_UNNAMED: dict[Any, type] = {"generator": GeneratorType, "coroutine": CoroutineType}


def _fields_of(told: Any) -> dict[str, Any]:
    """What the functions of `dataclasses` and a `case` look for in a dataclass with these fields."""
    if type(told) is not tuple or len(told) > 100 or not all(type(f) is str and f.isidentifier() for f in told):
        raise Malformed("no dataclass")
    try:
        fields = vars(dataclasses.make_dataclass("_", told))["__dataclass_fields__"]
    except (TypeError, ValueError):
        raise Malformed("no dataclass") from None
    return {"__dataclass_fields__": fields, "__match_args__": told} if told else {}


def _send(self: Any, _: Any) -> None:
    """A coroutine's step, its only one: it runs to its end where it is."""
    raise StopIteration(self._ask("await"))


def _awaited(self: Any) -> Any:
    return self._ask("await")
    yield


_COROUTINES = {"send": _send, "close": lambda self: None, "__await__": _awaited}


def _installed(told: Any) -> type | None:
    """The first of some classes, told by module and name, that is here already: nothing is imported for it."""
    for module, name in told:
        if module == "builtins" and name in _UNNAMED:
            return _UNNAMED[name]
        found = vars(sys.modules.get(str(module), builtins)).get(str(name))
        if isinstance(found, type) and found.__module__ == module:
            return found
    return None


class Line:
    """Makes the classes and objects of one student's process; `ask` passes on what a test does with them.

    `known` are the source's own classes by name, and the special methods that each has.
    """

    def __init__(self, ask: Ask, known: Mapping[str, Sequence[str]]) -> None:
        self.ask, self.known = ask, known
        self.begin_test()
        self._made: dict[tuple[int, int], Any] = {}

    def begin_test(self) -> None:
        """Nothing is known yet of what the next test does."""
        self.doubt = ""  # why a person should look at what the test says
        self.met = False  # whether it has to do with things that are no plain values
        self._differences: set[int] = set()  # numbers of objects that are the difference to a value of the test's

    def weigh(self, operation: str, thing: Thing, args: tuple[Any, ...], value: Any) -> None:
        """An operator that was told a value of the test's may have decided what it is compared with, as `==` may.

        It has where it gives a plain number back, and so has what makes a number of a difference to such a value.
        """
        plain = operation in _OPERATORS and not all(isinstance(arg, ByNumber) for arg in args)
        if isinstance(value, Thing):
            if operation in _DIFFERENCES and (plain or thing._number in self._differences):
                self._differences.add(value._number)
        elif plain or thing._number in self._differences:
            self.doubt = _DECIDED

    def lets_swallow(self, name: str, error: BaseException | None) -> bool:
        """Whether a context manager of this class may keep an error to itself: the source's own can, and it is none
        of the test's findings. Otherwise a person is to look."""
        if error is None:
            return False
        allowed = "swallow" in self.known.get(name, ())
        if allowed and isinstance(error, Exception) and not isinstance(error, AssertionError):
            return True
        self.doubt = "a context manager of the student's would keep to itself what a test has found"
        return False

    def class_of(self, number: int, generation: int, told: Any) -> type:
        """The class that stands for one of the student's; `told` are its name, its kind, its bases and methods."""
        found = self._made.get((generation, number))
        if found is not None:
            if not isinstance(found, type):
                raise Malformed("an object that has become a class")
            return found
        if len(self._made) > MOST_CLASSES:
            raise Malformed("too many classes")
        name, kind, bases, operations, *more = told
        if not (type(name) is str and re.fullmatch(r"[^\W\d]\w{0,99}", name) and type(kind) is str):
            raise Malformed("a class without a name")
        made: type
        shown = name if name in self.known else kind or "object"  # any other may spell out what its process was handed
        if kind == "tuple":
            made = self._made[generation, number] = _named(
                shown, number, operations, lambda args, kwargs: self.ask("call", number, generation, args, kwargs)
            )
            return made
        if not all(type(operation) is str for operation in operations) or len(operations) > len(OPERATIONS):
            raise Malformed("a class of another kind")
        own = tuple(dict.fromkeys(base for base in bases if isinstance(base, type) and issubclass(base, ByNumber)))
        about = {
            "_line": self,
            "_generation": generation,
            "_class_number": number,
            "__module__": "__main__",
            "__qualname__": shown,
        }
        error = getattr(builtins, kind, None)
        if isinstance(error, type) and issubclass(error, Exception):
            errors: tuple[type, ...] = tuple(base for base in own if issubclass(base, Raised)) or (Raised, error)
            made = type(shown, errors, about)
        else:
            about["_real"] = _installed(more[0])
            about |= _fields_of(more[1])
            about |= _COROUTINES if about["_real"] is CoroutineType else {}
            allowed = (_ALWAYS | set(self.known.get(name, ()))) & set(operations) & OPERATIONS
            if about["_real"] in (list, dict, set):
                allowed |= {"add", "iadd", "mul", "or", "and", "sub", "reversed"} & set(operations)
            methods = {f"__{operation}__": _METHODS[operation] for operation in sorted(allowed)}
            if "eq" in allowed and "hash" not in allowed:
                methods["__hash__"] = Thing.__hash__
            parents = tuple(base for base in own if issubclass(base, Thing)) or (Thing,)
            made = type.__call__(Class, shown, parents, {"__slots__": (), **methods, **about})
        self._made[generation, number] = made
        return made

    def object_of(self, number: int, generation: int, kind: Any) -> Any:
        """The object that stands for one of the student's, the same one each time."""
        if not (isinstance(kind, type) and issubclass(kind, ByNumber)):
            raise Malformed("an object of no class")
        self.met = True
        found = self._made.get((generation, number))
        if found is None:
            if len(self._made) > 100 * MOST_CLASSES:
                raise Malformed("too many objects")
            found = kind.__new__(kind) if issubclass(kind, Raised) else object.__new__(kind)
            object.__setattr__(found, "_number", number)
            self._made[generation, number] = found
        return found
