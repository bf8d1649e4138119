// Faults planted in transactions: in what logs know of them, and in their coordinator.

import type { Mutant } from '../mutant.ts'

export const transactionMutants: readonly Mutant[] = [
  {
    name: 'the last stable offset ignores open transactions',
    system: 'broker',
    file: 'broker/log/read/watermarks.ts',
    replacements: [
      {
        find: 'return Math.min(this.#highWatermark, this.#transactions.firstOffset ?? this.#highWatermark)',
        replace: 'return this.#highWatermark',
      },
    ],
    origin: 'docs/testing.md',
    maxSeeds: 100,
  },
  {
    name: 'the last stable offset moves one offset early',
    system: 'broker',
    file: 'broker/log/producers/unstableTransactions.ts',
    replacements: [
      {
        find: 'markerOffset < highWatermark) settled++',
        replace: 'markerOffset <= highWatermark) settled++',
      },
    ],
    origin: 'docs/testing.md',
    maxSeeds: 900,
  },
  {
    name: 'aborted transactions are not indexed',
    system: 'broker',
    file: 'broker/log/append/logTail.ts',
    replacements: [
      {
        find: '      if (completed && !completed.isCommit) aborted.push(completed)\n',
        replace: '',
      },
    ],
    origin: 'docs/testing.md',
    maxSeeds: 100,
  },
  {
    name: 'recovery does not index aborted transactions',
    system: 'broker',
    file: 'broker/log/recovery/logRecovery.ts',
    replacements: [
      {
        find: '    if (completed && !completed.isCommit) transactions.index.append(completed)\n',
        replace: '',
      },
    ],
    origin: 'docs/testing.md',
    maxSeeds: 500,
  },
  {
    name: 'a read lists only the aborted transactions that begin in it',
    system: 'broker',
    file: 'broker/log/segment/indexes/transactionIndex.ts',
    replacements: [
      {
        find: 'if (lastOffset >= offset && firstOffset < endOffset)',
        replace: 'if (firstOffset >= offset && firstOffset < endOffset)',
      },
    ],
    origin: 'KAFKA-6024',
    maxSeeds: 500,
  },
  {
    name: 'the end of a transaction applies before it is durable',
    system: 'broker',
    file: 'broker/transactions/transactionShard.ts',
    replacements: [
      {
        find: 'const errorCode = await log.append(this.leadership, record).catch((error: unknown) => {',
        replace:
          'const errorCode = await Promise.resolve(ErrorCode.none)\n    log.append(this.leadership, record).catch((error: unknown) => {',
      },
    ],
    origin: 'docs/testing.md',
    maxSeeds: 500,
  },
  {
    name: 'a transaction is complete with markers missing',
    system: 'broker',
    file: 'broker/transactions/transactionCoordinator.ts',
    replacements: [
      {
        find: "    if (missing.isEmpty) this.#complete(nowMs, entry)\n    else this.#effects.push({ type: 'resumeLater', transactionalId })",
        replace: '    this.#complete(nowMs, entry)',
      },
    ],
    origin: 'docs/testing.md',
    maxSeeds: 500,
  },
  {
    name: 'a decided end is not continued after a restart',
    system: 'broker',
    file: 'broker/transactions/transactionCoordinator.ts',
    replacements: [
      {
        find: '      entry.unmarked = entry.metadata.partitions\n      this.#finish(nowMs, entry)',
        replace: '      entry.unmarked = entry.metadata.partitions',
      },
    ],
    origin: 'KIP-98',
    maxSeeds: 500,
  },
  {
    name: 'a fenced producer may end a transaction',
    system: 'broker',
    file: 'broker/transactions/endTxnRules.ts',
    replacements: [
      {
        find: 'const isCurrent = producerEpoch === metadata.producerEpoch && producerEpoch < maxEpoch',
        replace:
          'const isCurrent = producerEpoch <= metadata.producerEpoch && producerEpoch < maxEpoch',
      },
    ],
    origin: 'KIP-588',
    maxSeeds: 500,
  },
  {
    name: 'a new producer of a transactional id gets the epoch of the former one',
    system: 'broker',
    file: 'broker/transactions/transactionCoordinator.ts',
    replacements: [
      {
        find: 'producerEpoch: producerEpoch + 1, lastProducerEpoch: last',
        replace: 'producerEpoch, lastProducerEpoch: last',
      },
    ],
    origin: 'KIP-98',
    maxSeeds: 100,
  },
  {
    name: 'a new producer does not end the transaction of the former one',
    system: 'broker',
    file: 'broker/transactions/transactionCoordinator.ts',
    replacements: [
      {
        find: "} else if (entry.metadata.status === TransactionStatus.ongoing) {\n      this.#end(nowMs, entry, fence, { by: 'initProducerId', requestId })\n    } else {",
        replace: '} else {',
      },
    ],
    origin: 'KIP-98',
    maxSeeds: 500,
  },
  {
    name: 'a transaction that timed out is aborted without fencing its producer',
    system: 'broker',
    file: 'broker/transactions/transactionCoordinator.ts',
    replacements: [
      {
        find: "this.#end(nowMs, entry, fence, { by: 'timeout' })",
        replace:
          "this.#end(nowMs, entry, { committed: false, clientTransactionVersion: 0 }, { by: 'timeout' })",
      },
    ],
    origin: 'KIP-98',
    maxSeeds: 500,
  },
  {
    name: 'records are accepted for a transaction that nobody verified',
    system: 'broker',
    file: 'broker/log/append/logTail.ts',
    replacements: [
      {
        find: 'return verification !== undefined && verification === guard',
        replace: 'return true',
      },
    ],
    origin: 'KIP-890',
    maxSeeds: 500,
  },
]
