// The fuzzer's command line: node test/fuzz/fuzz.ts --inputs 1000000 [--seed N]. Prints its figures;
// a failure prints the seed of the broker that it happened to.

import { parseArgs } from 'node:util'
import { systemRandom } from '../../protocol/runtime/random.ts'
import { runCampaign } from './campaign.ts'

const { values } = parseArgs({
  options: { inputs: { type: 'string', default: '1000000' }, seed: { type: 'string' } },
})
const seed = values.seed === undefined ? systemRandom().uint32() : Number(values.seed)
process.on('uncaughtExceptionMonitor', () => console.error(`the campaign began with seed ${seed}`))

const startMs = performance.now()
const figures = await runCampaign({
  seed,
  inputs: Number(values.inputs),
  onProgress: ({ inputs }) => {
    if (inputs % 100_000 === 0) console.error(`${inputs} inputs`)
  },
})
console.log(`seed: ${seed}\n${figures.text((performance.now() - startMs) / 1000)}`)
