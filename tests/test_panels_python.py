"""What a panel does, without the page: the packed book in the browser's Python gives the native numbers."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from alignlib.book import inpage, live
from alignlib.book.excerpt import excerpt

ROOT = Path(__file__).resolve().parents[1]
PYODIDE = Path(os.environ.get("ALIGNLIB_PYODIDE") or ROOT.parent / "shared" / "pyodide")

#: The few values that make each chapter's cells quick. All their experiments are run, only shorter.
QUICK = {
    "03": [["seeds", "0"], ["linear_examples", "1500"]],
    "04": [["seeds", "0"], ["epochs", "2"], ["hidden", "16,16"]],
    "05": [["seeds", "0"], ["sweep_seeds", "0"], ["epochs", "1"], ["hidden", "8,8"], ["learning_rates", "0.004"]],
    "06": [["tune_seeds", "100"], ["epochs", "1"], ["hidden", "8,8"], ["rates", "0.001,0.01"]],
}


def taken(number):
    (path,) = (ROOT / "chapters").glob(f"{number}-*.ipynb")
    found = excerpt(json.loads(path.read_text(encoding="utf-8")), path.stem)
    assert found is not None
    return found


def test_the_package_is_packed_the_same_each_time():
    assert inpage.packed() == inpage.packed()


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("node"), reason="needs Node.js")
@pytest.mark.skipif(not (PYODIDE / "pyodide.mjs").is_file(), reason="needs Pyodide's files: set ALIGNLIB_PYODIDE")
def test_the_browsers_python_gives_the_native_numbers_of_every_panel(tmp_path):
    (tmp_path / "alignlib.zip").write_bytes(inpage.packed())
    requests = []
    native = {}
    for number, given in QUICK.items():
        figures = live.run(taken(number), given)
        native |= {figure.id: figure for figure in figures}
        book = {figure.id: figure.to_json() for figure in figures}
        requests.append({"excerpt": taken(number), "given": given, "book": book})
    requests.append({"excerpt": taken("04"), "given": [["epochs", "0"]], "book": {}})
    (tmp_path / "requests.json").write_text(json.dumps(requests), encoding="utf-8")
    script = tmp_path / "run.mjs"
    script.write_text(f"""
        import {{ readFileSync }} from "node:fs";
        import {{ loadPyodide }} from {json.dumps((PYODIDE / "pyodide.mjs").as_uri())};
        const python = await loadPyodide({{ indexURL: {json.dumps(str(PYODIDE) + "/")} }});
        await python.loadPackage("numpy", {{ messageCallback: () => {{}} }});
        const folder = {json.dumps(str(tmp_path) + "/")};
        python.unpackArchive(new Uint8Array(readFileSync(folder + "alignlib.zip")), "zip", {{ extractDir: "/book" }});
        python.runPython("import sys; sys.path.insert(0, '/book')");
        const live = python.pyimport("alignlib.book.live");
        let told = 0;
        for (const request of JSON.parse(readFileSync(folder + "requests.json"))) {{
          console.log(live.answer(JSON.stringify(request), () => {{ told += 1; }}));
        }}
        console.log(told);
    """)
    done = subprocess.run(["node", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]  # Pyodide shows its own source first
    *answers, told = map(json.loads, done.stdout.splitlines())
    refused = answers.pop()
    assert refused == {"refused": "parameter 'epochs' got 0, out of range. Accepted: 1 to 1000."}
    assert told > 20
    shown = [figure for answer in answers for figure in answer["figures"]]
    assert [figure["id"] for figure in shown] == list(native)
    for figure in shown:
        distances = [row["distance"] for row in figure["differences"] if row["distance"] is not None]
        largest = max(np.nanmax(np.abs(s.y)) for p in native[figure["id"]].panels for s in p.series)
        assert distances, figure["id"]
        assert max(distances) <= 1e-9 * largest, figure["id"]
