"""Each way prompts live in repositories: what is counted, what is not, what is said about it."""

from __future__ import annotations

import pytest

from tests.check.helpers import Project, gaps, head, prompt, size, words

ONE = ["gpt-4o"]
TOOL = {
    "name": "get_weather",
    "description": "Weather of a city",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
}


def ids(result: object) -> list[str]:
    return [p["id"] for p in result.report["prompts"]]  # type: ignore[attr-defined]


def test_text_and_markdown_are_counted_whole(project: Project) -> None:
    project.write("prompts/a.txt", words(7))
    project.write("prompts/b.md", words(9))
    project.write("prompts/README.md", words(99))
    result = project.check(models=ONE)
    assert {i: size(result, i) for i in ids(result)} == {"prompts/a.txt": 7, "prompts/b.md": 9}


def test_context_files_are_always_loaded(project: Project) -> None:
    project.write("AGENTS.md", words(5))
    project.write("sub/CLAUDE.md", words(6))
    project.write(".cursor/rules/x.mdc", "---\nalwaysApply: true\n---\n" + words(4))
    result = project.check(models=ONE)
    assert {i: size(result, i) for i in ids(result)} == {
        ".cursor/rules/x.mdc": 4, "AGENTS.md": 5, "sub/CLAUDE.md": 6,
    }  # fmt: skip
    assert {p["load"] for p in result.report["prompts"]} == {"always"}


def test_a_skill_is_two_units(project: Project) -> None:
    front = "name: pdf\ndescription: " + words(10) + "\n"
    project.write("skills/pdf/SKILL.md", f"---\n{front}---\n{words(300)}")
    result = project.check(models=ONE)
    assert ids(result) == ["skills/pdf/SKILL.md::body", "skills/pdf/SKILL.md::front-matter"]
    body, always = result.report["prompts"]
    assert (body["load"], body["line"], always["load"]) == ("on use", 5, "always")
    assert size(result, body["id"]) == 300
    from pricing.counting import count_text

    assert size(result, always["id"]) == count_text(front, "gpt-4o").total


def test_a_skill_without_front_matter_is_named(project: Project) -> None:
    project.write("skills/pdf/SKILL.md", "Just text")
    assert gaps(project.check("skills/pdf/SKILL.md", models=ONE)) == ["unknown-shape"]


def test_includes_are_charged_to_each_parent(project: Project) -> None:
    project.write("prompts/part.j2", " " + words(10))
    project.write("prompts/deep/leaf.j2", " " + words(100))
    project.write("prompts/mid.j2", "{% include 'deep/leaf.j2' %}")
    project.write("prompts/a.j2", "word{% include 'part.j2' %}")
    project.write("prompts/b.j2", "word{% include 'part.j2' %}{% include 'mid.j2' %}")
    result = project.check(models=ONE)
    assert {i: size(result, i) for i in ids(result)} == {"prompts/a.j2": 11, "prompts/b.j2": 111}
    files = prompt(result, "prompts/b.j2")["files"]
    assert files == [
        "prompts/b.j2", "prompts/deep/leaf.j2", "prompts/mid.j2", "prompts/part.j2",
    ]  # fmt: skip
    reasons = {s["path"]: s["reason"] for s in result.report["skipped"]}
    assert reasons["prompts/part.j2"] == "charged to prompts/a.j2, prompts/b.j2"


def test_an_extended_layout_is_part_of_the_prompt(project: Project) -> None:
    project.write("prompts/base.j2", "word {% block x %}{% endblock %} word")
    project.write(
        "prompts/a.j2", "{% extends 'base.j2' %}{% block x %}" + words(3) + "{% endblock %}"
    )
    result = project.check(models=ONE)
    assert (ids(result), size(result, "prompts/a.j2")) == (["prompts/a.j2"], 5)


def test_template_roots_are_searched(project: Project) -> None:
    project.config('template_roots = ["shared"]')
    project.write("shared/x/part.j2", words(6))
    project.write("prompts/a.j2", "{% include 'x/part.j2' %}")
    assert size(project.check(), "prompts/a.j2") == 6


