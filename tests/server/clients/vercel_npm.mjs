// The AI SDK of Vercel, by @ai-sdk/openai-compatible, against aiorch serve.
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { embedMany, generateText, isStepCount, jsonSchema, Output, stepCountIs, streamText, tool } from "ai";
import { assert, check, done, key, picture, schema, thrown, url, weather } from "./check.mjs";

const steps = isStepCount ?? stepCountIs;
const provider = createOpenAICompatible({ name: "aiorch", baseURL: `${url}/v1`, apiKey: key, includeUsage: true, supportsStructuredOutputs: true });
const model = provider("aiorch");
const tools = { weather: tool({ description: "The weather of a city", inputSchema: jsonSchema(weather), execute: async ({ city }) => `rain in ${city}` }) };
const quiet = { onError: () => {} };

await check("whole", async () => {
  const answer = await generateText({ model, prompt: "Hello there?", maxRetries: 0, temperature: 0.5, maxOutputTokens: 50 });
  assert.equal(answer.text, "Hello from the fake.");
  assert.equal(answer.finishReason, "stop");
  assert.deepEqual([answer.usage.inputTokens, answer.usage.outputTokens, answer.usage.totalTokens], [100, 20, 120]);
});

await check("streamed, with usage", async () => {
  const answer = streamText({ model, prompt: "Hello there?", maxRetries: 0 });
  let text = "";
  for await (const piece of answer.textStream) text += piece;
  assert.equal(text, "Hello from the fake.");
  assert.equal(await answer.finishReason, "stop");
  assert.equal((await answer.usage).totalTokens, 120);
});

await check("a round of tools", async () => {
  const answer = await generateText({ model, prompt: "use the tool", tools, stopWhen: steps(3), maxRetries: 0 });
  assert.equal(answer.text, "The tool says rain in Ulm.");
  assert.equal(answer.steps.length, 2);
});

await check("a round of tools, streamed", async () => {
  const answer = streamText({ model, prompt: "use the tool", tools, stopWhen: steps(3), maxRetries: 0 });
  let text = "";
  for await (const piece of answer.textStream) text += piece;
  assert.equal(text, "The tool says rain in Ulm.");
});

await check("pictures", async () => {
  const content = [{ type: "text", text: "What is in the picture?" }, { type: "file", data: Buffer.from(picture, "base64"), mediaType: "image/png" }];
  const answer = await generateText({ model, messages: [{ role: "user", content }], maxRetries: 0 });
  assert.equal(answer.text, "A picture of image/png.");
});

await check("JSON by a schema", async () => {
  const answer = await generateText({ model, prompt: "say json", output: Output.object({ schema: jsonSchema(schema) }), maxRetries: 0 });
  assert.deepEqual(answer.output, { colour: "red" });
});

await check("our own options", async () => {
  const answer = await generateText({ model, prompt: "Hello there?", maxRetries: 0, providerOptions: { aiorch: { aiorch: { cache: "off" } } } });
  assert.equal(answer.text, "Hello from the fake.");
});

await check("an error has its status", async () => {
  const error = await thrown(() => generateText({ model: provider("nobody/x"), prompt: "x", maxRetries: 0 }));
  assert.equal(error.statusCode, 404);
  assert.ok(error.message.includes("nobody/x"), error.message);
});

await check("a wrong key is an error", async () => {
  const other = createOpenAICompatible({ name: "aiorch", baseURL: `${url}/v1`, apiKey: "wrong" });
  assert.equal((await thrown(() => generateText({ model: other("aiorch"), prompt: "x", maxRetries: 0 }))).statusCode, 401);
});

await check("an error after the first token", async () => {
  let text = "", error = null;
  const answer = streamText({ model, prompt: "break off", maxRetries: 0, ...quiet });
  for await (const part of answer.fullStream ?? answer.stream) {
    if (part.type === "text-delta") text += part.text;
    if (part.type === "error") error = part.error;
  }
  assert.ok(text.startsWith("word word"));
  assert.ok(error, "no error part");
});

await check("abort in the middle", async () => {
  const controller = new AbortController();
  const answer = streamText({ model, prompt: "be slow", maxRetries: 0, abortSignal: controller.signal, ...quiet });
  let text = "";
  for await (const part of answer.fullStream ?? answer.stream) {
    if (part.type === "text-delta") text += part.text;
    if (text) controller.abort();
  }
  assert.ok(text.startsWith("word"));
});

await check("embeddings", async () => {
  const answer = await embedMany({ model: (provider.embeddingModel ?? provider.textEmbeddingModel)("aiorch"), values: ["one", "two"], maxRetries: 0 });
  assert.equal(answer.embeddings.length, 2);
});

done();
