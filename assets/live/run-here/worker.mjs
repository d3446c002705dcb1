/* The computing side of "Run it here": Python, NumPy and the book's own package, all from this site.
 *
 * Asked {request, version}; tells {kind: "stage", text}, {kind: "progress", done, of}, and at the end
 * {kind: "answer", text, seconds} (JSON, see alignlib/book/live.py) or {kind: "broken", text}.
 */
import { loadPyodide } from "../pyodide/pyodide.mjs";

const tell = (kind, more) => postMessage({ kind, ...more });
let live;

async function start(version) {
  tell("stage", { text: "Fetching and starting Python" });
  const python = await loadPyodide({ indexURL: new URL("../pyodide/", import.meta.url).href });
  tell("stage", { text: "Fetching NumPy" });
  await python.loadPackage("numpy", { messageCallback: () => {} });
  tell("stage", { text: "Reading the book's package" });
  const answer = await fetch(new URL(`alignlib.zip?${version}`, import.meta.url));
  if (!answer.ok) throw new Error(`alignlib.zip: ${answer.status} ${answer.statusText}`);
  python.unpackArchive(await answer.arrayBuffer(), "zip", { extractDir: "/book" });
  python.runPython("import sys; sys.path.insert(0, '/book')");
  return python.pyimport("alignlib.book.live");
}

addEventListener("message", async ({ data }) => {
  try {
    live ??= await start(data.version);
    tell("stage", { text: "Running the chapter's cells" });
    const began = performance.now();
    const text = live.answer(data.request, (done, of) => tell("progress", { done, of }));
    tell("answer", { text, seconds: (performance.now() - began) / 1000 });
  } catch (problem) {
    tell("broken", { text: String(problem?.message ?? problem) });
  }
});
