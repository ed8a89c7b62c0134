"""The pages of `muonscope report` in a browser: no word on the console and no request, and every control does what it says.

Usage: report_page.py CHROMIUM SCREENSHOTS      in a folder with run/ (and its report.html) and study.html; SCREENSHOTS may be ""
"""
import base64
import json
import os
import re
import sys

from browser import Browser

CHROMIUM, SCREENSHOTS = sys.argv[1:3]
READY = 'document.readyState === "complete" && !!muonscope.data && !!document.querySelector("section canvas")'


def lines(browser, card):
    """The names of the lines of a plot, without bands."""
    return browser.value(f'Chart.getChart(document.querySelector("#{card} canvas")).data.datasets.filter(d => !d.band).map(d => d.label)')


def scale(browser, card, axis, what):
    return browser.value(f'Chart.getChart(document.querySelector("#{card} canvas")).options.scales.{axis}.{what}')


def choose(browser, selector, value):
    browser.value(f"""(() => {{ const s = document.querySelector({json.dumps(selector)}); s.value = {json.dumps(value)};
        s.dispatchEvent(new Event("change", {{bubbles: true}})); s.dispatchEvent(new Event("input", {{bubbles: true}})); }})()""")


def text(browser, selector):
    return browser.value(f"document.querySelector({json.dumps(selector)}).textContent")


def screenshot(browser, name):
    if not SCREENSHOTS:
        return
    height = browser.value("document.documentElement.scrollHeight")
    size = browser.value("[innerWidth]")[0]
    picture = browser.do("Page.captureScreenshot", captureBeyondViewport=True, clip={"x": 0, "y": 0, "width": size, "height": height, "scale": 1})
    with open(os.path.join(SCREENSHOTS, name + ".png"), "wb") as file:
        file.write(base64.b64decode(picture["data"]))


