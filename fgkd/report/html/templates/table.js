// The table: one row per configuration, or per run; the head of every column sorts.
const PAGE = 100;
let shown = PAGE;
let printing = false;

const title = (() => { const names = new Set(cells.map((cell) => cell.metric)); return names.size === 1 ? [...names][0] : "score %"; })();
const several = (name) => new Set(cells.map((cell) => cell[name]).filter(Boolean)).size > 1;
const under = (cell) => el("span", { class: "under" }, bdi([several("dataset") && cell.dataset, several("student") && cell.student].filter(Boolean).join(", ")));
const opener = (key, text, row) => el("button", { type: "button", class: "open", "data-open": key }, bdi(text));
const chips = (cell) => Object.entries(cell.statuses).filter(([status]) => status !== "ok")
  .map(([status, count]) => el("span", { class: "chip" }, cell.total > 1 ? `${count} ${status}` : status));

const scoreBar = (low, mid, high, scale) => {
  const at = (value) => `${(100 * (value - scale[0])) / (scale[1] - scale[0] || 1)}%`;
  const whole = given(low) && given(high);
  return svg("svg", { "aria-hidden": "true" },
    svg("line", { class: "grid", x1: 0, x2: "100%", y1: 6, y2: 6 }),
    whole && svg("line", { x1: at(Math.max(low, scale[0])), x2: at(Math.min(high, scale[1])), y1: 6, y2: 6, stroke: "var(--accent)", "stroke-width": 5, opacity: 0.4 }),
    svg("circle", { cx: at(mid), cy: 6, r: 3.5, fill: "var(--accent)" }));
};
const scoreCell = (row, scale) => {
  const run = "of" in row;
  const mean = run ? row.score : row.mean;
  if (!given(mean)) return el("td", { class: "scorecell" }, row.total === 1 || run ? "" : "no result");
  const half = !run && given(row.high) ? (row.high - row.low) / 2 : null;
  return el("td", { class: "scorecell" }, el("div", {},
    el("span", {}, fixed(mean)),
    el("span", { class: "half" }, half === null ? (run ? "" : "n = 1") : `\u00b1 ${fixed(half)}`, row.tied && el("span", { class: "tie", title: "its interval overlaps the best's" }, " ~")),
    scoreBar(row.low, mean, row.high, scale)));
};
const deltaCell = (found, size) => {
  if (!found) return el("td", { class: `num ${size || ""}` });
  const sure = given(found[3]) && found[3] < 0.05;
  return el("td", { class: `num ${size || ""} ${sure ? (found[0] > 0 ? "up" : "down") : ""}`, title: given(found[3]) ? probability(found[3]) : null },
    signed(found[0]), sure ? "*" : el("span", { css: { visibility: "hidden" }, "aria-hidden": "true" }, "*"));
};
const plainCell = (text, size) => el("td", { class: size }, bdi(text));
const numberCell = (value, size) => el("td", { class: `num ${size || ""}` }, brief(value));

