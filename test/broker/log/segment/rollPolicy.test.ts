// When a log starts a new segment by time, with jitter.

import fc from 'fast-check'
import { expect, it } from 'vitest'
import { defaultLogConfig } from '../../../../broker/log/logConfig.ts'
import { shouldRoll } from '../../../../broker/log/segment/rollPolicy.ts'
import { seededRandom } from '../../../../protocol/runtime/random.ts'
import { append, diskWithData, openLog, smallConfig } from '../logFixture.ts'

const segment = {
  baseOffset: 0,
  sizeBytes: 100,
  createdMs: 0,
  firstTimestampMs: 0,
  indexesFull: false,
}

/** Whether a segment with a first record of timestamp 0 rolls before a record with this one. */
function rollsAt(timestampMs: number, segmentMs: number, segmentJitterMs: number, jitter: number) {
  const incoming = { sizeBytes: 1, lastOffset: 1, maxTimestampMs: timestampMs }
  const config = { ...defaultLogConfig, segmentMs, segmentJitterMs }
  return shouldRoll(segment, incoming, config, 0, jitter)
}

it('a segment is rolled after segment.ms less the jitter, which is at most segment.ms', () => {
  fc.assert(
    fc.property(
      fc.nat(1000),
      fc.nat(2000),
      fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true }),
      (segmentMs, jitterMs, jitter) => {
        const limitMs = segmentMs - Math.floor(jitter * Math.min(jitterMs, segmentMs))
        expect(rollsAt(limitMs, segmentMs, jitterMs, jitter)).toBe(false)
        expect(rollsAt(limitMs + 1, segmentMs, jitterMs, jitter)).toBe(true)
      },
    ),
  )
})

it('the jitter is drawn for each segment', async () => {
  const random = seededRandom(1)
  const config = { ...smallConfig, segmentMs: 1000, segmentJitterMs: 1000 }
  const log = await openLog(await diskWithData(), { config, random })
  const drawn = seededRandom(1)
  let firstMs = 0
  await append(log, { records: 1, timestampMs: firstMs })
  for (let rolled = 1; rolled <= 5; rolled++) {
    const limitMs = 1000 - Math.floor(drawn.float() * 1000)
    await append(log, { records: 1, timestampMs: firstMs + limitMs })
    expect(log.segmentCount).toBe(rolled)
    firstMs += limitMs + 1
    await append(log, { records: 1, timestampMs: firstMs })
    expect(log.segmentCount).toBe(rolled + 1)
  }
  await log.close()
})
