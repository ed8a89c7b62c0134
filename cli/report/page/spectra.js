/* The spectra of a run: which matrices are chosen, and their metrics as lines, each beside what chance makes of it. */
(m => {
  /* What is drawn dashed beside a metric: another key, or what a random matrix of the shape has. */
  const chance = (side, name) => [{key: `alignment_random${side}`, name: "chance, mean"},
                                  {key: `alignment_random${side}_p95`, name: "chance, 95th percentile", dash: [2, 3]}];
  m.nulls = {
    sigma_max: [{key: "noise_null", name: "noise null"}, {key: "ceiling", name: "ceiling of the rates", dash: [2, 3], optional: true}],
    growth: [{key: "growth_null", name: "noise null"}],
    growth_efficiency: [{key: "growth_efficiency_null", name: "noise null"}],
    alignment_left: chance(""), alignment_momentum_left: chance(""), alignment_published_left: chance(""), persistence_left: chance(""),
    alignment_right: chance("_right"), alignment_momentum_right: chance("_right"), alignment_published_right: chance("_right"),
    persistence_right: chance("_right"),
    spectral_entropy: [{random: "spectral_entropy", name: "random matrix"}], entropy_l1: [{random: "entropy_l1", name: "random matrix"}],
    stable_rank: [{random: "stable_rank", name: "random matrix"}], effective_rank: [{random: "effective_rank", name: "random matrix"}],
  };
  const order = ["q", "k", "v", "o", "up", "gate", "down"];

  /* --- choices, which stay when data change --- */

  m.choice = {projections: {}, layers: {}, x: "step", logX: false, each: false, snapshot: null};
  m.projections = () => [...new Set(m.data.spectra.matrices.map(x => x.projection))]
    .sort((a, b) => (order.indexOf(a) + 99) % 99 - (order.indexOf(b) + 99) % 99);
  m.layers = () => [...new Set(m.data.spectra.matrices.map(x => x.layer))].sort((a, b) => a - b);
  m.projectionColor = p => m.kindColor(order.includes(p) ? order.indexOf(p) : 7);
  m.layerColor = layer => {
    const all = m.layers();
    return m.depthColor(all.length > 1 ? all.indexOf(layer) / (all.length - 1) : 0);
  };
  const isChosen = x => m.choice.projections[x.projection] !== false && m.choice.layers[x.layer] !== false;
  /* The snapshot of the slider: the last one until somebody moves it. */
  m.snapshot = steps => {
    if (m.choice.snapshot === null) return steps.length - 1;
    let best = 0;
    steps.forEach((s, i) => { if (Math.abs(s - m.choice.snapshot) < Math.abs(steps[best] - m.choice.snapshot)) best = i; });
    return best;
  };
  m.xs = table => (m.choice.x === "tokens" ? table.tokens : table.step);
  m.xAxis = () => ({title: m.choice.x === "tokens" ? "tokens" : "step", tokens: m.choice.x === "tokens", log: m.choice.logX, zero: true});

  /* --- values --- */

  const value = (key, s, i) => {
    const spectra = m.data.spectra, column = spectra.keys[key];
    return column ? column[s * spectra.matrices.length + i] : null;
  };
  const nullValue = (of, s, i) => (of.random ? m.data.spectra.random[of.random][i] : value(of.key, s, i));
  m.spectrumValue = value;
  m.nullsOf = key => (m.nulls[key] || []).filter(of => of.random || m.data.spectra.keys[of.key]);
  m.aboutKey = key => {
    const about = m.data.about[key.replace(/\[\d+\]$/, "")] || {unit: "", text: ""};
    return {unit: about.unit, text: about.text, null: about.null};
  };
  m.yTitle = key => m.words(key) + (m.aboutKey(key).unit ? `, ${m.aboutKey(key).unit}` : "");
  m.matricesOf = projection => m.data.spectra.matrices.map((x, i) => ({...x, i})).filter(x => x.projection === projection && isChosen(x));

  /* Lines that are the same for several projections are one. */
  const merge = lines => {
    const kept = new Map();
    for (const line of lines) {
      const same = `${line.of}:${JSON.stringify(line.points)}`;
      if (!kept.has(same)) kept.set(same, {...line, projections: []});
      kept.get(same).projections.push(line.projection);
    }
    const all = [...kept.values()], shared = new Set(lines.map(l => l.projection)).size;
    return all.map(line => ({...line, isNull: true, width: 1.5,
      color: line.projections.length === shared && shared > 1 ? m.css("null") : m.projectionColor(line.projections[0]),
      name: line.projections.length === shared ? line.of : `${line.of}, ${line.projections.join(", ")}`}));
  };

  /* Metric `key` over the snapshots: of each projection the mean over its layers with their range, or each layer. */
  m.seriesOf = key => {
    const spectra = m.data.spectra, xs = m.xs(spectra), lines = [], nulls = [];
    for (const projection of m.projections()) {
      const matrices = m.matricesOf(projection);
      if (!matrices.length) continue;
      const single = m.projections().filter(p => m.matricesOf(p).length).length === 1;
      if (m.choice.each) {
        matrices.forEach((x, n) => lines.push({name: `${projection} ${x.layer}`, width: 1.3,
          color: single ? m.layerColor(x.layer) : m.fade(m.projectionColor(projection), 0.35 + 0.65 * (n + 1) / matrices.length),
          points: xs.map((at, s) => [at, value(key, s, x.i)])}));
      } else {
        const all = xs.map((_, s) => matrices.map(x => value(key, s, x.i)).filter(m.isNumber));
        lines.push({name: projection, color: m.projectionColor(projection), points: xs.map((at, s) => [at, m.mean(all[s])]),
          ...(matrices.length > 1 ? {low: all.map(v => (v.length ? Math.min(...v) : null)), high: all.map(v => (v.length ? Math.max(...v) : null))} : {})});
      }
      for (const of of m.nullsOf(key).filter(of => !of.optional))
        nulls.push({of: of.name, projection, dash: of.dash || [7, 4], points: xs.map((at, s) => [at, m.mean(matrices.map(x => nullValue(of, s, x.i)))])});
    }
    const known = lines.some(line => line.points.some(p => m.isNumber(p[1])));
    return known ? [...lines, ...merge(nulls.filter(n => n.points.some(p => m.isNumber(p[1]))))] : null;
  };

  /* The same over layers, at the snapshot of the slider. */
  m.depthOf = key => {
    const spectra = m.data.spectra, s = m.snapshot(spectra.step), lines = [], nulls = [];
    for (const projection of m.projections()) {
      const matrices = m.matricesOf(projection);
      if (!matrices.length) continue;
      lines.push({name: projection, color: m.projectionColor(projection), dots: true, points: matrices.map(x => [x.layer, value(key, s, x.i)])});
      for (const of of m.nullsOf(key).filter(of => !of.optional))
        nulls.push({of: of.name, projection, dash: of.dash || [7, 4], points: matrices.map(x => [x.layer, nullValue(of, s, x.i)])});
    }
    const known = lines.some(line => line.points.some(p => m.isNumber(p[1])));
    return known ? [...lines, ...merge(nulls.filter(n => n.points.some(p => m.isNumber(p[1]))))] : null;
  };

  /* Singular values by rank: the ten largest, then the quantiles at their ranks. */
  const quantiles = [[3, 0.9], [2, 0.5], [1, 0.1], [0, 0.01]];
  m.spectrumOf = projection => {
    const spectra = m.data.spectra, s = m.snapshot(spectra.step), matrices = m.matricesOf(projection);
    if (!matrices.length || !spectra.keys["sigma_top[0]"]) return null;
    const lines = matrices.map(x => {
      const rank = Math.min(x.rows || Infinity, x.cols || Infinity), points = [];
      for (let i = 0; i < 10; i++) points.push([i + 1, value(`sigma_top[${i}]`, s, x.i)]);
      for (const [i, q] of quantiles) if (Number.isFinite(rank) && 1 + (1 - q) * (rank - 1) > 10) points.push([1 + (1 - q) * (rank - 1), value(`sigma_quantiles[${i}]`, s, x.i)]);
      return {name: `layer ${x.layer}`, color: m.layerColor(x.layer), width: 1.5, dots: matrices.length < 4, points: points.filter(p => m.isNumber(p[1]))};
    });
    const noise = m.mean(matrices.map(x => value("noise_null", s, x.i)));
    if (m.isNumber(noise)) lines.push({name: "noise null of the largest", isNull: true, color: m.css("null"), dash: [7, 4], width: 1.5,
                                       points: [[1, noise], [10, noise]]});
    return lines;
  };

  /* [layer][snapshot] of one projection; divided by its null where `over`. */
  m.heatOf = (key, projection, over) => {
    const spectra = m.data.spectra, matrices = m.matricesOf(projection), of = m.nullsOf(key)[0];
    return matrices.map(x => spectra.step.map((_, s) => {
      const v = value(key, s, x.i), by = over && of ? nullValue(of, s, x.i) : 1;
      return m.isNumber(v) && m.isNumber(by) && by > 0 ? v / by : null;
    }));
  };

  /* --- the controls that all plots of spectra share --- */

  const chips = (legend, items, chosen, color, change) => m.element("fieldset", {}, m.element("legend", {}, legend),
    items.map(item => m.element("label", {class: "chip"},
      m.element("input", {type: "checkbox", name: `${legend}-${item}`, checked: chosen[item] !== false, onchange: event => {
        chosen[item] = event.target.checked;
        change();
      }}), m.element("span", {}, color ? m.element("i", {style: `background:${color(item)}`, "aria-hidden": "true"}) : null, String(item)))));
  const setAll = (items, chosen, test) => items.forEach((item, i) => { chosen[item] = test(i, items.length); });

  m.choices = redraw => {
    const projections = m.element("div"), layers = m.element("div");
    const rebuild = () => {
      const all = m.layers(), change = () => redraw();
      const pick = test => () => {
        setAll(all, m.choice.layers, test);
        rebuild();
        redraw();
      };
      projections.replaceChildren(chips("projections", m.projections(), m.choice.projections, m.projectionColor, change));
      const list = chips("layers", all, m.choice.layers, null, change);
      list.append(...[["all", () => true], ["none", () => false], ["first and last", (i, n) => i === 0 || i === n - 1]]
        .map(([name, test]) => m.element("button", {type: "button", onclick: pick(test)}, name)));
      layers.replaceChildren(list);
    };
    const each = m.toggle("each layer", () => { m.choice.each = m.isPressed(each); redraw(); });
    const tokens = m.toggle("tokens as x", () => { m.choice.x = m.isPressed(tokens) ? "tokens" : "step"; redraw(); });
    const log = m.toggle("log x", () => { m.choice.logX = m.isPressed(log); redraw(); });
    each.id = "each";
    log.id = "log-x";
    const element = m.element("div", {class: "choices", role: "group", "aria-label": "What the plots of spectra show"}, projections, layers,
      m.element("fieldset", {}, m.element("legend", {}, "lines"), each, tokens, log,
        m.element("span", {class: "muted about"}, "a line is the mean over the layers, its band their range, dashed what chance or noise gives")));
    return {element, update: rebuild};
  };

  m.slider = (id, label, redraw) => {
    const input = m.element("input", {type: "range", id, min: 0, step: 1, oninput: () => {
      m.choice.snapshot = Number(input.value) === Number(input.max) ? null : m.data.spectra.step[Number(input.value)];
      redraw();
    }}), output = m.element("output", {for: id});
    const update = () => {
      const steps = m.data.spectra.step, s = m.snapshot(steps);
      input.max = Math.max(steps.length - 1, 0);
      input.value = s;
      output.textContent = steps.length ? `step ${steps[s]} (${s + 1} of ${steps.length})` : "";
      input.setAttribute("aria-valuetext", output.textContent);
    };
    return {element: m.element("div", {class: "slider"}, m.element("label", {for: id, class: "control"}, label), input, output), update};
  };
})(muonscope);