const shared = (name, label, size) => ({
  key: name, title: label, size, hide: () => !several(name),
  value: (row) => (row.of || row)[name], draw: (row) => plainCell((row.of || row)[name], size),
});
const VIEWS = {
  configurations: [
    { key: "method", title: "Method", value: (c) => c.label, draw: (c) => el("th", { scope: "row" }, opener(c.runs[0].id, c.label), chips(c), under(c)) },
    shared("dataset", "Data set", "medium"), shared("teacher", "Teacher", "wide"), shared("student", "Student", "medium"),
    { key: "score", title: title.replace(/^./, (c) => c.toUpperCase()), high: true, value: (c) => c.mean, draw: scoreCell },
    { key: "kd", title: "vs kd", num: true, high: true, value: (c) => c.kd && c.kd[0], draw: (c) => deltaCell(c.kd) },
    { key: "scratch", title: "vs scratch", num: true, high: true, size: "medium", value: (c) => c.scratch && c.scratch[0], draw: (c) => deltaCell(c.scratch, "medium") },
    { key: "rank", title: "Rank", num: true, size: "medium", value: (c) => c.rank, draw: (c) => numberCell(c.rank, "medium") },
    { key: "params", title: "Params, M", num: true, size: "medium", value: (c) => c.params, draw: (c) => numberCell(c.params, "medium") },
    { key: "macs", title: "MACs, M", num: true, size: "extra", value: (c) => c.macs, draw: (c) => numberCell(c.macs, "extra") },
    { key: "seconds", title: "Cost, s", num: true, size: "wide", value: (c) => alone(c), draw: (c) => numberCell(alone(c), "wide") },
    { key: "runs", title: "Runs", num: true, size: "extra", value: (c) => c.n, draw: (c) => el("td", { class: "num extra" }, `${c.statuses.ok || 0}/${c.total}`) },
  ],
  runs: [
    { key: "run", title: "Run", value: (r) => r.id, draw: (r) => el("th", { scope: "row" }, opener(r.id, r.id), r.status !== "ok" && el("span", { class: "chip" }, r.status), under(r.of)) },
    { key: "method", title: "Method", size: "medium", value: (r) => r.of.label, draw: (r) => plainCell(r.of.label, "medium") },
    shared("dataset", "Data set", "wide"), shared("teacher", "Teacher", "wide"), shared("student", "Student", "medium"),
    { key: "seed", title: "Seed", num: true, value: (r) => r.seed, draw: (r) => el("td", { class: "num" }, r.dataSeed ? `${r.seed}/${r.dataSeed}` : String(r.seed)) },
    { key: "score", title: title.replace(/^./, (c) => c.toUpperCase()), high: true, value: (r) => r.score, draw: scoreCell },
    { key: "best", title: "Best epoch\u2019s", num: true, high: true, size: "medium", value: (r) => r.bestScore, draw: (r) => el("td", { class: "num medium" }, fixed(r.bestScore)) },
    ...["ece", "nll", "agreement"].filter((name) => data.metrics.includes(name)).map((name) => ({
      key: name, title: { ece: "ECE", nll: "NLL", agreement: "Agreement" }[name], num: true, size: "wide",
      value: (r) => testMetric(r, name), draw: (r) => el("td", { class: "num wide" }, fixed(testMetric(r, name), 3)) })),
    { key: "seconds", title: "Own, s", num: true, size: "wide", value: (r) => cost(r, "train_seconds"), draw: (r) => numberCell(cost(r, "train_seconds"), "wide") },
  ],
};
const alone = (cell) => (given(cell.own) && given(cell.shared) ? cell.own + cell.shared : cell.own);
const cost = (run, name) => run.costs[data.costs.indexOf(name)];
const testMetric = (run, name) => run.test && run.test[data.metrics.indexOf(name)];

