// The record behind a row.
const dialog = byId("details");
const pair = (name, value) =>
  given(value) && value !== ""
    ? [el("dt", {}, bdi(name)), el("dd", {}, value instanceof Node ? value : bdi(String(value)))]
    : [];
const facts = (pairs, kind) => {
  const found = pairs.flatMap(([name, value]) => pair(name, value));
  return found.length ? el("dl", { class: kind || null }, found) : null;
};
const part = (heading, body) => (body ? [el("h3", {}, heading), body] : []);
const spoken = (value) => {
  if (!given(value)) return "";
  if (Array.isArray(value)) return value.map(spoken).join(", ");
  if (typeof value === "object")
    return Object.entries(value)
      .filter(([, inner]) => given(inner) && spoken(inner) !== "")
      .map(([name, inner]) => `${name} ${spoken(inner)}`)
      .join(", ");
  return String(value);
};
const entries = (value, leave = []) =>
  Object.entries(value || {})
    .filter(([name, inner]) => given(inner) && !leave.includes(name))
    .map(([name, inner]) => [name.replaceAll("_", " "), spoken(inner)]);
const percentages = new Set([
  "top1",
  "top5",
  "mean_class_accuracy",
  "ece",
  "agreement",
  "eer",
  "map_at_r",
  "r_precision",
]);
const isShare = (name) => percentages.has(name) || /^(recall_at|tar_at|top1|ece|churn)/.test(name);
const measured = (name, value) => (isShare(name) ? `${fixed(100 * value)} %` : fixed(value, 4));

const runsTable = (cell, run) =>
  el(
    "table",
    {},
    el(
      "thead",
      {},
      el(
        "tr",
        {},
        ["Run", "Seed", "Status", cell.metric].map((name, i) =>
          el("th", { scope: "col", class: i % 2 ? "num" : null }, name),
        ),
      ),
    ),
    el(
      "tbody",
      {},
      cell.runs.map((one) =>
        el(
          "tr",
          { "aria-current": one === run ? "true" : null },
          el(
            "th",
            { scope: "row" },
            one === run
              ? bdi(one.id)
              : el("button", { type: "button", class: "open", onclick: () => change({ open: one.key }) }, bdi(one.id)),
          ),
          el("td", { class: "num" }, one.dataSeed ? `${one.seed}/${one.dataSeed}` : String(one.seed)),
          el("td", {}, one.status),
          el("td", { class: "num" }, fixed(one.score)),
        ),
      ),
    ),
  );
const standingsText = (cell) =>
  cell.standings.map((standing) => {
    const one = groups.find((candidate) => candidate.standings.includes(standing));
    const difference = (name) =>
      standing[name] &&
      `${signed(standing[name][0])} against ${name}${given(standing[name][3]) ? ` (${probability(standing[name][3])})` : ""}`;
    return [
      `${one.heading}`,
      [
        given(standing.rank)
          ? `rank ${standing.rank} of ${one.standings.filter((s) => given(s.rank)).length}`
          : "not ranked: seeds missing",
        difference("kd"),
        difference("scratch"),
      ]
        .filter(Boolean)
        .join(", "),
    ];
  });
