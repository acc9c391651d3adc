// Paired differences to a baseline over the same seeds.
const drawForest = () => {
  const bases = ["kd", "scratch"].filter((base) => group().standings.some((standing) => standing[base]));
  if (!bases.length) {
    byId("forest").hidden = true;
    return;
  }
  const base = bases.includes(state.against) ? state.against : bases[0];
  const lines = group()
    .standings.filter((standing) => standing[base])
    .map((standing) => ({ cell: standing.of, d: standing[base] }))
    .sort((a, b) => b.d[0] - a.d[0]);
  const values = [-1, 1, ...lines.flatMap(({ d }) => [d[0], d[1], d[2]]).filter(given)];
  const scale = (width) => linear(values, 6, width - 6, 0.03);
  const row =
    ({ d }) =>
    (width) => {
      const x = scale(width);
      const sure = given(d[3]) && d[3] < 0.05;
      const colour = sure ? (d[0] > 0 ? "var(--accent)" : "var(--bad)") : "var(--muted)";
      return svg(
        "svg",
        { width, height: 20, "aria-hidden": "true" },
        svg("line", { class: "zero", x1: x(0), x2: x(0), y1: 0, y2: 20 }),
        given(d[1]) && svg("line", { x1: x(d[1]), x2: x(d[2]), y1: 10, y2: 10, stroke: colour, "stroke-width": 2 }),
        svg("rect", { x: x(d[0]) - 4, y: 6, width: 8, height: 8, rx: 1, fill: colour }),
      );
    };
  const words = ({ d }) =>
    [
      `${signed(d[0])} points`,
      given(d[1]) && `(${signed(d[1], 1)} to ${signed(d[2], 1)})`,
      given(d[3]) && `${probability(d[3])}${d[3] < 0.05 ? " *" : ""}`,
    ]
      .filter(Boolean)
      .join(" ");
  const axis = (width) => {
    const x = scale(width);
    return svg(
      "svg",
      { width, height: 20, "aria-hidden": "true" },
      x
        .ticks(width / 70)
        .map((tick) =>
          svg("text", { class: "axis", x: x(tick), y: 14, "text-anchor": "middle" }, signed(tick, tick % 1 ? 1 : 0)),
        ),
    );
  };
  const hidden = (draw) => {
    const holder = chart("", draw);
    holder.removeAttribute("role");
    holder.removeAttribute("aria-label");
    holder.setAttribute("aria-hidden", "true");
    return holder;
  };
  section(
    "forest",
    `Differences to ${base}`,
    bases.length > 1 &&
      el(
        "div",
        { class: "segments controls", role: "group", "aria-label": "Baseline" },
        bases.map((one) =>
          el(
            "button",
            {
              type: "button",
              class: "quiet",
              "aria-pressed": String(one === base),
              onclick: () => change({ against: one }),
            },
            `against ${one}`,
          ),
        ),
      ),
    el(
      "figure",
      {},
      el(
        "ul",
        { class: "rows" },
        lines.map((line) =>
          el("li", {}, bdi(line.cell.label), hidden(row(line)), el("span", { class: "text" }, words(line))),
        ),
        el("li", { class: "axisrow", "aria-hidden": "true" }, el("span"), hidden(axis), el("span")),
      ),
      el(
        "figcaption",
        {},
        bdi(group().heading),
        `: mean paired difference in points of ${metricName(group().metric)} over the same seeds, and its 95 % t-interval, uncorrected. p, from three pairs on, is Holm-corrected over the methods of the table (those that no teacher taught by themselves); coloured where below 0.05.`,
      ),
    ),
  );
};
