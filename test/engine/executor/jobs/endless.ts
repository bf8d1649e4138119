// A job whose tasks block their thread forever at the word `loop`.

import { isMainThread } from 'node:worker_threads'
import { add, job, sum, text } from 'millrace/engine'

export default job('endless', (stream) => {
  stream
    .fromTopic('words', text())
    .map(({ line }): readonly [string, number] => {
      while (line === 'loop' && !isMainThread);
      return [line, 1]
    })
    .reduceByKey(sum)
    .updateStateByKey(add)
    .view('words')
})
