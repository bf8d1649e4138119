// Runs the commands of docs/rest-api.md unchanged, one after another, against one broker.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { text } from 'node:stream/consumers'
import { expect, test } from 'vitest'
import { hasTool } from './tools.ts'

const root = join(import.meta.dirname, '..')
const page = readFileSync(join(root, 'docs/rest-api.md'), 'utf8')
const blocks = [...page.matchAll(/^```sh\n([\s\S]*?)^```$/gm)].map(([, code]) => code!)

async function run(code: string): Promise<{ status: number; output: string }> {
  const child = spawn('bash', ['-euo', 'pipefail', '-c', code])
  const [output, errors, [status]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, 'exit'),
  ])
  return { status, output: `${output}${errors}` }
}

test.runIf(hasTool('curl'))(
  'every command works unchanged',
  async () => {
    expect(blocks.length).toBeGreaterThan(6)
    const directory = await mkdtemp(join(tmpdir(), 'millrace-rest-page-'))
    const words = [
      'broker',
      '--port',
      '0',
      '--console-port',
      '0',
      '--data',
      join(directory, 'data'),
    ]
    const broker = spawn(process.execPath, [join(root, 'millrace.ts'), ...words], {
      stdio: ['ignore', 'pipe', 'ignore'],
    })
    try {
      const [line] = await once(createInterface({ input: broker.stdout }), 'line')
      const [, address] = /console at (http:\/\/[^/\s]+)/.exec(line)!
      for (const block of blocks) {
        const { status, output } = await run(block.replaceAll('http://127.0.0.1:8080', address!))
        expect(status, `${block}\n${output}`).toBe(0)
        if (block.includes('/tail')) expect(output).toContain('"page":"/cart"')
        if (block.includes('limit=10')) expect(output).toContain('"stopped_by":"end"')
        if (block.includes('partitions/$PARTITION')) expect(output).toContain('"encoding":"json"')
      }
    } finally {
      const exited = once(broker, 'exit')
      broker.kill('SIGTERM')
      await exited
      await rm(directory, { recursive: true })
    }
  },
  120_000,
)
