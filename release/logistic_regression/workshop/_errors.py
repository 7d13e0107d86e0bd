"""What the errors of Python and NumPy mean that students meet here, in a tutor's words."""

from __future__ import annotations

import re

_WORDS = [
    (r"truth value of an array", "An if, and, or, while looks at a whole array, and needs one True or False. To choose entry by entry, take np.where(condition, this, that)."),
    (r"not have enough dimensions", "@ multiplies arrays, and on one side of it there is a single number. Is that number meant, or has something else come there, as when arguments are handed over in another order?"),
    (r"matmul: Input operand|not aligned", "In a product of matrices, (n, k) @ (k, m), the inner sizes must agree. Print both shapes, and say of each side what it counts."),
    (r"could not (be )?broadcast|non-broadcastable", "Two arrays are combined entry by entry whose shapes don't fit: from the last side on, sides are equal, or one of them is 1. Print both shapes."),
    (r"bitwise_xor|for \^: ", "^ is no power in Python, where it works on the bits of whole numbers: h squared is h**2."),
    (r"Cannot interpret '\d+' as a data type", "A number stands where a type is asked: a shape of two sides is one argument, with brackets of its own, (d, n_hidden)."),
    (r"number sections must be larger", "np.array_split is to cut into 0 parts here: a // b is 0 where b is the larger."),
    (r"equal division", "np.split cuts into equal parts only, and here the last one may be smaller: slices, order[a:b], cut anywhere."),
    (r"larger sample than population", "Without replacement no more can be drawn than there is: the last batch may be smaller, and batch_size larger than n."),
    (r"NoneType", "Something is None there. A function without a return gives None, and so does what works in place, such as rng.shuffle or list.append."),
    (r"^KeyError", "The dict has no such key: compare it letter by letter with those that it has."),
    (r"'generator' has no len|'generator' object is not subscriptable", "A generator gives its values one by one, in a loop, and once: list(...) keeps them."),
    (r"only integer scalar", "An index or a count must be one whole number, and an array stands there."),
    (r"only (length-1|size-1|0-dimensional)", "What takes one number (float, int, a function of math, one entry of an array) is given an array."),
    (r"(cannot access|referenced before|free variable)", "The name has no value yet in that line: it gets one further down, or in a branch or loop that was not run."),
    (r"name '.*' is not defined", "Is the name misspelt, or is it made in a cell that has not run? What a function needs comes in as an argument."),
    (r"same_kind", "Fractions are written into an array of whole numbers: begin with floats, as by np.array(..., dtype=float), or make a new array."),
    (r"read-only", "This array is not yours to write into: work on a copy of it."),
    (r"recursion", "A function calls itself too often: a loop has no such limit."),
    (r"positional argument|unexpected keyword|multiple values for argument", "A function is called with other arguments than its head asks for: compare the call with its docstring."),
    (r"values to unpack|cannot unpack", "A result is taken apart into another number of names than it has parts: print what it is."),
    (r"out of bounds for axis \d+ with|index out of range", "An index is beyond the end: from 0 they run to the length minus 1."),
    (r"axis -?\d+ is out of bounds|too many indices", "The array has fewer sides than that: of (N,) there is axis 0 alone. Print its shape."),
    (r"'float' object cannot be interpreted as an integer", "A count must be a whole number, and a fraction stands there: / gives one even where nothing is left over."),
    (r"indices must be integers or slices, not tuple", "A list takes one index at a time: of an array, [i, j] is an entry."),
    (r"only integers, slices|indices must be integers|interpreted as an integer|used as indices", "An index or a count must be a whole number: print what stands there."),
    (r"inhomogeneous|element with a sequence", "What is put into one array differs in length, or is an array where one number has room."),
    (r"reshape", "The shape asked for has another number of entries than there are."),
    (r"'dict' (and|\()|and 'dict'|'dict'$", "A dict holds arrays and is none itself: work on each of them, by its key."),
    (r"'(list|tuple)' and|and '(list|tuple)'|can't multiply sequence|can only concatenate", "A list or a tuple is no array: + and * mean something else for it, and − nothing. Is it to be an array, or to be taken apart first?"),
    (r"builtin_function_or_method|'(method|function|ufunc)' ", "A function stands there and not its result: are its brackets () missing?"),
    (r"'(numpy\.)?(int|float|int64|float64)' object is not (subscriptable|iterable)|'(int|float|float64)' has no len", "A single number stands there, where an array or a list is asked."),
    (r"is not callable", "Brackets () after what is no function: is a * missing, or has a function's name been given to a number?"),
    (r"division by zero", "It is divided by 0: what is 0 there, and can it be?"),
    (r"math (domain|range) error", "math.exp and math.log stop where NumPy's give infinity: write it so that nothing large is exponentiated."),
    (r"zero-size array", "There is nothing in that array: is a batch empty, or a slice?"),
    (r"has no attribute", "There is nothing of that name: is it misspelt, or is this another kind of thing than you think? print(type(...)) tells."),
]  # fmt: skip


def in_words(kind: str, message: str) -> str:
    """What an error means and what to do about it; nothing where its own text has to do."""
    return next((words for pattern, words in _WORDS if re.search(pattern, f"{kind}: {message}")), "")
