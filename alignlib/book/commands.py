"""The commands of ``alignlib``: they read the command line, call the room that does the work, and print."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from alignlib.book import chapters as book_chapters
from alignlib.book.chapters import DEFAULT_PROFILE, Chapter
from alignlib.book.record_commands import record, sweep, verify
from alignlib.book.root import find_root
from alignlib.errors import AlignlibError

if TYPE_CHECKING:
    from alignlib.book.reference import ChapterCheck

CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 110}

_profile = click.option(
    "--profile", default=DEFAULT_PROFILE, show_default=True, help="Which form of the book: a file in profiles/."
)
_chapters = click.argument("chapters", nargs=-1, metavar="[CHAPTER]...")


@click.group(context_settings=CONTEXT)
@click.version_option(package_name="alignlib")
def commands() -> None:
    """An executable book on learning without weight transport.

    A CHAPTER is its number, its name, a part of its name, or a path.
    """


@commands.command()
@_profile
@click.option("--jobs", default=2, show_default=True, type=click.IntRange(1), help="Chapters side by side.")
@click.option("--force", is_flag=True, help="Execute every chapter, also where nothing changed.")
def build(profile: str, jobs: int, force: bool) -> None:
    """Execute what changed, check it against expected/, and build the HTML."""
    from alignlib.book.build import build as build_book

    report = build_book(find_root(), profile, jobs=jobs, force=force, say=_say)
    ran = sum(execution.ran for execution in report.executions)
    click.echo(f"\n{report}\n\n{ran} of {len(report.executions)} chapters executed. The book: {report.site.index}")


@commands.command()
@_profile
@_chapters
def check(profile: str, chapters: tuple[str, ...]) -> None:
    """Compare the executed chapters with expected/."""
    from alignlib.book.reference import check as check_book

    root = find_root()
    checks = check_book(root, profile, _named(root, chapters))
    _report(checks)


@commands.command("arithmetics")
@_profile
@click.argument("name", required=False)
@_chapters
@click.option("--sample", type=click.IntRange(1), help="So many chapters, drawn by chance.")
@click.option(
    "--seed", default=0, show_default=True, help="What draws the sample, and the arithmetic called `another`."
)
@click.option("--jobs", default=2, show_default=True, type=click.IntRange(1), help="Chapters side by side.")
def run_under(
    profile: str, name: str | None, chapters: tuple[str, ...], sample: int | None, seed: int, jobs: int
) -> None:
    """List the arithmetics of this machine, or execute the book under the one called NAME and check it.

    Another arithmetic rounds otherwise, as another processor does. `another` draws one. What was executed is kept
    apart from the book, and is not executed again while nothing changes.
    """
    from alignlib.book import arithmetics, under

    if name is None:
        click.echo(under.listed())
        return
    root = find_root()
    arithmetic = arithmetics.another(seed) if name == "another" else arithmetics.named(name)
    chosen = under.drawn(root, _named(root, chapters), sample, seed)
    click.echo(f"Under {arithmetic.name}: {arithmetic.about}.")
    checks = under.execute_and_check(root, profile, arithmetic, chosen, jobs=jobs, say=_say)
    _report(checks)


@commands.command("update-expected")
@_profile
@_chapters
@click.option("--under", "names", multiple=True, metavar="NAME", help="An arithmetic; repeatable  [default: the usual]")
@click.option("--jobs", default=2, show_default=True, type=click.IntRange(1), help="Chapters side by side.")
def update_expected(profile: str, chapters: tuple[str, ...], names: tuple[str, ...], jobs: int) -> None:
    """Make what the executed chapters show the new reference, and print what changes.

    The chapters are executed under other arithmetics before: what these do to a number is its tolerance. That takes as
    often as long as a build as there are arithmetics; what was executed is kept, so it may be stopped and gone on with.
    """
    from alignlib.book import arithmetics, under

    root = find_root()
    chosen = [arithmetics.named(name) for name in names] or arithmetics.usual(profile)
    click.echo(under.update(root, profile, _named(root, chapters), chosen, jobs=jobs, say=_say))


@commands.command("run", add_help_option=False)
@click.argument("chapter", required=False)
@click.option("-p", "given", nargs=2, multiple=True, metavar="NAME VALUE", help="A parameter; may be repeated.")
@_profile
@click.option("--out", type=click.Path(path_type=Path), help="Folder for the run  [default: runs/NN-name]")
@click.option("-h", "--help", "wants_help", is_flag=True, help="Show this, or the parameters of CHAPTER.")
@click.pass_context
def run_chapter(
    context: click.Context,
    chapter: str | None,
    given: tuple[tuple[str, str], ...],
    profile: str,
    out: Path | None,
    wants_help: bool,
) -> None:
    """Execute one CHAPTER with your parameters and compare it with the book's.

    `alignlib run CHAPTER --help` lists the parameters. Lists are written 0,1,2.
    """
    if wants_help and chapter is None:
        click.echo(context.get_help())
        return
    if chapter is None:
        raise click.UsageError("name a chapter; `alignlib list` lists them.", context)
    from alignlib.book import rerun

    root = find_root(Path(chapter).parent if chapter.endswith(".ipynb") else None)
    chosen = book_chapters.resolve(root, chapter)
    settings = book_chapters.profile_values(root, profile).get(chosen.name, {})
    if wants_help:
        click.echo(f"{chosen.name}, profile {profile}\n\n{rerun.describe_parameters(chosen, settings)}\n")
        click.echo(f"alignlib run {chosen.number} -p NAME VALUE [-p NAME VALUE]... [--out FOLDER]")
        return
    values = book_chapters.parse(chosen, given)
    report = rerun.rerun(root, chosen, values, profile=profile, out=out, say=click.echo)
    click.echo(f"\n{report}\n\n{report.seconds:.0f} s. Notebook, figures and comparison.md: {report.folder}")


@commands.command("cite")
@click.argument("figure")
@click.option("--profile", help="The profile whose figure is meant  [default: the one built last]")
def cite_figure(figure: str, profile: str | None) -> None:
    """Print how to cite FIGURE, where it stands, and how to make it again."""
    from alignlib.book.cite import cite

    click.echo(cite(find_root(), figure, profile))


@commands.command("list")
def list_chapters() -> None:
    """List the chapters."""
    for chapter in book_chapters.discover(find_root()):
        click.echo(chapter.name)


for command in (record, sweep, verify):
    commands.add_command(command)


def _report(checks: Sequence[ChapterCheck]) -> None:
    """Print how chapters compare with their reference; AlignlibError where they do not agree."""
    from alignlib.book import build as building

    click.echo(building.summary(checks))
    click.echo(f"\n{building.nearest_to_turning(checks)}")
    if not all(each.ok for each in checks):
        raise AlignlibError(building.failures(checks))


def _say(text: str) -> None:
    """Print a line, above the progress bars if there are any."""
    from tqdm import tqdm

    tqdm.write(text)


def _named(root: Path, names: tuple[str, ...]) -> list[Chapter] | None:
    return [book_chapters.resolve(root, name) for name in names] or None
