from __future__ import annotations

import contextlib
import dataclasses
import gzip
import hashlib
import os
import socket
import subprocess
import sys
import threading
import tracemalloc
import warnings
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alignlib import datasets
from alignlib.datasets import DataError, Dataset, digits, fetch, linear_teacher, load, mnist, nonlinear_teacher
from alignlib.datasets.idx import parse_idx, read_idx_gz
from alignlib.datasets.images import ImageSet, LabelledImages
from alignlib.datasets.splits import fixed_order, stratified_split
from alignlib.errors import AlignlibError, InvalidValue

FIELDS = ("x_train", "y_train", "x_test", "y_test")
F32, F64 = np.dtype("float32"), np.dtype("float64")


def counts(y):
    return y.sum(axis=0).astype(int)


# Splits ------------------------------------------------------------------------------------------------------


def test_the_fixed_order_is_the_same_on_every_machine():
    assert fixed_order(8, seed=1).tolist() == [2, 4, 7, 5, 0, 6, 3, 1]
    digest = hashlib.sha256(fixed_order(60_000, seed=1).astype("<i8").tobytes()).hexdigest()
    assert digest == "fb41920635cb03e4680085f0c860945ea0f7f37f27a41532b33e55c7d5fadf68"


@given(st.lists(st.integers(0, 5), min_size=2, max_size=80), st.data())
def test_a_stratified_split_is_disjoint_complete_and_keeps_the_share_of_every_class(labels, data):
    labels = np.array(labels)
    n_held_out = data.draw(st.integers(1, len(labels) - 1))
    kept, held_out = stratified_split(labels, n_held_out, seed=data.draw(st.integers(0, 3)))
    assert len(held_out) == n_held_out
    assert sorted([*kept, *held_out]) == list(range(len(labels)))
    share = np.bincount(labels, minlength=6) * n_held_out / len(labels)
    assert np.all(np.abs(np.bincount(labels[held_out], minlength=6) - share) < 1)


@pytest.mark.parametrize("n_held_out", [0, 4, -1])
def test_a_split_with_an_empty_part_is_refused(n_held_out):
    with pytest.raises(InvalidValue, match=f"cannot hold out {n_held_out} of 4"):
        stratified_split(np.array([0, 1, 0, 1]), n_held_out, seed=0)


# Digits ------------------------------------------------------------------------------------------------------


def test_the_digits_are_scikit_learns():
    theirs = pytest.importorskip("sklearn.datasets").load_digits()
    ours = digits.read_published()
    assert ours.images.dtype == ours.labels.dtype == np.uint8
    np.testing.assert_array_equal(ours.images, theirs.images)
    np.testing.assert_array_equal(ours.labels, theirs.target)


def test_the_digits_split_is_fixed_stratified_and_complete():
    published = digits.read_published()
    train, test = stratified_split(published.labels, digits.N_TEST, digits.SPLIT_SEED)
    assert sorted([*train, *test]) == list(range(1797))
    digest = hashlib.sha256(np.concatenate([train, test]).astype("<i8").tobytes()).hexdigest()
    assert digest == "9fbc25aa7f4f11bfda3bf1f0125294c70866c90d8d5057c83f57f20ea2f478e8"

    data = load("digits")
    assert (len(data.x_train), len(data.x_test)) == (1437, 360)
    pixels = published.images.reshape(1797, 64) / 16
    np.testing.assert_array_equal(data.x_train, pixels[train])
    np.testing.assert_array_equal(data.x_test, pixels[test])
    np.testing.assert_array_equal(data.y_train.argmax(axis=1), published.labels[train])
    np.testing.assert_array_equal(data.y_test.argmax(axis=1), published.labels[test])
    share = np.bincount(published.labels) * 360 / 1797
    assert np.all(np.abs(counts(data.y_test) - share) < 1)
    # Shuffled: the order of the source, which is by writer, is gone from both parts.
    assert abs(np.corrcoef(np.arange(1437), train)[0, 1]) < 0.1
    assert abs(np.corrcoef(np.arange(360), test)[0, 1]) < 0.1


def test_digits_are_what_the_data_set_says():
    data = load("digits")
    assert (data.name, data.task, data.n_in, data.n_out) == ("digits", "classification", 64, 10)
    assert data.image_shape == (8, 8)
    assert data.x_train.min() == 0
    assert data.x_train.max() == 1
    assert set(np.unique(data.y_train)) == {0, 1}
    assert np.all(data.y_train.sum(axis=1) == 1)
    assert data.checksum == "68c7ef8f13d7d13ec626fb8c8cb6e382ccbf59aeac6a5e9f148ffd129a0004e3"
    assert datasets.checksum("digits") == data.checksum
    assert "ordered by writer" in data.description
    assert repr(data) == ("<Dataset 'digits': 1437 training and 360 test examples, 64 inputs, 10 outputs, float64>")


