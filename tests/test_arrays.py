"""Training "on a device": a strict stand-in for CuPy, bit for bit the numbers of NumPy, and nothing moved in a step."""

import dataclasses
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from stand_in import FUNCTIONS, UFUNCS, DeviceArray, module

import alignlib as al
from alignlib import arrays, optimizers
from alignlib.adversarial import Adversary
from alignlib.dropout import Dropout
from alignlib.experiments import prepare
from alignlib.experiments.checkpoint import run_resumable, save
from alignlib.experiments.run import Run
from alignlib.training import train

NETS = {"dense": {"hidden": (9, 7)}, "convolutional": {"hidden": (7,), "convolutions": ((3, 3, 2), (2, 3, 1))}}
QUICK = al.Experiment(hidden=(9, 7), epochs=2, train_size=40, batch_size=16, probe=8, weight_decay=1e-3)
#: What a rule draws at each step, in this machine's memory, for each of its matrices.
DRAWS_NOISE = ("brsf", "wm")


@pytest.fixture
def cupy(monkeypatch):
    monkeypatch.setitem(sys.modules, "cupy", module())
    monkeypatch.delenv(arrays.VARIABLE, raising=False)


def outcome(experiment, name):
    """Return the curves, or in words why there are none."""
    try:
        curves = al.run(experiment, show_progress=False, arrays=name).curves
    except al.InvalidValue as problem:
        return str(problem)
    return {name: curve.tobytes() for name, curve in curves.items() if name != "seconds"}


@pytest.mark.usefixtures("cupy")
class TestSameNumbers:
    @pytest.mark.parametrize("net", NETS)
    @pytest.mark.parametrize("optimizer", optimizers.OPTIMIZERS)
    @pytest.mark.parametrize("rule", al.rules.RULES)
    def test_every_rule_with_every_optimizer_on_every_net(self, rule, optimizer, net):
        experiment = dataclasses.replace(QUICK, rule=rule, optimizer=optimizer, **NETS[net])
        here = outcome(experiment, "numpy")
        assert here == outcome(experiment, "cupy")
        assert isinstance(here, dict) or (net == "convolutional" and rule == "kp")

    @pytest.mark.parametrize("options", [
        {"momentum": 0.9, "nesterov": True, "optimizer": "sgd"},
        {"dtype": "float32"},
        {"output": "softmax", "activation": "relu"},
        {"activation": "logistic", "init": "zero"},
        {"dataset": "linear-teacher", "activation": "linear", "output": "linear", "hidden": (5,)},
        {"feedback_shared": True, "hidden": (7, 7), "rule": "dfa"},
        {"dropout_input": 0.1, "dropout_hidden": 0.5, "adversarial": 0.08, "rule": "pepita"},
        {"dropout_hidden": 0.5, "adversarial": 0.08, "convolutions": ((3, 3, 2),)},
        {"frozen": 1, "feedback_density": 0.5, "rule": "fa"},
    ], ids=lambda options: "-".join(options))  # fmt: skip
    def test_every_other_choice(self, options):
        experiment = dataclasses.replace(QUICK, **options)
        here = outcome(experiment, "numpy")
        assert isinstance(here, dict)
        assert here == outcome(experiment, "cupy")

    @pytest.mark.parametrize("rule", ["bp", "kp", "brsf", "wm", "pepita"])
    def test_a_run_on_the_device_goes_on_where_it_stopped(self, rule, tmp_path):
        experiment, path = dataclasses.replace(QUICK, rule=rule, dropout_hidden=0.3, optimizer="adam"), tmp_path / "run"
        going = Run(experiment, "cupy")

        def stop():
            save(path, going)
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            going.finish(show_progress=False, after_epoch=stop)
        resumed, whole = run_resumable(experiment, path, arrays="cupy"), al.run(experiment, arrays="numpy")
        for name in whole.curves.keys() - {"seconds"}:
            np.testing.assert_array_equal(resumed.curves[name], whole.curves[name], err_msg=name)

    def test_weights_may_be_written_from_here(self):
        net = al.MLP([3, 2], init="zero", arrays="cupy")
        net.weights[0] = [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]
        assert isinstance(net.weights[0], DeviceArray)
        np.testing.assert_array_equal(net.weights[0].get(), [[1, 2, 3], [4, 5, 6]])
        assert net.predict(np.ones((1, 3))).get().shape == (1, 2)
        assert net.mean_loss(np.ones((1, 3)), np.ones((1, 2))) < 0.01


def moved_in_a_step(experiment, dropout=None):
    """Return what one update in the middle of an epoch moves; ``dropout`` gives shares."""
    data, net, rule = prepare(experiment, "cupy")
    rngs = (np.random.default_rng(0), np.random.default_rng(1))
    steps = train(
        net, rule, optimizers.make(experiment.optimizer, net.parameters, 1e-3), data.x_train, data.y_train,
        epochs=1, batch_size=8, rng=np.random.default_rng(2), weight_decay=1e-3,
        dropout=Dropout(net, rngs, **dropout) if dropout else None, adversary=Adversary(net, 0.1),
    )  # fmt: skip
    for _ in range(2):
        next(steps)
    before = dict(DeviceArray.moved)
    next(steps)
    return {way: DeviceArray.moved[way] - before[way] for way in before}, len(rule.feedback)


