"""What `mkdocs build` asks of the code: pages that are generated, and links that lead out of docs/.

docs/*.md are read as they are, on a code host and by MkDocs. What the code says better than a text written beside it
(commands, recipes' settings, the public names) is generated here when the site is built, so that it can't drift; a file
outside docs/ that a page links is taken into the site.
"""

from __future__ import annotations

import json
import posixpath
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
import typer
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parent.parent
LINK = re.compile(r"(!?)\[((?:[^\[\]]|\[[^\]]*\])*)\]\(([^)\s#]+)(#[^)\s]*)?\)")

WORKER = re.compile(r"https://[\w./-]+/iframe-worker/shim")

SAID_BY = {"README.md": "index.md", "src/lostfound/recipes/training": "settings.md"}
"""Pages that say what those of the repository say."""

OF_THE_REPOSITORY = {"CHANGELOG.md": "changes.md", "CONTRIBUTING.md": "contributing.md"}
"""Pages of the site that lie outside docs/, by their place in the repository; others that are linked join them."""


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the generated pages, and those files of the repository that pages link."""
    for name, text in ((name, make()) for name, make in GENERATED.items()):
        files.append(File.generated(config, name, content=text))
    waiting = [*OF_THE_REPOSITORY, *(f"docs/{each.src_uri}" for each in files if _is_source_page(each))]
    seen = set(waiting)
    while waiting:
        source = waiting.pop()
        if not source.startswith("docs/"):
            _add(files, config, source)
        if source.endswith(".md"):
            linked = set(_linked_files(source)) - seen
            seen |= linked
            waiting += sorted(linked)
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Make links of the repository links of the site; those to what is no part of it become plain text."""
    if page.file.src_uri in GENERATED:
        return markdown
    if page.file.src_uri.startswith("repository/benchmarks/"):
        page.meta["search"] = {"exclude": True}  # long tables, which pages say in a sentence
    source = next((a for a, b in OF_THE_REPOSITORY.items() if b == page.file.src_uri), None)
    source = source or page.file.src_uri.removeprefix("repository/")
    source = source if (ROOT / source).is_file() else f"docs/{source}"

    def replaced(match: re.Match[str]) -> str:
        picture, text, target, anchor = match.groups()
        if "://" in target or target.startswith("mailto:"):
            return match.group()
        site = _site_path(_resolved(source, target))
        if files.get_file_from_path(site) is None:
            if source.startswith("docs/") and not target.startswith("../"):
                return match.group()  # a link that leads nowhere: MkDocs says so
            return text
        relative = posixpath.relpath(site, posixpath.dirname(page.file.src_uri) or ".")
        return f"{picture}[{text}]({relative}{anchor or ''})"

    return "".join(_outside_code(markdown, lambda text: LINK.sub(replaced, text)))


def on_post_page(output: str, page: Page, config: MkDocsConfig) -> str:
    """Take from the site what Material would have from the net to search in pages that are opened from a folder."""
    return WORKER.sub(posixpath.relpath("site/iframe-worker.js", posixpath.dirname(page.url) or "."), output)


def on_post_template(output_content: str, template_name: str, config: MkDocsConfig) -> str:
    """The same for the page of what isn't there."""
    return WORKER.sub("site/iframe-worker.js", output_content)


def on_post_build(config: MkDocsConfig) -> None:
    """Leave out what Material brings and this site never asks for: lists of words for searching in other languages."""
    shutil.rmtree(Path(config.site_dir) / "assets" / "javascripts" / "lunr", ignore_errors=True)


def _is_source_page(file: File) -> bool:
    return file.is_documentation_page() and file.src_uri not in GENERATED


def _add(files: Files, config: MkDocsConfig, source: str) -> None:
    site = _site_path(source)
    if site.endswith(".md"):
        text = (ROOT / source).read_text(encoding="utf-8")
        files.append(File.generated(config, site, content=text))
    else:
        files.append(File.generated(config, site, abs_src_path=str(ROOT / source)))


def _linked_files(source: str) -> Iterator[str]:
    """The files outside docs/ that a page links."""
    for part in _code_or_text((ROOT / source).read_text(encoding="utf-8")):
        if part.startswith(("```", "`")):
            continue
        for _, _, target, _ in LINK.findall(part):
            if "://" not in target:
                path = _resolved(source, target)
                if not path.startswith(("docs/", "..")) and path != "README.md" and (ROOT / path).is_file():
                    yield path


def _resolved(source: str, target: str) -> str:
    """Where a link of a file of the repository leads to, from the repository's root."""
    return posixpath.normpath(posixpath.join(posixpath.dirname(source), target))


def _site_path(path: str) -> str:
    """Where a file of the repository lies in the site."""
    if path in SAID_BY:
        return SAID_BY[path]
    if path.startswith("docs/"):
        return path.removeprefix("docs/")
    return OF_THE_REPOSITORY.get(path, f"repository/{path}")


def _code_or_text(markdown: str) -> list[str]:
    """The parts of a page; code begins with a backtick."""
    return re.split(r"(^```.*?^```$|`[^`\n]*`)", markdown, flags=re.MULTILINE | re.DOTALL)


def _outside_code(markdown: str, change: Callable[[str], str]) -> Iterator[str]:
    """A page with its fenced blocks as they are; text within a link may hold code."""
    for part in re.split(r"(^```.*?^```$)", markdown, flags=re.MULTILINE | re.DOTALL):
        yield part if part.startswith("```") else change(part)


