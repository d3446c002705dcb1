"""The commands about runs that are kept: making records, checking them, and sweeps."""

from __future__ import annotations

from pathlib import Path

import click

from alignlib.book.root import RECORDS, find_root
from alignlib.errors import AlignlibError

_workers = click.option("--workers", type=click.IntRange(1), help="Processes side by side  [default: one a core]")
_scheduler = click.option("--scheduler", metavar="tcp://HOST:PORT", help="Run on the workers of this Dask scheduler.")


@click.command()
@click.argument("pattern", default="*")
@click.option("--plan", "plan_file", type=click.Path(path_type=Path), help="The plan  [default: records/plan.yml]")
@click.option("--list", "only_list", is_flag=True, help="Only list what is missing.")
@_workers
@_scheduler
def record(pattern: str, plan_file: Path | None, only_list: bool, workers: int | None, scheduler: str | None) -> None:
    """Make the records that the plan lists and that are missing; PATTERN picks some, such as 'nokland/7x240-*'.

    A run that is stopped goes on where it was when the command is given again.
    """
    from alignlib.book import recording
    from alignlib.book.executors import executor_at
    from alignlib.book.plan import PLAN, read_plan

    root = find_root()
    folder = root / RECORDS
    planned = read_plan(plan_file or folder / PLAN, pattern)
    left = recording.missing(folder, planned)
    click.echo(f"{len(planned) - len(left)} of {len(planned)} records are there.")
    if only_list:
        click.echo("\n".join(f"{run.id}: {run.label}" for run in left))
        return
    with executor_at(scheduler) as executor:
        failed = recording.record_missing(
            folder, left, root / "_build" / "checkpoints", executor, workers=workers, say=click.echo
        )
    if failed:
        raise AlignlibError(recording.failures(failed))


@click.command()
@click.argument("pattern", default="*")
@click.option("--sample", type=click.IntRange(1), help="Check so many, drawn at random.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Decides which are drawn.")
@click.option("--mark", is_flag=True, help="Note in the records that agree that this lower floor verified them.")
@click.option("--full", "whole", metavar="ID", help="Repeat the whole run of one record.")
@_workers
def verify(pattern: str, sample: int | None, seed: int, mark: bool, whole: str | None, workers: int | None) -> None:
    """Compute the first steps of records again and compare; PATTERN picks some, such as 'nokland/*'.

    Ends with an error if one does not agree. Records whose data are not on this machine are skipped, and said to be.
    """
    from tabulate import tabulate

    from alignlib.book import recording
    from alignlib.experiments import records
    from alignlib.experiments import verify as checking
    from alignlib.experiments.many import work

    root = find_root()
    folder = root / RECORDS
    if whole:
        verdicts = [recording.repeat(folder, whole, root / "_build" / "checkpoints")]
    else:
        found = records.read(folder, pattern)
        chosen = checking.sample(found, sample, seed)
        if len(chosen) < len(found):
            click.echo(f"{len(chosen)} of {len(found)} records; the same ones again: --sample {sample} --seed {seed}\n")
        outcomes = {record.id: outcome for record, outcome in work(checking.verify, chosen, workers=workers)}
        verdicts = [checking.verdict_of(record, outcomes[record.id]) for record in chosen]
    head = ["record", "dtype", "steps", "worst", "allowed", "verdict", "note"]
    click.echo(tabulate(recording.rows(verdicts), head, disable_numparse=True))
    good = [verdict for verdict in verdicts if verdict.outcome == checking.OK]
    bad = [verdict.record.id for verdict in verdicts if verdict.outcome == checking.DIFFERS]
    click.echo(f"\n{len(good)} agree, {len(bad)} differ, {len(verdicts) - len(good) - len(bad)} skipped.")
    if mark:
        records.rewrite(folder, [verdict.marked(recording.today()) for verdict in good])
    if bad:
        raise AlignlibError(
            f"records that the present code does not agree with: {', '.join(bad)}. Either a change of the code altered "
            "what is computed, and `git log` says which, or the record is not what it says."
        )


@click.command()
@click.argument("target")
@click.argument("settings", nargs=-1, metavar="[NAME=VALUE]...")
@click.option("--over", multiple=True, metavar="NAME=VALUES", help="What is varied: 1,2,4 or 0:10; may be repeated.")
@click.option("--profile", default="digits", show_default=True, help="Where a chapter's other parameters come from.")
@click.option("--show", default="test_error", show_default=True, help="The curve of an experiment that is drawn.")
@click.option("--out", type=click.Path(path_type=Path), help="Folder of the sweep  [default: runs/sweep-TARGET]")
@_workers
@_scheduler
def sweep(
    target: str,
    settings: tuple[str, ...],
    over: tuple[str, ...],
    profile: str,
    show: str,
    out: Path | None,
    workers: int | None,
    scheduler: str | None,
) -> None:
    """Run every combination of some settings of TARGET.

    TARGET is a chapter, or the word `experiment`, or the id of a record whose experiment is the start. What is done is
    skipped; a run that fails is listed at the end. For example:

      alignlib sweep experiment hidden=4x64 epochs=10 --over rule=bp,dfa,ifa --over seed=0:5

      alignlib sweep 4 --over learning_rate=0.001,0.003 --workers 2
    """
    from alignlib.book import chapters as book_chapters
    from alignlib.book import sweeps
    from alignlib.book.executors import executor_at
    from alignlib.experiments import Experiment, records

    root = find_root()
    fixed, varied = sweeps.pairs(settings), sweeps.pairs(over)
    is_record = "/" in target and not target.endswith(".ipynb")
    if target == "experiment" or is_record:
        base = records.read(root / RECORDS, target)[0].experiment if is_record else Experiment()
        experiments = sweeps.grid_of_experiments(base, fixed, varied)
        folder = out or Path("runs") / f"sweep-{target.replace('/', '--')}"
        with executor_at(scheduler) as executor:
            report = sweeps.sweep_experiments(
                experiments, list(varied), folder, executor, workers=workers, y=show, say=click.echo
            )
    else:
        chapter = book_chapters.resolve(root, target)
        combinations = sweeps.grid_of_chapter(chapter, fixed, varied)
        folder = out or Path("runs") / f"sweep-{chapter.name}"
        with executor_at(scheduler) as executor:
            report = sweeps.sweep_chapter(
                root,
                chapter,
                combinations,
                list(varied),
                folder,
                executor,
                profile=profile,
                workers=workers,
                say=click.echo,
            )
    click.echo(f"\n{folder / 'results.csv'} and {folder / 'summary.svg'}")
    if failure := sweeps.last_failure(report):
        raise failure
