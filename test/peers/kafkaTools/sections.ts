// The sections of docs/kafka-tools.md, in order. Each one creates its own topics and groups.

import type { Section } from './section.ts'
import { clusterSections } from './sections/cluster.ts'
import { configSections } from './sections/configs.ts'
import { dumpSections } from './sections/dump.ts'
import { groupSections } from './sections/groups.ts'
import { recordSections } from './sections/records.ts'
import { topicSections } from './sections/topics.ts'
import { transactionSections } from './sections/transactions.ts'

export const sections: readonly Section[] = [
  ...topicSections,
  ...configSections,
  ...recordSections,
  ...groupSections,
  ...transactionSections,
  ...dumpSections,
  ...clusterSections,
]
