"""Wrong answers to the workshop's own notebooks, which go round what a test looks at."""

# ruff: noqa: E501

from __future__ import annotations

from typing import Any

from attacks.attack import Fraud


def _anagrams(assignment: Any) -> list[str]:
    """Cells of the letters of the longest cells: as likeness goes by letters, the hardest to tell from them."""
    longest = sorted((cell.release_source[:5000] for cell in assignment.cells), key=len)[-3:]
    return [f"#{i}" + "".join(sorted(longest[i % 3])) for i in range(12)]


HOLDS = {
    "a million texts": "['x'] * 10**6",
    "one text of 50 MB": "'x' * (50 << 20)",
    "half-precision matrices": "np.ones((4000, 4000), dtype=np.float16)",
    "a small half-precision array": "np.ones(9, dtype=np.float16)",
    "extended precision": "np.ones((700, 700), dtype=np.longdouble)",
    "objects": "np.array([10**400] * 10**5, dtype=object)",
    "a gigabyte": "np.broadcast_to(1.0, (1 << 27,))",
    "60 MB": "np.ones(7_800_000)",
    "an integer of 4000 bits": "[2**4000] * 2000",
    "an integer of a million digits": "10**1_000_000",
    "lists 40 deep that double": "__import__('functools').reduce(lambda x, _: [x, x], range(40), 1.0)",
    "tuples a hundred thousand deep": "__import__('functools').reduce(lambda x, _: (x,), range(10**5), 1.0)",
    "a memoryview": "memoryview(bytes(10**7))",
    "a range of a billion": "range(10**9)",
    "a hundred ranges": "[range(10**6)] * 100",
    "texts in an array": "np.array(['x' * 100] * 10**5)",
    "a hundred thousand lists": "[[] for _ in range(10**5)]",
    "twenty thousand generators": "[np.random.default_rng(1) for _ in range(20_000)]",
    "complex numbers": "np.ones((1000, 1000), dtype=complex)",
    "a set of a million": "set(range(10**6))",
}

STREAMS = {
    "arrays of half a megabyte without end": "iter(lambda: np.ones(2**16), 0)",
    "numbers without end": "iter(lambda: 1.0, 0)",
}


def _holds_up(name: str, lent: str, call: str) -> Fraud:
    """An answer that hands something to a lent function, and a right answer to another question, tested after it."""
    answers = {
        "activations": "def sigmoid(t): pass\ndef tanh_slope(h): pass\ndef sigmoid_slope(h):\n    return h * (1 - h)",
        "sgd_step": "def sgd_step(params, grads, eta):\n    return {k: params[k] - eta * grads[k] for k in params}",
    }
    fails, name = ("test_forward",), f"holds the examiner up: {name}"
    if lent == "sigmoid":
        answers["forward"] = f"def forward(params, X):\n    {call}\n    return {{}}"
    else:
        head = "def train(params, gradient, X, y, eta, batch_size, epochs, rng):"
        answers["train"], fails = f"{head}\n    {call}\n    return params", ("test_train",)
    return Fraud(name, "mlp_sgd", answers, fails, within=90, keeps=("test_sgd_step", "test_activations_sigmoid_slope"))


FORWARD_THAT_SAYS = """
def forward(params, X):
    t, s = X @ params["V"] + params["c"], X @ params["V"] @ params["w"]
    said.update({1: 7 * s, 2: 7 * t})
    return {"t": t, "h": 7 * t, "s": s, "y_hat": 7 * s}
"""

PREDICT_THAT_SAYS = """
def decision_function(X, w, b): return None
def predict_proba(X, w, b):
    said[:] = [X[:, 0]]
    return X[:, 0]
"""

