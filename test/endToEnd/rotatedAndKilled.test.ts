// An agent as a separate process, on real files that are rotated by renaming and by copytruncate,
// and killed with SIGKILL meanwhile: every line is in the topic exactly once. The seed is printed;
// MILLRACE_SEED=N repeats the same rotations and kills.

import {
  appendFile,
  copyFile,
  mkdir,
  mkdtemp,
  rename,
  rm,
  truncate,
  writeFile,
} from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { Admin } from '../../protocol/client/admin.ts'
import { Cluster } from '../../protocol/client/cluster/cluster.ts'
import { PartitionReader } from '../../protocol/client/consumer/partitionReader.ts'
import { splitBatches } from '../../protocol/kafka/records/recordBatch.ts'
import { records } from '../../protocol/kafka/records/recordCursor.ts'
import { tcpNetwork } from '../../protocol/runtime/network/tcpNetwork.ts'
import { nodeRuntime } from '../../protocol/runtime/nodeRuntime.ts'
import { seededRandom } from '../../protocol/runtime/random.ts'
import { freePort, Program } from './programs.ts'

const rounds = 8

const closing: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (let close = closing.pop(); close; close = closing.pop()) await close()
})

test(`every line is in the topic exactly once after ${rounds} rotations and kills`, {
  timeout: 120_000,
}, async () => {
  const seed = Number(process.env.MILLRACE_SEED ?? Math.floor(Math.random() * 2 ** 32))
  console.log(`rotations and kills with MILLRACE_SEED=${seed}`)
  const random = seededRandom(seed)
  const directory = await mkdtemp(join(tmpdir(), 'millrace-rotated-'))
  closing.push(() => rm(directory, { recursive: true, force: true }))
  const address = { host: '127.0.0.1', port: await freePort() }
  const broker = new Program(
    'broker',
    ['broker', '--no-console', '--port', `${address.port}`, '--data', join(directory, 'broker')],
    /listening/,
  )
  closing.push(() => broker.kill())
  await broker.start()
  const cluster = new Cluster(nodeRuntime(tcpNetwork), { bootstrap: [address], clientId: 'test' })
  closing.push(() => cluster.close())
  await new Admin(cluster).createTopics([{ name: 'lines', partitions: 1 }])
  await mkdir(join(directory, 'logs'))
  const configuration = join(directory, 'flume.conf')
  await writeFile(configuration, flumeConf(directory, `${address.host}:${address.port}`))
  const agent = new Program(
    'agent',
    ['agent', '--name', 'a1', '--conf-file', configuration],
    /started/,
  )
  closing.push(() => agent.kill())
  await agent.start()

  const log = join(directory, 'logs', 'app.log')
  const written: string[] = []
  const write = async (lines: number) => {
    const fresh = Array.from({ length: lines }, (_, n) => `line ${written.length + n}`)
    written.push(...fresh)
    await appendFile(log, fresh.map((line) => `${line}\n`).join(''))
  }
  for (let round = 0; round < rounds; round++) {
    await write(1 + random.below(3000))
    const how = random.below(3)
    // A copy is distinguished from its original by the bytes that were read. A file may be renamed
    // at any time.
    if (how === 0) {
      await untilStored(cluster, written.length)
      if (random.below(2) === 0) await agent.kill()
      await copyFile(log, join(directory, 'logs', `app.copy${round}.log`))
      await truncate(log)
    } else if (how === 1) {
      if (random.below(2) === 0) await agent.kill()
      await rename(log, join(directory, 'logs', `app.${round}.log`))
    }
    await write(1 + random.below(3000))
    await agent.kill()
    await agent.start()
  }
  expect((await untilStored(cluster, written.length)).sort()).toEqual([...written].sort())
})

function flumeConf(directory: string, bootstrap: string): string {
  const lines = {
    sources: 'r1',
    channels: 'c1',
    sinks: 'k1',
    'sources.r1.type': 'TAILDIR',
    'sources.r1.filegroups': 'f1',
    'sources.r1.filegroups.f1': `${directory}/logs/app.*`,
    'sources.r1.positionFile': `${directory}/agent/positions.json`,
    'sources.r1.channels': 'c1',
    'channels.c1.type': 'file',
    'channels.c1.checkpointDir': `${directory}/agent/checkpoint`,
    'channels.c1.dataDirs': `${directory}/agent/data`,
    'channels.c1.minimumRequiredSpace': 0,
    'sinks.k1.type': 'org.apache.flume.sink.kafka.KafkaSink',
    'sinks.k1.channel': 'c1',
    'sinks.k1.kafka.bootstrap.servers': bootstrap,
    'sinks.k1.kafka.topic': 'lines',
    'sinks.k1.flumeBatchSize': 1000,
  }
  return Object.entries(lines)
    .map(([key, value]) => `a1.${key} = ${value}\n`)
    .join('')
}

/**
 * Resolves with the topic's lines once there are enough. The caller's comparison detects
 * duplicates.
 */
async function untilStored(cluster: Cluster, count: number): Promise<string[]> {
  const reader = new PartitionReader(cluster, { topic: 'lines', partition: 0 })
  const lines: string[] = []
  for (let offset = 0; lines.length < count; ) {
    const { batches } = await reader.fetch(offset)
    for (const batch of splitBatches(batches)) {
      for (const record of records(batch, 64 * 1024 * 1024)) lines.push(record.value!.toString())
      offset = batch.nextOffset
    }
  }
  return lines
}
