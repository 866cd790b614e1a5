// npm openai against aiorch serve.
import OpenAI from "openai";
import { assert, check, done, evil, injection, key, limited, picture, schema, thrown, url, weather } from "./check.mjs";

const client = new OpenAI({ baseURL: `${url}/v1`, apiKey: key, maxRetries: 0 });
const ask = (text, more = {}) => client.chat.completions.create({ model: "aiorch", messages: [{ role: "user", content: text }], ...more });
const tools = [{ type: "function", function: { name: "weather", description: "The weather of a city", parameters: weather } }];

await check("whole", async () => {
  const answer = await ask("Hello there?", { temperature: 0.5, max_tokens: 50, stop: ["END"], user: "eve" });
  assert.equal(answer.object, "chat.completion");
  assert.equal(answer.choices[0].message.content, "Hello from the fake.");
  assert.equal(answer.choices[0].finish_reason, "stop");
  assert.deepEqual([answer.usage.prompt_tokens, answer.usage.completion_tokens, answer.usage.total_tokens], [100, 20, 120]);
  assert.equal(answer.usage.prompt_tokens_details.cached_tokens, 40);
  assert.equal(answer.aiorch.provider, "fake");
});

await check("headers", async () => {
  const { data, response } = await ask("Hello there?").withResponse();
  assert.equal(response.headers.get("x-aiorch-provider"), "fake");
  assert.ok(response.headers.get("x-request-id"));
  assert.equal(data._request_id, response.headers.get("x-request-id"));
});

await check("streamed, with usage", async () => {
  let text = "", usage = null, last = null, own = null;
  for await (const chunk of await ask("Hello there?", { stream: true, stream_options: { include_usage: true } })) {
    text += chunk.choices[0]?.delta?.content ?? "";
    usage = chunk.usage ?? usage;
    own = chunk.aiorch ?? own;
    last = chunk.choices[0]?.finish_reason ?? last;
  }
  assert.equal(text, "Hello from the fake.");
  assert.equal(last, "stop");
  assert.equal(usage.total_tokens, 120);
  assert.equal(own.provider, "fake");
});

await check("the stream helper gathers a completion", async () => {
  const stream = client.chat.completions.stream({ model: "aiorch", messages: [{ role: "user", content: "use the tool" }], tools });
  const answer = await stream.finalChatCompletion();
  assert.equal(answer.choices[0].message.tool_calls[0].function.arguments, '{"city":"Ulm"}');
});

await check("a round of tools", async () => {
  const messages = [{ role: "user", content: "use the tool" }];
  const first = await client.chat.completions.create({ model: "aiorch", messages, tools, tool_choice: "auto", parallel_tool_calls: true });
  const call = first.choices[0].message.tool_calls[0];
  assert.equal(first.choices[0].finish_reason, "tool_calls");
  assert.equal(call.function.name, "weather");
  messages.push(first.choices[0].message, { role: "tool", tool_call_id: call.id, content: "rain" });
  const second = await client.chat.completions.create({ model: "aiorch", messages, tools });
  assert.equal(second.choices[0].message.content, "The tool says rain.");
});

await check("runTools calls the tool itself", async () => {
  const runner = client.chat.completions.runTools({
    model: "aiorch", messages: [{ role: "user", content: "use the tool" }], stream: true,
    tools: [{ type: "function", function: { name: "weather", description: "d", parameters: weather, parse: JSON.parse, function: ({ city }) => `rain in ${city}` } }],
  });
  assert.equal(await runner.finalContent(), "The tool says rain in Ulm.");
});

await check("pictures", async () => {
  const content = [{ type: "text", text: "What is in the picture?" }, { type: "image_url", image_url: { url: `data:image/png;base64,${picture}` } }];
  const answer = await client.chat.completions.create({ model: "aiorch", messages: [{ role: "user", content }] });
  assert.equal(answer.choices[0].message.content, "A picture of image/png.");
});

await check("JSON by a schema", async () => {
  const response_format = { type: "json_schema", json_schema: { name: "colour", strict: true, schema } };
  const answer = await client.chat.completions.parse({ model: "aiorch", messages: [{ role: "user", content: "say json" }], response_format });
  assert.deepEqual(answer.choices[0].message.parsed, { colour: "red" });
});

await check("our own options", async () => {
  const answer = await ask("Hello there?", { aiorch: { cache: "off", provider: "fake", filters: { lang: "en" } } });
  assert.equal(answer.aiorch.cache, "off");
});

