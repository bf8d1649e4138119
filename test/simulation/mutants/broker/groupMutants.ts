// Faults planted in consumer groups and their offsets.

import type { Mutant } from '../mutant.ts'

export const groupMutants: readonly Mutant[] = [
  {
    name: 'a partition is assigned to a member before another one has revoked it',
    system: 'broker',
    file: 'broker/groups/consumer/currentAssignment.ts',
    replacements: [
      {
        find: 'const released = filterPartitions(target.partitions, (...at) => isNew(...at) && !isOwned(...at))\n  const unreleased = filterPartitions(target.partitions, (...at) => isNew(...at) && isOwned(...at))',
        replace:
          'const released = filterPartitions(target.partitions, isNew)\n  const unreleased = noPartitions',
      },
    ],
    origin: 'docs/testing.md',
    maxSeeds: 100,
  },
  {
    name: 'partitions that a member is revoking count as revoked',
    system: 'broker',
    file: 'broker/groups/consumer/currentAssignment.ts',
    replacements: [
      {
        find: 'return owned === null || overlaps(owned, pendingRevocation)',
        replace: 'return false',
      },
    ],
    origin: 'docs/testing.md',
    maxSeeds: 3400,
  },
  {
    name: 'a former generation of a classic group may commit',
    system: 'broker',
    file: 'broker/groups/classic/rebalance.ts',
    replacements: [
      {
        find: 'return generationId === this.#generation.id ? ErrorCode.none',
        replace: 'return generationId <= this.#generation.id ? ErrorCode.none',
      },
    ],
    origin: 'docs/testing.md',
    maxSeeds: 500,
  },
  {
    name: 'a former epoch of a consumer group may commit',
    system: 'broker',
    file: 'broker/groups/consumer/offsetAdmission.ts',
    replacements: [
      { find: 'if (epoch === memberEpoch) return', replace: 'if (epoch <= memberEpoch) return' },
    ],
    origin: 'docs/testing.md',
    maxSeeds: 100,
  },
  {
    name: 'a generation is announced before its assignment is durable',
    system: 'broker',
    file: 'broker/groups/classic/rebalance.ts',
    replacements: [
      {
        find: "this.#persist(this.#syncRound.assignments, { type: 'assigned', generationId })",
        replace:
          "this.#persist(this.#syncRound.assignments, { type: 'assigned', generationId })\n    this.#assigned(nowMs, generationId, ErrorCode.none)",
      },
    ],
    origin: 'KAFKA-6042',
    maxSeeds: 500,
  },
  {
    name: 'committed offsets are answered before they are durable',
    system: 'broker',
    file: 'broker/groups/groupShard.ts',
    replacements: [
      {
        find: "if (this.#state !== 'resigned') this.handle({ type: 'appended', appendId, appended })",
        replace: '',
      },
      {
        find: 'const appended = await log\n      .append(this.leadership, records, producer)',
        replace:
          "const done = { errorCode: ErrorCode.none, baseOffset: appendId }\n    void Promise.resolve(done).then((appended) => this.handle({ type: 'appended', appendId, appended }))\n    await log\n      .append(this.leadership, records, producer)",
      },
    ],
    origin: "Kafka's group protocol",
    maxSeeds: 500,
  },
  {
    name: 'pending offsets of a transaction are lost by a restart',
    system: 'broker',
    file: 'broker/groups/groupReplay.ts',
    replacements: [
      {
        find: '    if (producerId >= 0) this.#registry.noteTransaction(entry, producerId)\n',
        replace: '',
      },
    ],
    origin: 'docs/testing.md',
    maxSeeds: 500,
  },
  {
    name: 'offsets in flight at the end of their transaction are lost',
    system: 'broker',
    file: 'broker/groups/offsets/groupOffsets.ts',
    replacements: [
      {
        find: "if (baseOffset === undefined || write.transaction === 'aborted') return",
        replace: "if (baseOffset === undefined || write.transaction !== 'open') return",
      },
    ],
    origin: 'docs/testing.md',
    maxSeeds: 500,
  },
  {
    name: 'offsets of an aborted transaction are committed',
    system: 'broker',
    file: 'broker/groups/offsets/groupOffsets.ts',
    replacements: [
      { find: 'if (!pending || !isCommitted) return', replace: 'if (!pending) return' },
    ],
    origin: 'KIP-98',
    maxSeeds: 500,
  },
]
