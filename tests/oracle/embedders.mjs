// The embedders beside the SDKs: request, and vectors to the last bit of a float.
import OpenAI from 'openai'
import { Ollama } from 'ollama'
import { InferenceClient } from '@huggingface/inference'
import { KEY } from './drive.mjs'

const NUMBERS = [[0.1, -0.25, 3.0e-5, 1], [-0.0213214078, 0.12345678901234567, -1e-7, 0.9999999], [0.3333333333333333, 2.5e-10, -0.7, 0.0078125]]
const base64 = (row) => Buffer.from(new Float32Array(row).buffer).toString('base64')

const CASES = [
  { codec: 'openai', name: 'base64', ask: (c, texts) => c.embeddings.create({ model: 'text-embedding-3-small', input: texts, encoding_format: 'base64' }),
    model: 'text-embedding-3-small',
    answer: (rows) => ({ object: 'list', data: rows.map((r, i) => ({ object: 'embedding', index: i, embedding: base64(r) })), model: 'text-embedding-3-small', usage: { prompt_tokens: 8, total_tokens: 8 } }),
    vectors: (a) => a.data.map((d) => [...new Float32Array(new Uint8Array(Buffer.from(d.embedding, 'base64')).buffer)]), tokens: (a) => a.usage.prompt_tokens },
  { codec: 'openai', name: 'numbers, in another order, fewer dimensions', plain_floats: true, dimensions: 4,
    ask: (c, texts) => c.embeddings.create({ model: 'text-embedding-3-large', input: texts, dimensions: 4, encoding_format: 'float' }), extra: { encoding_format: 'float' }, model: 'text-embedding-3-large',
    answer: (rows) => ({ object: 'list', data: rows.map((r, i) => ({ object: 'embedding', index: i, embedding: r })).reverse(), model: 'text-embedding-3-large', usage: { prompt_tokens: 8, total_tokens: 8 } }),
    vectors: (a) => a.data.toSorted((x, y) => x.index - y.index).map((d) => d.embedding.map(Math.fround)), tokens: (a) => a.usage.prompt_tokens },
  { codec: 'ollama', name: 'several texts', ask: (c, texts) => c.embed({ model: 'all-minilm', input: texts, truncate: true }), model: 'all-minilm',
    answer: (rows) => ({ model: 'all-minilm', embeddings: rows, total_duration: 14143917, load_duration: 1019500, prompt_eval_count: 8 }),
    vectors: (a) => a.embeddings.map((r) => r.map(Math.fround)), tokens: (a) => a.prompt_eval_count },
  { codec: 'huggingface', name: 'several texts', path: '/hf-inference/models/BAAI/bge-small-en-v1.5/pipeline/feature-extraction',
    ask: (c, texts) => c.featureExtraction({ model: 'BAAI/bge-small-en-v1.5', provider: 'hf-inference', inputs: texts, normalize: true, truncate: true }), model: 'BAAI/bge-small-en-v1.5',
    answer: (rows) => rows, vectors: (a) => a.map((r) => r.map(Math.fround)), tokens: () => -1 },
]

const clients = {
  openai: (url) => new OpenAI({ apiKey: KEY, baseURL: url + '/v1', maxRetries: 0 }),
  ollama: (url) => new Ollama({ host: url }),
  // Its address is not an option: the transport is, and that tells where it would have gone. First it asks the hub who serves the model.
  huggingface: (url, seen) => new InferenceClient(KEY, { fetch: (to, init) => {
    const { host, pathname } = new URL(to)
    const served = { inferenceProviderMapping: { 'hf-inference': { status: 'live', providerId: 'BAAI/bge-small-en-v1.5', task: 'feature-extraction' } } }
    if (host === 'huggingface.co') return Promise.resolve(new Response(JSON.stringify(served), { headers: { 'content-type': 'application/json' } }))
    seen.url = pathname
    return fetch(url + seen.url, init)
  } }),
}

export async function compare_embedders({ server, run, differ, count }) {
  for (const one of CASES) {
    const where = `embedder ${one.codec}, ${one.name}`
    const texts = ['one text', 'zwei', '三']
    const body = JSON.stringify(one.answer(NUMBERS))
    const seen = {}
    server.reply = { http_status: 200, headers: { 'content-type': 'application/json' }, body }
    const theirs = await one.ask(clients[one.codec](server.url, seen), texts)
    const head = { codec: one.codec, model: one.model, texts, key: one.codec === 'ollama' ? '' : KEY, dimensions: one.dimensions ?? 0, plain_floats: one.plain_floats ?? false,
      base_url: one.codec === 'huggingface' ? '' : server.url + (one.codec === 'openai' ? '/v1' : ''), provider_options: one.extra }
    const ours = run('embed_encode', JSON.stringify(head))
    count(one.codec, 'embeddings')
    differ(where, 'address', one.codec === 'huggingface' ? ours.request.url : ours.request.url.slice(server.url.length), one.codec === 'huggingface' ? 'https://router.huggingface.co' + seen.url : server.seen.url)
    differ(where, 'body', ours.request.body, server.seen.body)
    for (const h of ['content-type', 'authorization']) differ(where, `header ${h}`, ours.request.headers[h]?.replace(/; *charset=.*/, ''), server.seen.headers[h]?.replace(/; *charset=.*/, ''))
    const read = run('embed_decode', JSON.stringify({ ...head, count: texts.length }) + '\n' + body)
    differ(where, 'status', read.status, 'OK')
    differ(where, 'vectors', read.vectors.map(Math.fround), one.vectors(theirs).flat())
    differ(where, 'tokens', read.tokens, one.tokens(theirs))
  }
}
