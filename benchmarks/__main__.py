"""One table of all measurements: `python -m benchmarks [--only NAME] [--json] [--rows N]`."""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from importlib import import_module

from benchmarks.common import Row, machine


def main() -> int:
    """Run the benchmarks asked for and print their table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--only", action="append", help="counting, forecast, import, …")
    parser.add_argument("--json", action="store_true", help="one JSON document")
    pricing, importing = import_module("benchmarks.pricing"), import_module("benchmarks.import")
    pricing.arguments(parser)
    importing.arguments(parser)
    lake = import_module("benchmarks.lake")
    lake.arguments(parser)
    pages = import_module("benchmarks.pages")
    pages.arguments(parser)
    growth = import_module("benchmarks.growth")
    growth.arguments(parser)
    parser.add_argument(
        "--full",
        action="store_true",
        help="1M and 10M calls for pricing, growth and pages, 1M and 5M to import: takes an hour",
    )
    options = parser.parse_args()
    if options.full:
        options.rows = options.page_rows = options.growth_rows = [1_000_000, 10_000_000]
        options.import_rows = [1_000_000, 5_000_000]
    known: dict[str, Callable[[], list[Row]]] = {
        "check": lambda: import_module("benchmarks.check").rows(),
        "startup": lambda: import_module("benchmarks.startup").rows(),
        "pricing": lambda: _each(options.rows, partial(pricing.rows, litellm=options.litellm)),
        "import": lambda: importing.rows(options.import_rows, options.import_rounds),
        "counting": lambda: import_module("benchmarks.counting").rows(),
        "forecast": lambda: import_module("benchmarks.forecast").rows(),
        "collector": lambda: import_module("benchmarks.collector").rows(),
        "traffic": lambda: import_module("benchmarks.traffic").rows(),
        "lake": lambda: lake.rows(options.lake_rows),
        "growth": lambda: growth.rows(options.growth_rows, options.growth_store),
        "pages": lambda: _each(options.page_rows, pages.rows),
    }
    wanted = options.only or list(known)
    unknown = sorted(set(wanted) - set(known))
    if unknown:
        parser.error(f"no benchmark {', '.join(unknown)}; there are {', '.join(known)}")
    shape = machine()
    found: list[Row] = []
    failed = False
    for name in wanted:
        began = time.perf_counter()
        print(f"{name} …", file=sys.stderr, end=" ", flush=True)
        try:
            found += known[name]()
        except Exception as error:  # what was measured before is not lost
            failed = True
            traceback.print_exc()
            reason = str(error).strip().partition("\n")[0] or type(error).__name__
            found.append(Row(name, "not measured", math.nan, reason[:200]))
        print(f"{time.perf_counter() - began:.0f} s", file=sys.stderr)
    if options.json:
        document = {"machine": shape, "rows": [row.as_json() for row in found]}
        print(json.dumps(document, indent=2, ensure_ascii=False))
        return int(failed)
    print(shape)
    width = max(len(row.what) for row in found)
    for row in found:
        print(f"{row.name:<10}{row.what:<{width + 2}}{row.ratio:>10.3g}  {row.detail}")
    return int(failed)


def _each(counts: Sequence[int], measure: Callable[[int], list[Row]]) -> list[Row]:
    """The same measurements over several numbers of calls; each row says which."""
    return [
        replace(row, what=f"{row.what}, {count / 1e6:g}M calls")
        for count in counts
        for row in measure(count)
    ]


if __name__ == "__main__":
    sys.exit(main())
