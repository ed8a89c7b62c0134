/* Heat maps on a canvas, which Chart.js lacks.

   m.heatCard({id, title, controls, build}): build() gives null for no data, or
     {about, rows: [label], columns: [label], values: [row][column], low, high: of the colours, xTitle, yTitle, unit, mark: a column} */
(m => {
  const margin = {left: 52, right: 82, top: 10, bottom: 42};

  const layout = (canvas, d) => {
    const box = canvas.parentElement.getBoundingClientRect(), width = Math.max(box.width, 120), height = Math.max(box.height, 120);
    const inner = {width: width - margin.left - margin.right, height: height - margin.top - margin.bottom};
    return {width, height, inner, cell: {width: inner.width / d.columns.length, height: inner.height / d.rows.length}};
  };
  const share = (d, value) => (d.high > d.low ? (value - d.low) / (d.high - d.low) : 0.5);

  /* As many labels as have room. */
  const labels = (list, size, room) => {
    const every = Math.max(1, Math.ceil(room / size));
    return list.map((text, i) => ({text, i})).filter(l => l.i % every === 0);
  };

  const drawAxes = (ctx, at, d) => {
    ctx.fillStyle = m.css("muted");
    ctx.textBaseline = "middle";
    ctx.textAlign = "right";
    for (const l of labels(d.rows, at.cell.height, 15)) ctx.fillText(l.text, margin.left - 6, margin.top + (l.i + 0.5) * at.cell.height);
    ctx.textBaseline = "top";
    ctx.textAlign = "center";
    const room = 10 + Math.max(...d.columns.map(c => ctx.measureText(c).width));
    for (const l of labels(d.columns, at.cell.width, room))
      ctx.fillText(l.text, margin.left + (l.i + 0.5) * at.cell.width, at.height - margin.bottom + 5);
    ctx.fillStyle = m.css("text");
    ctx.fillText(d.xTitle, margin.left + at.inner.width / 2, at.height - 16);
    ctx.save();
    ctx.translate(4, margin.top + at.inner.height / 2);
    ctx.rotate(-Math.PI / 2);
    ctx.fillText(d.yTitle, 0, 0);
    ctx.restore();
  };

  const drawBar = (ctx, at, d) => {
    const x = at.width - margin.right + 16, steps = 64;
    for (let i = 0; i < steps; i++) {
      ctx.fillStyle = m.heatColor(1 - i / (steps - 1));
      ctx.fillRect(x, margin.top + (i * at.inner.height) / steps, 12, at.inner.height / steps + 1);
    }
    ctx.fillStyle = m.css("muted");
    ctx.textAlign = "left";
    ctx.textBaseline = "middle";
    for (const t of [0, 0.25, 0.5, 0.75, 1]) {
      const value = d.low + t * (d.high - d.low);
      ctx.fillText(Number(value.toPrecision(3)).toString(), x + 17, margin.top + (1 - t) * at.inner.height * 0.999);
    }
  };

  const outline = (ctx, at, column, row) => {
    ctx.lineWidth = 2;
    ctx.strokeStyle = m.css("text");
    ctx.strokeRect(margin.left + column * at.cell.width, margin.top + (row ?? 0) * at.cell.height, at.cell.width,
      row === undefined ? at.inner.height : at.cell.height);
  };

  const paint = (card, state) => {
    const d = state.description, canvas = card.canvas, at = layout(canvas, d), scale = window.devicePixelRatio || 1;
    const ctx = canvas.getContext("2d");
    canvas.width = Math.round(at.width * scale);
    canvas.height = Math.round(at.height * scale);
    ctx.setTransform(scale, 0, 0, scale, 0, 0);
    ctx.font = `12px ${Chart.defaults.font.family}`;
    ctx.fillStyle = m.css("card");
    ctx.fillRect(0, 0, at.width, at.height);
    d.values.forEach((row, r) => row.forEach((value, c) => {
      ctx.fillStyle = m.isNumber(value) ? m.heatColor(share(d, value)) : m.css("grid");
      ctx.fillRect(margin.left + c * at.cell.width, margin.top + r * at.cell.height, at.cell.width + 0.5, at.cell.height + 0.5);
    }));
    drawAxes(ctx, at, d);
    drawBar(ctx, at, d);
    if (d.mark >= 0) outline(ctx, at, d.mark);
    if (state.cell) outline(ctx, at, state.cell[1], state.cell[0]);
  };

  const choose = (card, state, row, column) => {
    const d = state.description;
    if (!d || row < 0 || column < 0 || row >= d.rows.length || column >= d.columns.length) return;
    state.cell = [row, column];
    card.readout.textContent = `${d.yTitle} ${d.rows[row]}, ${d.xTitle} ${d.columns[column]}: ${m.format(d.values[row][column])}`;
    paint(card, state);
  };

  const listen = (card, state) => {
    card.canvas.addEventListener("pointermove", event => {
      if (!state.description) return;
      const at = layout(card.canvas, state.description), box = card.canvas.getBoundingClientRect();
      choose(card, state, Math.floor((event.clientY - box.top - margin.top) / at.cell.height),
        Math.floor((event.clientX - box.left - margin.left) / at.cell.width));
    });
    card.canvas.addEventListener("keydown", event => {
      const move = {ArrowRight: [0, 1], ArrowLeft: [0, -1], ArrowUp: [-1, 0], ArrowDown: [1, 0]}[event.key];
      if (!move || !state.description) return;
      event.preventDefault();
      const [r, c] = state.cell || [0, -move[1]];
      choose(card, state, r + move[0], c + move[1]);
    });
    new ResizeObserver(() => state.description && !card.element.hidden && paint(card, state)).observe(card.plot);
  };

  m.heatCard = ({id, title, controls = [], build, wide}) => {
    const state = {description: null, cell: null}, card = m.card({id, title, controls, wide, kind: "heat"});
    card.rows = () => state.description && m.table(`${title}: ${state.description.yTitle} by ${state.description.xTitle}`,
      [state.description.yTitle, ...state.description.columns],
      state.description.values.map((row, r) => [state.description.rows[r], ...row.map(m.format)]));
    card.draw = () => {
      const d = build(), known = d ? d.values.flat().filter(m.isNumber) : [];
      card.element.hidden = known.length === 0;
      if (card.element.hidden) return;
      state.description = {...d, low: d.low ?? known.reduce((a, b) => Math.min(a, b)), high: d.high ?? known.reduce((a, b) => Math.max(a, b))};
      state.cell = null;
      card.about.textContent = d.about || "";
      card.readout.textContent = "";
      card.canvas.setAttribute("aria-label", `${title}: heat map of ${d.rows.length} by ${d.columns.length} values from `
        + `${m.format(Math.min(...known))} to ${m.format(Math.max(...known))}. Arrow keys read values; the button Table shows them all.`);
      paint(card, state);
      card.showTable();
    };
    card.description = () => state.description;
    listen(card, state);
    return card;
  };
})(muonscope);
