import numpy as np
import pytest

import alignlib as al
from alignlib.needs import Needs, needs

SIZES = [5, 7, 6, 4, 3]


def of(name, sizes=SIZES):
    network = al.MLP(sizes, rng=np.random.default_rng(0))
    return needs(al.rules.RULES[name](network, rng=np.random.default_rng(1)), network)


def test_backprop_needs_all_weights_but_the_first_and_all_activities_but_the_output():
    assert of("bp") == Needs(("W2ᵀ", "W3ᵀ", "W4ᵀ"), 7 * 6 + 6 * 4 + 4 * 3, 5 + 7 + 6 + 4)


@pytest.mark.parametrize("name", ["fa", "dfa", "ifa"])
def test_the_alignment_rules_need_no_transposed_weights_and_as_many_activities(name):
    assert of(name) == Needs((), 0, 5 + 7 + 6 + 4)


def test_the_baseline_keeps_the_input_of_the_output_layer():
    assert of("shallow") == Needs((), 0, 4, sources=(), slopes=False)


def test_drtp_hears_the_target_and_pepita_needs_no_slopes():
    assert of("drtp") == Needs((), 0, 5 + 7 + 6 + 4, sources=("target",))
    assert of("pepita") == Needs((), 0, 5 + 7 + 6 + 4, slopes=False)


def test_without_hidden_layers_nothing_is_transported():
    assert of("bp", [5, 3]) == Needs((), 0, 5, sources=(), slopes=False)


@pytest.mark.parametrize("name", ["usf", "brsf", "frsf"])
def test_sign_symmetry_needs_the_signs_of_what_backprop_needs(name):
    assert of(name) == Needs((), 0, 5 + 7 + 6 + 4, signs=7 * 6 + 6 * 4 + 4 * 3)


@pytest.mark.parametrize("name", ["kp", "wm", "dkp"])
def test_learned_feedback_needs_no_weights(name):
    assert of(name) == of("dfa")
