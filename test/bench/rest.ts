// The cost of the REST API: records produced over one stream, with the same client without HTTP as
// the baseline, and the duration of the main reads with a thousand topics.

import { once } from 'node:events'
import { type ClientRequest, type IncomingMessage, request } from 'node:http'
import { createInterface } from 'node:readline'
import { restServerOptions, serveRest } from '../../broker/admin/rest/rest.ts'
import { Admin } from '../../protocol/client/admin.ts'
import type { Cluster } from '../../protocol/client/cluster/cluster.ts'
import { Producer } from '../../protocol/client/producer/producer.ts'
import { guardedServer } from '../../protocol/operations/guardedServer.ts'
import { silentLogger } from '../../protocol/telemetry/logging/logger.ts'
import { type InsideBroker, ordersTopic, startInsideBroker } from './harness/insideBroker.ts'
import { type BenchOptions, type Row, row, type Throughput, throughputRows } from './harness/row.ts'

export const description = 'the REST API: a stream of records, and reads with 1,000 topics'

const topics = 1_000
const valueBytes = 100
/** Number of records that wait for their results. */
const mostWaiting = 1_000
const value = 'x'.repeat(valueBytes)
const newline = 0x0a
const emptyPicture = {
  ...{ timeMs: 0, momentMs: 0, problems: [], agents: [], topics: [], topicsTotal: 0 },
  ...{ jobs: [], ledgers: [] },
}

export async function run({ seconds, directory }: BenchOptions): Promise<Row[]> {
  const broker = await startInsideBroker(directory)
  const server = await startRest(broker)
  try {
    const address = await server.listen({ host: '127.0.0.1', port: 0 })
    const { clusterId } = await new Admin(broker.cluster).describeCluster()
    const v3 = `${address}/v3/clusters/${clusterId}`
    const direct = await produceDirectly(broker, seconds)
    const records = `${v3}/topics/${ordersTopic}/records`
    const file = await streamFile(records, seconds)
    const single = await stream(records, seconds)
    const names = Array.from({ length: topics }, (_, at) => ({ name: `t${at}`, partitions: 1 }))
    while (names.length > 0) await new Admin(broker.cluster).createTopics(names.splice(0, 50))
    const reads: [string, string][] = [
      ['GET /v3/.../topics', `${v3}/topics`],
      ['GET /api/v1/topics', `${address}/api/v1/topics`],
      ['GET /api/v1/topics/{topic}', `${address}/api/v1/topics/${ordersTopic}`],
      ['GET .../records (newest 50)', `${address}/api/v1/topics/${ordersTopic}/records`],
    ]
    const rows = [
      ...throughputRows('records of a file, beside the client alone', file, direct),
      ...throughputRows('records, each in a write of its own', single, direct),
    ]
    for (const [name, url] of reads) rows.push(row(`${name}, median`, await medianMs(url), 'ms'))
    return rows
  } finally {
    await server.close()
    await broker.close()
  }
}

async function startRest({ cluster, runtime }: InsideBroker) {
  const { clock } = runtime
  const server = guardedServer({ logger: silentLogger, settings: restServerOptions })
  const sources = { cluster, admin: new Admin(cluster), clock, logger: silentLogger }
  const limits = { reads: 1e9, changes: 1e9, scans: 1e9, records: 1e9 }
  const options = { version: '0.0.0', limits }
  await serveRest(server, { ...sources, picture: () => emptyPicture }, options)
  return server
}

async function produceDirectly(
  { cluster, runtime }: { cluster: Cluster } & Pick<InsideBroker, 'runtime'>,
  seconds: number,
): Promise<Throughput> {
  const producer = new Producer(cluster, runtime, { lingerMs: 0 })
  const bytes = Buffer.from(value)
  const endMs = performance.now() + seconds * 1_000
  const startMs = performance.now()
  let records = 0
  const send = async () => {
    while (performance.now() < endMs) {
      await producer.send(ordersTopic, { value: bytes })
      records++
    }
  }
  await Promise.all(Array.from({ length: mostWaiting }, send))
  const took = (performance.now() - startMs) / 1_000
  await producer.close()
  return { bytes: records * valueBytes, records, seconds: took }
}

const line = `${JSON.stringify({ value: { type: 'STRING', data: value } })}\n`

/** Streams in pieces of some 64 KiB as fast as they are accepted, as curl sends a file. */
async function streamFile(url: string, seconds: number): Promise<Throughput> {
  const linesAPiece = Math.floor((64 * 1024) / line.length)
  const piece = line.repeat(linesAPiece)
  const sending = sendTo(url)
  const startMs = performance.now()
  const write = async () => {
    while (performance.now() - startMs < seconds * 1_000) {
      if (!sending.write(piece)) await once(sending, 'drain')
    }
    sending.end()
  }
  const count = async () => {
    const [response] = (await once(sending, 'response')) as [IncomingMessage]
    let records = 0
    for await (const chunk of response) for (const byte of chunk) if (byte === newline) records++
    return records
  }
  const [records] = await Promise.all([count(), write()])
  return {
    ...{ records, bytes: records * valueBytes },
    seconds: (performance.now() - startMs) / 1_000,
  }
}

function sendTo(url: string): ClientRequest {
  const headers = { 'content-type': 'application/x-ndjson' }
  return request(url, { method: 'POST', headers })
}

/** Produces over one REST stream, with as many records in flight as the direct client above. */
function stream(url: string, seconds: number): Promise<Throughput> {
  return new Promise((resolve, reject) => {
    const sending = sendTo(url)
    const startMs = performance.now()
    const endMs = startMs + seconds * 1_000
    let records = 0
    sending.once('error', reject)
    sending.once('response', (response) => {
      const results = createInterface(response)
      results.on('line', () => {
        records++
        if (performance.now() < endMs) sending.write(line)
        else sending.end()
      })
      results.once('close', () => {
        const took = (performance.now() - startMs) / 1_000
        resolve({ bytes: records * valueBytes, records, seconds: took })
      })
    })
    sending.write(line.repeat(mostWaiting))
  })
}

async function medianMs(url: string): Promise<number> {
  const times: number[] = []
  for (let at = 0; at < 30; at++) {
    const startMs = performance.now()
    const response = await fetch(url)
    await response.arrayBuffer()
    if (response.status !== 200) throw new Error(`${url} answered ${response.status}`)
    times.push(performance.now() - startMs)
  }
  return times.sort((one, other) => one - other)[Math.floor(times.length / 2)]!
}
