/* The page as a whole: theme, sections, and where the data come from. */
(m => {
  let parts = [], kind = null;
  const byId = id => document.getElementById(id);

  /* --- theme: as the system, until somebody chooses --- */

  const system = matchMedia("(prefers-color-scheme: dark)");
  let chosen = "system";
  const showTheme = () => {
    document.documentElement.dataset.theme = chosen === "system" ? (system.matches ? "dark" : "light") : chosen;
    byId("theme").textContent = `Theme: ${chosen}`;
    byId("theme").setAttribute("aria-label", `Theme: ${chosen === "system" ? "as the system" : chosen}`);
    if (m.data) m.refresh();
  };
  byId("theme").addEventListener("click", () => {
    chosen = {system: "light", light: "dark", dark: "system"}[chosen];
    showTheme();
  });
  system.addEventListener("change", showTheme);

  /* --- drawing --- */

  const show = part => {
    part.element.hidden = !part.has();
    if (!part.element.hidden) part.draw();
    if (part.link) part.link.hidden = part.element.hidden;
  };
  m.refresh = () => parts.forEach(show);
  m.refreshSnapshot = () => parts.filter(part => part.atSnapshot).forEach(show);

  const build = () => {
    kind = m.data.kind;
    parts = kind === "study" ? m.studyParts() : m.runParts();
    for (const part of parts) if (part.title) part.link = m.element("a", {href: "#" + part.id}, part.title);
    byId("nav").replaceChildren(...parts.map(part => part.link).filter(Boolean));
    byId("main").replaceChildren(m.element("ul", {class: "notes", id: "notes", "aria-label": "About these data"}), ...parts.map(part => part.element));
  };

  /* Shows a whole new data object; what the user chose stays. */
  m.update = data => {
    m.data = data;
    Chart.defaults.font.family = getComputedStyle(document.body).fontFamily;
    if (data.kind !== kind) build();
    const title = data.results?.name || data.name;
    document.title = `${title}: muonscope report`;
    byId("title").textContent = title;
    byId("notes").replaceChildren(...data.notes.map(note => m.element("li", {}, note)));
    byId("notes").hidden = data.notes.length === 0;
    m.refresh();
  };

  /* --- live: the data of a server that follows a run --- */

  const live = () => {
    const say = text => { byId("live").textContent = text; };
    let fetching = false, again = false, ended = false;
    const load = async () => {
      if (fetching) { again = true; return; }
      fetching = true;
      try {
        const answer = await fetch("data.json", {cache: "no-store"});
        if (!answer.ok) throw new Error(`${answer.status}`);
        const data = await answer.json();
        m.update(data);
        say(ended ? "ended" : `live, step ${data.facts?.step ?? 0}`);
      } catch (error) {
        say(`no data: ${error.message}`);
      }
      fetching = false;
      if (again) { again = false; load(); }
    };
    const events = new EventSource("events");
    events.onmessage = load;
    events.addEventListener("end", () => { ended = true; events.close(); load(); });
    events.onerror = () => { if (!ended) say("no connection"); };
    load();
  };

  showTheme();
  const text = byId("data").textContent.trim();
  if (text) m.update(JSON.parse(text));
  else live();
})(muonscope);
