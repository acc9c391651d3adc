// What every number below rests on: no chart shows that a protocol is not the published one.
const drawProtocol = () => {
  const { heading, conditions, notes } = group();
  section(
    "protocol",
    "How the runs were made",
    el("p", {}, bdi(heading), ": ", bdi(conditions), "."),
    notes.length && el("ul", { class: "muted" }, notes.map((note) => el("li", {}, bdi(note)))),
  );
};
