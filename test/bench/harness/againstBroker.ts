// Millrace and another broker under the same loads: `produce --against` and `fetch --against`. The
// requests are encoded beforehand as far as possible, and both brokers get the same bytes.

import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { ByteReader } from '../../../protocol/bytes/reader.ts'
import { Admin } from '../../../protocol/client/admin.ts'
import { Cluster } from '../../../protocol/client/cluster/cluster.ts'
import { fetch } from '../../../protocol/kafka/apis/fetch.ts'
import { produce } from '../../../protocol/kafka/apis/produce.ts'
import { KafkaError } from '../../../protocol/kafka/errors.ts'
import { decodeResponse, encodeRequest } from '../../../protocol/kafka/frame.ts'
import { splitBatches } from '../../../protocol/kafka/records/recordBatch.ts'
import type { Address } from '../../../protocol/runtime/network/network.ts'
import { tcpNetwork } from '../../../protocol/runtime/network/tcpNetwork.ts'
import { systemRandom } from '../../../protocol/runtime/random.ts'
import { systemScheduler } from '../../../protocol/runtime/scheduling/scheduler.ts'
import { systemClock } from '../../../protocol/runtime/time/clock.ts'
import { startBrokerProcess } from './childProcess.ts'
import { cellName, type LoadBatches, type LoadCell, loadBatches, loadCells } from './loadCell.ts'
import { RawConnection } from './rawConnection.ts'
import type { BenchOptions, Row } from './row.ts'
import { type Contestant, contestant, type Load, measureInTurns, memoryRow } from './turns.ts'

const produceVersion = 12
const fetchVersion = 12
const header = { correlationId: 1, clientId: 'bench' }
/** Requests of a producer in flight: the default of Kafka's producer. */
const requestsInFlight = 5
const batchVariants = 32
/** Warm-up before the first load: a broker that was just started compiles its code (both do). */
const firstWarmUpSeconds = 10
const warmUpSeconds = 0.5
const serveTimeoutMs = 10_000
const serveIntervalMs = 20
/** Bytes of a topic for fetching, over all partitions, as stored in the log. */
const storedBytes = 128 * 1024 * 1024
/** The defaults of Kafka's consumer. */
const consumerDefaults = { maxWaitMs: 500, minBytes: 1, maxBytes: 52_428_800 }
const partitionMaxBytes = 1_048_576

/** A load on a topic created for one cell. */
type LoadOf = (address: Address, topic: string, cell: LoadCell) => Promise<Load>

/**
 * Producing with acks=all: Millrace acknowledges durable records (flush=group), the other broker
 * records as configured.
 */
export function produceAgainst(options: BenchOptions, against: Address): Promise<Row[]> {
  return againstBroker(options, against, 'produce', async (address, topic, cell) => {
    const batches = loadBatches(batchVariants, cell)
    return (endMs) => produceUntil(address, topic, cell, batches, endMs)
  })
}

export function fetchAgainst(options: BenchOptions, against: Address): Promise<Row[]> {
  return againstBroker(options, against, 'fetch', async (address, topic, cell) => {
    const batches = loadBatches(batchVariants, cell)
    await fill(address, topic, cell, batches)
    return (endMs) => fetchUntil(address, topic, cell, batches, endMs)
  })
}

async function againstBroker(
  { seconds, directory, only = '' }: BenchOptions,
  against: Address,
  name: string,
  loadOf: LoadOf,
): Promise<Row[]> {
  const broker = await startBrokerProcess(join(directory, 'broker'), 'group')
  try {
    const ours = await contestant({ host: '127.0.0.1', port: broker.port })
    const theirs = await contestant(against)
    const rows: Row[] = []
    for (const cell of loadCells) {
      if (!cellName(cell).includes(only)) continue
      const times = {
        seconds,
        warmUpSeconds: rows.length === 0 ? firstWarmUpSeconds : warmUpSeconds,
      }
      rows.push(
        ...(await measureCell(`${name} ${cellName(cell)}`, times, cell, ours, theirs, loadOf)),
      )
    }
    return [...rows, ...(await memoryRow(ours, theirs))]
  } finally {
    await broker.stop()
  }
}

async function measureCell(
  name: string,
  times: { readonly seconds: number; readonly warmUpSeconds: number },
  cell: LoadCell,
  ours: Contestant,
  theirs: Contestant,
  loadOf: LoadOf,
): Promise<Row[]> {
  const topic = `bench-${systemRandom().uint32().toString(16)}`
  const sides = [ours, theirs]
  for (const { address } of sides) await administer(address, (admin) => create(admin, topic, cell))
  try {
    for (const { address } of sides) await untilServed(address, topic, cell)
    const [own, other] = await Promise.all(
      sides.map(async ({ address, pid }) => ({ load: await loadOf(address, topic, cell), pid })),
    )
    return await measureInTurns(name, times, own!, other!)
  } finally {
    for (const { address } of sides)
      await administer(address, (admin) => admin.deleteTopics([topic]))
  }
}

async function create(admin: Admin, name: string, { partitions }: LoadCell): Promise<void> {
  await admin.createTopics([{ name, partitions }])
}

async function administer(address: Address, work: (admin: Admin) => Promise<void>): Promise<void> {
  const runtime = {
    clock: systemClock,
    random: systemRandom(),
    network: tcpNetwork,
    scheduler: systemScheduler,
  }
  const cluster = new Cluster(runtime, { bootstrap: [address], clientId: 'bench' })
  try {
    await work(new Admin(cluster))
  } finally {
    await cluster.close()
  }
}