# The data set itself -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float32", "float64", np.float32, np.dtype("float64")])
@pytest.mark.parametrize("name", ["digits", "linear-teacher", "nonlinear-teacher"])
def test_dtype_is_that_of_all_arrays_and_leaves_the_checksum_alone(name, dtype):
    data = load(name, rng=np.random.default_rng(3), dtype=dtype)
    reference = load(name, rng=np.random.default_rng(3))
    assert {getattr(data, field).dtype for field in FIELDS} == {np.dtype(dtype)}
    assert data.checksum == reference.checksum
    for field in FIELDS:
        np.testing.assert_array_equal(getattr(data, field), getattr(reference, field).astype(dtype))


@pytest.mark.parametrize("dtype", ["flaot32", "float16", "int64", None, 7, np.int32])
def test_other_dtypes_are_refused(dtype):
    with pytest.raises(InvalidValue, match=r"unknown dtype .*Accepted: float32, float64\.") as caught:
        load("digits", dtype=dtype)
    assert dtype != "flaot32" or "did you mean 'float32'?" in str(caught.value)


@pytest.mark.parametrize("cut", [lambda d: d, lambda d: d.take(30), lambda d: d.split_validation()])
@pytest.mark.parametrize("name", ["digits", "linear-teacher", "nonlinear-teacher"])
def test_nobody_alters_the_data_by_accident(name, cut):
    data = cut(load(name, rng=np.random.default_rng(0)))
    for field in FIELDS:
        with pytest.raises(ValueError, match="read-only"):
            getattr(data, field)[0] = 5
    with pytest.raises(dataclasses.FrozenInstanceError):
        data.name = "other"


def small(n=12, task="classification", **changes):
    x, y = np.arange(2.0 * n).reshape(n, 2), np.eye(2)[np.arange(n) % 2]
    values = {"name": "small", "task": task, "x_train": x, "y_train": y, "x_test": x[:3], "y_test": y[:3]}
    values |= {"checksum": "0", "image_shape": None, "description": "A small one."} | changes
    return Dataset(**values)


def test_the_arrays_given_stay_writable_for_their_owner():
    x = np.zeros((12, 2))
    small(x_train=x)
    x[0] = 1


@pytest.mark.parametrize(
    "changes",
    [
        {"x_train": np.zeros(12)},
        {"x_train": np.zeros((11, 2))},
        {"y_test": np.zeros((4, 2))},
        {"x_test": np.zeros((3, 5))},
        {"y_test": np.zeros((3, 1))},
        {"x_train": np.zeros((12, 2, 1))},
    ],
)
def test_arrays_that_do_not_fit_each_other_are_refused(changes):
    with pytest.raises(InvalidValue, match="arrays of data set 'small' do not fit"):
        small(**changes)


def test_an_unknown_task_is_refused():
    with pytest.raises(InvalidValue, match="did you mean 'regression'"):
        small(task="regress")


def test_take_keeps_the_first_training_examples_and_the_whole_test_part():
    data = load("digits")
    few = data.take(np.int64(100))
    np.testing.assert_array_equal(few.x_train, data.x_train[:100])
    np.testing.assert_array_equal(few.y_train, data.y_train[:100])
    np.testing.assert_array_equal(few.x_test, data.x_test)
    assert few.checksum == data.checksum
    assert len(data.take(1437).x_train) == 1437
    assert len(data.take(1).x_train) == 1


@pytest.mark.parametrize("n", [0, -1, 1438, 2.0, "10", None, True])
def test_take_refuses_what_it_cannot_give(n):
    with pytest.raises(InvalidValue, match=r"of 'digits' is .*Accepted: a whole number from 1 to 1437\."):
        load("digits").take(n)


