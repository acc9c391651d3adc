// The columns of the table, for configurations and for runs: what each shows, and what it is sorted by.
const title = (() => {
  const names = new Set(cells.map((cell) => cell.metric));
  return names.size === 1 ? [...names][0] : "score %";
})();
const several = (name) => new Set(cells.map((cell) => cell[name]).filter(Boolean)).size > 1;
const under = (cell) =>
  el(
    "span",
    { class: "under" },
    bdi([several("dataset") && cell.dataset, several("student") && cell.student].filter(Boolean).join(", ")),
  );
const opener = (key, text) => el("button", { type: "button", class: "open", "data-open": key }, bdi(text));
const chips = (cell) =>
  Object.entries(cell.statuses)
    .filter(([status]) => status !== "ok")
    .map(([status, count]) => el("span", { class: "chip" }, cell.total > 1 ? `${count} ${status}` : status));

const scoreBar = (low, mid, high, scale) => {
  const at = (value) => `${(100 * (value - scale[0])) / (scale[1] - scale[0] || 1)}%`;
  const whole = given(low) && given(high);
  return svg(
    "svg",
    { "aria-hidden": "true" },
    svg("line", { class: "grid", x1: 0, x2: "100%", y1: 6, y2: 6 }),
    whole &&
      svg("line", {
        x1: at(Math.max(low, scale[0])),
        x2: at(Math.min(high, scale[1])),
        y1: 6,
        y2: 6,
        stroke: "var(--accent)",
        "stroke-width": 5,
        opacity: 0.4,
      }),
    svg("circle", { cx: at(mid), cy: 6, r: 3.5, fill: "var(--accent)" }),
  );
};
const scoreCell = (row, scale) => {
  const run = "of" in row;
  const mean = run ? row.score : row.mean;
  if (!given(mean)) return el("td", { class: "scorecell" }, row.total === 1 || run ? "" : "no result");
  const half = !run && given(row.high) ? (row.high - row.low) / 2 : null;
  return el(
    "td",
    { class: "scorecell" },
    el(
      "div",
      {},
      el("span", {}, fixed(mean)),
      el(
        "span",
        { class: "half" },
        half === null ? (run ? "" : "n = 1") : `\u00b1 ${fixed(half)}`,
        row.tied && el("span", { class: "tie", title: "its interval overlaps the best's" }, " ~"),
      ),
      scoreBar(row.low, mean, row.high, scale),
    ),
  );
};
const deltaCell = (found, size) => {
  if (!found) return el("td", { class: `num ${size || ""}` });
  const sure = given(found[3]) && found[3] < 0.05;
  return el(
    "td",
    {
      class: `num ${size || ""} ${sure ? (found[0] > 0 ? "up" : "down") : ""}`,
      title: given(found[3]) ? probability(found[3]) : null,
    },
    signed(found[0]),
    sure ? "*" : el("span", { css: { visibility: "hidden" }, "aria-hidden": "true" }, "*"),
  );
};
const plainCell = (text, size) => el("td", { class: size }, bdi(text));
const numberCell = (value, size) => el("td", { class: `num ${size || ""}` }, brief(value));

