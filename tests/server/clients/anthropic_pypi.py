"""PyPI anthropic against aiorch serve."""

import anthropic
from checking import EVIL, INJECTION, KEY, LIMITED, URL, WEATHER, check, done, thrown

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


@check
def every_status_has_its_exception():
    rows = [(anthropic.BadRequestError, 400, "invalid_request_error", {"extra_body": {"stop_sequences": 1}}, "x"),
            (anthropic.BadRequestError, 400, "invalid_request_error", {}, INJECTION), (anthropic.BadRequestError, 400, "invalid_request_error", {}, "be too long"),
            (anthropic.PermissionDeniedError, 403, "permission_error", {"extra_headers": EVIL}, "x"),
            (anthropic.NotFoundError, 404, "not_found_error", {"model": "nobody"}, "x"), (anthropic.APIStatusError, 413, "request_too_large", {}, "x" * (2 << 20)),
            (anthropic.UnprocessableEntityError, 422, "invalid_request_error", {}, "be a secret"),
            (anthropic.BadRequestError, 400, "invalid_request_error", {}, "be rejected"),
            (anthropic.InternalServerError, 502, "api_error", {}, "be refused"), (anthropic.InternalServerError, 503, "overloaded_error", {}, "be busy")]
    for kind, status, word, more, text in rows:
        error = thrown(kind, lambda: ask(text, **more))  # pylint: disable=cell-var-from-loop
        assert (error.status_code, error.body["error"]["type"]) == (status, word), (status, error.status_code, error.body)
        assert error.request_id == error.body["request_id"]
    stranger = anthropic.Anthropic(base_url=URL, api_key="wrong", auth_token=None, max_retries=0)
    assert thrown(anthropic.AuthenticationError, lambda: stranger.models.list()).body["error"]


@check
def an_error_after_the_first_token():
    text = []

    def read():
        for event in ask("break off", stream=True):
            text.append(getattr(getattr(event, "delta", None), "text", ""))
    error = thrown(anthropic.APIStatusError, read)
    assert error.body["error"]["type"] == "api_error" and "".join(text).startswith("word word")


@check
def limits_deadline_and_retries():
    asked = []
    hooks = {"request": [lambda request: asked.append(request.url.path)]}
    with anthropic.Anthropic(base_url=LIMITED, api_key="none", auth_token=None, max_retries=2, http_client=anthropic.DefaultHttpxClient(event_hooks=hooks)) as few:
        call = lambda text, **more: few.with_options(**more).messages.create(model="aiorch", max_tokens=9, messages=[{"role": "user", "content": text}])
        late = thrown(anthropic.InternalServerError, lambda: call("be slow", max_retries=0))
        assert late.status_code == 504 and late.body["error"]["type"] == "timeout_error"
        assert call("Hello there?").content[0].text == "Hello from the fake."
        no = thrown(anthropic.RateLimitError, lambda: call("Hello there?"))
        assert no.response.headers["x-should-retry"] == "false" and len(asked) == 3, asked
    assert client.with_options(max_retries=2).messages.create(model="aiorch", max_tokens=9, messages=[{"role": "user", "content": "be busy once"}]).content


@check
def tokens_are_counted():
    count = client.messages.count_tokens(model="aiorch", system="Be brief.", messages=[{"role": "user", "content": "Hello there?"}])
    assert 0 < count.input_tokens < 50


done()