@pytest.mark.parametrize("name", ["digits", "linear-teacher", "nonlinear-teacher"])
def test_the_validation_part_is_cut_out_of_the_training_part(name):
    data = load(name, rng=np.random.default_rng(1))
    cut = data.split_validation()
    again = load(name, rng=np.random.default_rng(1)).split_validation()
    n_validation = len(data.x_train) // 6
    assert (len(cut.x_train), len(cut.x_test)) == (len(data.x_train) - n_validation, n_validation)
    np.testing.assert_array_equal(cut.x_test, again.x_test)

    # Each row with its target: together the two parts are the training part, and nothing of the test part.
    def rows(x, y):
        return sorted(map(bytes, np.hstack([x, y])))

    assert sorted(rows(cut.x_train, cut.y_train) + rows(cut.x_test, cut.y_test)) == rows(data.x_train, data.y_train)
    assert not set(rows(cut.x_test, cut.y_test)) & set(rows(data.x_test, data.y_test))
    assert not set(rows(cut.x_test, cut.y_test)) & set(rows(cut.x_train, cut.y_train))
    assert f"validation part, {n_validation} examples" in cut.description
    assert cut.checksum == data.checksum


def test_the_validation_part_is_stratified():
    data = load("digits")
    cut = data.split_validation()
    share = counts(data.y_train) * len(cut.y_test) / len(data.y_train)
    assert np.all(np.abs(counts(cut.y_test) - share) < 1)
    np.testing.assert_array_equal(counts(cut.y_test) + counts(cut.y_train), counts(data.y_train))


def test_too_few_examples_for_a_validation_part():
    assert len(small(6).split_validation().x_test) == 1
    with pytest.raises(InvalidValue, match="'small' has 5 training examples"):
        small(5).split_validation()


def test_float32_makes_no_float64_copy_on_the_way():
    images = np.random.default_rng(0).integers(0, 256, (4000, 28, 28), dtype=np.uint8)
    part = LabelledImages(images, np.zeros(4000, dtype=np.uint8))
    whole = ImageSet("mnist", part, part[np.arange(10)], 255, "")
    tracemalloc.start()
    try:
        data = whole.as_dataset(F32)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 1.2 * data.x_train.nbytes
    np.testing.assert_array_equal(data.x_train, images.reshape(4000, 784).astype("f4") / np.float32(255))


# Names -------------------------------------------------------------------------------------------------------


def test_an_unknown_name_is_refused_with_the_nearest_one():
    with pytest.raises(InvalidValue, match=r"unknown dataset 'minst'; did you mean 'mnist'\? Accepted: digits"):
        load("minst")
    with pytest.raises(InvalidValue, match="unknown dataset 3"):
        load(3)
    with pytest.raises(InvalidValue, match="did you mean 'fashion-mnist'"):
        datasets.checksum("fashion_mnist")
    assert datasets.NAMES == ("digits", "mnist", "fashion-mnist", "linear-teacher", "nonlinear-teacher")


# The linear teacher ------------------------------------------------------------------------------------------


def test_the_linear_teacher_is_linear_and_drawn_as_published():
    data = linear_teacher(np.random.default_rng(0))
    assert [getattr(data, f).shape for f in FIELDS] == [(20_000, 30), (20_000, 10), (1_000, 30), (1_000, 10)]
    assert (data.task, data.image_shape, data.n_in, data.n_out) == ("regression", None, 30, 10)
    teacher = np.linalg.lstsq(data.x_train, data.y_train)[0].T
    np.testing.assert_allclose(data.y_test, data.x_test @ teacher.T, atol=1e-10)
    assert teacher.shape == (10, 30)
    assert np.abs(teacher).max() < 1
    assert np.abs(teacher).mean() == pytest.approx(0.5, abs=0.06)
    assert teacher.mean() == pytest.approx(0, abs=0.12)
    np.testing.assert_allclose(data.x_train.mean(axis=0), 0, atol=0.04)
    np.testing.assert_allclose(np.cov(data.x_train.T), np.eye(30), atol=0.06)


def test_the_nonlinear_teacher_bends_without_saturating():
    rng = np.random.default_rng(0)
    data = nonlinear_teacher(rng, n_train=2000, n_test=100)
    assert data.x_train.shape == (2000, 30)
    assert data.y_train.shape == (2000, 10)
    best_linear = np.column_stack([data.x_train, np.ones(2000)])
    fitted, *_ = np.linalg.lstsq(best_linear, data.y_train, rcond=None)
    left = np.var(data.y_train - best_linear @ fitted) / np.var(data.y_train)
    assert 0.1 < left < 0.7  # a linear answer explains a part of it, and not the rest


def test_the_nonlinear_teacher_answers_by_its_own_weights():
    data = nonlinear_teacher(np.random.default_rng(3), n_train=4, n_test=2)
    rng, h = np.random.default_rng(3), data.x_test
    for n_in, n_out in ((30, 20), (20, 10), (10, 10)):
        limit = 2 * np.sqrt(3 / n_in)
        W, b = rng.uniform(-limit, limit, (n_out, n_in)), rng.uniform(-1, 1, n_out)
        a = h @ W.T + b
        h = np.tanh(a)
    np.testing.assert_allclose(data.y_test, a, rtol=1e-12)


