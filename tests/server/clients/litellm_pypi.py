"""PyPI litellm against aiorch serve, by both of its ways: as a server that speaks OpenAI's language, and as one that speaks Anthropic's."""

import json

import litellm
from checking import COLOUR, KEY, PICTURE, TOOL, URL, WEATHER, check, done, thrown

litellm.suppress_debug_info = True
OPENAI = {"model": "openai/aiorch", "api_base": URL + "/v1", "api_key": KEY, "num_retries": 0}
ANTHROPIC = {"model": "anthropic/aiorch", "api_base": URL, "api_key": KEY, "num_retries": 0, "max_tokens": 99}


def ask(text, way=None, **more):
    return litellm.completion(**{**(way or OPENAI), "messages": [{"role": "user", "content": text}], **more})


@check
def whole():
    for way in (OPENAI, ANTHROPIC):
        answer = ask("Hello there?", way)
        assert answer.choices[0].message.content == "Hello from the fake.", answer
        assert answer.usage.prompt_tokens == 100 and answer.usage.completion_tokens == 20, answer.usage


@check
def streamed_with_usage():
    for way in (OPENAI, ANTHROPIC):
        chunks = list(ask("Hello there?", way, stream=True, stream_options={"include_usage": True}))
        assert "".join(c.choices[0].delta.content or "" for c in chunks if c.choices) == "Hello from the fake."
        usage = [c.usage for c in chunks if getattr(c, "usage", None)][-1]
        assert usage.completion_tokens == 20, usage


@check
def round_of_tools():
    for way in (OPENAI, ANTHROPIC):
        messages = [{"role": "user", "content": "use the tool"}]
        first = ask("", way, messages=messages, tools=[TOOL])
        call = first.choices[0].message.tool_calls[0]
        assert json.loads(call.function.arguments) == {"city": "Ulm"} and WEATHER
        messages += [first.choices[0].message.model_dump(), {"role": "tool", "tool_call_id": call.id, "content": "rain"}]
        assert ask("", way, messages=messages, tools=[TOOL]).choices[0].message.content == "The tool says rain."


@check
def pictures():
    parts = [{"type": "text", "text": "What is in the picture?"}, {"type": "image_url", "image_url": {"url": "data:image/png;base64," + PICTURE}}]
    for way in (OPENAI, ANTHROPIC):
        assert ask(parts, way).choices[0].message.content == "A picture of image/png."


@check
def json_by_a_schema():
    answer = ask("say json", response_format={"type": "json_schema", "json_schema": {"name": "colour", "schema": COLOUR, "strict": True}})
    assert json.loads(answer.choices[0].message.content) == {"colour": "red"}


@check
def errors():
    thrown(litellm.NotFoundError, lambda: ask("x", model="openai/nobody"))
    thrown(litellm.AuthenticationError, lambda: ask("x", {**OPENAI, "api_key": "wrong"}))
    thrown(litellm.BadRequestError, lambda: ask("x", n=3))
    assert "a picture of a cat" in str(thrown(litellm.BadRequestError, lambda: ask("be rejected")))
    thrown(litellm.NotFoundError, lambda: ask("x", {**ANTHROPIC, "model": "anthropic/nobody"}))
    thrown(Exception, lambda: list(ask("break off", stream=True)))


@check
def embeddings():
    answer = litellm.embedding(model="openai/aiorch", api_base=URL + "/v1", api_key=KEY, input=["one", "two"])
    assert len(answer.data) == 2


done()
