// From the same bytes the same text, tools, end and tokens: whole, as a stream, and as a stream cut into single bytes. Tokens are asked of
// a third party, too, and their price.
import { readFileSync } from 'node:fs'
import { calcPrice, extractUsage, findProvider } from '@pydantic/genai-prices'
import { ask, KEY } from './drive.mjs'

const PRICES = { anthropic: ['anthropic', 'default'], openai: ['openai', 'chat'], gemini: ['google', 'default'], deepseek: ['deepseek', 'default'] }
const WHEN = new Date('2026-11-23T12:00:00Z')

function frame(provider, one) {
  if (one.raw !== undefined) return one.raw
  if (one.whole !== undefined) return JSON.stringify(one.whole)
  const lines = one.stream.map((e) => JSON.stringify(e))
  if (provider === 'ollama') return lines.map((l) => l + '\n').join('')
  if (provider === 'anthropic') return one.stream.map((e, i) => `event: ${e.type}\ndata: ${lines[i]}\n\n`).join('')
  if (provider === 'gemini') return lines.map((l) => `data: ${l}\r\n\r\n`).join('')
  return lines.map((l) => `data: ${l}\n\n`).join('') + (one.done === false ? '' : 'data: [DONE]\n\n')
}

const QUESTION = {
  anthropic: { model: 'claude-opus-5-5', max_tokens: 100, messages: [{ role: 'user', content: 'Hi' }] },
  openai: { model: 'gpt-6-sol', messages: [{ role: 'user', content: 'Hi' }] },
  gemini: { model: 'gemini-3-flash', contents: 'Hi' },
  ollama: { model: 'qwen3', messages: [{ role: 'user', content: 'Hi' }] },
}

const sum = (u) => ({ input: u.input + u.cache_read + u.cache_write, cache_read: u.cache_read, cache_write: u.cache_write, output: u.output + u.reasoning })

// What genai-prices reads from the same answer, and what it takes the tokens to cost.
function third_party(provider, server, raw, ours) {
  const [id, flavor] = PRICES[server ?? provider] ?? []
  const known = id && findProvider({ providerId: id })
  if (!known || !raw) return null
  let found
  try { found = extractUsage(known, raw, flavor) } catch { return null }
  const u = found.usage
  const their = { input: u.input_tokens ?? 0, cache_read: u.cache_read_tokens ?? 0, cache_write: u.cache_write_tokens ?? 0, output: u.output_tokens ?? 0 }
  return { usage: [ours && sum(ours), their], price: ours && found.model ? calcPrice(u, found.model, { providerId: id, timestamp: WHEN }) : null }
}

const subset = (ours, want) => Object.fromEntries(Object.keys(want).map((k) =>
  [k, want[k] && typeof want[k] === 'object' && !Array.isArray(want[k]) && ours?.[k] ? subset(ours[k], want[k]) : ours?.[k]]))

export async function compare_answers({ server, run, differ, count }) {
  const table = JSON.parse(readFileSync('answers.json', 'utf8'))
  for (const [provider, cases] of Object.entries(table)) {
    if (!Array.isArray(cases)) continue
    for (const one of cases) {
      const where = `answer "${one.name}" of ${provider}`
      const stream = one.stream !== undefined || (one.raw !== undefined && !one.http_status)
      const body = frame(provider, one)
      const type = stream && !one.http_status ? (provider === 'ollama' ? 'application/x-ndjson' : 'text/event-stream; charset=utf-8') : 'application/json'
      const reply = { http_status: one.http_status ?? 200, headers: { 'content-type': type, ...one.headers }, body }
      const head = { codec: provider, target: { server: one.server ?? '', key: KEY }, ...reply, body: undefined, framing: stream ? (provider === 'ollama' ? 'lines' : 'sse') : 'whole' }
      const answers = [0, 1, 7].map((step) => run('decode', JSON.stringify({ ...head, step }) + '\n' + body))
      const ours = answers[0]
      count(provider, one.http_status ? 'errors' : stream ? 'streams' : 'whole answers')
      differ(where, 'in pieces', answers[1], ours)
      differ(where, 'in pieces of 7', answers[2], ours)
      differ(where, 'status', ours.status, one.status ?? 'OK')
      if (one.expect) differ(where, 'expected', subset(ours, one.expect), one.expect)
      if (ours.error) differ(where, 'no key in its message', ours.error.message.includes(KEY), false)
      if (one.sdk === 'skip') { count(provider, 'that its SDK cannot judge'); continue }

      server.reply = reply
      let theirs = null
      let thrown = null
      try { theirs = await ask(provider, server.url, structuredClone(QUESTION[provider]), stream, true) } catch (e) { thrown = e }
      if (differ(where, 'whether it fails', one.sdk === 'throws', thrown !== null) && thrown) console.log(thrown)
      if (thrown) {
        if (one.http_status) differ(where, 'HTTP status of the error', ours.error?.http_status, thrown.status ?? thrown.status_code)
        const said = one.message ?? String(thrown.error?.error?.message ?? thrown.error?.message ?? '')
        if (one.message) differ(where, 'message', ours.error?.message, one.message)
        else if (said && provider !== 'gemini') differ(where, 'message', ours.error?.message, said)
        continue
      }
      if (!theirs) continue
      for (const member of ['text', 'reasoning', 'signature', 'finish', 'usage']) differ(where, member, ours[member], theirs[member])
      if (theirs.model) differ(where, 'model', ours.model, theirs.model)
      differ(where, 'tools', ours.tools.map((t, i) => ({ id: theirs.tools[i]?.id === undefined ? undefined : t.id, name: t.name, arguments: JSON.parse(t.arguments) })), theirs.tools)
      const other = third_party(provider, one.server, theirs.raw, ours.usage)
      if (!other) continue
      count(provider, 'usages asked of a third')
      differ(where, 'tokens, asked of genai-prices', other.usage[0], other.usage[1])
      if (other.price && ours.cost_nano_usd !== null && !one.more_than_tokens) {
        count(provider, 'prices')
        differ(where, 'price', Math.round(ours.cost_nano_usd / 10) , Math.round(other.price.total_price * 1e8))
      }
    }
  }
}
