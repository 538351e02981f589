"""`chainrule sample`: draws from the model, as a picture, an array or text."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from chainrule.data.arrays import ArrayEncoding
from chainrule.errors import InputError
from chainrule.report.console import Console
from chainrule.run import Run, write_file

__all__ = ["sample_run"]


def sample_run(
    path: Path, n: int, out: Path | None, seed: int, filters: dict[str, Any], console: Console
) -> Path | None:
    """Draw n examples and write them: images as PNG, rows as .npy, text as text, on standard output without --out."""
    run = Run.open(path)
    encoding = run.encoding()
    text = encoding.kind == "bytes"
    is_image = isinstance(encoding, ArrayEncoding) and encoding.is_image
    if out is None and not text:
        out = path / f"samples-seed{seed}.{'png' if is_image else 'npy'}"
    endings = {".txt"} if text else {".npy", ".png"} if is_image else {".npy"}
    if out is not None:
        if out.suffix not in endings:
            raise InputError(f"{out}: these samples are written as {' or '.join(sorted(endings))}; change the ending")
        if not out.parent.is_dir():
            raise InputError(f"{out.parent}: there is no such directory; make it, or name another place with --out")
    sample = run.model().sample(n, seed=seed, **filters)
    raw = encoding.decode(sample.x.cpu().numpy())
    content = _content(raw, out, encoding.domain.num_symbols or 2, f"seed {seed}")
    if out is None:
        if not console.json:
            console.console.out(content.decode(errors="replace"), highlight=False)
    else:
        try:
            write_file(out, content)
        except OSError as error:
            raise InputError(f"{out}: cannot be written ({error.strerror}); name another place with --out") from None
        console.print(f"{n} samples: [bold]{out}[/], mean ln p {float(sample.log_prob.mean()):.2f} nats")
    record: dict[str, Any] = {"run": str(path), "n": n, "seed": seed, "out": None if out is None else str(out)}
    record["log_prob"] = sample.log_prob.tolist()
    record["log_q"] = None if sample.log_q is None else sample.log_q.tolist()
    if out is None:
        record["text"] = [piece.decode(errors="replace") for piece in raw]
    console.result(record)
    return out


def _content(raw: Any, out: Path | None, num_symbols: int, title: str) -> bytes:
    if out is None or out.suffix == ".txt":
        return b"\n\n----\n\n".join(raw) + b"\n"
    if out.suffix == ".png":
        from chainrule.report.pictures import image_grid

        return image_grid(np.asarray(raw), num_symbols, title)
    from io import BytesIO

    buffer = BytesIO()
    np.save(buffer, np.asarray(raw), allow_pickle=False)
    return buffer.getvalue()
