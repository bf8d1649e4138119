// Hands rejections that nobody handles to the world in which they happened: in production they end
// the process. Node reports them between two events, so the owner of the last event is theirs.

import type { World } from './world.ts'

/** Returns a function that ends it. One world at a time in a thread. */
export function watchRejections(world: World): () => void {
  const onRejection = (reason: unknown) => world.fail(reason)
  process.on('unhandledRejection', onRejection)
  return () => void process.off('unhandledRejection', onRejection)
}
