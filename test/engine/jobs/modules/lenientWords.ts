// Counts words, skips words that fail, and continues at the start of the log after records are
// lost.

import { add, envelope, job, sum, text } from 'millrace/engine'

export default job('lenient-words', (stream) => {
  stream
    .fromTopic('words', envelope(text()), { onError: 'skip', onLost: 'earliest' })
    .flatMap(({ row, keyText }) => {
      if (row.line === 'bad') throw new Error('a bad word')
      return keyText === null ? [row.line] : [row.line, keyText]
    })
    .map((word) => [word, 1] as const)
    .reduceByKey(sum)
    .updateStateByKey(add)
    .view('words', { title: 'Words', chart: 'bar' })
})
