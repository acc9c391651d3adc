// Where a configuration goes wrong: pairs of classes, and single images.
const confusedRow = (pair, runCount) => {
  const [a, b, ab, ba, na, nb] = pair;
  const share = (count, size) => (size ? `${fixed((100 * count) / (size * runCount), 0)} %` : "");
  const wide = (count, size) => `${size ? (100 * count) / (size * runCount) : 0}%`;
  return el(
    "li",
    {},
    el("span", {}, bdi(block(a)), " taken for ", bdi(block(b))),
    svg(
      "svg",
      { height: 16, "aria-hidden": "true" },
      svg("rect", { x: 0, y: 1, width: wide(ab, na), height: 6, rx: 1, fill: "var(--bad)" }),
      svg("rect", { x: 0, y: 9, width: wide(ba, nb), height: 6, rx: 1, fill: "var(--faint)" }),
    ),
    el(
      "span",
      { class: "text" },
      share(ab, na),
      el("span", { class: "muted" }, ba ? `, the reverse ${share(ba, nb)}` : ", never the reverse"),
    ),
  );
};
const matrixOf = ({ classes, matrix, pairs, runs: runCount }) => {
  const sizes = new Map(
    pairs.flatMap(([a, b, , , na, nb]) => [
      [a, na],
      [b, nb],
    ]),
  );
  const share = (i, j) => (100 * matrix[i][j]) / (sizes.get(classes[i]) * runCount || 1);
  return el(
    "table",
    { class: "matrix" },
    el("caption", {}, "Percent of a class's test images (row) that got the answer in the column."),
    el(
      "thead",
      {},
      el(
        "tr",
        {},
        el("th", { scope: "col" }, "Class"),
        classes.map((name, j) =>
          el("th", { scope: "col", title: block(name), "aria-label": block(name) }, String(j + 1)),
        ),
      ),
    ),
    el(
      "tbody",
      {},
      classes.map((name, i) =>
        el(
          "tr",
          {},
          el("th", { scope: "row" }, `${i + 1} `, bdi(block(name))),
          classes.map((_, j) => {
            const value = share(i, j);
            return el(
              "td",
              {
                class: i === j ? "right" : null,
                css:
                  i === j
                    ? {}
                    : {
                        background: `color-mix(in srgb, var(--bad) ${Math.min(70, Math.round(value * 1.4))}%, var(--raised))`,
                      },
              },
              value >= 0.5 ? fixed(value, 0) : el("span", { class: "sr" }, "0"),
            );
          }),
        ),
      ),
    ),
  );
};
const wrongly = (one) =>
  el("span", {}, bdi(block(one.truth)), el("span", { class: "muted" }, " taken for "), bdi(block(one.answer)));
const votes = (one) => el("span", { class: "muted" }, `${one.votes} of ${plural(one.runs, "run")}`);
const drawMistakes = (all) => {
  if (all.every((one) => !given(one.picture))) {
    return el(
      "ul",
      { class: "rows mistakes" },
      all.map((one) =>
        el("li", {}, wrongly(one), el("span", { class: "muted" }, `test image ${one.image}`), votes(one)),
      ),
    );
  }
  return el(
    "ul",
    { class: "thumbs" },
    all.map((one) =>
      el(
        "li",
        {},
        given(one.picture) && el("img", { src: block(one.picture), alt: `Test image ${one.image}` }),
        wrongly(one),
        el("br"),
        votes(one),
      ),
    ),
  );
};
const drawFailures = () => {
  const known = group()
    .standings.map((standing) => standing.of)
    .filter((cell) => data.confusions[cell.index]);
  if (!known.length) {
    byId("failures").hidden = true;
    return;
  }
  const cell = known.find((one) => String(one.index) === state.confused) || known[0];
  const confusion = data.confusions[cell.index];
  section(
    "failures",
    "Where it fails",
    el(
      "div",
      { class: "controls" },
      choice(
        "Method",
        known.map((one) => [one.index, one.label]),
        cell.index,
        (value) => change({ confused: value }),
      ),
    ),
    confusion.pairs.length
      ? el(
          "figure",
          {},
          el(
            "ul",
            { class: "rows pairs" },
            confusion.pairs.map((pair) => confusedRow(pair, confusion.runs)),
          ),
          el(
            "figcaption",
            {},
            `The pairs of classes that ${cell.label} confuses most, as shares of the first class's test images, over ${plural(confusion.runs, "run")}.`,
          ),
        )
      : el("p", {}, "No test image was taken for another class."),
    confusion.classes.length > 1 &&
      el(
        "div",
        { class: "scroll", tabindex: 0, role: "region", "aria-label": "Confusion among these classes" },
        el("h3", { class: "subtitle" }, "Among these classes"),
        matrixOf(confusion),
      ),
    group().mistakes.length > 0 &&
      el("div", {}, el("h3", { class: "subtitle" }, "Images that most runs get wrong"), drawMistakes(group().mistakes)),
  );
};
