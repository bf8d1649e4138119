// The lines of the logger sink, as in Flume.

import { expect, test } from 'vitest'
import { memoryChannel } from '../../../agent/channels/memoryChannel.ts'
import { batchOf } from '../../../agent/event.ts'
import { newSinkProgress, SinkCounter } from '../../../agent/monitoring/counters.ts'
import { formatEvent, LoggerSink } from '../../../agent/sinks/loggerSink.ts'
import { ManualClock } from '../../../protocol/runtime/time/manualClock.ts'
import { MemoryLogger } from '../../memoryLogger.ts'
import { component } from '../component.ts'

test.each<[string, Record<string, string>, string, number, string]>([
  [
    // The example of Flume's user guide.
    'a line',
    {},
    'Hello world!\r',
    16,
    'Event: { headers:{} body: 48 65 6C 6C 6F 20 77 6F 72 6C 64 21 0D          Hello world!. }',
  ],
  [
    'headers',
    { host: 'h', timestamp: '12' },
    'hi',
    16,
    `Event: { headers:{host=h, timestamp=12} body: 68 69 ${' '.repeat(42)}hi }`,
  ],
  [
    'a body that is cut',
    {},
    '0123456789abcdefgh',
    16,
    'Event: { headers:{} body: 30 31 32 33 34 35 36 37 38 39 61 62 63 64 65 66 0123456789abcdef }',
  ],
  [
    'several rows',
    {},
    '0123456789abcdefgh',
    100,
    `Event: { headers:{} body: 30 31 32 33 34 35 36 37 38 39 61 62 63 64 65 66 0123456789abcdef\n00000010 67 68 ${' '.repeat(42)}gh }`,
  ],
  ['no body', {}, '', 16, 'Event: { headers:{} body: }'],
  ['bytes that are no text', {}, '\u00e9~\u007f', 16, dotted()],
])('%s', (_, headers, body, maxBytes, line) => {
  expect(formatEvent(headers, Buffer.from(body), maxBytes)).toBe(line)
})

function dotted(): string {
  return `Event: { headers:{} body: C3 A9 7E 7F ${' '.repeat(36)}..~. }`
}

test('each event is a line of the log, once', async () => {
  const clock = new ManualClock()
  const channel = memoryChannel(component('channels', 'c1', { type: 'memory' }), clock)
  await channel.start()
  const put = channel.transaction()
  put.begin()
  put.put(batchOf(['one', 'two'].map((body) => Buffer.from(body))))
  await put.commit()
  put.close()
  const logger = new MemoryLogger()
  const figures = { counter: new SinkCounter(), progress: newSinkProgress() }
  const sink = new LoggerSink(channel, { maxBytesToLog: 2 }, figures, logger)
  await sink.process(new AbortController().signal)
  expect(logger.messages('info')).toEqual([
    `Event: { headers:{} body: 6F 6E ${' '.repeat(42)}on }`,
    `Event: { headers:{} body: 74 77 ${' '.repeat(42)}tw }`,
  ])
  expect(channel.size).toBe(0)
  await channel.stop()
})
