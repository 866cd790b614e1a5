"""PyPI langchain-openai against aiorch serve."""

import openai
from checking import COLOUR, KEY, PICTURE, TOOL, URL, check, done, thrown
from langchain_core.messages import HumanMessage, ToolMessage
from langchain_openai import ChatOpenAI, OpenAIEmbeddings

model = ChatOpenAI(base_url=URL + "/v1", api_key=KEY, model="aiorch", max_retries=0, temperature=0.5, stream_usage=True)


@check
def whole():
    answer = model.invoke("Hello there?")
    assert answer.text == "Hello from the fake." or answer.content == "Hello from the fake."
    assert answer.usage_metadata["input_tokens"] == 100 and answer.usage_metadata["input_token_details"]["cache_read"] == 40


@check
def streamed_with_usage():
    total = None
    for chunk in model.stream("Hello there?"):
        total = chunk if total is None else total + chunk
    assert total.content == "Hello from the fake." and total.usage_metadata["total_tokens"] == 120


@check
def round_of_tools():
    messages = [HumanMessage("use the tool")]
    first = model.bind_tools([TOOL]).invoke(messages)
    call = first.tool_calls[0]
    assert call["name"] == "weather" and call["args"] == {"city": "Ulm"}
    messages += [first, ToolMessage("rain", tool_call_id=call["id"])]
    assert model.bind_tools([TOOL]).invoke(messages).content == "The tool says rain."


@check
def pictures():
    parts = [{"type": "text", "text": "What is in the picture?"}, {"type": "image_url", "image_url": {"url": "data:image/png;base64," + PICTURE}}]
    assert model.invoke([HumanMessage(parts)]).content == "A picture of image/png."


@check
def json_by_a_schema():
    schema = {"title": "colour", "description": "A colour", **COLOUR}
    assert model.with_structured_output(schema, method="json_schema").invoke("say json") == {"colour": "red"}


@check
def errors():
    assert thrown(openai.NotFoundError, lambda: ChatOpenAI(base_url=URL + "/v1", api_key=KEY, model="nobody", max_retries=0).invoke("x"))
    assert thrown(openai.AuthenticationError, lambda: ChatOpenAI(base_url=URL + "/v1", api_key="wrong", model="aiorch", max_retries=0).invoke("x"))
    text = []
    assert thrown(openai.APIError, lambda: text.extend(c.content for c in model.stream("break off")))
    assert "".join(text).startswith("word")


@check
def abort_in_the_middle():
    stream = model.stream("be slow")
    for chunk in stream:
        if chunk.content:
            break
    stream.close()


@check
def embeddings():
    embedder = OpenAIEmbeddings(base_url=URL + "/v1", api_key=KEY, model="aiorch", check_embedding_ctx_length=False)
    assert len(embedder.embed_documents(["one", "two"])) == 2


done()
