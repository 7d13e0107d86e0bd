"""A student's names as the tests see them: calling one is a message to the student's process.

To ordinary test code a stand-in is the function itself: arguments changed in place are changed, a random generator
goes on where the student left it, an exception raised by a function that was handed in arrives as it was raised.
"""

from __future__ import annotations

import contextlib
import inspect
import json
import os
import re
import select
import socket
import struct
import sys
from collections.abc import Callable, Mapping, Sequence, Set
from types import FunctionType
from typing import Any

from examiner.isolation.decoding import Decoder
from examiner.isolation.encoding import Encoder, describe_error
from examiner.isolation.messages import PYTHONS_WORDS, kind_of, only_known, standard
from examiner.isolation.objects import Line as Objects
from examiner.isolation.objects import Raised
from examiner.isolation.student import CALLBACK_GONE, revive
from examiner.isolation.values import MAX_ASKED, ByNumber, Malformed, NoNumbers, WireError, unfolded
from examiner.isolation.watch import Process, Watch
from examiner.isolation.wire import Line, decode, encode

STARTING = 60.0  # seconds on the wall for a process to come up
DOUBT = "it was stopped though it had hardly computed: it slept, or waited for the machine"
LONGEST_VALUE = 1 << 20  # bytes of a value that is kept for the tests
KINDS = list(inspect._ParameterKind)  # by the number that travels
LONGEST_HEARD = 100_000  # characters of text from a student's process in one test


class StudentFailed(Exception):
    """The student's process could not answer. The name and the message are for the student."""

    student_traceback = "    (the other answers were tested in a fresh process)"


class ProcessEnded(StudentFailed):
    """It is no more."""


class NeverStopped(StudentFailed):
    """It had to be ended."""


class UnreadableReply(StudentFailed):
    """It spoke nonsense."""


class NotStarted(RuntimeError):
    """No student's process came up: the grader's own failure, for which no student pays."""


