// The order of one connection's requests: which may overlap, and that each is answered once, in
// order.

import { expect, it } from 'vitest'
import { PendingRequest, RequestOrder } from '../../../../broker/server/connection/requestOrder.ts'
import { fetch } from '../../../../protocol/kafka/apis/fetch.ts'
import { produce } from '../../../../protocol/kafka/apis/produce.ts'

function frameOf({ key }: { readonly key: number }): Buffer {
  const frame = Buffer.alloc(10)
  frame.writeInt16BE(key)
  return frame
}

function begin(order: RequestOrder, frame: Buffer): PendingRequest {
  const request = new PendingRequest(frame, 0, 0)
  order.starting(frame)
  order.add(request)
  return request
}

it('answers leave in the order of requests', () => {
  const order = new RequestOrder()
  const [first, second, third] = [1, 2, 3].map(() => begin(order, frameOf(produce)))
  order.done(second!, [Buffer.from('2')])
  expect(order.next()).toBeUndefined()
  expect(order.doneBytes).toBe(second!.costBytes)
  order.done(first!, [Buffer.from('1')])
  expect(order.next()).toBe(first)
  expect(order.next()).toBe(second)
  expect(order.next()).toBeUndefined()
  order.done(third!, undefined)
  expect(order.next()).toBe(third)
  expect(order.length).toBe(0)
})

it('only consecutive Produce requests overlap', () => {
  const order = new RequestOrder()
  begin(order, frameOf(produce))
  expect(order.admits(frameOf(produce))).toBe(true)
  expect(order.admits(frameOf(fetch))).toBe(false)
  const other = new RequestOrder()
  begin(other, frameOf(fetch))
  expect(other.admits(frameOf(produce))).toBe(false)
})

it('the number of overlapping Produce requests is bounded', () => {
  const order = new RequestOrder()
  let begun = 0
  for (; order.admits(frameOf(produce)); begun++) begin(order, frameOf(produce))
  expect(begun).toBe(64)
  expect(() => begin(order, frameOf(produce))).toThrow(
    'the number of requests in flight is bounded',
  )
})

it('a request is answered exactly once', () => {
  const order = new RequestOrder()
  const request = begin(order, frameOf(fetch))
  order.done(request, undefined)
  expect(() => order.done(request, undefined)).toThrow('a request is answered once')
})
