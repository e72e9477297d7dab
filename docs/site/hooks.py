"""Hooks of MkDocs (`hooks` in mkdocs.yml): collect the pages of the site.

The site is built from a copy of PAGES in their own folders, with README.md as the front page. So
the relative links among README.md, docs/ and the model card are the same on GitHub and in the site,
and `mkdocs build --strict` checks them. The notebook's cells become a page, without running it.
"""

import json
import shutil
import tempfile
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig

PAGES = (
    "README.md", "CHANGELOG.md", "CONTRIBUTING.md", "LICENSE", "adff_tf/pretrained/LICENSE",
    "adff_tf/pretrained/model_card.md", "recipes/README.md", "recipes/music/__init__.py",
    "docs/*.md", "docs/*.ipynb", "docs/images/*", "docs/site/*.css",
)  # fmt: skip
_COPY = tempfile.TemporaryDirectory(prefix="adff-site-")  # removed when the program ends


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Copy the pages, and have MkDocs read the copy."""
    repository, copy = Path(config.config_file_path).parent, Path(_COPY.name)
    for file in (file for pattern in PAGES for file in sorted(repository.glob(pattern))):
        target = copy / file.relative_to(repository)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, target)
        if file.suffix == ".ipynb":
            target.with_suffix(".md").write_text(notebook_page(file))
    config.docs_dir = str(copy)
    return config


def notebook_page(file: Path) -> str:
    """Return a notebook as Markdown: its text, its code in fences, and a link to the file."""
    parts = []
    for cell in json.loads(file.read_text())["cells"]:
        text = "".join(cell["source"])
        parts.append(text if cell["cell_type"] == "markdown" else f"```python\n{text}\n```")
    title, *rest = parts
    return "\n\n".join([title, f"This page is the notebook [{file.name}]({file.name}).", *rest])
