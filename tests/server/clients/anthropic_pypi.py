"""PyPI anthropic against aiorch serve."""

import anthropic
from checking import KEY, URL, WEATHER, check, done, thrown

client = anthropic.Anthropic(base_url=URL, api_key=KEY, auth_token=None, max_retries=0)


def ask(text, **more):
    return client.messages.create(**{"model": "aiorch", "max_tokens": 99, "messages": [{"role": "user", "content": text}], **more})


@check
def whole():
    answer = ask("Hello there?", system="Be brief.", extra_body={"temperature": 1.0})
    assert answer.content[0].text == "Hello from the fake." and answer.stop_reason == "end_turn"
    assert answer.usage.input_tokens == 60 and answer.usage.cache_read_input_tokens == 40


@check
def streamed_with_tools():
    tools = [{"name": "weather", "description": "d", "input_schema": WEATHER}]
    with client.messages.stream(model="aiorch", max_tokens=99, messages=[{"role": "user", "content": "use the tool"}], tools=tools) as stream:
        answer = stream.get_final_message()
    assert answer.content[-1].input == {"city": "Ulm"} and answer.stop_reason == "tool_use"


@check
def streamed_text():
    with client.messages.stream(model="aiorch", max_tokens=99, messages=[{"role": "user", "content": "Hello there?"}]) as stream:
        assert "".join(stream.text_stream) == "Hello from the fake."


@check
def errors():
    assert thrown(anthropic.NotFoundError, lambda: ask("x", model="nobody")).body["error"]["type"] == "not_found_error"
    assert thrown(anthropic.BadRequestError, lambda: ask("x", extra_body={"top_kk": 1})).body["error"]["type"] == "invalid_request_error"
    assert thrown(anthropic.APIError, lambda: list(ask("break off", stream=True)))


done()