def test_variables_have_low_expected_and_high_sizes(project: Project) -> None:
    project.config(
        "[check.traffic.variables]\nname = [1, 5, 50]\nfixed = {value = 'x', fixed = true}"
    )
    project.write("prompts/a.j2", "word {{ name }}")
    tokens = head(project.check(), "prompts/a.j2")["tokens"]
    assert (tokens["low"], tokens["expected"], tokens["high"]) == (2, 6, 51)


def test_lists_have_a_number_of_items(project: Project) -> None:
    project.config("[check.traffic.variables]\ndocs = {tokens = 4, items = [0, 2, 5]}")
    project.write("prompts/a.j2", "word{% for d in docs %} {{ d }}{% endfor %}")
    tokens = head(project.check(), "prompts/a.j2")["tokens"]
    assert (tokens["low"], tokens["expected"], tokens["high"]) == (1, 9, 21)


def test_a_sample_file_fills_a_variable(project: Project) -> None:
    project.config('[check.traffic.variables]\ndata = {sample = "samples/data.json"}')
    project.write("samples/data.json", {"rows": [words(3), words(4)]})
    project.write("prompts/a.j2", "{% for r in data.rows %}{{ r }} {% endfor %}")
    result = project.check()
    assert size(result, "prompts/a.j2") == 8
    assert "samples/data.json" in prompt(result, "prompts/a.j2")["files"]


def test_a_chat_counts_frames_and_fills_contents(project: Project) -> None:
    chat = [{"role": "system", "content": "hi"}, {"role": "user", "content": "{{ q }}"}]
    project.config("[check.traffic.variables]\nq = 10")
    project.write("prompts/a.json", chat)
    project.write(
        "prompts/b.yaml", "- role: system\n  content: hi\n- role: user\n  content: '{{ q }}'"
    )
    result = project.check()
    # 3 tokens a message and its role, 3 to open the answer, 1 + 10 of text (gpt-4o's known frame).
    assert size(result, "prompts/a.json") == 3 + 2 * (3 + 1) + 1 + 10
    assert size(result, "prompts/b.yaml") == size(result, "prompts/a.json")


def test_json_that_exists_only_after_rendering(project: Project) -> None:
    source = (
        '[{"role": "system", "content": "hi"}{% for e in shots %},'
        '{"role": "user", "content": "{{ e }}"}{% endfor %}]'
    )
    project.config("[check.traffic.variables]\nshots = {tokens = 2, items = 3}")
    project.write("prompts/a.json", source)
    project.write("prompts/b.json.j2", source)
    result = project.check()
    assert size(result, "prompts/a.json") == 3 + 4 + 1 + 3 * (4 + 2)
    assert size(result, "prompts/b.json.j2") == size(result, "prompts/a.json")


def test_a_request_body_is_counted_as_sent(project: Project) -> None:
    from pricing.counting import count_request

    body = {
        "model": "gpt-4o", "max_tokens": 77,
        "messages": [{"role": "user", "content": "hi"}],
        "tools": [{"type": "function", "function": TOOL}],
    }  # fmt: skip
    project.write("prompts/a.json", body)
    result = project.check()  # the model is the body's own
    assert size(result, "prompts/a.json") == count_request(body).total
    assert head(result, "prompts/a.json")["output"]["cap"] == 77


@pytest.mark.parametrize(
    "content",
    [
        [{"type": "function", "function": TOOL}],
        {"tools": [{"type": "function", "function": TOOL}]},
        {"tools": [{**TOOL, "inputSchema": TOOL["parameters"], "parameters": None}]},
        {"jsonrpc": "2.0", "id": 1, "result": {"tools": [{
            "name": TOOL["name"], "description": TOOL["description"],
            "inputSchema": TOOL["parameters"]}]}},
        TOOL,
        {"name": TOOL["name"], "description": TOOL["description"],
         "input_schema": TOOL["parameters"]},
    ],
)  # fmt: skip
def test_tool_definitions_count_what_they_add_to_a_request(
    project: Project, content: list[object] | dict[str, object]
) -> None:
    from pricing.counting import count_request

    user = [{"role": "user", "content": "x"}]
    tools = [{"type": "function", "function": TOOL}]
    added = (
        count_request({"messages": user, "tools": tools}, "gpt-4o").total
        - count_request({"messages": user}, "gpt-4o").total
    )
    project.write("prompts/tools.json", content)
    assert size(project.check("prompts/tools.json", models=ONE), "prompts/tools.json") == added


