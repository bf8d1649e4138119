// Two nodes propose to one log that loses their requests and answers, and are restarted. No
// proposal is applied twice, no acknowledged one is lost or applied to another state than it was
// decided on, and all folds are equal.

import fc from 'fast-check'
import { expect, it } from 'vitest'
import type { MetadataCommand } from '../../../../broker/controller/metadata/metadataCommand.ts'
import { MetadataFold } from '../../../../broker/controller/metadata/metadataFold.ts'
import { Proposals } from '../../../../broker/controller/metadata/proposals.ts'
import { ManualClock } from '../../../../protocol/runtime/time/manualClock.ts'
import { silentLogger } from '../../../../protocol/telemetry/logging/logger.ts'
import { models } from '../../../modelRuns.ts'
import { type AppendFate, SharedEntries, UncertainMetadataLog } from './uncertainMetadataLog.ts'

const fate = fc.constantFrom<AppendFate>('answered', 'applied', 'lost', 'late')
const node = fc.constantFrom(0, 1)

const step = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('reserve' as const), node }) },
  // Both propose equal commands.
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('create' as const),
      node,
      name: fc.constantFrom('a', 'b', 'c'),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('disturb' as const),
      node,
      fates: fc.array(fate, { maxLength: 4 }),
      readsFail: fc.nat({ max: 3 }),
      deliversAtOnce: fc.boolean(),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('deliver' as const), node }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('settle' as const), node }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('restart' as const), node }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('wait' as const), node }) },
)

type Step = typeof step extends fc.Arbitrary<infer Value> ? Value : never

const idsPerBlock = 10

class Node {
  readonly clock = new ManualClock()
  readonly log: UncertainMetadataLog
  readonly fold: MetadataFold
  readonly proposals: Proposals

  private constructor(log: UncertainMetadataLog, fold: MetadataFold, incarnation: string) {
    this.log = log
    this.fold = fold
    const onFailure = (cause: unknown) => {
      throw cause
    }
    const { clock } = this
    const options = { log, fold, clock, logger: silentLogger, incarnation, onFailure }
    this.proposals = new Proposals(options)
  }

  static async start(shared: SharedEntries, incarnation: string): Promise<Node> {
    const log = new UncertainMetadataLog(shared)
    return new Node(log, new MetadataFold(await log.load(), 1), incarnation)
  }
}

class World {
  readonly shared = new SharedEntries()
  readonly nodes: Node[] = []
  /** The first id of each block that was acknowledged. */
  readonly blocks: number[] = []
  /** Ids of topics whose creation was acknowledged. */
  readonly created: string[] = []
  readonly pending: Promise<unknown>[] = []
  #starts = 0
  #topics = 0

  async start(index: number): Promise<void> {
    this.nodes[index] = await Node.start(this.shared, `incarnation-${this.#starts++}`)
  }

  async perform(step: Step): Promise<void> {
    const { proposals, fold, log, clock } = this.nodes[step.node]!
    // Nothing is decided while the outcome of an append is unknown.
    const expectKnown = () => expect(fold.nextSequence).toBeGreaterThan(log.unansweredSequence)
    switch (step.kind) {
      case 'reserve':
        this.#begin(
          proposals.propose(() => {
            expectKnown()
            const first = fold.view.nextProducerId
            const command = { type: 'reserveProducerIds', next: first + idsPerBlock } as const
            return { command, committed: () => first }
          }),
          (first) => this.blocks.push(first),
        )
        return
      case 'create': {
        const id = `topic-${this.#topics++}`
        this.#begin(
          proposals.propose(() => {
            expectKnown()
            if (fold.view.topic(step.name)) return { answer: undefined }
            const topic = { name: step.name, id, assignments: [[1]], configs: {} }
            const command: MetadataCommand = { type: 'createTopic', ...topic }
            return { command, committed: () => id }
          }),
          (answer) => {
            if (answer !== undefined) this.created.push(answer)
          },
        )
        return
      }
      case 'disturb':
        Object.assign(log, {
          fates: [...step.fates],
          readsFail: step.readsFail,
          deliversAtOnce: step.deliversAtOnce,
        })
        return
      case 'deliver':
        log.deliver()
        return
      case 'settle':
        await clock.advanceAndSettle(1000)
        return
      case 'restart':
        await this.start(step.node)
        return
      case 'wait':
        await Promise.all(this.pending)
        return
    }
  }

  /** Proposals are answered in any order; those of a restarted node possibly never. */
  #begin<Answer>(proposal: Promise<Answer>, acknowledged: (answer: Answer) => void): void {
    const refused = (error: { code?: string }) => {
      if (error.code !== 'METADATA_UNAVAILABLE') throw error
    }
    this.pending.push(proposal.then(acknowledged).catch(refused))
  }

  async end(): Promise<void> {
    await Promise.all(this.pending)
    this.shared.arrive()
    for (const { log, proposals } of this.nodes) {
      Object.assign(log, { fates: [], readsFail: 0, deliversAtOnce: true })
      // Proposals work again as soon as the log can be reached.
      await proposals.propose(() => ({ answer: undefined }))
      log.deliver()
    }
  }
}

it('every acknowledged proposal is applied, and each proposal at most once', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 40, size: 'max' }), async (steps) => {
      const world = new World()
      for (const index of [0, 1]) await world.start(index)
      for (const each of steps) await world.perform(each)
      await world.end()
      const { entries } = world.shared
      const proposals = entries.map(
        ({ proposal }) => `${proposal!.incarnation} ${proposal!.number}`,
      )
      expect(new Set(proposals).size).toBe(proposals.length)
      expect(new Set(world.blocks).size).toBe(world.blocks.length)
      const ends = entries.flatMap(({ command }) =>
        command.type === 'reserveProducerIds' ? [command.next] : [],
      )
      // Each block was decided on the state that it was appended to.
      expect(ends).toEqual(ends.map((_, index) => (index + 1) * idsPerBlock))
      for (const first of world.blocks) expect(ends).toContain(first + idsPerBlock)
      const [replayed, ...folds] = [await Node.start(world.shared, 'replayed'), ...world.nodes].map(
        ({ fold }) => fold.view.snapshot(),
      )
      for (const fold of folds) expect(fold).toEqual(replayed)
      const topics = new Set(replayed!.topics.map(({ id }) => id))
      for (const id of world.created) expect(topics).toContain(id)
    }),
    { numRuns: models.proposals.sequences },
  )
})
