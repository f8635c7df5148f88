"""The collector and the mock on the service: one owner, one writer lock, both off by default."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest
from openai import OpenAI
from starlette.applications import Starlette

from ingest.mock import BehaviourError
from pricing.catalogue import default_catalogue
from tests.collector.serving import listening
from tokenbooks import live
from tokenbooks.service import open_owner
from tokenbooks.settings import ServeSettings, Settings


def test_both_doors_write_through_the_owner(db: Path) -> None:
    owner = open_owner(db, default_catalogue())
    chosen = Settings(serve=ServeSettings(collector=True, mock=True), mock={"profile": "fixed"})
    record = {"provider": "openai", "model": "gpt-5.2", "input": 10, "output": 1}
    try:
        before = owner.generation
        with listening(Starlette(routes=live.routes(chosen)(owner))) as url:
            assert httpx.post(f"{url}/v1/usage", json=record).status_code == 200
            client = OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0)
            client.responses.create(model="gpt-5.2", input="Hello")
        # The pages see that something changed, and the calls themselves.
        assert owner.generation >= before + 2
        cursor = owner.cursor()
        found = cursor.execute("SELECT source_format FROM usage ORDER BY 1").fetchall()
        cursor.close()
        assert found == [("mock",), ("table",)]
    finally:
        owner.close()


def test_off_unless_enabled_and_wrong_settings_are_told_at_once(db: Path) -> None:
    owner = open_owner(db, default_catalogue())
    try:
        assert live.routes(Settings())(owner) == ()
    finally:
        owner.close()
    wrong = Settings(serve=ServeSettings(mock=True), mock={"profile": "novel"})
    with pytest.raises(BehaviourError, match="no profile 'novel'"):
        live.routes(wrong)
