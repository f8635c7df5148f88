"""What would be used? Recorded and simulated traffic, before there are logs to ingest.

A *trace* is recorded requests with their prompts' prefix blocks; `replay` runs it through a
variant's cache rule and prices. A *scenario* describes traffic to come; `simulate` gives the
month's bill on each variant with its interval, from whole sessions. `fit` turns a trace into a
scenario, `generate` a scenario into a log that `ingest` reads, and `validate` says how wrong all
this would have been on traffic not seen. Everything public is imported when first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pricing.lazy import public

if TYPE_CHECKING:
    from ingest.traffic.catalogue_prices import CataloguePrices
    from ingest.traffic.replaying import replay
    from ingest.traffic.scenarios.fitting import (
        fill_from_store,
        fit,
        fit_scenario,
    )
    from ingest.traffic.scenarios.numbers import ScenarioError
    from ingest.traffic.scenarios.scenario import (
        Scenario,
        check_scenario,
        load_scenario,
        parse_scenario,
        schema,
    )
    from ingest.traffic.scenarios.template import scenario_template
    from ingest.traffic.simulation.generating import generate, write_log
    from ingest.traffic.simulation.month import simulate
    from ingest.traffic.traces.load import load_trace
    from ingest.traffic.traces.stored import stored_calls, write_trace
    from ingest.traffic.traces.trace import Trace, TraceError
    from ingest.traffic.validation import validate

_HOME = {
    "CataloguePrices": ".catalogue_prices",
    "Scenario": ".scenarios.scenario",
    "ScenarioError": ".scenarios.numbers",
    "Trace": ".traces.trace",
    "TraceError": ".traces.trace",
    "check_scenario": ".scenarios.scenario",
    "fill_from_store": ".scenarios.fitting",
    "fit": ".scenarios.fitting",
    "fit_scenario": ".scenarios.fitting",
    "generate": ".simulation.generating",
    "load_scenario": ".scenarios.scenario",
    "load_trace": ".traces.load",
    "parse_scenario": ".scenarios.scenario",
    "replay": ".replaying",
    "scenario_template": ".scenarios.template",
    "schema": ".scenarios.scenario",
    "simulate": ".simulation.month",
    "stored_calls": ".traces.stored",
    "validate": ".validation",
    "write_log": ".simulation.generating",
    "write_trace": ".traces.stored",
}

__all__ = [
    "CataloguePrices",
    "Scenario",
    "ScenarioError",
    "Trace",
    "TraceError",
    "check_scenario",
    "fill_from_store",
    "fit",
    "fit_scenario",
    "generate",
    "load_scenario",
    "load_trace",
    "parse_scenario",
    "replay",
    "scenario_template",
    "schema",
    "simulate",
    "stored_calls",
    "validate",
    "write_log",
    "write_trace",
]

__getattr__ = public(__name__, _HOME)
