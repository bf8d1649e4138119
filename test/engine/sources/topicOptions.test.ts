// The options of a topic, as the graph has them.

import { expect, test } from 'vitest'
import { type JobStream, job, type TopicOptions, text } from '../../../engine/engine.ts'
import { StreamGraph } from '../../../engine/stream/streamGraph.ts'

function graphOf(build: (stream: JobStream) => void): StreamGraph {
  return new StreamGraph(job('options', build), { batchIntervalMs: 1000 })
}

function reading(...topics: (readonly [topic: string, options?: TopicOptions])[]): StreamGraph {
  return graphOf((stream) => {
    for (const [topic, options] of topics) {
      stream.fromTopic(topic, text(), options).foreachRDD(() => {})
    }
  })
}

test('by default a topic starts at its first record, and errors and losses fail the job', () => {
  const { sources, topics } = reading(['b'], ['a'], ['b'])
  expect(topics).toEqual(['a', 'b'])
  expect(sources.get('b')).toEqual({ startAt: 'earliest', onLost: 'fail', deadLetters: [] })
})

test('a time is the same in every thread, whatever its form', () => {
  const { sources } = reading(['a', { startAt: new Date(5), onLost: { timeMs: 7 } }])
  expect(sources.get('a')).toMatchObject({ startAt: { timeMs: 5 }, onLost: { timeMs: 7 } })
})

test('streams of one topic must agree on its positions, and each has its own error policy', () => {
  const { sources } = reading(
    ['a', { startAt: 'latest', onError: { deadLetter: 'z' } }],
    ['a', { startAt: 'latest', onError: { deadLetter: 'y' } }],
    ['a', { startAt: 'latest', onError: 'skip' }],
  )
  expect(sources.get('a')).toMatchObject({ startAt: 'latest', deadLetters: ['y', 'z'] })
  const differing = () => reading(['a', { onLost: 'latest' }], ['a', { onLost: { timeMs: 7 } }])
  expect(differing).toThrow(/topic a: two of its streams set onLost to "latest" and \{"timeMs":7\}/)
  expect(differing).toThrow(expect.objectContaining({ code: 'JOB_GRAPH_INVALID' }))
  expect(() => reading(['a'], ['a', { startAt: 'latest' }])).toThrow(
    /startAt to "earliest" and "latest"/,
  )
})

test('the error policy of a stream is part of the fingerprint of driver and executors', () => {
  const described = [
    reading(['a']),
    reading(['a', { onError: 'skip' }]),
    reading(['a', { onError: { deadLetter: 'x' } }]),
  ].map((graph) => graph.describe())
  expect(new Set(described).size).toBe(3)
  // A computed date differs from thread to thread, and has no effect once the job has begun.
  expect(reading(['a', { startAt: new Date(5) }]).describe()).toBe(described[0])
})

test.each([
  [{ startAt: 'first' }, /startAt must be/],
  [{ startAt: new Date(Number.NaN) }, /startAt must be/],
  [{ onLost: { timeMs: -1 } }, /onLost must be/],
  [{ onLost: null }, /onLost must be/],
  [{ onError: 'ignore' }, /onError must be/],
  [{ onError: { deadLetter: 'no topic' } }, /onError must be/],
  [{ onError: { deadLetter: 'a' } }, /dead letters go to a, which this job reads/],
])('%j is refused', (options, message) => {
  expect(() => reading(['a', options as TopicOptions])).toThrow(message)
})
