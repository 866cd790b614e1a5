// node oracle.mjs CODEC_TOOL: compares what codec_tool makes of requests.json and answers.json with what the SDKs make of them.
// Prints every difference, and a table; exit 1 when there is one.
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { isDeepStrictEqual } from 'node:util'
import { ask, base, KEY, serve } from './drive.mjs'
import { check_types } from './types.mjs'
import { compare_answers } from './answers.mjs'
import { compare_embedders } from './embedders.mjs'

const tool = process.argv[2]
const PROVIDERS = ['anthropic', 'openai', 'gemini', 'ollama']
const counts = {}
let failures = 0

export function run(mode, input) {
  const r = spawnSync(tool, [mode], { input, maxBuffer: 1 << 28 })
  if (r.status !== 0) throw new Error(`codec_tool ${mode} ended with ${r.status ?? r.signal}: ${r.stderr} for ${String(input).slice(0, 300)}`)
  return JSON.parse(r.stdout.toString())
}

const count = (provider, what) => {
  counts[provider] ??= {}
  counts[provider][what] = (counts[provider][what] ?? 0) + 1
}

function differ(where, what, ours, theirs) {
  if (isDeepStrictEqual(ours, theirs)) return false
  failures++
  console.log(`DIFFERENT ${where}: ${what}\n  ours   ${JSON.stringify(ours)}\n  theirs ${JSON.stringify(theirs)}`)
  return true
}

// An answer that each SDK takes, so that asking ends well.
const CANNED = {
  anthropic: [{ type: 'message', id: 'm', role: 'assistant', model: 'm', content: [], stop_reason: 'end_turn', usage: { input_tokens: 1, output_tokens: 1 } },
    'event: message_stop\ndata: {"type":"message_stop"}\n\n', 'text/event-stream'],
  openai: [{ id: 'c', object: 'chat.completion', model: 'm', choices: [{ index: 0, message: { role: 'assistant', content: '' }, finish_reason: 'stop' }] }, 'data: [DONE]\n\n', 'text/event-stream'],
  gemini: [{ candidates: [] }, 'data: {"candidates":[]}\n\n', 'text/event-stream'],
  ollama: [{ model: 'm', message: { role: 'assistant', content: '' }, done: true }, '{"model":"m","message":{"role":"assistant","content":""},"done":true}\n', 'application/x-ndjson'],
}

// Headers that say who asks, or how: those of an SDK's own are not ours to send.
const HEADERS = { anthropic: ['content-type', 'anthropic-version', 'authorization'], openai: ['content-type', 'authorization'], gemini: ['content-type', 'x-goog-api-key'], ollama: ['content-type'] }

async function compare_requests(server) {
  const table = JSON.parse(readFileSync('requests.json', 'utf8'))
  const bodies = []
  for (const one of table.cases) {
    for (const provider of PROVIDERS.filter((p) => one[p])) {
      const where = `request "${one.name}" of ${provider}`
      const model = one.models?.[provider] ?? table.models[provider]
      const stream = one.request.stream ?? false
      const target = one.target?.[provider] ?? {}
      const canned = CANNED[provider]
      server.reply = { http_status: 200, headers: { 'content-type': stream ? canned[2] : 'application/json' }, body: stream ? canned[1] : JSON.stringify(canned[0]) }
      const params = { model, ...structuredClone(one[provider]) }
      if (provider === 'gemini' && stream) delete params.stream
      await ask(provider, server.url, params, stream, false, target)
      const theirs = server.seen
      const ours = run('encode', JSON.stringify({ codec: provider,
        target: { base_url: server.url + base[provider], key: provider === 'ollama' ? '' : KEY, bearer: provider === 'anthropic', server: provider === 'openai' ? 'openai' : '', ...target },
        request: { model, ...one.request, provider_options: one.options?.[provider] } }))
      count(provider, 'requests')
      if (differ(where, 'status', ours.status, 'OK')) { console.log(ours.error); continue }
      differ(where, 'warnings', ours.warnings !== '', one.warnings ?? false)
      differ(where, 'method and address', [ours.request.method, ours.request.url], [theirs.method, server.url + theirs.url])
      differ(where, 'body', ours.request.body, theirs.body)
      for (const h of HEADERS[provider]) differ(where, `header ${h}`, ours.request.headers[h]?.replace(/; *charset=.*/, ''), theirs.headers[h]?.replace(/; *charset=.*/, ''))
      // Under an older version of the interface there are members that its newest types no longer have.
      if (!target.version) bodies.push({ provider, name: one.name, body: ours.request.body })
    }
  }
  return bodies
}

const server = await serve()
const bodies = await compare_requests(server)
for (const problem of check_types(bodies, (p) => count(p, 'bodies typed'))) {
  failures++
  console.log(`TYPES ${problem}`)
}
await compare_answers({ server, run, differ, count })
await compare_embedders({ server, run, differ, count })
server.close()
console.log(`node ${process.version}`)
for (const [provider, c] of Object.entries(counts)) console.log(`${provider.padEnd(12)} ${Object.entries(c).map(([k, v]) => `${v} ${k}`).join(', ')}`)
console.log(failures ? `${failures} differences` : 'no difference')
process.exit(failures ? 1 : 0)
