import itertools

import numpy as np
import pytest

import alignlib as al
from alignlib.wiring import Edge, longest_chain, wiring

SIZES = [5, 7, 6, 4, 3]


def rule_for(name, sizes=SIZES, **options):
    net = al.MLP(sizes, rng=np.random.default_rng(0), init=options.pop("init", "fan-in"))
    return al.rules.RULES[name](net, rng=np.random.default_rng(1), **options), net


EDGES = {
    "bp": [("layer 2", "layer 1", "W2ᵀ"), ("layer 3", "layer 2", "W3ᵀ"), ("error", "layer 3", "W4ᵀ")],
    "fa": [("layer 2", "layer 1", "B2"), ("layer 3", "layer 2", "B3"), ("error", "layer 3", "B4")],
    "dfa": [("error", "layer 1", "B1"), ("error", "layer 2", "B2"), ("error", "layer 3", "B3")],
    "ifa": [("error", "layer 1", "B1"), ("layer 1", "layer 2", "W2"), ("layer 2", "layer 3", "W3")],
    "shallow": [],
    "usf": [
        ("layer 2", "layer 1", "sign W2ᵀ", "m2"),
        ("layer 3", "layer 2", "sign W3ᵀ", "m3"),
        ("error", "layer 3", "sign W4ᵀ", "m4"),
    ],
    "dkp": [("error", "layer 1", "B1"), ("error", "layer 2", "B2"), ("error", "layer 3", "B3")],
    "sdfa": [("error", "layer 1", "B1"), ("error", "layer 2", "B2"), ("error", "layer 3", "B3")],
    "drtp": [("target", "layer 1", "B1"), ("target", "layer 2", "B2"), ("target", "layer 3", "B3")],
    "pepita": [
        ("error", "input", "F"), ("input", "layer 1", "W1"),
        ("layer 1", "layer 2", "W2"), ("layer 2", "layer 3", "W3"),
    ],
}  # fmt: skip
EDGES["brsf"] = EDGES["frsf"] = [
    ("layer 2", "layer 1", "M2", "sign W2ᵀ"),
    ("layer 3", "layer 2", "M3", "sign W3ᵀ"),
    ("error", "layer 3", "M4", "sign W4ᵀ"),
]
EDGES["kp"] = EDGES["wm"] = EDGES["fa"]


@pytest.mark.parametrize("init", ["fan-in", "zero"])
@pytest.mark.parametrize("name", EDGES)
def test_wiring_is_found_in_the_rule_whatever_the_weights_are(name, init):
    edges = wiring(*rule_for(name, init=init))
    assert edges == [Edge(source, target, tuple(matrices)) for source, target, *matrices in EDGES[name]]


def test_wiring_changes_neither_the_rule_nor_the_network():
    rule, net = rule_for("fa")
    before = [net.parameters.copy(), *(B.copy() for B in rule.feedback)]
    wiring(rule, net)
    for now, then in zip([net.parameters, *rule.feedback], before, strict=True):
        np.testing.assert_array_equal(now, then)


def test_a_shared_matrix_still_shows_which_layers_it_serves():
    rule, net = rule_for("dfa", [5, 6, 6, 3], shared=True)
    assert [e.source for e in wiring(rule, net)] == ["error", "error"]
    assert al.costs(rule, net).feedback_numbers == 6 * 3


@pytest.mark.parametrize(
    ("name", "steps"), [("bp", 3), ("fa", 3), ("dfa", 1), ("ifa", 3), ("shallow", 0), ("drtp", 1), ("pepita", 4)]
)
def test_what_must_wait(name, steps):
    assert longest_chain(wiring(*rule_for(name))) == steps


def expected_error_pass(name):
    """The operation count on paper: products with every matrix on the way, one multiply-add an entry."""
    n0, n1, n2, n3, out = SIZES
    if name in ("usf", "brsf", "frsf", "kp", "wm"):
        return expected_error_pass("bp")
    if name == "dkp":
        return expected_error_pass("dfa")
    return {
        "bp": n1 * n2 + n2 * n3 + n3 * out,
        "fa": n1 * n2 + n2 * n3 + n3 * out,
        "dfa": out * (n1 + n2 + n3),
        "ifa": out * n1 + n1 * n2 + n2 * n3,
        "shallow": 0,
        "sdfa": out * (n1 + n2 + n3),
        "drtp": out * (n1 + n2 + n3),
        "pepita": n0 * out + n0 * n1 + n1 * n2 + n2 * n3 + n3 * out,  # F, and a whole second forward pass
    }[name]


@pytest.mark.parametrize("name", EDGES)
def test_counted_operations_are_those_on_paper(name):
    batch, weights = 8, sum(a * b for a, b in itertools.pairwise(SIZES))
    cost = al.costs(*rule_for(name), batch=batch)
    assert cost.forward == batch * weights
    assert cost.gradients == batch * (weights if name != "shallow" else 4 * 3)
    assert cost.error_pass == batch * expected_error_pass(name)
    assert cost.feedback_learning == expected_feedback_learning(name, batch)
    assert cost.total == cost.forward + cost.error_pass + cost.gradients + cost.feedback_learning


def expected_feedback_learning(name, batch):
    """What the synapses of the feedback multiply: activity with δ or e, or noise with what becomes of it."""
    if name == "wm":
        return 2 * al.rules.WeightMirror.examples * expected_error_pass("bp")
    return batch * expected_error_pass(name) if name in ("kp", "dkp") else 0


@pytest.mark.parametrize(
    ("name", "numbers"),
    [
        ("bp", 0),
        ("fa", 7 * 6 + 6 * 4 + 4 * 3),
        ("dfa", 3 * (7 + 6 + 4)),
        ("ifa", 3 * 7),
        ("shallow", 0),
        ("usf", 3),
        ("frsf", 7 * 6 + 6 * 4 + 4 * 3),
        ("dkp", 3 * (7 + 6 + 4)),
        ("pepita", 3 * 5),
    ],
)
def test_stored_random_numbers(name, numbers):
    assert al.costs(*rule_for(name)).feedback_numbers == numbers


@pytest.mark.parametrize("name", EDGES)
def test_counting_changes_neither_the_rule_nor_the_network(name):
    rule, net = rule_for(name)
    before = [net.parameters.copy(), *(B.copy() for B in rule.feedback)]
    al.costs(rule, net)
    for now, then in zip([net.parameters, *rule.feedback], before, strict=True):
        np.testing.assert_array_equal(now, then)
