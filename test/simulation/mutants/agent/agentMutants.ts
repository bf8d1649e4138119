// Faults planted in the agent: positions of files, the log of a file channel, takes of a sink.

import type { Mutant } from '../mutant.ts'

export const agentMutants: readonly Mutant[] = [
  {
    name: "a larger noted position wins over the channel's",
    system: 'agent',
    file: 'agent/channelProcessor.ts',
    replacements: [
      {
        find: 'const end = Math.min(...channelEnds)\n    const own',
        replace: 'const end = Math.max(noted?.end ?? 0, Math.min(...channelEnds))\n    const own',
      },
      {
        file: 'agent/sources/taildir/taildirSource.ts',
        find: 'file.mustBeNoted = true',
        replace: 'file.mustBeNoted = false',
      },
    ],
    origin: 'a review of the agent: stuck after copytruncate and SIGKILL',
    maxSeeds: 8000,
  },
  {
    name: "a file's position counts before its put is durable and survives a failed write",
    system: 'agent',
    file: 'agent/channels/channelState.ts',
    replacements: [
      {
        find: 'if (position !== undefined) this.appendedPositions.advance(position)',
        replace: 'if (position !== undefined) this.restorePosition(position)',
      },
      {
        find: 'if (position === undefined) return\n    const durable = this.positions.get(position.source, position)\n    if (durable === undefined) this.app',
        replace:
          'if (position !== undefined) return\n    const durable = this.positions.get(position!.source, position!)\n    if (durable === undefined) this.app',
      },
    ],
    origin: 'a review of the agent: lines lost by a full disk',
    maxSeeds: 300,
  },
  {
    name: 'events of a batch that a channel has are put again',
    system: 'agent',
    file: 'agent/channels/transactionalChannel.ts',
    replacements: [
      { find: 'batch: batch.slice(known, batch.count), position', replace: 'batch, position' },
    ],
    origin: 'docs/decisions/0021-positions.md',
    maxSeeds: 100,
  },
  {
    name: 'a position without events is not put',
    system: 'agent',
    file: 'agent/channelProcessor.ts',
    replacements: [
      {
        find: 'if (part.count > 0 || position !== undefined) puts',
        replace: 'if (part.count > 0) puts',
      },
    ],
    origin: 'docs/decisions/0021-positions.md',
    maxSeeds: 120,
  },
  {
    name: 'a new file of the channel log has no positions of puts that are not durable yet',
    system: 'agent',
    file: 'agent/channels/file/fileStore.ts',
    replacements: [{ find: 'state.appendedPositions.all()', replace: 'state.positions.all()' }],
    origin: 'docs/decisions/0021-positions.md',
    maxSeeds: 100,
  },
  {
    name: 'positions in a memory channel are noted before sinks have committed',
    system: 'agent',
    file: 'agent/channels/memoryChannel.ts',
    replacements: [
      {
        find: 'return this.#taken.safePosition(source, file)',
        replace:
          'const position = this.#state!.positions.get(source, file)\n    return position && { ...position, fingerprintEnd: position.end }',
      },
    ],
    origin: 'a review of the agent: lines lost by an orderly stop while the cluster is away',
    maxSeeds: 120,
  },
  {
    name: 'new content of a truncated file is put before the position file has the truncation',
    system: 'agent',
    file: 'agent/sources/taildir/taildirSource.ts',
    replacements: [{ find: 'file.mustBeNoted = true', replace: 'file.mustBeNoted = false' }],
    origin: 'docs/decisions/0021-positions.md',
    maxSeeds: 300,
    missedBecause:
      'a position file that lags behind its channels is harmless as long as the position of a channel wins: only a channel that has no position of the file, and a copy that appears at that time, could show it',
  },
  {
    name: 'a truncated file keeps its generation',
    system: 'agent',
    file: 'agent/sources/taildir/tailFile.ts',
    replacements: [{ find: 'const generation = before + 1', replace: 'const generation = before' }],
    origin: 'agent/sources/taildir/README.md',
    maxSeeds: 120,
  },
  {
    name: 'only the size of a file tells whether it is the file that was read before a start',
    system: 'agent',
    file: 'agent/sources/taildir/tailFile.ts',
    replacements: [
      {
        find: 'if (filled < bytes.length || crc32c(bytes) !== fingerprint.crc) return false',
        replace: 'if (filled < bytes.length) return false',
      },
    ],
    origin: 'a review of the agent: an inode that was used again',
    maxSeeds: 120,
  },
  {
    name: 'a file that was truncated and grew again is taken for one that grew',
    system: 'agent',
    file: 'agent/sources/taildir/tailFile.ts',
    replacements: [
      {
        find: 'if (filled < known || crc32c(chunk, 0, known) !== fingerprint.crc) {',
        replace: 'if (filled < known) {',
      },
    ],
    origin: 'agent/sources/taildir/README.md',
    maxSeeds: 200,
  },
  {
    name: 'a file is not read again from the last accepted put after a refused put',
    system: 'agent',
    file: 'agent/sources/taildir/putWindow.ts',
    replacements: [
      { find: 'if (this.error !== undefined) this.#file.moveTo(this.#accepted)', replace: '' },
    ],
    origin: 'docs/decisions/0021-positions.md',
    maxSeeds: 120,
  },
  {
    name: 'the first put of a file does not run alone',
    system: 'agent',
    file: 'agent/sources/taildir/putWindow.ts',
    replacements: [
      {
        find: 'const capacity = this.#file.isKnown ? this.#capacity : 1',
        replace: 'const capacity = this.#capacity',
      },
    ],
    origin: 'agent/sources/taildir/putWindow.ts',
    maxSeeds: 120,
  },
  {
    name: 'the rest of a file that was renamed out of the pattern is not read',
    system: 'agent',
    file: 'agent/sources/taildir/followedFiles.ts',
    replacements: [{ find: 'if (now !== undefined && unreadBytes > 0) continue\n', replace: '' }],
    origin: 'a review of the agent: the tail of a rotated file',
    maxSeeds: 120,
  },
  {
    name: 'a put is acknowledged before its sync',
    system: 'agent',
    file: 'agent/channels/file/fileStore.ts',
    replacements: [
      {
        find: 'await logFile.file!.sync()\n      if (isNew) await this.#disk.syncDirectory(logFile.directory)\n',
        replace: 'if (isNew) await this.#disk.syncDirectory(logFile.directory)\n',
      },
    ],
    origin: 'docs/testing.md',
    maxSeeds: 120,
  },
  {
    name: 'a failed write stays in the channel log',
    system: 'agent',
    file: 'agent/channels/file/fileStore.ts',
    replacements: [{ find: 'await last.file!.truncate(last.durableBytes)\n', replace: '' }],
    origin: 'agent/channels/file/fileStore.ts',
    maxSeeds: 1000,
  },
  {
    name: 'a torn write at the end of the channel log is not cut off',
    system: 'agent',
    file: 'agent/channels/file/fileStore.ts',
    replacements: [
      { find: 'if (validBytes < fileBytes) await file!.truncate(validBytes)\n', replace: '' },
    ],
    origin: 'agent/channels/file/fileStore.ts',
    maxSeeds: 500,
  },
  {
    name: 'a file of the channel log is deleted while a take refers to it',
    system: 'agent',
    file: 'agent/channels/file/fileStore.ts',
    replacements: [
      {
        find: 'const { lowestHeld } = this.#state!\n',
        replace: 'const lowestHeld = this.#state!.head ?? this.#state!.nextEvent\n',
      },
    ],
    origin: 'agent/channels/file/fileStore.ts',
    maxSeeds: 120,
  },
  {
    name: 'the reserved space is not used when the disk is full',
    system: 'agent',
    file: 'agent/channels/file/fileStore.ts',
    replacements: [
      {
        find: 'if (wasFull) await this.#reserve.release()\n',
        replace: '',
      },
    ],
    origin: 'docs/decisions/0022-a-channel-on-a-full-disk.md',
    maxSeeds: 120,
  },
  {
    name: 'a snapshot of the channel log forgets the prepared takes',
    system: 'agent',
    file: 'agent/channels/file/fileStore.ts',
    replacements: [{ find: 'prepared: [...state.prepared.values()]', replace: 'prepared: []' }],
    origin: 'docs/decisions/0022-a-channel-on-a-full-disk.md',
    maxSeeds: 120,
  },
  {
    name: 'events whose take is only in a snapshot of the channel log are taken again',
    system: 'agent',
    file: 'agent/channels/file/logReplay.ts',
    replacements: [
      { find: 'state.takeExactly(gone)\n      state.commitTake(gone)\n', replace: '' },
    ],
    origin: 'docs/decisions/0022-a-channel-on-a-full-disk.md',
    maxSeeds: 200,
  },
  {
    name: 'a file of the channel log that has events is replaced by the next one',
    system: 'agent',
    file: 'agent/channels/file/logFiles.ts',
    replacements: [{ find: 'empty.hasEvents || ', replace: '' }],
    origin: 'docs/decisions/0022-a-channel-on-a-full-disk.md',
    maxSeeds: 120,
  },
  {
    name: 'a prepared take is forgotten at a restart',
    system: 'agent',
    file: 'agent/channels/file/logReplay.ts',
    replacements: [
      {
        find: 'if (!this.#committed.has(id)) continue\n      this.#state.settle(id)\n      this.#state.commitTake(ranges)',
        replace:
          'this.#state.settle(id)\n      if (this.#committed.has(id)) this.#state.commitTake(ranges)\n      else this.#state.giveBack(ranges)',
      },
    ],
    origin: 'docs/decisions/0005-exactly-once-into-the-log.md',
    maxSeeds: 100,
  },
  {
    name: 'a take is sent before its stamp is durable',
    system: 'agent',
    file: 'agent/channels/file/fileStore.ts',
    replacements: [
      {
        find: 'await this.#queue([bytes], bytes.length).durable\n',
        replace: 'this.#queue([bytes], bytes.length).durable.catch(() => {})\n',
      },
    ],
    origin: 'docs/decisions/0005-exactly-once-into-the-log.md',
    maxSeeds: 300,
  },
  {
    name: 'a rolled back take loses all its events but those of its first range',
    system: 'agent',
    file: 'agent/channels/transactionalChannel.ts',
    replacements: [
      { find: 'this.state.giveBack(ranges)', replace: 'this.state.giveBack(ranges.slice(0, 1))' },
    ],
    origin: 'agent/channels/README.md',
    maxSeeds: 120,
  },
  {
    name: 'a stop of the Kafka sink commits takes that have no answer yet',
    system: 'agent',
    file: 'agent/sinks/kafka/kafkaSink.ts',
    replacements: [
      {
        find: 'for (const { transaction } of open) transaction.detach()',
        replace: 'for (const { transaction } of open) await transaction.commit()',
      },
    ],
    origin: 'agent/sinks/kafka/kafkaSink.ts',
    maxSeeds: 1300,
  },
  {
    name: 'the Kafka sink treats a refused take as delivered',
    system: 'agent',
    file: 'agent/sinks/kafka/kafkaSink.ts',
    replacements: [
      {
        find: 'if (take.isStored) await this.#commit(take)\n      else if (!isProducerNew)',
        replace:
          'if (take.isStored || !isSmallerWanted) await this.#commit(take)\n      else if (!isProducerNew)',
      },
    ],
    origin: 'agent/sinks/kafka/kafkaSink.ts',
    maxSeeds: 120,
  },
]
