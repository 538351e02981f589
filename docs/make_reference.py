"""The API reference: every public name, from its docstring, as static pages that open from disk.

python docs/make_reference.py [DIRECTORY]          by default build/docs
"""

from __future__ import annotations

import importlib
import pkgutil
import re
import sys
import warnings
from html import escape
from pathlib import Path
from types import ModuleType

import pdoc
from pdoc import docstrings, render

PARAMETER = re.compile(r"^(\*{0,2}[a-z_][\w, *]*): (?=\S)")  # a line of a docstring that says what a parameter is
PROMPT = ">>>"


def public_modules() -> list[ModuleType]:
    """The package and all modules inside it, none of whose names begins with an underscore."""
    package = importlib.import_module("chainrule")
    names = [module.name for module in pkgutil.walk_packages(package.__path__, "chainrule.")]
    public = (name for name in names if not any(part.startswith("_") for part in name.split(".")))
    return [package, *map(importlib.import_module, public)]


def with_parameters(docstring: str) -> str:
    r"""A docstring as Markdown in which each parameter is a line of a list.

    >>> print(with_parameters("Scale x.\n\nx: reals, shape (B, D).\nby: a factor."))
    Scale x.
    <BLANKLINE>
    - **x**: reals, shape (B, D).
    - **by**: a factor.
    """
    lines, in_session = [], False
    for line in docstring.splitlines():
        in_session = line.startswith(PROMPT) or (in_session and bool(line.strip()))
        lines.append(line if in_session else PARAMETER.sub(r"- **\1**: ", line))
    return "\n".join(lines)


def make_reference(directory: Path) -> None:
    """Write the pages into a directory."""
    convert = docstrings.convert

    def convert_ours(docstring: str, docformat: str, source_file: Path | None) -> str:
        ours = source_file is not None and "chainrule" in source_file.parts
        return convert(with_parameters(docstring) if ours else docstring, docformat, source_file)

    docstrings.convert = convert_ours
    modules = public_modules()
    for module in modules:
        for name in getattr(module, "__all__", ()):
            vars(module).setdefault(name, getattr(module, name))  # those that are imported on first use, too
    render.configure(docformat="markdown", math=False, search=False, show_source=False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a folder names its modules, and so do we
        pdoc.pdoc(*(module.__name__ for module in modules), output_directory=directory)
    (directory / "index.html").write_text(index_page(modules), encoding="utf-8")


def index_page(modules: list[ModuleType]) -> str:
    """One line for each module: its name, linked, and the first line of its docstring."""
    lines = []
    for module in modules:
        summary = escape((module.__doc__ or "").strip().partition("\n")[0])
        link = f'<a href="{module.__name__.replace(".", "/")}.html">{module.__name__}</a>'
        lines.append(f'<li style="margin-left: {2 * module.__name__.count(".")}em">{link} {summary}</li>')
    style = "body { font: 16px/1.5 sans-serif; max-width: 60em; margin: 2em auto } ul { list-style: none }"
    return f"""<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>chainrule</title><style>{style}</style></head>
<body>
<h1>chainrule: every module and every public name</h1>
<ul>
{"".join(lines)}
</ul>
</body>
</html>
"""


if __name__ == "__main__":
    make_reference(Path(sys.argv[1] if len(sys.argv) > 1 else "build/docs"))
