// Coordination on three real servers that are killed, paused and cut apart at random, for a short
// time; chaos.long.ts has the long run.

import { describe, expect, test } from 'vitest'
import { currentNatsServer } from '../../../peers/natsBinary.ts'
import { hasNetworkNamespaces } from '../../../peers/networkNamespaces.ts'
import { chaosSeed, runChaos } from './chaosRun.ts'

const binary = await currentNatsServer()

describe.skipIf(binary === undefined || !hasNetworkNamespaces())('three servers', () => {
  test('25 s of faults: linearizable, one leader an epoch, all converge', {
    timeout: 240_000,
  }, async () => {
    const seed = chaosSeed()
    const { problems, timeline, figures } = await runChaos({
      binary: binary!,
      durationMs: 25_000,
      seed,
    })
    console.log(JSON.stringify(figures))
    expect(problems, [`MILLRACE_SEED=${seed}`, ...timeline].join('\n')).toEqual([])
    expect(figures.operations).toBeGreaterThan(20)
    expect(figures.elections).toBeGreaterThan(0)
    expect(figures.locks).toBeGreaterThan(0)
  })
})
