"""Convolutions against loops, finite differences, PyTorch, and the dense layers that they are a special case of."""

import json

import numpy as np
import pytest

import alignlib as al
from alignlib.convolution import Conv2d, Patches
from alignlib.gradient_check import finite_differences, flat
from alignlib.response import response_angles
from alignlib.rules import RULES, Backprop
from alignlib.untied import untied
from alignlib.wiring import wiring

IMAGE, CONVOLUTIONS, DENSE = (2, 7, 6), [(3, 3, 2), (4, 3, 1)], [5, 3]


def make(image=IMAGE, convolutions=CONVOLUTIONS, dense=DENSE, seed=0, **options):
    return al.ConvNet(image, convolutions, dense, rng=np.random.default_rng(seed), **options)


def batch(net, n=6, seed=1):
    rng = np.random.default_rng(seed)
    y = np.eye(net.sizes[-1])[rng.integers(net.sizes[-1], size=n)]
    return rng.standard_normal((n, net.sizes[0])), y


def rule_for(name, net, seed=2, **options):
    return RULES[name](net, rng=np.random.default_rng(seed), **options)


def assert_same_gradients(ours, theirs, **tolerance):
    np.testing.assert_allclose(flat(ours), flat(theirs), **({"rtol": 1e-11, "atol": 1e-14} | tolerance))


