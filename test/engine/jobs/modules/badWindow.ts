// Common parts of jobs with different error policies for words that fail.

import { type Job, job, type OnRecordError, seconds, sum, text } from 'millrace/engine'

export function badWindow(onError: OnRecordError): Job {
  return job('bad-window', (stream) => {
    stream
      .fromTopic('words', text(), { onError })
      .map(({ line }) => {
        if (line.startsWith('bad')) throw new Error('a bad word')
        return [line, 1] as const
      })
      .reduceByKeyAndWindow(sum, seconds(300))
      .view('words')
  })
}
