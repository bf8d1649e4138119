// Whatever fails, in whatever order, the job comes to what plain code comes to (properties P1 to P6), and
// a fault that is planted in the engine does not get by (P9).

import { expect, test } from 'vitest'
import { engineFaults } from './engineFaults.ts'
import { runSchedule } from './schedule.ts'

const schedules = Number(process.env.SCHEDULES ?? 2000)

test(`${schedules} schedules of failures come to what plain code comes to`, {
  timeout: 600_000,
}, async () => {
  let starts = 0
  let faults = 0
  for (let seed = 1; seed <= schedules; seed++) {
    const { wrong, outcome, plan } = await runSchedule(seed)
    expect(wrong, `seed ${seed}`).toBeUndefined()
    starts += outcome.starts
    faults += plan.faults.length
  }
  console.log({ schedules, starts, faults })
  expect(starts).toBeGreaterThan(schedules * 1.3)
  expect(faults).toBeGreaterThan(schedules)
})

const mostSchedules = 300

test.each(Object.entries(engineFaults))('a planted fault is found: %s', async (_name, seams) => {
  let found: string | undefined
  let seed = 0
  while (found === undefined && seed < mostSchedules)
    found = (await runSchedule(++seed, seams)).wrong
  if (process.env.SHOW) console.log(seed, found)
  expect(found).toBeDefined()
})
