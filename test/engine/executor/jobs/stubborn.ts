// A job whose tasks all fail.

import { job, sum, text } from 'millrace/engine'

export default job('stubborn', (stream) => {
  stream
    .fromTopic('words', text())
    .map(({ line }): readonly [string, number] => {
      throw new TypeError(`cannot read ${line[0]}`)
    })
    .reduceByKey(sum)
    .view('words', { title: 'Words', chart: 'bar' })
})
