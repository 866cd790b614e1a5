// The four SDKs behind one face: ask(server, ...) sends a request of theirs, and read(...) says what they made of an answer.
import http from 'node:http'
import OpenAI from 'openai'
import Anthropic from '@anthropic-ai/sdk'
import { GoogleGenAI } from '@google/genai'
import { Ollama } from 'ollama'

console.warn = () => {} // the SDKs' advice about models is not what is asked

export const KEY = 'test-key-0123456789abcdef'

// A server that notes what it is sent and answers with the bytes it was told to.
export async function serve() {
  const s = { seen: null, reply: null }
  const server = http.createServer((req, res) => {
    const chunks = []
    req.on('data', (c) => chunks.push(c))
    req.on('end', () => {
      s.seen = { method: req.method, url: req.url, headers: req.headers, body: JSON.parse(Buffer.concat(chunks).toString() || 'null') }
      res.writeHead(s.reply.http_status, { connection: 'close', ...s.reply.headers }) // one that idles may be gone when it is wanted
      res.end(s.reply.body)
    })
  })
  await new Promise((done) => server.listen(0, '127.0.0.1', done))
  s.url = `http://127.0.0.1:${server.address().port}`
  s.close = () => server.close()
  return s
}

// Addresses as a user of each SDK writes them; ours are joined from the same.
export const base = { anthropic: '', openai: '/v1', gemini: '', ollama: '' }

const clients = {
  anthropic: (url, t) => new Anthropic({ apiKey: KEY, baseURL: url, maxRetries: 0, defaultHeaders: t.version ? { 'anthropic-version': t.version } : {} }),
  openai: (url) => new OpenAI({ apiKey: KEY, baseURL: url + '/v1', maxRetries: 0 }),
  gemini: (url) => new GoogleGenAI({ apiKey: KEY, httpOptions: { baseUrl: url } }),
  ollama: (url) => new Ollama({ host: url }),
}

const classes = (input, read, write, write1h, output, reasoning) =>
  ({ input, cache_read: read, cache_write: write, cache_write_1h: write1h, output, reasoning })

// Disjoint classes by each interface's own rules.
const usage = {
  anthropic: (u) => u && classes(u.input_tokens, u.cache_read_input_tokens ?? 0, u.cache_creation_input_tokens ?? 0,
    u.cache_creation?.ephemeral_1h_input_tokens ?? 0, u.output_tokens - (u.output_tokens_details?.thinking_tokens ?? 0), u.output_tokens_details?.thinking_tokens ?? 0),
  openai: (u) => {
    if (!u) return null
    const read = u.prompt_tokens_details?.cached_tokens ?? u.prompt_cache_hit_tokens ?? 0
    const write = u.prompt_tokens_details?.cache_write_tokens ?? 0
    const thought = u.completion_tokens_details?.reasoning_tokens ?? 0
    return classes(u.prompt_tokens - read - write, read, write, 0, u.completion_tokens - thought, thought)
  },
  gemini: (u) => u && classes(u.promptTokenCount - (u.cachedContentTokenCount ?? 0) + (u.toolUsePromptTokenCount ?? 0), u.cachedContentTokenCount ?? 0, 0, 0,
    u.candidatesTokenCount ?? 0, u.thoughtsTokenCount ?? 0),
  ollama: (u) => u && u.eval_count !== undefined ? classes(u.prompt_eval_count ?? 0, 0, 0, 0, u.eval_count, 0) : null,
}

const finishes = {
  anthropic: { end_turn: 'stop', stop_sequence: 'stop', max_tokens: 'length', tool_use: 'tool_calls', refusal: 'refusal', pause_turn: 'length', model_context_window_exceeded: 'length' },
  openai: { stop: 'stop', length: 'length', tool_calls: 'tool_calls', content_filter: 'content_filter' },
  gemini: { STOP: 'stop', MAX_TOKENS: 'length', SAFETY: 'content_filter', RECITATION: 'content_filter', PROHIBITED_CONTENT: 'content_filter', MALFORMED_FUNCTION_CALL: 'error' },
  ollama: { stop: 'stop', length: 'length' },
}

const texts = (list, type, member) => list.filter((b) => b.type === type).map((b) => b[member]).join('')

