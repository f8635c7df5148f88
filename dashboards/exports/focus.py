"""FOCUS: the FinOps Foundation's Cost and Usage table, 1.2 and 1.4, one row a token kind.

A row is one (charge period x billing account x seller x variant x tier x region x meter x price x
tags): so many tokens of one kind, at a list price and a contracted price. Input, cache reads,
cache writes and output are separate SKUs, as the examples of the coming 1.5 do it.

    ConsumedQuantity 1,500,000 Tokens   PricingQuantity 1.5 x "1000000 Tokens"
    ListUnitPrice 1.75                  ListCost 2.625   (1.5 x 1.75, exactly)

* ListCost is the public price, ContractedCost the negotiated one; where no public price is known
  the contracted one stands in and `x_ListPriceKnown` is false.
* BilledCost and EffectiveCost are the contracted cost: usage billed as it happens, nothing prepaid.
* The keys that 1.5 defines for AI stand in SkuPriceDetails under `x_`, as earlier versions demand.
* Usage without a price is *not* in the file: a cost column may not be empty, and 0 would be a lie.
  It is counted in the answer (`unpriced`), by model and meter.
* Charge periods are UTC days (or hours), billing periods UTC months, ends exclusive.

Sources: the FOCUS specification 1.2 and 1.4 (CC-BY-4.0), and the AI examples of its 1.5 draft.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from dashboards.exports.write import ExportError, copy_query
from dashboards.queries.lines import line_query
from dashboards.queries.scope import Scope, dimension
from pricing import sql
from pricing.catalogue import Catalogue
from pricing.meters import METERS, Meter
from pricing.money import plain, usd

if TYPE_CHECKING:
    import duckdb

VERSIONS = ("1.2", "1.4")
DEFAULT_TAGS = ("team", "project", "feature", "environment")
_ROWS = "focus_rows"


def consumed_unit(meter: Meter) -> str:
    """The unit of ConsumedQuantity: plural, capitalised, as FOCUS's unit format asks."""
    return meter.units.capitalize()


def pricing_per(meter: Meter) -> int:
    """How many units a PricingQuantity of 1 is: as published, but for hours, of which a second is
    no finite decimal."""
    return 1 if meter.unit == "second" else meter.per


def pricing_unit(meter: Meter) -> str:
    """The unit of PricingQuantity: `<quantity> <plural units>`, such as `1000000 Tokens`."""
    per = pricing_per(meter)
    return f"{per} {consumed_unit(meter)}" if per > 1 else consumed_unit(meter)


@dataclass(frozen=True, slots=True)
class FocusExport:
    """What was written. Money is pico-dollars over the rows; `unpriced` lists what is not in it."""

    path: Path
    version: str
    rows: int
    cost_pico: int
    list_pico: int
    unpriced: tuple[tuple[str, str, int], ...]
    """(model or variant, meter, units) without a price."""

    @property
    def cost_usd(self) -> Decimal:
        """The exact sum of BilledCost."""
        return usd(self.cost_pico)

    def as_json(self) -> dict[str, Any]:
        """Plain types; money as decimal strings in USD."""
        return {
            "path": str(self.path),
            "version": self.version,
            "rows": self.rows,
            "cost_usd": plain(self.cost_usd),
            "list_cost_usd": plain(usd(self.list_pico)),
            "unpriced": [
                {"variant": variant, "meter": meter, "units": units}
                for variant, meter, units in self.unpriced
            ],
        }


def export_focus(
    con: duckdb.DuckDBPyConnection,
    catalogue: Catalogue,
    path: Path,
    scope: Scope | None = None,
    *,
    version: str = "1.4",
    period: Literal["day", "hour"] = "day",
    tags: Sequence[str] = DEFAULT_TAGS,
    account: str = "seller",
) -> FocusExport:
    """Write the usage of a scope as FOCUS Cost and Usage, CSV or Parquet by the path's ending.

    `tags`: dimensions (also `tags.NAME`) that become Tags; `account`: the dimension that is the
    billing account; calls without it fall to their seller's. Raises `ExportError` for an unknown
    version, `ScopeError` for an unknown dimension.
    """
    if version not in VERSIONS:
        raise ExportError(f"FOCUS {version} is not written; known: {', '.join(VERSIONS)}")
    for name in (*tags, account):
        dimension(name)
    _meter_table(con)
    keys = [period, "seller", "variant", "tier", "region", "project", account, *tags]
    query, values = line_query(con, keys, scope, zone="UTC", list_prices=True)
    _collect(con, catalogue, query, values, len(tags))
    names = [t.removeprefix("tags.") for t in tags]
    count = copy_query(con, _select(version, period, names), [], path)
    cost, listed = con.execute(
        "SELECT coalesce(sum(quantity * price_pico), 0), coalesce(sum(quantity * list_pico), 0)"
        f" FROM {_ROWS} WHERE price_pico IS NOT NULL"
    ).fetchall()[0]
    missing = con.execute(
        f"SELECT coalesce(variant, '(no model)'), meter, sum(quantity) FROM {_ROWS}"
        " WHERE price_pico IS NULL GROUP BY ALL ORDER BY 3 DESC, 1, 2"
    ).fetchall()
    unpriced = tuple((variant, meter, int(units)) for variant, meter, units in missing)
    return FocusExport(path, version, count, int(cost), int(listed), unpriced)


