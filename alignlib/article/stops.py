"""What keeps the printed code from running: for each slip the smallest program of ours that has it, and Python's word.

The programs are patterns, not quotations.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Stop:
    """A slip that keeps the printed code from running, as the smallest program of ours with the same pattern."""

    where: str
    slip: str
    program: str

    def python_says(self) -> Exception:
        """Run the program and return what it raises.

        Raises
        ------
        AssertionError
            If it runs through: then it does not show the slip.
        """
        try:
            exec(compile(self.program, "<pattern>", "exec"), {"np": np})
        except Exception as problem:
            return problem
        raise AssertionError(f"{self.slip}: the program runs.")


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
    ),
    Stop(
        "layout",
        "methods not indented below their class",
        """
class Net:
def last(self, layers):
    return layers[-1]
""",
    ),
    Stop(
        "training step",
        "a call of which only the arguments are left",
        """
error=1,
layers=[2],
)
""",
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
    ),
    Stop(
        "infer",
        "one name in the signature, another in the body",
        """
def infer(input):
    return inputs
infer(0)
""",
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
    ),
    Stop(
        "training step",
        "the last hidden layer taken for the output",
        """
layers, targets = [np.zeros((4, 6)), np.zeros((4, 5))], np.zeros((4, 3))
layers.pop() - targets
""",
    ),
    Stop(
        "training step",
        "a comma that makes a tuple of the error",
        """
error = np.zeros((4, 3)) - 1,
error.T
""",
    ),
    Stop(
        "training",
        "two results expected of a step that returns none",
        """
def step():
    pass
error, loss = step()
""",
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
    ),
    Stop(
        "update",
        "changes that were never collected",
        """
changes = []
for depth in range(2):
    changes[depth]
""",
    ),
    Stop(
        "update",
        "a change of the transposed shape",
        """
W, h, delta = np.zeros((5, 3)), np.zeros((4, 5)), np.zeros((4, 3))
W += delta.T @ h
""",
    ),
)
