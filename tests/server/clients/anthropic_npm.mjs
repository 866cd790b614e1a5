// npm @anthropic-ai/sdk against aiorch serve.
import Anthropic from "@anthropic-ai/sdk";
import { assert, check, done, evil, injection, key, limited, picture, schema, thrown, url, weather } from "./check.mjs";

const client = new Anthropic({ baseURL: url, apiKey: key, authToken: null, maxRetries: 0 });
const ask = (content, more = {}) => client.messages.create({ model: "aiorch", max_tokens: 99, messages: [{ role: "user", content }], ...more });
const tools = [{ name: "weather", description: "The weather of a city", input_schema: weather }];

await check("whole", async () => {
  const answer = await ask("Hello there?", { system: [{ type: "text", text: "Be brief.", cache_control: { type: "ephemeral" } }], stop_sequences: ["END"] });
  assert.deepEqual(answer.content, [{ type: "text", text: "Hello from the fake." }]);
  assert.deepEqual([answer.type, answer.role, answer.stop_reason], ["message", "assistant", "end_turn"]);
  assert.deepEqual([answer.usage.input_tokens, answer.usage.cache_read_input_tokens, answer.usage.output_tokens], [60, 40, 20]);
});

await check("streamed", async () => {
  const stream = client.messages.stream({ model: "aiorch", max_tokens: 99, messages: [{ role: "user", content: "Hello there?" }] });
  let text = "";
  stream.on("text", (piece) => (text += piece));
  const answer = await stream.finalMessage();
  assert.equal(text, "Hello from the fake.");
  assert.equal(answer.content[0].text, text);
  assert.deepEqual([answer.stop_reason, answer.usage.output_tokens, answer.usage.input_tokens], ["end_turn", 20, 60]);
});

for (const streamed of [false, true]) {
  await check(`a round of tools, ${streamed ? "streamed" : "whole"}`, async () => {
    const messages = [{ role: "user", content: "use the tool" }];
    const body = { model: "aiorch", max_tokens: 99, messages, tools, tool_choice: { type: "auto" } };
    const first = streamed ? await client.messages.stream(body).finalMessage() : await client.messages.create(body);
    const use = first.content.find((block) => block.type === "tool_use");
    assert.equal(first.stop_reason, "tool_use");
    assert.deepEqual([use.name, use.input], ["weather", { city: "Ulm" }]);
    messages.push({ role: "assistant", content: first.content }, { role: "user", content: [{ type: "tool_result", tool_use_id: use.id, content: "rain" }] });
    const second = await client.messages.create({ model: "aiorch", max_tokens: 99, messages, tools });
    assert.equal(second.content[0].text, "The tool says rain.");
  });
}

await check("pictures", async () => {
  const answer = await ask([{ type: "image", source: { type: "base64", media_type: "image/png", data: picture } }, { type: "text", text: "What is in the picture?" }]);
  assert.equal(answer.content[0].text, "A picture of image/png.");
});

await check("JSON by a schema", async () => {
  const answer = await ask("say json", { output_config: { format: { type: "json_schema", schema } } });
  assert.deepEqual(JSON.parse(answer.content[0].text), { colour: "red" });
});

await check("errors have a class and a type", async () => {
  const missing = await thrown(() => ask("x", { model: "nobody" }));
  assert.ok(missing instanceof Anthropic.NotFoundError);
  assert.equal(missing.error.error.type, "not_found_error");
  assert.ok(missing.requestID);
  const stranger = new Anthropic({ baseURL: url, apiKey: "wrong", authToken: null, maxRetries: 0 });
  const unknown = await thrown(() => stranger.messages.create({ model: "aiorch", max_tokens: 9, messages: [{ role: "user", content: "x" }] }));
  assert.ok(unknown instanceof Anthropic.AuthenticationError);
  assert.equal(unknown.error.error.type, "authentication_error");
  const bad = await thrown(() => ask([{ type: "document", source: { type: "text", media_type: "text/plain", data: "x" } }]));
  assert.ok(bad instanceof Anthropic.BadRequestError);
  assert.equal(bad.error.error.type, "invalid_request_error");
  const early = await thrown(() => ask("be busy", { stream: true }));
  assert.ok(early instanceof Anthropic.InternalServerError);
});

await check("every status has its exception", async () => {
  const rows = [[Anthropic.BadRequestError, 400, "invalid_request_error", injection], [Anthropic.BadRequestError, 400, "invalid_request_error", "be too long"],
    [Anthropic.NotFoundError, 404, "not_found_error", "x", { model: "nobody" }], [Anthropic.APIError, 413, "request_too_large", "x".repeat(2 << 20)],
    [Anthropic.UnprocessableEntityError, 422, "invalid_request_error", "be a secret"], [Anthropic.InternalServerError, 502, "api_error", "be refused"],
    [Anthropic.BadRequestError, 400, "invalid_request_error", "be rejected"], [Anthropic.InternalServerError, 503, "overloaded_error", "be busy"]];
  for (const [kind, status, type, text, more] of rows) {
    const error = await thrown(() => ask(text, more));
    assert.ok(error instanceof kind, `${status}: ${error}`);
    assert.deepEqual([error.status, error.error.error.type], [status, type], String(error));
  }
  const page = await thrown(() => client.messages.create({ model: "aiorch", max_tokens: 9, messages: [{ role: "user", content: "x" }] }, { headers: evil }));
  assert.ok(page instanceof Anthropic.PermissionDeniedError);
});

await check("limits, a deadline, and what is tried again", async () => {
  let asked = 0;
  const counting = (...args) => (asked++, fetch(...args));
  const few = new Anthropic({ baseURL: limited, apiKey: "none", authToken: null, maxRetries: 2, fetch: counting });
  const call = (who, content, options) => who.messages.create({ model: "aiorch", max_tokens: 9, messages: [{ role: "user", content }] }, options);
  const late = await thrown(() => call(few, "be slow", { maxRetries: 0 }));
  assert.deepEqual([late.status, late.error.error.type], [504, "timeout_error"]);
  assert.equal((await call(few, "Hello there?")).content[0].text, "Hello from the fake.");
  const no = await thrown(() => call(few, "Hello there?"));
  assert.ok(no instanceof Anthropic.RateLimitError);
  assert.deepEqual([no.headers.get("x-should-retry"), asked], ["false", 3]);
  assert.equal((await call(client, "be busy once", { maxRetries: 2 })).content[0].text, "Hello from the fake.");
});

await check("tokens are counted", async () => {
  const count = await client.messages.countTokens({ model: "aiorch", messages: [{ role: "user", content: "Hello there?" }] });
  assert.ok(count.input_tokens > 0 && count.input_tokens < 50, String(count.input_tokens));
});

await check("an error after the first token ends the stream", async () => {
  let text = "";
  const error = await thrown(async () => {
    for await (const event of await ask("break off", { stream: true })) text += event.delta?.text ?? "";
  });
  assert.ok(text.startsWith("word word"));
  assert.ok(error instanceof Anthropic.APIError, String(error));
});

await check("abort in the middle", async () => {
  const stream = await ask("be slow", { stream: true });
  let text = "";
  for await (const event of stream) {
    text += event.delta?.text ?? "";
    if (text) break;
  }
  assert.ok(text.startsWith("word"));
});

await check("models", async () => {
  const names = [];
  for await (const model of client.models.list()) names.push(model.id);
  assert.ok(names.includes("aiorch"), names.join());
});

done();
