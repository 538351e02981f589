"""Write `docs/files.md`, the page of the JSON files of a run."""

from pathlib import Path

from chainrule.runs.files_text import files_page

if __name__ == "__main__":
    (Path(__file__).parent / "files.md").write_text(files_page(), encoding="utf-8")
