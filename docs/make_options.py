"""Write `docs/options.md`, the page of all options of `fit`."""

from pathlib import Path

from chainrule.config.options_text import options_page

if __name__ == "__main__":
    (Path(__file__).parent / "options.md").write_text(options_page(), encoding="utf-8")
