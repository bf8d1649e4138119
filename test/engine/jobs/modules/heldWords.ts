// A job whose batches wait until a certain file exists.

import { existsSync } from 'node:fs'
import { setTimeout } from 'node:timers/promises'
import { job, text } from 'millrace/engine'

export default job('held-words', (stream) => {
  stream.fromTopic('words', text()).foreachRDD(async () => {
    while (!existsSync(process.env.MILLRACE_TEST_GATE!)) await setTimeout(20)
  })
})