# The commands


def commands_page() -> str:
    """Every command with its options, as `--help` has them."""
    from lostfound.cli import app

    root = typer.main.get_command(app)
    lines = [
        "# All commands",
        "",
        "Made from the code when this site is built: what `lostfound COMMAND --help` says. Exit codes, and JSON that stays:"
        " [the command line](command-line.md).",
        "",
        *_options(root, click.Context(root, info_name="lostfound")),
    ]
    for context in _commands(root, "lostfound"):
        lines += _command(context)
    return "\n".join(lines) + "\n"


def _commands(group: Any, name: str, above: Any = None) -> Iterator[Any]:
    """A context for each command, those of groups after their group."""
    context = click.Context(group, info_name=name, parent=above)
    for each in group.list_commands(context):
        command = group.get_command(context, each)
        if command.hidden:
            continue
        inner = click.Context(command, info_name=each, parent=context)
        yield inner
        if hasattr(command, "list_commands"):
            yield from _commands(command, each, context)


def _command(context: Any) -> list[str]:
    command = context.command
    depth = context.command_path.count(" ")
    lines = ["", f"#{'#' * depth} {context.command_path}", ""]
    usage = " ".join(command.collect_usage_pieces(context))
    lines += ["```text", f"{context.command_path} {usage}", "```", ""]
    lines += [_plain(paragraph) + "\n" for paragraph in (command.help or "").split("\n\n")]
    lines += _options(command, context)
    if command.epilog:
        example = command.epilog.replace("\b", "").strip().removeprefix("Example:")
        lines += ["```sh", *(line.strip() for line in example.strip().splitlines()), "```"]
    return lines


def _options(command: Any, context: Any) -> list[str]:
    """A table of a command's options."""
    records = [each.get_help_record(context) for each in command.get_params(context)]
    rows = [record for record in records if record and not record[0].startswith("-h")]
    if not rows:
        return []
    written = [f"| `{_cell(names)}` | {_cell(_plain(meaning))} |" for names, meaning in rows]
    return ["| option | meaning |", "|---|---|", *written, ""]


def _plain(text: str) -> str:
    """A help text on one line, with what Markdown would read otherwise written out (not within backticks)."""
    parts = re.split(r"(`[^`]*`)", " ".join(text.replace("\b", "").split()))
    return "".join(each if each.startswith("`") else re.sub(r"([*_<>\[\]])", r"\\\1", each) for each in parts)


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


# Recipes and their settings


def settings_page() -> str:
    """All settings of training and preparing recipes, and each recipe as its file says it."""
    from importlib.resources import files

    from lostfound.training.recipe import RECIPES, load_recipe, packaged_recipes

    lines = [
        "# Recipes and their settings",
        "",
        "Made from the code when this site is built. `lostfound recipes NAME` says the same of any recipe, of your own too;"
        " each key can be changed with `--set KEY=VALUE`. [What recipes are](recipes.md).",
        "",
        "## All settings of a training",
        "",
        "The task's are those of `classify`; other tasks have their own, as the recipes below show.",
        "",
        *_settings_table(load_recipe("countries")),
        "",
    ]
    for recipe in packaged_recipes():
        lines += [f"## {recipe.name}", "", f"{recipe.about.rstrip('.')}.", ""]
        lines += _file(RECIPES / f"{recipe.name}.yaml")
    lines += ["## Preparing", "", "For `lostfound prepare --recipe` ([how](data.md)).", ""]
    for entry in sorted((files("lostfound") / "recipes" / "preparing").iterdir(), key=lambda each: each.name):
        if entry.name.endswith(".yaml"):
            lines += [f"### {entry.name.removesuffix('.yaml')}", "", *_file(entry)]
    return "\n".join(lines) + "\n"


def _settings_table(recipe: Any) -> list[str]:
    from lostfound.settings import describe_settings

    rows = ["| setting | default | meaning |", "|---|---|---|"]
    for each in describe_settings(recipe):
        default = "required" if each.required else f"`{_cell(_written(each.default))}`"
        rows.append(f"| `{each.key}` | {default} | {_cell(_plain(each.meaning))} |")
    return rows


def _written(value: Any) -> str:
    if isinstance(value, str):
        return value
    return json.dumps(value, default=lambda each: each.model_dump(mode="json"))


def _file(path: Any) -> list[str]:
    return ["```yaml", path.read_text(encoding="utf-8").strip(), "```", ""]


# The public names


def names_page() -> str:
    """The docstrings of all that is public, read where each is defined, without loading it."""
    import lostfound

    errors = [name for name in lostfound.__all__ if name.endswith("Error")]
    names = [name for name in lostfound.__all__ if name not in errors and name != "__version__"]
    lines = [
        "# Public names",
        "",
        "Made from the docstrings when this site is built; [the Python API](api.md) says how they go together.",
        "",
    ]
    for name in names:
        module = "lostfound" if name == "load" else f"lostfound.{lostfound._MODULES[name]}"
        lines += [f"::: {module}.{name}", ""]
    lines += ["## Errors", ""]
    for name in errors:
        lines += [f"::: lostfound.errors.{name}", "    options:", "      heading_level: 3", ""]
    return "\n".join(lines)


GENERATED: dict[str, Callable[[], str]] = {
    "commands.md": commands_page,
    "settings.md": settings_page,
    "names.md": names_page,
}
