"""PyPI openai against aiorch serve."""

import asyncio
import json

import openai
from checking import COLOUR, EVIL, INJECTION, KEY, LIMITED, PICTURE, TOOL, URL, check, done, thrown

client = openai.OpenAI(base_url=URL + "/v1", api_key=KEY, max_retries=0)


def ask(text, **more):
    return client.chat.completions.create(**{"model": "aiorch", "messages": [{"role": "user", "content": text}], **more})


@check
def whole():
    answer = ask("Hello there?", temperature=0.5, max_completion_tokens=50, stop="END", seed=5, extra_body={"aiorch": {"cache": "off"}})
    assert answer.choices[0].message.content == "Hello from the fake."
    assert answer.usage.prompt_tokens_details.cached_tokens == 40
    assert answer.usage.completion_tokens_details.reasoning_tokens == 0
    assert answer.model_extra["aiorch"]["provider"] == "fake"


@check
def streamed_with_usage():
    chunks = list(ask("Hello there?", stream=True, stream_options={"include_usage": True}))
    assert "".join(c.choices[0].delta.content or "" for c in chunks if c.choices) == "Hello from the fake."
    assert chunks[0].choices[0].delta.role == "assistant"
    assert chunks[-1].usage.total_tokens == 120 and not chunks[-1].choices
    assert all(c.usage is None for c in chunks[:-1])


@check
def without_a_pool_of_connections():
    async def many():
        async with openai.AsyncOpenAI(base_url=URL + "/v1", api_key=KEY, max_retries=0) as busy:
            call = lambda: busy.chat.completions.create(model="aiorch", messages=[{"role": "user", "content": "Hello there?"}])
            return await asyncio.gather(*(call() for _ in range(20)))
    assert {a.choices[0].message.content for a in asyncio.run(many())} == {"Hello from the fake."}


@check
def round_of_tools():
    messages = [{"role": "user", "content": "use the tool"}]
    first = ask("", messages=messages, tools=[TOOL], tool_choice="required")
    call = first.choices[0].message.tool_calls[0]
    assert json.loads(call.function.arguments) == {"city": "Ulm"}
    messages += [first.choices[0].message, {"role": "tool", "tool_call_id": call.id, "content": "rain"}]
    assert ask("", messages=messages, tools=[TOOL]).choices[0].message.content == "The tool says rain."


@check
def round_of_tools_streamed():
    with client.chat.completions.stream(model="aiorch", messages=[{"role": "user", "content": "use the tool"}], tools=[TOOL]) as stream:
        answer = stream.get_final_completion()
    assert answer.choices[0].finish_reason == "tool_calls"
    assert answer.choices[0].message.tool_calls[0].function.name == "weather"


@check
def pictures():
    parts = [{"type": "text", "text": "What is in the picture?"}, {"type": "image_url", "image_url": {"url": "data:image/png;base64," + PICTURE}}]
    assert ask(parts).choices[0].message.content == "A picture of image/png."


@check
def json_by_a_schema():
    answer = ask("say json", response_format={"type": "json_schema", "json_schema": {"name": "colour", "schema": COLOUR, "strict": True}})
    assert json.loads(answer.choices[0].message.content) == {"colour": "red"}
    assert json.loads(ask("say json", response_format={"type": "json_object"}).choices[0].message.content) == {"colour": "red"}


@check
def errors():
    missing = thrown(openai.NotFoundError, lambda: ask("x", model="nobody"))
    assert missing.code == "model_not_found" and missing.type == "invalid_request_error"
    stranger = openai.OpenAI(base_url=URL + "/v1", api_key="wrong", max_retries=0)
    assert thrown(openai.AuthenticationError, stranger.models.list).code == "invalid_api_key"
    bad = thrown(openai.BadRequestError, lambda: ask("x", extra_body={"tempertaure": 1}))
    assert bad.code == "unknown_parameter" and bad.param == "tempertaure"
    assert thrown(openai.InternalServerError, lambda: ask("be busy", stream=True)).status_code >= 500