def test_tools_as_json_lines(project: Project) -> None:
    import json

    lines = "\n".join(json.dumps({**TOOL, "name": f"t{i}"}) for i in range(3))
    project.write("prompts/functions.jsonl", lines)
    result = project.check(models=ONE)
    assert prompt(result, "prompts/functions.jsonl")["notes"] == ["3 tools"]


PROMPTY = """---
name: Greet
model:
  api: chat
  configuration:
    model: gpt-4o
  parameters:
    max_tokens: 55
sample:
  name: word word
inputs:
  city:
    type: string
    default: word
---
system:
word {{name}}
user:
{{city}}
"""


def test_prompty_sends_its_body_by_role(project: Project) -> None:
    project.write("greet.prompty", PROMPTY)
    result = project.check()
    assert size(result, "greet.prompty") == 3 + 4 + 3 + 4 + 1
    assert head(result, "greet.prompty")["output"] == {
        "stated": False, "cap": 55, "cap_source": "prompt",
    }  # fmt: skip
    project.config("[check.traffic.variables]\nname = 20")  # declared sizes beat samples
    assert size(project.check(), "greet.prompty") == 3 + 4 + 21 + 4 + 1


def test_prompty_reads_a_sample_file(project: Project) -> None:
    project.write("greet.prompty", PROMPTY.replace("  name: word word", "${file:s.json}").replace(
        "sample:\n$", "sample: $"))  # fmt: skip
    project.write("s.json", {"name": words(12)})
    assert size(project.check(), "greet.prompty") == 3 + 4 + 13 + 4 + 1


DOTPROMPT = """# Copyright: a licence line before the front matter
---
model: googleai/gpt-4o
config:
  maxOutputTokens: 99
input:
  schema:
    name: string
    tags(array, what they are): string
  default:
    name: word
---
{{!-- not sent --}}{{role "system"}}
word {{#if formal}}{{#unless rude}}word{{/unless}}{{else}}word word{{/if}}
{{role "user"}}{{> _shared name=name}}{{#each tags}} {{@index}}:{{this}}{{/each}}
"""


def test_dotprompt(project: Project) -> None:
    project.write("a.prompt", DOTPROMPT.replace("> _shared", "> shared"))
    project.write("_shared.prompt", "{{name}}")
    project.config("[check.traffic.variables]\ntags = {tokens = 1, items = 2}")
    result = project.check()
    # system: "word word word", user: "word 0:the 1:the" = 1 + 2 x (space, digit, colon, word) - 0
    from pricing.counting import count_request

    sent = {
        "messages": [
            {"role": "system", "content": "word word word"},
            {"role": "user", "content": "word 0:the 1:the"},
        ]
    }
    assert size(result, "a.prompt") == count_request(sent, "gpt-4o").total
    assert ids(result) == ["a.prompt"]
    assert head(result, "a.prompt")["output"]["cap"] == 99


@pytest.mark.parametrize(
    ("body", "rule"),
    [
        ("{{missing}}", "undefined-variable"),
        ("{{helper x}}", "unrenderable-template"),
        ("{{#if x}}", "unrenderable-template"),
        ("{{/if}}", "unrenderable-template"),
        ("{{#loop x}}{{/loop}}", "unrenderable-template"),
        ("{{> gone}}", "missing-reference"),
    ],
)
def test_dotprompt_faults_are_named(project: Project, body: str, rule: str) -> None:
    project.write("a.prompt", f"---\nmodel: x/gpt-4o\n---\n{body}")
    assert gaps(project.check(models=ONE)) == [rule]


def test_promptfoo(project: Project) -> None:
    project.write(
        "promptfooconfig.yaml",
        "prompts:\n  - 'word {{x}}'\n  - file://p/two.txt\n  - file://p/chat.json\n"
        "  - raw: word\nproviders: [openai:gpt-4o]\ntests:\n  - vars: {x: word word word}\n",
    )
    project.write("p/two.txt", "word\n---\nword {{x}}\n")
    project.write("p/chat.json", [{"role": "user", "content": "{{x}}"}])
    result = project.check(models=ONE)
    assert {i: size(result, i) for i in ids(result)} == {
        "p/chat.json": 3 + 4 + 3,
        "p/two.txt::1": 1,
        "p/two.txt::2": 4,
        "promptfooconfig.yaml::prompts[0]": 4,
        "promptfooconfig.yaml::prompts[3]": 1,
    }
    assert prompt(result, "p/two.txt::2")["line"] == 3


