"""Import a log and ask the books a question: the product as a library, good in a notebook."""

# %% A log: two calls, one of them seen twice
import json
from pathlib import Path
from tempfile import mkdtemp

from ingest import import_paths, open_store
from ingest.store import book
from pricing import default_catalogue


def answer(number: int, prompt: int) -> dict[str, object]:
    """A Chat Completions response as an application logs it."""
    return {
        "id": f"chatcmpl-{number:024}",
        "object": "chat.completion",
        "created": 1_767_225_600 + number,
        "model": "gpt-5.2-2025-12-11",
        "service_tier": "default",
        "usage": {"prompt_tokens": prompt, "completion_tokens": 100, "total_tokens": prompt + 100},
    }


folder = Path(mkdtemp())
log = folder / "search.jsonl"
log.write_text("\n".join(json.dumps(answer(n, 1000 * n)) for n in (1, 2, 2)))

# %% The books
store = open_store(folder / "books.duckdb")
catalogue = default_catalogue()
book.sync(store, catalogue)
for file in import_paths(store, catalogue, [log]):
    print(file.added, "calls,", file.duplicates, "seen again")

# %% A question; money comes out as Decimal through fetchall or Arrow, never through .df()
question = "SELECT variant, count(*), sum(cost_usd) FROM calls GROUP BY variant"
for row in store.con.execute(question).fetchall():
    print(*row)
store.close()

# %% It prints
# 2 calls, 1 seen again
# gpt-5.2 2 0.008050000000