const runCurve = (run) => {
  const curve = curveOf(run);
  if (!curve || !curve.top1.some(given)) return null;
  const best = run.bestEpoch;
  const last = [...curve.top1].reverse().find(given);
  return chart(`Hold-out top-1 by epoch of ${run.id}: ${fixed(last, 1)} % at the last.`, (width) => {
    const height = 200;
    const x = linear(curve.epochs, 44, width - 8, 0);
    const y = linear(curve.top1.filter(given), height - 40, 24);
    const at = curve.epochs.indexOf(best + 1);
    return svg(
      "svg",
      { width, height, class: "lines", "aria-hidden": "true" },
      frame(width, height, x, y, { x: "epoch", y: "hold-out top-1 %" }),
      svg("path", { d: pathOf(curve, x, y), stroke: "var(--accent)" }),
      at >= 0 &&
        given(curve.top1[at]) &&
        svg(
          "circle",
          { cx: x(best + 1), cy: y(curve.top1[at]), r: 4, fill: "var(--accent)" },
          svg("title", {}, `best epoch: ${best + 1}`),
        ),
    );
  });
};
const teachersOf = (run) => {
  const teacher = block(run.teacher);
  if (!teacher) return null;
  return facts(
    [
      ["name", teacher.name],
      ["test top-1", given(teacher.test_top1) ? `${fixed(100 * teacher.test_top1)} %` : null],
      ["hold-out top-1", given(teacher.holdout_top1) ? `${fixed(100 * teacher.holdout_top1)} %` : null],
      ["run", teacher.run_id],
      ["weights hash", teacher.weights_hash],
      ...(teacher.notes || []).map((note) => ["note", note]),
    ],
    "short",
  );
};
const drawDetails = () => {
  const run = runs.find((one) => one.key === state.open);
  if (!run) {
    if (dialog.open) dialog.close();
    return;
  }
  const cell = run.of;
  const student = block(run.student);
  const feed = block(cell.feed);
  const body = [
    el(
      "header",
      {},
      el(
        "div",
        {},
        el("p", { class: "kicker" }, bdi(cell.dataset)),
        el("h2", { id: "details-title" }, bdi(cell.label), ` on `, bdi(cell.student)),
      ),
      el("button", { type: "button", class: "quiet", onclick: () => dialog.close() }, "Close"),
    ),
    el(
      "p",
      {},
      given(cell.mean)
        ? `${fixed(cell.mean)} % ${metricName(cell.metric)}${given(cell.low) ? `, 95 % interval ${fixed(cell.low)} to ${fixed(cell.high)}, ${cell.n} runs, sd ${fixed(cell.sd)}` : ", one run, so no interval"}.`
        : "No run has a result.",
    ),
    facts(standingsText(cell)),
    ...part("Runs", runsTable(cell, run)),
    el("h3", {}, "Run ", bdi(run.id)),
    run.reason && el("p", { class: "reason" }, el("strong", {}, `${run.status}: `), bdi(run.reason)),
    runCurve(run),
    run.curve &&
      el(
        "p",
        { class: "muted" },
        `${plural(run.epochsDone, "epoch")}; the best by hold-out is ${given(run.bestEpoch) ? `number ${run.bestEpoch + 1}` : "not known"}${given(run.bestScore) ? `, whose test score is ${fixed(run.bestScore)} %` : ""}.`,
      ),
    ...part(
      "Head comparison",
      run.diagnostics &&
        facts(
          Object.entries(run.diagnostics).map(([name, value]) => [
            name.replaceAll("_", " "),
            typeof value === "number" ? String(value) : value,
          ]),
          "short",
        ),
    ),
    ...part(
      "Test split",
      run.test &&
        facts(
          data.metrics.map((name, i) => [name, given(run.test[i]) ? measured(name, run.test[i]) : null]),
          "short",
        ),
    ),
    ...part(
      "Hold-out",
      run.holdout &&
        facts(
          data.holdoutMetrics.map((name, i) => [name, given(run.holdout[i]) ? measured(name, run.holdout[i]) : null]),
          "short",
        ),
    ),
    ...part("Method", facts(block(cell.parts).flatMap((one) => [[one.name, spoken(one.params) || "defaults"]]))),
    ...part("Recipe", facts(entries(block(cell.recipe)), "short")),
    ...part(
      "Training",
      facts(
        [
          ["view", spoken(feed.view)],
          ["epochs", feed.epochs],
          ["batch size", feed.batch_size],
          ["precision", feed.precision === "no" ? "fp32" : feed.precision],
          ["data", spoken(block(run.data))],
          ["seeds", `seed ${run.seed}, data seed ${run.dataSeed}`],
          ...entries(feed, ["view", "epochs", "batch_size", "precision"]),
        ],
        "short",
      ),
    ),
    ...part(
      "Student",
      student &&
        facts(
          [
            ["network", spoken(block(cell.network))],
            ["parameters", student.param_count.toLocaleString("en-GB")],
            ["multiply-accumulates", given(student.macs) ? student.macs.toLocaleString("en-GB") : null],
            ...entries(student, ["param_count", "macs"]),
            ["weights hash", run.weights],
          ],
          "short",
        ),
    ),
    ...part("Teacher", teachersOf(run)),
    ...part(
      "Costs",
      facts(
        [
          ...data.costs.map((name, i) => [name.replaceAll("_", " "), given(run.costs[i]) ? brief(run.costs[i]) : null]),
          ["runs in the cohort", run.cohort],
        ],
        "short",
      ),
    ),
    ...part("Made with", facts([...entries(block(run.environment)), ["finished", run.finished]], "short")),
  ];
  dialog.replaceChildren(...body.flat().filter(Boolean));
  if (!dialog.open) dialog.showModal();
  dialog.scrollTop = 0;
  redraw();
};
dialog.addEventListener("close", () => {
  const key = state.open;
  change({ open: "" });
  byId("table")
    .querySelector(`[data-open="${CSS.escape(key)}"]`)
    ?.focus();
});
dialog.addEventListener("click", (event) => {
  if (event.target === dialog) dialog.close();
});
listeners.push((changed) => {
  if (changed.includes("open")) drawDetails();
});