def test_langchain_few_shot_with_references(project: Project) -> None:
    project.write(
        "prompts/few.json",
        {
            "_type": "few_shot", "input_variables": ["q"], "prefix": "word",
            "suffix": "word {q}", "examples": "shots.json",
            "example_prompt": {"_type": "prompt", "template": "{a} {b}"},
            "example_separator": " ",
        },
    )  # fmt: skip
    project.write("prompts/shots.json", [{"a": "word", "b": "word"}] * 3)
    project.config("[check.traffic.variables]\nq = 5\n[[check.prompts]]\npath='prompts/few.json'")
    result = project.check("prompts/few.json")
    assert size(result, "prompts/few.json") == 1 + 3 * 2 + 1 + 5
    assert prompt(result, "prompts/few.json")["files"] == ["prompts/few.json", "prompts/shots.json"]


def test_langchain_yaml_with_a_template_file(project: Project) -> None:
    project.write(
        "prompts/p.yaml", "_type: prompt\ninput_variables: [x]\ntemplate_path: body.txt\n"
    )
    project.write("prompts/body.txt", "word {x} {{literal}}")
    result = project.check("prompts/p.yaml", models=ONE)
    assert gaps(result) == ["undefined-variable"]
    project.config("[check.traffic.variables]\nx = 3")
    from pricing.counting import count_text

    expected = count_text("word the the the {literal}", "gpt-4o").total
    assert size(project.check("prompts/p.yaml"), "prompts/p.yaml") == expected


def test_langchain_chat(project: Project) -> None:
    data = {
        "_type": "chat",
        "messages": [
            {"role": "system", "prompt": {"_type": "prompt", "template": "word"}},
            {"role": "human", "content": "{q}"},
        ],
    }
    project.write("prompts/c.json", data)
    project.config("[check.traffic.variables]\nq = 2")
    assert size(project.check(), "prompts/c.json") == 3 + 4 + 1 + 4 + 2


def test_entries_of_a_file_of_many_templates(project: Project) -> None:
    project.write(
        "config/agent.yaml",
        "agent:\n  name: x\n  templates:\n    system: word word\n    step: 'word {{obs}}'\n",
    )
    project.config(
        "[check.traffic.variables]\nobs = 30\n"
        "[[check.prompts]]\npath = 'config/agent.yaml'\nentries = ['agent.templates.*']"
    )
    result = project.check()
    assert {i: size(result, i) for i in ids(result)} == {
        "config/agent.yaml::agent.templates.step": 31,
        "config/agent.yaml::agent.templates.system": 2,
    }
    assert [p["line"] for p in result.report["prompts"]] == [5, 4]
    project.config("[[check.prompts]]\npath = 'config/agent.yaml'\nentries = ['agent.gone']")
    assert gaps(project.check()) == ["nothing-matched"]


PYTHON = '''
import textwrap
from textwrap import dedent
TONE = "word"
PLAIN = "word " "word"
JOINED = PLAIN + " " + TONE
DEDENTED = textwrap.dedent("""
    word
    word
""").strip()
FSTRING = f"word {user.name} {TONE} {{literal}}"
LISTED = " ".join(["word", TONE, "word"])
CHAT = [{"role": "system", "content": "word"}]
class Agent:
    SYSTEM: str = "word word word"
'''


@pytest.mark.parametrize(
    ("name", "tokens"),
    [
        ("PLAIN", 2), ("JOINED", 3), ("DEDENTED", 3), ("LISTED", 3), ("CHAT", 8),
        ("Agent.SYSTEM", 3),
    ],
)  # fmt: skip
def test_python_constants(project: Project, name: str, tokens: int) -> None:
    project.write("app.py", PYTHON)
    result = project.check(f"app.py::{name}", models=ONE)
    assert size(result, f"app.py::{name}") == tokens


def test_holes_of_an_f_string_are_variables(project: Project) -> None:
    from pricing.counting import count_text

    project.write("app.py", PYTHON)
    assert gaps(project.check("app.py::FSTRING", models=ONE)) == ["undefined-variable"]
    project.config("[check.traffic.variables]\nuser = 4")
    expected = count_text("word the the the the word {literal}", "gpt-4o").total
    assert size(project.check("app.py::FSTRING"), "app.py::FSTRING") == expected


