"""What of an error's message may be shown: a student's own words may hold a hidden test's numbers, Python's do not."""

from __future__ import annotations

import builtins
import re
import types
import unicodedata
from collections.abc import Container

import numpy as np

NUMBER = re.compile(r"-?\d+\.\d*(e[+-]?\d+)?|-?\d{5,}")


# S: a shape, W: a name, N: a number of up to four digits, T: a type.
_STANDARD = r"""
    operands could not be broadcast together with shapes( S){2,3} ?
    non-broadcastable output operand with shape S doesn't match the broadcast shape S
    could not broadcast input array from shape S into shape S
    shapes S and S not aligned: N \(dim N\) != N \(dim N\)
    matmul: Input operand N has a mismatch in its core dimension N, with gufunc signature \(n\?,k\),\(k,m\?\)->\(n\?,m\?\) \(size N is different from N\)
    matmul: Input operand N does not have enough dimensions \(has N, gufunc core with signature \(n\?,k\),\(k,m\?\)->\(n\?,m\?\) requires N\)
    cannot reshape array of size N into shape S
    index -?N is out of bounds for axis N with size N
    too many indices for array: array is N-dimensional, but N were indexed
    axis -?N is out of bounds for array of dimension N
    (list|tuple|string) index out of range
    (list|tuple) indices must be integers or slices, not T
    only integers, slices \(`:`\), ellipsis \(`...`\), numpy.newaxis \(`None`\) and integer or boolean arrays are valid indices
    only integer scalar arrays can be converted to a scalar index
    only (length-1|size-1|0-dimensional) arrays can be converted to Python scalars
    The truth value of an array with more than one element is ambiguous. Use a.any\(\) or a.all\(\)
    setting an array element with a sequence.( The requested array has an inhomogeneous shape after N dimensions.( The detected shape was S \+ inhomogeneous part.)?)?
    all the input arrays must have same number of dimensions, but the array at index N has N dimension\(s\) and the array at index N has N dimension\(s\)
    all the input array dimensions except for the concatenation axis must match exactly, but along dimension N, the array at index N has size N and the array at index N has size N
    Cannot cast ufunc 'W' (in|out)put( N)? from dtype\('T'\) to dtype\('T'\) with casting rule 'same_kind'
    ufunc 'W' not supported for the input types, and the inputs could not be safely coerced to any supported types according to the casting rule ''safe''
    assignment destination is read-only
    name 'W' is not defined
    cannot access (local|free) variable 'W' where it is not associated with a value( in enclosing scope)?
    No module named 'T'
    module 'T' has no attribute 'W'
    (type object )?'T' object has no attribute 'W'
    'T' object is not (callable|iterable|subscriptable)
    'T' object does not support item assignment
    'T' object cannot be interpreted as an integer
    object of type 'T' has no len\(\)
    unsupported operand type\(s\) for ([-+*/%@&|^<>=]{1,3}( or pow\(\))?|divmod\(\)): 'T' and 'T'
    bad operand type for unary [-+~]: 'T'
    '[<>=]{1,2}' not supported between instances of 'T' and 'T'
    can't multiply sequence by non-int of type 'T'
    T\(\) missing N required positional arguments?: 'W'((,|,? and) 'W'){0,5}
    T\(\) takes (from N to )?N positional arguments? but N (was|were) given
    T\(\) got (an unexpected keyword argument|multiple values for argument) 'W'
    too many values to unpack \(expected N(, got N)?\)
    not enough values to unpack \(expected N, got N\)
    cannot unpack non-iterable T object
    maximum recursion depth exceeded( in comparison| while calling a Python object)?
    (float |integer )?(division|modulo) by zero|float floor division by zero
    math (domain|range) error
    array split does not result in an equal division
    Cannot interpret 'N' as a data type
    Cannot take a larger sample than population when replace is False
    zero-size array to reduction operation W which has no identity
    arrays used as indices must be of integer \(or boolean\) type
    slice indices must be integers or None or have an __index__ method
    local variable 'W' referenced before assignment
    unhashable type: 'T'
    'T' object does not support item deletion
    argument of type 'T' is not iterable
    loop of ufunc does not support argument N of type T which has no callable W method
    expected a (positive|nonnegative|noninteger or positive|finite) (input|integer)(, got (…|-?N|-?inf|nan))?
    expected a number in range from -1 (up )?to 1, got (…|-?N|-?inf|nan)
    invalid literal for int\(\) with base N: 'W'
    can only concatenate T \(not "T"\) to T
    T expected at least N arguments?, got N
    return arrays must be of ArrayType
    'out' must be an array
    len\(\) of unsized object
    iteration over a 0-d array
    invalid index to scalar variable.
    zero-dimensional arrays cannot be concatenated
    negative dimensions are not allowed
    slice step cannot be zero
    number sections must be larger than (…|0.)
    W is still to be written
    it was still running when its time was up
    this function was lent for one call of yours, and that call is over
    it did not end after 100,000 values
    the values are larger than N MB
    too many values
    nested too deeply
    an integer of more than four thousand digits
    an array of dtype T
    a random generator of the kind W
"""  # noqa: E501
_PARTS = {
    "S": r"\((\d{1,4}|…)?(, ?(\d{1,4}|…)){0,5},?\)",
    "W": r"[^\W\d]\w{0,30}",
    "N": r"\d{1,4}",
    "T": r"[<>|=]?[^\W\d]\w{0,40}>?(\.<?[^\W\d]\w{0,40}>?){0,3}(\[\w{1,12}\])?",
}
_MOST_DIGITS = 16  # of all sizes in a message: whoever makes one up could tell a hidden input in them
_SHOWN = re.compile(
    "|".join(
        re.sub(r"(?<![\w\\.])[SWNT](?![a-z.])", lambda part: _PARTS[part[0]], line.strip())
        for line in _STANDARD.strip().split("\n")
    )
)
_KINDS = {name for name, kind in vars(builtins).items() if isinstance(kind, type) and issubclass(kind, BaseException)}
_TYPES = [*vars(types).values(), *map(type, ({}.keys(), {}.values(), {}.items(), iter([]), iter(()), iter("")))]
PYTHONS_WORDS = frozenset(
    {*re.findall(r"\w+", _STANDARD), *dir(builtins), *dir(np), *dir(np.ndarray), *dir(np.linalg), *dir(np.random)}
    | {kind.__name__ for kind in _TYPES if isinstance(kind, type)}
)
"""What a message of Python's or NumPy's own may have in it, beside the words of the notebook."""


def kind_of(name: str) -> str:
    """The name of an error's kind: a student's process can send any text as such."""
    return name if name in _KINDS else "Exception"


def only_known(text: str, words: Container[str]) -> str:
    """The text without the words that are neither Python's nor among `words`: an input may be spelt out in a name."""
    return re.sub(r"[^\W\d]\w*", lambda w: w[0] if w[0] in PYTHONS_WORDS or w[0] in words else "…", text)


def without_numbers(text: str) -> str:
    """A test's own words, without the numbers in them."""
    return NUMBER.sub("…", text.split("\n")[0])[:300]


def standard(text: str) -> str:
    """A message of student code's while tests run, if it is one of Python's or NumPy's own, else nothing.

    A key that is missing is told too, if it is a name: KeyError's message is the key alone.
    """
    line = without_numbers(text)
    if sum(map(str.isdigit, line)) > _MOST_DIGITS:
        return ""
    return line if _SHOWN.fullmatch(line) or re.fullmatch(r"[^\W\d]\w{0,11}", line) else ""


def printable(text: str) -> str:
    """The text with nothing in it that steers a terminal or turns the direction of writing."""
    return "".join(c if c in "\n\t" or unicodedata.category(c)[0] != "C" else "\ufffd" for c in text)
