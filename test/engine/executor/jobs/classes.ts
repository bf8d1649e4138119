// A job with a state that the compiler accepts and that cannot be stored: an instance of a class,
// typed as `unknown`.

import { job, text } from 'millrace/engine'

class Seen extends Set<string> {}

export default job('classes', (stream) => {
  stream
    .fromTopic('words', text())
    .map(({ line }): [string, string] => ['all', line])
    .updateStateByKey(
      (words: readonly string[], _seen: unknown): unknown => ({ seen: new Seen(words) }),
      { uid: 'distinct' },
    )
    .view('distinct', { value: (state) => (state as { seen: Seen }).seen.size })
})
