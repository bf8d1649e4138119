// Configs against a model, through arbitrary histories of changes, refusals and restarts: the
// configs of a resource are those of the accepted changes, and no others.

import fc from 'fast-check'
import { expect, it } from 'vitest'
import { brokerConfig } from '../../../broker/configuration/brokerOptions.ts'
import { DynamicConfiguration } from '../../../broker/configuration/configuration.ts'
import { configsOf, findResource } from '../../../broker/controller/configRequests.ts'
import { Controller } from '../../../broker/controller/controller.ts'
import { MemoryMetadataLog } from '../../../broker/controller/metadata/memoryMetadataLog.ts'
import { ErrorCode } from '../../../protocol/kafka/errors.ts'
import { ManualClock } from '../../../protocol/runtime/time/manualClock.ts'
import { silentLogger } from '../../../protocol/telemetry/logging/logger.ts'
import { models } from '../../modelRuns.ts'

/** Type, name, keys of longs, keys of lists. */
const resources = [
  { type: 2, name: 'a', keys: ['retention.ms', 'segment.ms'], lists: ['cleanup.policy'] },
  { type: 2, name: 'b', keys: ['retention.ms', 'segment.ms'], lists: ['cleanup.policy'] },
  { type: 4, name: '', keys: ['log.retention.ms', 'log.roll.ms'], lists: ['log.cleanup.policy'] },
  { type: 4, name: '1', keys: ['log.retention.ms', 'log.roll.ms'], lists: ['log.cleanup.policy'] },
] as const

const policy = fc.constantFrom('delete', 'compact', 'compact,delete')
const long = fc.constantFrom('1', '77', '9223372036854775807', 'wrong', '-2')

const command = fc.constantFrom(...resources).chain((resource) =>
  fc.record({
    resource: fc.constant(resource),
    change: fc.oneof(
      fc.record({
        name: fc.constantFrom(...resource.keys),
        operation: fc.constant(0),
        value: long,
      }),
      fc.record({
        name: fc.constantFrom(...resource.keys, ...resource.lists),
        operation: fc.constant(1),
        value: fc.constant(null),
      }),
      fc.record({
        name: fc.constantFrom(...resource.lists),
        operation: fc.constantFrom(0, 2, 3),
        value: policy,
      }),
    ),
    validateOnly: fc.boolean(),
    restartsAfter: fc.boolean(),
  }),
)

type Command = typeof command extends fc.Arbitrary<infer Value> ? Value : never

async function open(log: MemoryMetadataLog) {
  const configuration = new DynamicConfiguration(brokerConfig())
  const controller = await Controller.open({
    log,
    clock: new ManualClock(),
    onFailure: () => {},
    logger: silentLogger,
    configuration,
    incarnation: `incarnation-${log.entries.length}`,
    newTopicId: () => `id-${log.entries.length}`,
    newClusterId: () => 'cluster',
  })
  const nothing = async () => {}
  await controller.start({
    create: nothing,
    remove: nothing,
    reconfigure: () => {},
    obstacle: () => undefined,
  })
  return { controller, configuration }
}

class Model {
  readonly texts = new Map(resources.map((resource) => [resource, new Map<string, string>()]))

  /** Applies the change if it is valid; returns whether it is. */
  apply({ resource, change, validateOnly }: Command): boolean {
    const texts = this.texts.get(resource)!
    const { name, operation, value } = change
    const isLong = (resource.keys as readonly string[]).includes(name)
    const least = name.includes('retention') ? -1n : 1n
    if (operation === 0 && isLong && (!/^-?\d+$/.test(value!) || BigInt(value!) < least)) {
      return false
    }
    if (validateOnly) return true
    if (operation === 1) texts.delete(name)
    else if (operation === 0) texts.set(name, value!)
    else {
      const before = (texts.get(name) ?? 'delete').split(',').filter((word) => word !== '')
      const words = value!.split(',')
      const after = operation === 2 ? [...before, ...words] : before
      const kept = after.filter((word) => operation === 2 || !words.includes(word))
      texts.set(name, [...new Set(kept)].join(','))
    }
    return true
  }
}

it('accepted configs survive restarts, refused ones have no effect', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(command, { maxLength: 25, size: 'max' }), async (commands) => {
      const log = new MemoryMetadataLog()
      let { controller, configuration } = await open(log)
      const counts = { numPartitions: 1, replicationFactor: 1, assignments: [], configs: [] }
      for (const name of ['a', 'b']) await controller.createTopic({ name, ...counts })
      const model = new Model()
      for (const each of commands) {
        const { resource, change, validateOnly, restartsAfter } = each
        const { errorCode } = await controller.alterConfigs(
          {
            resourceType: resource.type,
            resourceName: resource.name,
            changes: [change],
            replacesAll: false,
          },
          validateOnly,
        )
        expect(errorCode === ErrorCode.none).toBe(model.apply(each))
        if (restartsAfter) ({ controller, configuration } = await open(log))
      }
      for (const [{ type, name }, texts] of model.texts) {
        const wanted = { resourceType: type, resourceName: name }
        const found = findResource(controller.state, wanted, 1)
        if ('errorCode' in found) throw new Error(found.message)
        expect(configsOf(controller.state, found)).toEqual(Object.fromEntries(texts))
      }
      const [ofAll, ofOne] = [model.texts.get(resources[2])!, model.texts.get(resources[3])!]
      const key = 'log.retention.ms'
      const text = ofOne.get(key) ?? ofAll.get(key)
      expect(configuration.text(key) ?? undefined).toBe(text)
      expect(configuration.current[key]).toBe(
        text === undefined ? undefined : Math.min(Number(text), Number.MAX_SAFE_INTEGER),
      )
    }),
    { numRuns: models.configs.sequences },
  )
})
