// Counts records by the limit of the young generation of the thread that reads them.

import { resourceLimits } from 'node:worker_threads'
import { add, job, sum, text } from 'millrace/engine'

export default job('young-generation', (stream) => {
  stream
    .fromTopic('words', text())
    .map(() => [resourceLimits.maxYoungGenerationSizeMb ?? 0, 1] as const)
    .reduceByKey(sum)
    .updateStateByKey(add)
    .view('bounds', { title: 'Bounds', chart: 'bar' })
})
