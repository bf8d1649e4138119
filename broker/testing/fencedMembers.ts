// Members of KIP-848 consumer groups that a test makes rejoin: the next heartbeat of each is
// answered with FENCED_MEMBER_EPOCH, after which the member gives up its partitions and rejoins.

import { consumerGroupHeartbeat } from '../../protocol/kafka/apis/consumerGroupHeartbeat.ts'
import { ErrorCode } from '../../protocol/kafka/errors.ts'
import type { Api, RequestOf, ResponseInput } from '../../protocol/kafka/schema/schema.ts'

type Heartbeat = RequestOf<typeof consumerGroupHeartbeat>

export class FencedMembers {
  /**
   * By member id: whether the member has been fenced. An entry is removed when the member rejoins.
   */
  readonly #members = new Map<string, 'due' | 'fenced'>()

  fence(memberIds: Iterable<string>): void {
    for (const memberId of memberIds) this.#members.set(memberId, 'due')
  }

  /** Whether the member has not rejoined yet. */
  has(memberId: string): boolean {
    return this.#members.has(memberId)
  }

  /**
   * Returns the response to the heartbeat of a member that is to be fenced; undefined for other
   * requests.
   */
  answerTo(api: Api, request: unknown): ResponseInput<typeof consumerGroupHeartbeat> | undefined {
    if (api.key !== consumerGroupHeartbeat.key) return undefined
    const { memberId, memberEpoch } = request as Heartbeat
    // The member joins (0) or leaves (negative).
    if (memberEpoch <= 0) this.#members.delete(memberId)
    if (this.#members.get(memberId) !== 'due') return undefined
    this.#members.set(memberId, 'fenced')
    const errorMessage = 'rebalance requested by the test'
    return {
      errorCode: ErrorCode.fencedMemberEpoch,
      errorMessage,
      memberId,
      memberEpoch: 0,
      heartbeatIntervalMs: 0,
    }
  }
}
