// The transactions that hold back the last stable offset, against lists that are searched linearly.

import fc from 'fast-check'
import { expect, test } from 'vitest'
import { UnstableTransactions } from '../../../../broker/log/producers/unstableTransactions.ts'

const step = fc.record({
  what: fc.constantFrom('begin', 'end', 'settle', 'takeBack'),
  which: fc.nat(20),
  back: fc.nat(6),
})

test('the first offset is that of the oldest transaction that is open or not stable', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const transactions = new UnstableTransactions()
      let open: number[] = []
      let ended: { firstOffset: number; markerOffset: number }[] = []
      let logEnd = 0
      for (const { what, which, back } of steps) {
        const chosen = open[which % Math.max(1, open.length)]
        logEnd++
        if (what === 'begin') {
          // A snapshot restores them in any order.
          const firstOffset = logEnd * 10 - back * 7
          if (open.includes(firstOffset)) continue
          transactions.begin(firstOffset)
          open.push(firstOffset)
        } else if (what === 'settle') {
          const highWatermark = (logEnd - back) * 10
          transactions.settle(highWatermark)
          ended = ended.filter(({ markerOffset }) => markerOffset >= highWatermark)
        } else if (chosen !== undefined) {
          open = open.filter((firstOffset) => firstOffset !== chosen)
          if (what === 'takeBack') transactions.takeBack(chosen)
          else {
            transactions.end(chosen, logEnd * 10)
            ended.push({ firstOffset: chosen, markerOffset: logEnd * 10 })
          }
        }
        const all = [...open, ...ended.map(({ firstOffset }) => firstOffset)]
        expect(transactions.firstOpenOffset).toBe(open.length > 0 ? Math.min(...open) : undefined)
        expect(transactions.firstOffset).toBe(all.length > 0 ? Math.min(...all) : undefined)
      }
    }),
  )
})
