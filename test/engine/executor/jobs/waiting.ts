// A job whose output never ends, as one that waits for a server without a time limit.

import { job, text } from 'millrace/engine'

export default job('waiting', (stream) => {
  stream.fromTopic('words', text()).foreachRDD(() => new Promise<void>(() => {}))
})
