// Counts the words of a log.

import { add, job, sum, text } from 'millrace/engine'

export default job('word-count', (stream) => {
  stream
    .fromTopic('zookeeper', text())
    .flatMap(({ line }) => line.split(/\s+/).filter((word) => word !== ''))
    .map((word) => [word, 1] as const)
    .reduceByKey(sum)
    .updateStateByKey(add, { uid: 'words' })
    .view('words', { title: 'Words of the log', chart: 'bar' })
})
