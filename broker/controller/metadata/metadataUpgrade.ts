// Reads entries and snapshots of the metadata log, whichever release wrote them. Releases before
// format version 1 stored bare commands: without identified proposals, with the partitions of a
// topic as a number, without brokers. Each of their partitions has one replica, on the node that
// owns the data directory.
//
// A downgrade is not supported once this release has started on a data directory, because each
// start registers the broker in the log. Earlier releases refuse such a directory and change
// nothing in it: an entry of version 1 has no `type`, which their fold takes for a broken
// invariant, and a snapshot of version 1 has no `topics` of its own. In the same way, this release
// refuses entries of later ones: it never guesses.

import { BrokerError } from '../../errors.ts'
import { newRegistration } from '../partitionRegistration.ts'
import { formatVersion, type MetadataCommand, type MetadataEntry } from './metadataCommand.ts'
import type { StoredEntry, StoredSnapshot } from './metadataLog.ts'
import type { MetadataSnapshot, Topic } from './metadataView.ts'
import type { ReleasedCommand, ReleasedTopic } from './releasedMetadata.ts'

/** `partitionsOf` returns the number of partitions of a topic before this entry. */
export function upgradeEntry(
  stored: StoredEntry,
  nodeId: number,
  partitionsOf: (topicId: string) => number,
): MetadataEntry {
  if ('type' in stored) {
    return { version: formatVersion, command: upgradeCommand(stored, nodeId, partitionsOf) }
  }
  mustBeKnown(stored.version)
  return stored
}

export function upgradeSnapshot(stored: StoredSnapshot, nodeId: number): MetadataSnapshot {
  if (!('topics' in stored)) {
    mustBeKnown(stored.version)
    return stored.state
  }
  return {
    clusterId: stored.clusterId,
    brokers: [],
    topics: stored.topics.map((topic) => upgradeTopic(topic, nodeId)),
    deleting: stored.deleting.map((topic) => upgradeTopic(topic, nodeId)),
    nextProducerId: stored.nextProducerId,
    brokerConfigs: stored.brokerConfigs ?? {},
    groupConfigs: stored.groupConfigs ?? {},
  }
}

function upgradeCommand(
  command: ReleasedCommand,
  nodeId: number,
  partitionsOf: (topicId: string) => number,
): MetadataCommand {
  switch (command.type) {
    case 'createTopic': {
      const { type, name, id, partitions, configs } = command
      return { type, name, id, assignments: soleReplicas(partitions, nodeId), configs }
    }
    case 'createPartitions': {
      const { type, id, partitions } = command
      const firstPartition = partitionsOf(id)
      const assignments = soleReplicas(partitions - firstPartition, nodeId)
      return { type, id, firstPartition, assignments }
    }
    default:
      return command
  }
}

function upgradeTopic({ name, id, partitions, configs }: ReleasedTopic, nodeId: number): Topic {
  return { name, id, partitions: soleReplicas(partitions, nodeId).map(newRegistration), configs }
}

function soleReplicas(partitions: number, nodeId: number): number[][] {
  return Array.from({ length: partitions }, () => [nodeId])
}

function mustBeKnown(version: unknown): void {
  if (version === formatVersion) return
  throw new BrokerError(
    'METADATA_UNSUPPORTED',
    `the metadata log has entries of version ${String(version)}, but this release reads version ${formatVersion}: ` +
      'start the release that wrote them, or a newer one',
  )
}
