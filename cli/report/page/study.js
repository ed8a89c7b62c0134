/* The page of a study: findings, hypotheses, arms, tuning, comparisons, plan.  What it shows is results.json as it is, and `curves`. */
(m => {
  const list = x => (Array.isArray(x) ? x : []);
  const interval = s => (m.isNumber(s.mean) ? `${m.short(s.mean)} [${m.short(s.low)}, ${m.short(s.high)}]` : "–");
  const results = () => m.data.results;
  const armNames = () => list(results().arms).map(a => a.arm);
  const isControl = arm => list(results().arms).some(a => a.arm === arm && a.control);
  const armColor = arm => (isControl(arm) ? m.css("null") : m.kindColor(armNames().filter(a => !isControl(a)).indexOf(arm)));
  const measureText = x => [x.of, x.with && `with ${x.with}`, x.projections && `of ${x.projections}`, x.layers && `layers ${x.layers}`].filter(Boolean).join(" ");
  const percent = () => `${Math.round(100 * (results().confidence ?? 0.95))} %`;
  const box = (...children) => m.element("section", {class: "card"}, ...children);
  const groupRow = (g, more) => ({name: g.arm, mean: g.mean, low: g.low, high: g.high, values: list(g.values), quiet: g.control, ...more});
  const missing = groups => groups.flatMap(g => list(g.missing).map(x => `${x.run}: ${x.why}`));

  const facts = () => {
    const dl = m.element("dl", {class: "facts"}), question = m.element("p", {});
    const draw = () => {
      const r = results(), runs = list(r.plan), done = runs.filter(x => x.state === "finished" || x.state === "diverged").length;
      question.textContent = r.question || "";
      document.getElementById("subtitle").textContent = [r.machine, r.made, r.muonscope && `muonscope ${r.muonscope}`].filter(Boolean).join(" · ");
      dl.replaceChildren(...[["runs finished", `${done} of ${runs.length}`], ["arms", String(armNames().length)], ["hypotheses", String(list(r.hypotheses).length)],
        ["time spent", m.formatTime(r.budget?.seconds_spent)], ["time left", r.finished ? null : m.formatTime(r.budget?.seconds_left)]]
        .filter(x => x[1] !== null).map(([name, v]) => m.element("div", {}, m.element("dt", {}, name), m.element("dd", {}, v))));
    };
    return {id: "facts", title: null, has: () => true, draw, element: m.element("section", {id: "facts", "aria-label": "Key figures"}, question, dl)};
  };

  const findings = () => {
    const said = m.element("ul", {class: "findings"}), quiet = m.element("div");
    const draw = () => {
      said.replaceChildren(...list(m.data.findings).map(f => m.element("li", {}, f.text, " ", m.element("span", {class: "control"}, `Control: ${f.control}.`))));
      if (!list(m.data.findings).length) said.replaceChildren(m.element("li", {}, "No hypothesis has an interval that leaves out what is expected if nothing is there."));
      quiet.replaceChildren(...(list(m.data.silent).length ? [m.element("details", {}, m.element("summary", {}, `Hypotheses without a finding, and why (${m.data.silent.length})`),
        m.element("ul", {}, m.data.silent.map(s => m.element("li", {}, `${s.rule}: ${s.why}.`))))] : []));
    };
    return m.part("findings", "Findings", () => true, draw,
      m.element("p", {class: "about"}, "One sentence for each declared hypothesis whose interval leaves out what is expected if nothing is there. The seed is the replicate."), said, quiet);
  };

  const hypothesisCard = h => {
    const groups = [...list(h.groups), ...list(h.controls)], lost = missing(groups), unit = m.words(measureText(h.measure));
    const tested = {name: h.against ? `${h.arm} − ${h.against}` : `${h.arm}, tested`, mean: h.mean, low: h.low, high: h.high, values: list(h.values), strong: true};
    const p = m.isNumber(h.p) ? `p ${m.format(h.p)} (Holm ${m.format(h.p_holm)}; the least that ${h.n} seeds can reach ${m.format(h.p_least)})` : h.why_no_p || "no p";
    return box(m.element("h3", {}, h.name), m.element("p", {}, h.statement), m.element("p", {class: "about"}, `${interval(h)}, n ${h.n}; ${p}.`),
      ...(h.against ? [m.forest({title: `${h.name}, paired differences`, unit: `difference of ${unit}`, expected: h.expected ?? 0, rows: [tested]}),
        m.forest({title: `${h.name}, by arm`, unit, rows: groups.map(g => groupRow(g))})]
        : [m.forest({title: h.name, unit, expected: h.expected ?? 0, rows: [tested, ...groups.filter(g => g.arm !== h.arm).map(g => groupRow(g))]})]),
      m.element("p", {class: "about"}, `${h.measure.formula ? `${h.measure.formula.replace(/\.$/, "")}. ` : ""}${m.isNumber(h.step) ? `At step ${h.step}. ` : ""}Lines: ${percent()} t intervals over seeds; small dots: seeds; grey: controls.`),
      h.changed ? m.element("p", {class: "warning"}, "Changed after results were there.") : null,
      lost.length ? m.element("p", {class: "about"}, `Without a number: ${lost.join("; ")}`) : null);
  };
  const hypotheses = () => {
    const table = m.element("div"), cards = m.element("div", {class: "cards"});
    const draw = () => {
      const all = list(results().hypotheses);
      table.replaceChildren(m.table(`Declared hypotheses; ${percent()} t intervals over seeds, exact sign-flip tests, Holm's correction over all of them`,
        ["hypothesis", "statement", "tested", "mean and interval", "expected", "seeds", "p", "p (Holm)"],
        all.map(h => [h.name, h.statement, h.against ? `${h.arm} − ${h.against}` : h.arm, interval(h), m.format(h.expected ?? 0), String(h.n),
          m.isNumber(h.p) ? m.format(h.p) : h.why_no_p || "–", m.format(h.p_holm)]), [0, 1, 2, 6]));
      cards.replaceChildren(...all.map(hypothesisCard));
    };
    return m.part("hypotheses", "Hypotheses", () => list(results().hypotheses).length > 0, draw, table, cards);
  };

  /* --- arms --- */

  const curveCard = () => {
    const select = m.select("Metric of the arms", () => card.draw());
    const card = m.lineCard({id: "arms-curves", title: "Arms over steps", controls: [select], wide: true, build: log => {
      const known = Object.keys(m.data.curves).filter(k => Object.keys(m.data.curves[k].arms).length);
      if (!known.length) return null;
      m.fillSelect(select, known.map(k => [k, m.words(k)]), "validation_loss");
      const curve = m.data.curves[select.value];
      const lines = Object.entries(curve.arms).map(([arm, c]) => ({name: `${arm} (${Math.max(...c.n)})`, color: armColor(arm), dash: isControl(arm) ? [7, 4] : [],
        dots: c.step.length < 20, points: c.step.map((s, i) => [s, c.mean[i]]), ...(Math.max(...c.n) > 1 ? {low: c.low, high: c.high} : {})}));
      return {x: {title: "step", zero: true}, y: {title: m.words(select.value) + (curve.unit ? `, ${curve.unit}` : ""), log}, lines,
        about: `${curve.text}. The mean over the seeds of each arm (how many), the band from the least to the greatest; metrics of matrices and heads are means over them. Dashed: controls.`};
    }});
    return card;
  };
  const arms = () => {
    const card = curveCard(), table = m.element("div"), forest = m.element("div");
    const draw = () => {
      card.draw();
      const all = list(results().arms);
      table.replaceChildren(m.table("Arms", ["arm", "settings over the base", "tuned", "seeds", "validation loss and interval"],
        all.map(a => [a.arm + (a.control ? " (control)" : ""), Object.entries(a.settings || {}).map(([k, v]) => `${k} ${v}`).join(", ") || "–",
          a.tuned ? `${a.tuned.key} ${a.tuned.value ?? "not known"}${a.tuned.from !== a.arm ? `, from ${a.tuned.from}` : ""}` : "–", list(a.seeds).join(", "), interval(a.validation_loss || {})]), [0, 1, 2, 3]));
      const measured = all.filter(a => a.validation_loss);
      forest.replaceChildren(...(measured.length ? [box(m.element("h3", {}, "Validation loss by arm"),
        m.forest({title: "Validation loss by arm", unit: "nats per token",
          rows: measured.map(a => groupRow({...a.validation_loss, arm: a.arm, control: a.control}))}))] : []));
    };
    return m.part("arms", "Arms", () => list(results().arms).length > 0, draw, m.element("div", {class: "cards"}, card.element), table, forest);
  };

  /* --- tuning, comparisons --- */

  const tuning = () => {
    const card = m.lineCard({id: "tuning-losses", title: "Validation loss by tuned value", wide: true, build: log => {
      const lines = list(results().tuning).map((t, i) => ({name: `${t.arm}, ${t.key}${t.chosen ? `: ${t.chosen}` : ""}`, color: m.kindColor(i), dots: true,
        points: list(t.values).filter(v => m.isNumber(v.validation_loss) && Number(v.value) > 0).map(v => [Number(v.value), v.validation_loss]).sort((a, b) => a[0] - b[0])}));
      return lines.some(l => l.points.length) ? {x: {title: "value", log: true}, y: {title: "validation loss, nats", log}, lines,
        about: "On a seed that is used for nothing else, the same number of runs for each arm; in the legend what was chosen."} : null;
    }}), table = m.element("div");
    const draw = () => {
      card.draw();
      table.replaceChildren(m.table("Tuning", ["arm", "key", "value", "run", "state", "validation loss", ""],
        list(results().tuning).flatMap(t => list(t.values).map(v => [t.arm, t.key, v.value, v.run, v.state, m.format(v.validation_loss),
          v.value === t.chosen ? `chosen${t.at_edge ? ", at the edge of the grid" : ""}` : ""])), [0, 1, 3, 4, 6]));
    };
    return m.part("tuning", "Tuning", () => list(results().tuning).length > 0, draw, m.element("div", {class: "cards"}, card.element), table);
  };

  const comparisons = () => {
    const cards = m.element("div", {class: "cards"});
    const draw = () => {
      const groups = new Map();
      for (const c of list(results().comparisons).filter(x => m.isNumber(x.mean))) {
        const key = `${c.hypothesis}: ${m.words(measureText(c.measure))}`;
        groups.set(key, [...(groups.get(key) || []), c]);
      }
      cards.replaceChildren(...[...groups].map(([key, all]) => box(m.element("h3", {}, key),
        m.forest({title: key, unit: "paired difference", expected: 0, rows: all.map(c => ({name: `${c.arm} − ${c.against}`, mean: c.mean, low: c.low, high: c.high, values: list(c.values)}))}))));
    };
    return m.part("comparisons", "Comparisons, intervals only", () => list(results().comparisons).some(x => m.isNumber(x.mean)), draw,
      m.element("p", {class: "about"}, "Not declared as hypotheses: no p-values. An interval that leaves out 0 here is a reason to look, not a result."), cards);
  };

  /* --- plan --- */

  const plan = () => {
    const table = m.element("div"), base = m.element("div");
    const draw = () => {
      const r = results();
      table.replaceChildren(m.element("p", {class: "about"}, `${r.command || ""}${r.budget?.measured_from ? ` · times from ${r.budget.measured_from}` : ""}. Links lead to the folders beside this file.`),
        m.table("Runs", ["run", "kind", "arm", "seed", "state", "step", "time", "validation loss"],
          list(r.plan).map(x => [m.element("a", {href: encodeURIComponent(x.run) + "/"}, x.run), x.kind, x.arm, String(x.seed), x.state, `${x.step} of ${x.steps}`, m.formatTime(x.seconds), m.format(x.validation_loss)]), [0, 1, 2, 4]));
      base.replaceChildren(m.table("What all runs have in common", ["key", "value"], Object.entries(r.base || {}).map(([k, v]) => [k, String(v)]), [0, 1]));
    };
    return m.part("plan", "Plan and runs", () => list(results().plan).length > 0, draw, table, base);
  };

  const warnings = () => {
    const items = m.element("ul");
    const all = () => [...list(results().warnings), ...list(results().tuning).map(t => t.warning).filter(Boolean),
      ...list(results().declared?.changed).map(c => `hypothesis ${c.name} was ${c.what} after ${results().declared.runs_before} runs were there: ${c.before ?? "–"} → ${c.now ?? "–"}`)];
    const draw = () => items.replaceChildren(...[...new Set(all())].map(w => m.element("li", {}, w)));
    return m.part("warnings", "Warnings", () => all().length > 0, draw, items);
  };

  m.studyParts = () => [facts(), findings(), hypotheses(), arms(), comparisons(), tuning(), plan(), warnings()];
})(muonscope);
