"""The command line: fit, evaluate, sample, score, info. Thin: each command opens, calls and prints.

Torch is imported inside the commands, so that `--help` stays quick.
"""

from __future__ import annotations

import sys
import tomllib
import warnings
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import App, CycloptsError, Parameter
from cyclopts.validators import Number

from chainrule import __version__
from chainrule.config import DEFAULTS, HEADS, NETWORKS
from chainrule.errors import InputError, unknown_name
from chainrule.training.settings import TrainingSettings

if TYPE_CHECKING:
    from chainrule.data.base import DataSet
    from chainrule.report.console import Console

__all__ = ["app", "main"]

app = App(name="chainrule", version=__version__, help="Autoregressive models by their exact log-likelihood.")


def _by_kind(name: str, section: str = "training") -> str:
    """The default of an option, for the help: one value, or one a kind of data."""
    common = getattr(TrainingSettings, name, None)
    values = {kind: defaults[section].get(name, common) for kind, defaults in DEFAULTS.items()}
    if len(set(map(str, values.values()))) == 1:
        return f"[default: {next(iter(values.values()))}]"
    return f"[default: {', '.join(f'{kind} {value}' for kind, value in values.items())}]"


def _option(text: str, name: str | None = None, section: str = "training") -> Parameter:
    return Parameter(help=text if name is None else f"{text} {_by_kind(name, section)}")


@Parameter(name="*")
@dataclass(frozen=True)
class FitOptions:
    """Options of `fit`; what is not given comes from --config, then from the defaults of the kind of data."""

    network: Annotated[
        str | None, _option(f"One of {', '.join(NETWORKS)} [default: by kind of data, see `chainrule info`].")
    ] = None
    head: Annotated[str | None, _option(f"One of {', '.join(HEADS)} [default: by number of symbols].")] = None
    width: Annotated[int | None, _option("Size of the features.", "width", "network")] = None
    depth: Annotated[int | None, _option("Number of blocks.", "depth", "network")] = None
    dropout: Annotated[float | None, _option("Share of hidden units dropped.", "dropout", "network")] = None
    window: Annotated[int | None, _option("Text: bytes that the network reads at once [default: 256].")] = None
    stride: Annotated[int | None, _option("Text: bytes the window moves on in evaluation [default: window / 2].")] = (
        None
    )
    shape: Annotated[str | None, _option("Arrays: the layout of an example, e.g. 28,28 [default: the file's].")] = None
    split: Annotated[str | None, _option("Shares of train/valid/test [default: 80/10/10, or as given].")] = None
    steps: Annotated[int | None, _option("Optimizer steps.", "steps")] = None
    batch_size: Annotated[int | None, _option("Examples a step.", "batch_size")] = None
    microbatch: Annotated[int | None, _option("Examples a forward pass.", "microbatch")] = None
    normalisation: Annotated[str | None, _option("per_example or per_element.", "normalisation")] = None
    learning_rate: Annotated[float | None, _option("Its peak.", "learning_rate")] = None
    weight_decay: Annotated[float | None, _option("Decoupled decay of matrices.", "weight_decay")] = None
    warmup: Annotated[float | None, _option("Share of the steps in which the rate rises.", "warmup")] = None
    cooldown: Annotated[float | None, _option("Share of the steps in which the rate falls.", "cooldown")] = None
    clip_norm: Annotated[float | None, _option("Largest norm of a gradient.", "clip_norm")] = None
    average: Annotated[float | None, _option("Decay of the averaged weights, 0 for none.", "average")] = None
    evaluate_every: Annotated[int | None, _option("Steps between validations.", "evaluate_every")] = None
    patience: Annotated[int | None, _option("Validations without a better one before the end.", "patience")] = None
    seed: Annotated[int | None, _option("Of weights, order and dropout.", "seed")] = None

    def given(self) -> dict[str, Any]:
        """The options that were given."""
        return {f.name: getattr(self, f.name) for f in fields(self) if getattr(self, f.name) is not None}


def _read_config(path: Path | None) -> dict[str, Any]:
    """Options from a TOML file, by the names of the command line; a table [network] or [head] sets a part's options."""
    if path is None:
        return {}
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); check --config") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: is no TOML ({error}); correct it") from None
    options = {key.replace("-", "_"): value for key, value in content.items()}
    known = [f.name for f in fields(FitOptions)]
    for key in options:
        if key not in known:
            raise unknown_name(f"option in {path}", key, known)
    return options


def _open_data(source: str, options: dict[str, Any]) -> DataSet:
    from chainrule import data

    shape = options.get("shape")
    if isinstance(shape, str):
        try:
            shape = tuple(int(side) for side in shape.replace("x", ",").split(","))
        except ValueError:
            raise InputError(f"--shape is a list of sides such as 28,28, got {shape!r}") from None
    named = {name: options.get(name) for name in ("window", "stride", "split")}
    return data.open(source, shape=shape, **named)