def test_the_linear_teacher_depends_on_its_generator_alone():
    one, same = (load("linear-teacher", rng=np.random.default_rng(5)) for _ in range(2))
    other = load("linear-teacher", rng=np.random.default_rng(6))
    np.testing.assert_array_equal(one.y_train, same.y_train)
    assert one.checksum == same.checksum != other.checksum
    assert one.checksum == "930b3ab94955d1488c585684ede0aecc5efa3aeffc4acf0719fa31e1012014ce"
    sizes = linear_teacher(np.random.default_rng(5), n_train=7, n_test=2, n_in=3, n_out=4)
    assert [getattr(sizes, field).shape for field in FIELDS] == [(7, 3), (7, 4), (2, 3), (2, 4)]
    assert sizes.checksum != one.checksum
    assert datasets.checksum("linear-teacher", rng=np.random.default_rng(5)) == one.checksum
    with pytest.raises(InvalidValue, match="none was given"):
        datasets.checksum("linear-teacher")


@pytest.mark.parametrize("rng", [None, 0, np.random.RandomState(0)])
def test_the_linear_teacher_needs_a_generator(rng):
    received = "none was given" if rng is None else "was given"
    with pytest.raises(InvalidValue, match=f"'linear-teacher' is drawn at random .*{received}.*default_rng"):
        load("linear-teacher", rng=rng)
    with pytest.raises(InvalidValue, match="NumPy Generator"):
        linear_teacher(rng)


@pytest.mark.parametrize("size", ["n_train", "n_test", "n_in", "n_out"])
@pytest.mark.parametrize("value", [0, -3, 2.5, "4", True])
def test_sizes_of_the_linear_teacher_are_whole_numbers(size, value):
    with pytest.raises(InvalidValue, match=f"{size} is {value!r}. Accepted: a whole number from 1"):
        linear_teacher(np.random.default_rng(0), **{size: value})


# IDX ---------------------------------------------------------------------------------------------------------


def idx(array):
    sizes = b"".join(size.to_bytes(4, "big") for size in array.shape)
    return bytes([0, 0, 8, array.ndim]) + sizes + array.tobytes()


@given(st.lists(st.integers(0, 4), min_size=1, max_size=4))
def test_idx_gives_back_what_was_written(shape):
    array = np.arange(np.prod(shape, dtype=int), dtype=np.uint8).reshape(shape)
    read = parse_idx(idx(array), "here")
    assert read.dtype == np.uint8
    np.testing.assert_array_equal(read, array)


GOOD = idx(np.zeros((2, 3), dtype=np.uint8))


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "0 bytes are too short"),
        (GOOD[:3], "3 bytes are too short"),
        (b"\x1f\x8b" + GOOD[2:], "0x1f8b0802, which is not the magic number"),
        (b"\0\0\x08\0" + GOOD[4:], "not the magic number"),
        (b"\0\0\x0d" + GOOD[3:], "IDX type 0x0d. Accepted: 0x08"),
        (GOOD[:9], "ends inside its IDX header of 12 bytes"),
        (GOOD[:-1], "announces 2 × 3 = 6 bytes, but 5 follow"),
        (GOOD + b"\0", "announces 2 × 3 = 6 bytes, but 7 follow"),
        (b"\0\0\x08\x03" + b"\xff" * 12, "but 0 follow"),
        (b"\0\0\x08\xff" + b"\xff" * 2000, "but 980 follow"),
    ],
)
def test_what_is_not_idx_is_refused_by_name(content, says):
    with pytest.raises(DataError, match=r"^here: ") as caught:
        parse_idx(content, "here")
    assert says in str(caught.value)


@given(st.binary(max_size=40))
def test_no_bytes_bring_the_idx_reader_down(content):
    with contextlib.suppress(DataError):
        parse_idx(content, "here")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"not gzip at all", "not a complete gzip file"),
        (gzip.compress(GOOD, mtime=0)[:-6], "not a complete gzip file"),
        (gzip.compress(GOOD, mtime=0)[:12] + b"\xff" * 12, "not a complete gzip file"),
        (gzip.compress(b"hello", mtime=0), "not the magic number"),
        (None, "cannot be read (No such file"),
    ],
)
def test_a_damaged_gzip_file_is_refused_by_name(tmp_path, content, says):
    path = tmp_path / "train.gz"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DataError) as caught:
        read_idx_gz(path)
    assert str(caught.value).startswith(str(path))
    assert says in str(caught.value)