/**
 * Every request has one batch for each partition, as those of Kafka's producer when all batches are
 * full.
 */
function produceRequests(
  topic: string,
  { partitions }: LoadCell,
  { batches }: LoadBatches,
): Buffer[][] {
  return batches.map((_, first) =>
    encodeRequest(produce, produceVersion, header, {
      transactionalId: null,
      acks: -1,
      timeoutMs: 30_000,
      topicData: [
        {
          name: topic,
          partitionData: Array.from({ length: partitions }, (_, index) => ({
            index,
            records: batches[(first + index) % batches.length]!,
          })),
        },
      ],
    }),
  )
}

async function produceUntil(
  address: Address,
  topic: string,
  cell: LoadCell,
  batches: LoadBatches,
  endMs: number,
) {
  const requests = produceRequests(topic, cell, batches)
  const answerMs: number[] = []
  const lane = async (connection: RawConnection, first: number) => {
    for (let next = first; performance.now() < endMs; next++) {
      const sentMs = performance.now()
      const answer = await connection.request(requests[next % requests.length]!)
      answerMs.push(performance.now() - sentMs)
      checkProduced(answer)
    }
  }
  await withConnections(address, cell.clients, (connection, client) =>
    Promise.all(
      Array.from({ length: requestsInFlight }, (_, number) =>
        lane(connection, client * 7 + number),
      ),
    ),
  )
  return { payloadBytes: answerMs.length * cell.partitions * batches.payloadBytes, answerMs }
}

function checkProduced(answer: Buffer): void {
  const { body } = decodeResponse(produce, produceVersion, new ByteReader(answer))
  for (const { partitionResponses } of body.responses) {
    for (const { errorCode } of partitionResponses) {
      if (errorCode !== 0) throw new KafkaError(errorCode, 'Produce')
    }
  }
}

/** Kafka answers that a topic was created before its partitions accept records. */
async function untilServed(address: Address, topic: string, cell: LoadCell): Promise<void> {
  const [request] = produceRequests(topic, cell, loadBatches(1, cell))
  const endMs = performance.now() + serveTimeoutMs
  await withConnections(address, 1, async (connection) => {
    while (true) {
      try {
        return checkProduced(await connection.request(request!))
      } catch (error) {
        if (!(error instanceof KafkaError) || performance.now() > endMs) throw error
        await setTimeout(serveIntervalMs)
      }
    }
  })
}

async function fill(
  address: Address,
  topic: string,
  cell: LoadCell,
  batches: LoadBatches,
): Promise<void> {
  const requests = produceRequests(topic, cell, batches)
  const requestBytes = cell.partitions * batches.batches[0]!.length
  await withConnections(address, 1, async (connection) => {
    for (let bytes = 0; bytes < storedBytes; bytes += requestBytes) {
      checkProduced(await connection.request(requests[0]!))
    }
  })
}

/** Each partition is read by one of the clients; a single partition is read by all. */
async function fetchUntil(
  address: Address,
  topic: string,
  { partitions, clients }: LoadCell,
  { batches, payloadBytes }: LoadBatches,
  endMs: number,
) {
  const answerMs: number[] = []
  let bytes = 0
  await withConnections(address, clients, async (connection, client) => {
    const mine = Array.from({ length: partitions }, (_, partition) => partition).filter(
      (partition) => partitions === 1 || partition % clients === client,
    )
    const offsets = new Map(mine.map((partition) => [partition, 0]))
    while (performance.now() < endMs) {
      const sentMs = performance.now()
      const answer = await connection.request(fetchRequest(topic, offsets))
      answerMs.push(performance.now() - sentMs)
      bytes += readOn(answer, offsets)
    }
  })
  const storedPayload = payloadBytes / batches[0]!.length
  return { payloadBytes: bytes * storedPayload, answerMs }
}

function fetchRequest(topic: string, offsets: ReadonlyMap<number, number>): Buffer[] {
  return encodeRequest(fetch, fetchVersion, header, {
    replicaId: -1,
    ...consumerDefaults,
    isolationLevel: 0,
    sessionId: 0,
    sessionEpoch: -1,
    topics: [
      {
        topic,
        partitions: [...offsets].map(([partition, fetchOffset]) => ({
          partition,
          currentLeaderEpoch: -1,
          fetchOffset,
          lastFetchedEpoch: -1,
          logStartOffset: -1,
          partitionMaxBytes,
        })),
      },
    ],
    forgottenTopicsData: [],
    rackId: '',
  })
}

/**
 * Advances the offsets by the batches of an answer, back to the start at the end of a log; returns
 * the bytes of the records.
 */
function readOn(answer: Buffer, offsets: Map<number, number>): number {
  const { body } = decodeResponse(fetch, fetchVersion, new ByteReader(answer))
  let bytes = 0
  for (const { partitions } of body.responses) {
    for (const { partitionIndex, errorCode, records, highWatermark } of partitions) {
      if (errorCode !== 0) throw new KafkaError(errorCode, 'Fetch')
      if (!records || records.length === 0) continue
      bytes += records.length
      let nextOffset = 0
      for (const batch of splitBatches(records)) nextOffset = batch.nextOffset
      offsets.set(partitionIndex, nextOffset >= highWatermark ? 0 : nextOffset)
    }
  }
  return bytes
}

async function withConnections(
  address: Address,
  count: number,
  work: (connection: RawConnection, number: number) => Promise<unknown>,
): Promise<void> {
  const connections = await Promise.all(
    Array.from({ length: count }, () => RawConnection.connect(address)),
  )
  try {
    await Promise.all(connections.map(work))
  } finally {
    for (const connection of connections) connection.close()
  }
}
