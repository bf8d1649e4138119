// A job whose worker thread exits at the first poisonous line, to test that no record is lost or
// counted twice. A file records that the exit has happened.

import { existsSync, writeFileSync } from 'node:fs'
import { isMainThread } from 'node:worker_threads'
import { add, job, sum, text } from 'millrace/engine'

export default job('deadly', (stream) => {
  const words = stream.fromTopic('words', text()).map(({ line }) => {
    const [word, file] = line.split(' ')
    if (word === 'poison' && file && !isMainThread && !existsSync(file)) {
      writeFileSync(file, '')
      process.exit(3)
    }
    return [word!, 1] as const
  })
  words
    .reduceByKey<string, number>(sum)
    .updateStateByKey(add)
    .view('words', { title: 'Words', chart: 'bar' })
})
