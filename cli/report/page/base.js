"use strict";
/* What all parts of the page share: making elements, figures as text, colours, choices.  All text from the data gets into the page
   by textContent alone. */
const muonscope = {};
(m => {
  m.data = null;

  /* m.element("p", {class: "about"}, "text", child, ...): attributes that begin with "on" are listeners. */
  m.element = (tag, attributes = {}, ...children) => {
    const node = tag === "svg" || m.element.inSvg.has(tag) ? document.createElementNS("http://www.w3.org/2000/svg", tag)
                                                            : document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) {
      if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
      else if (name === "style") node.style.cssText = value; // what a policy that forbids attributes of style allows
      else if (value === true) node.setAttribute(name, "");
      else if (value !== false && value !== null && value !== undefined) node.setAttribute(name, value);
    }
    for (const child of children.flat()) if (child !== null && child !== undefined) node.append(child);
    return node;
  };
  m.element.inSvg = new Set(["line", "rect", "circle", "text", "g", "path"]);

  /* --- figures --- */

  m.isNumber = x => typeof x === "number" && Number.isFinite(x);
  m.format = x => {
    if (!m.isNumber(x)) return "–";
    if (x === 0) return "0";
    const size = Math.abs(x);
    if (size < 1e-3 || size >= 1e6) return x.toExponential(3).replace(/\.?0+e/, "e").replace("e+", "e");
    if (Number.isInteger(x)) return String(x);
    return String(Number(x.toPrecision(5)));
  };
  m.short = x => (m.isNumber(x) && x !== 0 && Math.abs(x) >= 1e-3 && Math.abs(x) < 1e5 ? String(Number(x.toPrecision(3))) : m.format(x));
  m.formatTokens = x => x >= 1e9 ? m.format(x / 1e9) + " G" : x >= 1e6 ? m.format(x / 1e6) + " M" : x >= 1e3 ? m.format(x / 1e3) + " k" : m.format(x);
  m.formatTime = s => !m.isNumber(s) ? "–" : s < 120 ? `${s.toFixed(0)} s` : s < 7200 ? `${(s / 60).toFixed(0)} min` : `${(s / 3600).toFixed(1)} h`;
  m.words = name => name.replace(/\[(\d+)\]$/, (_, i) => " " + (Number(i) + 1)).replaceAll("_", " ");
  m.mean = list => {
    const known = list.filter(m.isNumber);
    return known.length ? known.reduce((a, b) => a + b, 0) / known.length : null;
  };

  /* --- colours: each has a contrast of at least 3 to the card it is drawn on, in both themes --- */

  m.isDark = () => document.documentElement.dataset.theme === "dark";
  m.css = name => getComputedStyle(document.documentElement).getPropertyValue("--" + name).trim();
  const kinds = {
    light: ["#1f5fa8", "#b35900", "#1b7f4b", "#8a3ea8", "#b3261e", "#6b6500", "#0b7280", "#7a4a2b", "#a3306f", "#505a66"],
    dark: ["#7db3f0", "#f2a65a", "#6fcf97", "#cf9be6", "#f28b82", "#d3cf6b", "#63cfd8", "#d0a58a", "#ee93c1", "#aeb8c3"],
  };
  const depths = {
    light: [[62, 38, 110], [46, 92, 148], [20, 125, 126], [58, 126, 52], [148, 110, 12]],
    dark: [[160, 140, 226], [112, 168, 228], [82, 196, 196], [122, 210, 128], [226, 216, 94]],
  };
  const mix = (stops, t) => {
    const at = Math.min(Math.max(t, 0), 1) * (stops.length - 1), i = Math.min(Math.floor(at), stops.length - 2), f = at - i;
    return stops[i].map((c, k) => Math.round(c + f * (stops[i + 1][k] - c)));
  };
  const rgb = c => `rgb(${c[0]}, ${c[1]}, ${c[2]})`;
  m.theme = () => (m.isDark() ? "dark" : "light");
  m.kindColor = i => kinds[m.theme()][i % kinds.light.length];
  m.depthColor = t => rgb(mix(depths[m.theme()], t));
  m.fade = (color, alpha) => {
    const hex = /^#(..)(..)(..)$/.exec(color);
    const parts = hex ? hex.slice(1).map(x => parseInt(x, 16)) : color.match(/\d+/g).slice(0, 3);
    return `rgba(${parts.join(", ")}, ${alpha})`;
  };
  /* viridis (van der Walt & Smith 2015, CC0), every eighth of it */
  const viridis = ["440154", "472d7b", "3b528b", "2c728e", "21918c", "28ae80", "5ec962", "addc30", "fde725"]
    .map(h => [0, 2, 4].map(i => parseInt(h.slice(i, i + 2), 16)));
  m.heatColor = t => rgb(mix(viridis, t));

  /* --- controls --- */

  m.toggle = (label, change) => {
    const button = m.element("button", {type: "button", "aria-pressed": "false", onclick: () => {
      button.setAttribute("aria-pressed", String(!m.isPressed(button)));
      change();
    }}, label);
    return button;
  };
  m.isPressed = button => button.getAttribute("aria-pressed") === "true";

  /* A select whose value stays where the new options have it.  options: [value, label] */
  m.select = (label, change) => m.element("select", {"aria-label": label, onchange: change});
  m.fillSelect = (select, options, preferred) => {
    const had = select.value || preferred;
    if (JSON.stringify(options) !== select.dataset.options) {
      select.replaceChildren(...options.map(([value, text]) => m.element("option", {value}, text)));
      select.dataset.options = JSON.stringify(options);
    }
    if (options.some(o => o[0] === had)) select.value = had;
    else if (options.some(o => o[0] === preferred)) select.value = preferred;
  };

  /* rows: arrays of texts; `words`: columns that are text. */
  m.table = (caption, head, rows, words = []) => {
    const kind = i => (words.includes(i) ? {class: "words"} : {});
    return m.element("div", {class: "table", tabindex: "0", role: "region", "aria-label": caption},
      m.element("table", {}, m.element("caption", {}, caption),
        m.element("thead", {}, m.element("tr", {}, head.map((h, i) => m.element("th", {scope: "col", ...kind(i)}, h)))),
        m.element("tbody", {}, rows.map(row => m.element("tr", row.changed ? {class: "changed"} : {},
          row.map((cell, i) => m.element("td", kind(i), cell)))))));
  };

  /* A card with what every plot has: a heading, controls, a button for the table and one for a PNG. */
  m.card = ({id, title, controls = [], wide = false, kind = ""}) => {
    const card = {
      about: m.element("p", {class: "about"}), legend: m.element("ul", {class: "legend"}),
      canvas: m.element("canvas", {tabindex: "0", role: "img", "aria-label": title}),
      readout: m.element("p", {class: "readout", "aria-live": "polite"}), behind: m.element("div", {hidden: true}),
      rows: () => null,
    };
    card.showTable = () => {
      const table = m.isPressed(card.tableButton) ? card.rows() : null;
      card.behind.replaceChildren(...(table ? [table] : []));
      card.behind.hidden = !table;
    };
    card.tableButton = m.toggle("Table", card.showTable);
    const save = m.element("button", {type: "button", onclick: () => {
      m.element("a", {href: card.canvas.toDataURL("image/png"), download: id + ".png"}).click();
    }}, "PNG");
    card.plot = m.element("div", {class: "plot"}, card.canvas);
    card.element = m.element("section", {class: `card ${wide ? "wide" : ""} ${kind}`, id, "aria-label": title},
      m.element("div", {class: "card-head"}, m.element("h3", {}, title),
        m.element("div", {class: "buttons"}, controls, card.tableButton, save)),
      card.about, card.legend, card.plot, card.readout, card.behind);
    return card;
  };
})(muonscope);
