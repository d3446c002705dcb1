import copy
import tracemalloc

import numpy as np
import pytest

import alignlib as al
from alignlib import optimizers
from alignlib.adversarial import Adversary
from alignlib.dropout import Dropout
from alignlib.training import train


def reference_steps(update, gradients, start):
    """Follow a scalar update rule on a list of gradients."""
    p, state = start, {}
    for t, g in enumerate(gradients, start=1):
        p = update(p, g, state, t)
    return p


def sgd(momentum=0.0, nesterov=False):
    def update(p, g, state, t):
        v = state["v"] = momentum * state.get("v", 0.0) + g
        return p - 0.1 * (g + momentum * v if nesterov else v)

    return update


def rmsprop(p, g, state, t):
    m = state["m"] = 0.99 * state.get("m", 0.0) + 0.01 * g * g
    return p - 0.1 * g / (np.sqrt(m) + 1e-8)


def adam(p, g, state, t):
    m = state["m"] = 0.9 * state.get("m", 0.0) + 0.1 * g
    v = state["v"] = 0.999 * state.get("v", 0.0) + 0.001 * g * g
    return p - 0.1 * (m / (1 - 0.9**t)) / (np.sqrt(v / (1 - 0.999**t)) + 1e-8)


@pytest.mark.parametrize(
    ("name", "options", "update"),
    [
        ("sgd", {}, sgd()),
        ("sgd", {"momentum": 0.9}, sgd(0.9)),
        ("sgd", {"momentum": 0.9, "nesterov": True}, sgd(0.9, True)),
        ("rmsprop", {}, rmsprop),
        ("adam", {}, adam),
    ],
)
def test_optimisers_follow_their_equations(name, options, update):
    gradients = [0.3, -1.2, 0.05, 2.0, 0.0]
    p = np.array([0.7, -0.4])
    optimizer = optimizers.make(name, p, 0.1, **options)
    for g in gradients:
        optimizer.step(p, np.array([g, -g]))
    assert p[0] == pytest.approx(reference_steps(update, gradients, 0.7), rel=1e-12)
    assert p[1] == pytest.approx(reference_steps(update, [-g for g in gradients], -0.4), rel=1e-12)


def test_nesterov_needs_sgd():
    with pytest.raises(al.InvalidValue, match="belong to optimizer 'sgd'"):
        optimizers.make("adam", np.zeros(1), 0.1, momentum=0.9)


def small_training(n=10, **options):
    net = al.MLP([4, 3, 2], rng=np.random.default_rng(0))
    x = np.random.default_rng(1).standard_normal((n, 4))
    y = np.eye(2)[(x[:, 0] > 0).astype(int)]
    defaults = {"epochs": 2, "batch_size": 4, "rng": np.random.default_rng(2)}
    steps = train(net, al.rules.Backprop(net), optimizers.SGD(net.parameters, 0.1), x, y, **{**defaults, **options})
    return net, x, y, steps


def test_every_example_is_visited_once_an_epoch_and_the_last_batch_may_be_small():
    _, x, _, steps = small_training()
    steps = [copy.deepcopy(step) for step in steps]  # the loop uses its arrays again
    assert [len(s.y) for s in steps] == [4, 4, 2, 4, 4, 2]
    assert [s.ends_epoch for s in steps] == [False, False, True] * 2
    assert [s.number for s in steps] == [1, 2, 3, 4, 5, 6]
    for epoch in (steps[:3], steps[3:]):
        seen = np.concatenate([s.trace.inputs[0] for s in epoch])
        np.testing.assert_array_equal(np.sort(seen, axis=0), np.sort(x, axis=0))
        assert not np.array_equal(seen, x)


def test_one_step_is_the_gradient_times_the_rate():
    net, x, y, steps = small_training(n=4, epochs=1)
    before = net.parameters.copy()
    gradient = np.concatenate(
        [np.concatenate([dW.ravel(), db]) for dW, db in al.rules.Backprop(net).gradients(net, x, y)]
    )
    next(steps)
    np.testing.assert_allclose(net.parameters, before - 0.1 * gradient, rtol=1e-12, atol=1e-15)


def test_weight_decay_alone_shrinks_weights_and_not_biases():
    net, x, _, _ = small_training()
    net.biases[0][...] = 1.0
    rule = al.rules.Backprop(net)
    y = net.predict(x)  # no error, so nothing but decay
    before = [W.copy() for W in net.weights]
    steps = train(
        net, rule, optimizers.SGD(net.parameters, 0.1), x, y,
        epochs=1, batch_size=10, rng=np.random.default_rng(0), weight_decay=0.5,
    )  # fmt: skip
    assert len(list(steps)) == 1
    for W, then in zip(net.weights, before, strict=True):
        np.testing.assert_allclose(W, 0.95 * then, atol=1e-12)
    np.testing.assert_allclose(net.biases[0], 1.0)


@pytest.mark.parametrize("hidden", ["tanh", "logistic", "relu", "linear"])
@pytest.mark.parametrize("output", al.losses.LOSSES)
@pytest.mark.parametrize("name", al.rules.RULES)
def test_working_in_place_changes_nothing_but_rounding(name, output, hidden):
    net = al.MLP([4, 5, 6, 3], hidden=hidden, output=output, rng=np.random.default_rng(0))
    rule = al.rules.RULES[name](net, rng=np.random.default_rng(1))
    x, y = np.random.default_rng(2).standard_normal((8, 4)), np.eye(3)[[0, 1, 2, 0, 1, 2, 0, 1]]
    buffers, flat = net.buffers(8), np.full_like(net.parameters, np.nan)
    for _ in range(2):  # the second time everything is there already, and must be overwritten
        rule.learn(net, x, y, net.views(flat), buffers=buffers)
        for (dW, db), (dW2, db2) in zip(net.views(flat), rule.gradients(net, x, y), strict=True):
            np.testing.assert_allclose(dW, dW2, rtol=1e-12, atol=1e-15)
            np.testing.assert_allclose(db, db2, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("regularized", [False, True])
@pytest.mark.parametrize("optimizer", optimizers.OPTIMIZERS)
@pytest.mark.parametrize("name", al.rules.RULES)
def test_a_step_allocates_no_array(name, optimizer, regularized):
    net = al.MLP([50, 500, 500, 400], rng=np.random.default_rng(0))
    rule = al.rules.RULES[name](net, rng=np.random.default_rng(1))
    x, y = np.random.default_rng(2).standard_normal((320, 50)), np.eye(400)[np.arange(320) % 400]
    momentum = {"momentum": 0.9, "nesterov": True} if optimizer == "sgd" else {}
    steps = train(
        net, rule, optimizers.make(optimizer, net.parameters, 1e-3, **momentum), x, y,
        epochs=1, batch_size=64, rng=np.random.default_rng(0),
        dropout=Dropout(net, (np.random.default_rng(3),) * 2, input=0.1, hidden=0.5) if regularized else None,
        adversary=Adversary(net, 0.08) if regularized else None,
    )  # fmt: skip
    next(steps)
    tracemalloc.start()
    try:
        for _ in range(4):
            next(steps)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    numpys_own_buffers = 2 * 8192 * 8  # of fixed size, where rows meet columns: bias + a, ŷ − y
    smallest_activity = 64 * 400 * 8
    assert peak < 1.2 * numpys_own_buffers < smallest_activity
