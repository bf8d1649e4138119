// A thousand connections to one broker: the memory of each connection that has only sent the first
// requests of a client, and the cost of all together when each produces and fetches a little.

import { join } from 'node:path'
import { ByteReader } from '../../../protocol/bytes/reader.ts'
import { apiVersions } from '../../../protocol/kafka/apis/apiVersions.ts'
import { fetch } from '../../../protocol/kafka/apis/fetch.ts'
import { metadata } from '../../../protocol/kafka/apis/metadata.ts'
import { produce } from '../../../protocol/kafka/apis/produce.ts'
import { decodeResponse, encodeRequest } from '../../../protocol/kafka/frame.ts'
import { createTopics } from './brokerAdmin.ts'
import { type Server, startBrokerProcess } from './childProcess.ts'
import { usageOf } from './measuredProcess.ts'
import { orderBatchesOf } from './orderBatches.ts'
import { RawConnection } from './rawConnection.ts'
import { type BenchOptions, type Row, row } from './row.ts'

const connections = 1000
const topic = 'topic'
const partitions = 16
const recordsEach = 10
const rounds = 10
const header = { correlationId: 1, clientId: 'bench' }
const produceVersion = 9
const fetchVersion = 12

export async function connectionRows({ directory }: BenchOptions): Promise<Row[]> {
  const server = await startBrokerProcess(join(directory, 'connections'))
  const opened: RawConnection[] = []
  try {
    await createTopics(server, [{ name: topic, partitions }])
    opened.push(await introduced(server))
    const before = await residentBytes(server)
    while (opened.length <= connections) opened.push(await introduced(server))
    const after = await residentBytes(server)
    const [records] = orderBatchesOf(1, recordsEach).batches
    const startMs = performance.now()
    await Promise.all(opened.map((each, number) => produceAndFetch(each, number, records!)))
    const seconds = (performance.now() - startMs) / 1000
    const { peakBytes = Number.NaN } = (await usageOf(server.pid)) ?? {}
    const answers = opened.length * rounds * 2
    return [
      row(
        `memory of each of ${connections} connections`,
        (after - before) / connections / 1e3,
        'kB',
      ),
      row(`${connections} connections that produce and fetch`, answers / seconds, 'answers/s'),
      row('most memory while they do', peakBytes / 1e6, 'MB', before / 1e6),
    ]
  } finally {
    for (const connection of opened) connection.close()
    await server.stop()
  }
}

async function residentBytes({ pid }: Server): Promise<number> {
  return (await usageOf(pid))?.residentBytes ?? Number.NaN
}

/** Returns a connection that has sent the first requests of every client. */
async function introduced({ port }: Server): Promise<RawConnection> {
  const connection = await RawConnection.connect({ host: '127.0.0.1', port })
  const software = { clientSoftwareName: 'bench', clientSoftwareVersion: '1' }
  await connection.request(encodeRequest(apiVersions, 3, header, software))
  const all = {
    topics: null,
    allowAutoTopicCreation: false,
    includeTopicAuthorizedOperations: false,
  }
  await connection.request(encodeRequest(metadata, 12, header, all))
  return connection
}

async function produceAndFetch(
  connection: RawConnection,
  number: number,
  records: Buffer,
): Promise<void> {
  const partition = number % partitions
  const producing = encodeRequest(produce, produceVersion, header, {
    transactionalId: null,
    acks: -1,
    timeoutMs: 30_000,
    topicData: [{ name: topic, partitionData: [{ index: partition, records }] }],
  })
  const fetching = encodeRequest(fetch, fetchVersion, header, fetchOf(partition))
  for (let round = 0; round < rounds; round++) {
    const stored = new ByteReader(await connection.request(producing))
    const { responses } = decodeResponse(produce, produceVersion, stored).body
    mustBeNone(responses[0]!.partitionResponses[0]!.errorCode)
    const fetched = new ByteReader(await connection.request(fetching))
    const answer = decodeResponse(fetch, fetchVersion, fetched).body.responses[0]!.partitions[0]!
    mustBeNone(answer.errorCode)
    if (!answer.records || answer.records.length === 0) throw new Error('nothing was fetched')
  }
}

function fetchOf(partition: number) {
  return {
    replicaId: -1,
    maxWaitMs: 500,
    minBytes: 1,
    maxBytes: 64 * 1024,
    isolationLevel: 0,
    sessionId: 0,
    sessionEpoch: -1,
    topics: [
      {
        topic,
        partitions: [
          {
            partition,
            currentLeaderEpoch: -1,
            fetchOffset: 0,
            lastFetchedEpoch: -1,
            logStartOffset: -1,
            partitionMaxBytes: 16 * 1024,
          },
        ],
      },
    ],
    forgottenTopicsData: [],
    rackId: '',
  }
}

function mustBeNone(errorCode: number): void {
  if (errorCode !== 0) throw new Error(`a request was answered with error ${errorCode}`)
}
