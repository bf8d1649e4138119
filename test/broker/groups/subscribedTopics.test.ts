// The topics that a coordinator can read from the subscriptions of members.

import { describe, expect, it } from 'vitest'
import { subscribedTopics } from '../../../broker/groups/classic/subscribedTopics.ts'
import { consumerProtocolSubscription } from '../../../protocol/kafka/coordinators/groups.ts'

const subscription = (topics: string[], version: number) =>
  consumerProtocolSubscription.encode({ topics }, version)

describe('subscribedTopics', () => {
  it('are those of all members, whatever the version of their subscriptions', () => {
    const subscriptions = [0, 1, 2, 3].map((version) => subscription(['t', `t${version}`], version))
    const topics = subscribedTopics('consumer', subscriptions)
    expect([...topics!].sort()).toEqual(['t', 't0', 't1', 't2', 't3'])
    expect(subscribedTopics('consumer', []), 'no subscriptions').toEqual(new Set())
  })

  it('are read from a subscription that claims version 1 and has version 0, or has a later one', () => {
    const old = subscription(['t'], 0)
    old.writeInt16BE(1)
    const later = Buffer.concat([subscription(['u'], 3), Buffer.from('more')])
    later.writeInt16BE(9)
    expect(subscribedTopics('consumer', [old, later])).toEqual(new Set(['t', 'u']))
  })

  it('are unknown for other protocol types, and when a subscription cannot be decoded', () => {
    const cut = subscription(['t'], 0).subarray(0, 7)
    const negative = subscription(['t'], 0)
    negative.writeInt16BE(-1)
    const whole = subscription(['t'], 0)
    expect(subscribedTopics('connect', [whole])).toBeUndefined()
    expect(subscribedTopics(null, [])).toBeUndefined()
    for (const broken of [cut, negative, Buffer.alloc(0)]) {
      expect(subscribedTopics('consumer', [whole, broken])).toBeUndefined()
    }
  })
})