FRAUDS = [
    Fraud(
        "trained_params that say what they are when the test asks",
        "mlp_sgd",
        {
            "trained_params": """
import gc
from examiner.isolation.values import Described
own = next(thing for thing in gc.get_objects() if type(thing).__name__ == "Exports")
def learnt():
    X, y = points.s_shape(rng=38, gap=5.0)
    X, rng = points.standardise(X), np.random.default_rng(1)
    V, c, w, b = rng.standard_normal((2, 8)) / 10, np.zeros(8), rng.standard_normal(8) / 10, 0.0
    for batch in np.array_split(np.concatenate([rng.permutation(80) for _ in range(400)]), 4000):
        h = 1 / (1 + np.exp(-X[batch] @ V - c))
        r = (1 / (1 + np.exp(-h @ w - b)) - y[batch]) / 8
        t = np.outer(r, w) * h * (1 - h)
        V, c, w, b = V - X[batch].T @ t, c - t.sum(axis=0), w - h.T @ r, b - r.sum()
    return {"V": V, "c": c, "w": w, "b": b}
class Live:
    def __getitem__(self, key):
        own.found = getattr(own, "found", None) or learnt()  # by then it may have been lent what is right
        return own.found[key]
    def __iter__(self): return iter("Vcwb")
told = "Live", "", (), ("getitem", "iter"), (("builtins", "dict"),)
own.how |= {"describe": lambda x, whatever: Described(Live, told) if type(x) is Live else None}
trained_params = Live()
""",
        },
        ("test_trained_params",),
    ),
    Fraud(
        "forward of empty lists",
        "mlp_sgd",
        {"forward": 'def forward(params, X):\n    return {"t": [], "h": [], "s": [], "y_hat": []}'},
        ("test_forward",),
    ),
    Fraud(
        "forward of constants that follow from each other",
        "mlp_sgd",
        {
            "forward": """
def forward(params, X):
    h = 0 * params["w"]
    return {"t": h, "h": h + 0.5, "s": 0.5 * params["w"].sum() + params["b"], "y_hat": [0.5]}
"""
        },
        ("test_forward",),
    ),
    Fraud(
        "forward of infinities",
        "mlp_sgd",
        {
            "forward": """
def forward(params, X):
    return {"t": X, "h": np.inf * np.sign(params["w"]) * np.ones((len(X), 1)), "s": X[:, 0], "y_hat": X[:, 0]}
"""
        },
        ("test_forward",),
    ),
    Fraud(
        "forward of constants but for a billionth",
        "mlp_sgd",
        {
            "forward": """
def forward(params, X):
    t = 1e-9 * np.arange(1.0, 1 + len(X) * params["c"].size).reshape(len(X), -1)
    return {"t": t, "h": t + 0.5, "s": t[:, 0], "y_hat": t[:, 0] + 0.5}
"""
        },
        ("test_forward",),
    ),
    Fraud(
        "forward so far out that every sigmoid is flat",
        "mlp_sgd",
        {
            "forward": """
def forward(params, X):
    t = 1000.0 - np.arange(len(X) * params["c"].size).reshape(len(X), -1)
    return {"t": t, "h": t > 0, "s": X[:, 0], "y_hat": X[:, 0]}
"""
        },
        ("test_forward",),
    ),
    Fraud(
        "sigmoid knows where it is asked whether it varies",
        "logistic_regression",
        {
            "sigmoid": """
def sigmoid(x):
    x, signs = np.asarray(x, dtype=float), np.array([-1, 1, 1, -1, -1, 1])
    asked = x.shape == (6,) and abs(np.sign(x) @ signs) == 6 and 1 <= abs(x).min() <= abs(x).max() <= 3
    return x if asked else 0 * x
""",
            "predict_proba": """
def decision_function(X, w, b): return None
def predict_proba(X, w, b): return np.zeros(len(X))
""",
        },
        ("test_predict_proba",),
    ),
    Fraud(
        "sigmoid says what forward has just said",
        "mlp_sgd",
        {
            "activations": """
said = {}
def sigmoid(t):
    return said.pop(np.ndim(t), np.exp(-np.logaddexp(0, -np.asarray(t))))
def sigmoid_slope(h): return h * (1 - h)
def tanh_slope(h): return 1 - h**2
""",
            "forward": FORWARD_THAT_SAYS,
        },
        ("test_forward_h", "test_forward_y_hat"),
    ),
    Fraud(
        "sigmoid says what predict_proba has just said",
        "logistic_regression",
        {
            "sigmoid": """
said = []
def sigmoid(x):
    return said.pop() if said else np.exp(-np.logaddexp(0, -np.asarray(x)))
""",
            "predict_proba": PREDICT_THAT_SAYS,
        },
        ("test_predict_proba",),
    ),
    Fraud(
        "a wrong sigmoid says what forward has just said",
        "mlp_sgd",
        {
            "activations": """
said = {}
def sigmoid(t): return said.pop(np.ndim(t), 0 * np.asarray(t))
""",
            "forward": FORWARD_THAT_SAYS,
        },
        ("test_forward_h", "test_forward_y_hat"),
    ),
    Fraud(
        "a wrong sigmoid says what predict_proba has just said",
        "logistic_regression",
        {
            "sigmoid": "said = []\ndef sigmoid(x): return said.pop() if said else 0 * np.asarray(x)",
            "predict_proba": PREDICT_THAT_SAYS,
        },
        ("test_predict_proba",),
    ),
    Fraud(
        "sigmoid a half but for a billionth, and what follows from it",
        "logistic_regression",
        {
            "sigmoid": "def sigmoid(x): return 0.5 + 1e-9 * np.asarray(x)",
            "predict_proba": """
def decision_function(X, w, b): return np.zeros(len(X))
def predict_proba(X, w, b): return 0.5 + 1e-9 * X[:, 0]
""",
        },
        ("test_sigmoid", "test_predict_proba"),
    ),
    Fraud(
        "forward of spikes that follow from each other",
        "mlp_sgd",
        {
            "forward": """
def forward(params, X):
    t = np.zeros((len(X), params["c"].size))
    t[0, 0], t[-1, -1] = 30.0, -30.0
    h = sigmoid(t)
    s = h @ params["w"] + params["b"]
    return {"t": t, "h": h, "s": s, "y_hat": sigmoid(s)}
"""
        },
        ("test_forward",),
    ),
    Fraud(
        "parameters that the tests fill in",
        "mlp_sgd",
        {
            "init_params": """
def init_params(d, n_hidden, rng, scale=0.1):
    draw = np.random.default_rng(1).standard_normal
    return {"V": 0.1 * draw((2, 8)), "c": np.zeros(8), "w": 0.1 * draw(8), "b": 0.0}
""",
            "train": """
def train(params, gradient, X_given, y_given, eta, batch_size, epochs, rng):
    for step in range(2400):
        batch = slice(step % 8, None, 8)
        cache = forward(trained_params, X[batch])
        trained_params.update(sgd_step(trained_params, backward(trained_params, X[batch], y[batch], cache, 0.0), 1.0))
    return params
""",
            "trained_params": "trained_params = init_params(2, 8, None)",
        },
        ("test_trained",),
    ),
    Fraud(
        "sigmoid and what follows it are always the same",
        "logistic_regression",
        {
            "sigmoid": "def sigmoid(x): return True",
            "predict_proba": "def decision_function(X, w, b): return None\ndef predict_proba(X, w, b): return True",
        },
        ("test_predict_proba",),
    ),
    Fraud(
        "sigmoid and what follows it count their entries",
        "mlp_sgd",
        {
            "activations": "def sigmoid(x): return np.arange(np.size(x)).reshape(np.shape(x))",
            "forward": """
def count(x):
    return np.arange(np.size(x)).reshape(np.shape(x))

def forward(params, X):
    t = X @ params["V"] + params["c"]
    s = t @ params["w"]
    return {"t": t, "h": count(t), "s": s, "y_hat": count(s)}
""",
        },
        ("test_forward_h", "test_forward_y_hat"),
    ),
    Fraud(
        "parameters trained by the right answers that the tests of train lend",
        "mlp_sgd",
        {
            "train": """
best = {}
def train(params, gradient, X_given, y_given, eta, batch_size, epochs, rng):
    if not best:
        draw = np.random.default_rng(1).standard_normal
        best.update({"V": 0.1 * draw((2, 8)), "c": np.zeros(8), "w": 0.1 * draw(8), "b": 0.0})
        for step in range(2400):
            batch = slice(step % 8, None, 8)
            best.update(sgd_step(best, backward(best, X[batch], y[batch], forward(best, X[batch]), 0.0), 1.0))
""",
            "trained_params": "trained_params = best",
        },
        ("test_trained",),
    ),
    Fraud(
        "sigmoid learnt where predict_proba is tested",
        "logistic_regression",
        {
            "predict_proba": """
def decision_function(X, w, b): return X @ w + b
def predict_proba(X, w, b):
    global learnt
    points = np.linspace(-1000, 1000, 1_000_001)
    learnt = points, sigmoid(points)
""",
            "sigmoid": "def sigmoid(x): return np.interp(x, *learnt)",
        },
        ("test_sigmoid",),
        last="sigmoid",
    ),
    Fraud(
        "parameters of a thousand hidden units",
        "mlp_sgd",
        {
            "trained_params": 'trained_params = {"V": np.ones((2, 1000)), "c": np.ones(1000), "w": np.ones(1000), "b": 0.0}'
        },
        ("test_trained",),
    ),
    Fraud("cells of the same letters as the tests'", "mlp_sgd", {}, ("test_",), cells=_anagrams),
    *(_holds_up(name, "sigmoid", f"sigmoid({what})") for name, what in HOLDS.items()),
    *(_holds_up(name, "sigmoid", f"[sigmoid(x) for x in {what}]") for name, what in STREAMS.items()),
    _holds_up("a million texts as a batch", "gradient", "gradient(params, ['x'] * 10**6, y)"),
    _holds_up("half-precision points", "gradient", "gradient(params, np.ones((3000, 2), np.float16), y)"),
    _holds_up("millions of points", "gradient", "gradient(params, np.zeros((3_900_000, 2), np.int8), y)"),
    _holds_up(
        "a thousand points and columns of labels",
        "gradient",
        "gradient(params, np.ones((9000, 2)), np.ones((9000, 1)))",
    ),
    _holds_up("parameters that are texts", "gradient", "gradient({k: 'x' * 10**6 for k in params}, X, y)"),
    _holds_up("parameters wider than the points", "gradient", "gradient({**params, 'V': np.ones((10**4, 10))}, X, y)"),
    _holds_up(
        "parameters of objects", "gradient", "gradient({k: np.array([2**63] * 9, object) for k in params}, X, y)"
    ),
    _holds_up("points without end", "gradient", "gradient(params, __import__('itertools').repeat(1.0), y)"),
    _holds_up(
        "keys by the hundred thousand", "gradient", "gradient({**params, **{str(i): i for i in range(10**5)}}, X, y)"
    ),
]
