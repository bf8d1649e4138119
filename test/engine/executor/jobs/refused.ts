// A job whose output fails.

import { job, text } from 'millrace/engine'

export default job('refused', (stream) => {
  stream.fromTopic('words', text()).foreachRDD(() => {
    throw Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' })
  })
})
