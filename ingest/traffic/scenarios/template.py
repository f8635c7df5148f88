"""A first, commented scenario from a few answers, for an idea of which there is only a prompt.

>>> print(scenario_template(name="shop", users=2000).splitlines()[2])
name = "shop"
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import date


def scenario_template(
    *,
    name: str = "my application",
    variants: Iterable[str] = ("gpt-5.2", "gpt-5-mini"),
    prompt_file: str | None = None,
    users: float = 1000,
    sessions_per_user_day: float = 0.5,
    turns: float = 3,
    output_tokens: float = 300,
    start: date | None = None,
) -> str:
    """A commented scenario from a few answers; every number given is taken as a middle.

    Users get a range of half to double and output a range of 0.7 to 1.4 times the answer: before
    launch nobody knows them better.
    """
    prompt = (
        f"system_file = {toml_text(prompt_file)}        # counted with the variant's tokenizer"
        if prompt_file
        else 'system_tokens = 800                  # or system_file = "prompt.md": counted exactly'
    )
    return f"""\
# What this application will do. Every number may be a value, a range of its P10 and P90
# ({{ p10 = 1, p90 = 3 }}: below p10 and above p90 with 10 % each), or "from store".
name = {toml_text(name)}
start = {(start or date.today()).isoformat()}
days = 30
variants = [{", ".join(toml_text(v) for v in variants)}]     # the first one gets the levers

[[workloads]]
name = "chat"
success_rate = 1.0                    # share of sessions that solve the task
can_wait = 0.0                        # share that could run as batch
easy_share = 0.0                      # share a smaller variant could do

[workloads.volume]
users = {{ p10 = {users / 2:g}, p90 = {users * 2:g} }}
sessions_per_user_day = {sessions_per_user_day:g}
growth_per_month = 0.0                # 0.1: ten percent more each month
ramp_days = 0                         # days from launch until everybody is there
drift = 0.3                           # sd of the log between periods; 0.3 was seen in production

[workloads.structure]
{prompt}
tools_tokens = 0                      # tool definitions; or tools_file
retrieved_tokens = 0                  # passages put into each turn
user_tokens = {{ mean = 80 }}           # or quantiles {{ p10 = 20, p50 = 60, p90 = 300 }}
turns = {turns:g}
calls_per_turn = 1                    # about 8 for coding agents
tool_result_tokens = 0

[workloads.output]
tokens = {{ mean = {{ p10 = {output_tokens * 0.7:g}, p90 = {output_tokens * 1.4:g} }} }}
reasoning_tokens = 0                  # at reference_effort; reasoning models: 200 to 2,000
reference_effort = "medium"
effort = "medium"                     # none, minimal, low, medium, high, xhigh, max

[workloads.failures]
retry_rate = 0.03                     # 2 to 7 % of calls fail in public logs

[workloads.tiers]
batch = 0.0
flex = 0.0

[workloads.cache]
stable_prefix = true                  # false: the prompt begins with something that changes

# Limits of your account, for warnings.
# [limits."gpt-5.2"]
# requests_per_minute = 500
# monthly_usd = 1000
"""


def toml_text(value: str) -> str:
    """A string as TOML (and JSON) writes it."""
    return json.dumps(value, ensure_ascii=False)
