// Commits offsets of a group without members, which only grow, and reads them back. After a restart
// it continues with larger ones.

import { Admin } from '../../../../../protocol/client/admin.ts'
import { offsetCommit } from '../../../../../protocol/kafka/apis/offsetCommit.ts'
import { type Client, isPassing, messageOf, throwUnlessNone } from './client.ts'

export async function offsetCommitter(client: Client): Promise<void> {
  const { cluster, recorder, random } = client
  const { logTopic } = client.shared.parameters
  const group = `offsets of ${client.process.shortName}`
  const partition = `${logTopic.name}-0`
  const memory = client.memory(() => ({ next: 0 }))
  const admin = new Admin(cluster, Number.POSITIVE_INFINITY)
  while (!client.isOver) {
    const offset = memory.next++
    const operation = { kind: 'commit', group, offsets: { [partition]: offset } } as const
    const pending = recorder.begin(client.name, operation)
    try {
      await commit(client, group, offset)
      pending.ok()
    } catch (error) {
      pending.unknown(messageOf(error))
      if (!isPassing(error)) throw error
    }
    if (random.below(3) === 0) {
      const read = recorder.begin(client.name, { kind: 'committed', group, offsets: {} })
      const offsets = await admin.committedOffsets(group)
      const found = offsets.get(logTopic.name)?.get(0) ?? -1
      read.ok({ kind: 'committed', group, offsets: { [partition]: found } })
    }
    await client.think()
  }
}

/** One attempt: an answer that is lost leaves the outcome unknown. */
async function commit(client: Client, groupId: string, committedOffset: number): Promise<void> {
  const connection = await client.cluster.coordinator(groupId)
  const partitions = [{ partitionIndex: 0, committedOffset, committedMetadata: '' }]
  const topics = [{ name: client.shared.parameters.logTopic.name, partitions }]
  const answer = await connection.send(offsetCommit, { groupId, memberId: '', topics })
  throwUnlessNone(answer.topics[0]!.partitions[0]!.errorCode)
}
