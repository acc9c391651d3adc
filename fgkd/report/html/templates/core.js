// What everything else is built from. Text from records reaches the page as text nodes and attributes, never as markup.
const data = JSON.parse(document.getElementById("data").textContent);
const unpack = ({ names, rows }) => rows.map((row) => Object.fromEntries(names.map((name, i) => [name, row[i]])));
const block = (number) => (number === null || number === undefined ? null : data.blocks[number]);
const byId = (id) => document.getElementById(id);

const cells = unpack(data.cells).map((cell, index) => ({ ...cell, index, runs: [], statuses: {} }));
const runs = unpack(data.runs).map((run) => ({ ...run, of: cells[run.cell] }));
// Two suites may have trained one teacher each of the same id, to other weights: the later ones are opened by id.2, ...
const times = {};
for (const run of runs) {
  times[run.id] = (times[run.id] || 0) + 1;
  run.key = times[run.id] > 1 ? `${run.id}.${times[run.id]}` : run.id;
}
for (const run of runs) {
  run.of.runs.push(run);
  run.of.statuses[run.status] = (run.of.statuses[run.status] || 0) + 1;
}
for (const cell of cells) cell.runs.sort((a, b) => a.seed - b.seed || a.dataSeed - b.dataSeed);
const groups = data.groups.map((group) => ({
  ...group,
  standings: unpack(group.standings).map((standing) => ({ ...standing, of: cells[standing.cell] })),
}));
const only = (values) => (values.every((value) => String(value) === String(values[0])) ? values[0] : null);
for (const cell of cells) {
  // A configuration without a teacher stands in the table of each: what differs between them is left to the details.
  cell.standings = groups.flatMap((group) => group.standings.filter((standing) => standing.of === cell));
  cell.rank = only(cell.standings.map((standing) => standing.rank)) ?? null;
  cell.tied = cell.standings.length > 0 && cell.standings.every((standing) => standing.tied);
  cell.kd = only(cell.standings.map((standing) => standing.kd)) ?? null;
  cell.scratch = only(cell.standings.map((standing) => standing.scratch)) ?? null;
}

const SVG = "http://www.w3.org/2000/svg";
const fill = (node, attributes, children) => {
  for (const [name, value] of Object.entries(attributes || {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (name === "css") Object.entries(value).forEach(([key, to]) => node.style.setProperty(key, to));
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return node;
};
const el = (tag, attributes, ...children) => fill(document.createElement(tag), attributes, children);
const svg = (tag, attributes, ...children) => fill(document.createElementNS(SVG, tag), attributes, children);
// Names may break where their words end, rather than anywhere.
const bdi = (text) =>
  el(
    "bdi",
    {},
    String(text)
      .split(/(?<=[_./+:-])(?=[^_./+:-])/)
      .flatMap((word, i) => (i ? [el("wbr"), word] : [word])),
  );

// Draw a part of the page anew, and leave the keyboard on the control that it was on.
const redrawn = (place, draw) => {
  const controls = () => [...place.querySelectorAll("button, select, input")];
  const at = controls().indexOf(document.activeElement);
  draw();
  if (at >= 0) controls()[Math.min(at, controls().length - 1)]?.focus();
};

const MINUS = "\u2212";
const given = (value) => value !== null && value !== undefined;
const fixed = (value, decimals = 2) =>
  given(value)
    ? value
        .toFixed(decimals)
        .replace(/^-(0\.?0*)$/, "$1")
        .replace("-", MINUS)
    : "";
const signed = (value, decimals = 2) => (given(value) ? (value > 0 ? "+" : "") + fixed(value, decimals) : "");
const brief = (value) => {
  if (!given(value)) return "";
  const size = Math.abs(value);
  if (size >= 1000) return Math.round(value).toLocaleString("en-GB").replace("-", MINUS);
  return String(Number(value.toPrecision(size >= 100 ? 3 : size >= 1 ? 3 : 2))).replace("-", MINUS);
};
const collator = new Intl.Collator("en", { numeric: true });
const plural = (count, one, many) => `${count.toLocaleString("en-GB")} ${count === 1 ? one : many || one + "s"}`;
const metricName = (title) => title.replace(/ %$/, "");
const probability = (p) => (p < 0.001 ? "p < 0.001" : `p = ${Number(p.toPrecision(2))}`);
