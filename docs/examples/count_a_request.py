"""How many tokens a whole request will be billed, before it is sent."""

# %% A request with a tool
from pricing import count_request

request = {
    "model": "gpt-5.2",
    "messages": [
        {"role": "system", "content": "You answer in one sentence."},
        {"role": "user", "content": "What is the weather in Oslo?"},
    ],
    "tools": [
        {
            "type": "function",
            "function": {
                "name": "weather",
                "description": "The weather now.",
                "parameters": {
                    "type": "object",
                    "properties": {"city": {"type": "string"}},
                    "required": ["city"],
                },
            },
        }
    ],
}
tokens = count_request(request)
print(tokens.total, tokens.basis)
print(tokens.parts)

# %% Another maker's model: a ratio, and how far off it may be
tokens = count_request({**request, "model": "claude-sonnet-4-5"}, model="claude-sonnet-4-5")
print(tokens.low <= tokens.total <= tokens.high, tokens.basis)

# %% It prints
# 138 reconstructed
# {'frame': 10, 'hidden': 81, 'messages': 13, 'tools': 34}
# True ratio