class Proxy(ByNumber):
    # One of the student's callables. It has the student's own docstring, or none.

    told_as = "function"

    def __init__(self, student: StudentProcess, number: int, generation: int, name: str) -> None:
        self._student, self._number, self._generation = student, number, generation
        self.__name__ = self.__qualname__ = name

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._student.call(self, {}, args, kwargs)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") and name not in ("__code__", "__defaults__", "__annotations__", "__dict__"):
            raise AttributeError(name)
        return self._student.ask("getattr", self._number, self._generation, (name,), {})

    @property  # type: ignore[misc]
    def __class__(self) -> type:
        return FunctionType

    @property
    def __doc__(self) -> Any:  # type: ignore[override]
        return self._student.ask("getattr", self._number, self._generation, ("__doc__",), {})

    def __call_with__(self, names: dict[str, Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Call it with `names` in place of the student's own for this one call."""
        return self._student.call(self, names, args, kwargs)

    def __repr__(self) -> str:
        return f"<the student's {self.__name__}>"


Proxy.__name__ = "function"  # for a test that asks for its type's


class StudentProcess:
    """The examiner's end of the line to a student's process, which it starts again when it has ended.

    With `numbers_only`, answers come as plain values, and the functions that a test lends take nothing but numbers.
    `start()` gives a fresh process: the line, and the leash that tells how it ended and ends it when let go.
    `line_text(cell, line)` is a line of what the student handed in, `words` are the notebook's: no other may be told.
    """

    def __init__(
        self,
        start: Callable[[], tuple[socket.socket, socket.socket]],
        line_text: Callable[..., str],
        words: Set[str] = frozenset(),
        classes: Mapping[str, Sequence[str]] | None = None,
        files: Mapping[str, bytes] | None = None,
        numbers_only: bool = True,
    ) -> None:
        self._start, self._line_text, self.words = start, line_text, words
        self._line: Line | None = None
        self._leash: socket.socket | None = None
        self._process = Process()
        self._spent = 0.0  # by processes that have ended
        self._asleep = 0.0
        self.generation = 0
        self.objects = Objects(self.ask, classes or {})
        self.files = dict(files or {})  # beside the notebook
        self.reads_words = False  # whether the test looks at the words of the student's errors
        self.before_call: Callable[[], None] = lambda: None
        self.after_call: Callable[[], None] = lambda: None
        self.numbers_only = numbers_only
        self._proxies: dict[tuple[int, int], Proxy] = {}
        self.replaced: Callable[[], tuple[dict[str, Any], tuple[str, ...]]] = lambda: ({}, ())
        self.drawn: Callable[[], tuple[Any, Any]] = lambda: (None, None)
        self.live: Sequence[str] = ()  # variables that calls may change
        self.changed: Callable[[dict[str, Any]], None] = lambda values: None
        self._lent: dict[int, Any] = {}
        self._lent_numbers: dict[int, int] = {}
        self._next_number = 0
        self._bound: dict[str, Any] | None = None  # the names that the student was told of last
        self.broken: StudentFailed | None = None
        self.observer: Callable[..., Callable[[Any], None]] | None = None  # told of each call, and then of its value
        self.begin_test(1.0, 1.0)

    # The process

    @property
    def alive(self) -> bool:
        """Whether there is a process to talk to."""
        return self._line is not None

    def start(self) -> None:
        """A fresh process, with nothing run in it yet."""
        self.stop()
        line, self._leash = self._start()
        self._line = Line(line, timed=True)
        try:
            if self._line.receive(Watch(Process(), STARTING).look)[0] != b"H":
                raise EOFError
            number = self._leash.recv(4)
        except (OSError, EOFError) as error:
            raise NotStarted("a student's process did not start") from error
        self._process = Process(struct.unpack("<i", number)[0]) if len(number) == 4 else Process()
        self.generation += 1
        self._bound = None
        if not self.numbers_only:
            self._ask(b"k", encode(list(self.objects.known)), STARTING)
        if self.files:
            self.put(self.files)

    def stop(self) -> None:
        """Let the process go; it ends at once."""
        if self._line is not None:
            self._spent += self._process.worked()
        for line in (self._line, self._leash, self._process):
            if line is not None:
                line.close()
        self._line = self._leash = None

    def spent(self) -> float:
        """The seconds that all its processes have worked or slept so far."""
        return self._spent + self._asleep + (self._process.worked() if self.alive else 0.0)

    def _lost(self, why: str) -> StudentFailed:
        """The process is of no more use."""
        ended = self._how_it_ended() if why == "ended" else ""
        self.stop()
        self.broken = {
            "ended": ProcessEnded(f"it ended the whole process{ended}"),
            "hung": NeverStopped("it did not stop when its time was up"),
            "malformed": UnreadableReply("what came back from it could not be read"),
        }[why]
        return self.broken

    def _how_it_ended(self) -> str:
        assert self._leash is not None
        code = None
        with contextlib.suppress(OSError, ValueError):
            if select.select([self._leash], [], [], 1.0)[0]:
                code = json.loads(self._leash.recv(200) or b"{}").get("ended")
        names = {
            -9: "was killed",
            -11: "a crash, perhaps recursion without end",
            -6: "aborted",
            -24: "too much computing",
        }
        return f" ({names[code]})" if code in names else ""  # and no number of the student's own choice

    # Requests

    def begin_test(self, call_seconds: float, test_seconds: float) -> None:
        """The limits of the calls to come: each one's, and of all together."""
        self.call_seconds, self.budget = call_seconds, test_seconds
        self.broken = None
        self.hung = self.doubtful = False  # whether it was stopped, and whether not for what it had computed
        self.heard: list[str] = []  # the texts that came back
        self.heard_characters = 0
        self._lent.clear()
        self._lent_numbers.clear()
        self.stand_for: dict[int, str] = {}  # the name that a lent function stands in the place of
        self._within = 0  # calls under way: one within another finds what is lent to the outer one
        self.asked: set[str] = set()  # those that the student's code has called
        self._bound = None
        self.objects.begin_test()
        self._quiet = sys.stdout  # what a test writes where it does not listen

    def run(self, number: int, source: str, seconds: float, room: int, asked: Sequence[str] = ()) -> tuple[Any, Any]:
        """Run a cell, in which the names `asked` are to be defined: its printed parts, and its error or None.

        An error is (kind, message, lines, -1).
        """
        self.doubtful = False
        answer = self._ask(b"x", encode((number, source, room, list(asked))), seconds)
        if not (type(answer) is tuple and len(answer) == 2 and _well_printed(answer[0])):
            raise self._lost("malformed")
        if answer[1] is not None and not _well_described(answer[1]):
            raise self._lost("malformed")
        if sum(len(text) + 1 for _, text in answer[0]) > room + 1:
            raise self._lost("malformed")
        return answer

    def end_test(self) -> None:
        """Make sure that the last answer was the last: nothing more is on the line."""
        if self.alive:
            token = os.urandom(16)
            if self._ask(b"p", encode(token), self.call_seconds) != token:
                raise self._lost("malformed")

    def put(self, files: Mapping[str, bytes]) -> None:
        """Write files into its working folder."""
        self._ask(b"f", encode(tuple(files.items())), STARTING)

    def fetch(self) -> dict[str, bytes]:
        """The files in its working folder."""
        found = self._ask(b"F", encode(None), self.call_seconds)
        if type(found) is not tuple or not all(type(f) is tuple and list(map(type, f)) == [str, bytes] for f in found):
            raise self._lost("malformed")
        return dict(found)

    def enter(self, number: int) -> None:
        """Bind the student's names as they were at the place of a test."""
        self._ask(b"b", encode(number), self.call_seconds)

    def note(self, number: int, names: list[str]) -> dict[str, Any]:
        """What these names are bound to at a test's place: plain values as they are, callables as stand-ins."""
        return self._values(self._ask(b"n", encode((number, names)), self.call_seconds), names)

    def _values(self, found: Any, names: Sequence[str]) -> dict[str, Any]:
        if not isinstance(found, list) or len(found) != len(names):
            raise self._lost("malformed")
        values: dict[str, Any] = {}
        for name, message in zip(names, found, strict=True):
            if not isinstance(message, bytes) or len(message) > LONGEST_VALUE:
                raise self._lost("malformed")
            if message:
                try:
                    decoder = self._decoder(message, name)
                    values[name], parameters = decoder.message()
                    self._hear(decoder.texts)
                    unfolded(values[name])
                    if isinstance(values[name], Proxy) and parameters:
                        values[name].__signature__ = inspect.Signature(
                            [
                                inspect.Parameter(p, KINDS[kind], default=d[0] if d else inspect.Parameter.empty)
                                for p, kind, *d in parameters
                            ]
                        )
                except Exception:  # of any kind: an iterator of theirs ends in the error that they choose
                    raise self._lost("malformed") from None
        return values

    def _decoder(self, message: bytes, name: str, **kwargs: Any) -> Decoder:
        adopt = self._adopter(name)
        return Decoder(message, adopt=adopt, revive=self._revived, stand_for=self._standing_for, **kwargs)

    def _standing_for(self, is_class: bool, number: int, told: Any) -> Any:
        make = self.objects.class_of if is_class else self.objects.object_of
        return make(number, self.generation, told)

    def call(self, target: Proxy, names: dict[str, Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Call one of the student's functions."""
        return self._request(target._number, target._generation, target.__name__, names, args, kwargs)

    def ask(self, what: str, number: int, generation: int, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Do something with a thing of the student's: one of what `student.OPERATE` names."""
        return self._request((what, number), generation, "an object", {}, args, kwargs)

    def _request(
        self, target: Any, generation: int, called: str, names: dict[str, Any], args: Any, kwargs: dict[str, Any]
    ) -> Any:
        if self.broken is not None:
            raise self.broken
        if generation != self.generation or self._line is None:
            raise StudentFailed(f"{called} is of a process that has ended")
        if self.budget <= 0:
            raise StudentFailed("the time for this test was up")
        if not self._within:
            self.before_call()
        replaced, removed = self.replaced()
        drawn, listens = self.drawn(), sys.stdout is not self._quiet
        more = (listens, removed, drawn) if listens or removed or drawn != (None, None) else None
        names = {**replaced, **names}
        for name, thing in names.items():  # lent until the test is over, so that the student is told of it once
            self.stand_for[self._lend(thing)[1]] = name
        outer = dict(self._lent), dict(self._lent_numbers)
        watch = Watch(self._process, min(self.call_seconds, self.budget))
        note = self.observer(called, args, kwargs) if self.observer and not self._within else None
        bound = {name: id(thing) for name, thing in names.items()} | dict.fromkeys(removed, 0)
        told = None if self._within or bound == self._bound else tuple(names.items())
        self._within += 1
        try:
            encoder = Encoder(export=self._lend, rich=not self.numbers_only)
            message = encoder.message((target, args, tuple(kwargs.items()), told, more))
            self._bound = self._bound if told is None else bound
            value = self._converse(b"c", message, watch, encoder.objects, called)
            if note:
                note(value)
            return value
        finally:
            self.budget -= watch.spent()
            self._within -= 1
            self._lent, self._lent_numbers = outer
            if not self._within and self.alive:
                self.after_call()
                if self.live:
                    self.changed(self._values(self._ask(b"g", encode(list(self.live)), self.call_seconds), self.live))

    def _ask(self, kind: bytes, message: bytes, seconds: float) -> Any:
        return self._converse(kind, message, Watch(self._process, seconds), [], "")

    def _converse(self, kind: bytes, message: bytes, watch: Watch, objects: list[Any], name: str) -> Any:
        """Send a request and take the answer, serving the student's calls of lent functions on the way."""
        asked = kind
        try:
            while True:
                assert self._line is not None
                watch.resume()
                self._line.send(kind, message, watch.look)
                answer, data = self._line.receive(watch.look)
                while answer == b"O" and asked == b"c":
                    self._print(decode(data))
                    answer, data = self._line.receive(watch.look)
                if answer != b"C":
                    break
                kind, message = self._serve(data)
            decoder = self._decoder(data, name, known=objects)
            value = decoder.message()
            if asked == b"c" and answer == b"R":
                self._hear(decoder.texts)
            if decoder.folded:
                unfolded([value, *objects])
        except TimeoutError:
            self.hung = True
            raise self._lost("hung") from None
        except (EOFError, ConnectionError, BrokenPipeError):
            raise self._lost("ended") from None
        except WireError:
            raise self._lost("malformed") from None
        finally:
            self._asleep += watch.asleep
            self.doubtful = self.doubtful or watch.doubtful
        if answer == b"R":
            return value
        if answer != b"E" or asked != b"c":  # only a call may end in an error
            raise self._lost("malformed")
        raise self._error(value)

    def _error(self, described: Any) -> BaseException:
        """The student's exception, or the very one that a lent function raised."""
        if not _well_described(described):
            return self._lost("malformed")
        number = described[3]
        if number in self._lent and isinstance(self._lent[number], BaseException):
            error = self._lent[number]
        else:
            if described[0] == "TimeoutError":
                self.hung, self.call_seconds = True, min(self.call_seconds, 2.0)
            error = self._revived(described)
            if len(described) == 5 and isinstance(described[4], Raised):
                described[4].args = error.args  # type: ignore[attr-defined]
                error = described[4]
        told = [self._line_text(cell, line) for cell, line in described[2][-3:]]
        error.student_traceback = "\n".join(filter(None, told)) or "    (not in a line of yours)"
        return error

    def _revived(self, described: Any) -> BaseException:
        """The student's exception, with no word in it that may not be told."""
        kind, message = described[:2]
        if not type(kind) is type(message) is str:
            raise Malformed("no description")
        words = message if self.reads_words else only_known(standard(message), self.words)
        error = revive((kind_of(kind), words))
        if self.reads_words:
            self._hear([message])
        error.student_traceback = ""  # type: ignore[attr-defined]
        return error

    def _print(self, text: Any) -> None:
        """What a call has printed, to where the test listens."""
        if type(text) is not str or len(text) > LONGEST_HEARD:
            raise self._lost("malformed")
        self._hear([text])
        sys.stdout.write(text)

    def _hear(self, texts: list[str]) -> None:
        self.heard_characters += sum(map(len, texts))
        if self.heard_characters <= LONGEST_HEARD:
            self.heard += texts

    def tellable(self, message: str) -> str:
        """A test's message without the words that only the student's process can have put there."""
        if self.heard_characters > LONGEST_HEARD:
            return "The answer is wrong, and gave back too much text to tell of."
        text = " ".join(set(self.heard))
        heard = set(re.findall(r"\w+", f"{text} {text!r}"))
        heard -= PYTHONS_WORDS | self.words
        return re.sub(r"\w+", lambda word: "…" if word[0] in heard else word[0], message)

    # Functions lent to the student for the length of a call

    def _lend(self, thing: Any) -> tuple[int, int]:
        if isinstance(thing, ByNumber):
            return 1, ByNumber.number_of(thing)
        number = self._lent_numbers.get(id(thing))
        if number is None:
            number = self._next_number
            self._next_number += 1
            self._lent[number] = thing
            self._lent_numbers[id(thing)] = number
        return 0, number

    def _adopter(self, name: str) -> Callable[[int, int], Any]:
        def adopt(owner: int, number: int) -> Any:
            if owner == 0 and self.numbers_only:
                return Proxy(self, number, self.generation, name or "function")
            if owner == 0:  # the same one each time: a test may compare two functions
                key = self.generation, number
                return self._proxies.setdefault(key, Proxy(self, number, self.generation, name or "function"))
            if number not in self._lent:
                raise Malformed("a function that was not lent")
            return self._lent[number]

        return adopt

    def _serve(self, data: bytes) -> tuple[bytes, bytes]:
        """Call a lent function for the student: the frame that answers."""
        decoder = self._decoder(data, "", numbers=self.numbers_only)
        try:
            request = decoder.message()
            if len(data) > MAX_ASKED:
                raise NoNumbers("takes no more than a megabyte")
        except NoNumbers as error:
            return self._raising(TypeError(f"the function that you were given {error}"))
        self._hear(decoder.texts)
        if not (isinstance(request, tuple) and len(request) == 3):
            raise Malformed("no call")
        number, args, kwargs = request
        if not (type(number) is int and type(args) is tuple and type(kwargs) is dict):
            raise Malformed("no call")
        if not all(type(key) is str for key in kwargs):
            raise Malformed("no call")
        function = self._lent.get(number)
        if number in self.stand_for:
            self.asked.add(self.stand_for[number])
        if function is None or isinstance(function, BaseException):
            return b"e", encode(("RuntimeError", CALLBACK_GONE, (), -1))
        try:
            return b"r", encode(function(*args, **kwargs), export=self._lend, rich=not self.numbers_only)
        except StudentFailed:
            raise
        except Exception as error:
            return self._raising(error)

    def _raising(self, error: Exception) -> tuple[bytes, bytes]:
        """The frame that raises an error in the student's code, and lets it come back as it was raised."""
        kind, message, _ = describe_error(error)
        return b"e", encode((kind, message, (), self._lend(error)[1]))


def _well_printed(parts: Any) -> bool:
    if type(parts) is not tuple or not all(type(part) is tuple and len(part) == 2 for part in parts):
        return False
    return all(type(kind) is type(text) is str and kind in ("stdout", "stderr", "result") for kind, text in parts)


def _well_described(described: Any) -> bool:
    if not (type(described) is tuple and len(described) in (4, 5)):
        return False
    kind, message, lines, number = described[:4]
    if not (
        type(kind) is str and len(kind) < 100 and type(message) is str and type(lines) is tuple and type(number) is int
    ):
        return False
    return all(type(line) is tuple and len(line) == 2 and all(type(n) is int for n in line) for line in lines)
