// Which methods do well everywhere: ranks by method and table.
const drawRanks = () => {
  if (groups.length < 2) {
    byId("ranks").hidden = true;
    return;
  }
  const found = new Map();
  groups.forEach((one, i) =>
    one.standings.forEach(({ of: cell, rank }) => {
      if (!found.has(cell.label)) found.set(cell.label, []);
      const ranks = found.get(cell.label);
      if (given(rank) && !(ranks[i] <= rank)) ranks[i] = rank;
    }),
  );
  const most = groups.map((one) => Math.max(1, ...one.standings.map((standing) => standing.rank ?? 0)));
  const rows = [...found]
    .map(([label, ranks]) => {
      const known = ranks.filter(given);
      const share = ranks.map((rank, i) => (given(rank) ? (rank - 1) / Math.max(1, most[i] - 1) : null)).filter(given);
      return {
        label,
        ranks,
        full: known.length === groups.length,
        mean: known.reduce((a, b) => a + b, 0) / known.length,
        share: share.reduce((a, b) => a + b, 0) / share.length,
        count: known.length,
      };
    })
    .filter((row) => row.count)
    .sort(
      (a, b) => b.full - a.full || (a.full ? a.mean - b.mean : a.share - b.share) || collator.compare(a.label, b.label),
    );
  if (!rows.length) {
    byId("ranks").hidden = true;
    return;
  }
  const cell = (rank, i) =>
    given(rank)
      ? el(
          "td",
          {
            css: {
              background: `color-mix(in srgb, var(--accent) ${Math.round(45 * (1 - (rank - 1) / Math.max(1, most[i] - 1)))}%, var(--raised))`,
            },
          },
          String(rank),
        )
      : el("td", {}, el("span", { class: "sr" }, "none"));
  const column = (one, i) =>
    el(
      "th",
      { scope: "col" },
      el(
        "button",
        { type: "button", title: one.heading, onclick: () => change({ table: String(i) }) },
        bdi([one.dataset, new Set(groups.map((g) => g.student)).size > 1 && one.student].filter(Boolean).join(", ")),
      ),
    );
  section(
    "ranks",
    "Ranks",
    el(
      "div",
      { class: "scroll", tabindex: 0, role: "region", "aria-labelledby": "ranks-title" },
      el(
        "table",
        { class: "matrix" },
        el(
          "caption",
          {},
          "Rank by mean score in each table, 1 is best; darker is better. Blank: not run, or seeds missing. The mean is over methods that stand in every table.",
        ),
        el(
          "thead",
          {},
          el("tr", {}, el("th", { scope: "col" }, "Method"), groups.map(column), el("th", { scope: "col" }, "Mean")),
        ),
        el(
          "tbody",
          {},
          rows.map((row) =>
            el(
              "tr",
              {},
              el("th", { scope: "row" }, bdi(row.label)),
              groups.map((_, i) => cell(row.ranks[i], i)),
              el("td", {}, row.full ? fixed(row.mean, 1) : ""),
            ),
          ),
        ),
      ),
    ),
  );
};
