"""Reconciliation: what sources charged against what tokenbooks computes, the difference by cause.

Two questions, answered apart because they overlap:

- *per call*: calls whose source states its own charge (`usage.cost`, a proxy's spend column);
- *per period*: the cost reports of a provider (table `reported`) against the calls of the same
  UTC period, by the dimensions that report states.

The residual is charged minus computed, in whole pico-dollars, and its causes add up to it exactly:

| cause | when |
| --- | --- |
| unpriced | calls in it have no price, so what was charged for them is not in the computed cost |
| assumed | the tier (or cache lifetime, region, another seller's card) had to be assumed |
| missing_calls | the provider's own usage report counts tokens that no stored call has, or |
| | there is a charge and no call at all |
| late_cost | the same amount (within 1 %) lacks on one day and is over on one of the next three, |
| | or the report was read less than two days after the period ended |
| rounding | no more than half a unit of the finest digit this source writes, per figure |
| unexplained | none of these: a price that differs, a discount, a credit |

    OpenAI charged 5.00, computed 4.20, usage report 1,000,000 input tokens above the stored calls
    at 0.60 per million:   residual 0.80 = missing_calls 0.60 + unexplained 0.20
"""

from __future__ import annotations

from dashboards.queries.reconcile.answer import CAUSES, Reconciled, Row
from dashboards.queries.reconcile.calls import reconcile_calls
from dashboards.queries.reconcile.reports import REPORT_DIMENSIONS, reconcile_reports

__all__ = [
    "CAUSES",
    "REPORT_DIMENSIONS",
    "Reconciled",
    "Row",
    "reconcile_calls",
    "reconcile_reports",
]
