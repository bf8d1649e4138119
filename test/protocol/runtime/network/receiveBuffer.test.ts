// The memory into which a socket receives: no byte is reused, and blocks grow on busy connections.

import fc from 'fast-check'
import { expect, test } from 'vitest'
import { ReceiveBuffer } from '../../../../protocol/runtime/network/receiveBuffer.ts'

test('chunks keep their bytes when more is received', () => {
  fc.assert(
    fc.property(
      fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 60 }),
      (shares) => {
        const buffer = new ReceiveBuffer()
        const chunks = shares.map((share, number) => {
          const space = buffer.space()
          const bytes = Math.max(1, Math.floor(share * space.length))
          space.fill(number, 0, bytes)
          return { number, bytes, chunk: buffer.received(bytes) }
        })
        for (const { number, bytes, chunk } of chunks) {
          expect(chunk.length).toBe(bytes)
          expect(chunk.equals(Buffer.alloc(bytes, number))).toBe(true)
        }
      },
    ),
    { numRuns: 30 },
  )
})

test('small chunks share a block', () => {
  const buffer = new ReceiveBuffer()
  const blocks = new Set<ArrayBufferLike>()
  for (let count = 0; count < 100; count++) {
    buffer.space()
    blocks.add(buffer.received(100).buffer)
  }
  expect(blocks.size).toBe(1)
})

test('full blocks grow up to a limit', () => {
  const buffer = new ReceiveBuffer()
  const sizes = Array.from({ length: 5 }, () => buffer.received(buffer.space().length).length)
  expect(sizes).toEqual([64, 128, 256, 256, 256].map((kilobytes) => kilobytes * 1024))
})
