"""The report in a real browser: it opens from disk, asks for nothing, fits a phone, can be read in the dark."""

import json
import os
import re
import shutil
import subprocess
from html import unescape

import numpy as np
import pytest

from chainrule.cli.app import main

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium to open the report with")

FLAGS = [
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update", "--disable-dev-shm-usage"),
    *("--hide-scrollbars", "--enable-logging=stderr"),
]

# What is put into a copy of the page: it looks at the page from inside and leaves what it found in the document.
INSPECTOR = """<script>
function rgb(text) { const n = text.match(/[\\d.]+/g).map(Number); return n.length < 4 ? [...n, 1] : n; }
function light([r, g, b]) {
  const [x, y, z] = [r, g, b].map(c => { c /= 255; return c <= .03928 ? c / 12.92 : ((c + .055) / 1.055) ** 2.4; });
  return .2126 * x + .7152 * y + .0722 * z;
}
function ground(node) {
  for (; node; node = node.parentElement) {
    const colour = rgb(getComputedStyle(node).backgroundColor);
    if (colour[3] === 1) return colour;
  }
  return [255, 255, 255, 1];
}
function contrast(node) {
  const style = getComputedStyle(node), ink = rgb(node instanceof SVGElement ? style.fill : style.color);
  const [a, b] = [light(ink), light(ground(node))];
  return (Math.max(a, b) + .05) / (Math.min(a, b) + .05);
}
function outside() {  // whatever the page would have to fetch
  const named = [...document.querySelectorAll("[src], [href], [srcset], [poster], object[data]")].flatMap(n =>
    ["src", "href", "srcset", "poster", "data"].map(a => n.getAttribute(a)).filter(Boolean));
  const rules = [...document.styleSheets].flatMap(s => [...s.cssRules]);
  const styled = rules.map(r => r.cssText.match(/url\\(([^)]*)/)?.[1]);
  return [...named, ...styled].filter(place => place && !/^["']?(data:|#)/.test(place));
}
addEventListener("load", () => {
  const texts = [...document.querySelectorAll("body *")].filter(n => !/^(script|title)$/i.test(n.tagName)
    && [...n.childNodes].some(c => c.nodeType === 3 && c.textContent.trim()));
  const worst = texts.map(n => [contrast(n), n.outerHTML.slice(0, 120)]).sort((p, q) => p[0] - q[0])[0];
  const unlabelled = [...document.querySelectorAll("img, svg, input, select, textarea, button")].filter(n =>
    !(n.getAttribute("alt") || n.getAttribute("aria-label") || n.labels?.length || n.textContent.trim()));
  const wide = [...document.querySelectorAll("body *")].filter(n => !n.closest(".scroll, svg")
    && n.getBoundingClientRect().right > innerWidth + 1);
  const found = {
    width: innerWidth, scrolls: document.documentElement.scrollWidth, texts: texts.length, worst,
    dark: matchMedia("(prefers-color-scheme: dark)").matches, requests: outside(),
    unlabelled: unlabelled.map(n => n.outerHTML.slice(0, 120)), wide: wide.map(n => n.outerHTML.slice(0, 120)),
    images: [...document.images].every(i => i.complete && i.naturalWidth > 0),
  };
  document.body.insertAdjacentHTML("beforeend", "<template id=found></template>");
  document.getElementById("found").setAttribute("data-found", JSON.stringify(found));
});
</script></head>"""


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """The reports of three short runs: pictures, a text, a table."""
    home = tmp_path_factory.mktemp("reports")
    rng = np.random.default_rng(0)
    np.save(home / "pictures.npy", rng.integers(0, 16, (90, 6, 6)))
    (home / "story.txt").write_text("the cat sat on the mat and the <rat> sat on the cat. " * 40)
    rows = [f"{rng.choice(['cat', 'dog'])},{rng.integers(2, 6)},{rng.normal(3, 1):.1f}" for _ in range(200)]
    (home / "table.csv").write_text("\n".join(["animal,a_long_name_without_any_break_in_it,weight", *rows]) + "\n")
    made = {}
    for source in ("pictures.npy", "story.txt", "table.csv"):
        out = home / source.partition(".")[0]
        steps = ["--steps", "4", "--evaluate-every", "2", "--width", "8", "--depth", "2"]
        assert main(["fit", str(home / source), "--out", str(out), *steps]) == 0
        assert main(["report", str(out)]) == 0
        made[out.name] = out / "report.html"
    return made


def browse(page, tmp_path, width, dark):
    """What the inspector found in the page at that width, and what the browser said about it."""
    copy = tmp_path / "page.html"
    frame = tmp_path / "frame.html"
    content = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", page.read_text())  # it bars the inspector
    copy.write_text(content.replace("</head>", INSPECTOR, 1))
    # A window is never narrower than some 500 pixels; a frame is as narrow as a phone.
    frame.write_text(
        f'<iframe src="page.html" style="width:{width}px;height:800px;border:0"></iframe><script>'
        "const frame = document.querySelector('iframe');"
        "frame.onload = () => setTimeout(() => document.body.setAttribute('data-found',"
        "frame.contentDocument.getElementById('found').dataset.found), 50);</script>"
    )
    scheme = ["--blink-settings=preferredColorScheme=0"] if dark else ["--blink-settings=preferredColorScheme=1"]
    command = [CHROMIUM, *FLAGS, *scheme, f"--user-data-dir={tmp_path / 'profile'}", "--window-size=1400,1000"]
    command += ["--allow-file-access-from-files", "--virtual-time-budget=3000", "--dump-dom", frame.as_uri()]
    environment = {**os.environ, "HOME": str(tmp_path)}
    done = subprocess.run(command, capture_output=True, text=True, timeout=90, env=environment)
    found = re.search(r'data-found="([^"]*)"', done.stdout)
    assert found, done.stderr[-2000:]
    return json.loads(unescape(found[1])), [line for line in done.stderr.splitlines() if "CONSOLE" in line]


SCREENS = [(width, dark) for width in (360, 1280) for dark in (False, True)]
IN_SLOW = [(360, False), (1280, True)]


@pytest.mark.parametrize(
    ("width", "dark"),
    [pytest.param(*screen, marks=pytest.mark.slow if screen in IN_SLOW else pytest.mark.soak) for screen in SCREENS],
)
@pytest.mark.parametrize("name", ["pictures", "story", "table"])
def test_a_report_can_be_read(pages, tmp_path, name, width, dark):
    found, said = browse(pages[name], tmp_path, width, dark)
    assert (found["width"], found["dark"]) == (width, dark)
    assert not said
    assert not found["requests"]
    assert found["scrolls"] <= width, found["wide"]
    assert not found["wide"]
    assert not found["unlabelled"]
    assert found["images"]
    assert found["texts"] > 50
    assert found["worst"][0] >= 4.5, found["worst"]
    assert pages[name].stat().st_size < 2_000_000


@pytest.mark.slow
def test_the_inspection_can_fail(pages, tmp_path):
    page = tmp_path / "bad.html"
    bad = '<p style="color:#999;width:700px">pale and wide</p><img src="none.png"><script>none()</script></main>'
    page.write_text(pages["story"].read_text().replace("</main>", bad, 1))
    found, said = browse(page, tmp_path, 360, False)
    assert found["worst"][0] < 4.5
    assert found["scrolls"] > 360
    assert found["unlabelled"]
    assert found["requests"]
    assert not found["images"]
    assert any("none is not defined" in line for line in said)
