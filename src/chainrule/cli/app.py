"""The command line. Thin: each command opens, calls and prints.

Torch is imported inside the commands, so that `--help` stays quick.
"""

from __future__ import annotations

import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, CycloptsError, Parameter
from cyclopts.validators import Number

from chainrule import __version__
from chainrule.config.old_names import with_new_flags
from chainrule.config.options import FitOptions, budget_of, members_of, opened, read_config, specification
from chainrule.errors import InputError, Interrupted

if TYPE_CHECKING:
    from chainrule.reporting.console import Console

__all__ = ["app", "main"]

app = App(name="chainrule", version=__version__, help="Autoregressive models by their exact log-likelihood.")


def _console(json: bool) -> Console:
    from chainrule.reporting.console import Console

    return Console(json=json)


BatchSize = Annotated[
    int | None,
    Parameter(help="A matter of speed only [default: by the length of the examples].", validator=Number(gte=1)),
]
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
    from chainrule.runs.ensemble import fit_members
    from chainrule.runs.fit import fit_run
    from chainrule.runs.recalled import recalled

    console = _console(json)
    merged = read_config(config) | (options or FitOptions()).chosen()
    if resume:
        source, merged = recalled(out, source, merged)
    if source is None:
        raise InputError("fit needs DATA, such as digits, a folder of images, table.csv or book.txt")
    data = opened(source, merged)
    spec, settings = specification(merged, data)
    asked = {"source": source, "options": merged}
    budget, members = budget_of(merged), members_of(merged, data)
    if members == 1:
        fit_run(data, spec, settings, out, console, resume=resume, tensorboard=tensorboard, asked=asked, budget=budget)
    else:
        fit_members(members, data, spec, settings, out, console, resume, tensorboard, asked, budget)


@app.command(name="import")
def import_(
    model: Annotated[Path, Parameter(help="A local directory with a language model of Hugging Face.")],
    source: Annotated[str, Parameter(name="DATA", help="A text file, a folder of texts or JSON lines.")],
    *,
    out: Annotated[Path | None, Parameter(help="The run directory [default: runs/NAME-K].")] = None,
    documents: Annotated[
        str | None, Parameter(help="line, file, a separator, or stream for one long text [default: by content].")
    ] = None,
    field: Annotated[str | None, Parameter(help="JSON lines: the field to read [default: text].")] = None,
    end: Annotated[str | None, Parameter(help="Documents: scored for p(x, T), given for p(x | T).")] = None,
    window: Annotated[
        int | None,
        Parameter(help="Tokens that are read at once [default: as in fit, as far as the model reads]."),
    ] = None,
    stride: Annotated[int | None, Parameter(help="Tokens the window moves on [default: window / 2].")] = None,
    split: Annotated[str | None, Parameter(help="Shares of train/valid/test [default: 80/10/10].")] = None,
    start: Annotated[int | None, Parameter(help="The token before every window [default: the model's own].")] = None,
    json: Json = False,
) -> None:
    """Make a run of a Hugging Face language model, to evaluate, compare, sample, probe and score with it."""
    from chainrule.cli.importing import import_model

    options = {"documents": documents, "field": field, "end": end, "window": window, "stride": stride, "split": split}
    import_model(model, source, out, options, start, _console(json))


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
    batch_size: BatchSize = None,
    json: Json = False,
) -> None:
    """Score every example once: nats/example, bits/dim and their standard errors."""
    from chainrule.cli.evaluate import evaluate_run

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
    batch_size: BatchSize = None,
    json: Json = False,
) -> None:
    """Say which model is better on the same examples, by how much, and whether it is more than chance."""
    from chainrule.cli.compare import compare_models

    compare_models([first, *others], data, split, block, batch_size, _console(json))


@app.command
def report(
    run: RunPath,
    *,
    out: Annotated[Path | None, Parameter(help="An .html file [default: report.html in the run directory].")] = None,
    json: Json = False,
) -> None:
    """Write one self-contained page: figures, learning curve, samples, where the bits are, calibration, certificate."""
    from chainrule.cli.report import report_run

    report_run(run, out, _console(json))


@app.command
def verify(
    run: RunPath,
    *,
    quick: Annotated[bool, Parameter(negative="", help="The checks that matter most, in under three seconds.")] = False,
    json: Json = False,
) -> int:
    """Verify that the reported number is a log-likelihood; exit code 1 if it is not."""
    from chainrule.cli.verify import verify_run

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
    compile: Annotated[
        bool, Parameter(negative="", help="Compile the step first (20 s); several times as fast for many elements.")
    ] = False,
    parallel: Annotated[
        bool, Parameter(negative="", help="The same draws by fixed-point iteration, in fewer passes.")
    ] = False,
    json: Json = False,
) -> None:
    """Draw examples from the model: its own distribution, nothing cut off, unless a filter is asked for."""
    from chainrule.cli.sample import sample_run

    filters = {"temperature": temperature, "top_k": top_k, "top_p": top_p}
    number = n if n is not None else 1 if stream else 64
    sample_run(run, number, out, seed, filters, _console(json), given, prefix, stream, compile, parallel)