def _collect(
    con: duckdb.DuckDBPyConnection,
    catalogue: Catalogue,
    query: str,
    values: list[Any],
    tags: int,
) -> None:
    """The rows before they are dressed: sums by everything that tells two SKU prices apart."""
    bands = "v.min_input"
    tag_columns = "".join(f", l.k{7 + n} AS t{n}" for n in range(tags))
    con.execute(
        f"CREATE OR REPLACE TEMPORARY TABLE {_ROWS} AS SELECT l.k0 AS began, l.k1 AS seller,"
        f" l.k2 AS variant, l.k3 AS tier, l.k4 AS region, l.k5 AS project, l.k6 AS account"
        f"{tag_columns}, l.meter, x.rate_id, {bands} AS min_input, l.price_pico,"
        " coalesce(l.list_pico, l.price_pico) AS list_pico, l.list_pico IS NOT NULL AS list_known,"
        " CASE WHEN l.assumed THEN greatest(l.route, 1) ELSE l.route END AS severity,"
        f" sum(l.quantity)::HUGEINT AS quantity FROM ({query}) AS l"
        " LEFT JOIN vector_rates AS x ON x.vector_id = l.vector_id AND x.meter = l.meter"
        " LEFT JOIN rate_vectors AS v ON v.vector_id = l.vector_id GROUP BY ALL",
        values,
    )
    con.execute(
        "CREATE OR REPLACE TEMPORARY TABLE focus_variants"
        " (seller VARCHAR, variant VARCHAR, maker VARCHAR, family VARCHAR)"
    )
    known = con.execute(f"SELECT DISTINCT seller, variant FROM {_ROWS}").fetchall()
    rows: list[tuple[str, str, str | None, str | None]] = []
    for seller, variant in known:
        found = catalogue.variant(variant, seller) if variant else None
        if found is not None:
            rows.append((seller, variant, found.maker or None, found.family or None))
    if rows:
        con.executemany("INSERT INTO focus_variants VALUES (?, ?, ?, ?)", rows)


def _meter_table(con: duckdb.DuckDBPyConnection) -> None:
    """What FOCUS says of each meter, as a small table to join."""
    con.execute(
        "CREATE OR REPLACE TEMPORARY TABLE focus_meters (meter VARCHAR, unit VARCHAR,"
        " pricing_unit VARCHAR, factor DECIMAL(7,6), pico_factor BIGINT, label VARCHAR,"
        " direction VARCHAR, cache VARCHAR, lifetime VARCHAR, modality VARCHAR)"
    )
    con.executemany(
        "INSERT INTO focus_meters VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [_meter_row(m) for m in METERS.values()],
    )


def _meter_row(m: Meter) -> tuple[Any, ...]:
    token = m.unit == "token"
    lifetime = m.name.removeprefix("cache_write_") if m.cache == "write" else None
    direction = "Output" if m.direction == "output" else "Input"  # citations were read
    return (
        m.name, consumed_unit(m), pricing_unit(m), Decimal(1) / pricing_per(m), pricing_per(m),
        m.name.replace("_", " "), direction if token else None,
        m.cache.capitalize() if token and m.direction == "input" else None,
        None if lifetime == "unknown" else lifetime, m.modality.capitalize() if token else None,
    )  # fmt: skip


def _json(pairs: Sequence[tuple[str, str]]) -> str:
    """A JSON object text whose unknown keys are left out rather than null."""
    inner = ", ".join(f"{_literal(key)}, {value}" for key, value in pairs)
    # A merge patch drops members that are null: exactly "omitted, not null".
    return f"CAST(json_merge_patch('{{}}', json_object({inner})) AS VARCHAR)"


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _stamp(expression: str) -> str:
    return f"strftime({expression}, '%Y-%m-%dT%H:%M:%SZ')"


