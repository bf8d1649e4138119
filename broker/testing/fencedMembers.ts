// Members of groups of the consumer protocol (KIP-848) that a test has join again: the next heartbeat of each is
// answered with FENCED_MEMBER_EPOCH, on which a member gives up its partitions and joins anew.

import { consumerGroupHeartbeat } from '../../protocol/kafka/apis/consumerGroupHeartbeat.ts'
import { ErrorCode } from '../../protocol/kafka/errors.ts'
import type { Api, RequestOf, ResponseInput } from '../../protocol/kafka/schema.ts'

type Heartbeat = RequestOf<typeof consumerGroupHeartbeat>

export class FencedMembers {
  /** By member id: whether the member has been told. It stays here until it joins. */
  readonly #members = new Map<string, 'due' | 'told'>()

  fence(memberIds: Iterable<string>): void {
    for (const memberId of memberIds) this.#members.set(memberId, 'due')
  }

  /** Whether the member has not joined again since. */
  has(memberId: string): boolean {
    return this.#members.has(memberId)
  }

  /** The answer to a heartbeat of a member that has to be told; undefined for any other request. */
  answerTo(api: Api, request: unknown): ResponseInput<typeof consumerGroupHeartbeat> | undefined {
    if (api.key !== consumerGroupHeartbeat.key) return undefined
    const { memberId, memberEpoch } = request as Heartbeat
    // Joining (0), or leaving (below).
    if (memberEpoch <= 0) this.#members.delete(memberId)
    if (this.#members.get(memberId) !== 'due') return undefined
    this.#members.set(memberId, 'told')
    const errorMessage = 'a rebalance that the test asked for'
    return {
      errorCode: ErrorCode.fencedMemberEpoch,
      errorMessage,
      memberId,
      memberEpoch: 0,
      heartbeatIntervalMs: 0,
    }
  }
}
