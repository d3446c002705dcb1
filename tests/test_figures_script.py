"""The arithmetic of the figures' script, run by Node: what it writes, where it ticks, what it takes as the middle."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[1] / "assets" / "static" / "figures.js"
LIVE = SCRIPT.parents[1] / "live" / "run-here"
#: As much of a browser as the script touches before a page is there.
BROWSER = "globalThis.window = {}; globalThis.document = {readyState: 'loading', addEventListener() {}};"

pytestmark = pytest.mark.skipif(not shutil.which("node"), reason="needs Node.js")


def computed(expression):
    code = f"{BROWSER}\n{SCRIPT.read_text(encoding='utf-8')}\nconst f = window.bookFigures;\n"
    code += f"console.log(JSON.stringify({expression}));"
    done = subprocess.run(["node", "-"], input=code, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_numbers_are_written_for_people():
    numbers = "[0, 1, -1.5, 0.30000000000000004, 3.14159, 1234, 12345.6, 0.001, 0.00002, -1e-12, 123456, NaN]"
    assert computed(f"{numbers}.map((n) => f.written(n))") == [
        *["0", "1", "−1.5", "0.3", "3.14", "1234", "12346", "0.001", "2·10⁻⁵", "−1·10⁻¹²", "1.23·10⁵", "–"]
    ]


def test_ticks_are_round_and_inside():
    assert computed("f.ticks(f.scale(0, 20, 0, 1, false), 6)") == [0, 5, 10, 15, 20]
    assert computed("f.ticks(f.scale(-0.1, 1.05, 0, 1, false), 5)") == [0, 0.5, 1]
    assert computed("f.ticks(f.scale(0.9, 110, 0, 1, true), 5)") == [1, 10, 100]
    assert computed("f.ticks(f.scale(0.9, 9, 0, 1, true), 5)") == [1, 2, 5]
    assert len(computed("f.ticks(f.scale(1e-27, 1, 0, 1, true), 5)")) <= 6


def test_a_scale_puts_the_ends_at_the_ends():
    assert computed("[1, 10, 100].map(f.scale(1, 100, 40, 240, true))") == [40, 140, 240]
    assert computed("[0, 5, 10].map(f.scale(0, 10, 200, 0, false))") == [200, 100, 0]


def test_the_middle_is_there_only_where_every_run_is():
    assert computed("[[3, 1, 2], [4, 1, 2, 3], [1, NaN], []].map(f.median)") == [2, 2.5, None, None]


def test_limits_hold_what_is_drawn():
    low, high = computed("f.limits([1, 2, NaN, 5], false, 0.05)")
    assert low == pytest.approx(0.8) and high == pytest.approx(5.2)  # noqa: PT018
    low, high = computed("f.limits([0, 0.01, 100], true, 0.05)")  # zero has no place on a logarithmic axis
    assert 0 < low < 0.01 < 100 < high
    assert computed("f.limits([3, 3], false, 0)") == [2.5, 3.5]


def test_the_script_that_every_page_loads_is_small():
    assert len(SCRIPT.read_bytes()) < 25_000


@pytest.mark.parametrize("name", ["panel.mjs", "worker.mjs"])
def test_the_scripts_of_the_panel_can_be_read(name):
    done = subprocess.run(["node", "--check", str(LIVE / name)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
