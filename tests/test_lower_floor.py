"""The lower floor stands on NumPy alone: here with everything else blocked, and in the browser's Python."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import alignlib as al

ROOT = Path(al.__file__).parent
PYODIDE = Path(os.environ.get("ALIGNLIB_PYODIDE") or ROOT.parents[1] / "shared" / "pyodide")

#: What both Pythons run; the last line they print is compared with this process's own numbers.
TRAIN = """
import json
import alignlib as al
base = al.Experiment(hidden=(16, 12), epochs=2, train_size=200)
results = [al.run(e) for e in al.grid(base, rule=list(al.rules.RULES))]
print(json.dumps([[r.final("test_loss"), r.final("train_loss")] for r in results]))
"""

BLOCK = """
import sys
class Block:
    def find_spec(self, name, path=None, target=None):
        top = name.partition(".")[0]
        if top not in sys.stdlib_module_names and top not in ("numpy", "alignlib"):
            raise ModuleNotFoundError(f"{name} is blocked", name=name)
sys.meta_path.insert(0, Block())
"""


def assert_same_numbers(printed):
    base = al.Experiment(hidden=(16, 12), epochs=2, train_size=200)
    results = map(al.run, al.grid(base, rule=list(al.rules.RULES)))
    ours = [[r.final("test_loss"), r.final("train_loss")] for r in results]
    np.testing.assert_allclose(json.loads(printed.splitlines()[-1]), ours, rtol=1e-12)


def test_it_trains_with_everything_but_numpy_blocked():
    done = subprocess.run([sys.executable, "-c", BLOCK + TRAIN], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert_same_numbers(done.stdout)


def test_it_never_imports_the_upper_floor():
    upper = re.compile(r"^\s*(from|import) alignlib\.(book|cli)|^\s*from alignlib import .*\b(book|cli)\b", re.M)
    lower = [p for p in ROOT.rglob("*.py") if p.relative_to(ROOT).parts[0] not in ("book", "cli.py")]
    assert len(lower) > 20
    assert [p.name for p in lower if upper.search(p.read_text(encoding="utf-8"))] == []


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("node"), reason="needs Node.js")
@pytest.mark.skipif(not (PYODIDE / "pyodide.mjs").is_file(), reason="needs Pyodide's files: set ALIGNLIB_PYODIDE")
def test_it_trains_in_the_browsers_python(tmp_path):
    script = tmp_path / "train.mjs"
    script.write_text(f"""
        import {{ loadPyodide }} from {json.dumps((PYODIDE / "pyodide.mjs").as_uri())};
        const python = await loadPyodide({{ indexURL: {json.dumps(str(PYODIDE) + "/")} }});
        await python.loadPackage("numpy", {{ messageCallback: () => {{}} }});
        python.FS.mkdir("/package");
        python.mountNodeFS("/package", {json.dumps(str(ROOT.parent))});
        await python.runPythonAsync("import sys; sys.path.insert(0, '/package')");
        await python.runPythonAsync({json.dumps(TRAIN)});
    """)
    done = subprocess.run(["node", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert_same_numbers(done.stdout)
