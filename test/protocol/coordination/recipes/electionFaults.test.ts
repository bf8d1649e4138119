// Leader election and a lock while members lose the log at random.

import fc from 'fast-check'
import { expect, test } from 'vitest'
import { LeaderElection } from '../../../../protocol/coordination/recipes/leaderElection.ts'
import { Lock } from '../../../../protocol/coordination/recipes/lock.ts'
import { sleep } from '../../../../protocol/runtime/time/clock.ts'
import { type Peer, RecipeWorld } from './recipeWorld.ts'

const names = ['peer-0', 'peer-1', 'peer-2']

type Fault = readonly [kind: 'disconnect' | 'deafen' | 'reconnect', peer: number, ms: number]

const faults: fc.Arbitrary<Fault[]> = fc.array(
  fc.tuple(
    fc.constantFrom('disconnect' as const, 'deafen' as const, 'reconnect' as const),
    fc.nat({ max: 2 }),
    fc.integer({ min: 100, max: 12_000 }),
  ),
  { minLength: 1, maxLength: 10, size: 'max' },
)

/** A candidate that opens a session and joins again whenever its candidacy is over. */
async function candidate(world: RecipeWorld, first: Peer, running: Candidate): Promise<void> {
  const { clock, random } = world
  const { coordination } = first
  let { session } = first
  while (!running.isStopped) {
    const ended = Promise.withResolvers<void>()
    try {
      if (session.hasEnded) {
        session = await coordination.openSession({ timeoutMs: 6000, name: 'again' })
      }
      const data = Buffer.alloc(0)
      running.election = await LeaderElection.join(
        { coordination, session, clock, random, path: '/election', data },
        { onElected: (epoch) => running.elected(epoch), onLost: () => {}, onEnded: ended.resolve },
      )
    } catch (error) {
      expect((error as { code: string }).code).toMatch(/UNAVAILABLE|EXPIRED|CLOSED/)
      continue
    }
    await ended.promise
  }
}

interface Candidate {
  isStopped: boolean
  election: LeaderElection | undefined
  readonly elected: (epoch: number) => void
}

function apply(world: RecipeWorld, [kind, peer]: Fault): void {
  world[kind](names[peer]!)
}

test('no two candidates ever lead, and epochs never go back, whoever loses the log', async () => {
  let changes = 0
  await fc.assert(
    fc.asyncProperty(faults, async (given) => {
      const world = new RecipeWorld()
      const epochs: number[] = []
      const candidates = names.map((): Candidate => {
        const elected = (epoch: number) => void epochs.push(epoch)
        return { isStopped: false, election: undefined, elected }
      })
      const peers = await world.peers(names.length)
      const running = peers.map((peer, at) => candidate(world, peer, candidates[at]!))
      const leading = () => candidates.filter(({ election }) => election?.epoch !== undefined)
      for (const fault of given) {
        apply(world, fault)
        for (let ms = 0; ms < fault[2]; ms += 100) {
          await world.pass(100)
          expect(leading().length).toBeLessThan(2)
        }
      }
      for (const name of names) world.reconnect(name)
      await world.passUntil(() => leading().length === 1)
      expect(epochs).toEqual(epochs.toSorted((one, other) => one - other))
      changes += new Set(epochs).size - 1
      for (const each of candidates) each.isStopped = true
      await world.close()
      await world.until(Promise.all(running))
    }),
    { numRuns: 80 },
  )
  // The faults are strong enough to change leaders; about forty times.
  expect(changes).toBeGreaterThan(4)
})

test('no two sessions ever hold a lock for certain, and everyone gets it in the end', async () => {
  await fc.assert(
    fc.asyncProperty(faults, async (given) => {
      const world = new RecipeWorld()
      const { clock, random } = world
      const peers = await world.peers(names.length)
      const held = new Set<{ isHeld: boolean }>()
      const tokens: number[] = []
      let isOver = false
      const work = peers.map(async ({ coordination, session }) => {
        let rounds = 0
        while (!isOver && !session.hasEnded) {
          const lock = new Lock({ coordination, clock, random, path: '/lock' })
          const got = await lock.acquire(session).catch(() => undefined)
          if (got === undefined) break
          tokens.push(got.fencingToken)
          held.add(got)
          // Held for some virtual time.
          await Promise.race([got.ended, sleep(clock, 150)])
          await got.release()
          held.delete(got)
          rounds++
        }
        return rounds > 0 || session.hasEnded
      })
      for (const fault of given) {
        apply(world, fault)
        for (let ms = 0; ms < fault[2]; ms += 100) {
          await world.pass(100)
          expect([...held].filter(({ isHeld }) => isHeld).length).toBeLessThan(2)
        }
      }
      for (const name of names) world.reconnect(name)
      await world.pass(10_000)
      isOver = true
      expect(await world.until(Promise.all(work))).toEqual([true, true, true])
      expect(tokens).toEqual([...new Set(tokens)].sort((one, other) => one - other))
      await world.close()
    }),
    { numRuns: 25 },
  )
})
