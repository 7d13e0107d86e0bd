"""The texts that come from a student's process while a test runs, and what of them the test's message may tell."""

from __future__ import annotations

import builtins
import logging
import re
import sys
import warnings
from collections.abc import Set
from typing import Any

from examiner.isolation.messages import PYTHONS_WORDS, only_known, standard
from examiner.isolation.values import MOST_WARNINGS, Malformed

_DOES = re.compile(r"""[\w)\]}'"]\s*\(|\.\s*[^\W\d]|\bimport\b|[@#\\]""")  # calls, attributes, imports
LONGEST_HEARD = 100_000  # characters of text from a student's process in one test


class Heard:
    """The texts that came back in one test. Only `words`, the notebook's, and Python's own may be told of them."""

    def __init__(self, words: Set[str]) -> None:
        self._words = words
        self.reads_words = False  # whether the test looks at the words of the student's errors
        self.begin_test()

    def begin_test(self) -> None:
        """Nothing has come yet."""
        self._texts: list[str] = []
        self._warned: list[Any] = []
        self._characters = 0

    def add(self, texts: list[str]) -> None:
        """Texts have come."""
        self._characters += sum(map(len, texts))
        if self._characters <= LONGEST_HEARD:
            self._texts += texts

    def show(self, texts: Any) -> None:
        """What a call has printed and told of errors, to where the test listens; Malformed where it may not be that."""
        if type(texts) is not tuple or list(map(type, texts)) != [str, str, tuple] or len(texts[2]) > MOST_WARNINGS:
            raise Malformed("no texts")
        *printed, warned = texts
        if not all(type(told) is tuple and list(map(type, told)) in ([str, str], [str, int, str]) for told in warned):
            raise Malformed("no warnings")
        words = [*printed, *(word for told in warned for word in told if type(word) is str)]
        if sum(map(len, words)) > LONGEST_HEARD:
            raise Malformed("too long a text")
        self.add(words)
        for stream, text in zip((sys.stdout, sys.stderr), printed, strict=True):
            if text:
                stream.write(text)
        self._warned += warned

    def warn(self) -> None:
        """Warn and log as a call has done that is over: where the test makes warnings errors, this raises one."""
        told, self._warned = self._warned, []
        for name, *level, text in told:
            if level:
                logger = logging.getLogger(name)
                if logger.isEnabledFor(level[0]):
                    logger.handle(logger.makeRecord(name, level[0], "", 0, text, (), None))
                continue
            kind = getattr(builtins, name, None)
            known = isinstance(kind, type) and issubclass(kind, Warning)
            warnings.warn(text, kind if known else UserWarning, stacklevel=2)

    def has_code_in(self, source: Any) -> bool:
        """Whether there is a text of the student's in what is to be compiled that does more than to calculate."""
        if not self._texts or not isinstance(source, str | bytes):
            return False
        text = source if isinstance(source, str) else source.decode("utf-8", "replace")
        return any(_DOES.search(heard) and heard in text for heard in set(self._texts))

    def of_an_error(self, message: str) -> str:
        """What a test sees of the message of a student's error: all of it where it looks at the words."""
        if not self.reads_words:
            return only_known(standard(message), self._words)
        self.add([message])
        return message

    def tellable(self, message: str) -> str:
        """A test's message without the words that only the student's process can have put there."""
        if message and self._characters > LONGEST_HEARD:
            return "The answer is wrong, and gave back too much text to tell of."
        text = " ".join(set(self._texts))
        heard = set(re.findall(r"\w+", f"{text} {text!r}"))
        heard -= PYTHONS_WORDS | self._words
        return re.sub(r"\w+", lambda word: "…" if word[0] in heard else word[0], message)
