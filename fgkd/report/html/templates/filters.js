// Which rows are shown.
const FILTERS = [
  ["suite", "Suite"],
  ["dataset", "Data set"],
  ["teacher", "Teacher"],
  ["student", "Student"],
  ["method", "Method"],
  ["status", "Status"],
];
const facets = {
  method: (cell) => [cell.label],
  status: (cell) => Object.keys(cell.statuses),
  suite: (cell) => [cell.suite],
  dataset: (cell) => [cell.dataset],
  teacher: (cell) => [cell.teacher || "none"],
  student: (cell) => [cell.student],
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
  cell.words ??= [cell.label, cell.dataset, cell.teacher, cell.student, cell.suite].join(" ").toLowerCase();
  const ids = row.of ? row.id : cell.runs.map((run) => run.id).join(" ");
  return words.every((word) => cell.words.includes(word) || ids.includes(word));
};
const drawFilters = () => {
  const options = (name) => [...new Set(cells.flatMap(facets[name]))].sort(collator.compare);
  const filters = FILTERS.filter(([name]) => options(name).length > 1).map(([name, label]) =>
    choice(label, [["", "all"], ...options(name).map((one) => [one, one])], state[name], (value) =>
      change({ [name]: value }),
    ),
  );
  const views = el(
    "div",
    { class: "segments", role: "group", "aria-label": "Rows" },
    Object.keys(VIEWS).map((view) =>
      el(
        "button",
        {
          type: "button",
          class: "quiet",
          "data-view": view,
          "aria-pressed": String(view === state.view),
          onclick: () => change({ view, sort: "" }),
        },
        view.replace(/^./, (c) => c.toUpperCase()),
      ),
    ),
  );
  const search = el(
    "label",
    {},
    "Search",
    el("input", { type: "search", value: state.q, oninput: (event) => change({ q: event.target.value }) }),
  );
  const names = ["q", ...FILTERS.map(([name]) => name)];
  const reset =
    names.some((name) => state[name]) &&
    el(
      "button",
      { type: "button", class: "quiet", onclick: () => change(Object.fromEntries(names.map((name) => [name, ""]))) },
      "Clear",
    );
  byId("filters").replaceChildren(...[views, search, ...filters, reset].filter(Boolean));
};
