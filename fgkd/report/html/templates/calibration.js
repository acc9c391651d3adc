// Whether a probability can be believed: accuracy of answers by their confidence.
const reliabilityChart = (found, colour) => (width) => {
  const size = Math.min(width, 300);
  const x = linear([0, 1], 36, size - 10, 0);
  const y = linear([0, 1], size - 36, 10, 0);
  const most = Math.max(...found.bins.map((bin) => bin[2]));
  return svg(
    "svg",
    { width: size, height: size, "aria-hidden": "true" },
    [0, 0.5, 1].map((tick) => [
      svg("line", { class: "grid", x1: x(0), x2: x(1), y1: y(tick), y2: y(tick) }),
      svg("text", { class: "axis", x: x(0) - 6, y: y(tick) + 4, "text-anchor": "end" }, brief(tick) || "0"),
      svg(
        "text",
        { class: "axis", x: x(tick), y: size - 20, "text-anchor": tick === 1 ? "end" : "middle" },
        brief(tick) || "0",
      ),
    ]),
    svg("text", { class: "axis", x: x(1), y: size - 4, "text-anchor": "end" }, "confidence"),
    svg("line", { class: "front", x1: x(0), x2: x(1), y1: y(0), y2: y(1) }),
    svg("path", {
      d: found.bins.map((bin, i) => `${i ? "L" : "M"}${x(bin[0])},${y(bin[1])}`).join(""),
      fill: "none",
      stroke: colour,
      "stroke-width": 1.5,
    }),
    found.bins.map((bin) =>
      svg(
        "circle",
        { cx: x(bin[0]), cy: y(bin[1]), r: 2 + 5 * Math.sqrt(bin[2] / most), fill: colour, opacity: 0.85 },
        svg(
          "title",
          {},
          `confidence ${fixed(bin[0])}, accuracy ${fixed(bin[1])}, ${fixed(100 * bin[2], 1)} % of the images`,
        ),
      ),
    ),
  );
};
const drawCalibration = () => {
  const known = group()
    .standings.map((standing) => standing.of)
    .filter((cell) => data.reliability[cell.index]);
  if (!known.length) {
    byId("calibration").hidden = true;
    return;
  }
  const colours = coloursOf(group().standings);
  const figures = known.slice(0, 12).map((cell) => {
    const found = data.reliability[cell.index];
    const gap = found.bins.reduce((sum, [confidence, accuracy, share]) => sum + share * (confidence - accuracy), 0);
    const verdict =
      Math.abs(gap) < 0.01
        ? "on the whole neither over- nor underconfident"
        : `on the whole ${gap > 0 ? "over" : "under"}confident by ${fixed(100 * Math.abs(gap), 1)} points`;
    return el(
      "figure",
      {},
      chart(`Reliability of ${cell.label}: ${verdict}.`, reliabilityChart(found, colours.get(cell))),
      el("figcaption", {}, el("strong", {}, bdi(cell.label)), `, ${verdict}`),
    );
  });
  section(
    "calibration",
    "Calibration",
    el("div", { class: "grid-of" }, figures),
    el(
      "p",
      { class: "muted" },
      "Accuracy of test answers by their confidence; on the dashed line a network is as often right as it says. Points grow with their share of the images; runs of a configuration are pooled.",
    ),
  );
};