const shared = (name, label, size) => ({
  key: name,
  title: label,
  size,
  hide: () => !several(name),
  value: (row) => (row.of || row)[name],
  draw: (row) => plainCell((row.of || row)[name], size),
});
const VIEWS = {
  configurations: [
    {
      key: "method",
      title: "Method",
      value: (c) => c.label,
      draw: (c) => el("th", { scope: "row" }, opener(c.runs[0].key, c.label), chips(c), under(c)),
    },
    shared("dataset", "Data set", "medium"),
    shared("teacher", "Teacher", "wide"),
    shared("student", "Student", "medium"),
    {
      key: "score",
      title: title.replace(/^./, (c) => c.toUpperCase()),
      high: true,
      value: (c) => c.mean,
      draw: scoreCell,
    },
    { key: "kd", title: "vs kd", num: true, high: true, value: (c) => c.kd && c.kd[0], draw: (c) => deltaCell(c.kd) },
    {
      key: "scratch",
      title: "vs scratch",
      num: true,
      high: true,
      size: "medium",
      value: (c) => c.scratch && c.scratch[0],
      draw: (c) => deltaCell(c.scratch, "medium"),
    },
    {
      key: "rank",
      title: "Rank",
      num: true,
      size: "medium",
      value: (c) => c.rank,
      draw: (c) => numberCell(c.rank, "medium"),
    },
    {
      key: "params",
      title: "Params, M",
      num: true,
      size: "medium",
      value: (c) => c.params,
      draw: (c) => numberCell(c.params, "medium"),
    },
    {
      key: "macs",
      title: "MACs, M",
      num: true,
      size: "extra",
      value: (c) => c.macs,
      draw: (c) => numberCell(c.macs, "extra"),
    },
    {
      key: "seconds",
      title: "Cost, s",
      num: true,
      size: "wide",
      value: (c) => alone(c),
      draw: (c) => numberCell(alone(c), "wide"),
    },
    {
      key: "runs",
      title: "Runs",
      num: true,
      size: "extra",
      value: (c) => c.n,
      draw: (c) => el("td", { class: "num extra" }, `${c.statuses.ok || 0}/${c.total}`),
    },
  ],
  runs: [
    {
      key: "run",
      title: "Run",
      value: (r) => r.id,
      draw: (r) =>
        el(
          "th",
          { scope: "row" },
          opener(r.key, r.id),
          r.status !== "ok" && el("span", { class: "chip" }, r.status),
          under(r.of),
        ),
    },
    {
      key: "method",
      title: "Method",
      size: "medium",
      value: (r) => r.of.label,
      draw: (r) => plainCell(r.of.label, "medium"),
    },
    shared("dataset", "Data set", "wide"),
    shared("teacher", "Teacher", "wide"),
    shared("student", "Student", "medium"),
    {
      key: "status",
      title: "Status",
      size: "wide",
      hide: () => runs.every((run) => run.status === "ok"),
      value: (r) => r.status,
      draw: (r) => plainCell(r.status, "wide"),
    },
    {
      key: "seed",
      title: "Seed",
      num: true,
      value: (r) => r.seed,
      draw: (r) => el("td", { class: "num" }, r.dataSeed ? `${r.seed}/${r.dataSeed}` : String(r.seed)),
    },
    {
      key: "score",
      title: title.replace(/^./, (c) => c.toUpperCase()),
      high: true,
      value: (r) => r.score,
      draw: scoreCell,
    },
    {
      key: "best",
      title: "Best epoch\u2019s",
      num: true,
      high: true,
      size: "medium",
      value: (r) => r.bestScore,
      draw: (r) => el("td", { class: "num medium" }, fixed(r.bestScore)),
    },
    ...["ece", "nll", "agreement"]
      .filter((name) => data.metrics.includes(name))
      .map((name) => ({
        key: name,
        title: { ece: "ECE", nll: "NLL", agreement: "Agreement" }[name],
        num: true,
        size: "wide",
        value: (r) => testMetric(r, name),
        draw: (r) => el("td", { class: "num wide" }, fixed(testMetric(r, name), 3)),
      })),
    {
      key: "seconds",
      title: "Own, s",
      num: true,
      size: "wide",
      value: (r) => cost(r, "train_seconds"),
      draw: (r) => numberCell(cost(r, "train_seconds"), "wide"),
    },
  ],
};
const alone = (cell) => (given(cell.own) && given(cell.shared) ? cell.own + cell.shared : cell.own);
const cost = (run, name) => run.costs[data.costs.indexOf(name)];
const testMetric = (run, name) => run.test && run.test[data.metrics.indexOf(name)];
