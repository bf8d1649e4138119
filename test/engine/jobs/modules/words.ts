// Counts words for ever: the job of tests that look at what is counted.

import { add, job, sum, text } from 'millrace/engine'

export default job('words', (stream) => {
  stream
    .fromTopic('words', text())
    .map(({ line }) => [line, 1] as const)
    .reduceByKey(sum)
    .updateStateByKey(add)
    .view('words', { title: 'Words', chart: 'bar' })
})