def _specification(options: dict[str, Any], data: DataSet) -> tuple[dict[str, Any], TrainingSettings]:
    """The model's specification and the training settings: given options over the defaults of the kind of data."""
    from chainrule.config import default_spec, kind_of, part_options

    tables = {part: options.get(part, {}) for part in ("network", "head")}
    tables = {part: {"name": table} if isinstance(table, str) else table for part, table in tables.items()}
    domain, kind = data.encoding.domain, data.encoding.kind
    spec = default_spec(domain, kind, tables["network"].get("name"), tables["head"].get("name"))
    for part, table in tables.items():
        spec[part] |= table
    for name in ("width", "depth", "dropout"):
        if name in options:
            if name not in part_options("network", spec["network"]["name"]):
                raise InputError(f"the network {spec['network']['name']!r} has no {name}; leave the option out")
            spec["network"][name] = options[name]
    defaults = DEFAULTS[kind_of(domain, kind)]["training"]
    chosen = {name: options[name] for name in TrainingSettings.names() if name in options}
    return spec, TrainingSettings(**(defaults | chosen))


def _console(json: bool) -> Console:
    from chainrule.report.console import Console

    return Console(json=json)


BatchSize = Annotated[int, Parameter(help="A matter of speed only.", validator=Number(gte=1))]
Json = Annotated[bool, Parameter(negative="", help="Print one JSON object on standard output, and nothing else there.")]
RunPath = Annotated[Path, Parameter(help="A run directory that `fit` made.")]


@app.command
def fit(
    source: Annotated[str, Parameter(name="DATA", help="digits, a .npy or .npz file of integers, or a text file.")],
    options: FitOptions | None = None,
    *,
    out: Annotated[Path | None, Parameter(help="The run directory [default: runs/NAME-K].")] = None,
    config: Annotated[Path | None, Parameter(help="A TOML file with any of these options.")] = None,
    json: Json = False,
) -> None:
    """Train a model on DATA and report its exact log-likelihood."""
    from chainrule.commands.fit import fit_run

    console = _console(json)
    merged = _read_config(config) | (options or FitOptions()).given()
    data = _open_data(source, merged)
    spec, settings = _specification(merged, data)
    fit_run(data, spec, settings, out, console)


@app.command
def evaluate(
    run: RunPath,
    source: Annotated[str | None, Parameter(name="DATA", help="What to score [default: the run's own data].")] = None,
    *,
    split: Annotated[str, Parameter(help="Of the run's own data: train, valid or test.")] = "test",
    batch_size: BatchSize = 256,
    json: Json = False,
) -> None:
    """Score every example once: nats/example, bits/dim and their standard errors."""
    from chainrule.commands.evaluate import evaluate_run

    evaluate_run(run, source, split, batch_size, _console(json))


@app.command
def sample(
    run: RunPath,
    *,
    n: Annotated[int, Parameter(name=["-n", "--number"], help="How many examples.")] = 64,
    out: Annotated[Path | None, Parameter(help="A .png, .npy or text file [default: in the run directory].")] = None,
    seed: Annotated[int, Parameter(help="Draws are keyed by (seed, example, element).")] = 0,
    temperature: Annotated[float, Parameter(help="1 is the model itself.")] = 1.0,
    top_k: Annotated[int | None, Parameter(help="Keep the k most probable symbols only.")] = None,
    top_p: Annotated[float | None, Parameter(help="Keep the most probable symbols up to this mass only.")] = None,
    json: Json = False,
) -> None:
    """Draw examples from the model: its own distribution, nothing cut off, unless a filter is asked for."""
    from chainrule.commands.sample import sample_run

    filters = {"temperature": temperature, "top_k": top_k, "top_p": top_p}
    sample_run(run, n, out, seed, filters, _console(json))


@app.command
def score(
    run: RunPath,
    source: Annotated[str, Parameter(name="DATA", help="What to score.")],
    *,
    out: Annotated[Path | None, Parameter(help="A .csv or .jsonl file [default: CSV on standard output].")] = None,
    batch_size: BatchSize = 256,
    json: Json = False,
) -> None:
    """Print ln p(x) of every example of DATA, in nats."""
    from chainrule.commands.score import score_run

    score_run(run, source, out, batch_size, _console(json))


@app.command
def info(
    run: Annotated[Path | None, Parameter(help="A run directory; none: the parts that there are.")] = None,
    *,
    json: Json = False,
) -> None:
    """Say what a run directory holds, or which networks, heads and defaults there are."""
    from chainrule.commands.info import info_parts, info_run

    if run is None:
        info_parts(_console(json))
    else:
        info_run(run, _console(json))


def main(arguments: list[str] | None = None) -> int:
    """Run a command; 0 on success, 2 with one line on standard error for input that cannot be used."""
    warnings.showwarning = lambda message, *_: print(f"warning: {message}", file=sys.stderr)
    try:
        app(arguments, exit_on_error=False, print_error=False, result_action="return_value")
    except InputError as error:
        return _fail(str(error))
    except CycloptsError as error:
        return _fail(str(error))
    except KeyboardInterrupt:
        return _fail("interrupted", code=130)
    return 0


def _fail(message: str, code: int = 2) -> int:
    print("error:", " ".join(message.split()), file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
