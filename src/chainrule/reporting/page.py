"""The report of a run: one HTML page that opens from disk and loads nothing else."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from math import log
from typing import Any

import numpy as np
import numpy.typing as npt

from chainrule.evaluation.calibration import Diagnosis
from chainrule.reporting.certificate import check_word, verdict_of, verdict_style
from chainrule.reporting.drawings import bars, bits_colour, curve, heat_map, picture, reliability
from chainrule.reporting.visible import html

__all__ = ["Page", "coloured_text", "preformatted", "tiled"]

LN2 = log(2)
POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"
STYLE = """
:root{color-scheme:light dark;--ink:#1c2127;--soft:#566069;--back:#fff;--panel:#f4f6f8;--rule:#cfd6dd;
--a:#1f5fa8;--b:#b4450f;--good:#1a6b35;--bad:#b01e23}
@media(prefers-color-scheme:dark){:root{--ink:#e8ebee;--soft:#a9b3bd;--back:#14181c;--panel:#1e242a;--rule:#3b444d;
--a:#7db4f0;--b:#f0a070;--good:#76cf92;--bad:#ff8f8f}}
*{box-sizing:border-box}
body{margin:0 auto;max-width:72rem;padding:1.2rem;background:var(--back);color:var(--ink);
font:16px/1.5 system-ui,-apple-system,"Segoe UI",sans-serif}
h1{font-size:1.6rem;line-height:1.2;margin:.4rem 0;overflow-wrap:anywhere}
h2{font-size:1.15rem;margin:0 0 .5rem}p{margin:.4rem 0}
.note,figcaption,caption{color:var(--soft);font-size:.92rem;text-align:left}
main{display:grid;gap:1rem;grid-auto-flow:dense;grid-template-columns:repeat(auto-fit,minmax(min(100%,26rem),1fr))}
section{background:var(--panel);border-radius:.6rem;padding:1rem;min-width:0}.wide{grid-column:1/-1}
.scroll{overflow-x:auto}.scroll table{min-width:36rem}table{border-collapse:collapse;width:100%;font-size:.95rem}
th,td{text-align:left;padding:.3rem .6rem .3rem 0;border-bottom:1px solid var(--rule);vertical-align:top}
td.n,th.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
.big{font-size:2rem;font-weight:650;line-height:1.2}.ok{color:var(--good)}.failed{color:var(--bad);font-weight:700}
svg,img{width:100%;height:auto;display:block}svg{max-width:44rem}img{image-rendering:pixelated;border-radius:.3rem}
svg text{font:12px system-ui,sans-serif;fill:var(--soft)}@media(max-width:30rem){svg text{font-size:17px}}
.axis{stroke:var(--rule);fill:none}
.line0{fill:none;stroke:var(--a);stroke-width:2}.line1{fill:none;stroke:var(--b);stroke-width:2;stroke-dasharray:5 3}
svg .name0{fill:var(--a)}svg .name1{fill:var(--b)}.mark,.bar{fill:var(--a)}
.expected{stroke:var(--b);stroke-width:1.5;stroke-dasharray:4 3;fill:none}.map{max-width:24rem}
.pair{display:grid;grid-template-columns:1fr 1fr;gap:.8rem}figure{margin:0}
pre{white-space:pre-wrap;overflow-wrap:anywhere;font-size:.85rem;margin:.3rem 0;max-height:24rem;overflow-y:auto}
.bits span{color:#10151a}.bits span.high{color:#fff}code{overflow-wrap:anywhere;font-size:.85rem}
.rods .scroll table{min-width:0;max-width:48rem}.rods td:nth-child(2){width:55%}
.rods th{overflow-wrap:anywhere;font-weight:400;min-width:6.5rem}.last td:last-child{min-width:17rem}
@media(max-width:30rem){.pair:has(pre){grid-template-columns:1fr}.rods td:nth-child(2){width:30%}}
.rod{display:block;height:.9rem;margin-top:.3rem;background:var(--a);border-radius:.15rem}
"""


@dataclass(frozen=True)
class Page:
    """The content of the page; a part that is None or empty is left out.

    title: name of the network and of the data.
    note: description of the data.
    results: per split, the fields of `LogLikelihood.to_json`.
    baseline: the same for the baseline of independent elements.
    records: metrics of each validation.
    best_step: step of the kept weights.
    samples: pictures or texts drawn from the model, as HTML.
    data: examples of the data, as HTML.
    data_name: the split that they are from.
    not_known: what is not known for want of a split, by the split.
    shape: shape of an example.
    is_image: whether an example is rows and columns of pixels.
    columns: names of the columns of a table.
    bits_text: text coloured by bits, as HTML.
    diagnosis: nats by position, and calibration.
    certificate: the fields of `Certificate.to_json`.
    config: the content of `config.json`.
    """

    title: str
    note: str
    results: dict[str, Any]
    baseline: dict[str, Any]
    records: Sequence[dict[str, Any]]
    best_step: int | None
    samples: str
    data: str
    data_name: str
    not_known: dict[str, str]
    shape: tuple[int, ...]
    is_image: bool
    columns: Sequence[str]
    bits_text: str
    diagnosis: Diagnosis | None
    certificate: dict[str, Any] | None
    config: dict[str, Any]

    def html(self) -> str:
        """The page."""
        parts = [self._summary(), self._curve(), self._samples(), self._bits(), *self._calibration()]
        parts += [self._certificate(), self._protocol()]
        return (
            '<!doctype html><html lang="en"><head><meta charset="utf-8">'
            f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
            '<meta name="viewport" content="width=device-width,initial-scale=1">'
            f"<title>{html(self.title)}</title><style>{STYLE}</style></head><body><header>"
            f'<h1>{html(self.title)}</h1><p class="note">{html(self.note)}</p></header>'
            f"<main>{''.join(parts)}</main></body></html>\n"
        )

    def _summary(self) -> str:
        per = "bits_per_byte" if any(result.get("bytes") for result in self.results.values()) else "bits_per_dim"
        unit = per.replace("bits_per_", "bits/")
        rows = []
        for split, result in self.results.items():
            beside = self.baseline.get(split, {}).get("nats_per_example")
            cells = [f"{result['examples']:,}", _with_error(result, "nats_per_example"), _with_error(result, per)]
            cells += [_number(beside), f"{result['impossible']}"]
            rows.append((split, cells))
        test = self.results.get("test")
        big = f'<p class="big">{_with_error(test, "nats_per_example")} nats/example</p>' if test else ""
        big += "".join(f'<p class="failed">{html(sentence)}</p>' for sentence in self.not_known.values())
        heads = ["examples", "nats/example", unit, "independent elements", "impossible"]
        over = " and ".join(sorted({result.get("unit", "examples") for result in self.results.values()})) or "examples"
        note = f'<p class="note">Negative log-likelihood, lower is better; ± one standard error over {html(over)}.</p>'
        return _section("Log-likelihood", big + note + _table("Every split", ["split", *heads], rows), wide=True)

    def _curve(self) -> str:
        if not self.records:
            return ""
        steps = [record["step"] for record in self.records]
        valid = [record["valid_nats_per_example"] for record in self.records if "valid_nats_per_example" in record]
        lines = {"validation": valid} if valid else {}
        if "windows" not in self.config["protocol"]["context"]:  # else training scores all of a window, validation less
            fitted = [record["train_nats_per_example"] for record in self.records if "train_nats_per_example" in record]
            lines |= {"training (dropout on)": fitted} if len(fitted) == len(steps) else {}  # an estimate is not drawn
        if not lines:
            return ""
        note = f'<p class="note">The weights of step {self.best_step} were kept.</p>'
        return _section("Learning curve", curve(steps, lines, self.best_step, "Nats per example over the steps") + note)

    def _samples(self) -> str:
        if not self.samples:
            return ""
        pair = (
            f"<figure>{self.samples}<figcaption>drawn from the model</figcaption></figure>"
            f"<figure>{self.data}<figcaption>{self.data_name} examples</figcaption></figure>"
        )
        return _section("Samples and test examples", f'<div class="pair">{pair}</div>', wide=not self.is_image)

    def _bits(self) -> str:
        drawn = ""
        if self.diagnosis is not None:
            bits = self.diagnosis.nats_by_position / LN2
            if self.is_image and len(bits) <= 1024 and len(bits) == np.prod(self.shape):
                grid = bits.reshape(self.shape[0], self.shape[1], -1).sum(-1)
                label = f"Bits per pixel, from {grid.min():.2f} (pale) to {grid.max():.2f} (dark)"
                drawn = f'<div class="map">{heat_map(grid, label)}</div><p class="note">{label}.</p>'
            elif self.columns:
                drawn = _named_bars(self.columns, bits)
            else:
                drawn = bars(bits, "Bits by element of the example", "element", "bits")
        if self.bits_text:
            drawn += (
                f'<p class="note">The darker, the more bits.</p><pre class="bits" tabindex="0">{self.bits_text}</pre>'
            )
        return _section("Bits by position", drawn, wide=bool(self.bits_text or self.columns)) if drawn else ""

    def _calibration(self) -> list[str]:
        found, parts = self.diagnosis, []
        if found is None:
            return []
        if found.pit is not None:
            share = found.pit / found.pit.sum() * len(found.pit)
            text = (
                '<p class="note">Flat if the conditionals are right; with a hump in the middle they are too broad.</p>'
            )
            if found.z_score is not None and found.surprise is not None and found.surprise_se is not None:
                text += (
                    f"<p>Nats minus entropy: {found.surprise:.3g} ± {found.surprise_se:.2g} per example "
                    f"(z = {found.z_score:.1f}; above 2, the model is overconfident).</p>"
                )
            drawn = bars(share, "Histogram of the randomised transform", "bin of F(x)", "density", 1.0)
            parts.append(_section("Calibration", drawn + text))
        if found.reliability is not None:
            drawn = reliability(found.reliability, "Predicted probability against observed frequency")
            note = '<p class="note">On the dashed line, predicted probabilities equal observed frequencies.</p>'
            parts.append(_section("Reliability of the conditionals", drawn + note))
        return parts

    def _certificate(self) -> str:
        if self.certificate is None:
            return ""
        style = {"ok": '<span class="ok">ok</span>', "failed": '<span class="failed">failed</span>'}
        rows = [
            (
                check["name"],
                [
                    style.get(check_word(check), check_word(check)),
                    *(("", "") if check["passed"] is None else map(_number, (check["figure"], check["bound"]))),
                    html("; ".join(part for part in (check["tried"], check["where"], check.get("power", "")) if part)),
                ],
            )
            for check in self.certificate["checks"]
        ]
        word = f'<p class="{verdict_style(self.certificate)}">{html(verdict_of(self.certificate))}</p>'
        heads = ["check", "", "worst figure", "bound", "tried"]
        table = f'<div class="last">{_table("Checks", heads, rows, text_columns=(1, 4))}</div>'
        return _section("Certificate", word + table, wide=True)

    def _protocol(self) -> str:
        data = self.config["data"]
        rows = [(name, [html(str(value))]) for name, value in self.config["protocol"].items()]
        rows += [
            ("data", [html(f"{data['name']}: {data['note']}")]),
            ("SHA-256", [f"<code>{html(data['sha256'])}</code>"]),
        ]
        for part in ("model", "training", "versions"):
            rows.append((part, [f"<code>{html(json.dumps(self.config.get(part)))}</code>"]))
        return _section(
            "Protocol", _table("How the run was made and evaluated", ["", ""], rows, text_columns=(1,)), wide=True
        )


def _section(title: str, content: str, *, wide: bool = False) -> str:
    return f"<section{' class=wide' if wide else ''}><h2>{title}</h2>{content}</section>"


def _table(
    caption: str, heads: list[str], rows: Sequence[tuple[str, list[str]]], text_columns: tuple[int, ...] = ()
) -> str:
    def kind(k: int) -> str:
        return "" if k == 0 or k in text_columns else ' class="n"'

    head = "".join(f'<th scope="col"{kind(k)}>{name}</th>' for k, name in enumerate(heads)) if any(heads) else ""
    body = ""
    for name, cells in rows:
        row = "".join(f"<td{kind(k)}>{cell}</td>" for k, cell in enumerate(cells, 1))
        body += f'<tr><th scope="row">{html(name)}</th>{row}</tr>'
    head = f"<thead><tr>{head}</tr></thead>" if head else ""
    table = f"<table><caption>{caption}</caption>{head}<tbody>{body}</tbody></table>"
    return f'<div class="scroll" tabindex="0">{table}</div>'


def _named_bars(names: Sequence[str], bits: npt.NDArray[np.float64], most: int = 40) -> str:
    """The columns that take the most bits, a bar beside each name."""
    order = np.argsort(-np.nan_to_num(bits))[:most]
    top = max(float(np.nanmax(bits)), 1e-9)
    rows = [
        (names[d], [f'<span class="rod" style="width:{max(0.0, bits[d]) / top:.1%}"></span>', f"{bits[d]:.3f}"])
        for d in order
    ]
    caption = "Bits by column" if len(names) <= most else f"Bits by column, the {most} highest of {len(names)}"
    table = _table(caption, ["column", "", "bits"], rows, text_columns=(1,))
    return f'<div class="rods">{table}</div>'


def _number(value: Any) -> str:
    return "" if value is None else f"{value:.4g}" if isinstance(value, (int, float)) else html(str(value))


def _with_error(result: dict[str, Any], name: str) -> str:
    value, error = result.get(name), result.get(f"{name}_se")
    if not isinstance(value, (int, float)) or not isinstance(error, (int, float)) or error <= 0:
        return _number(value)
    digits = max(0, 1 - int(np.floor(np.log10(error))))
    return f"{value:.{digits}f} ± {error:.{digits}f}"


def tiled(images: npt.NDArray[Any], num_symbols: int, label: str) -> str:
    """Images on a square grid, with a line between them, as HTML.

    images: levels 0 to num_symbols - 1, shape (n, H, W) or (n, H, W, 3).
    num_symbols: number of levels.
    label: text for readers that show no pictures.
    """
    n, height, width = images.shape[:3]
    columns = max(1, round(n**0.5))
    grid = np.full((-(-n // columns) * (height + 1) - 1, columns * (width + 1) - 1, *images.shape[3:]), 128, np.uint8)
    for k, image in enumerate(images):
        top, left = k // columns * (height + 1), k % columns * (width + 1)
        grid[top : top + height, left : left + width] = np.asarray(image) * (255.0 / max(num_symbols - 1, 1))
    return picture(grid, label)


def preformatted(content: str) -> str:
    """Text as it is, in lines that wrap.

    >>> preformatted("a < b")
    '<pre tabindex="0">a &lt; b</pre>'
    """
    return f'<pre tabindex="0">{html(content)}</pre>'


def coloured_text(pieces: Sequence[str], nats: npt.NDArray[Any]) -> str:
    """Pieces of text, each on a background that is darker the more bits it takes.

    pieces: the text of each element.
    nats: ln p of each element.

    >>> "p = 0.5" in coloured_text(["a"], np.array([-0.6931472]))
    True
    """
    made = []
    for piece, value in zip(pieces, nats.tolist(), strict=True):
        bits = -value / LN2
        share = min(bits / 8, 1.0)
        title = f"{bits:.2f} bits, p = {np.exp(value):.2g}"
        high = ' class="high"' if share > 0.45 else ""
        made.append(f'<span{high} style="background:{bits_colour(share)}" title="{title}">{html(piece)}</span>')
    return "".join(made)
