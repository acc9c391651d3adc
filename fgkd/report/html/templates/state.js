// What is shown, kept in the address behind the # so that it can be sent to somebody.
const DEFAULTS = {
  view: "configurations",
  sort: "",
  q: "",
  dataset: "",
  teacher: "",
  student: "",
  method: "",
  status: "",
  suite: "",
  table: "0",
  x: "",
  against: "kd",
  confused: "",
  open: "",
};
const state = { ...DEFAULTS };
const listeners = [];

const readAddress = () => {
  const told = new URLSearchParams(location.hash.slice(1));
  for (const name of Object.keys(DEFAULTS)) state[name] = told.get(name) ?? DEFAULTS[name];
  if (!["configurations", "runs"].includes(state.view)) state.view = DEFAULTS.view;
  if (!/^\d+$/.test(state.table) || !groups[state.table]) state.table = DEFAULTS.table;
};
const writeAddress = () => {
  const told = new URLSearchParams();
  for (const [name, value] of Object.entries(state)) if (value !== DEFAULTS[name]) told.set(name, value);
  const text = told.toString();
  history.replaceState(null, "", text ? `#${text}` : location.pathname + location.search);
};
const change = (changes) => {
  Object.assign(state, changes);
  writeAddress();
  listeners.forEach((listener) => listener(Object.keys(changes)));
};
const group = () => groups[state.table];

// Light and dark follow the system until somebody chooses.
const dark = matchMedia("(prefers-color-scheme: dark)");
const remembered = (() => {
  try {
    return localStorage.getItem("fgkd-theme");
  } catch {
    return null;
  }
})();
let chosen = ["light", "dark"].includes(remembered) ? remembered : null;
const applyTheme = () => {
  const now = chosen || (dark.matches ? "dark" : "light");
  if (chosen) document.documentElement.dataset.theme = chosen;
  byId("theme").textContent = now === "dark" ? "Light" : "Dark";
  byId("theme").setAttribute("aria-label", `Switch to ${now === "dark" ? "light" : "dark"} colours`);
  byId("theme").hidden = false;
};
byId("theme").addEventListener("click", () => {
  chosen = (chosen || (dark.matches ? "dark" : "light")) === "dark" ? "light" : "dark";
  try {
    localStorage.setItem("fgkd-theme", chosen);
  } catch {
    /* a page from disk may have no storage */
  }
  applyTheme();
});
dark.addEventListener("change", applyTheme);
applyTheme();

const choice = (label, options, value, pick, attributes) =>
  el(
    "label",
    attributes,
    label,
    el(
      "select",
      { onchange: (event) => pick(event.target.value) },
      options.map(([key, text]) => el("option", { value: key, selected: String(key) === String(value) }, text)),
    ),
  );
