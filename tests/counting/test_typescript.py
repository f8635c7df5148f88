"""Tools as the model reads them: the exact text, since the text is the bill."""

import textwrap

from pricing.counting.typescript import Tool, comment, namespace, render_tool


def rendered(parameters, description="", **options):
    return render_tool(Tool("f", description, parameters), **options)


def lines(text):
    return textwrap.dedent(text).strip("\n")


def test_no_parameters():
    assert rendered({}) == "type f = () => any;"
    assert rendered({"type": "object", "properties": {}}, "Go.") == "// Go.\ntype f = () => any;"


def test_undocumented_parameters_stand_on_one_line():
    parameters = {
        "properties": {
            "a": {"type": "integer"},
            "b": {"enum": ["x", "y"]},
            "c": {"type": "array", "items": {"type": "string"}},
            "d": {"anyOf": [{"type": "number"}, {"type": "null"}]},
        },
        "required": ["a"],
    }
    assert rendered(parameters) == (
        'type f = (_: { a: integer, b?: "x" | "y", c?: string[], d?: number | null }) => any;'
    )


def test_documented_parameters_take_lines_of_their_own():
    parameters = {
        "title": "Arguments",
        "properties": {
            "city": {"type": "string", "title": "City", "description": "Where.\n\n  Any place."},
            "days": {"type": "integer", "default": 3},
            "unit": {"type": "string", "default": "c"},
            "none": {"type": "string", "default": None},
        },
        "required": ["city"],
    }
    assert rendered(parameters) == lines("""
        type f = (_: // Arguments
        {
        // City
        //
        // Where.
        //
        // Any place.
        city: string,
        days?: integer, // default: 3
        unit?: string, // default: "c"
        none?: string, // default: null
        }) => any;
    """)


def test_items_and_variants_bring_their_own_comments():
    parameters = {
        "$defs": {"E": {"title": "E", "properties": {"x": {"type": "string", "title": "X"}}}},
        "properties": {
            "list": {"type": "array", "items": {"$ref": "#/$defs/E"}, "description": "All."},
            "when": {"anyOf": [{"type": "string", "format": "date"}, {"type": "null"}]},
            "kind": {"type": ["string", "null"], "description": "Kind."},
        },
    }
    assert rendered(parameters) == lines("""
        type f = (_: {
        // All.
        list?: Array<
        // E
        {
        // X
        x?: string,
        }
        >,
        when?: 
        // format: "date"
        string
         | null,
        // Kind.
        kind?: 
        // Kind.
        string
         | 
        // Kind.
        null
        ,
        }) => any;
    """)  # noqa: W291


def test_the_older_models_leave_item_comments_away():
    items = {"type": "string", "description": "One club."}
    parameters = {"properties": {"clubs": {"type": "array", "description": "All.", "items": items}}}
    assert "Array<\n// One club.\nstring\n>" in rendered(parameters)
    assert "clubs?: string[]," in rendered(parameters, item_comments=False)


def test_comments_are_stripped_line_by_line():
    assert comment("  a \n\n\t b\n") == ["// a", "//", "// b"]
    assert comment(" \n ") == []


def test_namespace_separates_tools_by_an_empty_line():
    text = namespace([Tool("a", "", {}), Tool("b", "", {})])
    assert text == (
        "# Tools\n\n## functions\n\nnamespace functions {\n\n"
        "type a = () => any;\n\ntype b = () => any;\n\n} // namespace functions"
    )
