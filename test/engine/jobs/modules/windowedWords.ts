// Counts words of the last minutes, and continues at the start of the log after records are lost.

import { job, seconds, sum, text } from 'millrace/engine'

export default job('windowed-words', (stream) => {
  const words = stream
    .fromTopic('words', text(), { onLost: 'earliest' })
    .map(({ line }) => [line, 1] as const)
    .reduceByKeyAndWindow(sum, seconds(300))
  words.view('words')
  words.foreachRDD(async (counts) => {
    await counts.collect()
  })
})
