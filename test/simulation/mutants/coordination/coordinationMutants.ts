// Faults planted in coordination: the tree, sessions, members, recipes, the chain of the log.

import type { Mutant } from '../mutant.ts'

export const coordinationMutants: readonly Mutant[] = [
  {
    name: 'watch: a session that expires tells nobody',
    system: 'coordination',
    file: 'protocol/coordination/tree/coordinationState.ts',
    replacements: [
      {
        find: '    const { events } = transaction\n',
        replace: '    const events: typeof transaction.events = []\n',
      },
    ],
    origin: 'a rule of protocol/coordination',
    maxSeeds: 50,
  },
  {
    name: 'watch: a gap is not reported',
    system: 'coordination',
    file: 'protocol/coordination/member/replica.ts',
    replacements: [
      {
        find: '    this.watches.deliver(treeDifference(before, state))\n',
        replace: '    treeDifference(before, state)\n',
      },
    ],
    origin: 'a rule of protocol/coordination',
    maxSeeds: 50,
  },
  {
    name: 'session: outlives its timeout when it is opened late',
    system: 'coordination',
    file: 'protocol/coordination/tree/sessionTable.ts',
    replacements: [
      {
        find: '    this.#leastDeadlineMs = Math.min(this.#leastDeadlineMs, opened.deadlineMs)\n',
        replace: '',
      },
    ],
    origin: 'a rule of protocol/coordination',
    maxSeeds: 50,
  },
  {
    name: 'session: any entry renews all',
    system: 'coordination',
    file: 'protocol/coordination/tree/sessionTable.ts',
    replacements: [
      {
        find: '    const heard = this.#members.get(member)\n    if (heard !== undefined) heard.lastHeardMs = this.#clockMs\n',
        replace:
          '    if (member !== "") for (const heard of this.#members.values()) heard.lastHeardMs = this.#clockMs\n',
      },
    ],
    origin: 'a rule of protocol/coordination',
    maxSeeds: 50,
  },
  {
    name: 'session: ephemeral nodes outlive it',
    system: 'coordination',
    file: 'protocol/coordination/tree/coordinationState.ts',
    replacements: [
      {
        find: '    transaction.deleteEphemerals(session)\n',
        replace: '    if (transaction.events.length < 0) transaction.deleteEphemerals(session)\n',
      },
    ],
    origin: 'a rule of protocol/coordination',
    maxSeeds: 50,
  },
  {
    name: 'session: a step is not limited',
    system: 'coordination',
    file: 'protocol/coordination/tree/proposal.ts',
    replacements: [
      { find: 'export const maxStepMs = 1200', replace: 'export const maxStepMs = 12_000' },
    ],
    origin: 'a rule of protocol/coordination',
    maxSeeds: 50,
  },
  {
    name: 'session: certain for ever',
    system: 'coordination',
    file: 'protocol/coordination/member/memberSession.ts',
    replacements: [
      {
        find: '    return this.#options.clock.monotonicMs() < this.#certainUntilMs\n',
        replace: '    return this.#certainUntilMs > 0\n',
      },
    ],
    origin: 'a rule of protocol/coordination',
    maxSeeds: 50,
  },
  {
    name: 'session: certain from the answer instead of the append',
    system: 'coordination',
    file: 'protocol/coordination/member/proposer.ts',
    replacements: [
      {
        find: '      this.#options.onHeard(attempt.begunMs)\n',
        replace: '      this.#options.onHeard(this.#options.clock.monotonicMs())\n',
      },
    ],
    origin: 'a rule of protocol/coordination',
    maxSeeds: 1000,
  },
  {
    name: 'session: certain while it is closed',
    system: 'coordination',
    file: 'protocol/coordination/member/memberSession.ts',
    replacements: [
      {
        find: '    if (this.hasEnded || this.isClosing) return false\n',
        replace: '    if (this.hasEnded) return false\n',
      },
    ],
    origin: 'a rule of protocol/coordination',
    maxSeeds: 500,
  },
  {
    name: 'session: opened without an answer is kept',
    system: 'coordination',
    file: 'protocol/coordination/member/member.ts',
    replacements: [{ find: '    this.#removeAbandoned()\n', replace: '' }],
    origin: 'a rule of protocol/coordination',
    maxSeeds: 100,
  },
  {
    name: 'session: nobody appends when all are idle',
    system: 'coordination',
    file: 'protocol/coordination/member/heartbeat.ts',
    replacements: [
      {
        find: '  return idleMs >= idleEntryMs + Math.min(rank * rankDelayMs, maxRankDelayMs)\n',
        replace: '  return idleMs < 0\n',
      },
    ],
    origin: 'a rule of protocol/coordination',
    maxSeeds: 50,
  },
  {
    name: 'leader: decides without being certain',
    system: 'coordination',
    file: 'protocol/coordination/recipes/leaderElection.ts',
    replacements: [
      {
        find: '    return this.#place.isFirst && session.isCertain ? this.#place.createdZxid : undefined\n',
        replace:
          '    return this.#place.isFirst && !session.hasEnded ? this.#place.createdZxid : undefined\n',
      },
    ],
    origin: 'a rule of protocol/coordination',
    maxSeeds: 400,
  },
  {
    name: 'leader: the first by name',
    system: 'coordination',
    file: 'protocol/coordination/recipes/queuePlace.ts',
    replacements: [
      {
        find: '  #isBefore({ createdZxid }: PlaceNode): boolean {\n    return createdZxid < this.createdZxid\n',
        replace: '  #isBefore({ path }: PlaceNode): boolean {\n    return path < this.#path\n',
      },
    ],
    origin: 'a rule of protocol/coordination',
    maxSeeds: 50,
  },
  {
    name: 'append: unknown outcome taken for failed',
    system: 'coordination',
    file: 'protocol/coordination/member/proposer.ts',
    replacements: [
      { find: "      if (outcome === 'unknown') attempt.wasUnknown = true\n", replace: '' },
    ],
    origin: 'a rule of protocol/coordination',
    maxSeeds: 500,
  },
  {
    name: 'append: an unknown outcome is answered as not made',
    system: 'coordination',
    file: 'protocol/coordination/member/proposer.ts',
    replacements: [
      {
        find: '      if (request.deadlineMs <= nowMs) this.#refuseLate(request, true)\n',
        replace: '      if (request.deadlineMs <= nowMs) this.#refuseLate(request, false)\n',
      },
    ],
    origin: 'a rule of protocol/coordination',
    maxSeeds: 50,
  },
  {
    name: 'append: unknown outcome taken for committed',
    system: 'coordination',
    file: 'protocol/coordination/member/proposer.ts',
    replacements: [{ find: "      return 'unknown'\n", replace: "      return 'appended'\n" }],
    origin: 'a rule of protocol/coordination',
    maxSeeds: 50,
  },
  {
    name: 'append: a lost race is answered as won',
    system: 'coordination',
    file: 'protocol/coordination/member/proposer.ts',
    replacements: [
      {
        find: '    const isOwn = entry.member === this.#options.member && entry.number === attempt.number\n',
        replace:
          '    const isOwn = entry.member !== "" && outcomes.length >= attempt.requests.length\n',
      },
    ],
    origin: 'a rule of protocol/coordination',
    maxSeeds: 50,
  },
  {
    name: 'append: goes on in the log of a repair',
    system: 'coordination',
    file: 'protocol/coordination/member/proposer.ts',
    replacements: [
      {
        find: '    if (!attempt.isAppending) this.#endSkipped(attempt)\n',
        replace: '    if (attempt.isConflict) this.#endSkipped(attempt)\n',
      },
    ],
    origin: 'a rule of protocol/coordination',
    maxSeeds: 50,
  },
  {
    name: 'chain: the digest is not checked',
    system: 'coordination',
    file: 'protocol/coordination/log/chain.ts',
    replacements: [
      {
        find: '    if (predecessor.equals(this.#digest)) return undefined\n',
        replace: '    if (predecessor.length > 0) return undefined\n',
      },
    ],
    origin: 'a rule of protocol/coordination',
    maxSeeds: 500,
  },
  {
    name: 'chain: claims are not compared',
    system: 'coordination',
    file: 'protocol/coordination/member/replica.ts',
    replacements: [
      {
        find: '    if (!this.isOtherThan(claim)) return\n',
        replace: '    return\n',
      },
    ],
    origin: 'a rule of protocol/coordination',
    maxSeeds: 700,
  },
  {
    name: 'member: changes go on after damage',
    system: 'coordination',
    file: 'protocol/coordination/member/member.ts',
    replacements: [
      { find: '    this.#proposer.stop(error)\n    this.#claim', replace: '    this.#claim' },
    ],
    origin: 'a rule of protocol/coordination',
    maxSeeds: 50,
  },
  {
    name: 'member: subscribes after the wrong entry',
    system: 'coordination',
    file: 'protocol/coordination/member/member.ts',
    replacements: [
      {
        find: '    return this.#options.log.subscribe(this.#replica.sequence, {',
        replace: '    return this.#options.log.subscribe(this.#replica.sequence + 1, {',
      },
    ],
    origin: 'a rule of protocol/coordination',
    maxSeeds: 50,
  },
  {
    name: 'member: claims of before a repair are kept',
    system: 'coordination',
    file: 'protocol/coordination/member/member.ts',
    replacements: [
      {
        find: '    this.#ahead = undefined\n    this.#step.begin',
        replace: '    this.#step.begin',
      },
    ],
    origin: 'a rule of protocol/coordination',
    maxSeeds: 50,
  },
  {
    name: 'repair: sessions keep their old deadlines',
    system: 'coordination',
    file: 'protocol/coordination/tree/coordinationState.ts',
    replacements: [{ find: '    this.#sessions.renewAll()\n', replace: '' }],
    origin: 'a rule of protocol/coordination',
    maxSeeds: 100,
  },
  {
    name: 'repair: zxids begin anew',
    system: 'coordination',
    file: 'protocol/coordination/tree/coordinationState.ts',
    replacements: [
      {
        find: '    this.#zxid = generation * zxidsPerGeneration\n',
        replace: '    this.#zxid = zxidsPerGeneration\n',
      },
    ],
    origin: 'a rule of protocol/coordination',
    maxSeeds: 50,
  },
  {
    name: 'tree: a refused transaction is not taken back',
    system: 'coordination',
    file: 'protocol/coordination/tree/coordinationState.ts',
    replacements: [{ find: '        transaction.rollBack()\n', replace: '' }],
    origin: 'a rule of protocol/coordination',
    maxSeeds: 50,
  },
  {
    name: 'snapshot: restored with another clock of the log',
    system: 'coordination',
    file: 'protocol/coordination/tree/snapshotCodec.ts',
    replacements: [
      {
        find: '  const clockMs = reader.float64()\n',
        replace: '  const clockMs = reader.float64() + 500\n',
      },
    ],
    origin: 'a rule of protocol/coordination',
    maxSeeds: 50,
  },
  {
    name: 'snapshot: forgets the numbers of sequential nodes',
    system: 'coordination',
    file: 'protocol/coordination/tree/snapshotCodec.ts',
    replacements: [
      {
        find: '    writer.varlong(children.nextSequence)\n',
        replace: '    writer.varlong(children.nextSequence > 2 ? 2 : children.nextSequence)\n',
      },
    ],
    origin: 'a rule of protocol/coordination',
    maxSeeds: 50,
  },
]
