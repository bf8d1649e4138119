// One member of a chaos run in a process of its own, so that it can be killed and paused: argument
// one is a ChaosMemberPlan as JSON. Reports events as lines of JSON on standard output, which is a
// pipe and therefore synchronous: a killed process has reported each call that it made. Answers the
// requests of its standard input (childMember.ts).

import { createInterface } from 'node:readline'
import { type ChaosMemberPlan, openChaosCoordination } from './chaosCoordination.ts'
import { ChaosMember } from './chaosMember.ts'
import type { ChildAnswer, ChildRequest } from './childMember.ts'

const plan = JSON.parse(process.argv[2]!) as ChaosMemberPlan
const print = (line: object) => void process.stdout.write(`${JSON.stringify(line)}\n`)
const coordination = await openChaosCoordination(plan, print)
const member = new ChaosMember(plan, coordination, print)
print({ kind: 'opened' })

for await (const line of createInterface({ input: process.stdin })) {
  const { id, request } = JSON.parse(line) as ChildRequest
  const answer = (value: ChildAnswer['value']) => print({ kind: 'answer', id, value })
  if (request === 'state') answer(member.state())
  else void member[request]().then(() => answer(undefined))
}
// The test has ended.
process.exit(0)
