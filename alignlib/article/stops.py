"""What keeps the printed code from running: for each slip the smallest program of ours that has it, and the repair.

The programs are patterns, not quotations.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Stop:
    """A slip that keeps the printed code from running, as the smallest program of ours with the same pattern.

    ``repair`` is the piece of the program that is wrong, and what belongs in its place.
    """

    where: str
    slip: str
    program: str
    repair: tuple[str, str]

    @property
    def repaired(self) -> str:
        """The program with its slip mended."""
        return self.program.replace(*self.repair)

    def mended(self) -> str:
        """Return the lines that are wrong, each after "- ", and those that belong in their place, after "+ "."""
        lines = difflib.ndiff(self.program.splitlines(), self.repaired.splitlines())
        return "\n".join(line for line in lines if line[0] in "-+")


def python_says(program: str) -> Exception | None:
    """Run a program and return what it raises; None if it runs through."""
    try:
        exec(compile(program, "<pattern>", "exec"), {"np": np})
    except Exception as problem:
        return problem
    return None


#: In the order in which a reader who types the code in would meet them.
STOPS = (
    Stop(
        "layout",
        "two methods on one line",
        """
class Net:
    def last(self, layers):
        return layers[-1]def forward(self):
            pass
""",
        ("[-1]def", "[-1]\n    def"),
    ),
    Stop(
        "layout",
        "methods not indented below their class",
        """
class Net:
def last(self, layers):
    return layers[-1]
""",
        ("\ndef last(self, layers):\n    ", "\n    def last(self, layers):\n        "),
    ),
    Stop(
        "training step",
        "a call of which only the arguments are left",
        """
error=1,
layers=[2],
)
""",
        ("error=1,", "dict(error=1,"),
    ),
    Stop(
        "the class",
        "no constructor that sets the weights",
        """
class Net:
    def depth(self):
        return len(self.WEIGHTS)
Net().depth()
""",
        ("class Net:", "class Net:\n    WEIGHTS = []"),
    ),
    Stop(
        "infer",
        "one name in the signature, another in the body",
        """
def infer(input):
    return inputs
infer(0)
""",
        ("return inputs", "return input"),
    ),
    Stop(
        "hidden layers",
        "lists that nothing is appended to",
        """
activated = []
for depth in range(2):
    layer = depth
activated[-1]
""",
        ("layer = depth", "activated.append(depth)"),
    ),
    Stop(
        "training step",
        "the last hidden layer taken for the output",
        """
layers, targets = [np.zeros((4, 6)), np.zeros((4, 5))], np.zeros((4, 3))
layers.pop() - targets
""",
        ("np.zeros((4, 5))], ", "np.zeros((4, 3))], "),
    ),
    Stop(
        "training step",
        "a comma that makes a tuple of the error",
        """
error = np.zeros((4, 3)) - 1,
error.T
""",
        (" - 1,", " - 1"),
    ),
    Stop(
        "training",
        "two results expected of a step that returns none",
        """
def step():
    pass
error, loss = step()
""",
        ("pass", "return 0, 0"),
    ),
    Stop(
        "changes of the weights",
        "a static method that uses self",
        """
class Net:
    @staticmethod
    def changes(a):
        return self.slope(a)
Net.changes(0)
""",
        ("self.slope(a)", "a"),
    ),
    Stop(
        "changes of the weights",
        "with one hidden layer, a loop that never starts",
        """
def changes(n_layers):
    for depth in range(n_layers, 1, -1):
        h = depth
    return 2 * h
changes(1)
""",
        ("(n_layers, 1, -1)", "(n_layers, 0, -1)"),
    ),
    Stop(
        "update",
        "changes that were never collected",
        """
changes = []
for depth in range(2):
    changes[depth]
""",
        ("changes = []", "changes = [0, 0]"),
    ),
    Stop(
        "update",
        "a change of the transposed shape",
        """
W, h, delta = np.zeros((5, 3)), np.zeros((4, 5)), np.zeros((4, 3))
W += delta.T @ h
""",
        ("delta.T @ h", "h.T @ delta"),
    ),
)
