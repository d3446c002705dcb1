/* The reader's side of "Run it here": a form, a button to run, one to stop, the answer.
 *
 * section.run-here[data-chapter][data-runtime][data-script][data-state]   made by alignlib/book/inpage.py
 *   data-state: "form", "running", "done", "refused", "stopped" or "broken", once the form is open
 *   .run-here-app > form.run-here-form
 *     .run-here-field[data-parameter=NAME] > input or select, name=NAME     aria-invalid where a value was refused
 *     button.run-here-run, button.run-here-stop, button.run-here-reset
 *   .run-here-status (role=status), progress.run-here-progress
 *   .run-here-problem (role=alert)      why there are no numbers, in words
 *   .run-here-result[data-figure=ID]    .run-here-summary[data-largest], div.explore, .run-here-numbers table
 *   .run-here-command code              the command that does the same
 */
const { explore, make, written } = window.bookFigures;

export async function open(panel, app) {
  const program = await read(new URL(`${panel.dataset.chapter}.json`, import.meta.url));
  const fields = program.parameters.map((parameter) => field(parameter, panel.dataset.chapter));
  const run = make("button", { type: "submit", class: "run-here-run" }, "Run");
  const stop = make("button", { type: "button", class: "run-here-stop", disabled: true }, "Stop");
  const reset = make("button", { type: "reset", class: "run-here-reset" }, "The book's values");
  const form = make(
    "form",
    { class: "run-here-form", novalidate: true },
    ...fields,
    make("div", { class: "run-here-buttons" }, run, stop, reset),
  );
  const status = make("p", { class: "run-here-status", role: "status" });
  const progress = make("progress", { class: "run-here-progress", "aria-label": "runs done", hidden: true });
  const problem = make("p", { class: "run-here-problem", role: "alert", hidden: true });
  const results = make("div", { class: "run-here-results" });
  app.append(form, status, progress, problem, results);
  panel.dataset.state = "form";
  const command = panel.querySelector(".run-here-command code");
  const plain = command.textContent;
  let worker = null;
  let runs = 0;
  let began = 0;

  const inputs = () => program.parameters.map((parameter) => [parameter, form.elements.namedItem(parameter.name)]);
  const given = () =>
    inputs()
      .filter(([parameter, input]) => input.value !== parameter.default)
      .map(([parameter, input]) => [parameter.name, input.value]);
  const quoted = (text) => (/^[\w.,+-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`);

  function tellCommand() {
    command.textContent =
      plain +
      given()
        .map(([name, value]) => ` -p ${name} ${quoted(value)}`)
        .join("");
  }

  function become(state, text) {
    panel.dataset.state = state;
    const running = state === "running";
    run.disabled = reset.disabled = running;
    stop.disabled = !running;
    progress.hidden = !running;
    status.textContent = text;
  }

  function complain(state, text, words) {
    become(state, words);
    problem.textContent = text;
    problem.hidden = false;
    const named = inputs().find(([parameter]) => text.includes(`parameter '${parameter.name}'`));
    if (!named) return;
    named[1].setAttribute("aria-invalid", "true");
    named[1].focus();
  }

  function clear() {
    problem.hidden = true;
    problem.textContent = "";
    for (const [, input] of inputs()) input.removeAttribute("aria-invalid");
  }

  function dismiss() {
    worker?.terminate();
    worker = null;
  }

  function heard({ data }) {
    if (data.kind === "stage") {
      status.textContent = `${data.text} …`;
    } else if (data.kind === "progress") {
      runs += 1;
      progress.max = data.of;
      progress.value = data.done;
      const spent = (performance.now() - began) / 1000;
      status.textContent = `Run ${data.done + 1} of ${data.of} of this step; ${written(spent, 2)} s so far.`;
    } else if (data.kind === "broken") {
      dismiss();
      complain("broken", `The computation could not go on: ${data.text}. The command below does the same.`, "");
    } else {
      answered(JSON.parse(data.text), data.seconds);
    }
  }

  function answered(answer, seconds) {
    if (answer.refused) return complain("refused", answer.refused, "Nothing was run.");
    if (answer.failed) return complain("broken", answer.failed, "The chapter's cells ended with an error.");
    become("done", `${runs} runs in ${written(seconds)} s.`);
    results.replaceChildren(
      ...answer.figures.map((figure) =>
        make("div", { class: "run-here-result", "data-figure": figure.id }, summary(figure, given().length)),
      ),
    );
    answer.figures.forEach((figure, i) => {
      explore(results.children[i], figure.yours, { book: figure.book });
      results.children[i].append(numbers(figure));
    });
  }

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    clear();
    runs = 0;
    began = performance.now();
    become("running", "Starting …");
    progress.removeAttribute("value");
    if (!worker) {
      worker = new Worker(new URL("worker.mjs", import.meta.url), { type: "module" });
      worker.addEventListener("message", heard);
      worker.addEventListener("error", (event) => {
        dismiss();
        complain(
          "broken",
          `Python could not be started${event.message ? `: ${event.message}` : ""}. The command below does the same.`,
          "",
        );
      });
    }
    const request = JSON.stringify({ excerpt: program.excerpt, given: given(), book: program.book });
    worker.postMessage({ request, version: program.version });
  });
  stop.addEventListener("click", () => {
    dismiss();
    become("stopped", "Stopped. Nothing was kept; the next run starts Python anew.");
    run.focus();
  });
  form.addEventListener("input", tellCommand);
  form.addEventListener("reset", () =>
    setTimeout(() => {
      clear();
      tellCommand();
    }),
  );
  form.querySelector("input, select")?.focus();
}

async function read(address) {
  const answer = await fetch(address);
  if (!answer.ok) throw new Error(`${answer.status} ${answer.statusText}`);
  return answer.json();
}

/** A field of the form. What may stand in it is said; whether it does is judged by the chapter's own check alone. */
function field(parameter, chapter) {
  const id = `run-here-${chapter}-${parameter.name}`;
  const about = { id, name: parameter.name, "aria-describedby": `${id}-help` };
  let input;
  if (parameter.options.length && !parameter.list) {
    const options = parameter.options.map(({ value, here }) =>
      make(
        "option",
        { value, disabled: !here, selected: value === parameter.default },
        here ? value : `${value} (only with the command)`,
      ),
    );
    input = make("select", about, ...options);
  } else {
    input = make("input", {
      ...about,
      type: "text",
      value: parameter.default,
      autocomplete: "off",
      spellcheck: "false",
    });
  }
  const accepted = parameter.accepted ? `; ${parameter.accepted}` : "";
  const several = parameter.list ? ", separated by commas" : "";
  const help = make("span", { class: "run-here-help", id: `${id}-help` }, `${parameter.help}${several}${accepted}`);
  return make(
    "div",
    { class: "run-here-field", "data-parameter": parameter.name },
    make("label", { for: id }, parameter.name),
    input,
    help,
  );
}

function summary({ differences }, changed) {
  const apart = differences.map((one) => one.distance).filter((distance) => distance !== null);
  const largest = apart.length ? Math.max(...apart) : NaN;
  const text = changed
    ? "Your run in colour, the book's in grey. The last table says where each line is furthest from the book's."
    : `With the book's values: the largest difference to the book's numbers is ${written(largest)}.`;
  return make("p", { class: "run-here-summary run-here-good", "data-largest": largest }, text);
}

function numbers({ id, differences }) {
  const names = ["series", "book", "yours", "difference", "at"];
  const head = make(
    "tr",
    {},
    ...["series", "book", "yours", "difference", "furthest apart at"].map((name) => make("th", { scope: "col" }, name)),
  );
  const rows = differences.map((one) =>
    make(
      "tr",
      { "data-series": one.series, "data-distance": one.distance },
      ...names.map((name) => make("td", {}, one[name])),
    ),
  );
  return make(
    "div",
    { class: "run-here-numbers", tabindex: 0, role: "region", "aria-label": `your numbers and the book's, ${id}` },
    make("table", {}, make("thead", {}, head), make("tbody", {}, ...rows)),
  );
}