@pytest.mark.parametrize(
    ("images", "labels", "says"),
    [((3, 2, 2), (4,), "do not belong together"), ((3, 4), (3,), "do not belong together")],
)
def test_images_and_labels_have_to_belong_together(images, labels, says):
    with pytest.raises(DataError, match=says):
        LabelledImages(np.zeros(images, dtype=np.uint8), np.zeros(labels, dtype=np.uint8))


def test_a_label_without_a_class_is_refused():
    with pytest.raises(DataError, match=r"a label is 10\. Accepted: 0 to 9"):
        LabelledImages(np.zeros((1, 2, 2), dtype=np.uint8), np.array([10], dtype=np.uint8))


# Finding and fetching: a real server on this machine, a tiny MNIST ------------------------------------------


@pytest.fixture
def tiny(monkeypatch, tmp_path):
    """Put a tiny archive in the place of MNIST; nothing of the reader's own data or cache is in sight."""
    rng = np.random.default_rng(0)
    arrays = {
        mnist.TRAIN_IMAGES: rng.integers(0, 256, (40, 28, 28), dtype=np.uint8),
        mnist.TRAIN_LABELS: np.arange(40, dtype=np.uint8) % 10,
        mnist.TEST_IMAGES: rng.integers(0, 256, (10, 28, 28), dtype=np.uint8),
        mnist.TEST_LABELS: np.arange(10, dtype=np.uint8),
    }
    contents = {file: gzip.compress(idx(array), mtime=0) for file, array in arrays.items()}
    hashes = {file: hashlib.sha256(content).hexdigest() for file, content in contents.items()}
    archive = fetch.Archive("mnist", hashes, mirrors=("http://127.0.0.1:1/never-asked/",))
    monkeypatch.setitem(mnist.ARCHIVES, "mnist", archive)
    monkeypatch.delenv("ALIGNLIB_DATA", raising=False)
    monkeypatch.setenv("ALIGNLIB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    mnist._read.cache_clear()
    yield contents
    mnist._read.cache_clear()


class Server(ThreadingHTTPServer):
    """Answers a path with (status, body, announced length) from ``answers``; remembers who asked for what."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers = {}
        self.asked = []

    def mirror(self, folder, contents, status=200, missing_bytes=0):
        for file, body in contents.items():
            kept = body[: len(body) - missing_bytes]
            self.answers[f"/{folder}/{file}"] = (status, kept, len(body))
        return f"http://127.0.0.1:{self.server_port}/{folder}/"


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.asked.append(self.path)
        status, body, length = self.server.answers.get(self.path, (404, b"nothing here", 12))
        self.send_response(status)
        self.send_header("Content-Length", str(length))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture
def server():
    with Server() as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def write(folder, contents):
    folder.mkdir(parents=True, exist_ok=True)
    for file, content in contents.items():
        (folder / file).write_bytes(content)


def files_below(folder):
    return sorted(path.name for path in folder.rglob("*") if not path.is_dir())


def failure(mirrors):
    with pytest.raises(DataError) as caught:
        mnist.load("mnist", F32, mirrors)
    assert isinstance(caught.value, AlignlibError)
    return str(caught.value)


def test_a_download_is_checked_kept_and_used_again(tiny, server, tmp_path, capfd):
    data = mnist.load("mnist", F32, [server.mirror("good", tiny)])
    assert (data.x_train.shape, data.x_test.shape) == ((40, 784), (10, 784))
    assert files_below(tmp_path / "cache") == sorted(tiny)
    assert len(server.asked) == 4
    mnist._read.cache_clear()
    again = mnist.load("mnist", F64, [])
    assert len(server.asked) == 4
    assert again.checksum == data.checksum
    assert capfd.readouterr() == ("", "")  # quiet: this is not a terminal


def test_the_training_order_is_a_fixed_shuffle_of_the_published_one(tiny, server):
    data = mnist.load("mnist", F64, [server.mirror("good", tiny)])
    published = parse_idx(gzip.decompress(tiny[mnist.TRAIN_IMAGES]), "images").reshape(40, 784)
    order = fixed_order(40, mnist.ORDER_SEED)
    np.testing.assert_array_equal(data.x_train, published[order] / 255)
    np.testing.assert_array_equal(data.y_train.argmax(axis=1), order % 10)
    np.testing.assert_array_equal(data.y_test.argmax(axis=1), np.arange(10))


def test_the_files_are_read_once_a_process(tiny, server, tmp_path):
    mirrors = [server.mirror("good", tiny)]
    first = mnist.load("mnist", F64, mirrors)
    for path in (tmp_path / "cache" / "mnist").iterdir():
        path.unlink()
    np.testing.assert_array_equal(mnist.load("mnist", F64, mirrors).x_train, first.x_train)
    assert len(server.asked) == 4


def test_each_bad_mirror_is_named_and_the_next_one_asked(tiny, server, tmp_path):
    bad = [
        server.mirror("gone", {}),
        server.mirror("broken", tiny, missing_bytes=20),
        server.mirror("other", dict.fromkeys(tiny, b"<html>log in first</html>")),
        server.mirror("down", tiny, status=503),
    ]
    says = failure(bad).splitlines()
    assert says[0] == f"cannot download {mnist.TRAIN_IMAGES} of 'mnist'; nothing of it was kept. Tried:"
    assert says[1] == f"  {bad[0]}{mnist.TRAIN_IMAGES}: 404 Not Found"
    assert says[2].endswith("/broken/train-images-idx3-ubyte.gz: the connection broke off before the end of "
                            "the file; removed")  # fmt: skip
    wrong = hashlib.sha256(b"<html>log in first</html>").hexdigest()
    expected = hashlib.sha256(tiny[mnist.TRAIN_IMAGES]).hexdigest()
    assert says[3].endswith(f": other content, SHA-256 {wrong}, expected {expected}; removed")
    assert says[4].endswith(": 503 Service Unavailable")
    assert files_below(tmp_path) == []

    good = server.mirror("good", tiny)
    assert mnist.load("mnist", F64, [*bad, good.rstrip("/")]).n_in == 784
    assert files_below(tmp_path) == sorted(tiny)


def test_a_file_cut_short_without_notice_is_refused_too(tiny, server, tmp_path):
    short = {file: content[:-20] for file, content in tiny.items()}
    assert "other content, SHA-256" in failure([server.mirror("short", short)])
    assert files_below(tmp_path) == []


def test_without_a_network_the_message_says_what_to_do(tiny, tmp_path):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    says = failure([f"http://127.0.0.1:{port}/a/"])
    assert f"http://127.0.0.1:{port}/a/{mnist.TRAIN_IMAGES}: cannot be reached ([Errno " in says
    assert "set ALIGNLIB_DATA to a folder that holds these files" in says
    for file, content in tiny.items():
        assert f"{hashlib.sha256(content).hexdigest()}  mnist/{file}" in says
    assert files_below(tmp_path) == []


def test_an_empty_list_of_mirrors_is_said_to_be_empty(tiny):
    assert "no mirror at all" in failure([])


def test_a_damaged_file_in_the_cache_is_removed_and_fetched_again(tiny, server, tmp_path):
    mirror = server.mirror("good", tiny)
    write(tmp_path / "cache" / "mnist", tiny | {mnist.TEST_IMAGES: b"damaged"})
    with pytest.warns(UserWarning, match=r"t10k-images.* was damaged and has been removed"):
        mnist.load("mnist", F64, [mirror])
    assert server.asked == [f"/good/{mnist.TEST_IMAGES}"]
    assert (tmp_path / "cache" / "mnist" / mnist.TEST_IMAGES).read_bytes() == tiny[mnist.TEST_IMAGES]


def test_a_damaged_file_in_the_cache_is_removed_without_a_network_too(tiny, tmp_path):
    write(tmp_path / "cache" / "mnist", tiny | {mnist.TEST_IMAGES: b"damaged"})
    with pytest.warns(UserWarning, match="was damaged"):
        assert "ALIGNLIB_DATA" in failure([])
    assert mnist.TEST_IMAGES not in files_below(tmp_path)


def test_the_readers_own_folder_comes_first(tiny, monkeypatch, tmp_path):
    write(tmp_path / "own" / "mnist", tiny)
    write(tmp_path / "cache" / "mnist", dict.fromkeys(tiny, b"damaged"))
    monkeypatch.setenv("ALIGNLIB_DATA", str(tmp_path / "own"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert mnist.load("mnist", F64, []).n_out == 10


def test_a_wrong_file_in_the_readers_own_folder_is_refused_and_left_alone(tiny, server, monkeypatch, tmp_path):
    own = tmp_path / "own" / "mnist"
    write(own, tiny | {mnist.TRAIN_LABELS: b"mine"})
    monkeypatch.setenv("ALIGNLIB_DATA", str(tmp_path / "own"))
    says = failure([server.mirror("good", tiny)])
    assert str(own / mnist.TRAIN_LABELS) in says
    assert hashlib.sha256(b"mine").hexdigest() in says
    assert hashlib.sha256(tiny[mnist.TRAIN_LABELS]).hexdigest() in says
    assert (own / mnist.TRAIN_LABELS).read_bytes() == b"mine"
    assert server.asked == []


def test_files_missing_in_the_readers_own_folder_are_named_and_fetched(tiny, server, monkeypatch, tmp_path):
    own = tmp_path / "own" / "mnist"
    write(own, {mnist.TRAIN_IMAGES: tiny[mnist.TRAIN_IMAGES], mnist.TEST_IMAGES: tiny[mnist.TEST_IMAGES]})
    monkeypatch.setenv("ALIGNLIB_DATA", str(tmp_path / "own"))
    with pytest.warns(UserWarning, match=f"has no {mnist.TRAIN_LABELS}, {mnist.TEST_LABELS}; going on with"):
        mnist.load("mnist", F64, [server.mirror("good", tiny)])
    assert server.asked == [f"/good/{mnist.TRAIN_LABELS}", f"/good/{mnist.TEST_LABELS}"]
    assert files_below(own) == sorted([mnist.TRAIN_IMAGES, mnist.TEST_IMAGES])  # nothing is written there


def test_a_data_folder_that_does_not_exist_is_named(tiny, monkeypatch, tmp_path):
    monkeypatch.setenv("ALIGNLIB_DATA", str(tmp_path / "nowhere"))
    with pytest.warns(UserWarning, match=r"nowhere.mnist has no train-images.*t10k-labels"):
        failure([])


def test_a_folder_in_the_place_of_a_file_is_refused(tiny, monkeypatch, tmp_path):
    own = tmp_path / "own" / "mnist"
    (own / mnist.TRAIN_IMAGES).mkdir(parents=True)
    monkeypatch.setenv("ALIGNLIB_DATA", str(tmp_path / "own"))
    assert f"{own / mnist.TRAIN_IMAGES}: cannot be read (" in failure([])


def test_a_cache_folder_that_cannot_be_written_is_named(tiny, server, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("not a folder")
    monkeypatch.setenv("ALIGNLIB_CACHE", str(tmp_path / "file" / "cache"))
    says = failure([server.mirror("good", tiny)])
    assert f"cannot use the cache folder {tmp_path / 'file' / 'cache' / 'mnist'} (Not a directory)" in says
    assert "Set ALIGNLIB_CACHE to a folder that can be written" in says
    assert server.asked == []


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_cache_folder_is_named(tiny, server, tmp_path):
    (tmp_path / "cache").mkdir(mode=0o555)
    assert "cache/mnist (Permission denied)" in failure([server.mirror("good", tiny)])


def test_a_disk_that_fills_up_is_not_blamed_on_the_mirror(tiny, server, monkeypatch):
    import pooch

    def no_space(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pooch, "retrieve", no_space)
    assert "(No space left on device). Set ALIGNLIB_CACHE" in failure([server.mirror("good", tiny)])


def test_the_default_cache_is_the_systems(tiny, monkeypatch):
    import pooch

    monkeypatch.delenv("ALIGNLIB_CACHE")
    assert fetch.cache_folder(mnist.MNIST) == Path(pooch.os_cache("alignlib")) / "mnist"


FETCH_ONE = """
import sys
from alignlib.datasets import fetch
mirror, sha256 = sys.argv[1:]
fetch.locate(fetch.Archive("tiny", {"file.gz": sha256}, (mirror,)))
"""


def test_a_progress_bar_shows_on_a_terminal(server, tmp_path):
    pty, termios = pytest.importorskip("pty"), pytest.importorskip("termios")
    content = bytes(200_000)
    mirror = server.mirror("good", {"file.gz": content})
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, 80))
    try:
        command = [sys.executable, "-c", FETCH_ONE, mirror, hashlib.sha256(content).hexdigest()]
        environment = os.environ | {"ALIGNLIB_CACHE": str(tmp_path), "ALIGNLIB_DATA": "", "NO_PROXY": "127.0.0.1"}
        subprocess.run(command, stderr=theirs, env=environment, check=True)
        shown = os.read(ours, 1 << 16).decode()
    finally:
        os.close(ours)
        os.close(theirs)
    assert "file.gz: 100%" in shown
    assert "Downloading data" not in shown


def test_the_addresses_and_hashes_are_complete():
    for archive in (mnist.MNIST, mnist.FASHION_MNIST):
        assert len(archive.mirrors) >= 2
        assert len(set(archive.files.values())) == 4
        assert all(len(sha256) == 64 and int(sha256, 16) for sha256 in archive.files.values())
        assert archive.name in datasets.NAMES


# NumPy alone -------------------------------------------------------------------------------------------------

NUMPY_ALONE = """
import sys
allowed = set(sys.stdlib_module_names) | {"numpy", "alignlib", "pyodide_js"}
class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] not in allowed and not name.startswith(("_virtualenv", "__editable__")):
            raise ModuleNotFoundError(f"No module named {name!r} (blocked)", name=name)
