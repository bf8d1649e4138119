// The tests of one client's scenarios: each one runs against Millrace and must observe what was
// recorded from Kafka, except for the differences that it lists. Scenarios share no names and
// mostly wait, so they run concurrently.

import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type RunningBroker, startOurs } from './brokers.ts'
import { differences } from './differences.ts'
import { recorded, titleOf } from './recorded.ts'
import { observe, type Scenario } from './scenario.ts'

export function sameAsKafka(scenarios: readonly Scenario[]): void {
  let broker: RunningBroker

  beforeAll(async () => {
    broker = await startOurs()
  })

  afterAll(() => broker?.stop())

  const check = async (scenario: Scenario) => {
    const [kafka, ours] = [await recorded(scenario), await observe(broker, scenario)]
    const onPurpose = (scenario.differs ?? []).map(({ why, ...difference }) => difference)
    expect(differences(kafka, ours)).toEqual(onPurpose)
  }

  describe.concurrent('the same as Kafka', () => {
    for (const scenario of scenarios) {
      it(titleOf(scenario), () => check(scenario))
    }
  })
}
