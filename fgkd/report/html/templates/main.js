// The sections below the table look at one table of the board at a time.
const drawChooser = () => {
  if (groups.length < 2) return;
  byId("chooser").replaceChildren(
    choice(
      "The charts below show",
      groups.map((one, i) => [i, one.heading]),
      state.table,
      (value) => change({ table: value }),
    ),
  );
};
const SECTIONS = {
  protocol: drawProtocol,
  scatter: drawScatter,
  forest: drawForest,
  curves: drawCurves,
  calibration: drawCalibration,
  failures: drawFailures,
  published: drawPublished,
  ranks: drawRanks,
};
const DRAWN_BY = { table: Object.keys(SECTIONS), x: ["scatter"], against: ["forest"], confused: ["failures"] };
listeners.push((changed) => {
  if (!groups.length) return;
  if (changed.includes("table")) {
    highlighted.clear();
    redrawn(byId("chooser"), drawChooser);
  }
  const names = new Set(changed.flatMap((name) => DRAWN_BY[name] || []));
  names.forEach((name) => redrawn(byId(name), SECTIONS[name]));
  redraw();
});
const show = () => {
  readAddress();
  listeners.forEach((listener) => listener(Object.keys(DEFAULTS)));
};
addEventListener("hashchange", show);
addEventListener("beforeprint", () => {
  printing = true;
  drawTable();
});
addEventListener("afterprint", () => {
  printing = false;
  drawTable();
});
show();
