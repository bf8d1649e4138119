// A job that gets a state past the compiler which cannot be kept: a Set behind `unknown`.

import { job, text } from 'millrace/engine'

export default job('sets', (stream) => {
  stream
    .fromTopic('words', text())
    .map(({ line }): [string, string] => ['all', line])
    .updateStateByKey(
      (words: readonly string[], _seen: unknown): unknown => ({ seen: new Set(words) }),
      { uid: 'distinct' },
    )
    .view('distinct', { value: (state) => (state as { seen: Set<string> }).seen.size })
})
