"""`chainrule sample`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from chainrule.cli.options import Json, MovedTo, RunPath, console_of, flag

if TYPE_CHECKING:
    from chainrule.reporting.console import Console
    from chainrule.runs.sample import SampleResult

__all__ = ["sample"]

SampleFile = Annotated[
    Path | None,
    Parameter(help="A .png, .npy, .csv or text file, or a folder of PNG [default: in RUN; text: printed]."),
]

Prefix = Annotated[
    str | None,
    Parameter(help="What each example starts with: text, a .npy file, or test:0.5 for half of a test example."),
]
Compile = Annotated[
    bool | None,
    Parameter(help="Compile the step (20 s, kept in a cache), or never [default: where it is in the cache, or pays]."),
]
TextLength = Annotated[
    int | None, Parameter(help="Text: symbols of an example [default: those that the model reads at once].")
]


def sample(
    run: RunPath,
    /,
    *,
    n: Annotated[
        int | None, Parameter(name=["-n", "--number"], help="Number of examples [default: 64, 1 with --stream].")
    ] = None,
    given: Annotated[
        str | None, Parameter(help="The condition of p(x | c): a label, or columns such as age=39,sex=F.")
    ] = None,
    prefix: Prefix = None,
    length: TextLength = None,
    out: SampleFile = None,
    seed: Annotated[int, Parameter(help="Draws are keyed by (seed, example, element).")] = 0,
    temperature: Annotated[float, Parameter(help="Temperature of the draws; 1 is the model itself.")] = 1.0,
    top_k: Annotated[int | None, Parameter(help="Keep only the k most probable symbols [default: all].")] = None,
    top_p: Annotated[
        float | None, Parameter(help="Keep only the most probable symbols up to this mass [default: all].")
    ] = None,
    stream: Annotated[bool, flag("Text: show each symbol as it is drawn.")] = False,
    compile: Compile = None,
    parallel: Annotated[bool, flag("The same draws by fixed-point iteration, in fewer passes.")] = False,
    moved_to: MovedTo = None,
    json: Json = False,
) -> None:
    """Draw examples from the model: its own distribution, nothing cut off, unless a filter is asked for."""
    from chainrule.runs.run import Run
    from chainrule.runs.sample import default_sample_file

    console, opened = console_of(json), Run.open(run)
    result = opened.sample(
        n,
        given=given,
        prefix=prefix,
        length=length,
        out=default_sample_file(opened, seed) if out is None else out,
        seed=seed,
        temperature=temperature,
        top_k=top_k,
        top_p=top_p,
        stream=console.write if stream else False,
        compile=compile,
        parallel=parallel,
        moved_to=moved_to,
        progress=console.progress,
    )
    if result.compiled and compile is None:
        console.remark("drawn by a compiled step; --no-compile takes the eager one")
    _show(result, console, text="" if stream else None if json else result.text)
    console.result(result.to_json())


def _show(result: SampleResult, console: Console, text: str | None) -> None:
    """Where the samples stand, or the samples themselves; "" where they were shown as they came."""
    if text == "":
        console.write("\n")
    if result.passes is not None:
        console.print(f"{result.passes} passes for {result.steps} steps")
    if result.out is not None:
        mean = float(result.sample.log_prob.mean())
        console.print(f"{len(result)} samples: {result.out}, mean ln p {mean:.2f} nats")
    elif text:
        console.write(text + "\n")
