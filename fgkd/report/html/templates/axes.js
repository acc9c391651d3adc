// What the charts share: scales, ticks, colours, and drawing anew when their width changes.
const ticksOf = (low, high, count) => {
  const rough = (high - low) / Math.max(count, 1) || 1;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * [1, 2, 5, 10].find((factor) => factor * power >= rough * 0.999);
  const ticks = [];
  for (let tick = Math.ceil(low / step - 1e-9) * step; tick <= high + step * 1e-9; tick += step)
    ticks.push(Number(tick.toPrecision(12)));
  return ticks;
};
const linear = (values, from, to, pad = 0.05) => {
  let [low, high] = [Math.min(...values), Math.max(...values)];
  const room = (high - low || Math.abs(high) || 1) * pad;
  [low, high] = [low - room, high + room];
  const at = (value) => (high > low ? from + ((value - low) / (high - low)) * (to - from) : (from + to) / 2);
  return Object.assign(at, { low, high, ticks: (count) => ticksOf(low, high, count) });
};
const logarithmic = (values, from, to) => {
  const at = linear(values.map(Math.log10), from, to, 0.06);
  const ticks = [];
  for (let power = Math.floor(at.low); power <= Math.ceil(at.high); power += 1)
    for (const factor of [1, 2, 5]) {
      const tick = factor * 10 ** power;
      if (Math.log10(tick) >= at.low && Math.log10(tick) <= at.high) ticks.push(tick);
    }
  return Object.assign((value) => at(Math.log10(value)), {
    ticks: (count) => ticks.filter((_, i) => i % Math.ceil(ticks.length / count) === 0),
  });
};
const scaleOf = (values, from, to) =>
  Math.min(...values) > 0 && Math.max(...values) / Math.min(...values) > 20
    ? logarithmic(values, from, to)
    : linear(values, from, to);

const frame = (width, height, x, y, names) => {
  const bottom = height - 34;
  const left = 40;
  return [
    y
      .ticks(height / 55 + 1)
      .map((tick) => [
        svg("line", { class: "grid", x1: left, x2: width, y1: y(tick), y2: y(tick) }),
        svg("text", { class: "axis", x: left - 6, y: y(tick) + 4, "text-anchor": "end" }, brief(tick)),
      ]),
    x
      .ticks(width / 90)
      .map((tick) => svg("text", { class: "axis", x: x(tick), y: bottom + 16, "text-anchor": "middle" }, brief(tick))),
    svg("text", { class: "axis", x: width, y: height - 2, "text-anchor": "end" }, names.x),
    svg("text", { class: "axis", x: 0, y: 10 }, names.y),
  ];
};

// Colours follow a table's order: kd in ink, scratch in grey, the best others in the six that everybody can tell apart.
const COLOURS = 6;
const coloursOf = (standings) => {
  const found = new Map();
  let next = 0;
  for (const { of: cell } of standings) {
    if (cell.label === "kd") found.set(cell, "var(--kd)");
    else if (cell.label === "scratch") found.set(cell, "var(--scratch)");
    else found.set(cell, next < COLOURS ? `var(--c${next++})` : "var(--faint)");
  }
  return found;
};

const charts = [];
const chart = (label, draw) => {
  const holder = el("div", { class: "chart", role: "img", "aria-label": label });
  charts.push({ holder, draw, width: 0 });
  return holder;
};
const redraw = () => {
  for (let i = charts.length - 1; i >= 0; i -= 1) {
    const one = charts[i];
    if (!one.holder.isConnected) {
      charts.splice(i, 1);
      continue;
    }
    const width = Math.floor(one.holder.clientWidth);
    if (!width || width === one.width) continue;
    one.width = width;
    one.holder.replaceChildren(one.draw(width));
  }
};
new ResizeObserver(() => requestAnimationFrame(redraw)).observe(document.body);

// Labels at one edge, moved apart until none covers another.
const apart = (labels, gap, low, high) => {
  const placed = labels.map((label) => ({ ...label })).sort((a, b) => a.y - b.y);
  placed.forEach((label, i) => {
    label.y = Math.max(label.y, low, i ? placed[i - 1].y + gap : low);
  });
  for (let i = placed.length - 1, limit = high; i >= 0; i -= 1) {
    placed[i].y = Math.min(placed[i].y, limit);
    limit = placed[i].y - gap;
  }
  return placed;
};
const textWidth = (() => {
  const context = document.createElement("canvas").getContext("2d");
  context.font = "12px system-ui, sans-serif";
  return (text) => context.measureText(text).width;
})();
const shorten = (text, width) => {
  if (textWidth(text) <= width) return text;
  let kept = [...text];
  while (kept.length > 1 && textWidth(`${kept.join("")}\u2026`) > width) kept = kept.slice(0, -1);
  return `${kept.join("")}\u2026`;
};
const section = (id, heading, ...children) => {
  const place = byId(id);
  place.hidden = false;
  place.setAttribute("aria-labelledby", `${id}-title`);
  place.replaceChildren(el("h2", { id: `${id}-title` }, heading), ...children.filter(Boolean));
};
