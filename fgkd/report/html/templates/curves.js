// Hold-out accuracy by epoch: the mean over seeds strong, single seeds light.
const highlighted = new Set();
const meanCurve = (curves) => {
  const longest = curves.reduce((a, b) => (b.epochs.length > a.epochs.length ? b : a));
  return {
    epochs: longest.epochs,
    top1: longest.epochs.map((_, i) => {
      const values = curves
        .filter((curve) => curve.epochs.length === longest.epochs.length)
        .map((curve) => curve.top1[i])
        .filter(given);
      return values.length ? values.reduce((a, b) => a + b) / values.length : null;
    }),
  };
};
const curveOf = (run) =>
  run.curve && { epochs: block(run.curve[0]).map((epoch) => epoch + 1), top1: run.curve[1], loss: run.curve[2] };
const pathOf = (curve, x, y, key = "top1") => {
  let pen = "M";
  return curve.epochs
    .map((epoch, i) => {
      if (!given(curve[key][i])) {
        pen = "M";
        return "";
      }
      const step = `${pen}${x(epoch).toFixed(1)},${y(curve[key][i]).toFixed(1)}`;
      pen = "L";
      return step;
    })
    .join("");
};
const drawCurves = () => {
  const lines = group()
    .standings.map(({ of: cell }) => ({
      cell,
      seeds: cell.runs
        .filter((run) => run.status === "ok")
        .map(curveOf)
        .filter((curve) => curve && curve.top1.some(given)),
    }))
    .filter((line) => line.seeds.length);
  if (!lines.length) {
    byId("curves").hidden = true;
    return;
  }
  for (const line of lines) line.mean = meanCurve(line.seeds);
  const colours = coloursOf(group().standings);
  const every = lines.flatMap((line) => line.seeds);
  const last = (line) => [...line.mean.top1].reverse().find(given);
  const said = `Hold-out top-1 by epoch, at the last: ${lines.map((line) => `${line.cell.label} ${fixed(last(line), 1)} %`).join(", ")}.`;
  const draw = (width) => {
    const height = Math.min(400, Math.max(280, width * 0.45));
    const room = width > 560 ? 120 : 12;
    const epochs = every.flatMap((curve) => curve.epochs);
    const x = linear(epochs, 44, width - room, 0);
    const y = linear(every.flatMap((curve) => curve.top1).filter(given), height - 40, 24);
    const pale = (line) => highlighted.size > 0 && !highlighted.has(line.cell);
    const front = [...lines].reverse();
    const ends = apart(
      lines
        .filter((line) => !pale(line))
        .slice(0, 12)
        .map((line) => ({ line, y: y(last(line)) + 4 })),
      14,
      16,
      height - 36,
    );
    return svg(
      "svg",
      { width, height, class: "lines", "aria-hidden": "true" },
      frame(width, height, x, y, { x: "epoch", y: "hold-out top-1 %" }),
      front.map(
        (line) =>
          line.seeds.length > 1 &&
          svg(
            "g",
            { class: pale(line) ? "pale" : null },
            line.seeds.map((curve) =>
              svg("path", { class: "seed", d: pathOf(curve, x, y), stroke: colours.get(line.cell) }),
            ),
          ),
      ),
      front.map((line) =>
        svg(
          "path",
          { class: pale(line) ? "pale" : null, d: pathOf(line.mean, x, y), stroke: colours.get(line.cell) },
          svg("title", {}, line.cell.label),
        ),
      ),
      room > 100 &&
        ends.map(({ line, y: at }) =>
          svg(
            "text",
            { class: "halo", x: width - room + 8, y: at, css: { fill: colours.get(line.cell) } },
            shorten(line.cell.label, room - 10),
          ),
        ),
    );
  };
  const holder = chart(said, draw);
  const key = el(
    "ul",
    { class: "key", "aria-label": "Emphasise methods" },
    lines.map((line) =>
      el(
        "li",
        {},
        el(
          "button",
          {
            type: "button",
            "aria-pressed": String(highlighted.has(line.cell)),
            onclick: (event) => {
              if (!highlighted.delete(line.cell)) highlighted.add(line.cell);
              event.currentTarget.setAttribute("aria-pressed", String(highlighted.has(line.cell)));
              holder.replaceChildren(draw(Math.floor(holder.clientWidth)));
            },
          },
          el("i", { css: { background: colours.get(line.cell) } }),
          bdi(line.cell.label),
        ),
      ),
    ),
  );
  section(
    "curves",
    "Learning curves",
    el(
      "figure",
      {},
      holder,
      key,
      el(
        "figcaption",
        {},
        bdi(group().heading),
        ": top-1 on the hold-out, which is carved from the training split; mean over seeds, single seeds light.",
      ),
    ),
  );
};
