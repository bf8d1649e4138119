// Leader epochs: where each one ends, against the list of records they were assigned for.

import fc from 'fast-check'
import { expect, test } from 'vitest'
import { decodeCheckpoint } from '../../../broker/log/directory/checkpointFile.ts'
import { LeaderEpochs } from '../../../broker/log/leaderEpochs.ts'

/** The epoch of each record, which never decreases. */
const recordEpochs = fc
  .array(fc.integer({ min: 0, max: 2 }), { maxLength: 30 })
  .map((steps) => steps.map((_, at) => steps.slice(0, at + 1).reduce((sum, step) => sum + step, 0)))

test('an epoch ends where the next one begins', () => {
  fc.assert(
    fc.property(
      recordEpochs,
      fc.integer({ min: -1, max: 70 }),
      fc.nat({ max: 30 }),
      (all, asked, cut) => {
        const epochs = new LeaderEpochs()
        for (const [offset, epoch] of all.entries()) epochs.assign(epoch, offset)
        const known = all.filter((epoch) => epoch <= asked)
        const expected =
          known.length === 0 ? undefined : { epoch: known.at(-1), endOffset: known.length }
        expect(epochs.endOffsetFor(asked, all.length)).toEqual(expected)
        epochs.truncateFromEnd(cut)
        expect(epochs.latest).toBe(all.slice(0, cut).at(-1) ?? -1)
        expect(LeaderEpochs.decode(epochs.encode())?.entries).toEqual(epochs.entries)
      },
    ),
  )
})

test('a damaged checkpoint is ignored', () => {
  for (const text of [
    '',
    '1\n0\n',
    '0\n',
    '0\n2\n1 0\n',
    '0\n1\n1\n',
    '0\nx\n',
    '0\n2\n2 0\n1 5\n',
  ]) {
    expect(LeaderEpochs.decode(Buffer.from(text)), JSON.stringify(text)).toBeUndefined()
  }
  expect(decodeCheckpoint(Buffer.from('0\n1\norders 3 17\n'), 3)).toEqual([['orders', '3', '17']])
})