def test_a_text_that_looks_like_a_template_says_so(project: Project) -> None:
    project.write("prompts/a.txt", "Hello {{ name }}")
    result = project.check(models=ONE)
    assert "looks like a template" in prompt(result, "prompts/a.txt")["notes"][0]
    project.config(
        "[check.traffic.variables]\nname = 9\n"
        '[[check.prompts]]\npath = "prompts/a.txt"\ntemplate = "jinja"'
    )
    result = project.check()
    assert (size(result, "prompts/a.txt"), prompt(result, "prompts/a.txt")["notes"]) == (10, [])


@pytest.mark.parametrize(
    ("how", "source"), [("f-string", "word {x}"), ("handlebars", "word {{x}}")]
)
def test_other_template_languages_can_be_stated(project: Project, how: str, source: str) -> None:
    project.write("prompts/a.txt", source)
    project.config(
        "[check.traffic.variables]\nx = 9\n"
        f'[[check.prompts]]\npath = "prompts/a.txt"\ntemplate = "{how}"'
    )
    assert size(project.check(), "prompts/a.txt") == 10


def test_every_kind_is_measured_for_models_without_a_vocabulary(project: Project) -> None:
    project.write("prompts/a.md", words(1000))
    project.write("prompts/b.json", [{"role": "user", "content": words(1000)}])
    project.write("prompts/t.json", [TOOL])
    result = project.check(models=["claude-sonnet-4-5"])
    for ident in ids(result):
        tokens = head(result, ident, "claude-sonnet-4-5")["tokens"]
        assert tokens["basis"] == "ratio"
        assert tokens["low"] < tokens["expected"] < tokens["high"]
    assert size(result, "prompts/a.md", "claude-sonnet-4-5") == 1200  # the family's ratio is 1.2


REASSIGNED = """
ONE = "word"
BEFORE = ONE + " word"
ONE += " word word"
AFTER = ONE
ONE = f"{ONE} word"
if ONE:
    EITHER = "word"
else:
    EITHER = "word word"
LATER = "word"
for _ in ONE:
    LATER = "word word"
LEFT, RIGHT = "word", "word"
class Agent:
    ONE = "word word word word word"
    BOTH = ONE + " word"
def f():
    made = "word " + LAST
LAST = "word"
RING = RING + "word"
"""


@pytest.mark.parametrize(
    ("name", "tokens"),
    [("BEFORE", 2), ("AFTER", 3), ("ONE", 4), ("Agent.BOTH", 6), ("f.made", 2)],
)
def test_a_constant_is_what_its_last_assignment_made_it(
    project: Project, name: str, tokens: int
) -> None:
    project.write("app.py", REASSIGNED)
    result = project.check(f"app.py::{name}", models=ONE)
    assert size(result, f"app.py::{name}") == tokens


@pytest.mark.parametrize("name", ["EITHER", "LATER", "LEFT", "_", "RING"])
def test_what_depends_on_running_the_module_is_no_constant(project: Project, name: str) -> None:
    project.write("app.py", REASSIGNED)
    assert gaps(project.check(f"app.py::{name}", models=ONE)) == ["not-static"]


SERVERS = [
    {"type": "web_search"}, {"type": "custom", "name": "run", "description": "Runs code"},
    {"type": "computer_20250124", "name": "computer"}, {"googleSearch": {}},
]  # fmt: skip


@pytest.mark.parametrize("server", SERVERS)
@pytest.mark.parametrize("alone", [True, False])
def test_a_tool_only_the_server_can_count_is_never_passed_over(
    project: Project, server: dict[str, object], alone: bool
) -> None:
    project.write("prompts/tools.json", [server] if alone else [TOOL, server])
    project.write("prompts/a.md", "word")
    result = project.check(models=ONE)
    assert (gaps(result), result.exit_code) == (["server-side"], 3)


def test_a_list_of_other_things_is_no_list_of_tools(project: Project) -> None:
    project.write("prompts/a.json", [{"type": "question", "text": "word"}])
    project.write("prompts/schema.json", [{"type": "object", "properties": {}}])
    project.write("prompts/a.md", "word")
    assert ids(project.check(models=ONE)) == ["prompts/a.md"]


