// How many command sequences each model of the broker is run through by `npm test`. The models take
// their number from here, and docs/testing.md shows it. A list of commands is to say
// `size: 'max'`: without it, fast-check makes lists of five on average, however long they may be.

interface Model {
  readonly file: string
  readonly of: 'log' | 'groups' | 'transactions' | 'configuration' | 'metadata' | 'broker'
  readonly sequences: number
  readonly doc: string
}

export const models = {
  logSynced: {
    ...{ file: 'log/partitionLogModel.test.ts', of: 'log', sequences: 1500 },
    doc: 'append, read, roll, retain, delete records, truncate, a full disk, crash with lost, torn and reordered bytes, recover; every append synced',
  },
  logJournaled: {
    ...{ file: 'log/partitionLogModel.test.ts', of: 'log', sequences: 1500 },
    doc: 'the same with a commit journal that goes round often, and writes to segments put off',
  },
  transactionsInLog: {
    ...{ file: 'log/transactionModel.test.ts', of: 'log', sequences: 600 },
    doc: 'transactions in a log: last stable offset, who has one open, aborted lists of every read, what every producer snapshot says; with truncations and crashes',
  },
  cleaning: {
    ...{ file: 'log/cleaner/cleaningModel.test.ts', of: 'log', sequences: 200 },
    doc: 'compaction against the state that everything written gives; tombstones, markers, crashes at any operation',
  },
  journal: {
    ...{ file: 'log/journal/commitJournal.test.ts', of: 'log', sequences: 300 },
    doc: 'the commit journal of several logs: append, roll, replace, cut, crash at any operation, replay',
  },
  classicGroups: {
    ...{ file: 'groups/groupCoordinator.model.test.ts', of: 'groups', sequences: 3000 },
    doc: 'members of the classic protocol, offsets, transactions of offsets, failing appends, restarts',
  },
  consumerGroups: {
    ...{ file: 'groups/consumer/consumerGroup.model.test.ts', of: 'groups', sequences: 250 },
    doc: 'members of KIP-848, topics that change, lost answers, restarts; no partition has two owners',
  },
  groupMigration: {
    ...{ file: 'groups/consumer/migration.model.test.ts', of: 'groups', sequences: 800 },
    doc: 'members that move between the classic protocol and KIP-848, static ones too; the upgrade and the downgrade of their group, lost answers, restarts; nobody commits for another',
  },
  groupLeaderMoves: {
    ...{ file: 'groups/leaderMoves.model.test.ts', of: 'groups', sequences: 150 },
    doc: 'a coordinator that moves between two brokers with appends in flight, late calls of older epochs; committed offsets never go back',
  },
  offsetsTopic: {
    ...{ file: 'groups/offsetsTopic.test.ts', of: 'groups', sequences: 150 },
    doc: 'the offsets topic says after compaction what it said before',
  },
  transactionCoordinator: {
    file: 'transactions/transactionCoordinator.model.test.ts',
    ...{ of: 'transactions', sequences: 5000 },
    doc: 'producers of both protocols, fencing, retries, failing appends and markers, timeouts, crashes between any two steps',
  },
  transactionLeaderMoves: {
    ...{ file: 'transactions/leaderMoves.model.test.ts', of: 'transactions', sequences: 150 },
    doc: 'the same for transactions, with markers in flight; no transaction is ended by halves',
  },
  transactionCrashes: {
    ...{ file: 'server/transactionCrashes.test.ts', of: 'transactions', sequences: 30 },
    doc: 'a whole broker that loses its power at any moment of a transaction',
  },
  configs: {
    ...{ file: 'controller/configHistory.test.ts', of: 'configuration', sequences: 300 },
    doc: 'changes of configs, refused ones too, and restarts',
  },
  proposals: {
    file: 'controller/metadata/proposals.model.test.ts',
    ...{ of: 'metadata', sequences: 600 },
    doc: 'two nodes that propose to one metadata log which loses requests and answers; conflicts, reads that fail, restarts; each proposal applied once, all folds equal',
  },
  powerLoss: {
    ...{ file: 'kill/powerLoss.test.ts', of: 'broker', sequences: 300 },
    doc: 'the whole broker under producers, transactions, groups and topics that come and go, losing its power at random operations of its disk',
  },
} as const satisfies Record<string, Model>

/** The rows of the table in docs/testing.md. */
export function modelRows(): string[] {
  return Object.values(models).map(
    ({ file, of, sequences, doc }) => `| ${of} | ${sequences} | \`${file}\` | ${doc} |`,
  )
}