@pytest.mark.usefixtures("cupy")
class TestNothingIsMoved:
    @pytest.mark.parametrize("net", NETS)
    @pytest.mark.parametrize("optimizer", optimizers.OPTIMIZERS)
    @pytest.mark.parametrize("rule", al.rules.RULES)
    def test_a_step_moves_nothing_but_the_noise_that_a_rule_draws(self, rule, optimizer, net):
        if net == "convolutional" and rule == "kp":
            pytest.skip("learns between dense layers only")
        moved, matrices = moved_in_a_step(dataclasses.replace(QUICK, rule=rule, optimizer=optimizer, **NETS[net]))
        assert moved == {"to device": matrices if rule in DRAWS_NOISE else 0, "to host": 0}

    def test_dropout_moves_its_masks(self):
        moved, _ = moved_in_a_step(QUICK, {"input": 0.1, "hidden": 0.5})
        assert moved == {"to device": 3, "to host": 0}
        moved, _ = moved_in_a_step(QUICK, {"hidden": 0.5})
        assert moved == {"to device": 2, "to host": 0}


@pytest.mark.usefixtures("cupy")
class TestTheStandInIsStrict:
    """If it let more through than CuPy does, the tests above would prove nothing."""

    @pytest.mark.parametrize(
        "wrong",
        [
            lambda a: np.asarray(a),
            lambda a: a + np.ones(3),
            lambda a: np.ones(3) * a,
            lambda a: np.multiply(np.ones(3), 2.0, out=a),
            lambda a: np.take(a, a, mode="clip"),
            lambda a: np.linalg.norm(a),
            lambda a: a.__setitem__(..., np.ones(3)),
            lambda a: np.add.reduce(a),
            lambda a: np.cumsum(a),
        ],
    )
    def test_what_cupy_refuses_is_refused(self, wrong):
        with pytest.raises(TypeError):
            wrong(np.asarray(np.ones(3), like=arrays.sample("cupy")))

    def test_moving_is_counted(self):
        a = np.asarray(np.ones(3), like=arrays.sample("cupy"))
        a.set(np.zeros(3))
        assert float(a[0]) == 0.0
        assert DeviceArray.moved == {"to device": 2, "to host": 1}


def test_the_page_names_all_that_is_asked_of_cupy():
    page = (Path(__file__).parents[1] / "run-it-yourself.md").read_text(encoding="utf-8")
    section = page.split("## On a GPU")[1].split("\n## ")[0]
    assert [name for name in (*UFUNCS, *FUNCTIONS) if f"`{name}`" not in section] == []


class TestChoosing:
    def test_unknown_names_are_refused_with_the_nearest(self):
        with pytest.raises(al.InvalidValue, match=r"unknown arrays 'cuppy'; did you mean 'cupy'\? Accepted: cupy"):
            al.run(QUICK, arrays="cuppy")
        with pytest.raises(al.InvalidValue, match="did you mean 'numpy'"):
            al.MLP([3, 2], init="zero", arrays="nunpy")

    def test_without_cupy_it_says_how_to_install_it(self, monkeypatch):
        monkeypatch.setitem(sys.modules, "cupy", None)
        with pytest.raises(al.AlignlibError, match=r"pip install 'alignlib\[gpu\]'"):
            al.run(QUICK, arrays="cupy")

    def test_without_a_graphics_card_it_says_so(self, monkeypatch):
        def no_device(*args):
            raise RuntimeError("cudaErrorNoDevice: no CUDA-capable device is detected")

        lame = ModuleType("cupy")
        lame.empty = no_device
        monkeypatch.setitem(sys.modules, "cupy", lame)
        with pytest.raises(al.AlignlibError, match=r"cannot use a graphics card: cudaErrorNoDevice"):
            al.run(QUICK, arrays="cupy")

    @pytest.mark.usefixtures("cupy")
    def test_the_environment_decides_where_nobody_else_does(self, monkeypatch):
        def used(**options):
            return al.run(QUICK, show_progress=False, **options).versions.keys()

        assert used() == {"python", "numpy", "arithmetic"}
        monkeypatch.setenv(arrays.VARIABLE, "cupy")
        assert used() == {"python", "numpy", "arithmetic", "cupy"}
        assert al.run_many([QUICK], workers=1)[0].versions["cupy"] == "0 (stand-in)"
        assert used(arrays="numpy") == {"python", "numpy", "arithmetic"}
        monkeypatch.setenv(arrays.VARIABLE, "gpu")
        with pytest.raises(al.InvalidValue, match="unknown arrays 'gpu'"):
            al.run(QUICK)

    def test_numpy_never_looks_for_cupy(self, monkeypatch):
        monkeypatch.setitem(sys.modules, "cupy", None)
        assert al.run(QUICK, arrays="numpy", show_progress=False).final("test_loss") > 0
