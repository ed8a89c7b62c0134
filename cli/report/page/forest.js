/* Intervals side by side, as SVG.

   m.forest({title, unit, expected, rows: [{name, mean, low, high, values, strong, quiet}]}): values: one dot a seed; null mean: none;
   `expected`, where given, is dashed */
(m => {
  const letter = 6.8, bold = 7.8; /* about their widths in text of 12 px */

  /* As wide as a card, so that its text is as large as that around it; names have what they need of it, up to half. */
  const measure = (rows, lines) => {
    const isPhone = window.innerWidth < 520, width = isPhone ? 345 : 560, longest = Math.max(0, ...rows.map(r => r.name.length));
    return {left: Math.min(Math.max(longest * bold + 14, isPhone ? 100 : 180), width / 2), width, row: 26, top: 10, bottom: 28 + 14 * lines.length};
  };

  /* The words of a text in lines that a picture has room for; a word that is longer than a line is cut. */
  const wrap = (text, width) => {
    const most = Math.floor(width / letter), lines = [""];
    for (const word of text.split(" ").map(w => (w.length > most ? w.slice(0, most - 1) + "…" : w))) {
      const last = lines[lines.length - 1];
      if (last && last.length + 1 + word.length > most) lines.push(word);
      else lines[lines.length - 1] = last ? `${last} ${word}` : word;
    }
    return lines;
  };
  const cut = (name, width) => (name.length * bold > width ? name.slice(0, Math.floor(width / bold) - 1) + "…" : name);

  const ticks = (low, high) => {
    const rough = (high - low) / 5, power = 10 ** Math.floor(Math.log10(rough)), step = [1, 2, 5, 10].map(k => k * power).find(s => s >= rough);
    const out = [];
    for (let t = Math.ceil(low / step) * step; t <= high + 1e-9 * step; t += step) out.push(Math.abs(t) < 1e-9 * step ? 0 : t);
    return out;
  };

  const range = (rows, expected) => {
    const all = rows.flatMap(r => [r.mean, r.low, r.high, ...(r.values || [])]).concat(m.isNumber(expected) ? expected : []).filter(m.isNumber);
    if (!all.length) all.push(0);
    const low = Math.min(...all), high = Math.max(...all), pad = (high - low || Math.abs(high) || 1) * 0.06;
    return [low - pad, high + pad];
  };

  m.forest = ({title, unit, expected, rows}) => {
    const dashed = m.isNumber(expected), caption = unit + (dashed ? `; dashed: ${m.format(expected)}, if nothing is there` : "");
    const lines = wrap(caption, window.innerWidth < 520 ? 345 : 560);
    const size = measure(rows, lines), [low, high] = range(rows, expected), inner = size.width - size.left - 20, height = size.top + rows.length * size.row + size.bottom;
    const x = v => size.left + ((v - low) / (high - low)) * inner, bottom = size.top + rows.length * size.row;
    const line = (x1, y1, x2, y2, more) => m.element("line", {x1, y1, x2, y2, stroke: "var(--muted)", ...more});
    const said = rows.map(r => `${r.name} ${m.isNumber(r.mean) ? `${m.format(r.mean)} (${m.format(r.low)} to ${m.format(r.high)})` : "no value"}`).join("; ");
    const svg = m.element("svg", {class: "forest", viewBox: `0 0 ${size.width} ${height}`, role: "img", "aria-label": `${title}: ${said}`});
    for (const t of ticks(low, high)) svg.append(line(x(t), size.top, x(t), bottom, {stroke: "var(--grid)"}),
      m.element("text", {x: x(t), y: bottom + 16, "text-anchor": "middle", class: "quiet"}, m.format(Number(t.toPrecision(6)))));
    if (dashed) svg.append(line(x(expected), size.top, x(expected), bottom, {"stroke-dasharray": "7 4", stroke: "var(--null)", "stroke-width": 1.5}));
    svg.append(...lines.map((text, i) => m.element("text", {x: size.width / 2, y: bottom + 34 + 14 * i, "text-anchor": "middle"}, text)));
    rows.forEach((row, i) => {
      const y = size.top + (i + 0.5) * size.row, color = row.quiet ? "var(--muted)" : "var(--accent)";
      svg.append(m.element("text", {x: size.left - 10, y: y + 4, "text-anchor": "end", ...(row.quiet ? {class: "quiet"} : {}),
        ...(row.strong ? {"font-weight": 600} : {})}, cut(row.name, size.left - 12)));
      for (const v of row.values || []) if (m.isNumber(v)) svg.append(m.element("circle", {cx: x(v), cy: y + 8, r: 2, fill: color, opacity: 0.6}));
      if (m.isNumber(row.low) && m.isNumber(row.high))
        svg.append(line(x(row.low), y, x(row.high), y, {stroke: color, "stroke-width": row.strong ? 3 : 2}));
      if (m.isNumber(row.mean)) svg.append(m.element("circle", {cx: x(row.mean), cy: y, r: row.strong ? 5 : 4, fill: color}));
      else svg.append(m.element("text", {x: size.left + 6, y: y + 4, class: "quiet"}, "no value"));
    });
    return svg;
  };
})(muonscope);
