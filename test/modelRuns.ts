// The models of the broker, with the number of command sequences that `npm test` runs through each.
// The models take their numbers from here, and docs/testing.md shows them. An arbitrary of command
// lists must set `size: 'max'`: otherwise fast-check generates five commands on average, whatever
// `maxLength` is.

interface Model {
  readonly file: string
  readonly of:
    | 'log'
    | 'partition'
    | 'groups'
    | 'transactions'
    | 'configuration'
    | 'metadata'
    | 'broker'
  readonly sequences: number
  readonly doc: string
}

export const models = {
  logSynced: {
    ...{ file: 'log/partitionLogModel.test.ts', of: 'log', sequences: 1500 },
    doc: 'append, read, roll, retain, delete records, truncate, a full disk, crash with lost, torn and reordered bytes, recovery; every append is synced',
  },
  logJournaled: {
    ...{ file: 'log/partitionLogModel.test.ts', of: 'log', sequences: 1500 },
    doc: 'the same with a small commit journal, which wraps around often, and staged writes to segments',
  },
  transactionsInLog: {
    ...{ file: 'log/transactionModel.test.ts', of: 'log', sequences: 600 },
    doc: 'transactions in a log: last stable offset, open transactions, aborted transactions of every read, producer snapshots; with truncations and crashes',
  },
  cleaning: {
    ...{ file: 'log/cleaner/cleaningModel.test.ts', of: 'log', sequences: 200 },
    doc: 'compaction against the state that all written records give; tombstones, markers, crashes at any operation',
  },
  completionOrders: {
    ...{ file: 'log/completionOrders.test.ts', of: 'log', sequences: 150 },
    doc: 'a disk whose operations complete in any order: overlapping appends, syncs, checkpoints and truncations, crashes between any two completions',
  },
  journal: {
    ...{ file: 'log/journal/commitJournal.test.ts', of: 'log', sequences: 300 },
    doc: 'the commit journal of several logs: append, roll, replace, truncate, crash at any operation, replay',
  },
  partitionLeader: {
    ...{ file: 'replication/leaderState.test.ts', of: 'partition', sequences: 500 },
    doc: 'the leader of a partition: fetches of followers, changes of the ISR that are proposed, refused and registered; the high watermark never decreases, and has all in-sync replicas behind it',
  },
  classicGroups: {
    ...{ file: 'groups/groupCoordinator.model.test.ts', of: 'groups', sequences: 3000 },
    doc: 'members of the classic protocol, offsets in and out of transactions, failing appends, restarts, moves of the coordinator',
  },
  consumerGroups: {
    ...{ file: 'groups/consumer/consumerGroup.model.test.ts', of: 'groups', sequences: 250 },
    doc: 'members of KIP-848, changing topics, lost answers, restarts; no partition has two owners',
  },
  groupMigration: {
    ...{ file: 'groups/consumer/migration.model.test.ts', of: 'groups', sequences: 800 },
    doc: 'members, also static ones, that migrate between the classic protocol and KIP-848; upgrade and downgrade of their group, lost answers, restarts, moves of the coordinator; no member commits for another',
  },
  groupLeaderMoves: {
    ...{ file: 'groups/leaderMoves.model.test.ts', of: 'groups', sequences: 150 },
    doc: 'a coordinator that moves between two brokers with appends in flight, and late calls of older epochs; committed offsets never decrease',
  },
  offsetsTopic: {
    ...{ file: 'groups/offsetsTopic.test.ts', of: 'groups', sequences: 150 },
    doc: 'the offsets topic restores the same state after compaction',
  },
  transactionCoordinator: {
    file: 'transactions/transactionCoordinator.model.test.ts',
    ...{ of: 'transactions', sequences: 5000 },
    doc: 'producers of both protocols, fencing, retries, failing appends and markers, timeouts, crashes between any two steps',
  },
  transactionLeaderMoves: {
    ...{ file: 'transactions/leaderMoves.model.test.ts', of: 'transactions', sequences: 150 },
    doc: 'the same for transactions, with markers in flight; every transaction ends in all of its partitions',
  },
  transactionCrashes: {
    ...{ file: 'server/transactionCrashes.test.ts', of: 'transactions', sequences: 30 },
    doc: 'a whole broker that loses power at any moment of a transaction',
  },
  configs: {
    ...{ file: 'controller/configHistory.test.ts', of: 'configuration', sequences: 300 },
    doc: 'changes of configs, also refused ones, and restarts',
  },
  proposals: {
    file: 'controller/metadata/proposals.model.test.ts',
    ...{ of: 'metadata', sequences: 600 },
    doc: 'two nodes that propose to one metadata log, which loses requests and answers; conflicts, failing reads, restarts; each proposal is applied once, and all folds are equal',
  },
  powerLoss: {
    ...{ file: 'kill/powerLoss.test.ts', of: 'broker', sequences: 300 },
    doc: 'the whole broker under producers, transactions, groups, and topics that are created and deleted, losing power at random operations of its disk',
  },
} as const satisfies Record<string, Model>

/** The rows of the table in docs/testing.md. */
export function modelRows(): string[] {
  return Object.values(models).map(
    ({ file, of, sequences, doc }) => `| ${of} | ${sequences} | \`${file}\` | ${doc} |`,
  )
}