@app.command
def probe(
    run: RunPath,
    source: Annotated[str | None, Parameter(name="DATA", help="What to read [default: the run's own data].")] = None,
    *,
    labels: Annotated[Path | None, Parameter(help="A .npy file or text, one an example [default: the data's].")] = None,
    split: Annotated[str, Parameter(help="Of the run's own data: train, valid or test.")] = "test",
    segments: Annotated[
        int, Parameter(help="Averages an example, e.g. one for each row of an image.", validator=Number(gte=1))
    ] = 1,
    folds: Annotated[int, Parameter(help="Of the cross-validation.", validator=Number(gte=2))] = 5,
    json: Json = False,
) -> None:
    """Say how well a linear classifier reads labels off each layer: the representation that a model has learned."""
    from chainrule.cli.probe import probe_run

    probe_run(run, labels, source, split, segments, folds, _console(json))


@app.command
def classify(
    run: RunPath,
    source: Annotated[str | None, Parameter(name="DATA", help="What to read [default: the run's own data].")] = None,
    *,
    split: Annotated[str, Parameter(help="Of the run's own data: train, valid or test.")] = "test",
    batch_size: BatchSize = None,
    json: Json = False,
) -> None:
    """Say which class each example is of, by Bayes from a model that was fitted with --given label."""
    from chainrule.cli.classify import classify_run

    classify_run(run, source, split, batch_size, _console(json))


@app.command
def score(
    run: RunPath,
    source: Annotated[str, Parameter(name="DATA", help="What to score.")],
    *,
    out: Annotated[Path | None, Parameter(help="A .csv or .jsonl file [default: CSV on standard output].")] = None,
    novelty: Annotated[bool, Parameter(negative="", help="Also typicality, ratio and conformal p-values.")] = False,
    background: Annotated[Path | None, Parameter(help="A run whose likelihood is taken out of the ratio.")] = None,
    batch_size: BatchSize = None,
    json: Json = False,
) -> None:
    """Print ln p(x) of every example of DATA, in nats, and how strange it is if so asked."""
    from chainrule.cli.score import score_run

    score_run(run, source, out, batch_size, _console(json), novelty, background)


@app.command
def reproduce(
    *names: Annotated[str, Parameter(name="NAME", help="Recipes or families of them [default: list what there is].")],
    every: Annotated[bool, Parameter(name="--all", negative="", help="Every recipe, one after the other.")] = False,
    table: Annotated[bool, Parameter(negative="", help="Only write docs/results.md from the records.")] = False,
    data: Annotated[
        Path | None, Parameter(help="The directory of the data sets [default: CHAINRULE_DATA, ../shared/data].")
    ] = None,
    out: Annotated[Path, Parameter(help="The directory of the runs, one a recipe.")] = Path("runs/reproduce"),
    minutes: Annotated[float | None, Parameter(help="Of training, instead of the recipe's budget.")] = None,
    threads: Annotated[int | None, Parameter(help="Of torch.", validator=Number(gte=1))] = None,
    seed: Annotated[int | None, Parameter(help="Of weights, order and dropout [default: 0].")] = None,
    smoke: Annotated[bool, Parameter(negative="", help="Two steps on a few examples: does it run at all?")] = False,
    resume: Annotated[bool, Parameter(negative="", help="Go on with the runs at --out; finished ones stay.")] = False,
    json: Json = False,
) -> int:
    """Have a published number again: train by its recipe, verify, score, and write records/NAME.json."""
    from chainrule.cli.reproduce import reproduce_recipes

    return reproduce_recipes(names, every, table, data, out, minutes, threads, smoke, seed, resume, _console(json))


@app.command
def info(
    run: Annotated[Path | None, Parameter(help="A run directory; none: the parts that there are.")] = None,
    *,
    json: Json = False,
) -> None:
    """Say what a run directory holds, or which networks, heads and defaults there are."""
    from chainrule.cli.info import info_parts, info_run

    if run is None:
        info_parts(_console(json))
    else:
        info_run(run, _console(json))


def main(arguments: list[str] | None = None) -> int:
    """Run a command; 0 on success, 1 if verification fails, 2 and one line on standard error for unusable input."""
    warnings.showwarning = lambda message, *_: print(f"warning: {message}", file=sys.stderr)
    try:
        words = with_new_flags(sys.argv[1:] if arguments is None else arguments)
        code = app(words, exit_on_error=False, print_error=False, result_action="return_value")
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
