// A job as a separate process ends when it is stopped and when it has failed, whatever resources
// its module has opened, and whatever its tasks are doing.

import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Admin } from '../../protocol/client/admin.ts'
import { Cluster } from '../../protocol/client/cluster/cluster.ts'
import { Producer } from '../../protocol/client/producer/producer.ts'
import { tcpNetwork } from '../../protocol/runtime/network/tcpNetwork.ts'
import { nodeRuntime } from '../../protocol/runtime/nodeRuntime.ts'
import { TestBroker } from '../interop/testBroker.ts'
import { Program } from './programs.ts'

const root = join(import.meta.dirname, '../..')
let directory: string
let broker: TestBroker

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'millrace-process-'))
  await mkdir(join(directory, 'node_modules'))
  await symlink(root, join(directory, 'node_modules', 'millrace'))
  broker = await TestBroker.start()
  const runtime = nodeRuntime(tcpNetwork)
  const bootstrap = [{ host: '127.0.0.1', port: broker.port }]
  const cluster = new Cluster(runtime, { bootstrap, clientId: 'test' })
  await new Admin(cluster).createTopics([{ name: 'words', partitions: 1 }])
  const producer = new Producer(cluster, runtime)
  await producer.send('words', { value: Buffer.from('a') })
  await producer.close()
  await cluster.close()
})

afterAll(async () => {
  await broker.stop()
  await rm(directory, { recursive: true, force: true })
})

/** A job whose module keeps a socket and a timer open, in the driver and in every worker. */
async function program(name: string, map: string, ready = /job \S+ running/): Promise<Program> {
  const module = join(directory, `${name}.ts`)
  await writeFile(
    module,
    `
import { writeSync } from 'node:fs'
import { createServer } from 'node:net'
import { isMainThread } from 'node:worker_threads'
import { job, text } from 'millrace/engine'

createServer().listen(0, '127.0.0.1')
void isMainThread
void writeSync
setInterval(() => {}, 1000)

export default job('${name}', (stream) => {
  stream.fromTopic('words', text()).map(({ line }) => { ${map} }).count().view('words')
})
`,
  )
  const words = ['submit', module, '--bootstrap', broker.address, '--batch-interval-ms', '100']
  return new Program(name, [...words, '--directory', join(directory, name)], ready)
}

test('a stopped job exits with 0, although its module holds a socket and a timer', async () => {
  const one = await program('holding', 'return line')
  await one.start()
  expect(await one.stop()).toBe(0)
  expect(one.printed).toContain('stopping after the current batch, at most 10 s from now')
}, 60_000)

test('a failed job exits with 1 and the reason', async () => {
  const one = await program('failing', "throw new Error('no ' + line)")
  await one.start()
  expect(await one.exited()).toBe(1)
  expect(one.printed).toMatch(
    /job 'failing', batch 0: .*failed 4 times.*Error: no a .* at words-0 offset 0, value "a"/,
  )
}, 60_000)

test('a job with a task in an endless loop ends at the second signal at the latest', async () => {
  const loop = "writeSync(2, 'in the loop'); while (!isMainThread); return line"
  const one = await program('looping', loop, /in the loop/)
  await one.start()
  await one.interrupt(/stopping after the current batch/)
  expect(await one.stop()).toBe(0)
}, 60_000)

test('a job with an output in an endless loop in the driver ends, and logs the reason', async () => {
  const one = await program('holding-driver', 'return line', /in the output/)
  await appendOutput('holding-driver', "writeSync(2, 'in the output'); for (;;);")
  await one.start()
  await one.interrupt(/stopping after the current batch/)
  expect(await one.stop()).toBe(1)
  expect(one.printed).toMatch(/is blocking the driver's thread/)
}, 60_000)

/** Adds an output to the job's module. */
async function appendOutput(name: string, run: string): Promise<void> {
  const module = join(directory, `${name}.ts`)
  const text = await readFile(module, 'utf8')
  const output = `stream.fromTopic('words', text()).foreachRDD(() => { ${run} })`
  await writeFile(module, text.replace(/\n}\)\n$/, `\n  ${output}\n})\n`))
}
