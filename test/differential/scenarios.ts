// The list of all scenarios.

import type { Client, Scenario } from './scenario.ts'
import { kafkajsAdmin } from './scenarios/kafkajsAdmin.ts'
import { kafkajsGroups } from './scenarios/kafkajsGroups.ts'
import { kafkajsRecords } from './scenarios/kafkajsRecords.ts'
import { kafkajsTransactions } from './scenarios/kafkajsTransactions.ts'
import { kcat } from './scenarios/kcat.ts'
import { platformatic } from './scenarios/platformatic.ts'
import { python } from './scenarios/python.ts'
import { rawFetch } from './scenarios/rawFetch.ts'
import { rawGroups } from './scenarios/rawGroups.ts'
import { rawLeniency } from './scenarios/rawLeniency.ts'
import { rawProduce } from './scenarios/rawProduce.ts'
import { rawRecords } from './scenarios/rawRecords.ts'
import { rawTopics } from './scenarios/rawTopics.ts'
import { rawTransactions } from './scenarios/rawTransactions.ts'

export const scenarios: readonly Scenario[] = [
  ...rawProduce,
  ...rawRecords,
  ...rawFetch,
  ...rawTopics,
  ...rawGroups,
  ...rawTransactions,
  ...rawLeniency,
  ...kafkajsRecords,
  ...kafkajsGroups,
  ...kafkajsTransactions,
  ...kafkajsAdmin,
  ...kcat,
  ...platformatic,
  ...python,
]

export function scenariosOf(client: Client): Scenario[] {
  return scenarios.filter((scenario) => scenario.client === client)
}
