// Describes the log directories of brokers.

import { describeLogDirs as describeLogDirsApi } from '../../kafka/apis/describeLogDirs.ts'
import { ErrorCode } from '../../kafka/errors.ts'
import type { ResponseOf } from '../../kafka/schema/schema.ts'
import type { LogDirectory, Outcome } from '../adminApi.ts'
import { type AdminRequests, outcomeOf } from './adminRequests.ts'

/** An unreachable broker has one entry without a path, with the error. */
export async function describeLogDirs(
  requests: AdminRequests,
  brokers?: readonly number[],
): Promise<LogDirectory[]> {
  const answers = await requests.ofBrokers(async (connection, broker) => {
    const answer = await connection.send(describeLogDirsApi, { topics: null })
    if (answer.errorCode === ErrorCode.none)
      return answer.results.map((one) => directory(broker, one))
    return [unknown(broker, { errorCode: answer.errorCode, errorMessage: null })]
  }, brokers)
  return answers.flatMap(({ nodeId, answer }) =>
    answer.status === 'fulfilled' ? answer.value : [unknown(nodeId, outcomeOf(answer.reason))],
  )
}

type Result = ResponseOf<typeof describeLogDirsApi>['results'][number]

function directory(broker: number, result: Result): LogDirectory {
  const { logDir, totalBytes, usableBytes, topics, errorCode } = result
  const replicas = topics.flatMap(({ name: topic, partitions }) =>
    partitions.map((one) => ({
      topic,
      partition: one.partitionIndex,
      sizeBytes: one.partitionSize,
      offsetLag: one.offsetLag,
      isFuture: one.isFutureKey,
    })),
  )
  return {
    broker,
    path: logDir,
    totalBytes,
    usableBytes,
    replicas,
    errorCode,
    errorMessage: null,
  }
}

function unknown(broker: number, outcome: Outcome): LogDirectory {
  return { broker, path: '', totalBytes: -1, usableBytes: -1, replicas: [], ...outcome }
}
