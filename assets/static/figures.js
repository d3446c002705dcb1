/* Figures that answer to the hand.
 *
 * A figure whose cell has the tag `interactive` comes with its plotted numbers beside it:
 *   <script type="application/json" class="figure-data" data-figure="ID">…</script>
 * Shortly before figure#fig-ID scrolls into view, its picture makes room for
 *   div.explore[data-figure=ID]            all of it; data-index: the place of its first slider
 *     div.explore-panel                    one a panel: svg.explore-plot, and div.explore-dials where it shows angles
 *       svg g[data-series=NAME]            the lines of a series; line.explore-cursor and circles at the slider's x
 *       figure.explore-dial[data-series]   an angle as two arrows, data-degrees: the angle shown
 *     label.explore-slider > input[type=range]   one for each quantity along the x axes, data-x: the x shown
 *     table.explore-table                  a row a series: tr[data-series] > input[type=checkbox] shows or hides it,
 *                                          td[data-panel] its value at the slider
 *     button.explore-switch                the printed picture instead, and back (aria-pressed)
 * Keyboard: the slider is a native one (arrows, page keys, Home, End), the rest is tabbed to. Hand: point or drag in a
 * plot. Without JavaScript, on paper, and if anything here fails, the picture stays what it was.
 *
 * window.bookFigures.explore(element, payload, {book}) draws a payload (alignlib/book/interactive.py) into an element,
 * with another one in grey behind it; run-here/panel.mjs uses it. A plain script, so that it works from file:// too.
 */
