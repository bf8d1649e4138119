// The invariants of a channel's state: positions, capacity and the balance of events.

import { expect, test } from 'vitest'
import { ChannelState } from '../../../agent/channels/channelState.ts'
import { noFingerprint, type SourcePosition } from '../../../agent/channels/sourcePosition.ts'

function position(end: number, generation = 0): SourcePosition {
  const file = { source: 'r1', path: '/logs/app.log', device: 1, inode: 2, generation }
  return { ...file, start: 0, end, fingerprint: noFingerprint }
}

test('the position of a file goes back only in a new generation or after a failed put', () => {
  const state = new ChannelState(10)
  state.reserve(3)
  const first = state.append(1, position(100))
  state.makeAvailable(first, position(100))
  const second = state.append(1, position(200))
  expect(() => state.append(0, position(150))).toThrow('a position of a file never goes back')
  state.retract(second, 0, position(200))
  expect(state.appendedPositions.get('r1', position(0))?.end).toBe(100)
  state.append(1, position(10, 1))
  expect(state.appendedPositions.get('r1', position(0))?.end).toBe(10)
})

test('a put needs reserved slots, also in a channel that was recovered beyond its capacity', () => {
  const state = new ChannelState(2)
  state.restore({ from: 0, until: 3 }, undefined)
  expect([state.size, state.reserve(1)]).toEqual([3, false])
  expect(() => state.append(1, undefined)).toThrow('slots are reserved before events are appended')
  const taken = state.take(2)!
  state.commitTake([taken])
  expect([state.size, state.reserve(1)]).toEqual([1, true])
  expect(state.append(1, undefined)).toEqual({ from: 3, until: 4 })
})

test('an event leaves the channel once', () => {
  const state = new ChannelState(2)
  state.reserve(1)
  state.makeAvailable(state.append(1, undefined), undefined)
  const taken = state.take(1)!
  state.commitTake([taken])
  expect(() => state.commitTake([taken])).toThrow('a removed number is in the set')
  expect(() => state.giveBack([taken])).toThrow('an event that can be taken is in the channel')
})
