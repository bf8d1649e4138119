// The fixture of the tests of transactions in a log: writing in a transaction as Produce does,
// ending one as the coordinator does, and reading as a `read_committed` consumer.

import type { PartitionLog } from '../../../broker/log/partitionLog.ts'
import type { TransactionalProducer } from '../../../broker/log/producers/transactionVerification.ts'
import { buildEndTransactionMarker } from '../../../protocol/kafka/records/endTransactionMarker.ts'
import { splitBatches } from '../../../protocol/kafka/records/recordBatch.ts'
import { makeBatch } from './logFixture.ts'

export interface Sender {
  readonly producerId: number
  readonly producerEpoch: number
}

export function verifying(
  sender: Sender,
  baseSequence = 0,
  supportsEpochBump = false,
): TransactionalProducer {
  return { ...sender, baseSequence, supportsEpochBump }
}

/** Writes one transactional record, verified first. Returns the error code. */
export async function write(
  log: PartitionLog,
  sender: Sender,
  baseSequence: number,
): Promise<number> {
  const verification = log.verificationFor(verifying(sender, baseSequence))
  const batch = makeBatch({ records: 1, ...sender, baseSequence, isTransactional: true })
  return (await log.appendAsLeader(batch, { leaderEpoch: 0, origin: 'client', verification }))
    .errorCode
}

/** Returns the error code. */
export async function end(
  log: PartitionLog,
  sender: Sender,
  isCommit: boolean,
  coordinatorEpoch = 0,
): Promise<number> {
  const marker = buildEndTransactionMarker(sender, { isCommit, coordinatorEpoch }, 2000)
  return (await log.appendAsLeader(marker, { leaderEpoch: 0, origin: 'coordinator' })).errorCode
}

export async function committedRead(log: PartitionLog, offset: number, maxBytes = 100_000) {
  const read = await log.read(offset, maxBytes, { upTo: 'lastStable' })
  const offsets = [...splitBatches(read.bytes)].map((batch) => batch.baseOffset)
  return { offsets, aborted: read.abortedTransactions, lastStable: read.lastStableOffset }
}
