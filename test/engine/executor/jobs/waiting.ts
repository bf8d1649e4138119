// A job whose output never ends, like one that waits for a server without a timeout.

import { job, text } from 'millrace/engine'

export default job('waiting', (stream) => {
  stream.fromTopic('words', text()).foreachRDD(() => new Promise<void>(() => {}))
})
