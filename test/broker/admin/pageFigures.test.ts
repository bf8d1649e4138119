// The page's computations that need no browser: figures, axes, gaps and cursors.

import { describe, expect, test } from 'vitest'
// @ts-expect-error: the page is JavaScript as the browser gets it
import * as chartCursor from '../../../broker/admin/page/chartCursor.js'
// @ts-expect-error: as above
import * as format from '../../../broker/admin/page/format.js'
// @ts-expect-error: as above
import * as history from '../../../broker/admin/page/history.js'

const { movedBy, nearest } = chartCursor
const { axisLabels, bytesPerSecond, count, duration, percent } = format
const { grown, isolated, pointsOf, valuesOf } = history

test('axis labels have enough digits to distinguish the ticks', () => {
  expect(axisLabels('duration', [0, 2.5, 5, 7.5], 2.5)).toEqual([
    '0.0 ms',
    '2.5 ms',
    '5.0 ms',
    '7.5 ms',
  ])
  expect(axisLabels('duration', [0, 250, 500], 250)).toEqual(['0 ms', '250 ms', '500 ms'])
  expect(axisLabels('duration', [0, 1_250, 2_500], 1_250)).toEqual(['0.00 s', '1.25 s', '2.50 s'])
  expect(axisLabels('rate', [0, 7_500, 15_000], 7_500)).toEqual(['0.0K/s', '7.5K/s', '15.0K/s'])
  expect(axisLabels('rate', [0, 0.25], 0.25)).toEqual(['0.00/s', '0.25/s'])
  expect(axisLabels('share', [0, 0.125, 0.25], 0.125)).toEqual(['0.0%', '12.5%', '25.0%'])
})

test('an unknown value is shown as a dash', () => {
  for (const format of [count, percent, duration, bytesPerSecond]) {
    expect(format(null)).toBe('–')
    expect(format(undefined)).toBe('–')
    expect(format(0)).toMatch(/^0/)
  }
})

test('figures have readable units', () => {
  expect(duration(41_000)).toBe('41 s')
  expect(duration(7_200_000)).toBe('2 h')
  expect(bytesPerSecond(90_400)).toBe('90 kB/s')
  expect(percent(0.9999)).toBe('99.9%')
  expect(percent(1)).toBe('100%')
})

const point = (second: number, value: number | null = second) => ({
  timeMs: second * 1_000,
  value,
  jobs: {},
})
const pick = (of: { value: number | null }) => of.value

describe('history', () => {
  test('missing seconds leave a gap', () => {
    const recent = [1, 2, 3, 9, 10].map((second) => point(second))
    const points = pointsOf({ recent, older: [] }, 'recent')
    expect(valuesOf(points, pick)).toEqual([1, 2, 3, null, 9, 10])
    expect(points[3].timeMs).toBe(4_000)
  })

  test('older points, ten seconds apart, leave no gaps', () => {
    const older = [10, 20, 50].map((second) => point(second))
    const history = { older, recent: [51, 52].map((second) => point(second)) }
    expect(valuesOf(pointsOf(history, 'hour'), pick)).toEqual([10, 20, null, 50, 51, 52])
    expect(valuesOf(pointsOf(history, 'recent'), pick)).toEqual([51, 52])
  })

  test('grows by the points of a tick, each second once', () => {
    const history = { older: [point(10)], recent: [11, 12].map((second) => point(second)) }
    const next = grown(history, { older: [point(11)], recent: [point(13)] })
    expect(next.older.map(pick)).toEqual([10, 11])
    expect(next.recent.map(pick)).toEqual([12, 13])
  })

  test('has no point later than the time of a clock that was set back', () => {
    const past = { older: [point(10)], recent: [11, 12].map((second) => point(second)) }
    const next = grown(past, { older: [], recent: [point(5), point(6)] })
    expect(next).toEqual({ older: [], recent: [point(5), point(6)] })
  })

  test('a value with gaps on both sides is found, so that it can be drawn', () => {
    expect(isolated([1, null, 2, null, 3, 4])).toEqual([0, 2])
    expect(isolated([null, null])).toEqual([])
  })
})

describe('the cursor', () => {
  const key = (name: string, shiftKey = false) => ({
    key: name,
    shiftKey,
    preventDefault: () => {},
  })

  test('moves within the points, from the newest', () => {
    expect(movedBy(key('ArrowLeft'), undefined, 30)).toBe(28)
    expect(movedBy(key('ArrowLeft', true), 5, 30)).toBe(0)
    expect(movedBy(key('ArrowRight'), 29, 30)).toBe(29)
    expect(movedBy(key('Home'), 7, 30)).toBe(0)
    expect(movedBy(key('Escape'), 7, 30)).toBeUndefined()
    expect(movedBy(key('Tab'), 7, 30)).toBe(7)
  })

  test('has no position where there are no points', () => {
    const chart = { span: 'recent', points: [100, 101].map((second) => point(second)) }
    expect(nearest(chart, 100_900)).toBe(1)
    expect(nearest(chart, 20_000)).toBeUndefined()
    expect(nearest({ span: 'recent', points: [] }, 1)).toBeUndefined()
  })
})
