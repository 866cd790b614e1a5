// Each body against the types that the SDK declares for it: a member that it does not know, or of another type, is an error. Bodies that
// carry members of another dialect are not asked.
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'

const TYPES = {
  anthropic: ['import Anthropic from "@anthropic-ai/sdk"', 'Anthropic.MessageCreateParams'],
  openai: ['import OpenAI from "openai"', 'OpenAI.Chat.Completions.ChatCompletionCreateParams'],
  ollama: ['import type { ChatRequest } from "ollama"', 'ChatRequest'],
}

export function check_types(bodies, count) {
  const lines = []
  const names = {}
  for (const [provider, [header]] of Object.entries(TYPES)) lines.push(header)
  for (const { provider, name, body } of bodies) {
    if (!TYPES[provider]) continue
    count(provider)
    names[lines.length + 1] = `${provider}, "${name}"`
    lines.push(`export const _${lines.length}: ${TYPES[provider][1]} = ${JSON.stringify(body)};`)
  }
  mkdirSync('types', { recursive: true })
  writeFileSync('types/bodies.ts', lines.join('\n'))
  const r = spawnSync(process.execPath, ['node_modules/typescript/lib/tsc.js', '--noEmit', '--strict', '--skipLibCheck', '--target', 'es2022', '--module', 'nodenext',
    '--moduleResolution', 'nodenext', 'types/bodies.ts'])
  const out = r.stdout.toString()
  if (r.status !== 0 && !out.includes('error TS')) return [`tsc did not run: ${out}${r.stderr}`]
  return out.split('\n').filter((l) => l.includes('error TS')).map((l) => {
    const line = /bodies\.ts\((\d+),/.exec(l)
    return `${line ? names[line[1]] : ''}: ${l.slice(0, 400)}`
  })
}