const read = {
  anthropic: (m) => ({
    text: texts(m.content, 'text', 'text'), reasoning: texts(m.content, 'thinking', 'thinking'),
    signature: m.content.map((b) => (b.type === 'thinking' ? b.signature ?? '' : b.type === 'redacted_thinking' ? b.data : '')).join(''),
    tools: m.content.filter((b) => b.type === 'tool_use').map((b) => ({ id: b.id, name: b.name, arguments: b.input })),
    finish: finishes.anthropic[m.stop_reason], usage: usage.anthropic(m.usage), model: m.model, raw: m,
  }),
  openai: (c, extra = {}) => {
    const m = c.choices[0].message
    const tools = (m.tool_calls ?? []).map((t) => ({ id: t.id, name: t.function.name, arguments: JSON.parse(t.function.arguments) }))
    const refused = m.refusal ? 'refusal' : null
    return { text: (m.content ?? '') + (m.refusal ?? ''), reasoning: extra.reasoning ?? m.reasoning_content ?? m.reasoning ?? '', tools, signature: '',
      finish: tools.length && c.choices[0].finish_reason === 'stop' ? 'tool_calls' : refused ?? finishes.openai[c.choices[0].finish_reason],
      usage: usage.openai(extra.usage ?? c.usage), model: c.model, raw: { ...c, usage: extra.usage ?? c.usage } }
  },
  gemini: (chunks) => {
    const parts = chunks.flatMap((c) => c.candidates?.[0]?.content?.parts ?? [])
    const last = (get) => chunks.map(get).filter((x) => x !== undefined && x !== null).at(-1)
    const reason = last((c) => c.candidates?.[0]?.finishReason)
    const tools = chunks.flatMap((c) => c.functionCalls ?? []).map((f) => ({ id: f.id, name: f.name, arguments: f.args ?? {} }))
    return { text: chunks.map((c) => c.text ?? '').join(''), reasoning: parts.filter((p) => p.thought).map((p) => p.text).join(''),
      signature: parts.filter((p) => p.thoughtSignature && !p.functionCall).map((p) => p.thoughtSignature).join(''), tools,
      finish: last((c) => c.promptFeedback?.blockReason) ? 'content_filter' : tools.length && reason === 'STOP' ? 'tool_calls' : finishes.gemini[reason],
      usage: usage.gemini(last((c) => c.usageMetadata)), model: last((c) => c.modelVersion) ?? '', raw: { modelVersion: last((c) => c.modelVersion), usageMetadata: last((c) => c.usageMetadata) } }
  },
  ollama: (chunks) => {
    const tools = chunks.flatMap((c) => c.message?.tool_calls ?? []).map((t) => ({ id: t.id, name: t.function.name, arguments: t.function.arguments }))
    const end = chunks.at(-1)
    return { text: chunks.map((c) => c.message?.content ?? '').join(''), reasoning: chunks.map((c) => c.message?.thinking ?? '').join(''), signature: '', tools,
      finish: tools.length && end.done_reason !== 'length' ? 'tool_calls' : finishes.ollama[end.done_reason ?? 'stop'], usage: usage.ollama(end), model: end.model, raw: end }
  },
}

async function all(stream) {
  const chunks = []
  for await (const c of stream) chunks.push(c)
  return chunks
}

// Sends `params` (without stream: whole), and reads the answer when `decode` is said.
export async function ask(provider, url, params, stream, decode, target = {}) {
  const c = clients[provider](url, target)
  if (provider === 'anthropic') {
    if (!stream) return read.anthropic(await c.messages.create(params))
    const s = c.messages.stream(params)
    return decode ? read.anthropic(await s.finalMessage()) : s.finalMessage().catch(() => null)
  }
  if (provider === 'openai') {
    if (!stream) return read.openai(await c.chat.completions.create(params))
    const s = c.chat.completions.stream(params)
    let reasoning = ''
    let usage_ = null
    s.on('chunk', (k) => {
      const d = k.choices?.[0]?.delta ?? {}
      reasoning += d.reasoning_content ?? d.reasoning ?? ''
      usage_ = k.usage ?? usage_
    })
    return decode ? read.openai(await s.finalChatCompletion(), { reasoning, usage: usage_ }) : s.done().catch(() => null)
  }
  if (provider === 'gemini') {
    if (!stream) return read.gemini([await c.models.generateContent(params)])
    return read.gemini(await all(await c.models.generateContentStream(params)))
  }
  const answer = await c.chat({ ...params, stream })
  return read.ollama(stream ? await all(answer) : [answer])
}
