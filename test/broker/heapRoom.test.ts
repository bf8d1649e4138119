// The growth limit of V8's heap, for heaps and machines of various sizes.

import { describe, expect, it } from 'vitest'
import { heapGrowingPercent } from '../../broker/heapRoom.ts'

const mebibyte = 1024 * 1024
const limitBytes = 4096 * mebibyte

describe('the garbage a heap may hold', () => {
  it('is a fixed amount, however many bytes are live', () => {
    expect(heapGrowingPercent(32 * mebibyte, limitBytes)).toBe(400)
    expect(heapGrowingPercent(64 * mebibyte, limitBytes)).toBe(200)
    expect(heapGrowingPercent(128 * mebibyte, limitBytes)).toBe(100)
  })

  it('is left to V8 if so many bytes are live that the amount does not matter', () => {
    expect(heapGrowingPercent(256 * mebibyte, limitBytes)).toBe(50)
    expect(heapGrowingPercent(300 * mebibyte, limitBytes)).toBe(0)
  })

  it('is smaller on a machine with little memory', () => {
    expect(heapGrowingPercent(32 * mebibyte, 512 * mebibyte)).toBe(100)
  })

  it('is bounded if very few bytes are live', () => {
    expect(heapGrowingPercent(0, limitBytes)).toBe(1000)
    expect(heapGrowingPercent(mebibyte, limitBytes)).toBe(1000)
  })
})
