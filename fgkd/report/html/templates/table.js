// The table: one row per configuration, or per run; the head of every column sorts.
const PAGE = 100;
let shown = PAGE;
let printing = false;

const boardOrder = (() => {
  // Within a data set: its teachers first, then the tables in their order, best mean first.
  const place = new Map(groups.flatMap((g, i) => g.standings.map((s, j) => [s.of, [i, j]])).reverse());
  const key = (cell) => [cell.dataset, cell.role === "teacher" ? 0 : 1, ...(place.get(cell) || [0, cell.index])];
  const keys = cells.map(key);
  const order = cells
    .map((_, i) => i)
    .sort(
      (a, b) =>
        collator.compare(keys[a][0], keys[b][0]) ||
        keys[a][1] - keys[b][1] ||
        keys[a][2] - keys[b][2] ||
        keys[a][3] - keys[b][3],
    );
  return new Map(order.map((index, at) => [cells[index], at]));
})();
const sorted = (rows, columns) => {
  const down = state.sort.startsWith("-");
  const column = columns.find((one) => one.key === state.sort.replace("-", ""));
  const tail = (a, b) => boardOrder.get(a.of || a) - boardOrder.get(b.of || b) || (a.seed ?? 0) - (b.seed ?? 0);
  if (!column) return [...rows].sort(tail);
  const keyed = rows.map((row) => [column.value(row), row]);
  return keyed
    .sort(([a, p], [b, q]) => {
      if (!given(a) || !given(b)) return given(b) - given(a) || tail(p, q);
      const found = typeof a === "number" ? a - b : collator.compare(a, b);
      return (down ? -found : found) || tail(p, q);
    })
    .map(([, row]) => row);
};
const header = (column) => {
  const sort = state.sort.replace("-", "") === column.key && (state.sort.startsWith("-") ? "descending" : "ascending");
  const next = sort === (column.high ? "descending" : "ascending") ? (column.high ? "" : "-") : column.high ? "-" : "";
  return el(
    "th",
    { scope: "col", class: [column.num && "num", column.size].filter(Boolean).join(" "), "aria-sort": sort || null },
    el(
      "button",
      { type: "button", "data-sort": column.key, onclick: () => change({ sort: next + column.key }) },
      column.title,
    ),
  );
};
const drawTable = () => {
  const columns = VIEWS[state.view].filter((column) => !(column.hide && column.hide()));
  const all = state.view === "runs" ? runs : cells;
  const rows = sorted(all.filter(passes), columns);
  const visible = printing ? rows : rows.slice(0, shown);
  const values = rows.flatMap((row) => [row.low, row.high, row.mean, row.score]).filter(given);
  const scale = [Math.max(0, Math.min(...values)), Math.min(100, Math.max(...values))];
  const what = state.view === "runs" ? "run" : "configuration";
  byId("count").textContent =
    rows.length === all.length
      ? plural(rows.length, what)
      : `${rows.length.toLocaleString("en-GB")} of ${plural(all.length, what)}`;
  byId("table").replaceChildren(
    el(
      "table",
      {},
      el(
        "caption",
        {},
        values.length
          ? `Open a row for its record. Bars: ${state.view === "runs" ? "the score" : "mean and 95 % interval"}, from ${fixed(scale[0], 0)} to ${fixed(scale[1], 0)} %.`
          : "Open a row for its record.",
      ),
      el(
        "thead",
        {},
        el(
          "tr",
          {},
          columns.map((column) => header(column)),
        ),
      ),
      el(
        "tbody",
        {},
        visible.map((row) =>
          el(
            "tr",
            { class: row.role === "teacher" ? "reference" : row.rank === 1 && !row.of ? "best" : null },
            columns.map((column) => column.draw(row, scale)),
          ),
        ),
      ),
    ),
  );
  const left = rows.length - visible.length;
  byId("more").replaceChildren(
    ...(left > 0
      ? [
          el(
            "button",
            {
              type: "button",
              class: "quiet",
              onclick: () => {
                shown += PAGE;
                drawTable();
              },
            },
            `Show ${Math.min(PAGE, left)} more`,
          ),
          el(
            "button",
            {
              type: "button",
              class: "quiet",
              onclick: () => {
                shown = Infinity;
                drawTable();
              },
            },
            `Show all ${rows.length.toLocaleString("en-GB")}`,
          ),
        ]
      : []),
  );
};
byId("table").addEventListener("click", (event) => {
  const row = event.target.closest("tbody tr");
  if (row && !String(getSelection())) change({ open: row.querySelector("[data-open]").dataset.open });
});
listeners.push((changed) => {
  if (changed.every((name) => ["open", "table", "x", "against", "confused"].includes(name))) return;
  if (!changed.includes("sort")) shown = PAGE;
  if (!(changed.length === 1 && changed[0] === "q" && document.activeElement?.type === "search"))
    redrawn(byId("filters"), drawFilters);
  redrawn(byId("table"), drawTable);
});