CHAT_TOOL = {"type": "function", "function": TOOL}
THEIR_TOOL = {"name": TOOL["name"], "description": TOOL["description"],
              "input_schema": TOOL["parameters"]}  # fmt: skip


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        (
            {"system": [{"type": "text", "text": words(50)}], "tools": [THEIR_TOOL],
             "max_tokens": 9, "messages": [{"role": "user", "content": "word"}]},
            {"messages": [{"role": "system", "content": words(50)},
                          {"role": "user", "content": "word"}], "tools": [CHAT_TOOL]},
        ),
        (
            {"system": "word", "max_tokens": 9, "messages": [
                {"role": "assistant", "content": [
                    {"type": "tool_use", "id": "t", "name": "f", "input": {"a": 1}}]},
                {"role": "user", "content": [
                    {"type": "tool_result", "tool_use_id": "t", "content": words(7)},
                    {"type": "text", "text": "word"}]}]},
            {"messages": [
                {"role": "system", "content": "word"},
                {"role": "assistant", "content": None, "tool_calls": [
                    {"id": "c", "type": "function",
                     "function": {"name": "f", "arguments": '{"a": 1}'}}]},
                {"role": "tool", "tool_call_id": "c", "content": words(7)},
                {"role": "user", "content": "word"}]},
        ),
        (
            {"systemInstruction": {"parts": [{"text": words(20)}]},
             "tools": [{"functionDeclarations": [TOOL]}],
             "contents": [{"role": "user", "parts": [{"text": "word"}]},
                          {"role": "model", "parts": [{"text": words(3)}]}]},
            {"messages": [{"role": "system", "content": words(20)},
                          {"role": "user", "content": "word"},
                          {"role": "assistant", "content": words(3)}], "tools": [CHAT_TOOL]},
        ),
    ],
)  # fmt: skip
def test_a_body_for_another_makers_api_is_the_same_request_here(
    project: Project, theirs: dict[str, object], ours: dict[str, object]
) -> None:
    from pricing.counting import count_request

    project.write("prompts/a.json", theirs)
    result = project.check(models=ONE)
    assert size(result, "prompts/a.json") == count_request(ours, "gpt-4o").total


def test_what_another_makers_api_does_not_have_is_not_left_out(project: Project) -> None:
    document = {"type": "document", "source": {"type": "text", "data": words(99)}}
    content = [document, {"type": "text", "text": "word"}]
    body = {"system": "word", "max_tokens": 9, "messages": [{"role": "user", "content": content}]}
    project.write("prompts/a.json", body)
    result = project.check(models=ONE)
    assert gaps(result) == ["unknown-shape"]
    assert "a part of the kind document" in result.report["unmeasured"][0]["message"]


def test_bedrocks_tools_are_tools(project: Project) -> None:
    spec = {"name": TOOL["name"], "description": TOOL["description"],
            "inputSchema": {"json": TOOL["parameters"]}}  # fmt: skip
    project.write("prompts/a.json", {"tools": [{"toolSpec": spec}]})
    project.write("prompts/b.json", {"tools": [CHAT_TOOL]})
    result = project.check(models=ONE)
    assert size(result, "prompts/a.json") == size(result, "prompts/b.json")


def test_an_empty_prompt_and_one_that_cannot_be_sent_say_so(project: Project) -> None:
    project.write("prompts/a.md", " \n")
    project.write("prompts/b.md", words(10_000))
    project.write("prompts/c.md", words(10_001))
    result = project.check(models=ONE)
    assert [prompt(result, i)["notes"] for i in ids(result)] == [
        ["is empty"], [], ["does not fit the context window of gpt-4o"],
    ]  # fmt: skip


def test_tools_are_found_by_their_names(project: Project) -> None:
    for path in ("app/tools.json", "app/search_tools.json", "functions.json", "x.tools.json"):
        project.write(path, [CHAT_TOOL])
    project.write("tools/build.json", {"name": "build"})
    project.write("app/tools.yaml", "tools:\n- name: f\n  inputSchema: {type: object}\n")
    assert ids(project.check(models=ONE)) == [
        "app/search_tools.json", "app/tools.json", "app/tools.yaml", "functions.json",
        "x.tools.json",
    ]  # fmt: skip