def by_loops(images, kernels, bias, pool):
    """A padded convolution at every pixel, then the mean over windows, as one would write it down."""
    out, k = kernels.shape[0], kernels.shape[-1]
    n, _, height, width = images.shape
    full = np.zeros((n, out, height, width))
    for i, o, r, c in np.ndindex(full.shape):
        total = bias[o]
        for u, v in np.ndindex(k, k):
            row, column = r + u - k // 2, c + v - k // 2
            if 0 <= row < height and 0 <= column < width:
                total += kernels[o, :, u, v] @ images[i, :, row, column]
        full[i, o, r, c] = total
    pooled = np.zeros((n, out, height // pool, width // pool))
    for r, c in np.ndindex(*pooled.shape[2:]):
        pooled[:, :, r, c] = full[:, :, r * pool : (r + 1) * pool, c * pool : (c + 1) * pool].mean(axis=(2, 3))
    return pooled.reshape(n, -1)


@pytest.mark.parametrize(("kernel", "pool"), [(1, 1), (1, 2), (3, 1), (3, 2), (5, 2), (3, 3), (5, 6)])
def test_pre_activations_are_those_of_plain_loops(kernel, pool):
    net = make(convolutions=[(3, kernel, pool)])
    net.biases[0][...] = [0.5, -1.0, 2.0]
    x, _ = batch(net, n=2)
    kernels = net.weights[0].reshape(3, 2, kernel, kernel)
    expected = by_loops(x.reshape(2, *IMAGE), kernels, net.biases[0], pool)
    np.testing.assert_allclose(net.trace(x).pre_activations[0], expected, rtol=1e-12, atol=1e-14)


def test_a_convolution_by_hand():
    net = make((1, 2, 2), [(1, 3, 1)], [1])
    net.weights[0] = np.arange(9.0).reshape(1, 9)
    # the middle of the kernel (4) lies on the pixel, its lower right corner (8) on the pixel below and to the right
    expected = [[4 + 5 * 10 + 7 * 100 + 8 * 1000, 3 + 4 * 10 + 6 * 100 + 7 * 1000]]
    np.testing.assert_allclose(net.trace([[1.0, 10.0, 100.0, 1000.0]]).pre_activations[0][:, :2], expected)


@pytest.mark.parametrize("patches", [Patches(2, 7, 6, 3, 2), Patches(1, 4, 4, 5, 1), Patches(3, 5, 5, 1, 3)])
def test_paste_is_the_transpose_of_cut(patches):
    rng = np.random.default_rng(0)
    images = rng.standard_normal((patches.channels, patches.height, patches.width, 4))
    cut = patches.cut(images)
    other = rng.standard_normal(cut.shape)
    assert np.sum(cut * other) == pytest.approx(np.sum(images * patches.paste(other)), rel=1e-12)


@pytest.mark.parametrize("hidden", ["tanh", "logistic", "relu", "linear"])
@pytest.mark.parametrize("convolutions", [[(2, 3, 2), (3, 5, 1)], [(2, 5, 1), (3, 3, 2)]])
def test_backprop_is_the_gradient(convolutions, hidden):
    net = make((2, 5, 4), convolutions, hidden=hidden)
    x, y = batch(net, n=3)
    gradient = flat(Backprop(net).gradients(net, x, y))
    np.testing.assert_allclose(gradient, finite_differences(net, x, y, step=1e-6), rtol=1e-6, atol=1e-8)


def test_backprop_agrees_with_pytorch():
    torch = pytest.importorskip("torch")
    net = make(output="softmax", convolutions=[(3, 3, 2), (4, 5, 1)])
    x, y = batch(net)
    shapes = [(3, 2, 3, 3), (4, 3, 5, 5), *(W.shape for W in net.weights[2:])]
    parameters = [
        (torch.tensor(W.reshape(shape).copy(), requires_grad=True), torch.tensor(b.copy(), requires_grad=True))
        for W, b, shape in zip(net.weights, net.biases, shapes, strict=True)
    ]
    h = torch.tensor(x.reshape(-1, *IMAGE))
    for (W, b), (_, kernel, pool) in zip(parameters, net.convolutions, strict=False):
        h = torch.tanh(torch.nn.functional.avg_pool2d(torch.nn.functional.conv2d(h, W, b, padding=kernel // 2), pool))
    h = torch.tanh(h.flatten(1) @ parameters[2][0].T + parameters[2][1])
    h = h @ parameters[3][0].T + parameters[3][1]
    torch.nn.functional.cross_entropy(h, torch.tensor(y.argmax(1))).backward()
    theirs = [(W.grad.numpy(), b.grad.numpy()) for W, b in parameters]
    assert_same_gradients(Backprop(net).gradients(net, x, y), theirs, rtol=1e-9, atol=1e-12)


class TestAsADenseLayer:
    """A convolution is a dense layer with a matrix of a certain structure."""

    def test_every_way_of_a_signal_is_a_product_with_that_matrix(self):
        rng = np.random.default_rng(0)
        for layer in make().layers[:2]:
            M = layer.matrix
            below, above = rng.standard_normal((4, M.shape[1])), rng.standard_normal((4, M.shape[0]))
            np.testing.assert_allclose(layer.push(layer.weight, below), below @ M.T, atol=1e-13)
            np.testing.assert_allclose(layer.pull(layer.weight.T, above), above @ M, atol=1e-13)

    def test_its_weights_are_local_and_shared(self):
        layer = make((1, 5, 5), [(1, 3, 1)], [2]).layers[0]
        M = layer.matrix.reshape(5, 5, 5, 5)
        np.testing.assert_allclose(M[2, 2, 1:4, 1:4], layer.weight.reshape(3, 3))
        np.testing.assert_allclose(M[3, 2, 2:5, 1:4], layer.weight.reshape(3, 3))
        assert np.count_nonzero(M[2, 2]) == 9

    def test_the_gradient_is_that_of_the_dense_matrix_summed_over_what_is_shared(self):
        layer = make((1, 4, 4), [(1, 3, 1)], [2]).layers[0]
        rng = np.random.default_rng(0)
        delta, h = rng.standard_normal((3, 16)), rng.standard_normal((3, 16))
        dense = (delta.T @ h).reshape(4, 4, 4, 4)
        middle = sum(dense[r, c, r, c] for r, c in np.ndindex(4, 4))
        right = sum(dense[r, c, r, c + 1] for r, c in np.ndindex(4, 3))
        np.testing.assert_allclose(layer.outer(delta, h)[0, [4, 5]], [middle, right])

    def test_on_one_pixel_it_is_one(self):
        net, dense = make((4, 1, 1), [(5, 1, 1)], [3, 2]), al.MLP([4, 5, 3, 2], init="zero")
        dense.parameters[...] = net.parameters
        x, y = batch(net)
        for name in RULES:
            ours, theirs = rule_for(name, net), rule_for(name, dense)
            assert_same_gradients(ours.gradients(net, x, y), theirs.gradients(dense, x, y))


@pytest.mark.parametrize("hidden", ["tanh", "relu"])
def test_fa_through_the_transposed_kernels_is_backprop(hidden):
    net = make(hidden=hidden)
    x, y = batch(net)
    fa = rule_for("fa", net)
    for B, W in zip(fa.feedback, net.weights[1:], strict=True):
        B[...] = W.T
    assert_same_gradients(fa.gradients(net, x, y), Backprop(net).gradients(net, x, y), rtol=0, atol=0)


def test_dfa_in_a_linear_net_with_the_product_of_transposes_is_backprop():
    net = make(hidden="linear")
    x, y = batch(net)
    dfa = rule_for("dfa", net)
    for B, product in zip(dfa.feedback, dfa.counterparts(net), strict=True):
        B[...] = product
    assert_same_gradients(dfa.gradients(net, x, y), Backprop(net).gradients(net, x, y))


def test_ifa_relays_forward_through_the_kernels():
    net = make(hidden="linear")
    x, y = batch(net)
    ifa, trace = rule_for("ifa", net), net.trace(x)
    e = net.error(trace, y)
    delta1, delta2, delta3 = ifa.hidden_signals(net, trace, e)
    np.testing.assert_allclose(delta1, e @ ifa.feedback[0].T)
    np.testing.assert_allclose(delta2, delta1 @ net.layers[1].matrix.T, atol=1e-14)
    np.testing.assert_allclose(delta3, delta2 @ net.weights[2].T)


@pytest.mark.parametrize("name", RULES)
class TestContract:
    """What holds for every rule also holds for its convolutions."""

    def test_shapes_dtype_and_finiteness(self, name):
        for dtype in ("float32", "float64"):
            net = make(dtype=dtype)
            rule, (x, y) = rule_for(name, net), batch(net)
            trace = net.trace(x, target=y)
            for layer, delta in zip(net.hidden, rule.hidden_signals(net, trace, net.error(trace, y)), strict=True):
                assert delta is None or (delta.shape == (6, layer.width) and delta.dtype == np.dtype(dtype))
            for (dW, db), W, b in zip(rule.gradients(net, x, y), net.weights, net.biases, strict=True):
                assert (dW.shape, db.shape, dW.dtype) == (W.shape, b.shape, np.dtype(dtype))
                assert np.all(np.isfinite(dW))
            assert [B.shape for B in rule.feedback] == [W.shape for W in rule.counterparts(net)]

    def test_working_in_place_changes_nothing_but_rounding(self, name):
        net = make()
        rule, (x, y) = rule_for(name, net), batch(net)
        buffers, numbers = net.buffers(6), np.full_like(net.parameters, np.nan)
        for _ in range(2):  # the second time everything is there already, and must be overwritten
            rule.learn(net, x, y, net.views(numbers), buffers=buffers)
            assert_same_gradients(net.views(numbers), rule.gradients(net, x, y))

    def test_arguments_are_not_changed(self, name):
        net = make()
        x, y = batch(net)
        rule = rule_for(name, net)
        before = [a.copy() for a in (x, y, net.parameters, *rule.feedback)]
        rule.gradients(net, x, y)
        for now, then in zip((x, y, net.parameters, *rule.feedback), before, strict=True):
            np.testing.assert_array_equal(now, then)

    def test_its_wiring_is_that_of_the_dense_net(self, name):
        net, dense = make(), al.MLP([4, 5, 5, 5, 3], init="zero")
        assert wiring(rule_for(name, net), net) == wiring(rule_for(name, dense), dense)

    def test_frozen_layers_stay_and_the_others_learn_as_ever(self, name):
        net, free = make(frozen=2), make()
        x, y = batch(net)
        (one, two, *rest), (_, _, *others) = (rule_for(name, n).gradients(n, x, y) for n in (net, free))
        assert not np.any(flat([one, two]))
        assert_same_gradients(rest, others, rtol=0, atol=0)


def test_multiply_adds_are_counted():
    net = make((1, 6, 6), [(2, 3, 2), (3, 3, 1)], [4])
    # a product for each kernel entry, channel and place: pooled places only, since pooling comes first
    first, second, out = 9 * 2 * 9, 9 * 2 * 3 * 9, 27 * 4
    cost = al.costs(Backprop(net), net, batch=5)
    assert cost.forward == cost.gradients == 5 * (first + second + out)
    assert cost.error_pass == 5 * (second + out)


def test_sizes_follow_from_images_kernels_and_pools():
    net = make((1, 28, 28), [(8, 5, 2), (16, 5, 2)], [64, 10])
    assert net.sizes == (784, 8 * 14 * 14, 16 * 7 * 7, 64, 10)
    assert [W.shape for W in net.weights] == [(8, 25), (16, 200), (64, 784), (10, 64)]
    assert [type(layer) is Conv2d for layer in net.layers] == [True, True, False, False]
    assert repr(net).startswith("ConvNet(8×5×5 /2, 16×5×5 /2, then MLP(784-1568-784-64-10")
    assert net.like(init="zero").sizes == net.sizes


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"convolutions": [(3, 3)]}, r"triples .* received \[\(3, 3\)\]"),
        ({"convolutions": [(3, 3, 0)]}, "positive whole"),
        ({"convolutions": [(3, 2.5, 1)]}, "positive whole"),
        ({"convolutions": 3}, "triples"),
        ({"convolutions": [(3, 4, 1)]}, "must be odd; received 4"),
        ({"convolutions": [(3, 3, 4), (3, 3, 2)]}, "leaves nothing of images"),
        ({"image": (7, 6)}, r"\(channels, height, width\)"),
    ],
)
def test_wrong_arguments_are_refused_in_words(arguments, message):
    with pytest.raises(al.InvalidValue, match=message):
        make(**arguments)


class TestExperiments:
    QUICK = al.Experiment(
        hidden=(12,), convolutions=[[3, 3, 2], [4, 3, 2]], epochs=2, train_size=200, probe=32, learning_rate=3e-3
    )

    def test_it_is_plain_values_like_any_other(self):
        assert self.QUICK.convolutions == ((3, 3, 2), (4, 3, 2))
        assert al.Experiment.from_json(self.QUICK.to_json()) == self.QUICK
        assert json.loads(self.QUICK.to_json())["convolutions"] == [[3, 3, 2], [4, 3, 2]]
        assert {self.QUICK: 1}[self.QUICK] == 1

    def test_it_learns_and_measures_every_layer(self):
        results = [al.run(e) for e in al.grid(self.QUICK, rule=["bp", "dfa"])]
        for result in results:
            assert result.final("train_loss") < result.curves["test_loss"][0]
            assert np.isfinite(result.final("gradient_angle/3"))
        assert results[0].final("gradient_angle/1") == pytest.approx(0, abs=1e-5)
        assert 1 < results[1].final("delta_angle/1") < 179
        assert np.isfinite(results[1].final("weight_angle/1"))

    def test_frozen_filters_keep_their_norms(self):
        (result,) = (al.run(e) for e in al.grid(self.QUICK, frozen=[2]))
        norms = [result.curves[f"weight_norm/{number}"] for number in (1, 2, 3)]
        assert [len(set(norm)) > 1 for norm in norms] == [False, False, True]

    @pytest.mark.parametrize(
        ("field", "value", "message"),
        [
            ("convolutions", [(3, 3)], "triples"),
            ("frozen", 4, "at most 3, the number of hidden layers; received 4"),
            ("frozen", -1, "frozen must be a whole number"),
        ],
    )
    def test_what_cannot_be_is_refused(self, field, value, message):
        with pytest.raises(al.InvalidValue, match=message):
            al.grid(self.QUICK, **{field: [value]})

    def test_data_that_are_no_images_take_no_convolutions(self):
        with pytest.raises(al.InvalidValue, match="not made of images"):
            al.run(al.Experiment(dataset="linear-teacher", output="linear", convolutions=[(3, 3, 2)]))


class TestUntied:
    """The same function without the sharing."""

    @pytest.mark.parametrize("kind", ["local", "full"])
    def test_it_computes_the_same(self, kind):
        net = make(output="softmax", hidden="logistic")
        net.biases[0][...] = [0.5, -1.0, 2.0]
        x, _ = batch(net)
        apart = untied(net, kind)
        np.testing.assert_allclose(apart.predict(x), net.predict(x), rtol=1e-12)
        assert apart.sizes == net.sizes

    def test_the_convolution_gradient_is_the_sum_of_the_untied_ones(self):
        net = make((1, 4, 4), [(1, 3, 1)], [4, 2])
        x, y = batch(net)
        tied, free = (Backprop(n).gradients(n, x, y) for n in (net, untied(net)))
        middle = sum(free[0][0][i, i] for i in range(16))
        assert tied[0][0][0, 4] == pytest.approx(middle, rel=1e-12)
        assert_same_gradients(tied[1:], free[1:])

    def test_local_layers_keep_their_zeros_and_full_ones_do_not(self):
        net = make()
        x, y = batch(net)
        zeros = net.layers[0].matrix == 0
        assert zeros.any()
        for kind, kept in (("local", True), ("full", False)):
            apart = untied(net, kind)
            (dW, _), *_ = rule_for("dfa", apart).gradients(apart, x, y)
            assert (not dW[zeros].any()) == kept
            assert np.all(dW[~zeros])

    def test_unknown_kinds_name_the_nearest(self):
        with pytest.raises(al.InvalidValue, match="did you mean 'local'"):
            untied(make(), "locl")


class TestResponse:
    """What a layer is told and what it then does."""

    def test_one_example_is_obeyed_exactly_by_a_dense_layer(self):
        net = al.MLP([5, 4, 3], rng=np.random.default_rng(0))
        x, y = batch(net, n=1)
        assert response_angles(rule_for("dfa", net), net, x, y) == pytest.approx([0], abs=1e-5)

    def test_it_is_what_a_small_step_does(self):
        net = make()
        x, y = batch(net)
        rule, trace = rule_for("dfa", net), net.trace(x)
        deltas = rule.hidden_signals(net, trace, net.error(trace, y))
        angles = response_angles(rule, net, x, y)
        for i, ((dW, db), delta) in enumerate(zip(rule.gradients(net, x, y), deltas, strict=False)):
            moved = make()
            moved.weights[i] -= 1e-6 * dW
            moved.biases[i] -= 1e-6 * db
            change = moved.trace(x).pre_activations[i] - trace.pre_activations[i]
            assert angles[i] == pytest.approx(al.metrics.angle(-delta, change), abs=1e-3)
            assert angles[i] < 90

    def test_sharing_weights_leaves_less_freedom(self):
        net = make()
        x, y = batch(net)
        rule = rule_for("dfa", net)
        shared, local, full = (response_angles(rule, n, x, y) for n in (net, untied(net), untied(net, "full")))
        assert shared[0] > local[0] > full[0]
        assert shared[2] == pytest.approx(full[2])

    def test_a_layer_that_is_told_nothing_has_none(self):
        net = make()
        assert np.isnan(response_angles(rule_for("shallow", net), net, *batch(net))).all()
