"""``python -m bench``: measures the server beside its peers, in one run, on generated data."""

import argparse
import os
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType
from typing import Final

from bench import scaling as scaling_page
from bench.measures import calls, latency, lifecycle, load, plug_in, scaling, streams
from bench.options import POSTGRES, Options
from bench.plot import draw
from bench.processes import PeerMissing
from bench.progress import tell
from bench.report import FIGURE, RESULTS, record, table, write_document, write_json
from bench.result import Result
from bench.stage import DiskTooSmall, Stage
from bench.targets import TARGETS, missing
from bench.wire import BadAnswer

MEASURES: Final[dict[str, Callable[[Stage], Result]]] = {
    "import": lifecycle.importing,
    "start": lifecycle.starting,
    "plug-in": plug_in.test_server,
    "bare": latency.against_bare,
    "memory": latency.against_memory,
    "hot": latency.hot,
    "not-modified": latency.not_modified,
    "groups": latency.in_groups,
    "orm": latency.against_orm,
    "datasette": latency.against_datasette,
    "postgres": latency.against_postgres,
    "clients": load.eight_clients,
    "one-id": load.one_id,
    "resident": load.resident_memory,
    "growth": lifecycle.growth,
    "details": calls.details,
    "by-lead": calls.by_lead,
    "search": calls.first_page,
    "search-1000": calls.first_thousand,
    "deep": calls.deep_page,
    "modified": calls.recently_modified,
    "stream": streams.ndjson,
    "stream-arrow": streams.arrow,
    "capture": calls.captures,
    "pg-import": scaling.importing,
    "pg-storage": scaling.storage,
    "pg-bare": scaling.against_bare,
    "pg-growth": scaling.growth,
    "pg-nodes": scaling.nodes,
    "pg-replicas": scaling.replicas,
    "pg-writes": scaling.writes,
}
"""The measures in the order in which they are taken."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the measures; exit status 0, also when a target is missed, 1 when nothing could run."""
    options = _options(arguments)
    # what is installed has its bytecode; without it, every start would compile the server anew
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        with Stage(options) as stage:
            stage.check_disk()
            results = _measure(stage)
    except KeyboardInterrupt:
        print("\ninterrupted: processes ended, data removed", file=sys.stderr)
        return 130
    except (DiskTooSmall, PeerMissing) as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    _report(options, results)
    return 0


def _measure(stage: Stage) -> list[Result]:
    results = {}
    for name, take in MEASURES.items():
        if not stage.options.wants(name):
            continue
        try:
            results[name] = take(stage)
        except (PeerMissing, BadAnswer, OSError) as error:
            results[name] = missing(name, str(error))
        tell(f"=> {TARGETS[name].measure}: {results[name].figure}")
    return [results[name] for name in TARGETS if name in results]


def _report(options: Options, results: list[Result]) -> None:
    recorded = record(options, results)
    name = "latest" if options.is_full else "partial"
    write_json(RESULTS / f"{name}.json", recorded)
    if options.has_postgres and (options.is_full or options.write_docs):
        of_scaling = [one for one in results if one.name in POSTGRES]
        write_json(scaling_page.RESULTS, record(options, of_scaling))
        scaling_page.write()
    figures = [RESULTS / "benchmark.svg", RESULTS / "benchmark.png"] if options.is_full else []
    if options.is_full or (options.write_docs and not options.only):
        write_document(recorded, results)
        figures.append(FIGURE)
    for path in figures:
        draw(recorded, path)
    print(table(results))
    print(f"\nAll numbers: bench/results/{name}.json", file=sys.stderr)


def _options(arguments: Sequence[str] | None) -> Options:
    parser = argparse.ArgumentParser(
        prog="python -m bench",
        description=__doc__,
        epilog="Results: bench/results/. A full run also renews docs/performance.md.",
    )
    parser.add_argument("--quick", action="store_true", help="small and rough: about a minute")
    parser.add_argument(
        "--opportunities", type=_count, metavar="N", help="rows of the main data (1,000,000)"
    )
    parser.add_argument(
        "--growth-rows",
        type=_count,
        nargs=2,
        metavar=("SMALL", "LARGE"),
        help="rows of the two databases that show growth (200,000 5,000,000)",
    )
    parser.add_argument(
        "--only",
        action="append",
        choices=list(MEASURES),
        default=[],
        metavar="NAME",
        help=f"take this measure; may be repeated. One of: {', '.join(MEASURES)}",
    )
    parser.add_argument(
        "--keep", type=Path, metavar="DIR", help="keep the data in DIR, and use what is there"
    )
    parser.add_argument(
        "--write-docs",
        action="store_true",
        help=(
            "renew the documents also when the run is not a full one: docs/scaling.md when all"
            " measures on PostgreSQL were taken, docs/performance.md when nothing was left out"
        ),
    )
    given = parser.parse_args(arguments)
    small, large = given.growth_rows or ((20_000, 100_000) if given.quick else (200_000, 5_000_000))
    rows = given.opportunities or (50_000 if given.quick else 1_000_000)
    return Options(
        opportunities=rows,
        growth_small=small,
        growth_large=large,
        rounds=60 if given.quick else 400,
        rounds_slow=10 if given.quick else 60,
        load_s=1.0 if given.quick else 5.0,
        load_rounds=2 if given.quick else 5,
        samples=8 if given.quick else 64,
        is_full=not (given.quick or given.only) and rows >= 1_000_000,
        write_docs=given.write_docs,
        only=frozenset(given.only),
        keep=given.keep,
    )


def _count(text: str) -> int:
    number = int(text.replace(",", "").replace("_", ""))
    if number < 15_000:
        raise argparse.ArgumentTypeError("at least 15,000: a call asks for 2,000 of one type")
    return number


def _interrupt(_: int, __: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
