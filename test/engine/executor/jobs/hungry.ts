// A job whose tasks need more than their executor's memory for a batch with many lines, to test
// that such a batch is split. Smaller batches fit.

import { isMainThread } from 'node:worker_threads'
import { add, job, text } from 'millrace/engine'

export default job('hungry', (stream) => {
  stream
    .fromTopic('words', text())
    .mapPartitions((rows) => {
      const kept = rows.map(() => (isMainThread ? [] : new Array(40_000).fill(0.5)))
      return kept.map(() => ['line', 1] as const)
    })
    .updateStateByKey<string, number, number>(add)
    .view('lines')
})
