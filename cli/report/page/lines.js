/* Line plots by Chart.js, with a legend, keys, a table and bands.

   m.lineCard({id, title, controls, build}): build() gives null for no data, or
     {about, x: {title, log, tokens, whole, zero}, y: {title, log}, marks: [x, ...],
      lines: [{name, color, points: [[x, y], ...], low, high: [y, ...] of a band, dash, width, dots, isNull}]} */
(m => {
  Chart.defaults.animation = false;
  Chart.defaults.font.size = 12;

  const marks = {
    id: "marks",
    beforeDraw(chart) {
      const {ctx, width, height} = chart;
      ctx.fillStyle = m.css("card");
      ctx.fillRect(0, 0, width, height);
    },
    afterDatasetsDraw(chart) {
      const {ctx, chartArea, scales} = chart, at = chart.options.plugins.marks.at || [];
      ctx.save();
      ctx.strokeStyle = m.css("muted");
      ctx.setLineDash([2, 3]);
      for (const x of at) {
        const pixel = scales.x.getPixelForValue(x);
        if (pixel < chartArea.left || pixel > chartArea.right) continue;
        ctx.beginPath();
        ctx.moveTo(pixel, chartArea.top);
        ctx.lineTo(pixel, chartArea.bottom);
        ctx.stroke();
      }
      ctx.restore();
    },
  };

  const axis = ({title, log, tokens, whole, zero}, isX) => ({
    type: log ? "logarithmic" : "linear", bounds: isX ? "data" : "ticks", ...(zero && !log ? {min: 0} : {}),
    /* Chart.js begins the ticks of such an axis at a power of ten below it. */
    ...(log ? {afterBuildTicks: scale => { scale.ticks = scale.ticks.filter(t => t.value >= scale.min && t.value <= scale.max); }} : {}),
    title: {display: true, text: title + (log ? " (log)" : ""), color: m.css("text")},
    grid: {color: m.css("grid"), borderColor: m.css("muted")},
    ticks: {
      color: m.css("muted"), maxRotation: 0, autoSkipPadding: 14,
      ...(whole ? {precision: 0} : {}),
      callback: value => (log && !/^[125]0*$/.test(Number(value).toExponential(0).split("e")[0]) ? null
                                                                                              : tokens ? m.formatTokens(value) : m.format(value)),
    },
  });

  /* Where an axis is logarithmic, what is not above 0 is not drawn. */
  const datasets = description => {
    const allowed = (x, y) => m.isNumber(x) && m.isNumber(y) && !(description.x.log && x <= 0) && !(description.y.log && y <= 0);
    const points = (line, values) => line.points.map((p, i) => ({x: p[0], y: allowed(p[0], values[i]) ? values[i] : NaN}));
    return description.lines.flatMap(line => {
      const common = {borderColor: line.color, backgroundColor: line.color, spanGaps: false};
      const band = line.low ? [
        {...common, band: true, borderWidth: 0, pointRadius: 0, pointHoverRadius: 0, fill: false, data: points(line, line.low)},
        {...common, band: true, borderWidth: 0, pointRadius: 0, pointHoverRadius: 0, fill: "-1", backgroundColor: m.fade(line.color, 0.13),
         data: points(line, line.high)}] : [];
      return [...band, {...common, label: line.name, borderWidth: line.width || 1.7, borderDash: line.dash || [], fill: false,
        pointRadius: line.dots ? 3 : line.points.length < 3 && !line.isNull ? 2.5 : 0, pointHoverRadius: 4, showLine: line.joined !== false,
        data: points(line, line.points.map(p => p[1]))}];
    });
  };

  const most = 14; /* lines in a tooltip */
  const options = description => ({
    responsive: true, maintainAspectRatio: false, parsing: false, normalized: false,
    interaction: {mode: "nearest", axis: "x", intersect: false},
    scales: {x: axis(description.x, true), y: axis(description.y, false)},
    plugins: {
      legend: {display: false}, marks: {at: description.marks || []},
      tooltip: {
        filter: (item, i, all) => !item.dataset.band && all.filter((o, k) => k < i && !o.dataset.band).length < most,
        callbacks: {
          title: items => (items.length ? `${description.x.title} ${m.format(items[0].parsed.x)}` : ""),
          label: item => ` ${item.dataset.label}: ${m.format(item.parsed.y)}`,
          footer: items => (items.length === most ? "more: see the table" : ""),
        },
      },
    },
  });

  const swatch = line => m.element("svg", {width: 26, height: 10, "aria-hidden": "true"},
    line.low ? m.element("rect", {x: 0, y: 0, width: 26, height: 10, fill: m.fade(line.color, 0.22)}) : null,
    line.joined === false ? m.element("circle", {cx: 13, cy: 5, r: 3.2, fill: line.color})
      : m.element("line", {x1: 0, x2: 26, y1: 5, y2: 5, stroke: line.color, "stroke-width": 2.2, "stroke-dasharray": (line.dash || []).join(" ")}));

  const showLegend = (list, lines) => {
    const named = lines.length <= 16 ? lines : lines.filter((l, i) => l.isNull || i % Math.ceil(lines.length / 12) === 0);
    list.replaceChildren(...named.map(line => m.element("li", {}, swatch(line), line.name)),
      ...(named.length < lines.length ? [m.element("li", {class: "muted"}, `${lines.length} lines in all`)] : []));
  };

  const places = chart => [...new Set(chart.data.datasets.filter(d => !d.band).flatMap(d => d.data.filter(p => m.isNumber(p.y)).map(p => p.x)))].sort((a, b) => a - b);

  /* Arrow keys move along x; what stands there is shown and said. */
  const listenToKeys = (card, state) => card.canvas.addEventListener("keydown", event => {
    const chart = state.chart, move = {ArrowRight: 1, ArrowLeft: -1, Home: -Infinity, End: Infinity}[event.key];
    if (!chart || move === undefined) return;
    event.preventDefault();
    const xs = places(chart);
    state.at = Math.min(Math.max((state.at ?? (move > 0 ? -1 : xs.length)) + move, 0), xs.length - 1);
    const active = chart.data.datasets.flatMap((d, datasetIndex) => {
      const index = d.band ? -1 : d.data.findIndex(p => p.x === xs[state.at] && m.isNumber(p.y));
      return index < 0 ? [] : [{datasetIndex, index}];
    });
    chart.setActiveElements(active);
    chart.tooltip.setActiveElements(active, {x: 0, y: 0});
    chart.update("none");
    card.readout.textContent = `${state.description.x.title} ${m.format(xs[state.at])}: ` + active.slice(0, most)
      .map(a => `${chart.data.datasets[a.datasetIndex].label} ${m.format(chart.data.datasets[a.datasetIndex].data[a.index].y)}`).join(", ");
  });

  const summary = (title, description) => {
    const said = description.lines.slice(0, 6).map(line => {
      const known = line.points.filter(p => m.isNumber(p[1]));
      return known.length ? `${line.name} from ${m.format(known[0][1])} to ${m.format(known[known.length - 1][1])}` : `${line.name} without values`;
    });
    return `${title}: ${description.lines.length} lines of ${description.y.title} over ${description.x.title}; ${said.join("; ")}. `
      + "Arrow keys read values; the button Table shows them all.";
  };

  const table = (title, description) => {
    const columns = description.lines.flatMap(line => [{name: line.name, values: new Map(line.points)},
      ...(line.low ? [["low", line.low], ["high", line.high]].map(([name, list]) =>
        ({name: `${line.name}, ${name}`, values: new Map(line.points.map((p, i) => [p[0], list[i]]))})) : [])]);
    const xs = [...new Set(description.lines.flatMap(line => line.points.map(p => p[0])))].sort((a, b) => a - b);
    return m.table(`${title}: ${description.y.title}`, [description.x.title, ...columns.map(c => c.name)],
      xs.map(x => [m.format(x), ...columns.map(c => m.format(c.values.get(x)))]));
  };

  m.lineCard = ({id, title, controls = [], build, wide}) => {
    const state = {chart: null, description: null}, logY = m.toggle("log y", () => card.draw());
    const card = m.card({id, title, controls: [...controls, logY], wide});
    card.rows = () => state.description && table(title, state.description);
    card.draw = () => {
      const description = build(m.isPressed(logY));
      card.element.hidden = !description;
      if (!description) return;
      state.description = description;
      state.at = undefined;
      card.about.textContent = description.about || "";
      showLegend(card.legend, description.lines);
      card.canvas.setAttribute("aria-label", summary(title, description));
      if (state.chart) {
        state.chart.data = {datasets: datasets(description)};
        state.chart.options = options(description);
        state.chart.update("none");
      } else {
        state.chart = new Chart(card.canvas, {type: "line", data: {datasets: datasets(description)}, options: options(description), plugins: [marks]});
      }
      card.showTable();
    };
    card.chart = () => state.chart;
    listenToKeys(card, state);
    return card;
  };
})(muonscope);
