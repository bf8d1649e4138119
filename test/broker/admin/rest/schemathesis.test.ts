// The whole OpenAPI document against a server over a broker, with requests that schemathesis makes of it: no
// answer of 5xx, none with a status, a content type or a body other than the document says.
// SCHEMATHESIS_SECONDS gives it more time than a run of all tests has.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { expect, test } from 'vitest'
import { Producer } from '../../../../protocol/client/producer.ts'
import { debianPython, hasTool, pythonEnvironment } from '../../../tools.ts'
import { RestFixture } from './restFixture.ts'

const seconds = Number(process.env.SCHEMATHESIS_SECONDS ?? 35)
/**
 * All checks but one: what a schema allows may still be refused, for a topic that does not exist or a token of
 * another list. A streamed answer begins before all of its body has been seen, and says of each record what
 * became of it.
 */
const configuration = `
[checks]
positive_data_acceptance.enabled = false
negative_data_rejection.expected-statuses = ["4xx"]

[[operations]]
include-operation-id = "produceRecord"
checks.negative_data_rejection.enabled = false
`

async function run(address: string): Promise<{ code: number; output: string }> {
  // It keeps examples and failed cases in the folder in which it runs.
  const directory = await mkdtemp(join(tmpdir(), 'millrace-schemathesis-'))
  await writeFile(join(directory, 'schemathesis.toml'), configuration)
  const environment = pythonEnvironment('schemathesis')
  const words = [
    ...['-m', 'schemathesis.cli', 'run', `${address}/openapi.json`],
    ...['--max-time', String(seconds), '--seed', '1'],
    // Answers that have no end.
    ...['--exclude-operation-id', 'tailRecords', '--exclude-operation-id', 'followStatus'],
    ...['--phases', 'examples,coverage,fuzzing', '--warnings', 'off', '--request-timeout', '20'],
    ...['--no-color', '--continue-on-failure'],
  ]
  const child = spawn(debianPython, words, {
    cwd: directory,
    env: {
      ...environment,
      PYTHONPATH: `${environment.PYTHONPATH}:${import.meta.dirname}`,
      PYTHONDONTWRITEBYTECODE: '1',
      SCHEMATHESIS_HOOKS: 'schemathesisHooks',
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const [output, errors, [code]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, 'exit'),
  ])
  await rm(directory, { recursive: true })
  return { code: code ?? -1, output: `${output}${errors}` }
}

test.runIf(hasTool('schemathesis'))(
  `answers of ${seconds} s are as the document says`,
  async () => {
    const rest = await RestFixture.start()
    try {
      await rest.admin.createTopics([{ name: 'orders', partitions: 2 }])
      const producer = new Producer(rest.cluster, rest.cluster.runtime)
      for (let at = 0; at < 20; at++) {
        await producer.send('orders', { key: Buffer.from('k'), value: Buffer.from(`{"id":${at}}`) })
      }
      await producer.close()
      await rest.admin.alterGroupOffsets('billing', [{ topic: 'orders', partition: 0, offset: 1 }])
      const { code, output } = await run(await rest.listen())
      expect(code, output.slice(0, 20_000)).toBe(0)
    } finally {
      await rest.close()
    }
  },
  seconds * 4_000 + 60_000,
)