await check("errors have a class, a type, a code", async () => {
  const missing = await thrown(() => ask("x", { model: "nobody/x" }));
  assert.ok(missing instanceof OpenAI.NotFoundError);
  assert.equal(missing.code, "model_not_found");
  const stranger = await thrown(() => new OpenAI({ baseURL: `${url}/v1`, apiKey: "wrong", maxRetries: 0 }).models.list());
  assert.ok(stranger instanceof OpenAI.AuthenticationError);
  assert.equal(stranger.code, "invalid_api_key");
  const bad = await thrown(() => ask("x", { n: 3 }));
  assert.ok(bad instanceof OpenAI.BadRequestError);
  assert.deepEqual([bad.type, bad.param, bad.code], ["invalid_request_error", "n", "unsupported_parameter"]);
  const busy = await thrown(() => ask("be busy"));
  assert.ok(busy instanceof OpenAI.InternalServerError);
  const early = await thrown(() => ask("be busy", { stream: true }));
  assert.ok(early.status >= 500);
});

await check("every status has its exception", async () => {
  const rows = [[OpenAI.BadRequestError, 400, "invalid_type", "x", { seed: "x" }], [OpenAI.BadRequestError, 400, "content_policy_violation", injection],
    [OpenAI.BadRequestError, 400, "context_length_exceeded", "be too long"], [OpenAI.NotFoundError, 404, "model_not_found", "x", { model: "nobody" }],
    [OpenAI.APIError, 413, "too_large", "x".repeat(2 << 20)], [OpenAI.UnprocessableEntityError, 422, "content_filter", "be a secret"],
    [OpenAI.InternalServerError, 502, "providers_unavailable", "be refused"], [OpenAI.BadRequestError, 400, "provider_rejected", "be rejected"],
    [OpenAI.InternalServerError, 503, "providers_unavailable", "be busy"]];
  for (const [kind, status, code, text, more] of rows) {
    const error = await thrown(() => ask(text, more));
    assert.equal(error.constructor, kind, `${status}: ${error}`);
    assert.deepEqual([error.status, error.code], [status, code], String(error));
  }
  const page = await thrown(() => client.chat.completions.create({ model: "aiorch", messages: [{ role: "user", content: "x" }] }, { headers: evil }));
  assert.ok(page instanceof OpenAI.PermissionDeniedError);
});

await check("limits and a deadline", async () => {
  let asked = 0;
  const counting = (...args) => (asked++, fetch(...args));
  const few = new OpenAI({ baseURL: `${limited}/v1`, apiKey: "none", maxRetries: 2, fetch: counting });
  const call = (text, options) => few.chat.completions.create({ model: "aiorch", messages: [{ role: "user", content: text }] }, options);
  const late = await thrown(() => call("be slow", { maxRetries: 0 }));
  assert.ok(late instanceof OpenAI.InternalServerError);
  assert.deepEqual([late.status, late.code], [504, "timeout"]);
  assert.equal((await call("Hello there?")).choices[0].message.content, "Hello from the fake.");
  const no = await thrown(() => call("Hello there?"));
  assert.ok(no instanceof OpenAI.RateLimitError);
  assert.deepEqual([no.code, no.headers.get("x-should-retry"), asked], ["rate_limit_exceeded", "false", 3]);
});

await check("what may help is tried again", async () => {
  const body = { model: "aiorch", messages: [{ role: "user", content: "be busy once" }] };
  assert.equal((await client.chat.completions.create(body, { maxRetries: 2 })).choices[0].message.content, "Hello from the fake.");
});

await check("an error after the first token ends the stream", async () => {
  let text = "";
  const error = await thrown(async () => {
    for await (const chunk of await ask("break off", { stream: true })) text += chunk.choices[0]?.delta?.content ?? "";
  });
  assert.ok(text.startsWith("word word"));
  assert.ok(error instanceof OpenAI.APIError, String(error));
  assert.ok(error.message.length > 0);
});

await check("abort in the middle", async () => {
  const stream = await ask("be slow", { stream: true });
  let text = "";
  for await (const chunk of stream) {
    text += chunk.choices[0]?.delta?.content ?? "";
    if (text) break; // which aborts
  }
  assert.ok(text.startsWith("word"));
});

await check("models", async () => {
  const names = [];
  for await (const model of client.models.list()) names.push(model.id);
  assert.ok(names.includes("aiorch") && names.includes("fake/tiny-1"), names.join());
  assert.equal((await client.models.retrieve("fake/tiny-1")).owned_by, "fake");
});

await check("embeddings, which the SDK asks for in base64", async () => {
  const answer = await client.embeddings.create({ model: "aiorch", input: ["one", "two"] });
  assert.equal(answer.data.length, 2);
  assert.ok(Math.abs(answer.data[0].embedding.reduce((sum, x) => sum + x * x, 0) - 1) < 1e-3);
  const plain = await client.embeddings.create({ model: "aiorch", input: "one", encoding_format: "float" });
  plain.data[0].embedding.forEach((x, i) => assert.ok(Math.abs(x - answer.data[0].embedding[i]) < 1e-6));
  assert.ok(plain.usage.prompt_tokens >= 0);
});

done();
