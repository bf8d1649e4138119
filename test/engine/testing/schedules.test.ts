// Whatever fails, in whatever order, the job matches plain code (properties P1 to P6), and faults
// planted in the engine are found (P9).

import { expect, test } from 'vitest'
import { engineFaults } from './engineFaults.ts'
import { pairsOfFailures, runPair, runSchedule } from './schedule.ts'

/** Number of schedules; they take about 55 s of one core. */
const schedules = 2000
/** Timeout for a busy machine, in ms. */
const timeout = 600_000

test(`${schedules} schedules of failures match plain code`, {
  timeout,
}, async () => {
  let starts = 0
  let faults = 0
  for (let seed = 1; seed <= schedules; seed++) {
    const { wrong, outcome, plan } = await runSchedule(seed)
    expect(wrong, `seed ${seed}`).toBeUndefined()
    starts += outcome.starts
    faults += plan.faults.length
  }
  expect(starts).toBeGreaterThan(schedules * 1.3)
  expect(faults).toBeGreaterThan(schedules)
})

test('a kill at any durable step, and a power failure soon after, match plain code', {
  timeout,
}, async () => {
  let pairs = 0
  let starts = 0
  for (const plan of pairsOfFailures()) {
    const { wrong, outcome } = await runPair(plan)
    expect(wrong, JSON.stringify(plan.faults)).toBeUndefined()
    pairs++
    starts += outcome.starts
  }
  expect(pairs).toBeGreaterThan(200)
  // Nearly all planned failures take place.
  expect(starts).toBeGreaterThan(pairs * 2.5)
})

/** Maximum number of schedules for each planted fault; pairs of failures are tried after these. */
const mostSchedules = 150

test.each(Object.entries(engineFaults))(
  'a planted fault is found: %s',
  { timeout },
  async (_name, seams) => {
    let found: string | undefined
    for (let seed = 1; found === undefined && seed <= mostSchedules; seed++) {
      found = (await runSchedule(seed, seams)).wrong
    }
    for (const plan of pairsOfFailures()) {
      if (found !== undefined) break
      found = (await runPair(plan, seams)).wrong
    }
    expect(found).toBeDefined()
  },
)
