/* The page of a run: sections, each with `draw`, which shows what m.data has, and `has`. */
(m => {
  const section = (id, title, ...children) => m.element("section", {id, "aria-labelledby": id + "-title"}, m.element("h2", {id: id + "-title"}, title), ...children);
  const part = (id, title, has, draw, ...children) => ({id, title, has, draw, element: section(id, title, ...children)});
  m.part = part;
  const some = list => Array.isArray(list) && list.length > 0;

  /* --- in words --- */

  const ruleTitles = {
    loss: "Loss", rise: "Loss after its lowest", frequency: "Frequent and rare tokens", size: "Size against noise", depth: "Depth",
    alignment: "Alignment against chance", entropy: "Entropy against a random matrix", attention: "Attention", changes: "Change points",
    correlation: "Spectra and loss",
  };

  const findings = () => {
    const list = m.element("div"), quiet = m.element("div");
    const draw = () => {
      const groups = new Map();
      for (const f of m.data.findings) groups.set(f.rule, [...(groups.get(f.rule) || []), f]);
      list.replaceChildren(...[...groups].flatMap(([rule, all]) => [m.element("h4", {}, ruleTitles[rule] || rule),
        m.element("ul", {class: "findings", "data-rule": rule}, all.map((f, i) => m.element("li", {}, f.text, " ",
          i + 1 < all.length && all[i + 1].control === f.control ? null : m.element("span", {class: "control"}, `Control: ${f.control}.`))))]));
      if (!groups.size) list.replaceChildren(m.element("p", {}, "No rule says anything about these data."));
      quiet.replaceChildren(...(some(m.data.silent) ? [m.element("details", {}, m.element("summary", {}, `Rules without a finding, and why (${m.data.silent.length})`),
        m.element("ul", {}, m.data.silent.map(s => m.element("li", {}, `${ruleTitles[s.rule] || s.rule}: ${s.why}.`))))] : []));
    };
    return part("findings", "Findings", () => true, draw,
      m.element("p", {class: "about"}, "Each sentence follows from the data by a rule with a control; where the data do not support one there is none. "
        + "This is one run: what holds for it may not hold for another seed."), list, quiet);
  };

  const facts = () => {
    const list = m.element("dl", {class: "facts"});
    const last = (table, key) => { const c = (table.keys[key] || []).filter(m.isNumber); return c.length ? c[c.length - 1] : null; };
    const key = (section, name) => (m.data.configuration || []).find(k => k.section === section && k.key === name)?.value;
    const draw = () => {
      const d = m.data, f = d.facts, rows = [
        ["step", f.steps ? `${f.step} of ${f.steps}` : String(f.step)], ["tokens", m.formatTokens(f.tokens)],
        ["validation loss", last(d.validations, "validation_loss"), " nats"], ["bits per byte", last(d.validations, "validation_bits_per_byte")],
        ["optimizer", key("optimizer", "name")], ["learning rate", key("optimizer", "name") === "muon" || key("optimizer", "name") === "normuon" ? key("muon", "lr") : null],
        ["layers × width", key("model", "layers") ? `${key("model", "layers")} × ${key("model", "width")}` : null], ["seed", key("train", "seed")],
        ["tokens per second", f.tokens_per_second && Math.round(f.tokens_per_second)], ["time in steps", m.formatTime(f.seconds)]];
      list.replaceChildren(...rows.filter(r => r[1] !== null && r[1] !== undefined && r[1] !== "").map(([name, v, unit]) =>
        m.element("div", {}, m.element("dt", {}, name), m.element("dd", {}, (typeof v === "number" ? m.format(v) : v) + (unit || "")))));
      document.getElementById("subtitle").textContent = [f.device, f.begun && `${f.begun} to ${f.ended}`].filter(Boolean).join(" · ");
    };
    return {id: "facts", title: null, has: () => true, draw, element: m.element("section", {id: "facts", "aria-label": "Key figures"}, list)};
  };

  /* --- losses --- */

  const column = (table, key) => m.xs(table).map((x, i) => [x, table.keys[key][i]]);
  const smooth = points => {
    const half = Math.max(1, Math.round(points.length / 80));
    return points.map((p, i) => [p[0], m.mean(points.slice(Math.max(0, i - half), i + half + 1).map(q => q[1]))]);
  };
  const changesOf = key => (m.data.changes || []).filter(c => c.key === key).flatMap(c => c.steps);
  const toX = steps => (m.choice.x === "step" ? steps : []);

  const buildLoss = log => {
    const {steps, validations} = m.data, lines = [], marks = toX(changesOf("loss"));
    if (steps.keys.loss) {
      const points = column(steps, "loss");
      lines.push({name: "training, each step", color: m.fade(m.kindColor(0), 0.45), width: 1, points});
      lines.push({name: "training, centred mean", color: m.kindColor(0), width: 2, points: smooth(points)});
    }
    if (validations.keys.validation_loss) lines.push({name: "validation", color: m.kindColor(1), dots: true, points: column(validations, "validation_loss")});
    if (!lines.length) return null;
    return {x: m.xAxis(), y: {title: "loss, nats per token", log}, lines, marks,
      about: "Mean of −log p(target) per token." + (marks.length ? " Dotted: its slope changes (muonscope phases)." : "")};
  };

  const signals = ["grad_norm", "lr", "adamw_lr", "ms", "tokens_per_second", "mfu"];
  const signalCard = () => {
    const select = m.select("Signal", () => card.draw());
    const card = m.lineCard({id: "signals", title: "Gradient, rates, speed", controls: [select], build: log => {
      const keys = signals.filter(k => m.data.steps.keys[k]);
      if (!keys.length) return null;
      m.fillSelect(select, keys.map(k => [k, m.words(k)]), "grad_norm");
      return {x: m.xAxis(), y: {title: m.yTitle(select.value), log}, about: `${select.value}: ${m.aboutKey(select.value).text}.`,
        lines: [{name: m.words(select.value), color: m.kindColor(2), width: 1.3, points: column(m.data.steps, select.value)}]};
    }});
    return card;
  };

  const frequencyCard = () => m.lineCard({id: "frequency", title: "Loss by token frequency", build: log => {
    const table = m.data.validations;
    if (!table.keys["loss_by_frequency[0]"]) return null;
    const lines = [...Array(10).keys()].filter(d => table.keys[`loss_by_frequency[${d}]`]).map(d => ({
      name: d === 0 ? "most frequent tenth" : d === 9 ? "rarest tenth" : `tenth ${d + 1}`, color: m.depthColor(d / 9), dots: table.step.length < 40,
      points: column(table, `loss_by_frequency[${d}]`)}));
    return {x: m.xAxis(), y: {title: "validation loss, nats per token", log}, lines,
      about: "Each line is a tenth of the text, by how often its tokens come in the training data."};
  }});

  const losses = () => {
    const cards = [m.lineCard({id: "loss", title: "Loss", build: buildLoss, wide: true}), signalCard(), frequencyCard()];
    return part("losses", "Losses", () => m.data.steps.step.length + m.data.validations.step.length > 0, () => cards.forEach(c => c.draw()),
      m.element("div", {class: "cards"}, cards.map(c => c.element)));
  };

  /* --- spectra over steps --- */

  const themes = [
    ["size", "Size", ["sigma_max", "sigma_mean", "frobenius", "weight_norm", "growth", "growth_efficiency"]],
    ["direction", "Direction", ["alignment_momentum_left", "alignment_left", "alignment_momentum_right", "alignment_right", "alignment_margin",
      "alignment_margin_momentum", "persistence_left", "persistence_right", "rotation_per_step", "cosine"]],
    ["shape", "Shape", ["spectral_entropy", "entropy_l1", "stable_rank", "effective_rank", "gap", "energy_10", "condition", "orthogonality_error"]],
    ["update", "Updates", ["update_ratio", "update_norm", "update_rank", "momentum_small_share", "grad_norm", "decay_norm", "orthogonality_of_update[1]",
      "orthogonality_of_update[5]"]],
  ];
  const keysOf = () => Object.keys(m.data.spectra.keys).filter(k => !/^(sigma_top|sigma_quantiles)\[/.test(k) && !/_random|_null$|^noise_null/.test(k));
  const ofTheme = (preferred, all) => [...preferred.filter(k => all.includes(k)), ...all.filter(k => !preferred.includes(k)).sort()];
  const aboutOf = key => {
    const about = m.aboutKey(key), marked = toX([...new Set(changesOf(key))]).length;
    return `${key.replace(/\[\d+\]$/, "")}: ${about.text}.` + (marked ? " Dotted: steps at which " + (changesOf(key).length) + " changes are found (muonscope phases)." : "");
  };

  const seriesCard = ([id, title, keys]) => {
    const select = m.select(`Metric of ${title}`, () => card.draw());
    const card = m.lineCard({id: "series-" + id, title, controls: [select], build: log => {
      const all = keysOf();
      if (!all.length) return null;
      m.fillSelect(select, ofTheme(keys, all).map(k => [k, m.words(k)]), keys.find(k => all.includes(k)) || all[0]);
      const lines = m.seriesOf(select.value);
      return lines && {x: m.xAxis(), y: {title: m.yTitle(select.value), log}, lines, about: aboutOf(select.value)};
    }});
    return card;
  };

  const hasSpectra = () => m.data.spectra.step.length > 0;
  const overSteps = () => {
    const choices = m.choices(() => m.refresh()), cards = themes.map(seriesCard);
    const draw = () => {
      choices.update();
      cards.forEach(c => c.draw());
    };
    return part("spectra", "Spectra over steps", hasSpectra, draw, choices.element, m.element("div", {class: "cards"}, cards.map(c => c.element)));
  };

  /* --- spectra at one step --- */

  const depthCard = () => {
    const select = m.select("Metric over depth", () => card.draw());
    const card = m.lineCard({id: "depth", title: "Over depth", controls: [select], build: log => {
      m.fillSelect(select, ofTheme(["sigma_max", "spectral_entropy"], keysOf()).map(k => [k, m.words(k)]), "sigma_max");
      const lines = m.depthOf(select.value);
      return lines && {x: {title: "layer", whole: true}, y: {title: m.yTitle(select.value), log}, lines, about: `${select.value}: ${m.aboutKey(select.value).text}.`};
    }});
    return card;
  };
  const spectrumCard = () => {
    const select = m.select("Projection of the spectrum", () => card.draw());
    const card = m.lineCard({id: "spectrum", title: "Singular values", controls: [select], build: log => {
      m.fillSelect(select, m.projections().map(p => [p, p]), "v");
      const lines = m.spectrumOf(select.value);
      return lines && {x: {title: "rank", log: true}, y: {title: "singular value", log: !log}, lines,
        about: "The ten largest, then the 90, 50, 10 and 1 % quantiles at their ranks. Both axes are logarithmic; the button log y makes y linear."};
    }});
    return card;
  };
  const heatCard = () => {
    const metric = m.select("Metric of the heat map", () => card.draw()), projection = m.select("Projection of the heat map", () => card.draw());
    const over = m.toggle("over its null", () => card.draw());
    const card = m.heatCard({id: "heat", title: "Layers over steps", controls: [metric, projection, over], build: () => {
      const spectra = m.data.spectra;
      m.fillSelect(metric, ofTheme(["sigma_max", "alignment_momentum_left", "spectral_entropy"], keysOf()).map(k => [k, m.words(k)]), "sigma_max");
      m.fillSelect(projection, m.projections().map(p => [p, p]), "v");
      over.hidden = m.nullsOf(metric.value).length === 0;
      const divided = !over.hidden && m.isPressed(over);
      return {rows: m.matricesOf(projection.value).map(x => String(x.layer)), columns: spectra.step.map(String), mark: m.snapshot(spectra.step),
        values: m.heatOf(metric.value, projection.value, divided), xTitle: "step", yTitle: "layer",
        about: `${m.words(metric.value)} of ${projection.value}${divided ? `, divided by its ${m.nullsOf(metric.value)[0].name}` : ""}. `
          + "The outlined column is the step of the slider."};
    }});
    return card;
  };
  const matrixCard = () => {
    const metric = m.select("Metric of all matrices", () => card.draw());
    const card = m.heatCard({id: "matrices", title: "All matrices at this step", controls: [metric], build: () => {
      const spectra = m.data.spectra, s = m.snapshot(spectra.step), projections = m.projections().filter(p => m.matricesOf(p).length);
      m.fillSelect(metric, ofTheme(["sigma_max", "alignment_momentum_left", "spectral_entropy"], keysOf()).map(k => [k, m.words(k)]), "sigma_max");
      const layers = [...new Set(projections.flatMap(p => m.matricesOf(p).map(x => x.layer)))].sort((a, b) => a - b);
      const all = spectra.keys[metric.value].filter(m.isNumber);
      return {rows: layers.map(String), columns: projections, xTitle: "projection", yTitle: "layer",
        values: layers.map(l => projections.map(p => { const x = m.matricesOf(p).find(y => y.layer === l); return x ? m.spectrumValue(metric.value, s, x.i) : null; })),
        low: all.reduce((a, b) => Math.min(a, b), Infinity), high: all.reduce((a, b) => Math.max(a, b), -Infinity),
        about: `${m.words(metric.value)}. The colours are those of all snapshots, so that steps compare.`};
    }});
    return card;
  };

  const atStep = () => {
    const cards = [depthCard(), spectrumCard(), heatCard(), matrixCard()], slider = m.slider("snapshot", "snapshot", () => m.refreshSnapshot());
    const draw = () => {
      slider.update();
      cards.forEach(c => c.draw());
    };
    const made = part("step", "Spectra at one step", hasSpectra, draw, slider.element, m.element("div", {class: "cards"}, cards.map(c => c.element)));
    return {...made, atSnapshot: true};
  };

  /* --- attention and activations --- */

  const headKeys = () => Object.keys(m.data.probes.keys).filter(k => k.endsWith("[0]")).map(k => k.slice(0, -3));
  const layerKeys = () => Object.keys(m.data.probes.keys).filter(k => !k.endsWith("]"));
  const probe = (key, s, layer) => m.data.probes.keys[key]?.[s * m.data.probes.layers.length + layer];
  const heads = (key, s, layer) => [...Array(m.data.probes.heads).keys()].map(h => probe(`${key}[${h}]`, s, layer));

  const probeLines = () => {
    const select = m.select("Metric of layers", () => card.draw());
    const card = m.lineCard({id: "probe", title: "Layers over steps", controls: [select], build: log => {
      const p = m.data.probes, keys = [...headKeys(), ...layerKeys()];
      if (!keys.length) return null;
      m.fillSelect(select, keys.map(k => [k, m.words(k)]), "attention_entropy");
      const ofHeads = headKeys().includes(select.value), xs = m.xs(p);
      const lines = p.layers.map((layer, i) => ({name: `layer ${layer}`, width: 1.5, color: m.depthColor(p.layers.length > 1 ? i / (p.layers.length - 1) : 0),
        points: xs.map((x, s) => [x, ofHeads ? m.mean(heads(select.value, s, i)) : probe(select.value, s, i)])}));
      if (select.value === "attention_entropy")
        lines.push({name: "all that is seen alike", isNull: true, dash: [7, 4], color: m.css("null"), points: [[xs[0], 1], [xs[xs.length - 1], 1]]});
      return {x: m.xAxis(), y: {title: m.yTitle(select.value), log}, lines, about: m.aboutKey(select.value).text + (ofHeads ? "; the mean over the heads." : ".")};
    }});
    return card;
  };
  const probeHeat = () => {
    const select = m.select("Metric of heads", () => card.draw());
    const card = m.heatCard({id: "heads", title: "Heads at this step", controls: [select], build: () => {
      const p = m.data.probes, s = m.snapshot(p.step), keys = headKeys();
      if (!keys.length || !p.heads) return null;
      m.fillSelect(select, keys.map(k => [k, m.words(k)]), "attention_entropy");
      const all = [...Array(p.heads).keys()].flatMap(h => p.keys[`${select.value}[${h}]`] || []).filter(m.isNumber);
      return {rows: p.layers.map(String), columns: [...Array(p.heads).keys()].map(String), values: p.layers.map((_, i) => heads(select.value, s, i)),
        low: all.reduce((a, b) => Math.min(a, b), Infinity), high: all.reduce((a, b) => Math.max(a, b), -Infinity), xTitle: "head", yTitle: "layer",
        about: `${m.words(select.value)} at step ${p.step[s]}, the step of the slider above. The colours are those of all steps.`};
    }});
    return card;
  };
  const attention = () => {
    const cards = [probeLines(), probeHeat()];
    return {...part("attention", "Attention and activations", () => m.data.probes.step.length > 0, () => cards.forEach(c => c.draw()),
      m.element("p", {class: "about"}, "Of a few fixed validation sequences: exact for them, a small sample of everything else."),
      m.element("div", {class: "cards"}, cards.map(c => c.element))), atSnapshot: true};
  };

  /* --- tables and texts --- */

  const changes = () => {
    const box = m.element("div");
    const draw = () => box.replaceChildren(m.table("Change points", ["metric", "of", "layer", "projection", "at steps"],
      m.data.changes.map(c => [m.words(c.key), c.rates ? "slope" : "level", c.layer < 0 ? "" : String(c.layer), c.projection, c.steps.join(", ")]), [0, 1, 3, 4]));
    return part("changes", "Change points", () => some(m.data.changes), draw,
      m.element("p", {class: "about"}, "Where a metric changes for good, by PELT (muonscope phases). Of series of nothing but noise up to one in ten is said to change; "
        + "levels that drift steadily are cut into stairs: look at their plots."), box);
  };

  const warnings = () => {
    const box = m.element("div");
    const draw = () => box.replaceChildren(some(m.data.warnings)
      ? m.table("Warnings", ["time", "level", "warning"], m.data.warnings.map(w => [w.time, w.level, w.text]), [0, 1, 2])
      : m.element("p", {}, "The run's log has no warning: no spike of loss or gradient, no collapsed matrix, no dead layer."));
    return part("warnings", "Warnings", () => some(m.data.warnings) || some(m.data.messages), draw, box);
  };

  const samples = () => {
    const box = m.element("div");
    const draw = () => box.replaceChildren(...m.data.samples.map(s => m.element("figure", {class: "card"}, m.element("figcaption", {class: "about"}, s.heading), m.element("pre", {}, s.text))));
    return part("samples", "Samples", () => some(m.data.samples), draw, box);
  };

  const configuration = () => {
    const box = m.element("div"), all = m.toggle("all keys", () => draw());
    all.id = "all-keys";
    const draw = () => {
      const rows = m.data.configuration.filter(k => m.isPressed(all) || k.value !== k.default).map(k => {
        const row = [`${k.section}.${k.key}`, k.value, k.default, k.doc];
        row.changed = m.isPressed(all) && k.value !== k.default;
        return row;
      });
      box.replaceChildren(m.table(m.isPressed(all) ? "All keys; those that differ from the default are marked" : "Keys that differ from the default",
        ["key", "value", "default", "what it is"], rows, [0, 1, 2, 3]));
    };
    return part("configuration", "Configuration", () => some(m.data.configuration), draw, m.element("div", {class: "buttons"}, all), box);
  };

  const log = () => {
    const box = m.element("div");
    const draw = () => box.replaceChildren(...(m.data.facts.weights_sha256 ? [m.element("p", {}, "SHA-256 of the weights at the last checkpoint: ", m.element("code", {}, m.data.facts.weights_sha256))] : []),
      m.table("Messages of the run", ["time", "level", "message"], m.data.messages.map(x => [x.time, x.level, x.text]), [0, 1, 2]));
    return part("machine", "Machine and log", () => some(m.data.messages), draw, box);
  };

  m.runParts = () => [facts(), findings(), losses(), overSteps(), atStep(), attention(), changes(), warnings(), samples(), configuration(), log()];
})(muonscope);