def _select(version: str, period: str, tags: Sequence[str]) -> str:
    """The dressed rows, in FOCUS's column order (alphabetical), custom columns last."""
    sku = "concat_ws('/', f.seller, f.variant, f.tier, nullif(f.region, ''), f.meter)"
    cost = "(f.quantity * f.{})::DECIMAL(26,0)"
    price = "(f.{}::HUGEINT * m.pico_factor)::DECIMAL(26,0)"
    contracted, listed = cost.format("price_pico"), cost.format("list_pico")
    details = _json(
        [
            ("x_ModelDeveloper", "n.maker"),
            ("x_ModelFamily", "n.family"),
            ("x_ModelId", "f.variant"),
            ("x_TokenDirection", "m.direction"),
            ("x_TokenCacheAction", "m.cache"),
            ("x_CacheLifetime", "m.lifetime"),
            ("x_Modality", "m.modality"),
            ("x_ServiceTier", "f.tier"),
            ("x_PromptTokensFrom", "nullif(f.min_input, 0)"),
        ]
    )
    account = "coalesce(f.account::VARCHAR, f.seller)"
    month = "date_trunc('month', f.began)"
    columns: dict[str, str] = {
        "BilledCost": sql.usd(contracted),
        "BillingAccountId": account,
        "BillingAccountName": account,
        "BillingAccountType": "'Account'",
        "BillingCurrency": "'USD'",
        "BillingPeriodEnd": _stamp(f"{month} + INTERVAL 1 MONTH"),
        "BillingPeriodStart": _stamp(month),
        "ChargeCategory": "'Usage'",
        "ChargeClass": "NULL::VARCHAR",
        "ChargeDescription": "f.variant || ' ' || m.label || ', ' || f.tier || ' tier'",
        "ChargeFrequency": "'Usage-Based'",
        "ChargePeriodEnd": _stamp(f"f.began + INTERVAL 1 {period.upper()}"),
        "ChargePeriodStart": _stamp("f.began"),
        # One decimal place: a reader of the CSV must find a decimal column, as FOCUS types it.
        "ConsumedQuantity": "f.quantity::DECIMAL(38,1)",
        "ConsumedUnit": "m.unit",
        "ContractedCost": sql.usd(contracted),
        "ContractedUnitPrice": sql.usd(price.format("price_pico")),
        "EffectiveCost": sql.usd(contracted),
        "InvoiceIssuerName": "f.seller",
        "ListCost": sql.usd(listed),
        "ListUnitPrice": sql.usd(price.format("list_pico")),
        "PricingCategory": "'Standard'",
        "PricingQuantity": "f.quantity::DECIMAL(26,0) * m.factor::DECIMAL(7,6)",
        "PricingUnit": "m.pricing_unit",
        "RegionId": "nullif(f.region, '')",
        "RegionName": "nullif(f.region, '')",
        "ServiceCategory": "'AI and Machine Learning'",
        "ServiceName": "f.variant",
        "ServiceSubcategory": "'Generative AI'",
        "SkuId": sku,
        "SkuMeter": "m.label",
        "SkuPriceDetails": details,
        "SkuPriceId": f"{sku} || '/' || coalesce(f.rate_id, f.price_pico::VARCHAR)",
        "SubAccountId": "f.project",
        "SubAccountName": "f.project",
        "SubAccountType": "CASE WHEN f.project IS NULL THEN NULL ELSE 'Project' END",
        "Tags": _json([(name, f"f.t{n}::VARCHAR") for n, name in enumerate(tags)])
        if tags
        else "'{}'",
    }
    if version == "1.2":
        columns |= {"ProviderName": "f.seller", "PublisherName": "coalesce(n.maker, f.seller)"}
        columns |= {"InvoiceId": "NULL::VARCHAR"}
        # The currency of prices is that of the bill; 1.2's judge wants it said all the same.
        columns |= {
            "PricingCurrency": "'USD'",
            "PricingCurrencyContractedUnitPrice": columns["ContractedUnitPrice"],
            "PricingCurrencyEffectiveCost": columns["EffectiveCost"],
            "PricingCurrencyListUnitPrice": columns["ListUnitPrice"],
        }
        # 1.2's validator reports rules of absent commitment columns as failures: give them empty.
        for part in ("Category", "Id", "Name", "Quantity", "Status", "Type", "Unit"):
            kind = "DECIMAL(38,0)" if part == "Quantity" else "VARCHAR"
            columns[f"CommitmentDiscount{part}"] = f"NULL::{kind}"
    else:
        columns |= {
            "HostProviderName": "f.seller",
            "ServiceProviderName": "f.seller",
        }
    ordered = dict(sorted(columns.items()))
    ordered["x_PriceStatus"] = sql.status_name("f.severity")
    ordered["x_ListPriceKnown"] = "CASE WHEN f.list_known THEN 'true' ELSE 'false' END"
    body = ", ".join(f"{expression} AS {name}" for name, expression in ordered.items())
    return (
        f"SELECT {body} FROM {_ROWS} AS f JOIN focus_meters AS m ON m.meter = f.meter"
        " LEFT JOIN focus_variants AS n ON n.seller = f.seller AND n.variant = f.variant"
        " WHERE f.price_pico IS NOT NULL"
        " ORDER BY f.began, f.seller, f.variant, f.tier, f.region, f.meter, f.rate_id,"
        " f.price_pico, f.list_pico, f.severity" + "".join(f", f.t{n}" for n in range(len(tags)))
    )
