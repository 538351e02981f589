"""The command line. Thin: each command opens, calls and prints.

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
from chainrule.errors import InputError, Interrupted, unknown_name
from chainrule.training.settings import TrainingSettings

if TYPE_CHECKING:
    from chainrule.data.base import DataSet
    from chainrule.report.console import Console
    from chainrule.training.budget import Budget

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
    symbols: Annotated[
        str | None, _option("Text: bytes, characters, bpe:SIZE or a tokenizer.json [default: bytes].")
    ] = None
    documents: Annotated[
        str | None, _option("Text: line, file, a separator, or stream for one long text [default: by content].")
    ] = None
    field: Annotated[str | None, _option("JSON lines: the field to read [default: text].")] = None
    end: Annotated[str | None, _option("Sequences: scored for p(x, T), given for p(x | T) [default: by kind].")] = None
    pack: Annotated[int | None, _option("Sequences: elements of a row in training, packed [default: padded].")] = None
    window: Annotated[
        int | None, _option("Text: elements that the network reads at once [default: 256, or the longest].")
    ] = None
    stride: Annotated[
        int | None, _option("Text: elements the window moves on in evaluation [default: window / 2].")
    ] = None
    shape: Annotated[str | None, _option("Arrays: the layout of an example, e.g. 28,28 [default: the file's].")] = None
    levels: Annotated[int | None, _option("Images: grey levels, 2 to 256 [default: 256].")] = None
    binarize: Annotated[str | None, _option("Images: threshold, fixed or dynamic [default: not].")] = None
    given: Annotated[str | None, _option("What to condition on: label, or columns of a table such as age,sex.")] = None
    columns: Annotated[str | None, _option("Tables: kinds of columns, name=kind,... [default: by content].")] = None
    drop: Annotated[str | None, _option("Tables: columns to leave out, name,...")] = None
    split: Annotated[
        str | None, _option("Shares of train/valid/test, or order:80/10/10 [default: 80/10/10, or as given].")
    ] = None
    steps: Annotated[int | None, _option("Optimizer steps.", "steps")] = None
    batch_size: Annotated[int | None, _option("Examples a step.", "batch_size")] = None
    microbatch: Annotated[
        int | str | None, _option("Examples a forward pass, or auto for what fits memory [default: the batch].")
    ] = None
    normalisation: Annotated[str | None, _option("per_example or per_element.", "normalisation")] = None
    optimizer: Annotated[str | None, _option("adamw or muon.", "optimizer")] = None
    learning_rate: Annotated[float | None, _option("Its peak.", "learning_rate")] = None
    weight_decay: Annotated[float | None, _option("Decoupled decay of matrices.", "weight_decay")] = None
    prior: Annotated[
        str | None, _option("gaussian:WIDTH or laplace:WIDTH, in --config also a table of patterns [default: none].")
    ] = None
    label_smoothing: Annotated[float | None, _option("Share of the target spread evenly.", "label_smoothing")] = None
    confidence_penalty: Annotated[float | None, _option("Nats a nat of entropy is worth.", "confidence_penalty")] = None
    z_loss: Annotated[float | None, _option("Weight of (ln Z)^2.", "z_loss")] = None
    warmup: Annotated[float | None, _option("Share of the steps in which the rate rises.", "warmup")] = None
    cooldown: Annotated[float | None, _option("Share of the steps in which the rate falls.", "cooldown")] = None
    clip_norm: Annotated[float | None, _option("Largest norm of a gradient.", "clip_norm")] = None
    average: Annotated[float | None, _option("Decay of the averaged weights, 0 for none.", "average")] = None
    minutes: Annotated[
        float | None, _option("Plan the steps so that training ends after so many minutes [default: --steps].")
    ] = None
    members: Annotated[
        int | None, _option("Models of seeds SEED, SEED + 1, ... whose conditionals are averaged [default: 1].")
    ] = None
    evaluate_every: Annotated[int | None, _option("Steps between validations.", "evaluate_every")] = None
    patience: Annotated[int | None, _option("Validations without a better one before the end.", "patience")] = None
    checkpoint_every: Annotated[
        int | None, _option("Steps between checkpoints [default: as often as costs a hundredth of the time].")
    ] = None
    keep: Annotated[int | None, _option("Checkpoints that are kept.", "keep")] = None
    sample_every: Annotated[int | None, _option("Steps between samples drawn while training [default: none].")] = None
    engine: Annotated[str | None, _option("Under torchrun: ddp, or fsdp to shard the optimizer.", "engine")] = None
    precision: Annotated[
        str | None, _option("Of the network in training: float32, float64, bfloat16 or float16.", "precision")
    ] = None
    compile: Annotated[bool | None, Parameter(negative="", help="Have torch compile the network for training.")] = None
    seed: Annotated[int | None, _option("Of weights, order and dropout.", "seed")] = None

    def chosen(self) -> dict[str, Any]:
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
    names = ("symbols", "documents", "field", "end", "pack", "window", "stride", "split")
    more = ("levels", "binarize", "given", "columns", "drop")
    named = {name: options.get(name) for name in (*names, *more)}
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
    if chosen.get("prior") is not None:
        defaults = defaults | {"weight_decay": 0.0}  # decay beside a prior would move its optimum
    return spec, TrainingSettings(**(defaults | chosen))


def _budget(options: dict[str, Any]) -> Budget | None:
    """The time that training may take, if the steps are planned from it."""
    from chainrule.training.budget import Budget

    if "minutes" not in options:
        return None
    if "steps" in options:
        raise InputError(f"--minutes {options['minutes']} plans the steps and --steps sets them; give one of the two")
    return Budget(options["minutes"], options.get("evaluate_every"))


def _console(json: bool) -> Console:
    from chainrule.report.console import Console

    return Console(json=json)


BatchSize = Annotated[int, Parameter(help="A matter of speed only.", validator=Number(gte=1))]
Json = Annotated[bool, Parameter(negative="", help="Print one JSON object on standard output, and nothing else there.")]
RunPath = Annotated[Path, Parameter(help="A run directory that `fit` made.")]


@app.command
def fit(
    source: Annotated[
        str | None, Parameter(name="DATA", help="digits, images, arrays, a table, text, JSON or FASTA.")
    ] = None,
    options: FitOptions | None = None,
    *,
    out: Annotated[Path | None, Parameter(help="The run directory [default: runs/NAME-K].")] = None,
    resume: Annotated[
        bool, Parameter(negative="", help="Go on with the run at --out; what is not given again is as it was.")
    ] = False,
    tensorboard: Annotated[bool, Parameter(negative="", help="Also log for TensorBoard.")] = False,
    config: Annotated[Path | None, Parameter(help="A TOML file with any of these options.")] = None,
    json: Json = False,
) -> None:
    """Train a model on DATA and report its exact log-likelihood."""
    from chainrule.commands.ensemble import fit_members
    from chainrule.commands.fit import fit_run
    from chainrule.run import recalled

    console = _console(json)
    merged = _read_config(config) | (options or FitOptions()).chosen()
    if resume:
        source, merged = recalled(out, source, merged)
    if source is None:
        raise InputError("fit needs DATA, such as digits, a folder of images, table.csv or book.txt")
    data = _open_data(source, merged)
    spec, settings = _specification(merged, data)
    asked = {"source": source, "options": merged}
    budget, members = _budget(merged), merged.get("members", 1)
    if members == 1:
        fit_run(data, spec, settings, out, console, resume=resume, tensorboard=tensorboard, asked=asked, budget=budget)
    else:
        fit_members(members, data, spec, settings, out, console, resume, tensorboard, asked, budget)


@app.command
def evaluate(
    run: RunPath,
    source: Annotated[str | None, Parameter(name="DATA", help="What to score [default: the run's own data].")] = None,
    *,
    split: Annotated[str, Parameter(help="Of the run's own data: train, valid or test.")] = "test",
    context: Annotated[int | None, Parameter(help="Sequences: elements of a window [default: the run's].")] = None,
    stride: Annotated[int | None, Parameter(help="Sequences: elements it moves on by [default: the run's].")] = None,
    carry: Annotated[
        bool, Parameter(negative="", help="A stream, a recurrent network: carry the state over the windows.")
    ] = False,
    calibration: Annotated[
        bool, Parameter(negative="", help="Also whether the conditionals mean what they say.")
    ] = False,
    save: Annotated[
        Path | None, Parameter(help="A .csv or .parquet file for ln p of each example; figures beside it.")
    ] = None,
    groups: Annotated[Path | None, Parameter(help="A .npy file or text with a label for each example.")] = None,
    batch_size: BatchSize = 256,
    json: Json = False,
) -> None:
    """Score every example once: nats/example, bits/dim and their standard errors."""
    from chainrule.commands.evaluate import evaluate_run

    evaluate_run(run, source, split, batch_size, _console(json), context, stride, calibration, save, groups, carry)


@app.command
def compare(
    first: Annotated[Path, Parameter(name="A", help="A run directory, or a CSV file with ln p of each example.")],
    *others: Annotated[Path, Parameter(name="B", help="Others of the same kinds.")],
    data: Annotated[str | None, Parameter(help="What to score with the runs [default: the first run's data].")] = None,
    split: Annotated[str, Parameter(help="Of the runs' own data: train, valid or test.")] = "test",
    block: Annotated[
        int | None,
        Parameter(help="Neighbours resampled together [default: 1, for the windows of a stream by their correlation]."),
    ] = None,
    batch_size: BatchSize = 256,
    json: Json = False,
) -> None:
    """Say which model is better on the same examples, by how much, and whether it is more than chance."""
    from chainrule.commands.compare import compare_models

    compare_models([first, *others], data, split, block, batch_size, _console(json))


@app.command
def report(
    run: RunPath,
    *,
    out: Annotated[Path | None, Parameter(help="An .html file [default: report.html in the run directory].")] = None,
    json: Json = False,
) -> None:
    """Write one self-contained page: figures, learning curve, samples, where the bits are, calibration, certificate."""
    from chainrule.commands.report import report_run

    report_run(run, out, _console(json))


@app.command
def verify(
    run: RunPath,
    *,
    quick: Annotated[bool, Parameter(negative="", help="The checks that matter most, in under three seconds.")] = False,
    json: Json = False,
) -> int:
    """Verify that the reported number is a log-likelihood; exit code 1 if it is not."""
    from chainrule.commands.verify import verify_run

    return verify_run(run, quick, _console(json))


@app.command
def sample(
    run: RunPath,
    *,
    n: Annotated[
        int | None, Parameter(name=["-n", "--number"], help="How many examples [default: 64, 1 with --stream].")
    ] = None,
    given: Annotated[str | None, Parameter(help="The condition of p(x | c): a label, or age=39,sex=F.")] = None,
    prefix: Annotated[
        str | None,
        Parameter(help="What each example starts with: text, a .npy file, or test:0.5 for half of a test one."),
    ] = None,
    out: Annotated[Path | None, Parameter(help="A .png, .npy, .csv or text file, or a folder of PNG.")] = None,
    seed: Annotated[int, Parameter(help="Draws are keyed by (seed, example, element).")] = 0,
    temperature: Annotated[float, Parameter(help="1 is the model itself.")] = 1.0,
    top_k: Annotated[int | None, Parameter(help="Keep the k most probable symbols only.")] = None,
    top_p: Annotated[float | None, Parameter(help="Keep the most probable symbols up to this mass only.")] = None,
    stream: Annotated[bool, Parameter(negative="", help="Text: show each symbol as it is drawn.")] = False,
    json: Json = False,
) -> None:
    """Draw examples from the model: its own distribution, nothing cut off, unless a filter is asked for."""
    from chainrule.commands.sample import sample_run

    filters = {"temperature": temperature, "top_k": top_k, "top_p": top_p}
    number = n if n is not None else 1 if stream else 64
    sample_run(run, number, out, seed, filters, _console(json), given, prefix, stream)


@app.command
def probe(
    run: RunPath,
    source: Annotated[str | None, Parameter(name="DATA", help="What to read [default: the run's own data].")] = None,
    *,
    labels: Annotated[Path | None, Parameter(help="A .npy file or text, one an example [default: the data's].")] = None,
    split: Annotated[str, Parameter(help="Of the run's own data: train, valid or test.")] = "test",
    segments: Annotated[int, Parameter(help="Averages an example, e.g. one for each row of an image.")] = 1,
    folds: Annotated[int, Parameter(help="Of the cross-validation.", validator=Number(gte=2))] = 5,
    json: Json = False,
) -> None:
    """Say how well a linear classifier reads labels off each layer: the representation that a model has learned."""
    from chainrule.commands.probe import probe_run

    probe_run(run, labels, source, split, segments, folds, _console(json))


@app.command
def classify(
    run: RunPath,
    source: Annotated[str | None, Parameter(name="DATA", help="What to read [default: the run's own data].")] = None,
    *,
    split: Annotated[str, Parameter(help="Of the run's own data: train, valid or test.")] = "test",
    batch_size: BatchSize = 256,
    json: Json = False,
) -> None:
    """Say which class each example is of, by Bayes from a model that was fitted with --given label."""
    from chainrule.commands.classify import classify_run

    classify_run(run, source, split, batch_size, _console(json))


@app.command
def score(
    run: RunPath,
    source: Annotated[str, Parameter(name="DATA", help="What to score.")],
    *,
    out: Annotated[Path | None, Parameter(help="A .csv or .jsonl file [default: CSV on standard output].")] = None,
    novelty: Annotated[bool, Parameter(negative="", help="Also typicality, ratio and conformal p-values.")] = False,
    background: Annotated[Path | None, Parameter(help="A run whose likelihood is taken out of the ratio.")] = None,
    batch_size: BatchSize = 256,
    json: Json = False,
) -> None:
    """Print ln p(x) of every example of DATA, in nats, and how strange it is if so asked."""
    from chainrule.commands.score import score_run

    score_run(run, source, out, batch_size, _console(json), novelty, background)


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
    """Run a command; 0 on success, 1 if verification fails, 2 and one line on standard error for unusable input."""
    warnings.showwarning = lambda message, *_: print(f"warning: {message}", file=sys.stderr)
    try:
        code = app(arguments, exit_on_error=False, print_error=False, result_action="return_value")
    except InputError as error:
        return _fail(str(error))
    except CycloptsError as error:
        return _fail(str(error))
    except Interrupted as end:
        return _fail(str(end), code=end.code)
    except KeyboardInterrupt:
        return _fail("interrupted", code=130)
    return code if isinstance(code, int) else 0


def _fail(message: str, code: int = 2) -> int:
    print("error:", " ".join(message.split()), file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
