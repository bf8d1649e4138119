// Counts words in total: the job for tests that check counts.

import { add, job, sum, text } from 'millrace/engine'

export default job('words', (stream) => {
  stream
    .fromTopic('words', text())
    .map(({ line }) => [line, 1] as const)
    .reduceByKey(sum)
    .updateStateByKey(add)
    .view('words', { title: 'Words', chart: 'bar' })
})
