"""Every equation in the notebooks' text is worked out as those of the slides are, and compared."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from test_deck_formulas import HAT, OBJ, Values, agree, batch, build, descent, models, split

from read_tex import evaluate

SOURCE = Path(__file__).parents[2] / "source"
KINDS = {"logistic_regression": "logistic", "mlp_sgd": "network"}
NAMES = {  # as they stand: the penalty of either notebook is half the sum of the squared weights
    r"p(y \mid \mathbf{x})": "p",
    r"P(y = 1 \mid \mathbf{x})": HAT,
    r"\mathrm{obj}(\mathbf{w}, b) =": f"{OBJ} =",
    r"\mathrm{obj} =": f"{OBJ} =",
    "L(s_i, y_i)": "L",
    r"\frac{1}{2}\sum_{j=1}^{d} w_j^2": "R",
    r"\frac{1}{2}\Big(\sum_{jk} v_{jk}^2 + \sum_k w_k^2\Big)": "R",
    r"\cdot": "",
}
CHOSEN = ("s = 37", r"\lambda = 0", r"\delta = 10", r"\delta^2 = 10", "10^{-16}")  # numbers that test_claims works with


def equations() -> list[Any]:
    """The kind of model, and an equation or a step of the notebook about it."""
    found = []
    for name, kind in KINDS.items():
        for cell in json.loads((SOURCE / name / f"{name}.ipynb").read_text("utf-8"))["cells"]:
            text = "".join(cell["source"]) if cell["cell_type"] == "markdown" else ""
            for formula in build.formulas(text):
                for equation in split(" ".join(formula.split())):
                    says = re.search(r"=|\\leftarrow", re.sub(r"_\{[^}]*\}", "", equation))
                    if says and not equation.startswith(CHOSEN):
                        found.append(pytest.param(kind, equation, id=f"{name}: {equation}"))
    return found


def meaning(kind: str, equation: str) -> list[Values]:
    """The values of the symbols in an equation."""
    if OBJ in equation or r"\leftarrow" in equation:
        return descent("subset" if "|S|" in equation else "all")
    if r"\frac{1}{N}" in equation:
        return [batch()[kind == "network"]]
    return models(kind)


@pytest.mark.parametrize(("kind", "equation"), equations())
def test_an_equation_of_a_notebook_holds(kind: str, equation: str) -> None:
    for phrase, name in NAMES.items():
        equation = equation.replace(phrase, name)
    for values in meaning(kind, equation):
        if r"\leftarrow" in equation:  # the same step for each parameter
            step = re.sub(r"\\theta|\bb\b", r"\\mathbf{w}", equation.split(r"\leftarrow")[1])
            np.testing.assert_allclose(evaluate(step, values), values["AFTER"], atol=1e-8)
        else:
            agree(equation, values)
