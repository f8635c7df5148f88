"""What is allowed?

Limits on spend (`budgets.spend`: a scope, a period, an amount, thresholds on the actual and on the
forecast) and on tokens (`budgets.check`: the prompts of a pull request against their base and
their limits). A forecast reaches a budget as paths that the caller passes in, so nothing here
imports the dashboards.

    run(CheckOptions(paths=["prompts"])).exit_code
"""