(() => {
  "use strict";
  const NS = "http://www.w3.org/2000/svg";
  const NARROW = 600;
  const MARGIN = { left: 52, right: 12, top: 10, bottom: 40 };

  /* ---------------------------------------------------------------- small tools */
  function make(tag, attributes = {}, ...children) {
    const drawn = ["svg", "g", "path", "line", "circle", "text"].includes(tag);
    const element = drawn ? document.createElementNS(NS, tag) : document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) {
      if (value !== null && value !== undefined && value !== false)
        element.setAttribute(name, value === true ? "" : value);
    }
    element.append(...children);
    return element;
  }

  const SUPERSCRIPT = { "-": "⁻", 0: "⁰", 1: "¹", 2: "²", 3: "³", 4: "⁴", 5: "⁵", 6: "⁶", 7: "⁷", 8: "⁸", 9: "⁹" };

  /** A number for people: three digits, powers of ten as 2·10⁻⁵, a true minus. */
  function written(value, digits = 3, power = false) {
    if (!Number.isFinite(value)) return "–";
    const size = Math.abs(value);
    if (power || (size !== 0 && (size < 1e-3 || size >= 1e5))) {
      const [mantissa, power] = value.toExponential(digits - 1).split("e");
      const raised = [...String(Number(power))].map((sign) => SUPERSCRIPT[sign]).join("");
      const factor = String(Number(mantissa)).replace("-", "−");
      return factor === "1" ? `10${raised}` : `${factor}·10${raised}`;
    }
    const rounded = size >= 10 ** digits ? Math.round(value) : Number(value.toPrecision(digits));
    return String(rounded).replace("-", "−");
  }

  function median(values) {
    // as in the picture: only where every run has a value
    if (!values.length || !values.every(Number.isFinite)) return NaN;
    const sorted = [...values].sort((a, b) => a - b);
    const middle = sorted.length >> 1;
    return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
  }

  const column = (series, i) => series.runs.map((run) => (run[i] === null ? NaN : run[i]));
  const medians = (series) => series.x.map((_, i) => median(column(series, i)));
  const wears = (series) => ({ style: `--light:${series.light};--dark:${series.dark}` });

  /* ---------------------------------------------------------------- scales and ticks */
  function scale(low, high, from, to, log) {
    const along = log ? Math.log10 : (value) => value;
    const [a, b] = [along(low), along(high)];
    const place = (value) => from + ((along(value) - a) / (b - a || 1)) * (to - from);
    return Object.assign(place, { low, high, log });
  }

  function limits(values, log, pad) {
    const fit = values.filter((value) => Number.isFinite(value) && (!log || value > 0));
    let [low, high] = fit.length ? [Math.min(...fit), Math.max(...fit)] : [log ? 0.1 : 0, 1];
    if (log) {
      const room = Math.max(high / low, 1.2) ** pad;
      return [low / room, high * room];
    }
    if (low === high) [low, high] = [low - 0.5, high + 0.5];
    return [low - pad * (high - low), high + pad * (high - low)];
  }

  function ticks({ low, high, log }, most) {
    if (log) {
      const powers = [];
      for (let p = Math.floor(Math.log10(low)); p <= Math.ceil(Math.log10(high)); p += 1) powers.push(p);
      const inside = (list) => list.filter((value) => value >= low * 0.999 && value <= high * 1.001);
      const decades = inside(powers.map((p) => 10 ** p));
      if (decades.length >= 3) {
        const step = Math.ceil(decades.length / most);
        return decades.filter((_, i) => i % step === 0);
      }
      const finer = inside(powers.flatMap((p) => [1, 2, 5].map((k) => k * 10 ** p)));
      return finer.length <= most + 2 ? finer : decades;
    }
    const rough = (high - low) / most;
    const power = 10 ** Math.floor(Math.log10(rough));
    const step = [1, 2, 5, 10].map((k) => k * power).find((size) => size >= rough * 0.999);
    const found = [];
    for (let k = Math.ceil(low / step - 1e-9); k * step <= high + 1e-9 * step; k += 1) found.push(k * step);
    return found;
  }

  /* ---------------------------------------------------------------- one plot */
  function path(xs, ys, x, y) {
    let line = "";
    let pen = "M";
    xs.forEach((value, i) => {
      const usable = Number.isFinite(ys[i]) && (!y.log || ys[i] > 0) && (!x.log || value > 0);
      line += usable ? `${pen}${x(value).toFixed(1)} ${y(ys[i]).toFixed(1)}` : "";
      pen = usable ? "L" : "M";
    });
    return line;
  }

  /** The ends of the upright axis; panels side by side that measure the same share them, as in the picture. */
  function extents(panels) {
    const own = panels.map((panel) => {
      const guides = panel.guides.filter((guide) => guide.axis === "y").map((guide) => guide.value);
      const runs = [...panel.series, ...(panel.behind ? panel.behind.series : [])].flatMap((series) =>
        series.runs.flat(),
      );
      return (
        panel.yLimits ??
        limits(
          [...runs, ...guides].filter((value) => value !== null),
          panel.yLog,
          0.05,
        )
      );
    });
    return own.map(([low, high], k) => {
      const pair = k ^ 1;
      const alike =
        panels.length >= 4 &&
        panels[pair] &&
        panels[pair].yLabel === panels[k].yLabel &&
        panels[pair].yLog === panels[k].yLog;
      return alike ? [Math.min(low, own[pair][0]), Math.max(high, own[pair][1])] : [low, high];
    });
  }

  function lines(series, x, y, kind) {
    const group = make("g", { class: kind, "data-series": series.name, ...wears(series) });
    if (series.runs.length > 1) {
      for (const run of series.runs)
        group.append(
          make("path", {
            class: "explore-run",
            d: path(
              series.x,
              run.map((v) => v ?? NaN),
              x,
              y,
            ),
          }),
        );
    }
    const dash = series.dash.length ? series.dash.map((length) => length * 2.2).join(" ") : null;
    group.append(
      make("path", {
        class: "explore-median",
        d: path(series.x, medians(series), x, y),
        "stroke-dasharray": kind === "explore-book" ? null : dash,
      }),
    );
    return group;
  }

  /** Draw a panel into its svg and return what is needed to point into it. */
  function plot(svg, panel, behind, width, hidden, extent) {
    const height = Math.round(Math.max(190, Math.min(300, width * 0.6)));
    const shown = panel.series.filter((series) => !hidden.has(series.name));
    const all = [...panel.series, ...(behind ? behind.series : [])];
    const x = scale(
      ...limits(
        all.flatMap((series) => series.x),
        panel.xLog,
        0.02,
      ),
      MARGIN.left,
      width - MARGIN.right,
      panel.xLog,
    );
    const y = scale(...extent, height - MARGIN.bottom, MARGIN.top, panel.yLog);
    svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    svg.setAttribute("height", height);
    svg.replaceChildren();
    const marks = ticks(y, 5);
    const powers = y.log && marks.some((value) => value < 1e-3 || value >= 1e5);
    for (const value of marks) {
      svg.append(
        make("line", { class: "explore-grid", x1: MARGIN.left, x2: width - MARGIN.right, y1: y(value), y2: y(value) }),
      );
      svg.append(
        make(
          "text",
          { class: "explore-number", x: MARGIN.left - 7, y: y(value) + 4, "text-anchor": "end" },
          written(value, 3, powers),
        ),
      );
    }
    svg.append(
      make("line", {
        class: "explore-axis",
        x1: MARGIN.left,
        x2: width - MARGIN.right,
        y1: height - MARGIN.bottom,
        y2: height - MARGIN.bottom,
      }),
    );
    for (const value of ticks(x, width < 400 ? 4 : 6)) {
      svg.append(
        make(
          "text",
          { class: "explore-number", x: x(value), y: height - MARGIN.bottom + 17, "text-anchor": "middle" },
          written(value),
        ),
      );
    }
    svg.append(
      make(
        "text",
        { class: "explore-label", x: (MARGIN.left + width - MARGIN.right) / 2, y: height - 5, "text-anchor": "middle" },
        panel.xLabel,
      ),
    );
    for (const guide of panel.guides) {
      const upright = guide.axis === "x";
      const at = upright ? x(guide.value) : y(guide.value);
      const ends = upright
        ? { x1: at, x2: at, y1: MARGIN.top, y2: height - MARGIN.bottom }
        : { x1: MARGIN.left, x2: width - MARGIN.right, y1: at, y2: at };
      svg.append(make("line", { class: "explore-guide", ...ends }));
      if (guide.label)
        svg.append(
          make(
            "text",
            {
              class: "explore-number",
              x: upright ? at + 4 : width - MARGIN.right,
              y: upright ? MARGIN.top + 10 : at - 4,
              "text-anchor": upright ? "start" : "end",
            },
            guide.label,
          ),
        );
    }
    const clipped = make("g", { class: "explore-lines" });
    for (const series of behind ? behind.series : [])
      if (!hidden.has(series.name)) clipped.append(lines(series, x, y, "explore-book"));
    for (const series of shown) clipped.append(lines(series, x, y, "explore-series"));
    clipped.style.clipPath = panel.yLimits ? `inset(0)` : "";
    const cursor = make("g", { class: "explore-pointer" });
    svg.append(clipped, cursor);
    return { x, y, height, cursor, shown };
  }

  function point({ x, y, height, cursor, shown }, at) {
    cursor.replaceChildren(
      make("line", { class: "explore-cursor", x1: x(at), x2: x(at), y1: MARGIN.top, y2: height - MARGIN.bottom }),
    );
    for (const series of shown) {
      const i = series.x.indexOf(at);
      const value = i < 0 ? NaN : median(column(series, i));
      if (Number.isFinite(value) && (!y.log || value > 0))
        cursor.append(make("circle", { cx: x(at), cy: y(value), r: 4.5, ...wears(series) }));
    }
  }

  /* ---------------------------------------------------------------- angles as arrows */
  const arrow = (kind, degrees, length) => {
    const shape = `M0 0H${length}m-7 -4l7 4l-7 4`;
    return make("path", { class: kind, d: shape, style: `transform:rotate(${-degrees}deg)` });
  };

  function dial(series, i) {
    const runs = i < 0 ? [] : column(series, i).filter(Number.isFinite);
    const degrees = i < 0 ? NaN : median(column(series, i));
    const svg = make("svg", { viewBox: "-60 -58 120 66", "aria-hidden": "true" });
    svg.append(make("path", { class: "explore-half", d: "M-50 0A50 50 0 0 1 50 0" }), arrow("explore-fixed", 0, 50));
    for (const run of runs.length > 1 ? runs : []) svg.append(arrow("explore-run", run, 50));
    if (Number.isFinite(degrees)) svg.append(arrow("explore-turning", degrees, 50));
    const words = `${series.name}: ${Number.isFinite(degrees) ? `${degrees.toFixed(0)}°` : "–"}`;
    return make(
      "figure",
      { class: "explore-dial", "data-series": series.name, "data-degrees": degrees, ...wears(series) },
      svg,
      make("figcaption", {}, words),
    );
  }

  /** Turn the arrows that are there, so that they glide; make them anew where the runs differ. */
  function turn(box, panel, at, hidden) {
    const fresh = panel.series
      .filter((series) => !hidden.has(series.name))
      .map((series) => dial(series, series.x.indexOf(at)));
    const same =
      box.children.length === fresh.length &&
      fresh.every(
        (one, k) =>
          one.querySelectorAll("path").length === box.children[k].querySelectorAll("path").length &&
          one.dataset.series === box.children[k].dataset.series,
      );
    if (!same) return box.replaceChildren(...fresh);
    fresh.forEach((one, k) => {
      const old = box.children[k];
      const paths = old.querySelectorAll("path");
      one
        .querySelectorAll("path")
        .forEach((path, j) => paths[j].setAttribute("style", path.getAttribute("style") ?? ""));
      old.querySelector("figcaption").textContent = one.querySelector("figcaption").textContent;
      old.dataset.degrees = one.dataset.degrees;
    });
  }

  /* ---------------------------------------------------------------- a whole figure */
  function explore(host, figure, { book = null } = {}) {
    const hidden = new Set();
    const panels = figure.panels.map((panel, number) => {
      const svg = make("svg", {
        class: "explore-plot",
        role: "img",
        "aria-label": number ? panel.title || panel.yLabel : figure.alt,
      });
      const dials = panel.angles ? make("div", { class: "explore-dials" }) : null;
      const box = make("div", { class: "explore-panel" });
      if (panel.title) box.append(make("p", { class: "explore-title" }, panel.title));
      box.append(make("p", { class: "explore-label" }, panel.yLabel), svg, ...(dials ? [dials] : []));
      return { ...panel, number, svg, dials, box, behind: book ? book.panels[number] : null };
    });
    const groups = [...new Set(panels.map((panel) => panel.xLabel))].map((label) => {
      const members = panels.filter((panel) => panel.xLabel === label);
      const xs = [...new Set(members.flatMap((panel) => panel.series.flatMap((series) => series.x)))]
        .filter(Number.isFinite)
        .sort((a, b) => a - b);
      const output = make("output", {});
      const range = make("input", { type: "range", min: 0, max: xs.length - 1, step: 1, value: xs.length - 1 });
      const group = { label, members, xs, range, output };
      range.addEventListener("input", () => show(group));
      return group;
    });
    const names = [...new Set(panels.flatMap((panel) => panel.series.map((series) => series.name)))];
    const cells = new Map();
    const table = legend();
    const plots = make("div", { class: "explore-plots" }, ...panels.map((panel) => panel.box));
    const sliders = groups.map(({ label, range, output }) =>
      make("label", { class: "explore-slider" }, make("span", {}, `${label || "place"} `, output), range),
    );
    const root = make(
      "div",
      { class: "explore", "data-figure": figure.id },
      plots,
      ...sliders,
      make(
        "div",
        { class: "explore-scroll", tabindex: 0, role: "region", "aria-label": `values of ${figure.id} at the slider` },
        table,
      ),
    );

    function legend() {
      const head = make(
        "tr",
        {},
        make("th", { scope: "col" }, "series"),
        ...panels.map((panel) =>
          make(
            "th",
            { scope: "col" },
            panel.title && panels.length > 1 ? `${panel.title}: ${panel.yLabel}` : panel.yLabel,
          ),
        ),
      );
      const rows = names.map((name) => {
        const series = panels.flatMap((panel) => panel.series).find((one) => one.name === name);
        const tick = make("input", { type: "checkbox", checked: true });
        tick.checked = true;
        const sample = make(
          "svg",
          { class: "explore-sample", viewBox: "0 0 30 10", "aria-hidden": "true" },
          make("path", {
            class: "explore-median",
            d: "M1 5H29",
            "stroke-dasharray": series.dash.map((length) => length * 2.2).join(" ") || null,
          }),
        );
        const row = make(
          "tr",
          { "data-series": name, ...wears(series) },
          make("th", { scope: "row" }, make("label", {}, tick, sample, name)),
        );
        panels.forEach((panel) => {
          const cell = make("td", { "data-panel": panel.number });
          cells.set(`${panel.number} ${name}`, cell);
          row.append(cell);
        });
        tick.addEventListener("change", () => {
          if (tick.checked) hidden.delete(name);
          else hidden.add(name);
          draw();
        });
        for (const [event, lit] of [
          ["pointerenter", true],
          ["pointerleave", false],
          ["focusin", true],
          ["focusout", false],
        ]) {
          row.addEventListener(event, () => light(lit ? name : null));
        }
        return row;
      });
      const caption = figure.panels.some((panel) => panel.series.some((series) => series.runs.length > 1))
        ? [make("caption", {}, "Median, and smallest to largest run.")]
        : [];
      return make("table", { class: "explore-table" }, ...caption, make("thead", {}, head), make("tbody", {}, ...rows));
    }

    function light(name) {
      for (const group of root.querySelectorAll("g[data-series]"))
        group.classList.toggle("explore-dim", name !== null && group.dataset.series !== name);
    }

    function show(group) {
      const at = group.xs[Number(group.range.value)];
      group.output.textContent = written(at);
      group.range.dataset.x = at;
      if (group === groups[0]) root.dataset.index = group.range.value;
      const spoken = [];
      for (const panel of group.members) {
        if (panel.drawn) point(panel.drawn, at);
        if (panel.dials) turn(panel.dials, panel, at, hidden);
        const values = [];
        for (const series of panel.series) {
          const i = series.x.indexOf(at);
          const runs = i < 0 ? [] : column(series, i).filter(Number.isFinite);
          const middle = i < 0 ? NaN : median(column(series, i));
          const ends = [...new Set([Math.min(...runs), Math.max(...runs)].map((end) => written(end)))];
          const range = runs.length > 1 && ends.length > 1 ? [make("small", {}, ends.join(" to "))] : [];
          cells
            .get(`${panel.number} ${series.name}`)
            .replaceChildren(written(middle), ...(Number.isFinite(middle) ? range : []));
          if (!hidden.has(series.name) && Number.isFinite(middle)) values.push(`${series.name} ${written(middle)}`);
        }
        spoken.push(
          `${group.members.length > 1 ? `${panel.title || panel.yLabel}: ` : ""}${values.slice(0, 6).join(", ")}`,
        );
      }
      group.range.setAttribute("aria-valuetext", `${group.label} ${written(at)}. ${spoken.join("; ")}`);
    }

    function draw() {
      const room = plots.clientWidth || host.clientWidth || NARROW;
      const wide = room >= NARROW && panels.length >= 4; // as in the picture, or its caption would point elsewhere
      plots.classList.toggle("explore-wide", wide);
      const ends = extents(panels);
      const across = Math.floor(wide ? (room - 20) / 2 : room);
      for (const panel of panels)
        panel.drawn = plot(panel.svg, panel, panel.behind, across, hidden, ends[panel.number]);
      groups.forEach(show);
    }

    function follow(group, panel, event) {
      const box = panel.svg.getBoundingClientRect();
      const wanted = ((event.clientX - box.left) / box.width) * panel.svg.viewBox.baseVal.width;
      const distance = group.xs.map((value) => Math.abs(panel.drawn.x(value) - wanted));
      group.range.value = distance.indexOf(Math.min(...distance));
      show(group);
    }

    for (const group of groups) {
      for (const panel of group.members) {
        panel.svg.addEventListener("pointerdown", (event) => follow(group, panel, event));
        panel.svg.addEventListener("pointermove", (event) => follow(group, panel, event));
      }
    }
    host.append(root);
    draw();
    let width = plots.clientWidth;
    new ResizeObserver(() => {
      if (plots.clientWidth !== width && plots.clientWidth) {
        width = plots.clientWidth;
        draw();
      }
    }).observe(plots);
    return root;
  }

  /* ---------------------------------------------------------------- the figures of a page */
  function upgrade(script) {
    const figure = document.getElementById(`fig-${script.dataset.figure}`);
    const picture = figure?.querySelector("img");
    if (!picture || figure.querySelector(".explore")) return;
    const host = make("div", { class: "explore-host" });
    picture.after(host);
    figure.classList.add("explored");
    try {
      const root = explore(host, JSON.parse(script.textContent));
      const button = make(
        "button",
        { type: "button", class: "explore-switch", "aria-pressed": "false" },
        "Printed picture",
      );
      button.addEventListener("click", () => {
        const printed = figure.classList.toggle("explored") === false;
        button.setAttribute("aria-pressed", String(printed));
      });
      host.after(button);
      root.dataset.ready = "true";
    } catch (problem) {
      figure.classList.remove("explored");
      host.remove();
      throw problem;
    }
  }

  function begin() {
    const watch = new IntersectionObserver(
      (seen) => {
        for (const { isIntersecting, target } of seen) {
          if (!isIntersecting) continue;
          watch.unobserve(target);
          upgrade(document.querySelector(`script.figure-data[data-figure="${target.id.slice(4)}"]`));
        }
      },
      { rootMargin: "600px" },
    );
    for (const script of document.querySelectorAll("script.figure-data")) {
      const figure = document.getElementById(`fig-${script.dataset.figure}`);
      if (figure) watch.observe(figure);
    }
    // The panel's own script is fetched on the click alone; a page from a file, or without the runtime, has no button.
    for (const panel of document.querySelectorAll(".run-here")) offer(panel);
  }

  function offer(panel) {
    const app = panel.querySelector(".run-here-app");
    if (panel.dataset.runtime !== "yes") return;
    if (!location.protocol.startsWith("http")) {
      app.append(
        make(
          "p",
          { class: "run-here-note" },
          "This page was opened from a file, where a browser starts no computation. Served by “make serve” it runs here, too.",
        ),
      );
      return;
    }
    const button = make("button", { type: "button", class: "run-here-open" }, "Choose parameters");
    panel.querySelector(".run-here-live").hidden = false;
    button.addEventListener("click", async () => {
      button.disabled = true;
      try {
        const { open } = await import(new URL(panel.dataset.script, location.href).href);
        await open(panel, app);
        button.remove();
      } catch (problem) {
        button.disabled = false;
        app.append(
          make(
            "p",
            { class: "run-here-problem", role: "alert" },
            `The panel could not be loaded (${problem.message}). The command below does the same.`,
          ),
        );
      }
    });
    app.append(button);
  }

  window.bookFigures = { explore, make, written, median, ticks, limits, scale };
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", begin);
  else begin();
})();