def contrast(a, b):
    """WCAG 2.1, relative luminance."""
    def luminance(color):
        parts = [int(color[i:i + 2], 16) / 255 for i in (1, 3, 5)]
        return sum(w * (p / 12.92 if p <= 0.03928 else ((p + 0.055) / 1.055) ** 2.4) for w, p in zip((0.2126, 0.7152, 0.0722), parts))
    high, low = sorted((luminance(a), luminance(b)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def hexadecimal(color):
    return color if color.startswith("#") else "#" + "".join(f"{int(x):02x}" for x in re.findall(r"\d+", color)[:3])


def check_contrast(browser, theme):
    css = {name: browser.value(f'muonscope.css("{name}")') for name in ("page", "card", "text", "muted", "accent", "accent-text", "null", "warn", "warn-page", "chosen")}
    for ink, paper in [("text", "page"), ("text", "card"), ("text", "chosen"), ("muted", "page"), ("muted", "card"), ("accent", "page"),
                       ("accent-text", "accent"), ("warn", "card"), ("warn", "page"), ("text", "warn-page")]:
        assert contrast(css[ink], css[paper]) >= 4.5, (theme, ink, paper, contrast(css[ink], css[paper]))
    drawn = browser.value("[...Array(10).keys()].map(muonscope.kindColor).concat([...Array(21).keys()].map(i => muonscope.depthColor(i / 20)), muonscope.css('null'))")
    for color in drawn:
        assert contrast(hexadecimal(color), css["card"]) >= 3, (theme, color, contrast(hexadecimal(color), css["card"]))


def check_names(browser):
    """Every control has a name and can be reached by the keyboard; every plot says what it shows."""
    nameless = browser.value("""[...document.querySelectorAll("button, select, input, canvas, a, svg[role]")].filter(e => !e.closest("[hidden]"))
        .filter(e => !(e.getAttribute("aria-label") || e.textContent.trim() || e.labels?.length)).map(e => e.outerHTML.slice(0, 100))""")
    assert nameless == [], nameless
    unreachable = browser.value("""[...document.querySelectorAll("button, select, input, canvas, a[href]")].filter(e => e.tabIndex < 0).length""")
    assert unreachable == 0, unreachable
    n_tables = browser.value("""[...document.querySelectorAll(".card")].filter(c => c.querySelector("canvas") && !c.hidden)
        .every(c => [...c.querySelectorAll("button")].some(b => b.textContent === "Table"))""")
    assert n_tables


def check_choices(browser):
    before = lines(browser, "series-size")
    assert {"q", "v"} <= set(before) and any("noise null" in name for name in before), before
    browser.click('.choices input[name="projections-q"]')
    after = lines(browser, "series-size")
    assert "q" not in after and "v" in after, after
    browser.click("#each")
    each = lines(browser, "series-size")
    n_layers = browser.value("muonscope.layers().length")
    assert len([name for name in each if name.startswith("v ")]) == n_layers and "v" not in each, each
    browser.click('.choices input[name="layers-0"]')
    assert "v 0" not in lines(browser, "series-size") and "v 1" in lines(browser, "series-size")
    browser.click("#log-x")
    assert scale(browser, "series-size", "x", "type") == "logarithmic" and scale(browser, "loss", "x", "type") == "logarithmic"
    check_ticks(browser)
    browser.click("#log-x")
    browser.click('.choices input[name="layers-0"]')
    browser.click("#each")


def check_plot(browser):
    choose(browser, "#series-size select", "frobenius")
    assert scale(browser, "series-size", "y", "title.text").startswith("frobenius")
    browser.value('[...document.querySelectorAll("#loss button")].find(b => b.textContent === "log y").id = "loss-log"')
    browser.click("#loss-log")
    assert scale(browser, "loss", "y", "type") == "logarithmic"
    browser.value('[...document.querySelectorAll("#loss button")].find(b => b.textContent === "Table").id = "loss-table"')
    browser.click("#loss-table")
    rows = browser.value('[...document.querySelectorAll("#loss tbody tr")].map(r => [...r.cells].map(c => c.textContent))')
    losses = {line["step"]: line["loss"] for line in map(json.loads, open("run/metrics.jsonl")) if "loss" in line}
    assert len(rows) == len(losses) + 1, len(rows)  # with the validation of step 0
    for row in rows[1:]:
        assert abs(float(row[1]) - losses[int(row[0])]) < 1e-4 * losses[int(row[0])], row
    browser.click("#loss-table")
    assert browser.value('document.querySelectorAll("#loss tbody tr").length') == 0
    browser.value('document.querySelector("#loss canvas").focus()')
    browser.key("Home")
    browser.key("ArrowRight")
    assert text(browser, "#loss .readout").startswith("step 1: training, each step "), text(browser, "#loss .readout")


def check_ticks(browser):
    """No tick stands outside its axis: grid lines would cross what is beside the plot."""
    outside = browser.value("""Object.values(Chart.instances).flatMap(c => Object.values(c.scales).flatMap(s => s.ticks.filter(t => t.value < s.min || t.value > s.max)
        .map(t => `${c.canvas.closest(".card").id} ${s.id} ${t.value}`)))""")
    assert outside == [], outside


def check_forest_texts(browser):
    """Long names and units stay within the picture."""
    cut = browser.value("""(() => { const svg = muonscope.forest({title: "t", unit: "difference of spectral entropy with relative growth of q,k,v,o and of up and down", expected: 0,
        rows: [{name: "noise_before_orthogonalisation_0.5 − per_projection", mean: 1, low: 0, high: 2, strong: true}, {name: "slope − muon", mean: 1}]});
        document.querySelector("main").append(svg);
        const wide = svg.viewBox.baseVal, boxes = [svg, ...document.querySelectorAll("svg.forest")].flatMap(s => [...s.querySelectorAll("text")].map(t => [t, s, t.getBBox()]));
        const out = boxes.filter(([t, s, b]) => b.x < 0 || b.x + b.width > s.viewBox.baseVal.width || b.y + b.height > s.viewBox.baseVal.height).map(([t]) => t.textContent);
        svg.remove(); return out; })()""")
    assert cut == [], cut


def check_slider(browser):
    spectra = [json.loads(line) for line in open("run/spectra.jsonl")]
    steps = sorted({line["step"] for line in spectra})
    browser.value('document.querySelector("#snapshot").focus()')
    browser.key("ArrowLeft")
    browser.key("ArrowLeft")
    assert text(browser, "#step output") == f"step {steps[-3]} ({len(steps) - 2} of {len(steps)})", text(browser, "#step output")
    drawn = browser.value('Chart.getChart(document.querySelector("#depth canvas")).data.datasets.find(d => d.label === "v").data.map(p => p.y)')
    truth = [line["sigma_max"] for line in spectra if line["step"] == steps[-3] and line["projection"] == "v"]
    assert len(drawn) == len(truth) and all(abs(a - b) < 1e-4 * b for a, b in zip(drawn, truth)), (drawn, truth)
    browser.value('document.querySelector("#heat canvas").focus()')
    browser.key("ArrowDown")
    browser.key("ArrowRight")
    said = text(browser, "#heat .readout")
    first = [line["sigma_max"] for line in spectra if line["projection"] == "v" and line["step"] == steps[0]]
    assert re.match(r"layer \d+, step \d+: ", said) and any(abs(float(said.split(": ")[1]) - value) < 1e-3 for value in
           first + [line["sigma_max"] for line in spectra if line["projection"] == "v" and line["step"] == steps[1]]), said
    x, y = browser.value("""(() => { const e = document.querySelector("#matrices canvas"); e.scrollIntoView({block: "center", behavior: "instant"});
        const b = e.getBoundingClientRect(); return [b.left + 60, b.top + 20]; })()""")
    browser.do("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)
    assert text(browser, "#matrices .readout").startswith("layer 0, projection "), text(browser, "#matrices .readout")


def check_update(browser):
    """New data, as a live page gets: what was chosen stays."""
    browser.value("""(() => { const data = structuredClone(muonscope.data); data.facts.step = 12345; data.notes = ["</p><b>nobody</b>"];
        muonscope.update(data); })()""")
    assert "12345 of 60" in text(browser, "#facts")
    assert text(browser, "#notes li") == "</p><b>nobody</b>" and browser.value('document.querySelectorAll("#notes b").length') == 0
    assert "q" not in lines(browser, "series-size") and browser.value('document.querySelector("#series-size select").value') == "frobenius"
    assert scale(browser, "loss", "y", "type") == "logarithmic"
    assert browser.value("muonscope.snapshot(muonscope.data.spectra.step)") == browser.value("muonscope.data.spectra.step.length - 3")


def check_run(browser):
    browser.open("file://" + os.path.abspath("run/report.html"))
    browser.wait_for(READY)
    browser.do("Emulation.setDeviceMetricsOverride", width=1280, height=900, deviceScaleFactor=1, mobile=False)
    screenshot(browser, "run-light")
    check_contrast(browser, "light")
    check_names(browser)
    check_choices(browser)
    check_plot(browser)
    check_slider(browser)
    check_update(browser)
    shown = browser.value('document.querySelectorAll("#configuration tbody tr").length')
    browser.click("#all-keys")
    assert browser.value('document.querySelectorAll("#configuration tbody tr").length') > shown > 0
    marked, plain = browser.value("""["tr.changed td", "tr:not(.changed) td"].map(s => getComputedStyle(document.querySelector("#configuration tbody " + s)).backgroundColor)""")
    assert marked != plain
    browser.click("#theme")
    browser.click("#theme")
    assert browser.value("document.documentElement.dataset.theme") == "dark"
    check_contrast(browser, "dark")
    screenshot(browser, "run-dark")


def check_phone(browser, page):
    browser.do("Emulation.setDeviceMetricsOverride", width=390, height=844, deviceScaleFactor=2, mobile=True)
    browser.open("file://" + os.path.abspath(page))
    browser.wait_for(READY)
    browser.do("Emulation.setDeviceMetricsOverride", width=390, height=844, deviceScaleFactor=2, mobile=True)
    wide = browser.value("""[...document.querySelectorAll("main *, header *")].filter(e => !e.closest(".table, nav, [hidden], svg") && e.getBoundingClientRect().right > 391)
        .map(e => e.tagName + "." + e.className)""")
    assert browser.value("document.documentElement.scrollWidth") <= 390 and wide == [], wide
    check_forest_texts(browser)
    screenshot(browser, "phone-" + page.split("/")[0].split(".")[0])


def check_study(browser):
    browser.open("file://" + os.path.abspath("study.html"))
    browser.wait_for(READY)
    browser.do("Emulation.setDeviceMetricsOverride", width=1280, height=900, deviceScaleFactor=1, mobile=False)
    assert text(browser, "h1") == "s </script><b>x</b>" and browser.value('document.querySelectorAll("main b, main i:not([aria-hidden])").length') == 0
    assert "Alignment exceeds chance." in text(browser, "#findings .findings") and "a is better" not in text(browser, "#findings .findings")
    labels = browser.value('[...document.querySelectorAll("svg.forest")].map(s => s.getAttribute("aria-label"))')
    assert any(re.match(r"one: a, tested 0\.11 \(0\.0[78]\d* to 0\.1[34]\d*\); noise 0\.005", label) for label in labels), labels
    assert "Changed after results were there." in text(browser, "#hypotheses")
    assert lines(browser, "arms-curves") == ["a (2)"], lines(browser, "arms-curves")
    choose(browser, "#arms-curves select", "sigma_max")
    assert scale(browser, "arms-curves", "y", "title.text").startswith("sigma max")
    assert browser.value('document.querySelector("#plan a").getAttribute("href")') == "a-1/"
    assert "a warning <i>" in text(browser, "#warnings")
    check_ticks(browser)
    check_forest_texts(browser)
    check_names(browser)
    screenshot(browser, "study-light")


def main():
    browser = Browser(CHROMIUM, os.path.abspath("profile"))
    try:
        browser.do("Target.getTargets")
        check_run(browser)
        check_study(browser)
        check_phone(browser, "run/report.html")
        check_phone(browser, "study.html")
        assert not browser.faults(), json.dumps(browser.faults())[:2000]
    finally:
        browser.close()
    print("report_page: run, study and phone: controls work, nothing on the console")


main()
