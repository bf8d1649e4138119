// Faults planted in the controller and in the embedded metadata log below it.

import type { Mutant } from '../mutant.ts'

export const controllerMutants: readonly Mutant[] = [
  {
    name: "a deleted topic's name is free before its logs are removed, which are removed by name",
    system: 'broker',
    file: 'broker/controller/topics/topicRequests.ts',
    replacements: [
      { find: 'if (state.isDeleting(name)) {', replace: 'if (false) {' },
      {
        file: 'broker/log/logManager.ts',
        find: 'id === topicId || (id === undefined && isForeign(topic, undefined))',
        replace: 'true',
      },
    ],
    origin: 'a review of the broker under the bug reports of others, fault 1',
    maxSeeds: 3000,
  },
  {
    name: 'one failed metadata write disables all changes until a restart',
    system: 'broker',
    file: 'broker/controller/metadata/proposals.ts',
    replacements: [
      {
        find: 'if (isDiskFailure(cause)) this.#fail(cause)\n      return cause',
        replace: 'this.#failure ??= cause\n      return cause',
      },
    ],
    origin: 'a review of the broker under the bug reports of others, fault 2',
    maxSeeds: 500,
  },
  {
    name: 'logs of a topic whose creation failed are not created again before a restart',
    system: 'broker',
    file: 'broker/controller/topics/topicWork.ts',
    replacements: [{ find: '    this.#retryLater()\n  }', replace: '  }' }],
    origin: 'a review of the broker under the bug reports of others, fault 3',
    maxSeeds: 500,
  },
  {
    name: 'fewer producer ids are reserved than are given out',
    system: 'broker',
    file: 'broker/controller/producerIds.ts',
    replacements: [{ find: 'await this.#reserve(blockSize)', replace: 'await this.#reserve(1)' }],
    origin: 'KIP-730',
    maxSeeds: 100,
  },
  {
    name: 'a rejected append to the metadata log counts as committed',
    system: 'broker',
    file: 'broker/controller/metadata/proposals.ts',
    replacements: [{ find: '    throw unavailable(rejection)\n', replace: '    return true\n' }],
    origin: 'an outcome that is unknown is guessed',
    maxSeeds: 500,
  },
  {
    name: 'the embedded metadata log trusts a failed write',
    system: 'broker',
    file: 'protocol/coordination/log/levelLog.ts',
    replacements: [
      {
        find: '      throw cause\n    }\n    this.#setReachable(true)',
        replace: '    }\n    this.#setReachable(true)',
      },
    ],
    origin: 'an outcome that is unknown is guessed',
    maxSeeds: 500,
  },
  {
    name: 'a topic is deleted in memory before its deletion is durable',
    system: 'broker',
    file: 'broker/controller/controller.ts',
    replacements: [
      {
        find: "      return { command: { type: 'deleteTopic', id: topic.id }, committed: () => done(topic) }",
        replace: '      return { answer: done(topic) }',
      },
    ],
    origin: 'a review of the broker under the bug reports of others, the kind',
    maxSeeds: 500,
  },
  {
    name: 'the removal of topics goes on while the groups that it asks are closed',
    system: 'broker',
    file: 'broker/broker.ts',
    replacements: [{ find: '  closing.add(() => parts.controller.stop())\n', replace: '' }],
    origin: 'a bug that the simulator has found',
    maxSeeds: 3000,
  },
]
