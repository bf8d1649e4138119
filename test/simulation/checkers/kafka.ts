// The checker of histories of a log, after Jepsen's kafka workload (jepsen/tests/kafka.clj): all
// its anomalies under its names, and what it does not look for (anomaly.ts lists both).
//
// Contract: linear in the size of the history but for sorting. An anomaly is proven by the history:
// what a correct log with the clients that the options describe could have answered is reported at
// most as allowed.

import { checkAnswers } from './anomalies/answers.ts'
import { checkCommittedOffsets } from './anomalies/committedOffsets.ts'
import { checkConsumerGroups } from './anomalies/consumerGroups.ts'
import { checkCycles } from './anomalies/cycles.ts'
import { checkLogContents } from './anomalies/logContents.ts'
import { checkPollOrder } from './anomalies/pollOrder.ts'
import { checkSendOrder } from './anomalies/sendOrder.ts'
import { checkTransactions } from './anomalies/transactions.ts'
import { checkVisibility } from './anomalies/visibility.ts'
import { checkWatermarks } from './anomalies/watermarks.ts'
import { type Anomaly, AnomalyList, type CheckOptions } from './anomaly.ts'
import type { History } from './history.ts'
import { Observations } from './observations.ts'

export interface KafkaResult {
  /** The first of each name; `counts` has all. */
  readonly anomalies: readonly Anomaly[]
  /** Anomalies found by name, ` (allowed)` behind the name of those that Kafka allows. */
  readonly counts: ReadonlyMap<string, number>
  /** The anomalies that Kafka's rules do not allow. */
  readonly forbidden: readonly Anomaly[]
}

export function checkKafka(history: History, options: CheckOptions): KafkaResult {
  const seen = new Observations(history, options)
  const found = new AnomalyList()
  checkLogContents(seen, found)
  checkVisibility(seen, found)
  checkPollOrder(seen, found)
  checkSendOrder(seen, found)
  checkTransactions(seen, found)
  checkCycles(seen, found)
  checkWatermarks(seen, found)
  checkCommittedOffsets(seen, found)
  checkConsumerGroups(seen, found)
  checkAnswers(seen, found)
  const anomalies = found.anomalies
  const forbidden = anomalies.filter((anomaly) => !anomaly.isAllowed)
  return { anomalies, counts: found.counts, forbidden }
}