const FILTERS = [["suite", "Suite"], ["dataset", "Data set"], ["teacher", "Teacher"], ["student", "Student"], ["method", "Method"], ["status", "Status"]];
const facets = {
  method: (cell) => [cell.label], status: (cell) => Object.keys(cell.statuses),
  suite: (cell) => [cell.suite], dataset: (cell) => [cell.dataset], teacher: (cell) => [cell.teacher || "none"], student: (cell) => [cell.student],
};
const passes = (row) => {
  const cell = row.of || row;
  for (const [name] of FILTERS) {
    if (!state[name]) continue;
    const has = name === "status" && row.of ? [row.status] : facets[name](cell);
    if (!has.includes(state[name])) return false;
  }
  if (!state.q) return true;
  const words = state.q.toLowerCase().split(/\s+/).filter(Boolean);
  cell.text ??= [cell.label, cell.dataset, cell.teacher, cell.student, cell.suite, ...cell.runs.map((run) => run.id)].join(" ").toLowerCase();
  return words.every((word) => (row.of ? `${cell.text} ${row.id}` : cell.text).includes(word));
};
const boardOrder = (() => {
  // Within a data set: its teachers first, then the tables in their order, best mean first.
  const place = new Map(groups.flatMap((g, i) => g.standings.map((s, j) => [s.of, [i, j]])).reverse());
  const key = (cell) => [cell.dataset, cell.role === "teacher" ? 0 : 1, ...(place.get(cell) || [0, cell.index])];
  const keys = cells.map(key);
  const order = cells.map((_, i) => i).sort((a, b) => collator.compare(keys[a][0], keys[b][0]) || keys[a][1] - keys[b][1] || keys[a][2] - keys[b][2] || keys[a][3] - keys[b][3]);
  return new Map(order.map((index, at) => [cells[index], at]));
})();
const sorted = (rows, columns) => {
  const down = state.sort.startsWith("-");
  const column = columns.find((one) => one.key === state.sort.replace("-", ""));
  const tail = (a, b) => boardOrder.get(a.of || a) - boardOrder.get(b.of || b) || (a.seed ?? 0) - (b.seed ?? 0);
  if (!column) return [...rows].sort(tail);
  const keyed = rows.map((row) => [column.value(row), row]);
  return keyed.sort(([a, p], [b, q]) => {
    if (!given(a) || !given(b)) return given(b) - given(a) || tail(p, q);
    const found = typeof a === "number" ? a - b : collator.compare(a, b);
    return (down ? -found : found) || tail(p, q);
  }).map(([, row]) => row);
};
const header = (column, redraw) => {
  const sort = state.sort.replace("-", "") === column.key && (state.sort.startsWith("-") ? "descending" : "ascending");
  const next = sort === (column.high ? "descending" : "ascending") ? (column.high ? "" : "-") : column.high ? "-" : "";
  return el("th", { scope: "col", class: [column.num && "num", column.size].filter(Boolean).join(" "), "aria-sort": sort || null },
    el("button", { type: "button", "data-sort": column.key, onclick: () => change({ sort: next + column.key }) }, column.title));
};
const drawTable = () => {
  const columns = VIEWS[state.view].filter((column) => !(column.hide && column.hide()));
  const all = state.view === "runs" ? runs : cells;
  const rows = sorted(all.filter(passes), columns);
  const visible = printing ? rows : rows.slice(0, shown);
  const values = rows.flatMap((row) => [row.low, row.high, row.mean, row.score]).filter(given);
  const scale = [Math.max(0, Math.min(...values)), Math.min(100, Math.max(...values))];
  const what = state.view === "runs" ? "run" : "configuration";
  byId("count").textContent = rows.length === all.length ? plural(rows.length, what) : `${rows.length.toLocaleString("en-GB")} of ${plural(all.length, what)}`;
  byId("table").replaceChildren(el("table", {},
    el("caption", {}, values.length ? `Open a row for its record. Bars: ${state.view === "runs" ? "the score" : "mean and 95 % interval"}, from ${fixed(scale[0], 0)} to ${fixed(scale[1], 0)} %.` : "Open a row for its record."),
    el("thead", {}, el("tr", {}, columns.map((column) => header(column)))),
    el("tbody", {}, visible.map((row) => el("tr", { class: row.role === "teacher" ? "reference" : row.rank === 1 && !row.of ? "best" : null },
      columns.map((column) => column.draw(row, scale)))))));
  const left = rows.length - visible.length;
  byId("more").replaceChildren(...(left > 0 ? [
    el("button", { type: "button", class: "quiet", onclick: () => { shown += PAGE; drawTable(); } }, `Show ${Math.min(PAGE, left)} more`),
    el("button", { type: "button", class: "quiet", onclick: () => { shown = Infinity; drawTable(); } }, `Show all ${rows.length.toLocaleString("en-GB")}`)] : []));
};
const drawFilters = () => {
  const options = (name) => [...new Set(cells.flatMap(facets[name]))].sort(collator.compare);
  const filters = FILTERS.filter(([name]) => options(name).length > 1)
    .map(([name, label]) => choice(label, [["", "all"], ...options(name).map((one) => [one, one])], state[name], (value) => change({ [name]: value })));
  const views = el("div", { class: "segments", role: "group", "aria-label": "Rows" }, Object.keys(VIEWS).map((view) =>
    el("button", { type: "button", class: "quiet", "data-view": view, "aria-pressed": String(view === state.view), onclick: () => change({ view, sort: "" }) }, view.replace(/^./, (c) => c.toUpperCase()))));
  const search = el("label", {}, "Search", el("input", { type: "search", value: state.q, oninput: (event) => change({ q: event.target.value }) }));
  const names = ["q", ...FILTERS.map(([name]) => name)];
  const reset = names.some((name) => state[name]) && el("button", { type: "button", class: "quiet", onclick: () => change(Object.fromEntries(names.map((name) => [name, ""]))) }, "Clear");
  byId("filters").replaceChildren(...[views, search, ...filters, reset].filter(Boolean));
};
byId("table").addEventListener("click", (event) => {
  const row = event.target.closest("tbody tr");
  if (row && !String(getSelection())) change({ open: row.querySelector("[data-open]").dataset.open });
});
listeners.push((changed) => {
  if (changed.every((name) => ["open", "table", "x", "against", "confused"].includes(name))) return;
  if (!changed.includes("sort")) shown = PAGE;
  if (!(changed.length === 1 && changed[0] === "q" && document.activeElement?.type === "search")) redrawn(byId("filters"), drawFilters);
  redrawn(byId("table"), drawTable);
});
