// Faults planted in the log of a partition, its journal and its recovery.

import type { Mutant } from '../mutant.ts'

export const logMutants: readonly Mutant[] = [
  {
    name: 'an append is acknowledged without a sync of its segment',
    system: 'broker',
    file: 'broker/log/durability/durability.ts',
    replacements: [
      {
        find: 'chunks.length, () => segment.sync())',
        replace: 'chunks.length, async () => {})',
      },
    ],
    origin: 'docs/testing.md',
    maxSeeds: 500,
  },
  {
    name: 'writes to the journal are not synced',
    system: 'broker',
    file: 'broker/log/journal/commitJournal.ts',
    replacements: [{ find: ".journal`), 'writeSynced')", replace: ".journal`), 'write')" }],
    origin: 'docs/testing.md',
    maxSeeds: 500,
  },
  {
    name: "a new segment's directory is not synced",
    system: 'broker',
    file: 'broker/log/segment/segment.ts',
    replacements: [
      {
        find: 'await segment.#file.open()\n    await disk.syncDirectory(directory)',
        replace: 'await segment.#file.open()',
      },
    ],
    origin: 'docs/testing.md',
    maxSeeds: 500,
  },
  {
    name: 'a journal file is reused before its segments are synced',
    system: 'broker',
    file: 'broker/log/journal/commitJournal.ts',
    replacements: [{ find: '    await next.settled\n', replace: '' }],
    origin: 'docs/testing.md',
    maxSeeds: 3300,
  },
  {
    name: 'the segments of a journal file are never synced',
    system: 'broker',
    file: 'broker/log/journal/commitJournal.ts',
    replacements: [
      { find: '(segment) => segment.syncJournaled(), syncedAtOnce', replace: 'async () => {}, 1' },
    ],
    origin: 'docs/testing.md',
    maxSeeds: 500,
  },
  {
    name: 'a failed sync of a segment is trusted later',
    system: 'broker',
    file: 'broker/log/segment/segmentFile.ts',
    replacements: [
      {
        find: 'this.#failure = writeFailed(this.#options.path(), cause)\n        throw this.#failure',
        replace: 'throw writeFailed(this.#options.path(), cause)',
      },
      { find: '      this.journalFailed?.(error)\n      throw error', replace: '' },
    ],
    origin: 'docs/testing.md',
    maxSeeds: 500,
  },
  {
    name: 'a replay of the journal ignores cuts',
    system: 'broker',
    file: 'broker/log/journal/replayPlan.ts',
    replacements: [
      { find: 'this.#cut(entry.name, entry.baseOffset, entry.position)\n', replace: '' },
    ],
    origin: 'docs/testing.md',
    maxSeeds: 500,
  },
  {
    name: 'after a crash, the note of a resting log is trusted without a look at its file',
    system: 'broker',
    file: 'broker/log/directory/restingLogs.ts',
    replacements: [
      {
        find: '    if (!this.#wasClosed && !(await this.#endsAsNoted(name, log))) return undefined\n',
        replace: '',
      },
    ],
    origin: 'docs/testing.md',
    maxSeeds: 500,
  },
  {
    name: 'the record of a clean shutdown survives the start after it',
    system: 'broker',
    file: 'broker/log/directory/dataDirectory.ts',
    replacements: [{ find: '  await disk.remove(path)\n', replace: '' }],
    origin: 'KafkaStorage: .kafka_cleanshutdown',
    maxSeeds: 1100,
  },
  {
    name: 'a checkpoint advances the recovery point before the segments are synced',
    system: 'broker',
    file: 'broker/log/maintenance/logHousekeeping.ts',
    replacements: [
      {
        find: '        await written.syncAppended()\n        await written.saveIndexes()',
        replace: '        await written.saveIndexes()',
      },
    ],
    origin: 'KAFKA-3919',
    maxSeeds: 500,
  },
  {
    name: 'a producer snapshot has more than what is below its offset',
    system: 'broker',
    file: 'broker/log/append/logTail.ts',
    replacements: [
      {
        find: '    if (roll) this.#beginSegment(roll.baseOffset, nowMs)\n',
        replace:
          '    if (roll) {\n      roll.snapshot = this.snapshot(nowMs)\n      this.#beginSegment(roll.baseOffset, nowMs)\n    }\n',
      },
    ],
    origin: 'docs/testing.md',
    maxSeeds: 3000,
  },
  {
    name: 'recovery skips the first batch after a snapshot',
    system: 'broker',
    file: 'broker/log/recovery/logRecovery.ts',
    replacements: [
      {
        find: 'if (batch.baseOffset < this.#replayFrom) return',
        replace: 'if (batch.baseOffset <= this.#replayFrom) return',
      },
    ],
    origin: 'docs/testing.md',
    maxSeeds: 100,
  },
  {
    name: 'a batch that is sent again is treated as a new one',
    system: 'broker',
    file: 'broker/log/producers/producerState.ts',
    replacements: [
      {
        find: 'if (entry?.producerEpoch !== batch.producerEpoch || batch.baseSequence < 0) return undefined',
        replace: 'return undefined',
      },
      {
        find: 'return first === sequenceAfter(last.lastSequence, 1)',
        replace: 'return first <= sequenceAfter(last.lastSequence, 1)',
      },
    ],
    origin: 'docs/testing.md',
    maxSeeds: 100,
  },
  {
    name: "gaps in a producer's sequence are accepted",
    system: 'broker',
    file: 'broker/log/producers/producerState.ts',
    replacements: [
      {
        find: 'return first === sequenceAfter(last.lastSequence, 1)',
        replace: 'return first >= sequenceAfter(last.lastSequence, 1)',
      },
    ],
    origin: 'docs/testing.md',
    maxSeeds: 100,
  },
  {
    name: 'only the last batch of a producer is remembered',
    system: 'broker',
    file: 'broker/log/producers/producerState.ts',
    replacements: [
      {
        find: 'batches: [...kept.slice(1 - rememberedBatches), appended],',
        replace: 'batches: [appended],',
      },
    ],
    origin: 'KIP-98',
    maxSeeds: 500,
  },
  {
    name: 'a duplicate is acknowledged before the first copy is durable',
    system: 'broker',
    file: 'broker/log/append/logAppender.ts',
    replacements: [
      {
        find: 'if (isDuplicate && decision.lastOffset < log.durableEndOffset()) {',
        replace: 'if (isDuplicate) {',
      },
    ],
    origin: 'KAFKA-5494',
    maxSeeds: 3000,
  },
  {
    name: 'compaction drops the last record of a key',
    system: 'broker',
    file: 'broker/log/cleaner/batchFilter.ts',
    replacements: [
      {
        find: 'if (cursor.offset < offsets.get(key)) return false',
        replace: 'if (cursor.offset <= offsets.get(key)) return false',
      },
    ],
    origin: 'docs/testing.md',
    maxSeeds: 500,
  },
  {
    name: 'compaction passes the last stable offset',
    system: 'broker',
    file: 'broker/log/cleaner/cleaningPlan.ts',
    replacements: [{ find: '      segment.nextOffset > lastStableOffset ||\n', replace: '' }],
    origin: 'KAFKA-5443',
    maxSeeds: 500,
  },
  {
    name: 'the new start of a log is not saved when records are deleted',
    system: 'broker',
    file: 'broker/log/removal/logStart.ts',
    replacements: [
      {
        find: '      this.#isUnsaved = true\n      await this.#save()\n',
        replace: '      this.#isUnsaved = true\n',
      },
    ],
    origin: 'KIP-107',
    maxSeeds: 1700,
  },
  {
    name: 'a removed topic stays in the journal',
    system: 'broker',
    file: 'broker/log/directory/logDirectory.ts',
    replacements: [
      {
        find: '    await inParallel([...all], async (name) => await this.journal?.cut(name, 0, 0))\n',
        replace: '',
      },
    ],
    origin: 'docs/testing.md',
    maxSeeds: 500,
  },
  {
    name: 'a segment file that is closed twice forgets who waits for the first close',
    system: 'broker',
    file: 'broker/log/segment/segmentFile.ts',
    replacements: [
      {
        find: '    this.#closing ??= this.#close()\n    return this.#closing',
        replace: '    return this.#close()',
      },
    ],
    origin: 'a bug that the simulator has found',
    maxSeeds: 500,
  },
]
