// Accuracy against what it costs, with the configurations that nothing both cheaper and better stands beside.
const PRICES = {
  params: ["parameters, millions", (cell) => cell.params],
  macs: ["multiply-accumulates, millions", (cell) => cell.macs],
  latency: [`latency of one image, ms (${data.latencyPlace})`, (cell) => cell.latency],
  seconds: ["training seconds, alone", (cell) => alone(cell)],
};
const paretoFront = (points) => {
  let best = -Infinity;
  return [...points]
    .sort((a, b) => a.x - b.x || b.y - a.y)
    .filter((point) => point.y > best && ((best = point.y), true));
};
// Seconds of two devices have no common axis: those of the table's own are shown.
const titleOf = (price) => PRICES[price][0] + (price === "seconds" ? `, on ${group().device}` : "");
const comparable = (cell, price) => price !== "seconds" || cell.device === group().device;
const pointsOf = (dataset, price) =>
  cells
    .filter((cell) => cell.dataset === dataset && cell.role !== "teacher" && given(cell.mean) && comparable(cell, price))
    .map((cell) => ({ cell, x: PRICES[price][1](cell), y: cell.mean }))
    .filter((point) => given(point.x));
const drawScatter = () => {
  const { dataset, metric } = group();
  const usable = Object.keys(PRICES).filter((price) => pointsOf(dataset, price).length > 1);
  if (!usable.length) {
    byId("scatter").hidden = true;
    return;
  }
  const varied = usable.find((price) => new Set(pointsOf(dataset, price).map((point) => point.x)).size > 1);
  const price = usable.includes(state.x) ? state.x : varied || usable[0];
  const points = pointsOf(dataset, price);
  const front = new Set(paretoFront(points));
  const students = new Set(points.map((point) => point.cell.student)).size > 1;
  const name = (point) => (students ? `${point.cell.label}, ${point.cell.student}` : point.cell.label);
  const colours = coloursOf(group().standings);
  const said =
    `${plural(points.length, "configuration")} on ${dataset}, ${metricName(metric)} against ${titleOf(price)}. ` +
    `On the Pareto front: ${[...front].map((p) => `${name(p)} (${brief(p.x)}; ${fixed(p.y)} %)`).join(", ")}.`;
  const draw = (width) => {
    const height = Math.min(420, Math.max(280, width * 0.5));
    const x = scaleOf(
      points.map((p) => p.x),
      52,
      width - 14,
    );
    const y = linear(points.flatMap((p) => [p.y, p.cell.low, p.cell.high]).filter(given), height - 40, 24);
    const placed = points.map((p) => ({ x: x(p.x) - 5, y: y(p.y) - 6, w: 10, point: p }));
    const labels = [...points]
      .sort((a, b) => front.has(b) - front.has(a) || b.y - a.y)
      .map((point) => {
        const text = shorten(name(point), width * 0.4);
        const right = x(point.x) + 10 + textWidth(text) < width;
        const box = {
          x: right ? x(point.x) + 9 : x(point.x) - 9 - textWidth(text),
          y: y(point.y) - 6,
          w: textWidth(text),
        };
        if (
          placed.length > points.length + 14 ||
          placed.some(
            (o) => o.point !== point && Math.abs(o.y - box.y) < 14 && box.x < o.x + o.w + 2 && o.x < box.x + box.w + 2,
          )
        )
          return null;
        placed.push(box);
        return svg("text", { class: "halo", x: box.x, y: box.y + 2 }, text);
      });
    const steps = [...front]
      .map((p, i, all) => `${i ? `H${x(p.x)}V` : `M${x(p.x)},`}${y(p.y)}${i === all.length - 1 ? `H${width - 4}` : ""}`)
      .join("");
    return svg(
      "svg",
      { width, height, "aria-hidden": "true" },
      frame(width, height, x, y, { x: titleOf(price), y: metric }),
      svg("path", { class: "front", d: steps }),
      points.map(
        (p) =>
          given(p.cell.low) &&
          svg("line", {
            x1: x(p.x),
            x2: x(p.x),
            y1: y(p.cell.low),
            y2: y(p.cell.high),
            stroke: colours.get(p.cell) || "var(--faint)",
            "stroke-width": 1.5,
            opacity: 0.45,
          }),
      ),
      points.map((p) =>
        svg(
          "circle",
          {
            class: "point",
            cx: x(p.x),
            cy: y(p.y),
            r: front.has(p) ? 5.5 : 4,
            fill: colours.get(p.cell) || "var(--faint)",
            stroke: "var(--paper)",
            "stroke-width": 1.5,
            onclick: () => change({ open: p.cell.runs[0].id }),
          },
          svg(
            "title",
            {},
            `${name(p)}: ${fixed(p.y)} % (${plural(p.cell.n, "run")}), ${brief(p.x)} ${titleOf(price)}`,
          ),
        ),
      ),
      labels,
    );
  };
  section(
    "scatter",
    "Accuracy and cost",
    usable.length > 1 &&
      el(
        "div",
        { class: "controls" },
        choice(
          "Cost",
          usable.map((one) => [one, titleOf(one)]),
          price,
          (value) => change({ x: value }),
        ),
      ),
    el(
      "figure",
      {},
      chart(said, draw),
      el(
        "figcaption",
        {},
        bdi(dataset),
        ": mean and 95 % interval, whatever the student, its epochs and its images. The dashed line joins what no other mean is both better and cheaper than.",
        price === "seconds" ? " Seconds are of one run by itself: its own, and those for loading and teacher." : "",
      ),
    ),
  );
};
