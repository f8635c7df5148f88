"""Settings: a `tokenbooks.toml` (or `[tool.tokenbooks]` in pyproject.toml), then the environment.

    db = "data/tokenbooks.duckdb"
    timezone = "Europe/Berlin"
    cards = ["rates/contract.toml"]        # negotiated or additional rate cards

    [discounts]                            # of a seller's list price
    openai = "0.85"

    [fallbacks]                            # whose card may stand in, and only then does
    azure = ["openai"]

    [mappings.gateway]                     # a named column mapping for `ingest --mapping gateway`
    occurred_at = "time"
    model = "model_name"

The file is looked for in the working directory and its parents, then beside the database (so the
demo's books bring their own budgets). `TOKENBOOKS_DB`,
`TOKENBOOKS_TIMEZONE`, `TOKENBOOKS_TOKEN` and the like override it; the command line overrides
both. A key that does not exist is an error that names the nearest one that does.
"""

from __future__ import annotations

import difflib
import os
import tomllib
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, ValidationError
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

if TYPE_CHECKING:
    from pricing.catalogue import Catalogue

FILE = "tokenbooks.toml"


class SettingsError(ValueError):
    """A settings file is wrong: the message names the file, the key and what to write."""


class ServeSettings(BaseModel):
    """`[serve]`: where the service listens and what it accepts."""

    model_config = ConfigDict(extra="forbid")

    host: str = "127.0.0.1"
    port: int = Field(default=8765, ge=1, le=65535)
    collector: bool = False
    mock: bool = False
    allow: list[str] = []
    """Who is let in where people sign in by OpenID Connect: patterns of e-mail addresses."""
    edit: bool = True
    """Whether the pages may add a budget to the settings file."""
    max_body_mb: int = Field(default=16, ge=1)


class Settings(BaseSettings):
    """Everything a command may need to know; see the module for an example file."""

    model_config = SettingsConfigDict(
        env_prefix="TOKENBOOKS_", env_nested_delimiter="__", extra="forbid"
    )

    db: Path = Path("data/tokenbooks.duckdb")
    timezone: str = "UTC"
    cards: list[Path] = []
    discounts: dict[str, Decimal] = {}
    fallbacks: dict[str, list[str]] = {}
    mappings: dict[str, dict[str, str]] = {}
    dimensions: dict[str, str] = {}
    token: str = ""
    currency: dict[str, Any] = {}
    serve: ServeSettings = ServeSettings()
    # Sections that their own packages read and check.
    check: dict[str, Any] = {}
    budgets: list[dict[str, Any]] = []
    showback: dict[str, Any] = {}
    anomalies: dict[str, Any] = {}
    mock: dict[str, Any] = {}
    _file: Path | None = PrivateAttr(default=None)

    def found_in(self, file: Path | None) -> Settings:
        """These settings, knowing the file they were read from."""
        self._file = file
        return self

    @property
    def file(self) -> Path | None:
        """The file these settings were read from, if there is one."""
        return self._file

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment beats the file, which arrives as the initial values."""
        return env_settings, init_settings

    def catalogue(self) -> Catalogue:
        """The catalogue these settings describe."""
        from pricing.catalogue import build_catalogue, default_catalogue

        if not (self.cards or self.discounts or self.fallbacks):
            return default_catalogue()
        fallbacks = {seller: tuple(others) for seller, others in self.fallbacks.items()}
        return build_catalogue(card_files=self.cards, discounts=self.discounts, fallbacks=fallbacks)


def find_file(start: Path | None = None, db: Path | None = None) -> Path | None:
    """The nearest settings file in `start` (the working directory) or its parents, else the one
    beside the database that `db` or TOKENBOOKS_DB names."""
    folder = (start or Path.cwd()).resolve()
    for candidate in (folder, *folder.parents):
        own = candidate / FILE
        if own.is_file():
            return own
        project = candidate / "pyproject.toml"
        if project.is_file() and "[tool.tokenbooks" in project.read_text("utf-8", "replace"):
            return project
    named = db or (Path(os.environ["TOKENBOOKS_DB"]) if os.environ.get("TOKENBOOKS_DB") else None)
    beside = None if named is None else named.parent / FILE
    return beside if beside is not None and beside.is_file() else None


def load_settings(
    path: Path | None = None, *, start: Path | None = None, db: Path | None = None
) -> Settings:
    """Read the settings. Paths in a file are relative to the file. Raises `SettingsError`."""
    found = path or find_file(start, db)
    values: dict[str, Any] = {}
    if found is not None:
        values = _read(found)
        for key in ("db",):
            if key in values:
                values[key] = _relative(found, values[key])
        if "cards" in values:
            values["cards"] = [_relative(found, card) for card in values["cards"]]
    try:
        return Settings(**values).found_in(found)
    except ValidationError as error:
        raise SettingsError(_explain(error, found)) from error


def _relative(file: Path, value: Any) -> Any:
    return file.parent / value if isinstance(value, str) else value


def _read(path: Path) -> dict[str, Any]:
    try:
        data = tomllib.loads(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: cannot be read: {error}") from error
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{path}: not valid TOML: {error}") from error
    if path.name == "pyproject.toml":
        data = data.get("tool", {}).get("tokenbooks", {})
    return data


def _explain(error: ValidationError, path: Path | None) -> str:
    where = str(path) if path else "the environment (TOKENBOOKS_…)"
    lines: list[str] = []
    for problem in error.errors():
        key = ".".join(str(part) for part in problem["loc"])
        if problem["type"] == "extra_forbidden":
            near = difflib.get_close_matches(key.split(".")[-1], Settings.model_fields, 1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            lines.append(f"{where}: unknown key {key!r}{hint}")
        else:
            lines.append(f"{where}: {key}: {problem['msg']}")
    return "\n".join(lines)


def settings_environment() -> Mapping[str, str]:
    """The environment variables that settings read, for `doctor`; secrets are masked."""
    return {
        k: "(set)" if "TOKEN" in k.removeprefix("TOKENBOOKS_") else v
        for k, v in sorted(os.environ.items())
        if k.startswith("TOKENBOOKS_")
    }
