// Counts words; words that fail go to a dead letter topic.

import { add, job, sum, text } from 'millrace/engine'

export default job('dead-words', (stream) => {
  stream
    .fromTopic('words', text(), { onError: { deadLetter: 'dead-words' } })
    .flatMap(({ line }) => {
      if (line.startsWith('bad')) throw new Error('a bad word')
      return [line]
    })
    .map((word) => [word, 1] as const)
    .reduceByKey(sum)
    .updateStateByKey(add)
    .view('words', { title: 'Words', chart: 'bar' })
})