sys.meta_path.insert(0, Refuse())
import numpy as np
from alignlib import datasets
print(datasets.load("digits").checksum)
print(datasets.load("linear-teacher", rng=np.random.default_rng(5)).checksum)
try:
    datasets.load("mnist")
except datasets.DataError as error:
    print(error)
"""


def test_numpy_alone_is_enough_until_something_has_to_be_downloaded(tmp_path):
    environment = os.environ | {"ALIGNLIB_DATA": "", "ALIGNLIB_CACHE": str(tmp_path)}
    ran = subprocess.run(
        [sys.executable, "-c", NUMPY_ALONE], env=environment, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
    said = ran.stdout.splitlines()
    assert said[0] == load("digits").checksum
    assert said[1] == load("linear-teacher", rng=np.random.default_rng(5)).checksum
    assert said[2] == "'mnist' has to be downloaded, which needs the package pooch; it is not installed."
    assert "set ALIGNLIB_DATA to a folder" in said[3]


# The real files ----------------------------------------------------------------------------------------------


@pytest.mark.skipif(not os.environ.get("ALIGNLIB_DATA"), reason="ALIGNLIB_DATA is not set")
@pytest.mark.parametrize(
    ("name", "test_counts"),
    [
        ("mnist", [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]),
        ("fashion-mnist", [1000] * 10),
    ],
)
def test_the_real_files(name, test_counts):
    data = load(name, dtype="float32")
    assert [getattr(data, f).shape for f in FIELDS] == [(60_000, 784), (60_000, 10), (10_000, 784), (10_000, 10)]
    assert {getattr(data, field).dtype for field in FIELDS} == {F32}
    assert data.checksum == datasets.checksum(name)
    assert data.image_shape == (28, 28)
    assert (data.x_train.min(), data.x_train.max()) == (0, 1)
    assert counts(data.y_test).tolist() == test_counts

    train, test = mnist.read_published(fetch.locate(mnist.ARCHIVES[name]))
    order = fixed_order(60_000, mnist.ORDER_SEED)
    np.testing.assert_array_equal(data.x_train[:500] * 255, train.images[order[:500]].reshape(500, 784))
    np.testing.assert_array_equal(data.y_train.argmax(axis=1), train.labels[order])
    np.testing.assert_array_equal(data.x_test[:500] * 255, test.images[:500].reshape(500, 784))

    cut = data.split_validation()
    assert (len(cut.x_train), len(cut.x_test)) == (50_000, 10_000)
    share = counts(data.y_train) / 6
    assert np.all(np.abs(counts(cut.y_test) - share) < 1)


# Label noise -------------------------------------------------------------------------------------------------


def test_shuffled_labels_are_the_same_labels_on_other_examples():
    data = load("digits")
    noisy = datasets.shuffle_labels(data, 0.5, np.random.default_rng(0))
    moved = np.any(noisy.y_train != data.y_train, axis=1)
    assert 0.4 < moved.mean() < 0.5  # about a tenth of the chosen half gets its own class again
    np.testing.assert_array_equal(counts(noisy.y_train), counts(data.y_train))
    for field in ("x_train", "x_test", "y_test"):
        np.testing.assert_array_equal(getattr(noisy, field), getattr(data, field))


def test_more_label_noise_reaches_the_same_examples_and_more():
    data = load("digits")
    masks = [
        np.any(datasets.shuffle_labels(data, share, np.random.default_rng(0)).y_train != data.y_train, axis=1)
        for share in (0.0, 0.2, 1.0)
    ]
    assert masks[0].sum() == 0
    chosen = np.random.default_rng(0).permutation(len(data.y_train))[: round(0.2 * len(data.y_train))]
    assert set(np.flatnonzero(masks[1])) <= set(chosen)
    assert 0.85 < masks[2].mean() < 0.95


@pytest.mark.parametrize("share", [-0.1, 1.1, True, "half", float("nan")])
def test_a_share_that_is_none_is_refused(share):
    with pytest.raises(InvalidValue, match="number from 0 to 1"):
        datasets.shuffle_labels(load("digits"), share, np.random.default_rng(0))
