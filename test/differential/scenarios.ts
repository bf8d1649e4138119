// Every scenario there is.

import type { Client, Scenario } from './scenario.ts'
import { rawFetch } from './scenarios/rawFetch.ts'
import { rawGroups } from './scenarios/rawGroups.ts'
import { rawProduce } from './scenarios/rawProduce.ts'
import { rawTopics } from './scenarios/rawTopics.ts'
import { rawTransactions } from './scenarios/rawTransactions.ts'

export const scenarios: readonly Scenario[] = [
  ...rawProduce,
  ...rawFetch,
  ...rawTopics,
  ...rawGroups,
  ...rawTransactions,
]

export function scenariosOf(client: Client): Scenario[] {
  return scenarios.filter((scenario) => scenario.client === client)
}