@check
def every_status_has_its_exception():
    rows = [(openai.BadRequestError, 400, "invalid_type", {"seed": "x"}, "x"), (openai.BadRequestError, 400, "content_policy_violation", {}, INJECTION),
            (openai.BadRequestError, 400, "context_length_exceeded", {}, "be too long"),
            (openai.PermissionDeniedError, 403, "origin_not_allowed", {"extra_headers": EVIL}, "x"),
            (openai.NotFoundError, 404, "model_not_found", {"model": "nobody"}, "x"), (openai.APIStatusError, 413, "too_large", {}, "x" * (2 << 20)),
            (openai.UnprocessableEntityError, 422, "content_filter", {}, "be a secret"), (openai.InternalServerError, 502, "providers_unavailable", {}, "be refused"),
            (openai.BadRequestError, 400, "provider_rejected", {}, "be rejected"), (openai.InternalServerError, 503, "providers_unavailable", {}, "be busy")]
    for kind, status, code, more, text in rows:
        for streamed in (False, True):
            if text == "be refused" and streamed:
                continue  # counted by the model's server
            error = thrown(kind, lambda: ask(text, stream=streamed, **more))  # pylint: disable=cell-var-from-loop
            assert (error.status_code, error.code) == (status, code), (status, error.status_code, error.code, error.message)
            assert error.request_id and type(error) is kind, type(error)


@check
def limits_and_deadline():
    asked = []
    hooks = {"request": [lambda request: asked.append(request.url.path)]}
    with openai.OpenAI(base_url=LIMITED + "/v1", api_key="none", max_retries=2, http_client=openai.DefaultHttpxClient(event_hooks=hooks)) as few:
        call = lambda text, **more: few.with_options(**more).chat.completions.create(model="aiorch", messages=[{"role": "user", "content": text}])
        late = thrown(openai.InternalServerError, lambda: call("be slow", max_retries=0))
        assert (late.status_code, late.code) == (504, "timeout")
        assert call("Hello there?").choices[0].message.content == "Hello from the fake."
        no = thrown(openai.RateLimitError, lambda: call("Hello there?"))
        assert (no.code, no.type) == ("rate_limit_exceeded", "rate_limit_error") and int(no.response.headers["retry-after"]) > 3500
        assert no.response.headers["x-ratelimit-remaining-requests"] == "0" and len(asked) == 3, asked  # it was not asked again


@check
def what_may_help_is_tried_again():
    stubborn = client.with_options(max_retries=2)
    call = lambda text: stubborn.chat.completions.create(model="aiorch", messages=[{"role": "user", "content": text}])
    assert call("be busy once").choices[0].message.content == "Hello from the fake."


@check
def warnings_are_told():
    answer = ask("Hello there?", user="eve", metadata={"a": "b"}, store=True)
    assert len(answer.model_extra["aiorch"]["warnings"]) == 3


@check
def error_after_the_first_token():
    text = []

    def read():
        for chunk in ask("break off", stream=True):
            text.append(chunk.choices[0].delta.content or "")
    assert thrown(openai.APIError, read).message
    assert "".join(text).startswith("word word")


@check
def abort_in_the_middle():
    with ask("be slow", stream=True) as stream:
        for chunk in stream:
            if chunk.choices[0].delta.content:
                break
        stream.close()


@check
def models_and_embeddings():
    assert "aiorch" in [m.id for m in client.models.list()]
    assert client.models.retrieve("fake/tiny-1").owned_by == "fake"
    answer = client.embeddings.create(model="aiorch", input=["one", "two"])
    assert len(answer.data) == 2 and len(answer.data[0].embedding) == 8
    assert thrown(openai.BadRequestError, lambda: client.embeddings.create(model="aiorch", input=[[1, 2]])).param == "input"
    assert thrown(openai.NotFoundError, lambda: client.embeddings.create(model="ada", input="x")).code == "model_not_found"


done()
