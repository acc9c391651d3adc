// Numbers of others for the same pair: beside the measured ones, never among them.
const drawPublished = () => {
  const rows = group().published;
  if (!rows.length) {
    byId("published").hidden = true;
    return;
  }
  const key = (row) => `${row.url} ${row.table}`;
  const sources = [...new Map(rows.map((row) => [key(row), row])).values()];
  const cited = (row) => `[${sources.findIndex((source) => key(source) === key(row)) + 1}]`;
  section(
    "published",
    "Published elsewhere",
    el(
      "div",
      { class: "published" },
      el(
        "p",
        {},
        bdi(group().heading),
        ". Not measured here, neither ranked nor averaged; how the numbers came about may differ.",
      ),
      el(
        "table",
        {},
        el(
          "thead",
          {},
          el(
            "tr",
            {},
            ["Method", "Top-1 %", "Source"].map((name) => el("th", { scope: "col" }, name)),
          ),
        ),
        el(
          "tbody",
          {},
          rows.map((row) =>
            el(
              "tr",
              {},
              el("th", { scope: "row" }, bdi(row.method)),
              el("td", {}, row.score),
              el("td", {}, cited(row)),
            ),
          ),
        ),
      ),
      el(
        "ol",
        {},
        sources.map((source) =>
          el(
            "li",
            {},
            bdi(source.paper),
            ", ",
            bdi(source.table),
            ", ",
            bdi(source.url),
            source.remarks.map((remark) => [" ", bdi(remark)]),
          ),
        ),
      ),
    ),
  );
};
