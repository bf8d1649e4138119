// Reads one partition from its start to its end, without a group, and goes on with what is new. In
// the end it has to see everything.

import {
  type FetchedPartition,
  PartitionReader,
} from '../../../../../protocol/client/consumer/partitionReader.ts'
import { whole } from '../../../plan/swarm.ts'
import type { Client } from './client.ts'
import { recordsFrom } from './readRecords.ts'

export function partitionFollower(topic: string, partition: number) {
  return async (client: Client): Promise<void> => {
    const { cluster, recorder, random } = client
    const name = `${topic}-${partition}`
    const lane = cluster.newLane(`follow ${name}`)
    const place = { topic, partition, lane, retryTimeoutMs: Number.POSITIVE_INFINITY }
    const uncommitted = new PartitionReader(cluster, place)
    const reader = new PartitionReader(cluster, {
      ...place,
      isolation: 'committed',
      maxWaitMs: whole(random, 1, 200),
      minBytes: whole(random, 1, 500),
      maxBytes: whole(random, 200, 10_000),
    })
    recorder.note(client.name, { kind: 'assign', partitions: [name] })
    let offset = 0
    // Ends where the partition ended when the writers had, which is noted only then. The high
    // watermark: a transaction that nobody ends would hide what is behind it for ever.
    for (let end: number | undefined; end === undefined || offset < end; ) {
      const poll = recorder.begin(client.name, { kind: 'poll', records: {} })
      const fetched = await reader.fetch(offset)
      const found = recordsFrom(fetched.batches, offset)
      offset = fetched.nextOffset
      for (const [at] of found) client.shared.progress.visible(name, at)
      poll.ok({ kind: 'poll', records: { [name]: found }, positions: { [name]: offset } })
      observe(client, name, fetched)
      if (client.shared.writersAreDone) end ??= await uncommitted.latest()
      else if (found.length === 0) await client.think()
    }
  }
}

/**
 * Reads the partition from its start once nothing is written any more, when a broker has recovered
 * it perhaps: what others have seen has to be there, and nothing else.
 */
export function partitionRereader(topic: string, partition: number) {
  const follow = partitionFollower(topic, partition)
  return async (client: Client): Promise<void> => {
    while (!client.shared.writersAreDone) await client.think()
    await follow(client)
  }
}

function observe(
  client: Client,
  name: string,
  { highWatermark, lastStableOffset, logStartOffset }: FetchedPartition,
): void {
  client.recorder.note(client.name, {
    kind: 'watermarks',
    partitions: { [name]: { highWatermark, lastStableOffset, logStartOffset } },
  })
}
