// Coordination on three real servers that are killed, paused and cut apart at random for two
// minutes, by `npm run test:long`.

import { describe, expect, test } from 'vitest'
import { currentNatsServer } from '../../../peers/natsBinary.ts'
import { hasNetworkNamespaces } from '../../../peers/networkNamespaces.ts'
import { chaosSeed, runChaos } from './chaosRun.ts'

const binary = await currentNatsServer()
const durationMs = 120_000

describe.skipIf(binary === undefined || !hasNetworkNamespaces())('three servers', () => {
  const slow = { timeout: durationMs + 240_000 }

  test('two minutes of faults: linearizable, one leader an epoch, all converge', slow, async () => {
    const seed = chaosSeed()
    const { problems, timeline, figures } = await runChaos({ binary: binary!, durationMs, seed })
    console.log(JSON.stringify(figures, undefined, 2))
    expect(problems, [`MILLRACE_SEED=${seed}`, ...timeline].join('\n')).toEqual([])
    const { servers, members, leadersBroken, unknown } = figures
    expect(Object.values(servers).every((count) => count > 0)).toBe(true)
    expect(Object.values(members).every((count) => count > 0)).toBe(true)
    expect(leadersBroken).toBeGreaterThan(1)
    expect(unknown.answered.withEffect + unknown.answered.withoutEffect).toBeGreaterThan(0)
  })
})
